"""The end of a screening array: losers dropped, the winners run as a whole and kept or dropped together."""

import math

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, Settle
from autoresearch.experiment.outcome import Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.effect import Effect
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Ruling
from autoresearch.verdict.policies.one_at_a_time import explore
from autoresearch.verdict.policies.reserve import spares
from autoresearch.verdict.policies.screening_array import Array, arrays, effects
from autoresearch.verdict.policies.screening_rows import COLUMNS

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
