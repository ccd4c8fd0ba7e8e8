"""The loop: ask `next_move`, carry it out, record, ask again. Many runs in flight, one thread."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoresearch.engine import branches, first_runs, measuring, night_watch, runs, settlement, worktrees
from autoresearch.engine.asking import Asks
from autoresearch.engine.branches import remeasure, repair
from autoresearch.engine.context import Context
from autoresearch.engine.night_watch import Gate, ProgressWatch, Room, SecondWatch, Wakefulness
from autoresearch.engine.worktrees import restore
from autoresearch.errors import LauncherError, NotNowError, RefusedError, RepositoryError
from autoresearch.experiment.events import (
    ApprovalAsked,
    CampaignEnded,
    ControllerStarted,
    ControllerStopped,
    ExperimentRepaired,
    IncumbentDemoted,
)
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import CALLS, NEVER
from autoresearch.git.call import is_about_room
from autoresearch.machine import fault_points
from autoresearch.machine.bell import Bell
from autoresearch.ports.launcher import Kept
from autoresearch.scheduling import next_move
from autoresearch.scheduling.exploration import breaker
from autoresearch.scheduling.yardstick import Remeasure
from autoresearch.version import __version__

_HEALTH_EVERY_S = 10.0
_SOON_S = 0.05
_ASKS = next_move.Explore | next_move.Reopen | next_move.Repair
_OUTAGE_FIRST_S = 2.0
_OUTAGE_MOST_S = 60.0


@dataclass
class Outage:
    """A scheduler that cannot be asked; waited out with back-off, never taken for a failure."""

    since: float
    delay: float = _OUTAGE_FIRST_S
    retry_at: float = 0.0


@dataclass(kw_only=True)
class Loop:
    """Carries a campaign out, one move at a time.

    Attributes:
        ctx: The campaign at work.
        poll_s: Seconds between two looks at the jobs, at most.
        sleep: How to wait, in place of a wait that ends when a run does or a person speaks.
        health_s: Seconds between two looks into a running run's own files.
        refresh: Called whenever something worth reporting has changed: report, session memory, live view.
        choose: Says what to do next; another than `next_move` works for one experiment that is driven by hand.
        resting: It begins nothing, so an end that was asked for stays asked for.
    """

    ctx: Context
    poll_s: float = 0.5
    sleep: Callable[[float], None] | None = None
    refresh: Callable[[], None] = lambda: None
    health_s: float = _HEALTH_EVERY_S
    choose: next_move.Chooser = next_move.next_move
    resting: bool = False
    _outage: Outage | None = None
    _looked: dict[str, float] = field(default_factory=dict)
    _cancelled: set[str] = field(default_factory=set)
    _suspected: bool = False
    _stuck: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._room = Room(self.ctx)
        self._watch = ProgressWatch(self.ctx)
        self._gate = Gate(self.ctx)
        self._second_watch = SecondWatch(self.ctx)
        self._wakefulness = Wakefulness(self.ctx)
        self._bell: Bell | None = None
        self._asks = Asks(self.ctx, self._ring)

    def run(self) -> next_move.Stop:
        """Work until the stop rule is met, nothing is left to do, or a person asks for the end.

        Raises:
            RefusedError: The launcher will never take a run as it stands; everything in flight has ended by then.
        """
        try:
            self.begin()
            while not isinstance(move := self.step(), next_move.Stop):
                self._pass()
            self.end(move)
        finally:
            self._asks.close()
            if self._bell:
                self._bell.close()
        if move.refused:
            raise RefusedError(move.reason)
        return move

    def begin(self) -> None:
        """Take hold of the campaign and mend what a crash of ours left half done."""
        ctx = self.ctx
        ctx.record(
            ControllerStarted(
                at=ctx.clock(), host=platform.node(), pid=os.getpid(), version=__version__, resting=self.resting
            )
        )
        restore(ctx)
        settlement.publish_missing(ctx)
        for entry in ctx.history.judged:
            worktrees.leave(ctx, entry)
        first_runs.recall_rehearsal(ctx)

    def _pass(self) -> None:
        self.refresh()
        if self.sleep is None:
            self._wait()
        else:
            self.sleep(self.poll_s)

    def _ring(self) -> None:
        if self._bell:
            self._bell.ring()

    def _wait(self) -> None:
        """Wait until a run ends, a researcher answers or something is written, and for `poll_s` at most."""
        if self._asks.answered:
            return
        cancelled = [run for run in self.ctx.history.in_flight() if run.cancelled and run.job_id and not run.ended]
        untold = any(run.run_id not in self._cancelled for run in cancelled)
        self._rung(min(self.poll_s, _SOON_S) if untold else self.poll_s)

    def _rung(self, seconds: float) -> bool:
        """Whether a run has ended, or somebody has spoken, by the end of a wait of at most so long."""
        ctx, launcher = self.ctx, self.ctx.launcher
        self._bell = self._bell or Bell(ctx.paths.journal)
        flying = [run.job_id for run in ctx.history.in_flight() if run.job_id and not run.ended]
        ids = [*flying, *(one.job_id for one in ctx.evaluations.values())]
        keepers = map(launcher.keeper, ids) if isinstance(launcher, Kept) else ()
        return self._bell.attend([one for one in keepers if one]) or self._bell.wait(seconds, ctx.heard)

    def end(self, move: next_move.Stop) -> next_move.Stop:
        """Let go of it in good order."""
        ctx = self.ctx
        self._asks.close()
        if not ctx.history.in_flight():
            # Before the last report, which tells what it cost.
            night_watch.release(ctx)
        if move.final:
            ctx.record(CampaignEnded(ctx.clock(), move.reason))
        if not ctx.history.in_flight():
            worktrees.tidy(ctx)
        ctx.record(ControllerStopped(ctx.clock(), platform.node(), os.getpid(), move.reason))
        self.refresh()
        return move

    def step(self) -> next_move.Wait | next_move.Stop:
        """Take in what happened, then carry out moves until there is only waiting left."""
        self._take_in()
        while True:
            move = self._next()
            if isinstance(move, next_move.Wait | next_move.Stop):
                return move
            if isinstance(move, _ASKS) and self._rung(0.0):
                # To ask takes time; what was answered meanwhile takes more, and waits until everybody was asked.
                self.ctx.hear()
                self._follow()
                continue
            self.carry_out(move)
            fault_points.point("loop.moved")
            self.refresh()

    def _take_in(self) -> None:
        """What people said, what runs did, and one answer of a researcher: after each, runs come first."""
        self.ctx.hear()
        self._follow()
        self._asks.take_in()

    def _next(self) -> next_move.Move:
        ctx, asks = self.ctx, self._asks
        view = replace(ctx.outlook(), asked=asks.indexes, ahead=asks.ahead, busy=asks.busy)
        move = self.choose(ctx.history, ctx.campaign, ctx.policy, ctx.survey.objective, view)
        self._watch_breaker()
        self._watch_nodes()
        return self._gate.check(self._room.check(move))

    def _watch_nodes(self) -> None:
        """Each node that is left out is named once, so that report and status tell of it."""
        for node, why in self.ctx.bad_nodes().items():
            if all(note.details.get("node") != node for note in self.ctx.history.notes):
                self.ctx.note(
                    f"node {node} is left out from now on, it failed two runs in a row; last {why}", node=node
                )

    def _watch_breaker(self) -> None:
        """Both turns are noted once, so that report and status tell of them."""
        found = breaker(self.ctx.history)
        if (found is not None) != self._suspected:
            self._suspected = found is not None
            told = found.sentence if found else "the machine is well again, ideas are run again"
            self.ctx.note(told, **{CALLS: "machine"})

    def carry_out(self, move: next_move.Move) -> None:
        """Do one thing."""
        match move:
            case next_move.OpenBaseline():
                if first_runs.rehearse_first(self.ctx, self._pass):
                    branches.open_baseline(self.ctx)
            case next_move.Reopen():
                self._asks.begin(move.index, branches.attempt(self.ctx, move.index))
            case next_move.Explore():
                index = branches.explore(self.ctx, move.parent, move.crosses)
                self._asks.begin(index, branches.attempt(self.ctx, index))
            case next_move.Unask():
                self._asks.drop(move.reason)
            case next_move.MakeBundle():
                branches.bundle(self.ctx, move.name, move.ideas, move.parent)
            case Remeasure():
                remeasure(self.ctx, move.name, move.experiment, move.parent)
            case next_move.Launch():
                self._launch(move)
            case next_move.Judge():
                settlement.settle(self.ctx, move.experiment, move.verdict, move.incumbent)
            case next_move.StepBack():
                self.ctx.record(IncumbentDemoted(self.ctx.clock(), move.arm, move.incumbent, move.why))
            case next_move.Repair():
                self._repair(move)
            case next_move.Ask():
                ask = ApprovalAsked(
                    at=self.ctx.clock(),
                    request=move.request,
                    experiment=move.arm,
                    question=move.question,
                    gpu_hours=move.gpu_hours,
                )
                self.ctx.record(ask)
            case next_move.CancelAll():
                for run in self.ctx.history.in_flight():
                    runs.cancel(self.ctx, run, move.reason)
            case next_move.Wait() | next_move.Stop():
                raise AssertionError("waiting and stopping are not carried out")

    def _repair(self, move: next_move.Repair) -> None:
        """Mend an experiment; a fix that git cannot take costs the try, but for one that a person waits for."""
        ctx = self.ctx
        try:
            repair(ctx, move.experiment, move.crash, by_hand=move.by_hand, reduce=move.reduce)
        except RepositoryError as error:
            if move.by_hand or is_about_room(error):
                raise
            why = ctx.redactor.clean(f"not repaired: {move.crash}; git cannot take the fix: {error}")
            commit = ctx.history.experiment(move.experiment).commit
            ctx.record(ExperimentRepaired(at=ctx.clock(), name=move.experiment, commit=commit, reason=why))

    # -- runs in flight -------------------------------------------------------------------------------------------

    def _launch(self, move: next_move.Launch) -> None:
        with self._passing():
            runs.launch(self.ctx, move.arm, move.seed, move.purpose, move.why)

    def _follow(self) -> None:
        """Look at what is in flight, then submit what could not be so far: the second never stands before the first."""
        self._wakefulness.look()
        now = time.monotonic()
        if self._outage and now < self._outage.retry_at:
            return
        try:
            runs.end_cancelled(self.ctx, self._cancelled)
            flying = any(run.job_id is not None for run in self.ctx.history.in_flight())
            changed = runs.follow(self.ctx)
            night_watch.note_allocations(self.ctx)
            measuring.note_pauses(self.ctx)
        except (RefusedError, NotNowError) as error:  # of an evaluation: the launcher does answer
            self._gate.failed(error, now, answers=True)
            return
        except LauncherError as error:
            self._wait_out(error, now)
            return
        finally:
            # After the look at what has ended: this thread may have been busy for long.
            self._second_watch.look(now)
        if self._outage:
            self.ctx.note(f"the launcher answers again after {now - self._outage.since:.0f} s")
            self._outage = None
        if changed:
            self._gate.soon()
        self._look_after(now)
        with self._passing(answers=flying):
            runs.measure_ended(self.ctx)
            runs.recover(self.ctx, sending=self._gate.ready(now))

    @contextmanager
    def _passing(self, *, answers: bool = False) -> Iterator[None]:
        try:
            yield
        except LauncherError as error:
            self._gate.failed(error, time.monotonic(), answers=answers)
        else:
            if all(run.job_id is not None for run in self.ctx.history.in_flight()):
                self._gate.took()

    def _wait_out(self, error: LauncherError, now: float) -> None:
        if self._outage is None:
            self._outage = Outage(since=now)
            self.ctx.note(f"the launcher cannot be asked, runs go on unwatched until it answers: {error}")
        self._outage.retry_at = now + self._outage.delay
        self._outage.delay = min(_OUTAGE_MOST_S, self._outage.delay * 2)

    def _look_after(self, now: float) -> None:
        """End runs that cannot recover: a fatal symptom, or no new step for longer than such runs take."""
        for run in self.ctx.history.in_flight():
            self._look_at_queued(run, now)
            if run.started_at is None or run.ended or run.cancelled:
                continue
            if now - self._looked.setdefault(run.run_id, now) < min(self.health_s, self._watch.look_s):
                continue
            self._looked[run.run_id] = now
            measuring.note_milestones(self.ctx, run)
            if reason := self._watch.stalled(run, now):
                night_watch.ask_for_stacks(run)
                runs.cancel(self.ctx, run, reason)
            elif reason := night_watch.canary_lives(self.ctx, run) or self._hopeless(run):
                runs.cancel(self.ctx, run, reason)

    def _look_at_queued(self, run: Run, now: float) -> None:
        """A run that waits for what cannot come by itself is cancelled after a while: the launcher refuses it."""
        if run.waits is None or not run.waits.stuck or run.started_at or run.ended or run.cancelled:
            self._stuck.pop(run.run_id, None)
            return
        minutes = self.ctx.campaign.run.stuck_minutes
        if now - self._stuck.setdefault(run.run_id, now) >= minutes * 60:
            runs.cancel(self.ctx, run, f"{NEVER}: {run.waits.reason}")
            self._gate.refuse(
                f"run {run.run_id} waited {minutes:g} minutes for what cannot come by itself: {run.waits.reason}"
            )

    def _hopeless(self, run: Run) -> str:
        ctx = self.ctx
        found = ctx.target.health(measuring.log_tail(ctx, run), measuring.read_all(ctx, Path(run.planned.folder)))
        measuring.note_collapse(ctx, run, found)
        if not ctx.campaign.run.early_kill:
            return ""
        fatal = next((symptom for symptom in found if night_watch.ends(ctx, run, symptom)), None)
        return f"ended early, {fatal.name}: {fatal.evidence}" if fatal else first_runs.hopeless(ctx, run)
