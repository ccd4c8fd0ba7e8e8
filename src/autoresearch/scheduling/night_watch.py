"""Ending a hopeless run before its last step: its curve against curves of its parent at the same steps.

A run is only given up after the first half of its steps, at two validations in a row, and when it would be clearly
worse even if from there on it gained twice what the parent gained. Runs that cross over later than that are lost: it is
the price, and the row says at which step and how far behind.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from autoresearch.experiment.outcome import WORD
from autoresearch.run.measurement import Objective
from autoresearch.verdict.statistics import mean

Curve = Sequence[tuple[int, float]]


CLEAR = 4.0
"""Standard errors that a run must be behind, beyond what it could still make up."""

LOOKS = 2
"""Validations in a row at which it must be."""


class _Point(NamedTuple):
    """A run beside its parent at one step; gains are positive when better."""

    step: int
    value: float
    parent: float
    lost: float


def hopeless(curve: Curve, references: Sequence[Curve], objective: Objective, noise: float | None) -> str | None:
    """Why a run need not go on, None when it should.

    Args:
        curve: The running run's metric, (step, value), steps ascending.
        references: Curves of its parent's complete runs.
        objective: What better means.
        noise: Standard deviation of one complete run's value; without it nothing is given up.
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
        f"{WORD}: at step {last.step} of {end} it was at {last.value:.4g} where its parent was at {last.parent:.4g}, "
        f"too far behind even if it gained twice what the parent gained from there"
    )


def _look(step: int, value: float, whole: Sequence[Curve], objective: Objective, noise: float) -> _Point:
    """`lost` is what would be missing at the end beyond `CLEAR` standard errors, if the rest went twice as well."""
    there = [_at(points, step) for points in whole]
    parent = mean(there)
    rest = mean([objective.gain(points[-1][1], now) for points, now in zip(whole, there, strict=True)])
    scatter = math.sqrt(sum((now - parent) * (now - parent) for now in there) / max(1, len(there) - 1))
    error = max(noise, scatter) * math.sqrt(1 + 1 / len(there))
    return _Point(step, value, parent, objective.gain(parent, value) - max(0.0, rest) - CLEAR * error)


def _at(points: Curve, step: int) -> float:
    """The curve at a step, straight between its points; its ends beyond them."""
    before = max((point for point in points if point[0] <= step), default=points[0])
    after = min((point for point in points if point[0] >= step), default=points[-1])
    if after[0] == before[0]:
        return before[1]
    share = (step - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])


def _finite(curve: Curve) -> list[tuple[int, float]]:
    return [(step, value) for step, value in curve if math.isfinite(value)]
