"""Try verdict policies on invented campaigns with the user's own noise, effect and budget."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from autoresearch.errors import UsageError
from autoresearch.experiment.board import PolicySettings
from autoresearch.machine import disk
from autoresearch.ports import plugins
from autoresearch.report import plain_text
from autoresearch.report.figure import BASELINE_COLOUR, COLOURS, FAINT, Box, Drawing, Shape, Text, svg
from autoresearch.verdict.policies import policy
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import Figure, Outcome, Summary, run_campaign, summarise

_WORTH_A_POOL = 20_000
"""Simulated runs from which starting a process per core is worth its second or so."""

_Task = tuple[str, World, int]


@dataclass(frozen=True, kw_only=True)
class SimulationSetup:
    """What to simulate; metric values in the metric's own unit.

    Attributes:
        noise: Standard deviation between runs of unchanged code.
        gain: Size of a typical true improvement.
        runs: Runs the campaign can hold.
        worth: Smallest gain one would care about, None for `gain`.
        stream: What kind of ideas come, a key of `STREAMS`.
        policies: Policies to compare; empty for all.
        campaigns: Simulated campaigns per policy.
        slots: Runs at a time.
        seed: First random seed; the same ideas come to every policy.
        processes: Processes to spread them over, None for one per core where starting those is worth it. The figures
            are the same.
    """

    noise: float
    gain: float
    runs: int = 50
    worth: float | None = None
    stream: str = "base"
    policies: tuple[str, ...] = ()
    campaigns: int = 100
    slots: int = 1
    seed: int = 0
    processes: int | None = None


@dataclass(frozen=True)
class PolicyComparison:
    """What became of the same invented campaigns under each policy.

    Attributes:
        setup: What was simulated.
        summaries: One per policy; gains in units of `setup.gain`.
    """

    setup: SimulationSetup
    summaries: tuple[Summary, ...]

    def __str__(self) -> str:
        """One line per policy; gains in the metric's own unit."""
        unit = self.setup.gain
        head = ("policy", "true gain", "announced - true", "keeps", "false keeps", "missed", "false claims", "runs")
        rows = [
            (
                one.policy, f"{one.gain.mean * unit:+.3g} ± {one.gain.error * unit:.2g}",
                f"{one.announced_minus_true.mean * unit:+.3g}", f"{one.keeps.mean:.1f}", f"{one.false_keeps.mean:.1f}",
                f"{one.missed.mean:.1f}", f"{one.false_claims.mean:.1%}", f"{one.runs.mean:.0f}",
            )
            for one in self.summaries
        ]  # fmt: skip
        told = f"{self.setup.campaigns} campaigns of {self.setup.runs} runs each; noise/gain = "
        return (
            f"{plain_text.table(head, rows)}\n\n{told}{self.setup.noise / unit:.2g}. "
            "False claims: campaigns that call something proven which is not."
        )

    def _repr_html_(self) -> str:
        return plain_text.as_html(str(self))


def compare(trial: SimulationSetup) -> PolicyComparison:
    """The same invented campaigns under each policy.

    Raises:
        UsageError: A number makes no sense, or the stream is unknown.
        PluginError: A policy is unknown.
    """
    sizes = (trial.gain, trial.gain if trial.worth is None else trial.worth)
    if not 0 <= trial.noise < math.inf or not all(0 < size < math.inf for size in sizes):
        raise UsageError("simulate needs a finite noise >= 0, and a finite gain (and worth) > 0")
    if min(trial.runs, trial.campaigns, trial.slots) < 1:
        raise UsageError("simulate needs at least one run, one campaign and one run at a time")
    if trial.stream not in STREAMS:
        raise UsageError(f"there is no stream {trial.stream!r}; choose one of: {', '.join(STREAMS)}")
    worth = (trial.worth or trial.gain) / trial.gain
    world = World(
        stream=STREAMS[trial.stream],
        noise=trial.noise / trial.gain,
        runs=trial.runs,
        slots=trial.slots,
        settings=PolicySettings(worth=worth),
    )
    names = trial.policies or tuple(plugins.names("policies"))
    for name in names:
        policy(name)
    tasks = [(name, world, trial.seed + number) for name in names for number in range(trial.campaigns)]
    processes = trial.processes or (_cores() if len(tasks) * trial.runs >= _WORTH_A_POOL else 1)
    found = _spread(tasks, processes) if processes > 1 else [_one(task) for task in tasks]
    size = trial.campaigns
    summaries = [summarise(name, found[at * size : (at + 1) * size]) for at, name in enumerate(names)]
    return PolicyComparison(trial, tuple(summaries))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spread(tasks: Sequence[_Task], processes: int) -> list[Outcome]:
    """In the order of the tasks: a campaign depends on its seed alone, not on who simulates it."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_one, tasks, chunksize=max(1, len(tasks) // (8 * processes))))


def _one(task: _Task) -> Outcome:
    name, world, seed = task
    return run_campaign(policy(name), world, seed)


def plot(summaries: Sequence[Summary], gain: float, path: Path) -> None:
    """Write an SVG: true gain of each policy beside the gain a leader board would announce."""
    most = max((max(one.gain.mean, one.gain.mean + one.announced_minus_true.mean) for one in summaries), default=1.0)
    shapes: list[Shape] = [
        Text(x=120, y=22, text="true gain", colour=BASELINE_COLOUR, size=12),
        Text(x=200, y=22, text="gain as the search saw it", colour=COLOURS["open"], size=12),
    ]
    for place, one in enumerate(summaries):
        y = 38 + place * 54
        shapes.append(Text(x=110, y=y + 24, text=one.policy, anchor="end", size=13))
        shapes += _bar(y, one.gain, gain, most, BASELINE_COLOUR)
        announced = Figure(one.gain.mean + one.announced_minus_true.mean, one.announced_minus_true.error, one.campaigns)
        shapes += _bar(y + 20, announced, gain, most, COLOURS["open"])
    drawing = Drawing(760, 48 + 54 * max(1, len(summaries)), "simulated policies", tuple(shapes))
    disk.replace(path, svg(drawing))


def _bar(y: float, figure: Figure, gain: float, most: float, colour: str) -> list[Shape]:
    length = max(1.0, 480 * max(0.0, figure.mean) / max(most, 1e-9))
    told = f"{figure.mean * gain:+.3g} ± {figure.error * gain:.2g}"
    return [
        Box(x=120, y=y, width=length, height=16, colour=colour),
        Text(x=126 + length, y=y + 12, text=told, colour=FAINT, size=11),
    ]
