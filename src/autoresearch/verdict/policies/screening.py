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

from autoresearch.experiment.board import Advice, Idea, PolicySettings, Settle
from autoresearch.experiment.outcome import Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import next_for, one_at_a_time, propose
from autoresearch.verdict.policies.reserve import spares
from autoresearch.verdict.policies.screening_array import Array, arrays, suspicion
from autoresearch.verdict.policies.screening_rows import COLUMNS, next_row, row_to_run, rows_for
from autoresearch.verdict.policies.sequential import anchor, by_credited_gain, with_anchors
from autoresearch.verdict.policies.winning_set import decide, waiting


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
