"""Reading a screening array: which ideas crash it, and what each is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from autoresearch.core.board import Bundle
from autoresearch.core.policies.evidence import PAIR_FROM, TAU, Effect, Evidence
from autoresearch.core.statistics import mean


@dataclass(frozen=True, eq=False)
class Array:
    """One batch of bundles with a common parent; the same bundles make the same object.

    Attributes:
        number: Batch number, from 1.
        rows: Its bundles in order, replacements included.
    """

    number: int
    rows: tuple[Bundle, ...]

    @property
    def origin(self) -> str:
        """The arm every row starts from."""
        return self.rows[0].parent

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Its ideas, in order of first appearance."""
        return tuple(dict.fromkeys(idea for row in self.rows for idea in row.ideas))


def prefix(number: int) -> str:
    """How the names of a batch's bundles begin."""
    return f"screen-{number}-"


@lru_cache(maxsize=4)
def arrays(evidence: Evidence) -> tuple[Array, ...]:
    """The board's screening arrays, oldest first; remembered for the last few boards read."""
    return _grouped(evidence.board.bundles)


@lru_cache(maxsize=4)
def _grouped(bundles: tuple[Bundle, ...]) -> tuple[Array, ...]:
    found: dict[int, list[Bundle]] = {}
    for bundle in bundles:
        kind, _, rest = bundle.name.partition("-")
        number = rest.partition("-")[0]
        if kind == "screen" and number.isascii() and number.isdigit() and bundle.ideas:
            found.setdefault(int(number), []).append(bundle)
    return tuple(Array(number, tuple(rows)) for number, rows in sorted(found.items()))


def crashed(evidence: Evidence, row: Bundle) -> bool:
    """Whether a row ran and gave no metric."""
    arm = evidence.arm(row.name)
    return bool(arm.failed) and not arm.runs


@lru_cache(maxsize=32)
def cleared(evidence: Evidence, array: Array) -> frozenset[str]:
    """Ideas that were part of a row with a metric."""
    return frozenset(idea for row in array.rows if evidence.arm(row.name).runs for idea in row.ideas)


@lru_cache(maxsize=32)
def guilty(evidence: Evidence, array: Array) -> frozenset[str]:
    """Ideas that alone can explain a crashed row, all others in it being cleared."""
    fine = cleared(evidence, array)
    suspects = [frozenset(row.ideas) - fine for row in array.rows if crashed(evidence, row)]
    return frozenset(idea for group in suspects if len(group) == 1 for idea in group)


def suspects(evidence: Evidence, array: Array) -> frozenset[str]:
    """Ideas that may have crashed a row, as long as nobody is found guilty of it."""
    fine, caught = cleared(evidence, array), guilty(evidence, array)
    groups = [frozenset(row.ideas) - fine for row in array.rows if crashed(evidence, row)]
    return frozenset(idea for group in groups if not group & caught for idea in group)


def effects(evidence: Evidence, array: Array) -> dict[str, Effect]:
    """Main effect of every idea that was part of a row with a metric.

    Normal model with the campaign's noise: a row is the parent plus its ideas, effects have a prior spread of
    `TAU` noises, or what the rows scatter beyond noise when that is more; the parent's level has none. Runs of the
    parent count as rows without ideas, on common seeds only where the rows share one.
    """
    sigma = evidence.sigma
    names = sorted(cleared(evidence, array), key=array.members.index)
    data = [
        ((1.0, *(float(name in row.ideas) for name in names)), value)
        for row in array.rows
        for value in evidence.arm(row.name).values.values()
    ]
    seeds = {seed for row in array.rows for seed in evidence.arm(row.name).values}
    paired = len(seeds) == 1 and len(data) > 2 and evidence.noise.rho > PAIR_FROM
    empty = (1.0, *(0.0 for _ in names))
    data += [(empty, y) for seed, y in evidence.arm(array.origin).values.items() if not paired or seed in seeds]
    scale = sigma or 1.0
    shrunk = scale * math.sqrt(1 - evidence.noise.rho) if paired else scale
    solved = _posterior(tuple(data), len(names), max(TAU * scale, _spread(data, len(names))) / shrunk)
    if solved is None:
        return {}
    means, variances = solved
    rows = sum(evidence.arm(row.name).runs for row in array.rows)
    return {
        name: Effect(
            means[place],
            None if sigma is None else shrunk * math.sqrt(max(0.0, variances[place])),
            evidence.noise.freedom,
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


@lru_cache(maxsize=8)
def _posterior(
    data: tuple[tuple[tuple[float, ...], float], ...], count: int, spread: float
) -> tuple[list[float], list[float]] | None:
    """Means and variances (in noise variances) of level and effects, None when the level is unknown.

    Remembered, for an array is read once for each of its verdicts.
    """
    if not data:
        return None
    size = count + 1
    matrix = [[sum(x[i] * x[j] for x, _ in data) for j in range(size)] for i in range(size)]
    for place in range(1, size):
        matrix[place][place] += 1 / (spread * spread)
    inverse = _inverse(matrix)
    right = [sum(x[i] * y for x, y in data) for i in range(size)]
    means = [sum(inverse[i][j] * right[j] for j in range(size)) for i in range(size)]
    return means, [inverse[i][i] for i in range(size)]


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Gauss-Jordan; the matrix is positive definite (a positive diagonal is added to it), so pivots are never zero."""
    size = len(matrix)
    rows = [[*row, *(float(place == number) for place in range(size))] for number, row in enumerate(matrix)]
    for pivot in range(size):
        best = max(range(pivot, size), key=lambda number: abs(rows[number][pivot]))
        rows[pivot], rows[best] = rows[best], rows[pivot]
        lead = rows[pivot][pivot]
        rows[pivot] = [value / lead for value in rows[pivot]]
        for number in range(size):
            factor = rows[number][pivot]
            if number != pivot and factor:
                rows[number] = [a - factor * b for a, b in zip(rows[number], rows[pivot], strict=True)]
    return [row[size:] for row in rows]
