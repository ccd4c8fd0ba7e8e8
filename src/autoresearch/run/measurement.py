"""What is being improved, and what a run said about it. *Better*, never *larger*."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from autoresearch.run.integrity import Finding, Integrity
from autoresearch.run.printed_result import ResultLine
from autoresearch.run.symptom import Symptom


class Direction(StrEnum):
    """Which way is up."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True)
class Objective:
    """The one number a campaign judges by.

    Attributes:
        goal: The aim in the user's words ("raise validation accuracy").
        metric: The metric in the recipe's own spelling, e.g. `val:accuracy`.
        direction: Whether more or less of it is better.
        tag: Where a logger writes it, e.g. `validation/accuracy`.
        meaning: What the number is, in words ("mean reward over the validation set").
    """

    goal: str
    metric: str
    direction: Direction = Direction.MAXIMIZE
    tag: str = ""
    meaning: str = ""

    def gain(self, value: float, over: float) -> float:
        """How much better `value` is than `over`; negative when worse, whichever way is up."""
        return value - over if self.direction is Direction.MAXIMIZE else over - value

    def better(self, value: float, over: float) -> bool:
        """Whether `value` is strictly better than `over`."""
        return self.gain(value, over) > 0

    def best(self, values: Iterable[float]) -> float:
        """The best finite value.

        Raises:
            ValueError: No finite value was given.
        """
        finite = [value for value in values if math.isfinite(value)]
        return max(finite) if self.direction is Direction.MAXIMIZE else min(finite)


@dataclass(frozen=True)
class Series:
    """One scalar over training steps, steps ascending and unique.

    Attributes:
        tag: Name as logged, e.g. `validation/accuracy`.
        steps: Global training steps.
        values: One value per step; NaN and infinities are kept as they were logged.
    """

    tag: str
    steps: tuple[int, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, tag: str, points: Iterable[tuple[int, float]]) -> "Series":
        """Build a series from unordered points; of two at one step, the later given wins."""
        merged = dict(points)
        ordered = sorted(merged)
        return cls(tag, tuple(ordered), tuple(merged[step] for step in ordered))

    @property
    def last(self) -> tuple[int, float] | None:
        """The final point, or None for an empty series."""
        return (self.steps[-1], self.values[-1]) if self.steps else None

    def points(self) -> tuple[tuple[int, float], ...]:
        """The series as (step, value) pairs."""
        return tuple(zip(self.steps, self.values, strict=True))


def thinned(points: Sequence[tuple[int, float]], most: int) -> tuple[tuple[int, float], ...]:
    """At most so many points of a curve: the first, a quarter of them at its end, of each stretch between the extremes.

    The first value of a stretch that is not finite stays too.
    """
    if len(points) <= most:
        return tuple(points)
    tail = most // 4
    end = len(points) - tail
    size = math.ceil((end - 1) / max(1, (most - tail - 1) // 3))
    kept = {0, *range(end, len(points))}
    for at in range(1, end, size):
        stretch = range(at, min(at + size, end))
        finite = [place for place in stretch if math.isfinite(points[place][1])]
        odd = next((place for place in stretch if not math.isfinite(points[place][1])), None)
        kept.update(() if odd is None else (odd,))
        if finite:
            kept |= {min(finite, key=lambda place: points[place][1]), max(finite, key=lambda place: points[place][1])}
    return tuple(points[place] for place in sorted(kept))


@dataclass(frozen=True)
class SampleSet:
    """Rewards of single validation samples at one step.

    Attributes:
        step: Training step of the validation.
        rewards: One number per prompt, in the order of the validation set; repeats of a prompt are averaged.
        prompts: Fingerprint of the prompts in their order; two validations with the same one can be paired prompt by
            prompt. Empty when it is not known what was asked.
    """

    step: int
    rewards: tuple[float, ...]
    prompts: str = ""


@dataclass(frozen=True)
class Readings:
    """Everything one metric source found in a run folder; partial runs are normal.

    Attributes:
        series: Scalars by tag, in the source's own spelling.
        samples: Per-sample validation rewards, ascending by step.
        files: Files that were looked at, for the diagnosis of an empty result.
        notes: Oddities worth telling (a torn record, a skipped line), one sentence each.
        results: Lines in which the result was printed, one per form; empty where no one result is expected.
        conflict: Two of the lines that give different results, None where there is one result.
        counted: Whether its steps only count the values, for the run says no step.
        clashes: By tag, two files that should tell one history and do not, in a sentence.
        ends: By tag, what files say of its last step, and whether they said another value before.
    """

    series: Mapping[str, Series] = field(default_factory=dict)
    samples: tuple[SampleSet, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    results: tuple[ResultLine, ...] = ()
    conflict: tuple[str, str] | None = None
    counted: bool = False
    clashes: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[str, ResultLine] = field(default_factory=dict)

    def lines_of(self, tag: str) -> tuple[ResultLine, ...]:
        """How the result was given: in the files' last step of a tag, and in what was printed."""
        return (*([self.ends[tag]] if tag in self.ends else []), *self.results)


class Completion(StrEnum):
    """How a run ended, judged by the steps it reached and not by its exit code."""

    DONE = "done"
    EARLY_STOPPED = "early-stopped"
    TIMED_OUT = "timed-out"
    DIVERGED = "diverged"
    STALLED = "stalled"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def whole(self) -> bool:
        """Whether the run came to an end of its own that counts."""
        return self in {Completion.DONE, Completion.EARLY_STOPPED}


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run went on, in seconds of its own running time.

    Attributes:
        first_s: Until its first step, None when it showed none.
        usual_s: Usually between two steps, None below two.
        longest_s: Most between two steps, or after the last: a validation, a checkpoint.
        steps: How many steps were seen.
    """

    first_s: float | None = None
    usual_s: float | None = None
    longest_s: float = 0.0
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a program of the base commit made of what a run left.

    Attributes:
        value: The number it gave, None when it gave none.
        problem: Why it gave none, in words; empty when it gave one.
        log: What it printed.
        seconds: How long it took, None when unknown.
        gpus: GPUs it had.
    """

    value: float | None = None
    problem: str = ""
    log: str = ""
    seconds: float | None = None
    gpus: int = 0

    @property
    def gpu_hours(self) -> float:
        """GPU-hours that it took."""
        return (self.seconds or 0.0) / 3600 * self.gpus


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the harness read of one run, from files the run wrote.

    Attributes:
        metric: The objective's metric, in the recipe's spelling.
        value: The number judged by, or None when there is no valid one.
        source: Where `value` came from (`tensorboard`, `training_info`, `stdout`, ...); empty when None.
        step: Training step of `value`; or which of the run's values it is, where they are `counted`.
        completion: How the run ended.
        last_step: Last training step reached, if known.
        target_step: Step at which the run would have been complete, if known.
        curve: The metric over steps, as (step, value).
        standard_error: Evaluation noise of `value` from the finite validation set, if known.
        samples: Per-sample validation rewards at `step`, empty when not offered.
        prompts: Fingerprint of the prompts behind `samples`, empty when not known; see `SampleSet`.
        peak_memory_gb: Largest GPU memory seen (host memory for CPU runs), in GB.
        symptoms: Health findings, worst first.
        note: Diagnosis in words: why there is no value, or which sources disagreed.
        plumbing: Why the run turned out too small to judge an idea by (R113); empty when it did not.
        integrity: Whether `value` may be believed; one that is contradicted is None.
        results: Lines in which the run printed its result, one per form; empty where it prints a curve or a file.
        pace: How it went on, as it was watched; None where it was not.
        evaluation: What an independent evaluation gave; None where there was none.
        doubt: What is odd about `value` beside the curve it ends; empty when nothing is.
        counted: Whether the steps of the curve only count its values, for the run says no step.
    """

    metric: str
    value: float | None = None
    source: str = ""
    step: int | None = None
    completion: Completion = Completion.UNKNOWN
    last_step: int | None = None
    target_step: int | None = None
    curve: tuple[tuple[int, float], ...] = ()
    standard_error: float | None = None
    samples: tuple[float, ...] = ()
    prompts: str = ""
    peak_memory_gb: float | None = None
    symptoms: tuple[Symptom, ...] = ()
    note: str = ""
    plumbing: str = ""
    integrity: Integrity = field(default_factory=Integrity)
    results: tuple[ResultLine, ...] = ()
    pace: Pace | None = None
    doubt: str = ""
    evaluation: Evaluation | None = None
    counted: bool = False

    @property
    def unit(self) -> str:
        """What its steps are, in words: `step`, or `value` where the run says none."""
        return "value" if self.counted else "step"

    def void(self, reason: str) -> "Measurement":
        """The same run without its number, because of something that speaks against it."""
        reasons = (*(self.integrity.reasons if self.integrity.contradicted else ()), reason)
        against = Integrity(Finding.CONTRADICTED, reasons)
        return replace(
            self, value=None, source="", step=None, standard_error=None, samples=(), prompts="", integrity=against,
            note="; ".join(filter(None, (against.sentence, self.note))),
        )  # fmt: skip
