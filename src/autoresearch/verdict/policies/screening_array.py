"""Reading a screening array: which ideas crash it, and what each is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import mul

from autoresearch.experiment.board import Bundle, Idea
from autoresearch.verdict.arms import Arm
from autoresearch.verdict.effect import Effect
from autoresearch.verdict.evidence import PAIR_FROM, TAU, Evidence
from autoresearch.verdict.noise import Noise
from autoresearch.verdict.remembered import LastAnswers, once
from autoresearch.verdict.statistics import mean

_WIDEST = 1e4
"""Prior spread of effects, in noises, at most: a wider one leaves ideas that no row tells apart without a solution."""


@dataclass(frozen=True, eq=False)
class Array:
    """One batch of bundles with a common parent; for one reader the same bundles are the same object.

    Attributes:
        number: Batch number, from 1.
        rows: Its bundles in order, replacements included.
        answers: What was worked out of its runs last.
    """

    number: int
    rows: tuple[Bundle, ...]
    answers: LastAnswers = field(default_factory=LastAnswers, repr=False)

    @property
    def origin(self) -> str:
        """The arm every row starts from."""
        return self.rows[0].parent

    @once
    def members(self) -> tuple[str, ...]:
        """Its ideas, in order of first appearance."""
        return _members(self.rows)

    def ran(self, evidence: Evidence) -> tuple[Arm | None, ...]:
        """The runs of each row, None for one that never ran."""
        return tuple(map(evidence.arms.get, self._names))

    def started(self, evidence: Evidence) -> bool:
        """Whether any of its rows was sent to run."""
        return any(arm is not None for arm in self.ran(evidence))

    def undecided(self, evidence: Evidence) -> tuple[Idea, ...]:
        """Its ideas without a verdict, in order of first appearance."""
        known = (evidence.ideas.get(name) for name in self.members)
        return tuple(idea for idea in known if idea is not None and idea.verdict is None)

    @once
    def _names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows)


def _members(bundles: tuple[Bundle, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(bundle.ideas for bundle in bundles)))


def prefix(number: int) -> str:
    """How the names of a batch's bundles begin."""
    return f"screen-{number}-"


def arrays(evidence: Evidence) -> tuple[Array, ...]:
    """The board's screening arrays, oldest first."""
    return evidence.answers.of(_grouped, evidence.board.bundles)


def _grouped(bundles: tuple[Bundle, ...]) -> tuple[Array, ...]:
    found: dict[int, list[Bundle]] = {}
    for bundle in bundles:
        number = _number(bundle.name)
        if number is not None and bundle.ideas:
            found.setdefault(number, []).append(bundle)
    return tuple(Array(number, tuple(rows)) for number, rows in sorted(found.items()))


def _number(bundle: str) -> int | None:
    """Which array a bundle's name says it is a row of; None for other bundles."""
    if not bundle.startswith("screen-"):
        return None
    number = bundle.split("-", 2)[1]
    return int(number) if number.isascii() and number.isdigit() else None


def crashed(evidence: Evidence, row: Bundle) -> bool:
    """Whether a row ran and gave no metric."""
    arm = evidence.arm(row.name)
    return bool(arm.failed) and not arm.values


@dataclass(frozen=True)
class CrashSuspicion:
    """Who can have crashed the rows of an array.

    Attributes:
        cleared: Ideas that were part of a row with a metric.
        guilty: Ideas that alone can explain a crashed row, all others in it being cleared.
        suspects: Ideas that may have crashed a row, as long as nobody is found guilty of it.
    """

    cleared: frozenset[str]
    guilty: frozenset[str]
    suspects: frozenset[str]


def suspicion(evidence: Evidence, array: Array) -> CrashSuspicion:
    """What the rows that ran say of who crashed the others."""
    return array.answers.of(_suspicion, array.rows, array.ran(evidence))


def _suspicion(bundles: tuple[Bundle, ...], ran: tuple[Arm | None, ...]) -> CrashSuspicion:
    rows = [(row, arm) for row, arm in zip(bundles, ran, strict=True) if arm is not None]
    fine = frozenset(idea for row, arm in rows if arm.values for idea in row.ideas)
    groups = [frozenset(row.ideas) - fine for row, arm in rows if arm.failed and not arm.values]
    caught = frozenset(idea for group in groups if len(group) == 1 for idea in group)
    return CrashSuspicion(fine, caught, frozenset(idea for group in groups if not group & caught for idea in group))


def effects(evidence: Evidence, array: Array) -> dict[str, Effect]:
    """Main effect of every idea that was part of a row with a metric.

    Normal model with the campaign's noise: a row is the parent plus its ideas, effects have a prior spread of
    `TAU` noises, or what the rows scatter beyond noise when that is more; the parent's level has none. Runs of the
    parent count as rows without ideas, on common seeds only where the rows share one.
    """
    parent = evidence.arm(array.origin)
    return array.answers.of(_effects, array.rows, array.ran(evidence), parent, evidence.noise, evidence.sigma)


def _effects(
    bundles: tuple[Bundle, ...], ran: tuple[Arm | None, ...], parent: Arm, noise: Noise, sigma: float | None
) -> dict[str, Effect]:
    """See `effects`; worked out once for all verdicts on an array."""
    fine = _suspicion(bundles, ran).cleared
    names = [idea for idea in _members(bundles) if idea in fine]
    data = [
        ((1.0, *(float(name in row.ideas) for name in names)), value)
        for row, arm in zip(bundles, ran, strict=True)
        if arm is not None
        for value in arm.values.values()
    ]
    rows, seeds = len(data), {seed for arm in ran if arm is not None for seed in arm.values}
    paired = len(seeds) == 1 and rows > 2 and noise.rho > PAIR_FROM
    empty = (1.0, *(0.0 for _ in names))
    data += [(empty, y) for seed, y in parent.values.items() if not paired or seed in seeds]
    scale = sigma or 1.0
    shrunk = scale * math.sqrt(1 - noise.rho) if paired else scale
    spread = max(TAU * scale, _spread(data, len(names))) / shrunk
    solved = _posterior(data, len(names), min(_WIDEST, spread))
    if solved is None:
        return {}
    means, variances = solved
    return {
        name: Effect(
            means[place],
            None if sigma is None else shrunk * math.sqrt(max(0.0, variances[place])),
            noise.freedom,
            rows,
            paired,
        )
        for place, name in enumerate(names, start=1)
    }


def _spread(data: Sequence[tuple[tuple[float, ...], float]], count: int) -> float:
    """Spread of effects if all scatter of rows came from them, each in half of the rows: s^2 = count * spread^2 / 4."""
    values = [value for _, value in data]
    centre = mean(values) if values else 0.0
    square = sum((value - centre) * (value - centre) for value in values) / max(1, len(values) - 1)
    return 2 * math.sqrt(square / max(1, count))


def _posterior(
    data: Sequence[tuple[tuple[float, ...], float]], count: int, spread: float
) -> tuple[list[float], list[float]] | None:
    """Means and variances (in noise variances) of level and effects, None when the level is unknown."""
    if not data:
        return None
    size = count + 1
    columns = list(zip(*(x for x, _ in data), strict=True))
    matrix = [[sum(map(mul, one, two)) for two in columns] for one in columns]
    for place in range(1, size):
        matrix[place][place] += 1 / (spread * spread)
    inverse = _inverse(matrix)
    values = [y for _, y in data]
    right = [sum(map(mul, column, values)) for column in columns]
    means = [sum(map(mul, row, right)) for row in inverse]
    return means, [inverse[i][i] for i in range(size)]


def _inverse(matrix: list[list[float]]) -> list[list[float]]:
    """Gauss-Jordan in place; the matrix is positive definite (a positive diagonal is added), so none is pivoted."""
    for pivot, row in enumerate(matrix):
        lead = row[pivot]
        row[pivot] = 1.0
        row[:] = [value / lead for value in row]
        for other in matrix:
            factor = other[pivot]
            if other is not row and factor:
                other[pivot] = 0.0
                other[:] = [a - factor * b for a, b in zip(other, row, strict=True)]
    return matrix
