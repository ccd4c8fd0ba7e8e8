"""What every verdict policy is made of: an order of work and a rule, between one beginning and one end.

A *rule* judges a candidate by what its runs show. An *order* says what is worked on next, and asks the rule. Both are
plain functions that know nothing of each other, so any rule can stand in any order; a policy names the two, and may
choose them anew for every board.

The end is the same for each: fresh seeds for what is about to be claimed, and each kept change left out in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from autoresearch.experiment.board import Advice, Board, Combine, Done, Idea, Measure, PolicySettings, Rest, Settle
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.run.chosen_value import without_log
from autoresearch.verdict import shared_rules
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.claims import Standing, whole_claim
from autoresearch.verdict.evidence import FRESH, Evidence, Reader
from autoresearch.verdict.policies.reserve import PAIRS, largest_reserve, pairs_needed
from autoresearch.verdict.power import MOST_PAIRS

_CRASHES = 2
"""A crashed baseline is tried once more, not twice."""


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
        last: No further run can be had for it, or none would tell more.
    """

    idea: Idea
    arm: str
    against: str
    effect: Effect
    last: bool


class Rule(Protocol):
    """Judges a candidate by numbers, and by nothing that is not in its arguments."""

    def __call__(self, evidence: Evidence, contest: Contest, /) -> Ruling | None:
        """The verdict, None to ask for another run; where the contest is the last, None is a discard."""
        ...


class Order(Protocol):
    """Says what is done next between the baseline and the fresh seeds, and by nothing that is not in its arguments."""

    def __call__(self, evidence: Evidence, way: "WayOfJudging", /) -> Advice | None:
        """Verdicts that are due, runs that open ideas need, the next idea; None when nothing is left of these."""
        ...


def nothing_aside(evidence: Evidence) -> Advice | None:
    """No runs but those that ideas need."""
    del evidence
    return None


@dataclass(frozen=True, kw_only=True)
class WayOfJudging:
    """How a board is judged.

    Attributes:
        by: The policy's name, as verdicts bear it.
        order: What is worked on next.
        rule: What is kept.
        credit: Whether an incumbent is compared with the luck that got it kept taken out.
        aside: A run for the sake of the others, such as an anchor, when it is due.
        why: What to say with a request for an idea that is to be worked on by itself.
    """

    by: str
    order: Order
    rule: Rule
    credit: bool = True
    aside: Callable[[Evidence], Advice | None] = nothing_aside
    why: str = ""


def as_allowed(experiments: int, settings: PolicySettings) -> tuple[int, int]:
    """Runs that so many ideas take where nothing more is known: one each, up to what the campaign file allows."""
    return experiments, experiments * max(1, settings.max_runs)


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A verdict policy made of functions; see `ports.policy.Policy`.

    Attributes:
        name: What the campaign file calls it.
        choose: The way of judging for a board whose baseline is done.
        baseline: Baseline runs wanted where the campaign file does not say; three is the least that shows noise.
        spends: Runs that so many ideas take under these settings, at least and at most, anchors included.
        tells: What a plan is told where the stop rule counts ideas, and where it does not; empty for nothing.
        reader: Reads the boards; it makes the next one cheaper and changes no advice.
    """

    name: str
    choose: Callable[[Evidence], WayOfJudging]
    baseline: int = 3
    spends: Callable[[int, PolicySettings], tuple[int, int]] = as_allowed
    tells: tuple[str, str] = ("", "")
    reader: Reader = field(default_factory=Reader, compare=False, repr=False)

    def baseline_runs(self, settings: PolicySettings) -> int:
        """Its own number, or what the campaign file says."""
        return self.baseline if settings.baseline_runs is None else max(1, settings.baseline_runs)

    def exploring(self, experiments: int, settings: PolicySettings) -> tuple[int, int]:
        """Runs that so many ideas take, at least and at most."""
        return self.spends(experiments, settings)

    def told(self, *, counted: bool) -> str:
        """What a plan says of it under such a stop rule."""
        return self.tells[0 if counted else 1]

    def advise(self, board: Board) -> Advice:
        """Baseline, then open ideas, then new ones, then fresh seeds."""
        evidence = Evidence(board, self.reader)
        return opening(evidence, self.baseline_runs(board.settings)) or self._work(evidence)

    def _work(self, evidence: Evidence) -> Advice:
        way = self.choose(evidence)
        return way.order(evidence, way) or finish(evidence, way.by)


def always(way: WayOfJudging) -> Callable[[Evidence], WayOfJudging]:
    """The choice of a policy that judges every board in one way."""
    return lambda _: way


def opening(evidence: Evidence, wanted: int) -> Advice | None:
    """What the baseline still needs, None once ideas may be tried.

    The baseline runs alone until its first valid run. Should it crash twice without one, nothing can be judged.
    """
    arm = evidence.arm(BASELINE)
    usable = arm.runs + len(arm.weak)
    if not usable and not arm.pending and arm.failed >= _CRASHES:
        told = without_log(arm.note)
        note = f" ({told})" if told else ""
        made = arm.failed + evidence.board.made_again  # nothing but the baseline was run yet
        return Done(f"no valid baseline after {made} runs{note}; nothing can be judged without one")
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


@dataclass(frozen=True)
class _Fresh:
    """Fresh seeds of the incumbent and of the baseline, as tried."""

    head: tuple[int, ...]
    base: tuple[int, ...]
    ablated: int


def closing(evidence: Evidence) -> Advice:
    """The next fresh run, or `Done` with what it showed. Call it when every idea is settled."""
    board = evidence.board
    if board.incumbent == BASELINE or evidence.settings.confirm <= 0:
        return _end(evidence)
    left = board.runs_left
    fresh = _fresh(evidence)
    allowance = _allowance(evidence) - len(fresh.head) - len(fresh.base) - fresh.ablated
    if left is not None:
        allowance = min(allowance, left)
    unpaired = [seed for seed in fresh.head if seed not in fresh.base]
    if _told_by_one(evidence):
        return (_ablate(evidence, fresh) if allowance >= 1 else None) or _end(evidence)
    if unpaired and (left is None or left > 0):
        return Measure(BASELINE, unpaired[0], Purpose.CONFIRM, "the baseline on the same fresh seed")
    if len(fresh.head) < _pairs(evidence) and allowance >= (1 if evidence.repeatable else 2):
        return Measure(board.incumbent, evidence.fresh_seed(), Purpose.CONFIRM, "a fresh seed, not used for selection")
    return (_ablate(evidence, fresh) if allowance >= 1 else None) or _end(evidence)


def _told_by_one(evidence: Evidence) -> bool:
    """Whether the incumbent's fresh seed gave what its other run did, as every seed does: then no further one helps."""
    incumbent = evidence.board.incumbent
    return evidence.repeatable and any(
        trial.arm == incumbent and trial.purpose is Purpose.CONFIRM and (trial.pending or trial.value is not None)
        for trial in evidence.board.trials
    )


def _allowance(evidence: Evidence) -> int:
    """Fresh runs in all; without a run budget the same share of the runs that were made.

    What a run budget still holds when no idea wants it goes into leaving each kept change out `PAIRS` times.
    """
    if largest_reserve(evidence):
        return max(_for_pairs(evidence), 2 * PAIRS + PAIRS * len(evidence.held))
    return _for_pairs(evidence)


def _for_pairs(evidence: Evidence) -> int:
    held = largest_reserve(evidence)
    if held:
        return max(held, 2 * PAIRS)
    share = min(0.9, evidence.settings.confirm)
    chose = sum(trial.purpose not in FRESH for trial in evidence.board.trials)
    return max(2 * PAIRS, round(chose * share / (1 - share)))


def _pairs(evidence: Evidence) -> int:
    """Pairs wanted: as many as the share allows, or, with several kept changes to leave out one by one, as needed."""
    wanted = pairs_needed(evidence) if len(_kept(evidence)) > 1 else MOST_PAIRS
    return max(PAIRS, min(wanted, _for_pairs(evidence) // 2))


def _fresh(evidence: Evidence) -> _Fresh:
    board = evidence.board
    head = tuple(t.seed for t in board.trials if t.arm == board.incumbent and t.purpose is Purpose.CONFIRM)
    base = tuple(t.seed for t in board.trials if t.arm == BASELINE and t.purpose is Purpose.CONFIRM)
    return _Fresh(head, tuple(seed for seed in base if seed in head), _ablations(evidence))


def _ablations(evidence: Evidence) -> int:
    return sum(trial.purpose is Purpose.ABLATE for trial in evidence.board.trials)


def _kept(evidence: Evidence) -> tuple[str, ...]:
    """The kept ideas inside the incumbent, oldest first."""
    return evidence.held


def _ablate(evidence: Evidence, fresh: _Fresh) -> Advice | None:
    """The incumbent without one kept change, on the incumbent's fresh seeds: every change once before any twice."""
    kept = _kept(evidence)
    if len(kept) < 2:
        return None
    for turn in fresh.head:
        for idea in kept:
            rest = tuple(other for other in kept if other != idea)
            made = next((b for b in evidence.board.bundles if b.parent == BASELINE and b.ideas == rest), None)
            if made is None:
                return Combine(_without(evidence, idea), rest, BASELINE, f"everything kept but {idea}")
            tried = [t.seed for t in evidence.board.trials if t.arm == made.name]
            if not made.conflict and turn not in tried:
                return Measure(made.name, turn, Purpose.ABLATE, f"the incumbent without {idea}")
    return None


def _without(evidence: Evidence, idea: str) -> str:
    """A name that says which idea is left out; with a number where something is called so already."""
    name = f"without-{idea}"
    return bundle_name(evidence, name) if name in {*evidence.ideas, *evidence.bundles} else name


def bundle_name(evidence: Evidence, kind: str) -> str:
    """A name for a new bundle that nothing on the board has yet: `merge-2`."""
    taken = {*evidence.ideas, *evidence.bundles, BASELINE}
    number = len(evidence.board.bundles) + 1
    while f"{kind}-{number}" in taken:
        number += 1
    return f"{kind}-{number}"


def _end(evidence: Evidence) -> Advice:
    if evidence.pending:
        return Rest("waiting for the last runs")
    incumbent = evidence.board.incumbent
    if incumbent == BASELINE:
        return Done("nothing beat the baseline, so nothing is left to confirm")
    whole = whole_claim(evidence)
    if whole is None or whole.effect is None:
        return Done(f"{incumbent} is the best kept; no fresh run could confirm it")
    if whole.standing is Standing.MEASURED:
        return Done(f"{incumbent} against the baseline: measured, {whole.effect:+.3g}, the same on each seed")
    interval = "(noise not measured)" if whole.low is None else f"[{whole.low:+.3g}, {whole.high:+.3g}]"
    seeds = f"{whole.runs} fresh seed{'s' * (whole.runs != 1)}"
    said = "unverified, by the runs' own word" if whole.standing is Standing.UNVERIFIED else whole.standing
    return Done(f"{incumbent} against the baseline: {said}, {whole.effect:+.3g} {interval} on {seeds}")
