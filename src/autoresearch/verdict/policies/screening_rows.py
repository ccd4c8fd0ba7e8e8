"""The rows of a screening array: by which design they are made, which is run next, and what replaces one that is lost.

Two-level designs judge many changes at once, each by half of all runs. Plackett and Burman, The design of optimum
multifactorial experiments, Biometrika 33 (1946): a generating row shifted cyclically, and a last row of all lows. Any
two columns are orthogonal, so each main effect has variance 4 s^2 / N.
"""

import math

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.verdict.evidence import PAIR_FROM, Evidence
from autoresearch.verdict.policies.screening_array import Array, crashed, effects, prefix, suspicion

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
