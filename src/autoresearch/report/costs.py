"""What a campaign cost: minutes and GPU-hours by purpose and, where the campaign file has a price, money."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoresearch.experiment.experiment import Idle, Run
from autoresearch.experiment.outcome import Purpose

EVALUATIONS = "evaluations"
"""Not a purpose of runs: programs that measured what runs had left."""


@dataclass(frozen=True)
class Spend:
    """What one purpose cost."""

    purpose: str
    runs: int
    minutes: float
    gpu_hours: float


def minutes(runs: Iterable[Run]) -> float:
    """Wall-clock minutes of runs, without queueing."""
    return sum(run.wall_s or 0.0 for run in runs) / 60


def by_purpose(runs: Iterable[Run], idle: Sequence[Idle]) -> tuple[Spend, ...]:
    """What each purpose cost, evaluations and idle allocations apart, dearest first."""
    own: dict[Purpose, list[Run]] = {}
    for run in runs:
        own.setdefault(run.planned.purpose, []).append(run)
    found = [
        Spend(str(purpose), len(made), minutes(made), sum(run.gpu_hours for run in made))
        for purpose in Purpose
        if (made := own.get(purpose))
    ]
    measured = [run.measurement for made in own.values() for run in made if run.measurement]
    if done := [one.evaluation for one in measured if one.evaluation]:
        taken, gpu_hours = sum(one.seconds or 0.0 for one in done) / 60, sum(one.gpu_hours for one in done)
        found.append(Spend(EVALUATIONS, len(done), taken, gpu_hours))
    if idle:
        taken, gpu_hours = sum(one.minutes for one in idle), sum(one.gpu_hours for one in idle)
        found.append(Spend("idle in warm allocations", 0, taken, gpu_hours))
    return tuple(sorted(found, key=lambda spend: -spend.minutes))


def money(gpu_hours: float, usd_per_gpu_hour: float | None) -> str:
    """What GPU-hours cost, as `12.40 USD`; empty without a price or without GPU-hours."""
    if usd_per_gpu_hour is None or not gpu_hours:
        return ""
    return f"{gpu_hours * usd_per_gpu_hour:.2f} USD"


def gpu_words(gpu_hours: float, usd_per_gpu_hour: float | None) -> str:
    """GPU-hours with what they cost, or with how to give them a price; empty without any."""
    if not gpu_hours:
        return ""
    if usd_per_gpu_hour is None:
        return f"{gpu_hours:.1f} GPU-hours, which have no price: `usd_per_gpu_hour` in the campaign file gives one"
    return f"{gpu_hours:.1f} GPU-hours at {usd_per_gpu_hour:g} USD: {money(gpu_hours, usd_per_gpu_hour)}"


def added(spend: Iterable[Spend], usd_per_gpu_hour: float | None) -> str:
    """Everything together, as `12 runs, 96.0 minutes of runs, 6.4 GPU-hours, 16.00 USD`; what is 0 is left out."""
    found = tuple(spend)
    gpu_hours = sum(one.gpu_hours for one in found)
    evaluated = sum(one.runs for one in found if one.purpose == EVALUATIONS)
    told = [f"{sum(one.runs for one in found) - evaluated} runs", f"{evaluated} evaluations" if evaluated else ""]
    told += [f"{sum(one.minutes for one in found):.1f} minutes of {'both' if evaluated else 'runs'}"]
    told += [f"{gpu_hours:.3g} GPU-hours"] if gpu_hours else []
    return ", ".join(filter(None, [*told, money(gpu_hours, usd_per_gpu_hour)]))
