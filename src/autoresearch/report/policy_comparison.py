"""Try verdict policies on invented campaigns with the user's own noise, effect and budget."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from autoresearch.errors import UsageError
from autoresearch.experiment.board import PolicySettings
from autoresearch.experiment.outcome import Status
from autoresearch.machine import disk
from autoresearch.ports import plugins
from autoresearch.report import plain_text
from autoresearch.report.drawing import BASELINE_COLOUR, COLOURS, FAINT, Box, Drawing, Shape, Text, svg
from autoresearch.report.report import Report
from autoresearch.verdict.evidence import PILOT
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.doubles import drawn_in
from autoresearch.verdict.power import OFTEN
from autoresearch.verdict.simulated_world import STREAMS, Stream, World
from autoresearch.verdict.simulation import Outcome, Summary, run_campaign, summarise
from autoresearch.verdict.statistics import Figure, figure_of

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
        good: Share of ideas that are true improvements, None for that of the stream.
        harmful: Share that harm, None for that of the stream; the rest does nothing.
        effects: What ideas are drawn from in place of a stream, as a campaign found them.
        crash: Share of ideas that give no metric, None for that of the stream.
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
    good: float | None = None
    harmful: float | None = None
    effects: tuple[float, ...] = ()
    crash: float | None = None


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
    names = trial.policies or tuple(plugins.names("policies"))
    found = _outcomes(replace(trial, policies=names))
    return PolicyComparison(trial, tuple(summarise(name, nights) for name, nights in found.items()))


def _outcomes(trial: SimulationSetup) -> dict[str, list[Outcome]]:
    """The campaigns of each policy that is named."""
    sizes = (trial.gain, trial.gain if trial.worth is None else trial.worth)
    if not 0 <= trial.noise < math.inf or not all(0 < size < math.inf for size in sizes):
        raise UsageError("simulate needs a finite noise >= 0, and a finite gain (and worth) > 0")
    if min(trial.runs, trial.campaigns, trial.slots) < 1:
        raise UsageError("simulate needs at least one run, one campaign and one run at a time")
    if trial.stream not in STREAMS:
        raise UsageError(f"there is no stream {trial.stream!r}; choose one of: {', '.join(STREAMS)}")
    worth = (trial.worth or trial.gain) / trial.gain
    world = World(
        stream=_stream(trial),
        noise=trial.noise / trial.gain,
        runs=trial.runs,
        slots=trial.slots,
        settings=PolicySettings(worth=worth),
    )
    for name in trial.policies:
        policy(name)
    tasks = [(name, world, trial.seed + number) for name in trial.policies for number in range(trial.campaigns)]
    processes = trial.processes or (_cores() if len(tasks) * trial.runs >= _WORTH_A_POOL else 1)
    found = _spread(tasks, processes) if processes > 1 else [_one(task) for task in tasks]
    size = trial.campaigns
    return {name: found[at * size : (at + 1) * size] for at, name in enumerate(trial.policies)}


def _stream(trial: SimulationSetup) -> Stream:
    """The stream asked for, with the shares and the effects that were given in place of its own."""
    stream = STREAMS[trial.stream]
    good = stream.good if trial.good is None else trial.good
    harmful = 1 - stream.good - stream.null if trial.harmful is None else trial.harmful
    crash = stream.crash if trial.crash is None else trial.crash
    if min(good, harmful, crash) < 0 or good + harmful > 1 + 1e-9 or crash >= 1:
        raise UsageError("simulate needs shares of good and of harmful ideas from 0 to 1, together at most 1")
    effects = tuple(effect / trial.gain for effect in trial.effects)
    return replace(stream, good=good, null=max(0.0, 1 - good - harmful), crash=crash, effects=effects)


@dataclass(frozen=True)
class BudgetSummary:
    """What campaigns of one size come to, in the metric's own unit; chances as shares of nights.

    Attributes:
        policy: Who judged.
        runs: Runs of a campaign.
        gain: True gain.
        proven: Nights in which the campaign's gain is called proven.
        reached: Nights in which it is, and is truly no smaller than worth having.
        width: Width of the 90 % interval printed beside it, of nights that have one.
        false: Nights in which something is called proven that is not.
    """

    policy: str
    runs: int
    gain: Figure
    proven: Figure
    reached: Figure
    width: Figure
    false: Figure


@dataclass(frozen=True)
class BudgetComparison:
    """What budgets of several sizes come to.

    Attributes:
        setup: What was simulated.
        budgets: One for each number of runs and policy.
    """

    setup: SimulationSetup
    budgets: tuple[BudgetSummary, ...]

    def __str__(self) -> str:
        """A line per budget, and how many runs prove the gain worth having."""
        head = ("policy", "runs", "true gain", "proven", "interval width", "false claims")
        rows = [
            (
                one.policy, str(one.runs), f"{one.gain.mean:+.3g} ± {one.gain.error:.2g}",
                f"{one.proven.mean:.0%} ± {one.proven.error:.0%}",
                f"{one.width.mean:.3g}" if one.width.count else "-", f"{one.false.mean:.1%}",
            )
            for one in self.budgets
        ]  # fmt: skip
        told = [f"{self.setup.campaigns} simulated campaigns a line.", *map(self.answer, self.policies)]
        return "\n".join([plain_text.table(head, rows), "", *told])

    @property
    def policies(self) -> tuple[str, ...]:
        """Who judged, in order of first mention."""
        return tuple(dict.fromkeys(one.policy for one in self.budgets))

    def runs_to_prove(self, policy: str) -> int | None:
        """Runs that prove a gain worth having in `OFTEN` of nights, between two budgets by a line; None beyond them."""
        before: BudgetSummary | None = None
        for one in sorted((one for one in self.budgets if one.policy == policy), key=lambda one: one.runs):
            if one.reached.mean >= OFTEN:
                if before is None:
                    return one.runs
                part = (OFTEN - before.reached.mean) / (one.reached.mean - before.reached.mean)
                return math.ceil(before.runs + part * (one.runs - before.runs))
            before = one
        return None

    def answer(self, policy: str) -> str:
        """How many runs it takes, in a sentence."""
        worth, runs = self.setup.worth or self.setup.gain, self.runs_to_prove(policy)
        sizes = [one.runs for one in self.budgets]
        many = f"more than {max(sizes)} runs" if runs is None else f"about {runs} runs"
        if runs == min(sizes):
            many = f"at most {runs} runs"
        return f"{policy}: a true gain of {worth:+.3g} or more is proven in {OFTEN:.0%} of nights with {many}."


def compare_budgets(trial: SimulationSetup, runs: Sequence[int]) -> BudgetComparison:
    """The same kind of campaign with each number of runs, judged by `auto` unless other policies are named.

    Raises:
        UsageError: A number makes no sense, or the stream is unknown.
        PluginError: A policy is unknown.
    """
    asked = replace(trial, policies=trial.policies or ("auto",))
    budgets = [
        _budget(name, nights, size, trial)
        for size in runs
        for name, nights in _outcomes(replace(asked, runs=size)).items()
    ]
    return BudgetComparison(trial, tuple(budgets))


def _budget(name: str, nights: list[Outcome], runs: int, trial: SimulationSetup) -> BudgetSummary:
    found, worth = summarise(name, nights), (trial.worth or trial.gain) / trial.gain
    return BudgetSummary(
        policy=name,
        runs=runs,
        gain=_times(found.gain, trial.gain),
        proven=found.proven,
        reached=figure_of([float(night.proven and night.gain >= worth) for night in nights]),
        width=_times(found.width, trial.gain),
        false=found.false_claims,
    )


def setup_after(report: Report, **asked: Any) -> SimulationSetup:
    """More nights like the one that was: with its noise, and ideas drawn from the effects that it found.

    Effects of ideas that ran alone are drawn in to the scatter that their noise leaves over.

    Args:
        report: Of the campaign.
        asked: Fields of the setup that are given, in place of what the campaign shows.

    Raises:
        UsageError: It shows too little to draw from.
    """
    alone = [(one.effect, one.runs) for one in report.entries if one.effect is not None and one.runs and one.values]
    if not report.noise or len(alone) < PILOT:
        raise UsageError(f"{report.campaign} shows no noise, or fewer than {PILOT} ideas with an effect, to draw from")
    effects = tuple(drawn_in(alone, report.noise))
    good = [effect for effect in effects if effect > 0] or [report.noise]
    crashed = sum(one.status == Status.CRASH for one in report.entries)
    seen = {"noise": report.noise, "gain": sum(good) / len(good), "crash": crashed / (crashed + len(alone))}
    given = {key: value for key, value in asked.items() if value is not None}
    return SimulationSetup(**{**seen, "effects": effects, **given})


def _times(figure: Figure, unit: float) -> Figure:
    return Figure(figure.mean * unit, figure.error * unit, figure.count)


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
