"""One idea at a time: the order of work that the greedy, sequential and strict policies share.

An idea made from an arm that is no longer the incumbent (several slots, an incumbent that moved meanwhile) is judged
against its own parent first; if it is good there, it is merged on top of the incumbent and must be good there too.
When it cannot be merged it must beat the incumbent as it is.

An incumbent that further runs do not bear out: later ideas start from what it was built on.

The start of every campaign: the baseline first, and nothing without it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from autoresearch.experiment.board import (
    Advice,
    Board,
    Bundle,
    Combine,
    Demote,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
)
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict
from autoresearch.verdict import shared_rules
from autoresearch.verdict.effect import Effect
from autoresearch.verdict.evidence import UNSELECTED, Evidence
from autoresearch.verdict.policies.closing import bundle_name, closing, largest_reserve, reserve
from autoresearch.verdict.shared_rules import FLAT

_CRASHES = 2
"""A crashed baseline is tried once more, not twice."""


def opening(evidence: Evidence, wanted: int) -> Advice | None:
    """What the baseline still needs, None once ideas may be tried.

    The baseline runs alone until its first valid run. Should it crash twice without one, nothing can be judged.
    """
    arm = evidence.arm(BASELINE)
    usable = arm.runs + len(arm.weak)
    if not usable and not arm.pending and arm.failed >= _CRASHES:
        note = f" ({arm.note})" if arm.note else ""
        return Done(f"no valid baseline after {arm.failed} runs{note}; nothing can be judged without one")
    spent = evidence.board.runs_left is not None and evidence.board.runs_left <= 0
    if usable + arm.pending < _affordable(evidence, wanted) and arm.failed < _CRASHES and not spent:
        why = "the baseline, before any idea" if not usable else f"noise: baseline run {usable + 1} of {wanted}"
        return Measure(BASELINE, evidence.next_seed(BASELINE, BASELINE), Purpose.BASELINE, why)
    if usable:
        return None
    if arm.pending:
        return Rest("waiting for the first valid baseline run")
    return Done("no run is left for a valid baseline; nothing can be judged without one")


def _affordable(evidence: Evidence, wanted: int) -> int:
    """Baseline runs wanted, but at most a quarter of a small budget and one more when only plumbing can be seen."""
    if evidence.arm(BASELINE).weak and not evidence.whole_runs_exist:
        return 1
    total = evidence.board.runs_total
    if total is None or evidence.settings.baseline_runs is not None:
        return max(1, wanted)
    return max(1, min(wanted, total // 4))


MARGIN = 0.5
"""Standard errors below which an incumbent is taken back; at zero, two in five of those taken back were true gains."""


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


class Ruling(NamedTuple):
    """What a rule says of a candidate."""

    status: Status
    reason: str


@dataclass(frozen=True)
class Contest:
    """A candidate against a reference, as far as runs show.

    Attributes:
        idea: The idea under judgement.
        arm: What ran for it: the idea itself, or its merge onto the incumbent.
        against: The reference arm.
        effect: The comparison.
        last: No further run can be had for it.
    """

    idea: Idea
    arm: str
    against: str
    effect: Effect
    last: bool


class OneAtATime:
    """A policy that proposes, runs and judges ideas singly; subclasses give the rule."""

    name: str = ""
    credit: bool = True

    def baseline_runs(self, settings: PolicySettings) -> int:
        """Three, or what the campaign file says: the least that shows noise."""
        return 3 if settings.baseline_runs is None else max(1, settings.baseline_runs)

    def advise(self, board: Board) -> Advice:
        """Baseline, then open ideas, then new ones, then fresh seeds."""
        evidence = Evidence(board)
        return (
            opening(evidence, self.baseline_runs(board.settings)) or self.work(evidence) or finish(evidence, self.name)
        )

    def work(self, evidence: Evidence) -> Advice | None:
        """Everything between the baseline and the fresh seeds; None when nothing is left to explore or to judge."""
        return self.judge(evidence) or self.aside(evidence) or self.propose(evidence, self.wish(evidence))

    def propose(self, evidence: Evidence, why: str) -> Advice | None:
        """Ask for an idea, but not on top of an incumbent that its own further runs do not bear out."""
        wanted = explore(evidence, why)
        return (demotion(evidence) if wanted else None) or wanted

    def judge(self, evidence: Evidence) -> Advice | None:
        """Verdicts that are due, then runs that open ideas need; None while all of them are under way."""
        wanted = [advice for idea in evidence.open if (advice := self._next(evidence, idea)) is not None]
        order = (Settle, Combine, Measure)
        return min(wanted, key=lambda advice: order.index(type(advice)), default=None)

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        """The verdict on a candidate, None to ask for another run."""
        raise NotImplementedError

    def aside(self, evidence: Evidence) -> Advice | None:
        """A run for the sake of the others, such as an anchor."""
        del evidence
        return None

    def wish(self, evidence: Evidence) -> str:
        """What to say with a request for a new idea."""
        del evidence
        return f"{self.name}: one idea at a time"

    def _next(self, evidence: Evidence, idea: Idea) -> Settle | Combine | Measure | None:
        plain = shared_rules.without_numbers(evidence, idea, self.name)
        if plain is not None:
            return Settle(idea.name, plain)
        arm = evidence.arm(idea.name)
        if not arm.runs:
            return None if arm.pending else self._first(evidence, idea)
        incumbent = evidence.board.incumbent
        merge = _merge(evidence, idea)
        if merge is not None and not merge.conflict:
            return self._merged(evidence, idea, merge)
        if idea.parent == incumbent or merge is not None or _strange(evidence, idea.parent):
            return self._contest(evidence, idea, idea.name, incumbent)
        return self._stale(evidence, idea)

    def _first(self, evidence: Evidence, idea: Idea) -> Settle | Measure:
        if evidence.board.runs_left is not None and evidence.board.runs_left <= 0:
            return Settle(idea.name, shared_rules.never_run(evidence, idea, self.name))
        seed = evidence.next_seed(idea.name, idea.parent)
        return Measure(idea.name, seed, Purpose.EXPLORE, f"first run, on a seed of {idea.parent}")

    def _stale(self, evidence: Evidence, idea: Idea) -> Settle | Combine | Measure | None:
        """The incumbent moved while this idea ran: good against its parent first, then on top of the incumbent."""
        advice = self._contest(evidence, idea, idea.name, idea.parent)
        if not isinstance(advice, Settle) or advice.verdict.status is not Status.KEEP:
            return advice
        if not spares(evidence, 1):
            return self._contest(evidence, idea, idea.name, evidence.board.incumbent)
        if any(_merge_open(evidence, other) for other in evidence.open if other is not idea):
            return None
        why = f"{idea.name} beat {idea.parent}, but the incumbent is now {evidence.board.incumbent}"
        return Combine(bundle_name(evidence, "merge"), (idea.name,), evidence.board.incumbent, why)

    def _merged(self, evidence: Evidence, idea: Idea, merge: Bundle) -> Settle | Measure | None:
        arm = evidence.arm(merge.name)
        if not arm.runs and not arm.pending and not arm.failed and spares(evidence, 1):
            seed = evidence.next_seed(merge.name, merge.parent)
            return Measure(merge.name, seed, Purpose.EXPLORE, f"{idea.name} on top of {merge.parent}")
        if arm.pending:
            return None
        if not arm.runs:
            reason = f"better than {idea.parent}, but it gave no metric on top of the incumbent {merge.parent}"
            effect = evidence.compare(idea.name, idea.parent)
            return Settle(
                idea.name, shared_rules.verdict(evidence, idea.name, Status.DISCARD, reason, effect, by=self.name)
            )
        return self._contest(evidence, idea, merge.name, merge.parent)

    def _contest(self, evidence: Evidence, idea: Idea, arm: str, against: str) -> Settle | Measure | None:
        if evidence.arm(arm).pending:
            return None
        effect = evidence.compare(arm, against, credit=self.credit)
        if effect is None and against != BASELINE:
            against, effect = BASELINE, evidence.compare(arm, BASELINE, credit=self.credit)
        if effect is None:
            reason = f"{against} has no run it could be compared with, so no claim is made and the incumbent stays"
            return Settle(idea.name, shared_rules.verdict(evidence, arm, Status.KEEP, reason, by=self.name))
        tries = effect.runs + evidence.arm(arm).failed
        last = not spares(evidence, 1) or tries >= max(1, evidence.settings.max_runs)
        contest = Contest(idea, arm, against, effect, last)
        ruling = self.rule(evidence, contest)
        if ruling is None and not last:
            why = f"so far {effect.told()}"
            return Measure(arm, evidence.next_seed(arm, against), Purpose.REPEAT, why)
        return self._settle(evidence, contest, ruling or Ruling(Status.DISCARD, "not distinguishable"))

    def _settle(self, evidence: Evidence, contest: Contest, ruling: Ruling) -> Settle:
        place = f" against {contest.against}" if contest.against != BASELINE else ""
        reason = f"{contest.effect.told()}{place}, {ruling.reason}"
        found: Verdict = shared_rules.verdict(
            evidence, contest.arm, ruling.status, reason, contest.effect, by=self.name
        )
        moves = ruling.status is Status.KEEP and contest.against in (evidence.board.incumbent, BASELINE)
        return Settle(contest.idea.name, found, contest.arm if moves else None)


def spares(evidence: Evidence, runs: int) -> bool:
    """Whether so many runs may go into exploring, those kept for fresh seeds set aside."""
    left = evidence.board.runs_left
    if left is None or left - runs >= largest_reserve(evidence):
        return True
    return left - runs >= reserve(evidence)


def coming(evidence: Evidence) -> int | None:
    """Ideas that are still to be proposed at most, None when nothing counts them."""
    board = evidence.board
    return board.ideas_left if board.may_explore and not board.no_more_ideas else 0


def affords(evidence: Evidence, runs: int) -> bool:
    """Whether a run budget gives so many runs to every idea that is open or still to come."""
    more = coming(evidence)
    if more is None or evidence.board.runs_left is None:
        return False
    return spares(evidence, runs * (more + len(evidence.open)))


def explore(evidence: Evidence, why: str) -> Advice | None:
    """Ask for an idea on top of the incumbent, if the stop rule, the researchers and the budget still allow one."""
    board = evidence.board
    if not board.may_explore or board.no_more_ideas or not spares(evidence, 1):
        return None
    return Propose(board.incumbent, why)


def finish(evidence: Evidence, by: str) -> Advice:
    """Wait for open ideas, settle those that nothing can judge any more, then fresh seeds."""
    if not evidence.open:
        return closing(evidence)
    if evidence.pending:
        return Rest("waiting for runs of open ideas")
    idea = evidence.open[0]
    seen = evidence.arm(idea.name).runs or evidence.arm(idea.name).weak
    status = Status.DISCARD if seen else Status.CRASH
    reason = (
        "no run is left in the budget to judge it"
        if seen
        else "the run budget ended before a run of it could be judged"
    )
    return Settle(idea.name, shared_rules.verdict(evidence, idea.name, status, reason, by=by))


def _strange(evidence: Evidence, arm: str) -> bool:
    return not evidence.arm(arm).runs


def _merge(evidence: Evidence, idea: Idea) -> Bundle | None:
    """The merge of this idea alone onto the present incumbent."""
    wanted = ((idea.name,), evidence.board.incumbent)
    return next((b for b in evidence.board.bundles if (b.ideas, b.parent) == wanted), None)


def _merge_open(evidence: Evidence, idea: Idea) -> bool:
    merge = _merge(evidence, idea)
    return merge is not None and not merge.conflict
