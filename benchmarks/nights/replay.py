"""Nights over a public table: ideas are configurations that were really run more than once, in the order of a draw.

The true value of a configuration is the mean of its runs, and a run is that mean and the deviation of a real run from
the mean of its own configuration, widened for the runs that the mean was made of; it is drawn from the configurations
nearest in value, for bad ones scatter a hundred times as much as good ones. So the truth is known, and noise is as wild
as it was.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from autoresearch.experiment.board import (
    Board,
    Bundle,
    Combine,
    Demote,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
    Trial,
)  # fmt: skip
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import Standing, whole_claim
from autoresearch.verdict.evidence import Evidence

OBJECTIVE = Objective("lower", "val_bpb", Direction.MINIMIZE)

NEAREST = 10
"""Configurations on either side in value whose deviations a run may have."""


@dataclass(frozen=True)
class Table:
    """True values, the default's first, and for each the deviations that its runs may have."""

    truths: tuple[float, ...]
    deviations: tuple[tuple[float, ...], ...]

    def late(self, begin: int, best: int) -> "Table":
        """The night that begins where others end: at the configuration of that rank, with the `best` alone to come."""
        ranked = sorted(range(len(self.truths)), key=self.truths.__getitem__)[:best]
        places = [ranked[begin], *(place for place in ranked if place != ranked[begin])]
        return Table(tuple(self.truths[n] for n in places), tuple(self.deviations[n] for n in places))


def read(path: Path) -> Table:
    """A line per configuration, its runs between blanks."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    runs = [[float(word) for word in line.split()] for line in lines]
    truths = [fmean(one) for one in runs]
    off = [[(value - fmean(one)) * math.sqrt(len(one) / (len(one) - 1)) for value in one] for one in runs]
    ranked = sorted(range(len(runs)), key=truths.__getitem__)
    near: dict[int, tuple[float, ...]] = {}
    for rank, place in enumerate(ranked):
        beside = ranked[max(0, rank - NEAREST) : rank + NEAREST + 1]
        near[place] = tuple(value for other in beside for value in off[other])
    return Table(tuple(truths), tuple(near[place] for place in range(len(runs))))


@dataclass(frozen=True)
class Night:
    """What became of one; gains are falls of the metric.

    Attributes:
        gain: True gain of the configuration kept last over the default.
        possible: True gain of the best that was drawn for as many ideas as runs.
        keeps: Ideas kept.
        false_keeps: Of these, ideas that are truly no better than what they replaced.
        said: Gain that is announced: from fresh seeds where there are any, else of all runs.
        proven: Whether fresh seeds proved it.
        covered: Whether the printed interval holds the true gain.
    """

    gain: float
    possible: float
    keeps: int
    false_keeps: int
    said: float | None
    proven: bool
    covered: bool | None


class _Night:
    def __init__(self, table: Table, runs: int, confirm: float, worth: float, seed: int) -> None:
        self.dice = random.Random(seed)
        order = self.dice.sample(range(1, len(table.truths)), runs)
        self.table, self.coming, self.drawn = table, iter(order), order
        self.place = {BASELINE: 0}
        self.replaced: dict[str, str] = {}
        self.board = Board(
            objective=OBJECTIVE, settings=PolicySettings(worth=worth, confirm=confirm), runs_left=runs, runs_total=runs
        )

    def carry_out(self, advice: object) -> None:
        board = self.board
        match advice:
            case Propose(parent=parent):
                name = f"idea-{len(board.ideas) + 1}"
                self.place[name] = next(self.coming)
                self.board = replace(board, ideas=(*board.ideas, Idea(name=name, parent=parent)))
            case Measure():
                place = self.place[advice.arm]
                value = self.table.truths[place] + self.dice.choice(self.table.deviations[place])
                order = len(board.trials)
                made = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, value=value, order=order)
                left = (board.runs_left or 0) - 1
                self.board = replace(board, trials=(*board.trials, made), runs_left=left)
            case Combine():
                made = Bundle(advice.name, advice.ideas, advice.parent, "configurations set the same knobs")
                if len(advice.ideas) == 1:
                    made = replace(made, conflict="")
                    self.place[advice.name] = self.place[advice.ideas[0]]
                self.board = replace(board, bundles=(*board.bundles, made))
            case Settle(idea=name, verdict=verdict, incumbent=incumbent):
                if verdict.status is Status.KEEP:
                    self.replaced[name] = board.incumbent
                ideas = tuple(replace(i, verdict=verdict) if i.name == name else i for i in board.ideas)
                self.board = replace(board, ideas=ideas, incumbent=incumbent or board.incumbent)
            case Demote():
                self.board = replace(board, incumbent=advice.incumbent)
            case Rest():
                raise RuntimeError("the policy waits although nothing runs")

    def _true(self, arm: str) -> float:
        return self.table.truths[self.place[arm]]

    def outcome(self) -> Night:
        board, evidence = self.board, Evidence(self.board)
        base = self._true(BASELINE)
        gain = base - self._true(board.incumbent)
        claim = whole_claim(evidence)
        fresh = claim is not None and claim.effect is not None
        chose = evidence.arm(board.incumbent).level - evidence.arm(BASELINE).level
        wrong = sum(self._true(name) >= self._true(before) for name, before in self.replaced.items())
        return Night(
            gain=gain,
            possible=max(0.0, *(base - self.table.truths[place] for place in self.drawn)),
            keeps=len(self.replaced),
            false_keeps=wrong,
            said=claim.effect if claim is not None and fresh else chose if board.settings.confirm == 0 else None,
            proven=claim is not None and claim.standing is Standing.PROVEN,
            covered=claim.holds(gain) if claim is not None else None,
        )


def play(policy: Policy, table: Table, *, runs: int, confirm: float, worth: float, seed: int) -> Night:
    """One night from the baseline to the end; the same seed draws the same configurations for every rule."""
    night = _Night(table, runs, confirm, worth, seed)
    while not isinstance(advice := policy.advise(night.board), Done):
        night.carry_out(advice)
    return night.outcome()


@dataclass(frozen=True)
class PublicNight:
    """A real night: the value of each kept run and, for those after the first, its gain over the best kept before."""

    name: str
    runs: int
    gains: tuple[float, ...]
    places: tuple[int, ...]


def public_night(path: Path, *, higher: bool) -> PublicNight:
    """Keeps as their authors wrote them; the first is the baseline."""
    rows = [line.split(",") for line in path.read_text().splitlines() if line and not line.startswith(("#", "index"))]
    kept = [(place, float(row[1])) for place, row in enumerate(rows) if row[2] == "keep" and row[1]]
    sign = 1 if higher else -1
    best, gains, places = kept[0][1], [], []
    for place, value in kept[1:]:
        gains.append(sign * (value - best))
        places.append(place)
        best = max(best, value) if higher else min(best, value)
    return PublicNight(path.stem.removeprefix("night-"), len(rows), tuple(gains), tuple(places))


def standing_out(gains: Sequence[float], sigma: float) -> int:
    """Gains above 1.65 sqrt(2) sigma: what two runs of the same code differ by in one comparison of twenty."""
    return sum(gain > 1.645 * math.sqrt(2) * sigma for gain in gains)
