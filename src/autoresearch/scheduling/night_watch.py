"""Decided about runs while nobody looks: which ends before its last step, which ends late, which node rests. Pure.

A hopeless run ends before its last step: its curve against curves of its parent at the same steps. It is only given up
after the first half of its steps, at two validations in a row, and when it would be clearly worse even if from there on
it gained twice what the parent gained. Runs that cross over later than that are lost: it is the price, and the row says
at which step and how far behind.

A controller ends a run itself where the run's own supervisor should have and has not. A supervisor is a process that
the run may signal. One that is stopped, or of which nothing is heard, keeps no limit; one that lives may be slow, on a
busy machine, and gets more time.

Nodes that fail runs are tried so often, then left out.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import WORD
from autoresearch.run.ending import Who
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


SLACK_S, PATIENCE_S = 5.0, 90.0
"""Seconds beyond limit and grace that a run has whose supervisor keeps no limit, and one whose supervisor lives."""

_SHARE = 0.05
_MOST_S = 60.0
"""That share of the limit more, at most so many seconds: nobody measures a long run to the second."""


@dataclass(frozen=True, kw_only=True)
class RunWatched:
    """A run as the controller sees it.

    Attributes:
        ran_s: Seconds that it has run by the controller's own account, without those in which all of it was stopped.
        limit_s: How long it may run, None for no limit.
        grace_s: Seconds that its end may take.
        cancelled_s: Seconds since it was told to end, None when it was not.
        deaf: Why its supervisor cannot be relied on, empty when it can.
    """

    ran_s: float
    limit_s: float | None
    grace_s: float
    cancelled_s: float | None = None
    deaf: str = ""


@dataclass(frozen=True)
class Overtime:
    """Why a run is ended over the head of its supervisor: a word of `job.ENDINGS`, and a sentence."""

    ending: str
    reason: str


def overtime(seen: RunWatched) -> Overtime | None:
    """Why the controller has to end a run itself, None while it need not."""
    why = seen.deaf or "its supervisor did not answer"
    late_s = seen.grace_s + (SLACK_S if seen.deaf else PATIENCE_S)
    if seen.cancelled_s is not None and seen.cancelled_s > late_s:
        return Overtime("cancelled", f"cancelled; {why}, so the controller ended it")
    if seen.limit_s is None or seen.ran_s <= seen.limit_s + late_s + min(_MOST_S, _SHARE * seen.limit_s):
        return None
    said = f"timed out: still running after {seen.limit_s:g} s; {why}, so the controller ended it"
    return Overtime("timed-out", said)


TWICE = 2
"""Runs in a row that a node has to fail before it is left out."""


def bad_nodes(runs: Iterable[Run]) -> dict[str, str]:
    """Nodes to leave out, each with how its last run there ended, in the order they failed.

    A run that gave a number on it clears a node. Runs over several nodes accuse none of them.
    """
    failures: dict[str, list[str]] = {}
    ended = [run for run in runs if run.settled and run.ended]
    for run in sorted(ended, key=lambda run: run.ended.at if run.ended else 0.0):
        node = run.ended.status.node if run.ended else ""
        if not node or "," in node or "[" in node:
            continue
        if run.ending is None:
            failures.pop(node, None)
        elif run.ending.who is Who.NODE:
            failures.setdefault(node, []).append(f"{run.ending.what}: {run.ending.evidence}")
    return {node: told[-1] for node, told in failures.items() if len(told) >= TWICE}
