"""Whether a result can be what it looks like: a gate beside the statistics, which ask only whether it is chance.

Honest runs scatter, end by their own word no more often than their parent's, stay off the ends of their scale, and
gain in proportion to what is known of the campaign. What does not is neither kept nor called proven: a person looks
first, or an evaluation that the run could not write settles it. A campaign whose baseline scatters nowhere is not
asked for scatter.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from statistics import stdev

from autoresearch.experiment.board import Advice, Board, Idea, Settle, Trial
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.arms import Arm
from autoresearch.verdict.evidence import FRESH, Evidence
from autoresearch.verdict.shared_rules import FLAT

WIDTHS = 50
"""A gain of more than so many noise widths, a width being the band within which gains are flat, is looked at."""

WORTHS = 20
"""Nor is it looked at while it is at most so many times the gain that the person would care about."""

_UNSCATTERED = 3
"""Runs with different seeds that must agree to the last digit before that is odd."""

_TAKEN = 2
"""Runs that are excused in their own words from which on their share is looked at: one is what a night brings."""

_FULL = frozenset({"accuracy", "acc", "f1", "auc", "auroc", "precision", "recall", "pass", "em", "success"})
_EMPTY = frozenset({"loss", "error", "err", "mse", "rmse", "mae", "wer", "cer"})
_ONE = frozenset({"perplexity", "ppl"})

LOOK = "implausible, look before you believe"
"""How every reason of this gate begins."""

HELD = "held for a person's word"
"""How the reason begins why code is not kept whose numbers nothing but its own runs vouches for."""


def told_of_held(rows: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """Which ideas wait for a person's word or look, and what to do, a sentence each; nothing where none does.

    Args:
        rows: Number and reason of each verdict.
    """
    told = list(rows)
    held = [index for index, reason in told if reason.startswith(HELD)]
    odd = [index for index, reason in told if reason.startswith(LOOK)]
    found = []
    if held:
        waits = f"{_some(held)} for a person's word, as only runs of changed code vouch for the gain"
        found = [f"{waits}: {_cure(held[0])}; in a campaign whose file has `evaluate:` none waits"]
    if odd:
        found.append(f"{_some(odd)} for a person's look, as the numbers are implausible: {_cure(odd[0])}")
    return tuple(found)


def _some(indices: Sequence[int]) -> str:
    return f"{', '.join(f'#{index}' for index in indices)} wait{'s' * (len(indices) == 1)}"


def _cure(index: int) -> str:
    return f"look at it, then autoresearch overrule {index} keep --reason '...'"


def gated(advice: Advice, board: Board) -> Advice:
    """A policy's advice, without a keep that nobody has looked at although it should be."""
    if not isinstance(advice, Settle) or advice.verdict.status is not Status.KEEP:
        return advice
    evidence, name = Evidence(board), advice.incumbent or advice.idea
    why = implausible(evidence, name) or _alone(evidence, name) or _by_its_own_word(evidence, name)
    if not why:
        return advice
    reason = f"{why}; it would be kept otherwise: {advice.verdict.reason}"
    return Settle(advice.idea, replace(advice.verdict, status=Status.DISCARD, reason=reason))


def vouched_for(evidence: Evidence, purposes: Collection[Purpose], arms: Collection[str]) -> bool:
    """Whether more than their own runs vouch for the numbers of these arms, and no code took a draw of theirs back.

    Where code of an idea's own ran, sources that agree are not enough: one process wrote them all. There a program that
    it could not reach has to have given each number.

    Args:
        evidence: The campaign.
        purposes: Of the runs that count.
        arms: What is compared.
    """
    board = evidence.board
    counted = [t for t in board.trials if t.arm in arms and t.purpose in purposes and t.value is not None]
    coded = {arm for arm in arms if _own_code(evidence, arm)}
    drawn = (one for one in board.taken_back if one.arm in arms)
    believed = all(not t.unverified and (t.evaluated or t.arm not in coded) for t in counted)
    return believed and not any(one.own_code for one in drawn)


def _alone(evidence: Evidence, name: str) -> str:
    """Why nothing vouches for a number of an arm where something vouches for every one of the baseline's.

    There the campaign can have sound numbers, and what keeps an idea from one may be the idea: a source that it
    silenced, an evaluation that it left nothing for. Fresh seeds, which may be the only ones evaluated, are left out.
    """
    if _vouched(evidence, name):
        return ""
    ours, theirs = ([t.unverified for t in _judging(evidence) if t.arm == arm] for arm in (name, BASELINE))
    if not theirs or any(theirs) or not any(ours):
        return ""
    return (
        f"unverified: {sum(ours)} of its {len(ours)} numbers stand on the run's own word alone, "
        f"and the baseline's {len(theirs)} do not"
    )


def _by_its_own_word(evidence: Evidence, name: str) -> str:
    """Why a person's word is needed: code of an idea's own ran where the number was made, and it alone vouches for it.

    What a person has let through is theirs, and settings of code that was there before cannot write a number.
    """
    if not evidence.settings.holds or not _own_code(evidence, name):
        return ""
    ours = [t for t in _judging(evidence) if t.arm == name]
    alone, unseen = sum(t.unverified for t in ours), sum(not t.evaluated for t in ours)
    if alone:
        return f"{HELD}: it changes code, and {alone} of its {len(ours)} numbers stand on its own runs' word alone"
    grip = next((grip for idea in _coded(evidence, name) for grip in idea.grips), "")
    if grip and unseen:
        return f"{HELD}: its code can make all sources agree ({grip}), and no evaluation gave {unseen} of its numbers"
    return ""


def _vouched(evidence: Evidence, name: str) -> bool:
    """Whether a person has looked at all that an arm adds: one of two merged ideas says nothing of the other."""
    added = [evidence.ideas[idea] for idea in evidence.adds(name) if idea in evidence.ideas]
    return bool(added) and all(idea.vouched for idea in added)


def _own_code(evidence: Evidence, name: str) -> bool:
    """Whether code of an idea's own that no person let through runs in this arm."""
    return bool(_coded(evidence, name))


def _coded(evidence: Evidence, name: str) -> list[Idea]:
    """Ideas whose own code runs in an arm, and that no person let through."""
    inside = (evidence.ideas[idea] for idea in evidence.lineage(name) if idea in evidence.ideas)
    return [idea for idea in inside if idea.own_code and not idea.vouched]


def _judging(evidence: Evidence) -> list[Trial]:
    """Runs with a number that a verdict rests on."""
    board = evidence.board
    return [t for t in board.trials if t.value is not None and not t.plumbing and t.purpose not in FRESH]


def implausible(evidence: Evidence, name: str) -> str:
    """Why the numbers of an arm cannot be what they look like, empty when nothing is odd about them.

    An arm whose runs were all evaluated by a program that they could not reach, and one that a person vouches for, are
    past this; but an evaluation says nothing of runs that it never saw.
    """
    ours, theirs = evidence.arm(name), evidence.arm(BASELINE)
    if not ours.runs or _vouched(evidence, name):
        return ""
    if why := _draws_taken_back(evidence, name):
        return f"{LOOK}: {why}"
    if ours.evaluated >= ours.runs:
        return ""
    why = (
        _at_its_bound(evidence, ours, theirs)
        or _without_scatter(evidence, ours, theirs)
        or _too_far(evidence, name)
        or (ours.doubt if not theirs.doubt else "")
    )
    return f"{LOOK}: {why}" if why else ""


def bound_of(objective: Objective, seen: Iterable[float]) -> float | None:
    """The best value that a metric of this name can have, None where its name does not tell.

    Args:
        objective: The metric and its direction.
        seen: Values of the baseline, by which percent are told from shares.
    """
    words = frozenset(re.split(r"[^a-z0-9]+", (objective.tag or objective.metric).lower()))
    known = tuple(seen)
    if objective.direction is Direction.MINIMIZE:
        return 0.0 if words & _EMPTY and min(known, default=-1.0) >= 0 else 1.0 if words & _ONE else None
    if not words & _FULL or not known:
        return None
    return 1.0 if max(known) <= 1 else 100.0 if max(known) <= 100 else None


def _draws_taken_back(evidence: Evidence, name: str) -> str:
    """Whether runs of an idea's own code end by their own word more often than its parent's: draws may be gone."""
    ours = _taken(evidence, {name, *evidence.adds(name)}, own_code=True)
    against = parent if evidence.arm(parent := evidence.parent(name)).runs else BASELINE
    theirs = _taken(evidence, {against}, own_code=False)
    if ours[0] < _TAKEN or ours[0] * theirs[1] <= theirs[0] * ours[1]:
        return ""
    return (
        f"{ours[0]} of its {ours[1]} runs gave no number and are excused by nothing but their own words, "
        f"{theirs[0]} of {theirs[1]} of {against}'s"
    )


def _taken(evidence: Evidence, arms: Collection[str], *, own_code: bool) -> tuple[int, int]:
    """Runs of some arms that are excused in their own words, and these with the ones that count."""
    known = [one for one in evidence.board.taken_back if one.arm in arms]
    gone = sum(one.own_code if own_code else one.runs for one in known)
    return gone, gone + sum(evidence.arm(arm).runs for arm in arms)


def _at_its_bound(evidence: Evidence, ours: Arm, theirs: Arm) -> str:
    objective, sign = evidence.board.objective, evidence.sign
    bound = bound_of(objective, (sign * gain for gain in theirs.values.values()))
    if bound is None or not theirs.runs or max(theirs.values.values()) >= sign * bound:
        return ""
    best = max(ours.values.values())
    return f"{objective.metric} is {sign * best:.6g}, the end of its scale" if best >= sign * bound else ""


def _without_scatter(evidence: Evidence, ours: Arm, theirs: Arm) -> str:
    own, base = list(ours.values.values()), list(theirs.values.values())
    if min(len(own), len(base)) < _UNSCATTERED or len(set(own)) > 1 or len(set(base)) < len(base):
        return ""
    value = evidence.sign * own[0]
    return f"{len(own)} seeds gave {value:.6g} to the last digit, and no two of the baseline's {len(base)} runs agree"


def _too_far(evidence: Evidence, name: str) -> str:
    parent = evidence.parent(name)
    ours, theirs = evidence.arm(name), evidence.arm(parent if evidence.arm(parent).runs else BASELINE)
    base = list(evidence.arm(BASELINE).values.values())
    if not theirs.runs or len(base) < _UNSCATTERED or not (own := stdev(base)):
        return ""
    sigma = max(own, evidence.sigma or 0.0)
    gain, width = ours.level - theirs.level, 2 * FLAT * sigma
    if gain <= WIDTHS * width or gain <= WORTHS * (evidence.settings.worth or 0.0):
        return ""
    return f"a gain of {gain:+.4g} is {gain / width:.0f} times the width of the noise ({width:.3g})"
