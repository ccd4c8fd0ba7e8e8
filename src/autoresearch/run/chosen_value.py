"""From what several sources read to the one number of a run. Pure functions, shared by the targets."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from statistics import fmean, median, stdev

from autoresearch.errors import CampaignError
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion, Objective, Readings, SampleSet, Series
from autoresearch.run.symptom import excerpt

_MEAN_LAST = re.compile(r"mean-last-([1-9]\d?)$")
_FLOAT32 = 1e-6
_PRINTED = 5.1e-5
"""Half a unit of the fourth decimal, as printed, with room for rounding of a float32."""

JUDGED = frozenset({Completion.DONE, Completion.EARLY_STOPPED, Completion.TIMED_OUT, Completion.UNKNOWN})
"""Ends after which the number stands. A run cut short by a failure has a curve but no value (R112)."""


@dataclass(frozen=True)
class ChosenValue:
    """Which points of a curve make up the value.

    Attributes:
        value: The number.
        step: The last step that went into it.
        steps: All steps that went into it.
    """

    value: float
    step: int
    steps: tuple[int, ...]


def check_rule(rule: str) -> str:
    """The rule itself when it is known.

    Raises:
        CampaignError: It is not.
    """
    if rule in {"last", "best", "median-half"} or _MEAN_LAST.match(rule):
        return rule
    raise CampaignError(
        f"validations: {rule!r} is not known; use last, best, mean-last-N (N from 1 to 99) or median-half"
    )


def choose(
    objective: Objective, curve: Sequence[tuple[int, float]], rule: str = "last", *, after: int = 0
) -> ChosenValue | None:
    """The value of a run by one of these rules; None when no validation after step `after` is finite.

    - `last`, the default: the final model's own validation. It is unbiased, it is the number a person finds in the last
      checkpoint, and its per-sample rewards allow paired comparisons.
    - `mean-last-N`: the mean of the last N. The least noisy (evaluation noise and step-to-step wobble both
      average out) and the one to choose when a run validates often; on a rising curve it lags a little, which is
      the safe side.
    - `best`: what a checkpoint kept by metric would score. A maximum over noise grows with the number of validations,
      so it flatters noisy runs; compare only runs that validate equally often.
    - `median-half`: the median of the second half, for what is logged at every step and has outliers (timings).

    A validation at step 0 tells about the model before training and never counts, not even alone. A NaN at the end is
    never papered over by an earlier number.
    """
    trained = [(step, value) for step, value in curve if step > after]
    finite = [(step, value) for step, value in trained if math.isfinite(value)]
    if not finite or not math.isfinite(trained[-1][1]):
        return None
    if rule == "best":
        value = objective.best(value for _, value in finite)
        step = next(step for step, each in reversed(finite) if each == value)
        return ChosenValue(value, step, (step,))
    if rule == "median-half":
        used = finite[len(finite) // 2 :]
        return ChosenValue(median(value for _, value in used), used[-1][0], tuple(step for step, _ in used))
    found = _MEAN_LAST.match(check_rule(rule))
    used = finite[-int(found.group(1)) :] if found else finite[-1:]
    return ChosenValue(fmean(value for _, value in used), used[-1][0], tuple(step for step, _ in used))


def cut_short(status: JobStatus) -> Completion | None:
    """What the launcher's word means when it ended the job itself; None when it did not."""
    if status.state is JobState.TIMED_OUT:
        return Completion.TIMED_OUT
    if status.state is JobState.CANCELLED:
        return Completion.STALLED if _STALL.search(status.reason) else Completion.CANCELLED
    return None


_STALL = re.compile(r"(?i)stall|silen|no output|no progress")


def rule_for(tag: str, steps: int, rule: str) -> str:
    """What `last` means for a metric that is logged at every step rather than by a validation.

    The last step of a run is its worst witness: it often contains a validation and a checkpoint, which can cut its
    throughput to a third, and its loss is one batch. Timings and throughput become the median of the second half, other
    training metrics the mean of the last tenth, five steps at least.
    """
    room = tag.partition("/")[0]
    if rule != "last" or room.startswith("validation"):
        return rule
    return f"mean-last-{min(99, max(5, steps // 10))}" if room == "train" else "median-half"


@dataclass(frozen=True)
class AgreedCurve:
    """One curve from several sources.

    Attributes:
        curve: The metric over steps, each point from the most trusted source that has it.
        source: Name of that source by step.
        disagreements: Where two sources contradict each other, one sentence per pair.
    """

    curve: tuple[tuple[int, float], ...]
    source: Mapping[int, str]
    disagreements: tuple[str, ...]


def merge(by_source: Mapping[str, Series], printed: Iterable[str] = ("logs",)) -> AgreedCurve:
    """Join the curves of several sources, given in order of trust, and cross-check them.

    A less trusted source fills the steps that a better one lacks: event files lose their last seconds in a crash.

    Args:
        by_source: Series by source name, most trusted first.
        printed: Sources whose numbers were printed with four decimals.
    """
    values: dict[int, float] = {}
    source: dict[int, str] = {}
    disagreements = []
    rough = set(printed)
    for name, series in by_source.items():
        clashes = [
            f"step {step}: {source[step]} {values[step]:.6g}, {name} {value:.6g}"
            for step, value in series.points()
            if step in values and not _agree(values[step], value, bool({name, source[step]} & rough))
        ]
        if clashes:
            more = f" and {len(clashes) - 3} more" if len(clashes) > 3 else ""
            disagreements.append(f"sources disagree at {'; '.join(clashes[:3])}{more}")
        for step, value in series.points():
            if step not in values:
                values[step], source[step] = value, name
    return AgreedCurve(tuple(sorted(values.items())), source, tuple(disagreements))


def _agree(one: float, other: float, printed: bool) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=_FLOAT32, abs_tol=_PRINTED if printed else _FLOAT32 * 1e-3)


def samples_at(samples: Sequence[SampleSet], steps: Sequence[int]) -> tuple[float, ...]:
    """Rewards per sample, averaged over `steps`; empty unless every step offers the same number of finite ones."""
    chosen = [one.rewards for one in samples if one.step in steps]
    if len(chosen) != len(steps) or len({len(rewards) for rewards in chosen}) != 1:
        return ()
    mean = tuple(fmean(rewards) for rewards in zip(*chosen, strict=True))
    return mean if all(map(math.isfinite, mean)) else ()


def standard_error(samples: Sequence[float]) -> float | None:
    """Sample standard deviation / sqrt(n); None below two samples or when all are equal, which proves no precision."""
    if len(samples) < 2:
        return None
    spread = stdev(samples)
    return spread / math.sqrt(len(samples)) if spread > 0 else None


def nothing_found(objective: Objective, tags: Iterable[str], readings: Mapping[str, Readings], log_tail: str) -> str:
    """Why there is no number: where it was looked for, what was there instead, and how the log ends."""
    wanted = tuple(dict.fromkeys(tags))
    looked = "; ".join(f"{name}: {_files(found)}" for name, found in readings.items()) or "no metric source"
    present = sorted({tag for found in readings.values() for tag in found.series})
    parts = [f"no value of {objective.metric} was found (looked for {', '.join(wanted)})", f"looked at {looked}"]
    if present:
        near = get_close_matches(wanted[0] if wanted else objective.metric, present, n=5, cutoff=0.4)
        shown = near or present[:5]
        parts.append(f"{len(present)} other tags are there, {'nearest' if near else 'such as'}: {', '.join(shown)}")
    notes = [f"{name}: {note}" for name, found in readings.items() for note in found.notes][:5]
    parts += notes
    ending = excerpt(log_tail)
    return ". ".join(parts) + (f". {_LOG_ENDS}\n{ending}" if ending else ". The log is empty")


def _files(found: Readings) -> str:
    if not found.files:
        return "no file"
    more = f" and {len(found.files) - 3} more" if len(found.files) > 3 else ""
    return f"{', '.join(found.files[:3])}{more}"


_LOG_ENDS = "The log ends:"


def without_log(told: str) -> str:
    """What was told of a run without a number, without the end of its log: for where another line has that."""
    return told.partition(f" {_LOG_ENDS}")[0].rstrip(". ") if _LOG_ENDS in told else told
