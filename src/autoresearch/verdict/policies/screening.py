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

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, Settle, Trial
from autoresearch.experiment.outcome import Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.arms import latest
from autoresearch.verdict.effect import Effect
from autoresearch.verdict.evidence import PAIR_FROM, Evidence
from autoresearch.verdict.policies.one_at_a_time import Ruling, explore, spares
from autoresearch.verdict.policies.screening_array import (
    Array,
    arrays,
    crashed,
    effects,
    plackett_burman,
    prefix,
    rows_for,
    suspicion,
)
from autoresearch.verdict.policies.sequential import Sequential

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

BLUR = 1.3
"""An effect whose error is this many times that of a full design of as many rows is not told apart from another."""

INTERACT = 2.0
"""Standard errors between a winning set and the sum of its parts from which the row remarks on it."""

_COLUMNS = (11, 7, 3)


class Screening(Sequential):
    """Bundles by design; single ideas as `sequential` judges them."""

    name = "screening"

    def work(self, evidence: Evidence) -> Advice | None:
        """The array under way, then ideas that run alone, then the next array."""
        found = arrays(evidence)
        due = self._running(evidence, found) if found else None
        if due is not None:
            return due
        return self._collect(evidence, found)

    def _running(self, evidence: Evidence, found: tuple[Array, ...]) -> Advice | None:
        array = found[-1]
        if not _started(evidence, array) or not _undecided(evidence, array):
            return None
        more = _settle_broken(evidence, array, self.name) or _row(evidence, array)
        return more if more or _waiting(evidence, array) else self._decide(evidence, array)

    def _collect(self, evidence: Evidence, found: tuple[Array, ...]) -> Advice | None:
        """Judge what ran alone, gather ideas, make the rows of the next array; singly when there are too few."""
        if found and _started(evidence, found[-1]) and _waiting(evidence, found[-1]):
            return None
        started = len(found) if not found or _started(evidence, found[-1]) else len(found) - 1
        barred = _barred(evidence, found[:started])
        ready = _eligible(evidence, barred)
        most = next((columns for columns in _COLUMNS if spares(evidence, columns + 3)), 0)
        alone = self._alone(evidence, barred)
        if alone is not None:
            return alone
        more = self.propose(evidence, f"screening: collecting ideas for an array, {len(ready)} of {most}")
        collected = sum(_bundleable(evidence, idea, barred) for idea in evidence.open)
        if collected < most and more is not None and len(found) == started:
            return more
        chosen = ready[: most or len(ready)]
        if len(chosen) < 3 or not most:
            return super().work(evidence)
        return _next_row(evidence, chosen, found[-1] if len(found) > started else None, started + 1)

    def _alone(self, evidence: Evidence, barred: frozenset[str]) -> Advice | None:
        """Verdicts and runs of ideas that cannot be bundled."""
        single = [i for i in evidence.open if not _bundleable(evidence, i, barred) and not _bundled(evidence, i)]
        wanted = [advice for idea in single if (advice := self._next(evidence, idea)) is not None]
        return next((a for a in wanted if isinstance(a, Settle)), wanted[0] if wanted else None)

    def _decide(self, evidence: Evidence, array: Array) -> Advice | None:
        """The array is complete: drop losers, run the winners together, keep or drop them together."""
        worth = effects(evidence, array)
        known = [evidence.ideas[name] for name in array.members if name in worth and name in evidence.ideas]
        undecided = [idea for idea in known if idea.verdict is None]
        sets = _sets(evidence, array)
        together = sets[-1] if sets else None
        winners = together.ideas if together else _winners(evidence, worth)
        for idea in undecided:
            if idea.name not in winners and not _again(evidence, idea, worth[idea.name]):
                return self._lost(evidence, idea, worth[idea.name], sets)
        if not any(idea.name in winners for idea in undecided):
            return None
        if together is None:
            return Combine(f"set-{array.number}", winners, array.origin, "the winners of the array as a whole")
        if together.conflict and len(winners) > 1:
            why = f"without {winners[-1]}, the weakest: {together.conflict}"
            return Combine(f"set-{array.number}-{len(sets) + 1}", winners[:-1], array.origin, why)
        return self._together(evidence, array, together, [idea for idea in undecided if idea.name in winners], worth)

    def _lost(self, evidence: Evidence, idea: Idea, effect: Effect, sets: tuple[Bundle, ...]) -> Settle:
        word = "worse" if effect.z < -shared_rules.CLEAR else "not distinguishable"
        if any(idea.name in one.ideas for one in sets):
            word = f"but the winners cannot be merged with it, and it was the weakest: {sets[0].conflict}"
        reason = f"{_bundled_gain(effect)}, {word}"
        return Settle(
            idea.name, shared_rules.verdict(evidence, idea.name, Status.DISCARD, reason, effect, by=self.name)
        )

    def _together(
        self, evidence: Evidence, array: Array, together: Bundle, winners: list[Idea], worth: dict[str, Effect]
    ) -> Advice | None:
        arm = evidence.arm(together.name)
        if arm.pending:
            return None
        can_run = evidence.board.runs_left is None or evidence.board.runs_left > 0
        if not arm.runs and not arm.failed and not together.conflict and can_run:
            return Measure(together.name, evidence.fresh_seed(), Purpose.SCREEN, "the winners together")
        effect = evidence.compare(together.name, array.origin)
        if effect is not None and effect.z < SURE and effect.runs < 2 and can_run:
            return Measure(together.name, evidence.fresh_seed(), Purpose.SCREEN, "the winners together, once more")
        ruling = _ruling(evidence, array, together, worth)
        idea = winners[0]
        reason = f"{_bundled_gain(worth[idea.name])}, {ruling.reason}"
        found = shared_rules.verdict(evidence, idea.name, ruling.status, reason, worth[idea.name], by=self.name)
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


def _sets(evidence: Evidence, array: Array) -> tuple[Bundle, ...]:
    """The array's winning set, and what was left of it when it could not be merged, in order."""
    return _sets_of(evidence.board.bundles, f"set-{array.number}")


@latest
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


def _started(evidence: Evidence, array: Array) -> bool:
    return any(row.name in evidence.arms for row in array.rows)


def _undecided(evidence: Evidence, array: Array) -> bool:
    return any(n in evidence.ideas and evidence.ideas[n].verdict is None for n in array.members)


def _waiting(evidence: Evidence, array: Array) -> bool:
    arms = (array.origin, *(bundle.name for bundle in (*_sets(evidence, array), *array.rows)))
    return any(evidence.arm(name).pending for name in arms)


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


def _row(evidence: Evidence, array: Array) -> Advice | None:
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


def _bundled(evidence: Evidence, idea: Idea) -> bool:
    """Whether the idea was part of a row that gave a metric."""
    return any(
        idea.name in array.members and idea.name in suspicion(evidence, array).cleared for array in arrays(evidence)
    )


def _rounds(evidence: Evidence, idea: Idea) -> int:
    return sum(idea.name in array.members and _started(evidence, array) for array in arrays(evidence))


def _again(evidence: Evidence, idea: Idea, effect: Effect) -> bool:
    more = explore(evidence, "") is not None
    return effect.z >= RETEST and _rounds(evidence, idea) < ROUNDS and more and spares(evidence, _COLUMNS[-1] + 3)


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


def _next_row(evidence: Evidence, chosen: tuple[Idea, ...], begun: Array | None, number: int) -> Advice | None:
    """Make the rows of an array one by one; run the first when all are made."""
    wanted = _design(tuple(idea.name for idea in chosen))
    made = {row.ideas for row in begun.rows} if begun else set()
    for ideas in wanted:
        if ideas not in made:
            name = f"{prefix(number)}{len(begun.rows) + 1 if begun else 1}"
            origin = begun.origin if begun else evidence.board.incumbent
            return Combine(name, ideas, origin, f"row of a {rows_for(len(chosen))}-run array of {len(chosen)} ideas")
    return _row(evidence, begun) if begun else None


@latest
def _design(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The rows of an array of these ideas, those without any left out; none when there are too many of them."""
    size = rows_for(len(names))
    rows = [] if size is None else plackett_burman(size)
    wanted = (tuple(name for name, on in zip(names, row, strict=False) if on) for row in rows)
    return tuple(dict.fromkeys(ideas for ideas in wanted if ideas))
