"""The verbs with which a person or an agent drives single experiments; the campaign's rules hold for each of them.

Besides, the rehearsal of a plan that is not written yet.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from autoresearch.campaign import beginning, controller, opening, preflight
from autoresearch.campaign.controller import Reporter, write_report
from autoresearch.campaign.own_script.rehearsal import clear_abandoned
from autoresearch.campaign.plan import Plan
from autoresearch.campaign.standing import judged_value, reading_of
from autoresearch.campaign.status import DrivenExperiment, Judged, driven
from autoresearch.campaign.tracking import tell_trackers
from autoresearch.engine import by_hand, first_runs
from autoresearch.engine.context import Context
from autoresearch.engine.loop import Loop
from autoresearch.engine.settlement import publish
from autoresearch.errors import CampaignError, UsageError
from autoresearch.experiment.events import Event
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import AREAS, Hypothesis
from autoresearch.git import refs
from autoresearch.machine import disk, lock_owner
from autoresearch.machine.clock import SteadyClock
from autoresearch.machine.turns import SharedTurn
from autoresearch.ports.target import Rehearsable
from autoresearch.records import finding, volume
from autoresearch.records.paths import EXCLUDED
from autoresearch.report import event_lines
from autoresearch.scheduling.by_hand import Dropping, Errand, resume_first
from autoresearch.scheduling.next_move import Chooser, Stop

DROPPED = "dropped by"
"""First words of the row of an experiment that was given up."""

_TITLE, _WORDS = 200, 4000
"""Characters that the title, and all the other words of a hypothesis, may have."""

_AREA = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")


def _nothing(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Onlooker:
    """Who is told while runs are followed.

    Attributes:
        listen: Called with every event.
        say: Called with every event that a person would read, as one line; None for nobody.
        poll: Called after every look at the jobs.
        poll_s: Seconds between two looks.
    """

    listen: Callable[[Event], None] = _nothing
    poll: Callable[[], None] = _nothing
    poll_s: float = 0.5
    say: Callable[[str], None] | None = None


@dataclass(frozen=True)
class ByHand:
    """Experiments of one campaign, driven one by one.

    Attributes:
        where: Directory the caller stands in.
        name: Campaign name; None means the one worked on last.
        clock: Unix time in seconds.
        by: Who drives them.
    """

    where: Path
    name: str | None
    clock: Callable[[], float]
    by: str

    def open(self, idea: Hypothesis) -> DrivenExperiment:
        """Open an experiment on its own branch and worktree; an open one of the same title is returned as it is.

        Raises:
            UsageError: Its words are not what a row, a commit and a brief can hold.
            CampaignError: The plan is not approved, the campaign rests, or its stop rule allows no further experiment.
            HeldError: A controller is at work.
        """
        _check_words(idea)
        with self._working() as (ctx, _, _):
            entry = by_hand.open_experiment(ctx, idea, self.by)
            return _shown(ctx, entry)

    def run(self, index: int, onlooker: Onlooker = Onlooker(), *, take_over: bool = False) -> DrivenExperiment:
        """Hand an experiment in and follow its runs until the verdict policy would judge it; the baseline goes first.

        Raises:
            CampaignError: The guards object to what stands in its worktree; nothing is committed.
            HeldError: A controller is at work.
        """
        with self._working(onlooker, index=index, take_over=take_over) as (ctx, reporter, turn):
            entry = _driven_by_hand(ctx, index)
            if not entry.judged:
                mended = by_hand.hand_in(ctx, entry)
                _work(ctx, reporter, onlooker, Errand(index, mended=mended), turn=turn)
            return _shown(ctx, ctx.history.experiments[index])

    def detach(self, index: int, poll_s: float = 0.5, *, take_over: bool = False) -> int:
        """Hand an experiment in and let its runs be followed by a process of its own; returns its process id.

        Raises:
            CampaignError: As for `run`.
            HeldError: A controller is at work.
        """
        with self._working(take_over=take_over) as (ctx, _, _):
            by_hand.hand_in(ctx, _driven_by_hand(ctx, index))
            paths = ctx.paths
        return controller.detach(paths, "experiment", "run", str(index), poll_s=poll_s)

    def following(self, index: int, process_id: int | None = None) -> bool:
        """Whether somebody follows an experiment's runs, or a process that `detach` has started is about to."""
        paths = finding.find(self.where, self.name)
        return finding.followed(paths, index) or (process_id is not None and lock_owner.is_running(process_id))

    def judge(self, index: int, onlooker: Onlooker = Onlooker()) -> Judged:
        """The verdict of the campaign's policy, with row, note, session memory and report; twice is fine.

        Raises:
            CampaignError: The policy cannot judge yet; the message says what it lacks.
        """
        with self._working(onlooker, resting=True) as (ctx, reporter, _):
            entry = _driven_by_hand(ctx, index)
            if not entry.committed:
                raise CampaignError(
                    f"experiment {index} has not been run, so there is nothing to judge; run it with: "
                    f"{resume_first(ctx.history)}autoresearch experiment run {index}"
                )
            if not entry.judged:
                stop = _work(ctx, reporter, onlooker, Errand(index, judge=True), resting=True)
                if not entry.judged:
                    raise CampaignError(
                        f"experiment {index} cannot be judged yet: {stop.reason}; go on with: "
                        f"{resume_first(ctx.history)}autoresearch experiment run {index}"
                    )
            return _closed(ctx, entry)

    def drop(self, index: int, reason: str, onlooker: Onlooker = Onlooker()) -> Judged:
        """Drop an experiment: its runs end, its branch stays, its row says `discard` and why.

        Raises:
            CampaignError: It has its verdict already, or was not opened by hand.
        """
        if not reason.strip():
            raise UsageError("dropping an experiment needs a reason: --reason '...'")
        with self._working(onlooker, resting=True) as (ctx, reporter, _):
            entry = _driven_by_hand(ctx, index)
            if entry.judged:
                return _dropped_before(ctx, entry)
            if ctx.history.baseline is None or not ctx.history.baseline.judged:
                raise CampaignError(
                    f"the baseline's row comes first, and experiment {index} can be dropped after it; "
                    f"run the baseline with: autoresearch run"
                )
            told = ctx.redactor.clean(f"{DROPPED} {self.by}: {reason.strip()}")
            by_hand.drop(ctx, entry, told)
            _work(ctx, reporter, onlooker, Dropping(index, told, self.by), resting=True)
            return _closed(ctx, entry)

    def listing(self) -> tuple[DrivenExperiment, ...]:
        """Experiments opened by hand, judged ones included, by index."""
        opened = opening.open_campaign(self.where, self.name)
        entries = (entry for _, entry in sorted(opened.history.experiments.items()) if entry.by_hand)
        held, now = finding.at_work(opened.paths), self.clock()
        return tuple(driven(opened.paths, opened.history, opened.campaign, entry, now, held=held) for entry in entries)

    def one(self, index: int, process_id: int | None = None) -> DrivenExperiment:
        """One of them; `process_id` as for `following`."""
        opened = opening.open_campaign(self.where, self.name)
        held = self.following(index, process_id) or finding.at_work(opened.paths)
        entry = _entry(opened.history.experiments, index)
        return driven(opened.paths, opened.history, opened.campaign, entry, self.clock(), held=held)

    # -- inside -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _working(
        self, onlooker: Onlooker | None = None, *, index: int = 0, take_over: bool = False, resting: bool = False
    ) -> Iterator[tuple[Context, Reporter, SharedTurn]]:
        """The campaign, in a turn of this caller's; refused before its plan is approved, and while it rests."""
        onlooker = onlooker or Onlooker()
        with controller.take_turns(self.where, self.name, index, take_over=take_over) as (opened, turn):
            _may_work(opened, resting=resting)
            clock = SteadyClock(self.clock, not_before=opened.history.last_at)
            context = beginning.make_context(opened, clock, proposing=False)
            told = event_lines.teller(onlooker.say, context.history)
            context.listeners += [onlooker.listen, *([told] if told else [])]
            reporter = Reporter(ctx=context, beat=turn.beat, poll=onlooker.poll)
            first = turn.alone()
            context.shares, context.others = True, not first
            with volume.site_ready(context.paths), tell_trackers(context) if first else contextlib.nullcontext():
                reporter.start()
                yield context, reporter, turn
            if not first and turn.alone():  # who told them has left meanwhile
                with tell_trackers(context):
                    pass


def _check_words(idea: Hypothesis) -> None:
    if not idea.title.strip():
        raise UsageError("an experiment needs a title: the change and its hoped-for effect in one line")
    if odd := next((char for char in idea.title if not char.isprintable()), ""):
        raise UsageError(f"a title is one line of characters that print; take U+{ord(odd):04X} out of it")
    if len(idea.title) > _TITLE:
        raise UsageError(f"a title is one line of at most {_TITLE} characters; say the rest as the reason why")
    if not _AREA.fullmatch(idea.area):
        raise UsageError(f"{idea.area[:40]!r} is no area: give one lower-case word, such as {', '.join(AREAS[2:6])}")
    if idea.expected is not None and not math.isfinite(idea.expected):
        raise UsageError(f"an expected effect of {idea.expected} says nothing; give a number, or leave it out")
    if len(idea.rationale) + sum(map(len, idea.watch)) > _WORDS:
        raise UsageError(f"the reason and what to watch are longer than {_WORDS} characters together; shorten them")


def _may_work(opened: opening.Opened, *, resting: bool) -> None:
    history, name = opened.history, opened.paths.name
    if history.started is None:
        raise CampaignError(
            f"the plan of campaign {name} is not approved, and only a person may do that, with: "
            f"autoresearch approve plan --campaign {name}"
        )
    rest = None if resting else history.stop or history.paused
    if rest:
        word = "stopped" if history.stop else "paused"
        why = f" ({rest.reason})" if rest.reason else ""
        raise CampaignError(
            f"campaign {name} was {word} by {rest.by}{why}; a person lets it go on with: "
            f"autoresearch resume --campaign {name}"
        )


def _entry(experiments: dict[int, Experiment], index: int) -> Experiment:
    if index not in experiments:
        there = ", ".join(str(one) for one, entry in sorted(experiments.items()) if entry.by_hand) or "none"
        raise CampaignError(f"there is no experiment {index}; opened by hand: {there}")
    return experiments[index]


def _driven_by_hand(ctx: Context, index: int) -> Experiment:
    entry = _entry(ctx.history.experiments, index)
    if not entry.by_hand:
        raise CampaignError(
            f"experiment {index} ({entry.name}) is the campaign's own, and not driven by hand; "
            f"the campaign goes on with: autoresearch run"
        )
    return entry


def _dropped_before(ctx: Context, entry: Experiment) -> Judged:
    assert entry.judged is not None  # noqa: S101 - the caller looked
    verdict = entry.judged.verdict
    if not verdict.reason.startswith(DROPPED):
        raise CampaignError(f"experiment {entry.index} has its verdict, {verdict.status}: {verdict.reason}; it stays")
    return _closed(ctx, entry)


def _closed(ctx: Context, entry: Experiment) -> Judged:
    """A judged experiment: its row and note are there, its worktree is gone when its branch holds all of it."""
    publish(ctx, entry)
    if kept := by_hand.tidy(ctx, entry):
        ctx.note(f"{kept} holds edits that are not on {entry.branch}; it stays until somebody removes it")
    write_report(reading_of(ctx), ctx.clock(), ctx.redactor)
    return judged_value(entry, ctx.history)


def _work(
    ctx: Context,
    reporter: Reporter,
    onlooker: Onlooker,
    choose: Chooser,
    *,
    resting: bool = False,
    turn: SharedTurn | None = None,
) -> Stop:
    """Carry an errand out; who has a `turn` lets others act between two looks."""

    def over() -> bool:
        reporter.catch_up(leads=False)
        onlooker.poll()
        return isinstance(choose(ctx.history, ctx.campaign, ctx.policy, ctx.survey.objective, ctx.outlook()), Stop)

    def rest(turn: SharedTurn, seconds: float) -> None:
        turn.rest(seconds, over)
        reporter.catch_up(leads=turn.leads())

    with controller.terminable():
        loop = Loop(
            ctx=ctx, poll_s=onlooker.poll_s, refresh=reporter.refresh, choose=choose, resting=resting,
            sleep=partial(rest, turn) if turn else None,
        )  # fmt: skip
        return loop.run()


def _shown(ctx: Context, entry: Experiment) -> DrivenExperiment:
    """As it stands once this caller has let go of the campaign."""
    return driven(ctx.paths, ctx.history, ctx.campaign, entry, ctx.clock(), held=False)


def rehearse(plan: Plan, clock: Callable[[], float], wait: Callable[[], None]) -> first_runs.Rehearsed:
    """Run a plan's base commit for a few steps as its campaign would, before anything is written or approved.

    Args:
        plan: The campaign.
        clock: Unix time in seconds; it names the run.
        wait: Sleeps between two looks at it.

    Raises:
        AutoresearchError: Its target cannot cut a run, or its launcher does not take it.
    """
    made = controller.job_builder(plan)
    if not isinstance(made.target, Rehearsable):
        raise UsageError(f"target {made.target.name} cannot cut a run to a few steps; `init` rehearses a script")
    if problem := preflight.why_refused(made.launcher, plan.survey, made.look()):
        raise CampaignError(f"launcher {made.launcher.name} is refused: {problem}")
    refs.exclude(plan.root, EXCLUDED)
    clear_abandoned(plan.root)
    made.target.survey(plan.root)

    def go_on() -> bool:
        wait()
        return True

    now, known = clock(), opening.redactor(plan.root)
    limit_s, number = plan.rule.per_experiment_timeout_s, int(now)
    mark = made.paths.rehearsal_owner(number)
    said = {"owner": asdict(lock_owner.here(since=now)), "campaign": made.campaign.model_dump(mode="json")}
    disk.replace(mark, json.dumps({**said, "number": number}))
    try:
        found = first_runs.rehearse(made, plan.base_commit, number, limit_s, go_on, known)
    finally:
        mark.unlink(missing_ok=True)
    assert found is not None  # noqa: S101 - it is always waited for
    return replace(found, told=known.clean(found.told))
