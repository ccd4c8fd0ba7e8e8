"""Screening arrays: the rows of one, by which design they are made and which is run next, and what they say.

Two-level designs judge many changes at once, each by half of all runs. Plackett and Burman, The design of optimum
multifactorial experiments, Biometrika 33 (1946): a generating row shifted cyclically, and a last row of all lows. Any
two columns are orthogonal, so each main effect has variance 4 s^2 / N.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import mul

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.verdict.arms import Arm, Effect
from autoresearch.verdict.evidence import PAIR_FROM, TAU, Evidence
from autoresearch.verdict.memo import LastAnswers, once
from autoresearch.verdict.statistics import Noise, mean

_WIDEST = 1e4
"""Prior spread of effects, in noises, at most: a wider one leaves ideas that no row tells apart without a solution."""

BLUR = 1.3
"""An effect whose error is this many times that of a full design of as many rows is not told apart from another."""

_GENERATORS = {
    4: "++-",
    8: "+++-+--",
    12: "++-+++---+-",
}

SIZES = tuple(_GENERATORS)
"""Numbers of runs for which there is a design."""

COLUMNS = tuple(size - 1 for size in reversed(SIZES))
"""Ideas that an array holds at most, the largest that the budget allows: one fewer than runs."""


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


def rows_for(changes: int) -> int:
    """The least number of runs that can screen `changes`, which are as many at most as the largest array holds."""
    return next(size for size in SIZES if size > changes)


def plackett_burman(size: int) -> tuple[tuple[bool, ...], ...]:
    """The design with `size` runs: one row per run, one column per change (`size` - 1), True where it is switched on.

    Raises:
        ValueError: There is no design of that size.
    """
    if size not in _GENERATORS:
        raise ValueError(f"no screening design has {size} runs; there are {', '.join(map(str, SIZES))}")
    first = tuple(sign == "+" for sign in _GENERATORS[size])
    shifted = tuple(first[-turn:] + first[:-turn] if turn else first for turn in range(size - 1))
    return (*shifted, (False,) * (size - 1))


def next_row(evidence: Evidence, chosen: tuple[Idea, ...], begun: Array | None, number: int) -> Advice | None:
    """Make the rows of an array one by one; run the first when all are made."""
    wanted = evidence.answers.of(_design, tuple(idea.name for idea in chosen))
    made = {row.ideas for row in begun.rows} if begun else set()
    for ideas in wanted:
        if ideas not in made:
            name = f"{prefix(number)}{len(begun.rows) + 1 if begun else 1}"
            origin = begun.origin if begun else evidence.board.incumbent
            return Combine(name, ideas, origin, f"row of a {rows_for(len(chosen))}-run array of {len(chosen)} ideas")
    return row_to_run(evidence, begun) if begun else None


def row_to_run(evidence: Evidence, array: Array) -> Advice | None:
    """The next row to run: conflicts split, the guilty left out, suspects halved; the parent once among them."""
    if evidence.board.runs_left is not None and evidence.board.runs_left <= 0:
        return None
    known = suspicion(evidence, array)
    caught = known.guilty
    ready: list[Bundle] = []
    for row in array.rows:
        if row.name in evidence.arms:
            continue
        if replacement := _replacement(array, row, caught):
            return replacement
        if not row.conflict and not caught & set(row.ideas):
            ready.append(row)
    if ready:
        doubtful = known.suspects
        best = min(ready, key=lambda row: abs(len(doubtful & set(row.ideas)) - len(doubtful) / 2))
        return Measure(best.name, _seed(evidence, array), Purpose.SCREEN, "a row of the screening array")
    if _blurred(evidence, array):
        lost = (_replacement(array, row, caught) for row in array.rows if crashed(evidence, row))
        if replacement := next((advice for advice in lost if advice), None):
            return replacement
    screened = any(t.arm == array.origin and t.purpose is Purpose.SCREEN for t in _since(evidence, array))
    if not screened and known.cleared:
        return Measure(array.origin, _seed(evidence, array), Purpose.SCREEN, "the array's row without any idea")
    return None


def _replacement(array: Array, row: Bundle, caught: frozenset[str]) -> Combine | None:
    """A bundle in place of a row that cannot be run, or crashed; None when there is none that is not made yet."""
    parts = [part for part in _parts(row, caught) if part]
    made = {frozenset(other.ideas) for other in array.rows} if parts else set()
    name = f"{prefix(array.number)}{len(array.rows) + 1}"
    why = f"in place of {row.name}"
    return next((Combine(name, part, array.origin, why) for part in parts if frozenset(part) not in made), None)


def _blurred(evidence: Evidence, array: Array) -> bool:
    """Whether rows lost to crashes leave two ideas hard to tell apart: an effect known far worse than by design."""
    ran = sum(evidence.arm(row.name).runs > 0 for row in array.rows) + 1
    limit = BLUR * 2 / math.sqrt(ran) * (evidence.sigma or math.inf)
    pending = any(evidence.arm(row.name).pending for row in array.rows)
    return not pending and any((effect.error or 0.0) > limit for effect in effects(evidence, array).values())


def _parts(row: Bundle, caught: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """What runs in place of a row that cannot: itself without the guilty, or its two halves."""
    if row.conflict and len(row.ideas) > 1:
        half = len(row.ideas) // 2
        return row.ideas[:half], row.ideas[half:]
    return (tuple(idea for idea in row.ideas if idea not in caught),) if caught & set(row.ideas) else ()


def _since(evidence: Evidence, array: Array) -> tuple[Trial, ...]:
    """Runs since the array's first."""
    trials = evidence.board.trials
    names = {row.name for row in array.rows}
    first = next((place for place, trial in enumerate(trials) if trial.arm in names), len(trials))
    return trials[first:]


def _seed(evidence: Evidence, array: Array) -> int:
    """One new seed for the whole array where seeds are worth pairing, else a new one for each row."""
    if evidence.noise.rho > PAIR_FROM:
        used = [seed for row in array.rows for seed in evidence.arm(row.name).tried]
        if used:
            return used[0]
    return evidence.fresh_seed()


def _design(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The rows of an array of these ideas, those without any left out."""
    rows = plackett_burman(rows_for(len(names)))
    wanted = (tuple(name for name, on in zip(names, row, strict=False) if on) for row in rows)
    return tuple(dict.fromkeys(ideas for ideas in wanted if ideas))
