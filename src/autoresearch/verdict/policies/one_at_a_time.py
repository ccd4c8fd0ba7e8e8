"""One idea at a time: an order of work in which each idea is run, repeated and judged by itself.

An idea made from an arm that is no longer the incumbent (several slots, an incumbent that moved meanwhile) is judged
against its own parent first; if it is good there, it is merged on top of the incumbent and must be good there too.
When it cannot be merged it must beat the incumbent as it is.

Before a new idea is asked for, an incumbent that further runs do not bear out is taken back: later ideas start from
what it was built on.
"""

from dataclasses import replace

from autoresearch.experiment.board import Advice, Bundle, Combine, Demote, Idea, Measure, Propose, Settle
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import UNSELECTED, Evidence
from autoresearch.verdict.policies.composed import Contest, Ruling, WayOfJudging, bundle_name
from autoresearch.verdict.policies.reserve import spares
from autoresearch.verdict.shared_rules import FLAT

MARGIN = 0.5
"""Standard errors below which an incumbent is taken back; at zero, two in five of those taken back were true gains."""


def one_at_a_time(evidence: Evidence, way: WayOfJudging) -> Advice | None:
    """What open ideas need, then a run for the sake of all, then the next idea."""
    found = judge(evidence, way) or way.aside(evidence) or propose(evidence, way.why)
    return replace(found, free=True) if isinstance(found, Propose) else found


def judge(evidence: Evidence, way: WayOfJudging) -> Advice | None:
    """Verdicts that are due, then runs that open ideas need; None while all of them are under way."""
    wanted = [advice for idea in evidence.open if (advice := next_for(evidence, way, idea)) is not None]
    order = (Settle, Combine, Measure)
    return min(wanted, key=lambda advice: order.index(type(advice)), default=None)


def next_for(evidence: Evidence, way: WayOfJudging, idea: Idea) -> Settle | Combine | Measure | None:
    """The verdict, the merge or the run that an idea is due; None while it waits for one."""
    plain = shared_rules.without_numbers(evidence, idea, way.by)
    if plain is not None:
        return Settle(idea.name, plain)
    arm = evidence.arm(idea.name)
    if not arm.runs:
        return None if arm.pending else _first(evidence, way, idea)
    incumbent = evidence.board.incumbent
    merge = _merge(evidence, idea)
    if merge is not None and not merge.conflict:
        return _merged(evidence, way, idea, merge)
    if merge is not None or _strange(evidence, idea.parent) or _stands_on(evidence, idea.parent, incumbent):
        return _contest(evidence, way, idea, idea.name, incumbent)
    return _stale(evidence, way, idea)


def _stands_on(evidence: Evidence, arm: str, incumbent: str) -> bool:
    """Whether an arm is the incumbent or near misses on top of it, so that what it holds is tested as it is.

    What a person turned down, what waits for a person's word, or was kept and fell, comes back in no such way.
    """
    seen = set[str]()
    while arm != incumbent and arm in evidence.ideas and arm not in seen:
        idea = evidence.ideas[arm]
        if idea.verdict is None or idea.verdict.status is not Status.DISCARD or idea.vouched:
            return False
        if idea.own_code and evidence.settings.holds:
            return False
        seen.add(arm)
        arm = evidence.parent(arm)
    return arm == incumbent


def _first(evidence: Evidence, way: WayOfJudging, idea: Idea) -> Settle | Measure:
    if evidence.board.runs_left is not None and evidence.board.runs_left <= 0:
        return Settle(idea.name, shared_rules.never_run(evidence, idea, way.by))
    seed = evidence.next_seed(idea.name, idea.parent)
    return Measure(idea.name, seed, Purpose.EXPLORE, f"first run, on a seed of {idea.parent}")


def _stale(evidence: Evidence, way: WayOfJudging, idea: Idea) -> Settle | Combine | Measure | None:
    """The incumbent moved while this idea ran: good against its parent first, then on top of the incumbent."""
    advice = _contest(evidence, way, idea, idea.name, idea.parent)
    if not isinstance(advice, Settle) or advice.verdict.status is not Status.KEEP:
        return advice
    if not spares(evidence, 1):
        return _contest(evidence, way, idea, idea.name, evidence.board.incumbent)
    if any(_merge_open(evidence, other) for other in evidence.open if other is not idea):
        return None
    why = f"{idea.name} beat {idea.parent}, but the incumbent is now {evidence.board.incumbent}"
    return Combine(bundle_name(evidence, "merge"), (idea.name,), evidence.board.incumbent, why)


def _merged(evidence: Evidence, way: WayOfJudging, idea: Idea, merge: Bundle) -> Settle | Measure | None:
    arm = evidence.arm(merge.name)
    if not arm.runs and not arm.pending and not arm.failed and spares(evidence, 1):
        seed = evidence.next_seed(merge.name, merge.parent)
        return Measure(merge.name, seed, Purpose.EXPLORE, f"{idea.name} on top of {merge.parent}")
    if arm.pending:
        return None
    if not arm.runs:
        reason = f"better than {idea.parent}, but it gave no metric on top of the incumbent {merge.parent}"
        effect = evidence.compare(idea.name, idea.parent)
        return Settle(idea.name, shared_rules.verdict(evidence, idea.name, Status.DISCARD, reason, effect, by=way.by))
    return _contest(evidence, way, idea, merge.name, merge.parent)


def _contest(evidence: Evidence, way: WayOfJudging, idea: Idea, arm: str, against: str) -> Settle | Measure | None:
    if evidence.arm(arm).pending:
        return None
    effect = evidence.compare(arm, against, credit=way.credit)
    if effect is None and against != BASELINE:
        against, effect = BASELINE, evidence.compare(arm, BASELINE, credit=way.credit)
    if effect is None:
        reason = f"{against} has no run it could be compared with, so no claim is made and the incumbent stays"
        return Settle(idea.name, shared_rules.verdict(evidence, arm, Status.KEEP, reason, by=way.by))
    tries = effect.runs + evidence.arm(arm).failed
    last = not spares(evidence, 1) or evidence.repeatable or tries >= max(1, evidence.settings.max_runs)
    contest = Contest(idea, arm, against, effect, last)
    ruling = way.rule(evidence, contest)
    if ruling is None and not last:
        why = f"so far {effect.told()}"
        return Measure(arm, evidence.next_seed(arm, against), Purpose.REPEAT, why)
    return _settle(evidence, way, contest, ruling or Ruling(Status.DISCARD, "not distinguishable"))


def _settle(evidence: Evidence, way: WayOfJudging, contest: Contest, ruling: Ruling) -> Settle:
    place = f" against {contest.against}" if contest.against != BASELINE else ""
    reason = f"{contest.effect.told()}{place}, {ruling.reason}"
    found = shared_rules.verdict(evidence, contest.arm, ruling.status, reason, contest.effect, by=way.by)
    moves = ruling.status is Status.KEEP and contest.against in (evidence.board.incumbent, BASELINE)
    return Settle(contest.idea.name, found, contest.arm if moves else None)


def _strange(evidence: Evidence, arm: str) -> bool:
    return not evidence.arm(arm).runs


def _merge(evidence: Evidence, idea: Idea) -> Bundle | None:
    """The merge of this idea alone onto the present incumbent."""
    wanted = ((idea.name,), evidence.board.incumbent)
    return next((b for b in evidence.board.bundles if (b.ideas, b.parent) == wanted), None)


def _merge_open(evidence: Evidence, idea: Idea) -> bool:
    merge = _merge(evidence, idea)
    return merge is not None and not merge.conflict


def propose(evidence: Evidence, why: str) -> Advice | None:
    """Ask for an idea, but not on top of an incumbent that its own further runs do not bear out."""
    wanted = explore(evidence, why)
    return (demotion(evidence) if wanted else None) or wanted


def explore(evidence: Evidence, why: str) -> Advice | None:
    """Ask for an idea on top of the incumbent, if the stop rule, the researchers and the budget still allow one."""
    board = evidence.board
    if not board.may_explore or board.no_more_ideas or not spares(evidence, 1):
        return None
    return Propose(board.incumbent, why)


def demotion(evidence: Evidence) -> Demote | None:
    """Take the incumbent back when, with an unselected run counted, it looks worse than its parent or the baseline.

    Levels are credited, and credit fades as unselected runs arrive, so what is compared is the best guess of either; it
    must be `MARGIN` standard errors below, for a change that is flat costs nothing, and taking back a true gain does. A
    change that was kept without a gain (flat and simpler, needed later) must be as far below as no flat one is.
    """
    board = evidence.board
    arm = board.incumbent
    if arm == BASELINE or evidence.arm(arm).pending:
        return None
    if not any(t.arm == arm and t.purpose in UNSELECTED and t.value is not None for t in board.trials):
        return None
    for rival in dict.fromkeys((evidence.parent(arm), BASELINE)):
        if _stands(evidence, rival) and (lost := _lost(evidence, arm, rival)):
            return Demote(arm, rival, lost)
    return None


def _stands(evidence: Evidence, arm: str) -> bool:
    """Whether an arm may be built upon: the baseline, a bundle that ran, an idea that was kept."""
    if arm not in evidence.ideas:
        return arm == BASELINE or arm in evidence.bundles
    verdict = evidence.ideas[arm].verdict
    return verdict is not None and verdict.status is Status.KEEP


def _lost(evidence: Evidence, arm: str, rival: str) -> str:
    """Why the arm is no better than `rival`, empty when it is or when that cannot be told."""
    ours, theirs, effect = evidence.credited(arm), evidence.credited(rival), evidence.compare(arm, rival)
    if ours is None or theirs is None or effect is None or effect.error is None:
        return ""
    margin = MARGIN if _kept_for_its_gain(evidence, arm) else FLAT
    if ours - theirs > -margin * effect.error:
        return ""
    return f"after further runs it is {effect.told()} against {rival}, less after correcting for selection"


def _kept_for_its_gain(evidence: Evidence, arm: str) -> bool:
    verdicts = [evidence.ideas[idea].verdict for idea in evidence.adds(arm) if idea in evidence.ideas]
    return any(v is not None and v.effect is not None and v.effect > 0 for v in verdicts)
