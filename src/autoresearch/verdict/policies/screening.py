"""Screening: many ideas per run, for noise that is large beside the gains.

1. Three baseline runs; then ideas are collected, each on its own branch, up to eleven that share no key.
2. They are merged into the rows of a Plackett-Burman array: 12 runs, each idea in half of them.
3. A main effect of 0.8 standard errors or more is kept, 0.3 to 0.8 goes into one more array, the rest is dropped.
4. A crashed row is told apart by the rows that ran; ideas still under suspicion then run alone. A row that cannot be
   merged is split.
5. The winning set is run as a whole before it becomes the incumbent, and dropped if that is half a standard error
   below it; a set that cannot be merged loses its weakest idea. Claims come from fresh seeds at the end.

With too few ideas or runs for an array it works as `sequential` does.
"""

import math

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, PolicySettings, Settle
from autoresearch.experiment.outcome import Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import explore, next_for, one_at_a_time, propose
from autoresearch.verdict.policies.reserve import spares
from autoresearch.verdict.policies.screening_array import (
    COLUMNS,
    Array,
    arrays,
    effects,
    next_row,
    row_to_run,
    rows_for,
    suspicion,
)
from autoresearch.verdict.policies.sequential import anchor, by_credited_gain, with_anchors

KEEP = 0.8
"""Standard errors from which an idea belongs to the winning set."""

RETEST = 0.3
"""Standard errors from which an idea gets one more array."""

ROUNDS = 2
"""Arrays an idea is part of at most."""

SURE = 0.5
"""Standard errors above the incumbent below which a winning set is run a second time."""

DROP = -0.5
"""Standard errors against the incumbent under which a winning set is dropped, whatever the array said of its parts.

Its one or two runs weigh less than the twelve of the array, so a little below zero is no reason; the figures are on the
benchmark's page.
"""

INTERACT = 2.0
"""Standard errors between a winning set and the sum of its parts from which the row remarks on it."""


def screening() -> Composed:
    """Bundles by design; single ideas as `sequential` judges them."""
    way = WayOfJudging(
        by="screening",
        order=many_at_a_time,
        rule=by_credited_gain,
        aside=anchor,
        why="screening: one idea at a time",
    )
    return Composed(name="screening", choose=always(way), spends=bundled_where_they_fit)


def many_at_a_time(evidence: Evidence, way: WayOfJudging) -> Advice | None:
    """The array under way, then ideas that run alone, then the next array."""
    found = arrays(evidence)
    due = _running(evidence, way, found) if found else None
    if due is not None:
        return due
    return _collect(evidence, way, found)


def _running(evidence: Evidence, way: WayOfJudging, found: tuple[Array, ...]) -> Advice | None:
    array = found[-1]
    if not array.started(evidence) or not array.undecided(evidence):
        return None
    more = _settle_broken(evidence, array, way.by) or row_to_run(evidence, array)
    return more if more or waiting(evidence, array) else decide(evidence, array, way.by)


def _collect(evidence: Evidence, way: WayOfJudging, found: tuple[Array, ...]) -> Advice | None:
    """Judge what ran alone, gather ideas, make the rows of the next array; singly when there are too few."""
    if found and found[-1].started(evidence) and waiting(evidence, found[-1]):
        return None
    started = len(found) if not found or found[-1].started(evidence) else len(found) - 1
    barred = _barred(evidence, found[:started])
    ready = _eligible(evidence, barred)
    most = next((columns for columns in COLUMNS if spares(evidence, columns + 3)), 0)
    alone = _alone(evidence, way, barred)
    if alone is not None:
        return alone
    more = propose(evidence, f"screening: collecting ideas for an array, {len(ready)} of {most}")
    collected = sum(_bundleable(evidence, idea, barred) for idea in evidence.open)
    if collected < most and more is not None and len(found) == started:
        return more
    chosen = ready[: most or len(ready)]
    if len(chosen) < 3 or not most:
        return one_at_a_time(evidence, way)
    return next_row(evidence, chosen, found[-1] if len(found) > started else None, started + 1)


def _alone(evidence: Evidence, way: WayOfJudging, barred: frozenset[str]) -> Advice | None:
    """Verdicts and runs of ideas that cannot be bundled."""
    single = [i for i in evidence.open if not _bundleable(evidence, i, barred) and not _bundled(evidence, i)]
    wanted = [advice for idea in single if (advice := next_for(evidence, way, idea)) is not None]
    return next((a for a in wanted if isinstance(a, Settle)), wanted[0] if wanted else None)


def _settle_broken(evidence: Evidence, array: Array, by: str) -> Settle | None:
    """Ideas that crash every row they are in."""
    caught = suspicion(evidence, array).guilty
    for name in (name for name in array.members if name in caught):
        idea = evidence.ideas.get(name)
        if idea is not None and idea.verdict is None:
            note = next((n for r in array.rows if name in r.ideas and (n := evidence.arm(r.name).note)), "")
            reason = f"every bundle with it gave no metric, while all else in them ran{': ' + note if note else ''}"
            return Settle(name, shared_rules.verdict(evidence, name, Status.CRASH, reason, by=by))
    return None


def _bundled(evidence: Evidence, idea: Idea) -> bool:
    """Whether the idea was part of a row that gave a metric."""
    return any(
        idea.name in array.members and idea.name in suspicion(evidence, array).cleared for array in arrays(evidence)
    )


def _barred(evidence: Evidence, started: tuple[Array, ...]) -> frozenset[str]:
    """Ideas of arrays under way or done that no row with a metric has cleared."""
    names = {idea.name for idea in evidence.open}
    live = [array for array in started if not names.isdisjoint(array.members)]
    return frozenset(name for array in live for name in array.members if name not in suspicion(evidence, array).cleared)


def _eligible(evidence: Evidence, barred: frozenset[str]) -> tuple[Idea, ...]:
    """Ideas for the next array: no key in common; in order of attempt, so that none waits for more than one array."""
    taken: set[str] = set()
    found: list[Idea] = []
    for idea in evidence.open:
        if _bundleable(evidence, idea, barred) and not idea.keys & taken:
            taken |= idea.keys
            found.append(idea)
    return tuple(found)


def _bundleable(evidence: Evidence, idea: Idea, barred: frozenset[str]) -> bool:
    """Whether an idea may be part of an array: never run alone, not under suspicion, no seeds of its own asked for."""
    return not (idea.broken or idea.seeds or idea.name in evidence.arms or idea.name in barred)


def bundled_where_they_fit(experiments: int, settings: PolicySettings) -> tuple[int, int]:
    """Runs that so many ideas take: in arrays, or, when each is doubtful, in two arrays and then singly."""
    _, single = with_anchors(experiments, settings)
    whole, rest = divmod(experiments, COLUMNS[0])
    bundled = whole * (COLUMNS[0] + 2) + (rows_for(rest) + 1 if rest >= COLUMNS[-1] else rest)
    return min(bundled, experiments), 2 * bundled + single


def waiting(evidence: Evidence, array: Array) -> bool:
    """Whether a run of the array, of its parent or of its winners is under way."""
    arms = (array.origin, *(bundle.name for bundle in (*_sets(evidence, array), *array.rows)))
    return any(evidence.arm(name).pending for name in arms)


def decide(evidence: Evidence, array: Array, by: str) -> Advice | None:
    """The array is complete and nothing of it runs: drop losers, run the winners together, keep or drop them all."""
    worth = effects(evidence, array)
    undecided = [idea for idea in array.undecided(evidence) if idea.name in worth]
    sets = _sets(evidence, array)
    together = sets[-1] if sets else None
    winners = together.ideas if together else _winners(evidence, worth)
    for idea in undecided:
        if idea.name not in winners and not _again(evidence, idea, worth[idea.name]):
            return _lost(evidence, idea, worth[idea.name], sets, by=by)
    first = next((idea for idea in undecided if idea.name in winners), None)
    if first is None:
        return None
    if together is None:
        return Combine(f"set-{array.number}", winners, array.origin, "the winners of the array as a whole")
    if together.conflict and len(winners) > 1:
        why = f"without {winners[-1]}, the weakest: {together.conflict}"
        return Combine(f"set-{array.number}-{len(sets) + 1}", winners[:-1], array.origin, why)
    return _together(evidence, array, together, first, worth, by=by)


def _lost(evidence: Evidence, idea: Idea, effect: Effect, sets: tuple[Bundle, ...], *, by: str) -> Settle:
    word = "worse" if effect.z < -shared_rules.CLEAR else "not distinguishable"
    if any(idea.name in one.ideas for one in sets):
        word = f"but the winners cannot be merged with it, and it was the weakest: {sets[0].conflict}"
    reason = f"{_bundled_gain(effect)}, {word}"
    return Settle(idea.name, shared_rules.verdict(evidence, idea.name, Status.DISCARD, reason, effect, by=by))


def _together(
    evidence: Evidence, array: Array, together: Bundle, idea: Idea, worth: dict[str, Effect], *, by: str
) -> Measure | Settle:
    """Run the winners as a whole, then settle them one after the other by what that showed; `idea` is the next."""
    arm = evidence.arm(together.name)
    can_run = evidence.board.runs_left is None or evidence.board.runs_left > 0
    if not arm.runs and not arm.failed and not together.conflict and can_run:
        return Measure(together.name, evidence.fresh_seed(), Purpose.SCREEN, "the winners together")
    effect = evidence.compare(together.name, array.origin)
    if effect is not None and effect.z < SURE and effect.runs < 2 and can_run:
        return Measure(together.name, evidence.fresh_seed(), Purpose.SCREEN, "the winners together, once more")
    ruling = _ruling(evidence, array, together, worth)
    reason = f"{_bundled_gain(worth[idea.name])}, {ruling.reason}"
    found = shared_rules.verdict(evidence, idea.name, ruling.status, reason, worth[idea.name], by=by)
    return Settle(idea.name, found, together.name if ruling.status is Status.KEEP else None)


def _wins(evidence: Evidence, name: str, effect: Effect) -> bool:
    """Whether an idea belongs to the winning set: for its effect, or flat and simpler or needed."""
    idea = evidence.ideas.get(name)
    if idea is None:
        return False
    if effect.z >= KEEP:
        return not shared_rules.objection(evidence, idea, name, effect)
    return bool(shared_rules.excuse(evidence, idea, effect))


def _winners(evidence: Evidence, worth: dict[str, Effect]) -> tuple[str, ...]:
    """The winning set, strongest first: when it cannot be merged, the last one is left out."""
    return tuple(sorted((n for n in worth if _wins(evidence, n, worth[n])), key=lambda n: -worth[n].gain))


def _again(evidence: Evidence, idea: Idea, effect: Effect) -> bool:
    more = explore(evidence, "") is not None
    return effect.z >= RETEST and _rounds(evidence, idea) < ROUNDS and more and spares(evidence, COLUMNS[-1] + 3)


def _rounds(evidence: Evidence, idea: Idea) -> int:
    return sum(idea.name in array.members and array.started(evidence) for array in arrays(evidence))


def _sets(evidence: Evidence, array: Array) -> tuple[Bundle, ...]:
    """The array's winning set, and what was left of it when it could not be merged, in order."""
    return evidence.answers.of(_sets_of, evidence.board.bundles, f"set-{array.number}")


def _sets_of(bundles: tuple[Bundle, ...], name: str) -> tuple[Bundle, ...]:
    return tuple(b for b in bundles if b.name == name or b.name.startswith(f"{name}-"))


def _ruling(evidence: Evidence, array: Array, together: Bundle, worth: dict[str, Effect]) -> Ruling:
    if together.conflict:
        return Ruling(Status.DISCARD, f"but the winners of the array cannot be merged: {together.conflict}")
    effect = evidence.compare(together.name, array.origin)
    if effect is None:
        return Ruling(Status.DISCARD, "but the winners of the array have no valid run together")
    if effect.z < DROP:
        return Ruling(Status.DISCARD, f"but the winners together are not better: {effect.told()}")
    told = f"promising; the winners together {effect.told()}{_interaction(together, effect, worth)}"
    return Ruling(Status.KEEP, f"{told}, to be confirmed on fresh seeds")


def _interaction(together: Bundle, effect: Effect, worth: dict[str, Effect]) -> str:
    """A remark when the whole is not the sum of its parts."""
    parts = [worth[name] for name in together.ideas if name in worth]
    if effect.error is None or len(parts) < 2:
        return ""
    expected = sum(part.gain for part in parts)
    error = math.sqrt(effect.error * effect.error + sum((part.error or 0.0) ** 2 for part in parts))
    if abs(effect.gain - expected) <= INTERACT * error:
        return ""
    return f" where their sum is {expected:+.3g}: they depend on each other"


def _bundled_gain(effect: Effect) -> str:
    return effect.told("bundled run")
