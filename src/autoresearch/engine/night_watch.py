"""Looking at a run while it runs: whether it goes on.

Capacity that a launcher holds between runs: written down with its cost, given back at the end (R150).

Room on the disk: without it nothing new is begun; the campaign waits and goes on when there is some (R190, R208).

The gate to the launcher: what it does not take is held back, and what it will never take ends the campaign's work.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from autoresearch.config.duration import span
from autoresearch.engine import measuring, runs
from autoresearch.engine.context import Context
from autoresearch.engine.first_runs import is_first_look
from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.experiment.events import AllocationEnded
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import BASELINE, CALLS, NO_CLOCK, Purpose
from autoresearch.machine import clock
from autoresearch.ports.launcher import Enforcer, WarmAllocation
from autoresearch.records import volume
from autoresearch.run import collapse, pace
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Measurement
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.scheduling.exploration import came_far_enough
from autoresearch.scheduling.overtime import Overtime, RunWatched, overtime
from autoresearch.scheduling.yardstick import Remeasure
from autoresearch.supervision import run_folder


def canary_lives(ctx: Context, run: Run) -> str:
    """Why a canary need not go on, empty when it must, and for any other run."""
    if run.planned.purpose is not Purpose.CANARY:
        return ""
    clocked = ctx.clocks.get(run.run_id, pace.ProgressClock())
    return came_far_enough(ctx.history, clocked.told_s, clocked.steps)


def ends(ctx: Context, run: Run, symptom: Symptom) -> bool:
    """Whether a symptom ends a run: its weights are lost, or its curves have collapsed and it may be given up."""
    if symptom.severity is not Severity.FATAL:
        return False
    return symptom.name not in collapse.NAMES or is_first_look(ctx, run)


_NO_CLOCK = (
    f"{NO_CLOCK}: complete runs showed no steps, only a result, so a run that hangs is ended by its time limit "
    "alone; let it print its step now and then, or set run.stall_minutes to end one that is silent"
)


class ProgressWatch:
    """Follows the steps of runs in flight by a clock that counts only the time in which they ran."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        settings = ctx.campaign.run
        self._floor_s = 60 * settings.stall_floor_minutes
        self._asked_s = None if settings.stall_minutes is None else 60 * settings.stall_minutes
        self._seen: dict[str, float] = {}
        self._heard: dict[str, tuple[int, float]] = {}

    @property
    def look_s(self) -> float:
        """Seconds between two looks that are close enough to tell."""
        return max(0.2, min(self._floor_s, self._asked_s or self._floor_s) / 10)

    def stalled(self, run: Run, now: float) -> str:
        """Why a run counts as stalled, empty while it does not.

        Args:
            run: A run that has started.
            now: Seconds of a clock that neither jumps nor counts a closed laptop.
        """
        passed_s = now - self._seen[run.run_id] if run.run_id in self._seen else self._missed_s(run)
        self._seen[run.run_id] = now
        readings = measuring.read_all(self._ctx, Path(run.planned.folder))
        ran_s = 0.0 if run.run_id in self._ctx.paused else passed_s
        now_at = measuring.look_at_steps(self._ctx, run, readings, ran_s)
        learned = [found.pace for found in _complete(self._ctx, run.planned.experiment) if found.pace]
        allowed = pace.allowance(
            now_at, learned, floor_s=self._floor_s, asked_s=self._asked_s, expected_first_s=self._expected_first_s()
        )
        if learned and allowed.seconds is None and self._asked_s is None:
            self._tell_once(_NO_CLOCK)
        return pace.stalled(now_at, allowed, self._silent_s(run, passed_s))

    def _tell_once(self, text: str) -> None:
        if text not in {note.text for note in self._ctx.history.notes}:
            self._ctx.note(text)

    def _missed_s(self, run: Run) -> float:
        """Seconds that it had run before the first look at it."""
        return max(0.0, self._ctx.clock() - (run.started_at or self._ctx.clock()))

    def _expected_first_s(self) -> float | None:
        survey = self._ctx.survey
        if survey.setup_minutes is None or survey.step_minutes is None:
            return None
        return 60 * (survey.setup_minutes + survey.step_minutes)

    def _silent_s(self, run: Run, passed_s: float) -> float:
        """Seconds of its running time since its log last changed; the file's time is only compared with itself."""
        try:
            changed = Path(run.planned.log).stat().st_mtime_ns
        except OSError:
            return 0.0
        before, silent_s = self._heard.get(run.run_id, (0, 0.0))
        silent_s = 0.0 if changed != before else silent_s + (0.0 if run.run_id in self._ctx.paused else passed_s)
        self._heard[run.run_id] = (changed, silent_s)
        return silent_s


_AGAIN_S = 60.0
_NAP_S = 5.0
_UNSEEN = JobStatus(state=JobState.UNKNOWN)


class Wakefulness:
    """Notes when this machine has slept, a closed laptop for example."""

    def __init__(self, ctx: Context, asleep: Callable[[], float] = clock.asleep) -> None:
        self._ctx, self._asleep = ctx, asleep
        self._before = asleep()

    def look(self) -> None:
        """At each turn of the loop."""
        now = self._asleep()
        slept_s, self._before = now - self._before, now
        if slept_s < _NAP_S:
            return
        where = (
            "runs on it were paused, and their limits do not count it" if self._ctx.launcher.here else "runs went on"
        )
        self._ctx.note(f"this machine slept for {span(slept_s)}: {where}")


class SecondWatch:
    """Ends runs whose own supervisor should have and has not: it is a process that a run may stop."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._ran: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._cancelled: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Look at every run in flight; at each turn of the loop.

        Args:
            now: Seconds of a clock that neither jumps nor counts a closed laptop.
        """
        launcher = self._ctx.launcher
        if not isinstance(launcher, Enforcer):
            return
        for run in self._ctx.history.in_flight():
            if run.job_id is None or run.ended or not (found := self._overtime(run, now)):
                continue
            left = launcher.force(run.job_id, found.ending, found.reason)
            self._ctx.note(f"{run.run_id}: {found.reason}" + (f"; left: {', '.join(left)}" if left else ""))
            # The next look at its state finds its end; where something is left it is tried again, not at once.
            self._ran[run.run_id] = self._ran.get(run.run_id, 0.0) - _AGAIN_S
            self._cancelled[run.run_id] = now

    def _overtime(self, run: Run, now: float) -> Overtime | None:
        passed_s = now - self._seen.get(run.run_id, now)
        self._seen[run.run_id] = now
        status = self._ctx.statuses.get(run.run_id, _UNSEEN)
        if run.started_at is not None and run.run_id not in self._ran:
            self._ran[run.run_id] = self._ran_before(run.started_at, status)
        elif run.run_id in self._ran and run.run_id not in self._ctx.paused:
            self._ran[run.run_id] += passed_s
        cancelled_at = self._cancelled.setdefault(run.run_id, now) if run.cancelled else None
        return overtime(
            RunWatched(
                ran_s=self._ran.get(run.run_id, 0.0),
                limit_s=run.planned.limit_s,
                grace_s=self._ctx.campaign.run.grace,
                cancelled_s=None if cancelled_at is None else now - cancelled_at,
                deaf=status.deaf,
            )
        )

    def _ran_before(self, started_at: float, status: JobStatus) -> float:
        """How long it has run before we first saw it: as its supervisor says, if that can be relied on."""
        told = status.ran_s is not None and (not status.deaf or status.paused_since is not None)
        return status.ran_s if told and status.ran_s is not None else max(0.0, self._ctx.clock() - started_at)


def ask_for_stacks(run: Run) -> None:
    """Let the run's supervisor write down what every process does before it ends them; where it cannot, nothing is."""
    with contextlib.suppress(OSError):
        Path(run.planned.folder, run_folder.STACKS).touch()


def _complete(ctx: Context, arm: str) -> list[Measurement]:
    """The measurements of its parent's and the baseline's complete runs."""
    names = dict.fromkeys((ctx.history.parent_of(arm), BASELINE, arm))
    found = [run for name in names for run in ctx.history.runs_of(name)]
    whole = [run.measurement for run in found if run.valid]
    return [one for one in whole if one and one.completion.whole]


def note_allocations(ctx: Context) -> None:
    """Write down what has ended since the last look.

    Raises:
        LauncherError: The scheduler cannot be asked right now.
    """
    if not isinstance(ctx.launcher, WarmAllocation):
        return
    for held in ctx.launcher.held():
        if held.started_at is None or held.ended_at is None or held.job_id in ctx.history.allocations:
            continue
        ctx.record(
            AllocationEnded(
                at=ctx.clock(),
                job_id=held.job_id,
                nodes=held.nodes,
                gpus=held.gpus,
                started_at=held.started_at,
                ended_at=held.ended_at,
            )
        )


def release(ctx: Context) -> None:
    """Give everything back; what cannot be proved gone is noted, and goes away by its own idle limit."""
    if not isinstance(ctx.launcher, WarmAllocation):
        return
    try:
        left = ctx.launcher.release()
        note_allocations(ctx)
    except LauncherError as error:
        left = (str(error),)
    if left:
        ctx.note(f"not given back, it ends by its idle limit: {'; '.join(left)}")


_NEEDS_ROOM = (
    next_move.OpenBaseline,
    next_move.Reopen,
    next_move.Explore,
    next_move.MakeBundle,
    Remeasure,
    next_move.Repair,
    next_move.Launch,
)


class Room:
    """Holds back moves that would write much, while a disk has less free than the campaign wants."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._told = False

    def check(self, move: next_move.Move) -> next_move.Move:
        """The move, or waiting instead of it; both turns are noted once."""
        lacking = self._lacking()
        if bool(lacking) != self._told:
            self._told = bool(lacking)
            told = (
                f"{lacking}; no new work starts until there is more" if lacking else "there is enough disk space again"
            )
            self._ctx.note(told, **{CALLS: "disk"})
        return next_move.Wait(lacking) if lacking and isinstance(move, _NEEDS_ROOM) else move

    def _lacking(self) -> str:
        least, paths = self._ctx.campaign.run.min_free_gb, self._ctx.paths
        for folder in (paths.folder, paths.private):
            free = self._ctx.free_gb(folder)
            if free < least:
                found = f"the disk of {folder} has {free:.2f} GB free"
                return f"{found} and run.min_free_gb asks for {least:g}: free some space"
        on, least = paths.volume, self._ctx.campaign.site.min_free_gb
        return volume.lacking(on, least, self._ctx.free_gb) if on else ""


_FIRST_S, _MOST_S = 2.0, 60.0
_UNEXPLAINED_S = 900.0
"""A submission alone that fails for so long, while the launcher answers everything else, is a refusal."""


class Gate:
    """Between the campaign and its launcher's queue.

    Following never waits for submitting: what the launcher takes no more of at the moment, or does not answer to, is
    tried again with longer and longer pauses. What it refuses for good ends the work: runs in flight are followed to
    their end, nothing more is begun, and the campaign stops with the launcher's own sentence.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._held = ""
        self._since = self._retry_at = self._delay = 0.0
        self._alone_since: float | None = None
        self.refused = ""
        """Why the launcher will never take what was sent; empty as long as it has not said so."""

    def ready(self, now: float) -> bool:
        """Whether something may be sent."""
        return not self.refused and now >= self._retry_at

    def soon(self) -> None:
        """A run has ended: what was held back for its sake may be taken now."""
        self._retry_at = 0.0

    def took(self) -> None:
        """The launcher takes what it is sent."""
        self._held, self._alone_since = "", None
        self._retry_at = self._delay = 0.0

    def failed(self, error: LauncherError, now: float, *, answers: bool) -> None:
        """It did not take a run. `answers`: whether it answered other questions meanwhile."""
        self._alone_since = (self._alone_since or now) if answers and not isinstance(error, NotNowError) else None
        unexplained = self._alone_since is not None and now - self._alone_since >= _UNEXPLAINED_S
        if isinstance(error, RefusedError) or unexplained:
            self.refuse(str(error))
            return
        kind = "held back" if isinstance(error, NotNowError) else "not submitted yet"
        self._held = self._ctx.redactor.clean(f"{kind}: {error}")
        for run in self._ctx.history.in_flight():
            if run.job_id is None and run.ended is None:
                runs.note_waiting(self._ctx, run, self._held)
        self._delay = min(_MOST_S, max(_FIRST_S, 2 * self._delay))
        self._retry_at = now + self._delay

    def refuse(self, said: str) -> None:
        """Begin nothing more."""
        if not self.refused:
            self.refused = self._ctx.redactor.clean(
                f"{said}; nothing is held against the idea; correct that, here or at the site, and go on with: "
                f"autoresearch run --campaign {self._ctx.paths.name}"
            )
            self._ctx.note(f"nothing more is begun: {self.refused}", **{CALLS: "refused"})

    def check(self, move: next_move.Move) -> next_move.Move:
        """The move, or waiting or stopping instead of it."""
        if self.refused and isinstance(move, (*_NEEDS_ROOM, next_move.Wait, next_move.Ask)):
            told = self._ctx.evaluations
            if any(one.job_id and (not one.ended or one.run_id in told) for one in self._ctx.history.in_flight()):
                return next_move.Wait(self.refused)
            return next_move.Stop(self.refused, final=False, refused=True)
        return next_move.Wait(self._held) if self._held and isinstance(move, next_move.Launch) else move
