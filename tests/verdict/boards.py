"""Boards in a line: a baseline with a noise of 0.02, and whatever ran beside it."""

import math

from autoresearch.experiment.board import Board, Idea, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Direction, Objective

UP, DOWN = Objective("", "score"), Objective("", "loss", Direction.MINIMIZE)
NAN, INF = math.nan, math.inf


def runs(arm: str, *values: float | None, seed: int = 42, **more: object) -> tuple[Trial, ...]:
    return tuple(Trial(arm=arm, seed=seed + n, value=value, order=n, **more) for n, value in enumerate(values))


BASE = runs("baseline", 1.00, 1.02, 0.98, purpose=Purpose.BASELINE)
"""A noise of 0.02 with two degrees of freedom."""


def board(*trials: Trial, ideas: tuple[Idea, ...] = (), **more: object) -> Board:
    return Board(objective=UP, ideas=ideas, trials=(*BASE, *trials), **more)


def idea(
    name: str, parent: str = "baseline", status: Status | None = None, effect: float | None = None, runs: int = 1
) -> Idea:
    return Idea(
        name=name,
        parent=parent,
        verdict=None if status is None else Verdict(status=status, reason="", effect=effect, runs=runs),
    )


KEEP, DISCARD, CRASH = Status.KEEP, Status.DISCARD, Status.CRASH
