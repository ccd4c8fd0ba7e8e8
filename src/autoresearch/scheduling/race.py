"""Whether a run is worth its next steps: it cannot catch up, or a fresh idea is the better use of them. Pure.

A hopeless run is told by its curve against curves of its parent at the same steps. It is only given up after the first
half of its steps, at two validations in a row, and when it would be clearly worse even if from there on it gained twice
what the parent gained. Runs that cross over later than that are lost: it is the price, and the row says at which step
and how far behind.

A race asks what going on still brings a step, beside what a fresh idea brings.
What a gain at this step says of the gain at the end is learned from the campaign's own complete runs by Bayesian linear
regression; what a gain at the end says of the idea, from how far those gains scatter beyond the noise of a run. Where
noise is large a curve says little, going on is worth as much as beginning, and nothing is ended.

The regression is the normal-inverse-gamma model (Murphy, Machine Learning, 2012, section 7.6.3) with slope 1 and no
offset expected; the mean of what is positive of a normal, m * Phi(m/s) + s * phi(m/s), is expected improvement's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoresearch.experiment.outcome import WORD
from autoresearch.run.measurement import Objective
from autoresearch.verdict.statistics import mean, normal_cdf

Curve = Sequence[tuple[int, float]]

CLEAR = 4.0
"""Standard errors that a run must be behind, beyond what it could still make up."""

LOOKS = 2
"""Validations in a row at which it must be."""


FROM = 0.2
"""Share of the parent's steps before which no run is ended."""

CAUTION = 0.25
"""A run is ended when a step of it brings less than this share of what a step of a fresh idea brings."""

LEARNED = 6
"""Complete first runs of ideas before which nothing is ended."""

_IMAGINED = 4
"""Ideas and runs of ordinary noise that are added to what was seen, so that a few say no more than they can."""


def early_ends(kill: bool | str) -> str:
    """Which runs are ended before their last step for what they show, in words; `kill` as `run.early_kill`."""
    if kill is False:
        return "none: every run goes on to its last step or its limit (run.early_kill: false)"
    told = "a run that cannot recover (NaN loss), or is hopelessly behind its parent after half of its steps"
    if kill == "race":
        told += (
            f"; once {LEARNED} first runs are complete, also an idea's first run from {FROM:.0%} of its steps on, "
            f"where by their curves a fresh idea is by far the better use of them (run.early_kill: race)"
        )
    return told


def blind(noise: float | None) -> str:
    """Why no run is ended for its curve in this campaign, empty where one may be: both rules count in noises."""
    if noise is not None and noise > 0:
        return ""
    known = "the noise is not known, for nothing was repeated" if noise is None else "no seed has changed a number"
    return f"run.early_kill ends no run for its curve: {known}, and how far behind is too far is told in noises"


class _Point(NamedTuple):
    """A run beside its parent at one step; gains are positive when better."""

    step: int
    value: float
    parent: float
    lost: float


def hopeless(
    curve: Curve, references: Sequence[Curve], objective: Objective, noise: float | None, *, unit: str = "step"
) -> str | None:
    """Why a run need not go on, None when it should.

    Args:
        curve: The running run's metric, (step, value), steps ascending.
        references: Curves of its parent's complete runs.
        objective: What better means.
        noise: Standard deviation of one complete run's value; without it nothing is given up.
        unit: What steps are called: `value` where they only count what the run printed.
    """
    whole = [points for reference in references if len(points := _finite(reference)) > 1]
    if not whole or noise is None or not noise > 0:
        return None
    end = min(points[-1][0] for points in whole)
    late = [(step, value) for step, value in _finite(curve) if end / 2 <= step <= end][-LOOKS:]
    looks = [_look(step, value, whole, objective, noise) for step, value in late]
    if len(looks) < LOOKS or any(look.lost <= 0 for look in looks):
        return None
    last = looks[-1]
    return (
        f"{WORD}: at {unit} {last.step} of {end} it was at {last.value:.4g} where its parent was at {last.parent:.4g}, "
        f"too far behind even if it gained twice what the parent gained from there"
    )


def _look(step: int, value: float, whole: Sequence[Curve], objective: Objective, noise: float) -> _Point:
    """`lost` is what would be missing at the end beyond `CLEAR` standard errors, if the rest went twice as well."""
    there = [_value_at(points, step) for points in whole]
    parent = mean(there)
    rest = mean([objective.gain(points[-1][1], now) for points, now in zip(whole, there, strict=True)])
    scatter = math.sqrt(sum((now - parent) * (now - parent) for now in there) / max(1, len(there) - 1))
    error = max(noise, scatter) * math.sqrt(1 + 1 / len(there))
    return _Point(step, value, parent, objective.gain(parent, value) - max(0.0, rest) - CLEAR * error)


@dataclass(frozen=True)
class FirstRun:
    """The first run of an idea that ran to its end, or was ended before.

    Attributes:
        curve: Its metric, (step, value), steps ascending.
        parents: Curves of its parent's complete runs.
        complete: Whether it ran to its end.
    """

    curve: Curve
    parents: Sequence[Curve]
    complete: bool


@dataclass(frozen=True)
class Relation:
    """What a gain at a step says of the gain at the end: a line through pairs (there, at the end), and its error.

    Args:
        pairs: Gains over the parent of complete runs, in units of the metric.
        noise: Standard deviation of one complete run's value.
    """

    pairs: Sequence[tuple[float, float]]
    noise: float

    def predict(self, there: float) -> tuple[float, float]:
        """The gain to expect at the end after this one, and its standard deviation."""
        weight, number = 2 * self.noise * self.noise, 1 + len(self.pairs)
        sx, sxx = sum(x for x, _ in self.pairs), weight + sum(x * x for x, _ in self.pairs)
        sy, sxy = sum(y for _, y in self.pairs), weight + sum(x * y for x, y in self.pairs)
        determinant = number * sxx - sx * sx
        offset, slope = (sxx * sy - sx * sxy) / determinant, (number * sxy - sx * sy) / determinant
        left = [y - offset - slope * x for x, y in self.pairs]
        square = sum(one * one for one in left) + offset * offset + weight * (slope - 1) * (slope - 1)
        freedom = _IMAGINED + len(self.pairs)
        variance = (_IMAGINED * weight + square) / (freedom - 2)
        leverage = (sxx - 2 * sx * there + number * there * there) / determinant
        return offset + slope * there, math.sqrt(variance * (1 + leverage))


@dataclass(frozen=True)
class Prospect:
    """What gains at the end say of true gains.

    Args:
        gains: Gains over the parent at the end of complete first runs, in units of the metric.
        noise: Standard deviation of one complete run's value.
        parents: Runs of the parent that a gain is told against.
    """

    gains: Sequence[float]
    noise: float
    parents: int

    def worth(self, gain: float, error: float = 0.0) -> float:
        """The mean of what is positive of the true gain when this one is seen, or expected with this error."""
        own = self.noise * self.noise * (1 + 1 / self.parents)
        centre = mean(self.gains)
        square = sum((seen - centre) * (seen - centre) for seen in self.gains)
        spread = (square + 2 * _IMAGINED * own) / (len(self.gains) - 1 + _IMAGINED) - own
        believed = max(own / 4, spread)
        share = believed / (believed + own)
        level = sum(self.gains) / (len(self.gains) + 1)
        return _positive_part(level + share * (gain - level), math.hypot(math.sqrt(share * own), share * error))


def outraced(
    curve: Curve,
    parents: Sequence[Curve],
    others: Sequence[FirstRun],
    objective: Objective,
    noise: float | None,
    *,
    unit: str = "step",
) -> str:
    """Why a fresh idea is the better use of a run's remaining steps, empty when it is not or cannot be known.

    Args:
        curve: The running run's metric, (step, value), steps ascending.
        parents: Curves of its parent's complete runs.
        others: First runs of other ideas.
        objective: What better means.
        noise: Standard deviation of one complete run's value.
        unit: As for `hopeless`.
    """
    whole = [points for one in parents if len(points := _finite(one)) > 1]
    seen = _finite(curve)
    if not whole or not seen or noise is None or not noise > 0:
        return ""
    end, (step, value) = min(points[-1][0] for points in whole), seen[-1]
    share = step / end if end > 0 else 1.0
    pairs = [pair for one in others if one.complete and (pair := _pair(one, share, objective)) is not None]
    if not FROM <= share < 1 or len(pairs) < LEARNED:
        return ""
    prospect = Prospect([last for _, last in pairs], noise, len(whole))
    there = mean([_value_at(points, step) for points in whole])
    bring = prospect.worth(*Relation(pairs, noise).predict(objective.gain(value, there))) / (1 - share)
    fresh = sum(prospect.worth(last) for _, last in pairs) / sum(_spent(one) for one in others)
    if not bring < CAUTION * fresh:
        return ""
    return (
        f"{WORD}: at {unit} {step} of {end} it was at {value:.4g} where its parent was at {there:.4g}; by this "
        f"campaign's curves the steps of a run bring {bring:.3g} if it goes on and {fresh:.3g} with a fresh idea"
    )


def _pair(one: FirstRun, share: float, objective: Objective) -> tuple[float, float] | None:
    """Gains over its parent at that share of the steps and at the end."""
    points, whole = _finite(one.curve), [known for parent in one.parents if len(known := _finite(parent)) > 1]
    if len(points) < 2 or not whole:
        return None
    end = min(known[-1][0] for known in whole)
    there = mean([_value_at(known, share * end) for known in whole])
    last = mean([known[-1][1] for known in whole])
    return objective.gain(_value_at(points, share * end), there), objective.gain(points[-1][1], last)


def _spent(one: FirstRun) -> float:
    """Share of a whole run that it took."""
    if one.complete or not one.curve or not one.parents:
        return 1.0
    return min(1.0, one.curve[-1][0] / max(1, min(known[-1][0] for known in one.parents if known)))


def _positive_part(level: float, error: float) -> float:
    if not error > 0:
        return max(0.0, level)
    z = level / error
    return level * normal_cdf(z) + error * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _value_at(points: Curve, step: float) -> float:
    """The curve at a step, straight between its points; its ends beyond them."""
    before = max((point for point in points if point[0] <= step), default=points[0])
    after = min((point for point in points if point[0] >= step), default=points[-1])
    if after[0] == before[0]:
        return before[1]
    share = (step - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])


def _finite(curve: Curve) -> list[tuple[int, float]]:
    return [(step, value) for step, value in curve if math.isfinite(value)]
