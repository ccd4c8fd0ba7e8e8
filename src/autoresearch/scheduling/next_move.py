"""What to do next: `next_move`, a pure function.

The engine carries a move out, records what happened, and asks again, until the move is `Wait` or `Stop`.

Here are also the moves, one frozen value each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import PluginError
from autoresearch.experiment.board import Advice, Board, Combine, Demote, Done, Measure, Propose, Rest, Settle, Trial
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Objective
from autoresearch.scheduling import exploration, yardstick
from autoresearch.scheduling.exploration import canary_for, hold_for, left_over, resting, unspent
from autoresearch.scheduling.lineages import placed
from autoresearch.scheduling.own_rulings import baseline_verdict, crash_to_mend, memory_to_spare
from autoresearch.scheduling.stop_check import Outlook
from autoresearch.scheduling.yardstick import Remeasure
from autoresearch.verdict.drift import beside_drift
from autoresearch.verdict.plausible import gated


@dataclass(frozen=True)
class OpenBaseline:
    """Make the baseline's branch: an empty, signed-off commit on the base commit."""


@dataclass(frozen=True)
class Explore:
    """Ask a researcher for one hypothesis on top of `parent` and commit it; or put the line `crosses` on it."""

    parent: str
    why: str
    crosses: str = ""


@dataclass(frozen=True)
class Reopen:
    """Finish an attempt that has its index but no commit yet (a crash of ours came between)."""

    index: int


@dataclass(frozen=True)
class Launch:
    """Start one run of `arm`."""

    arm: str
    seed: int
    purpose: Purpose
    why: str


@dataclass(frozen=True)
class MakeBundle:
    """Merge several experiments on one branch."""

    name: str
    ideas: tuple[str, ...]
    parent: str
    why: str


@dataclass(frozen=True)
class Judge:
    """Write the verdict of `experiment` down for good."""

    experiment: str
    verdict: Verdict
    incumbent: str | None


@dataclass(frozen=True)
class StepBack:
    """Record that `arm` is no longer the incumbent: later ideas start from `incumbent`."""

    arm: str
    incumbent: str
    why: str


@dataclass(frozen=True)
class Repair:
    """Let the researcher mend a trivial crash of `experiment` on its branch, then run it again."""

    experiment: str
    crash: str
    by_hand: bool = False
    """Whether whoever opened it by hand has mended it in their worktree."""
    reduce: bool = False
    """Whether it ran out of memory: what it enlarged is halved, by us."""


@dataclass(frozen=True)
class Ask:
    """Ask a person whether a launch may go ahead; it waits until they answer."""

    request: str
    arm: str
    question: str
    gpu_hours: float


@dataclass(frozen=True)
class CancelAll:
    """End every run in flight: a person asked to stop now."""

    reason: str


@dataclass(frozen=True)
class Unask:
    """End whoever is thinking, and give up what they were asked for: nothing would come of it any more."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do until a run ends or a person speaks."""

    why: str


@dataclass(frozen=True)
class Stop:
    """The campaign is over (`final`), a person asked for its end, or its launcher takes no run (`refused`)."""

    reason: str
    final: bool = True
    refused: bool = False


Move = (
    OpenBaseline | Explore | Reopen | Launch | MakeBundle | Remeasure | Judge | StepBack | Repair | Ask
    | CancelAll | Unask | Wait | Stop
)  # fmt: skip


_PAUSED, _SPENT = "paused by {0.by}: {1}", "no further run fits the budget"
_THINKING = "waiting for a researcher that thinks"
_REST_FIRST_S, _SOON_S, _REST_MOST_S, _TROUBLES = 60.0, 0.5, 1800.0, 12

Chooser = Callable[[History, CampaignConfig, Policy, Objective, Outlook], Move]
"""What says what to do next: `next_move`, or another that asks it."""


def board(history: History, campaign: CampaignConfig, objective: Objective, view: Outlook) -> Board:
    """The campaign as the verdict policy sees it: a run that rests before it is made again is still to come."""
    room = view.runs_left != 0
    rests = (rest.trial() for rest in resting(history, view.now) if not history.has_yardstick(rest.arm)) if room else ()
    return Board(
        objective=objective,
        settings=campaign.settings(),
        ideas=history.ideas(),
        trials=(*history.trials(room=room), *rests),
        bundles=history.board_bundles(),
        incumbent=history.incumbent,
        may_explore=view.may_explore,
        runs_left=view.runs_left,
        runs_total=view.runs_total,
        no_more_ideas=history.exhausted,
        ideas_left=view.stop.remaining_experiments,
        supply=view.supply,
        taken_back=exploration.taken_from(history),
        made_again=len(history.made_again(BASELINE)) if room else 0,
    )


def next_move(history: History, campaign: CampaignConfig, policy: Policy, objective: Objective, view: Outlook) -> Move:
    """The one next thing to do; as long as somebody thinks there is no end but one that makes it pointless.

    Args:
        history: The campaign so far.
        campaign: The campaign file.
        policy: The verdict policy.
        objective: What better means.
        view: What the rest of the budget can hold, from `budget.outlook`.

    Raises:
        PluginError: The policy's advice cannot be followed, or would be given again for ever.
    """
    move = _next(history, campaign, policy, objective, view)
    if not view.asked or not isinstance(move, Stop):
        return move
    over = view.runs_left == 0 or (view.stop.met and view.stop.trigger != "count")
    given_up = history.stop.now if history.stop else over
    return Unask(move.reason) if given_up else Wait(_THINKING)


def _next(history: History, campaign: CampaignConfig, policy: Policy, objective: Objective, view: Outlook) -> Move:
    flying = history.in_flight()
    if history.stop is not None:
        return _wind_down(history, flying)
    torn = history.opened_uncommitted(view.asked)
    if torn is not None and (view.asking or torn.index == 1):
        return Reopen(torn.index)
    if history.baseline is None and (paused := history.paused):
        return Wait(_PAUSED.format(paused, paused.reason or "no reason given"))
    if history.baseline is None:
        return OpenBaseline()
    if repair := _repair(history, campaign):
        return repair
    special = yardstick.advise(history, campaign, policy, objective, view.runs_left)
    if isinstance(special, yardstick.Remeasure):
        return special
    seen = board(history, campaign, objective, view)
    advice = exploration.on_its_seed(history, gated(special or _advice(policy, history, seen), seen))
    if (first := baseline_verdict(history, advice)) is not None:
        return Judge(BASELINE, first, None)
    if isinstance(advice, Settle):
        if history.baseline.judged is None:
            return Wait("the baseline's row comes first")
        if (held := _held(history, campaign, advice, view)) is not None:
            return held
        return Judge(advice.idea, beside_drift(advice.verdict, seen), advice.incumbent)
    if history.paused is not None:
        return Wait(_PAUSED.format(history.paused, history.paused.reason or "no reason given"))
    if isinstance(advice, Propose) and (troubled := _troubled(history, view)):
        return troubled
    if (held := _held(history, campaign, advice, view)) is not None:
        return held
    if isinstance(advice, Measure) and (held := _approval(history, campaign, advice, view)):
        return held
    if ahead := _ahead(history, campaign, policy, seen, advice, view):
        return ahead
    advice = placed(history, seen, campaign.lineages, advice) if isinstance(advice, Propose) else advice
    move = _from_advice(advice, campaign, view, flying, history.exhausted_because)
    if isinstance(move, Stop) and view.runs_left != 0 and (rests := resting(history, view.now)):
        return Wait(rests[0].sentence(view.now))
    return replace(move, reason="; ".join([move.reason, *left_over(history)])) if isinstance(move, Stop) else move


def _ahead(
    history: History, campaign: CampaignConfig, policy: Policy, seen: Board, advice: Advice, view: Outlook
) -> Explore | None:
    """An idea to ask for while no slot is free, as the policy would with a slot for each run that it wants before."""
    used, slots, rules = len(history.in_flight()), campaign.launcher.parallel, campaign.lineages
    room = slots + view.ahead - used - len(view.asked)
    if not view.ahead or used < slots or not (history.baseline and history.baseline.judged):
        return None
    while isinstance(advice, Measure) and room > 0:
        order = len(history.runs) + len(seen.trials)
        trial = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, pending=True, order=order)
        left = None if seen.runs_left is None else max(0, seen.runs_left - 1)
        seen, room = replace(seen, trials=(*seen.trials, trial), runs_left=left), room - 1
        advice = gated(_advice(policy, history, seen), seen)
    may = room > 0 and _may_ask(view) and not _troubled(history, view)
    if not may or not isinstance(advice, Propose):
        return None
    advice = placed(history, seen, rules, advice)
    return Explore(advice.parent, advice.why, advice.crosses)


def _may_ask(view: Outlook) -> bool:
    """Whether one more researcher may be asked: there is a run for its idea too, and whoever is next can be."""
    return view.may_explore and not view.busy and (view.runs_left is None or view.runs_left > len(view.asked))


def _advice(policy: Policy, history: History, seen: Board) -> Advice:
    """A policy's advice; an idea that the budget left without a run that counts is nobody's failure and stays open."""
    while True:
        advice = _checked(policy.name, policy.advise(seen), history, seen)
        if not (isinstance(advice, Settle) and seen.runs_left == 0 and unspent(history, advice)):
            return advice
        ideas = tuple(idea for idea in seen.ideas if idea.name != advice.idea)
        trials = tuple(trial for trial in seen.trials if trial.arm != advice.idea)
        seen = replace(seen, ideas=ideas, trials=trials)


def _checked(name: str, advice: object, history: History, seen: Board) -> Advice:
    """A policy's advice, when it can be followed and leads somewhere: policies come from other packages too."""
    if not isinstance(advice, Advice):
        raise PluginError(
            f"policy {name!r} answered {advice!r}, which is no advice; autoresearch.ports.policy lists them"
        )
    known = {BASELINE, *(entry.name for entry in history.experiments.values() if entry.committed), *history.bundles}
    named = [getattr(advice, part, None) for part in ("arm", "idea", "incumbent", "parent")]
    if strange := [arm for arm in named if arm is not None and arm not in known]:
        raise PluginError(f"policy {name!r} speaks of {strange[0]!r}, which is no experiment of this campaign")
    if isinstance(advice, Settle):
        entry = history.experiment(advice.idea) if advice.idea not in history.bundles else None
        stands = entry.judged.verdict if entry and entry.judged else None
        held = gated(advice, seen)
        said = [one.verdict for one in (advice, held) if isinstance(one, Settle)]
        again = stands is not None and any(stands in (one, beside_drift(one, seen)) for one in said)
        if again and advice.incumbent in (None, history.incumbent):
            raise PluginError(f"policy {name!r} settles {advice.idea} once more with the verdict that it has")
    return advice


def _troubled(history: History, view: Outlook) -> Move | None:
    """Researchers in trouble are asked again after a minute, then after two, four, ... at most half an hour."""
    if not history.troubles:
        return None
    last, count = history.troubles[-1], len(history.troubles)
    again = last.at + min(_REST_MOST_S, (_SOON_S if last.soon else _REST_FIRST_S) * 2 ** (count - 1))
    if count >= _TROUBLES and not history.in_flight():
        return Stop(f"no researcher could propose, {count} times in a row; last: {last.reason}", final=False)
    return Wait(f"researchers rest until asked again: {last.reason}") if view.now < again else None


def _held(history: History, campaign: CampaignConfig, advice: Advice, view: Outlook) -> Move | None:
    """The canary, or waiting for it, while the machine is suspected or an end is in doubt; None when work may go on."""
    hold = hold_for(history, advice, view.now)
    canary = canary_for(history, hold.why) if hold and view.runs_left != 0 else None
    if hold is None or canary is None:
        return None
    flying = history.in_flight()
    sent = any(run.planned.purpose is Purpose.CANARY for run in flying)
    if sent or view.now < hold.until or len(flying) >= campaign.launcher.parallel:
        return Wait(hold.why)
    if history.paused is not None:
        return Wait(_PAUSED.format(history.paused, history.paused.reason or "no reason given"))
    return _approval(history, campaign, canary, view) or Launch(canary.arm, canary.seed, canary.purpose, canary.why)


def _approval(history: History, campaign: CampaignConfig, advice: Measure, view: Outlook) -> Move | None:
    """Costly launches wait for a person (R13); None when this one may go ahead."""
    limit = campaign.approval.ask_above_gpu_hours
    if campaign.approval.launch == "auto" and (limit is None or view.run_gpu_hours <= limit):
        return None
    request = f"{advice.arm}/{len(history.runs_of(advice.arm)) + 1}"
    answer = history.answers.get(request)
    if answer is not None and answer.granted:
        return None
    if answer is None:
        question = f"launch {request} ({advice.purpose}, seed {advice.seed})? {advice.why}"
        asked = request in history.approvals
        return Wait(f"waiting for approval: {question}") if asked else Ask(
            request, advice.arm, question, view.run_gpu_hours
        )  # fmt: skip
    return _denied(history, advice.arm, f"launch denied by {answer.by}: {answer.reason or 'no reason given'}")


def _denied(history: History, arm: str, why: str) -> Move:
    """A denied experiment is discarded; without the baseline, or at the confirmation, there is nothing left to do."""
    idea = next((entry for entry in history.experiments.values() if entry.name == arm), None)
    if idea is None or idea.name == BASELINE or idea.judged:
        return Wait(why) if history.in_flight() else Stop(why)
    if history.baseline is None or not history.baseline.judged:
        return Wait("the baseline's row comes first")
    return Judge(arm, Verdict(status=Status.DISCARD, reason=why, by="engine"), None)


def _from_advice(advice: Advice, campaign: CampaignConfig, view: Outlook, flying: list[Run], idle: str) -> Move:
    slots = campaign.launcher.parallel
    full = len(flying) >= slots
    told = view.stop.sentence if view.stop.met or view.runs_left != 0 else f"{_SPENT}: {view.stop.sentence}"
    match advice:
        case Demote():
            return StepBack(advice.arm, advice.incumbent, advice.why)
        case Combine():
            return MakeBundle(advice.name, advice.ideas, advice.parent, advice.why)
        case Propose() | Measure() if full:
            return Wait(f"{len(flying)} of {slots} slots in use")
        case Measure() if view.runs_left == 0:
            return Wait(_SPENT) if flying else Stop(f"{_SPENT}: {view.stop.sentence}")
        case Propose() if not view.may_explore:
            return Wait("no further experiment fits the budget") if flying else Stop(told)
        case Propose() if view.asked and (not _may_ask(view) or len(flying) + len(view.asked) >= slots + view.ahead):
            return Wait(_THINKING)
        case Propose():
            return Explore(advice.parent, advice.why, advice.crosses)
        case Measure():
            return Launch(advice.arm, advice.seed, advice.purpose, advice.why)
        case Rest() if flying:
            return Wait(advice.why)
        case Done() if flying:
            return Wait("waiting for runs in flight")
        case Done() | Rest():
            return Stop("; ".join(filter(None, (advice.why, idle, told))))
        case _:
            raise AssertionError(f"advice nobody carries out: {advice!r}")


def _wind_down(history: History, flying: list[Run]) -> Move:
    stop = history.stop
    assert stop is not None  # noqa: S101 - the caller looked
    if stop.now and any(not run.cancelled and run.ended is None for run in flying):
        return CancelAll(stop.reason or f"stopped by {stop.by}")
    if flying:
        return Wait(f"stopping for {stop.by}: {len(flying)} waiting for runs in flight")
    return Stop(f"stopped by {stop.by}{': ' + stop.reason if stop.reason else ''}", final=False)


def _repair(history: History, campaign: CampaignConfig) -> Repair | None:
    """A trivial crash (typo, import, shape) of an open experiment is mended before it is judged."""
    for entry in history.tally.open.values():
        if crash := crash_to_mend(history, campaign, entry):
            return Repair(entry.name, crash)
        if crash := memory_to_spare(history, entry):
            return Repair(entry.name, crash, reduce=True)
    return None
