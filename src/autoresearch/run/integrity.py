"""Whether a number may be believed at all: its own sources agree on it, and a run made again says the same.

What the sources say is compared at the steps that the number is taken from, and nowhere else: an oddity in the middle
of a curve is worth a note, a contradiction about the number itself leaves no number.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

_SAME = 1e-3
"""Two readings of one number differ by less than this share of it, whatever precision each was kept in."""

_MOST_DECIMALS = 2
_MOST_DIGITS = 3
"""The coarsest rounding that a printed number is allowed: two decimals, or three digits of a larger number."""

UNPROBED = "which files it loaded could not be probed"
"""How the reason begins why nobody knows from where a run loaded what is protected or edited."""


class Finding(StrEnum):
    """May a number be believed? One word per answer."""

    SOUND = "sound"
    CONTRADICTED = "contradicted"
    UNVERIFIED = "unverified"


@dataclass(frozen=True)
class Integrity:
    """What was found about a number beside the number itself.

    Attributes:
        finding: `sound` when sources that were written apart say the same, `contradicted` when something speaks against
            the number, `unverified` when there is nothing to compare it with.
        reasons: Why, one sentence each.
        evaluated: Whether a program that the run could not reach gave the number, from what the run left.
    """

    finding: Finding = Finding.UNVERIFIED
    reasons: tuple[str, ...] = ()
    evaluated: bool = False

    @property
    def contradicted(self) -> bool:
        """Whether something speaks against the number, which then is none."""
        return self.finding is Finding.CONTRADICTED

    @property
    def sentence(self) -> str:
        """The finding and its reasons on one line; the word alone when there are none."""
        return f"{self.finding}: {'; '.join(self.reasons)}" if self.reasons else str(self.finding)


def of_sources(
    values: Mapping[str, Mapping[int, float]], steps: Iterable[int], printed: Iterable[str] = ("logs",)
) -> Integrity:
    """Compare what several sources say at the steps a number is taken from.

    A source that lacks a step says nothing about it, and neither does one whose whole curve is the other's one point
    earlier or later, for it counts differently. Rounding is no contradiction.

    Args:
        values: The metric by step, by source, most trusted first.
        steps: The steps that went into the number.
        printed: Sources whose numbers were rounded to be read by people.
    """
    rough, against, alone = frozenset(printed), [], []
    for step in steps:
        said = {name: curve[step] for name, curve in values.items() if step in curve}
        if not said:
            continue
        (first, value), *others = said.items()
        others = [
            (name, other)
            for name, other in others
            if not _lags(values[first], values[name], bool({first, name} & rough))
        ]
        if any(not _same(value, other, name in rough, first in rough) for name, other in others):
            told = ", ".join(f"{name} {other:.6g}" for name, other in [(first, value), *others])
            against.append(f"sources disagree at step {step}: {told}")
        elif not others:
            alone.append(f"only {first} has a value at step {step}")
    if against:
        return Integrity(Finding.CONTRADICTED, _few(against))
    return Integrity(Finding.UNVERIFIED, _few(alone)) if alone else Integrity(Finding.SOUND)


def of_evaluation(own: float | None, evaluated: float, tolerance: float | Literal["any"] | None = None) -> Integrity:
    """What an evaluation that the run could not reach says about the run's own number.

    Args:
        own: The run's number, None when it gave none.
        evaluated: What the evaluation gave.
        tolerance: By how much the two may differ; None for rounding only, `any` where they measure different things.
    """
    if own is None:
        return Integrity(Finding.SOUND, ("the evaluation's number; the run gave none",), evaluated=True)
    if tolerance == "any":
        told = f"the evaluation's number; the run's own, {own:.6g}, is of another measure"
        return Integrity(Finding.SOUND, (told,), evaluated=True)
    close = _same(own, evaluated, True, True) if tolerance is None else abs(own - evaluated) <= tolerance
    if close:
        return Integrity(Finding.SOUND, evaluated=True)
    told = f"the run says {own:.6g}, its evaluation from the base commit {evaluated:.6g}"
    return Integrity(Finding.CONTRADICTED, (told,), evaluated=True)


def _few(sentences: Sequence[str], most: int = 3) -> tuple[str, ...]:
    more = len(sentences) - most
    return (*sentences[:most], *([f"{more} more of the kind"] if more > 0 else []))


def _same(one: float, other: float, other_printed: bool, one_printed: bool) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    slack = max(_half_unit(other) if other_printed else 0.0, _half_unit(one) if one_printed else 0.0)
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=slack * 1.02 + 1e-9)


def _half_unit(value: float) -> float:
    """Half a unit of the last place that a printed number shows."""
    if not math.isfinite(value):
        return 0.0
    shown = format(value, ".10f").rstrip("0").partition(".")
    whole = len(shown[0].lstrip("-0"))
    return 0.5 * 10.0 ** -max(len(shown[2]), min(_MOST_DECIMALS, _MOST_DIGITS - whole))


def _lags(one: Mapping[int, float], other: Mapping[int, float], printed: bool) -> bool:
    """Whether `other` is `one` moved by one of its points throughout, which at least three unequal values show."""
    steps = sorted(one)
    for before, after in ((steps, steps[1:]), (steps[1:], steps)):
        pairs = [(one[old], other[new]) for old, new in zip(before, after, strict=False) if new in other]
        moved = all(_same(mine, theirs, printed, False) for mine, theirs in pairs)
        if (
            moved
            and len({mine for mine, _ in pairs}) > 2
            and not all(_same(one[s], other[s], printed, False) for s in steps if s in other)
        ):
            return True
    return False


_CURVE = 8
"""Points before the last one that make a curve whose end can be odd."""

_LEAP = 4.0
"""Times its largest step that a curve may go on by at its end."""


def off_curve(curve: Sequence[tuple[int, float]], sign: float) -> str:
    """What is odd about the last value beside the ones before it, in words; empty when it goes on from them.

    Odd is a step up that is larger than all that the curve had covered until then, and several times its largest step.

    Args:
        curve: The metric by step.
        sign: 1 where more is better, -1 where less is.
    """
    *before, last = [sign * value for _, value in curve] or [0.0]
    if len(before) < _CURVE or not all(map(math.isfinite, (*before, last))):
        return ""
    largest = max(abs(new - old) for old, new in itertools.pairwise(before))
    leap = last - before[-1]
    if leap <= _LEAP * largest or leap <= max(before) - min(before):
        return ""
    return f"the last value, {sign * last:.6g}, is far from where the run's curve was, {sign * before[-1]:.6g}"


_MOST = 1.96
"""Two runs of one configuration differ by less than this many standard deviations of their difference in 95 of 100."""


@dataclass(frozen=True)
class Agreement:
    """Two values of one configuration.

    Attributes:
        recorded: What the campaign measured, None when that run gave no value.
        again: What came out this time, None when nothing did.
        noise: Standard deviation of one run, None when unknown.
    """

    recorded: float | None
    again: float | None
    noise: float | None = None

    @property
    def difference(self) -> float | None:
        """This time's value less the recorded one."""
        return None if self.recorded is None or self.again is None else self.again - self.recorded

    @property
    def holds(self) -> bool:
        """Whether the run was reproduced: by the same value, within the noise, or by failing once more."""
        if self.difference is None:
            return self.recorded is None and self.again is None
        return self.difference == 0 or (self.noise is not None and abs(self.difference) <= self._band(self.noise))

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if self.difference is None:
            return self._one_sided()
        if self.difference == 0:
            return "the same value"
        if self.noise is None:
            return f"differs by {self.difference:+.6g}, and no noise was measured to compare it with"
        where = "within" if self.holds else "beyond"
        return f"differs by {self.difference:+.6g}, {where} what chance explains (±{self._band(self.noise):.4g})"

    def _band(self, noise: float) -> float:
        return _MOST * math.sqrt(2) * noise

    def _one_sided(self) -> str:
        if self.again is not None:
            return "gave a value this time; the recorded run gave none"
        return "gave no value, as before" if self.recorded is None else "gave no value this time; the recorded run did"
