"""The steps of a run: another look at them while it runs, and how it went on when it is over.

What is told of a run under way, once each: what it says itself, a collapse, a pause.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.experiment.experiment import Run
from autoresearch.ports.target import Narrator
from autoresearch.run import collapse
from autoresearch.run.measurement import Pace, Readings
from autoresearch.run.pace import ProgressClock, reached
from autoresearch.run.symptom import Symptom
from autoresearch.supervision.run_log import StepLog, ends_of


def look_at_steps(ctx: Context, run: Run, readings: Mapping[str, Readings], passed_s: float) -> ProgressClock:
    """The run's clock after another look at its series and its log.

    Args:
        ctx: The campaign.
        run: A run that has started.
        readings: What the metric sources find in its folder.
        passed_s: Seconds that it has run since the look before.
    """
    log = ctx.step_logs.setdefault(run.run_id, StepLog(Path(run.planned.log)))
    seen = reached(readings, log.look(), ctx.survey.objective.tag)
    ctx.clocks[run.run_id] = ctx.clocks.get(run.run_id, ProgressClock()).look(seen, passed_s)
    return ctx.clocks[run.run_id]


def pace_of(ctx: Context, run: Run, readings: Mapping[str, Readings]) -> Pace | None:
    """How a run that is over went on; one that was never looked at has had all its steps since it began."""
    if run.wall_s is None:
        return None
    unseen_s = run.wall_s - ctx.clocks[run.run_id].told_s if run.run_id in ctx.clocks else run.wall_s
    clock = look_at_steps(ctx, run, readings, unseen_s)
    ctx.clocks.pop(run.run_id, None)
    ctx.step_logs.pop(run.run_id, None)
    return clock.pace


def tell(ctx: Context, run: Run) -> None:
    """Note every milestone in the log of a run that was not noted yet; a log that cannot be read says nothing."""
    if not isinstance(ctx.target, Narrator):
        return
    try:
        log = ends_of(Path(run.planned.log), ctx.redactor)
    except OSError:
        return
    told = {note.text for note in ctx.history.notes}
    for milestone in ctx.target.milestones(log):
        text = ctx.redactor.clean(f"{run.run_id}: {milestone}")
        if text not in told:
            ctx.note(text)


def warn(ctx: Context, run: Run, found: Sequence[Symptom]) -> None:
    """Note a collapse that shows while a run goes on, once for each run and kind."""
    told = {(note.details["run"], note.details["collapse"]) for note in ctx.history.notes if "collapse" in note.details}
    for one in found:
        if one.name in collapse.NAMES and (run.run_id, one.name) not in told:
            text = f"{run.run_id}: {one.name}: {one.evidence}. {one.advice}"
            ctx.note(text, run=run.run_id, collapse=one.name)


def note_pauses(ctx: Context) -> None:
    """A run that others have stopped is paused, which is no error: both turns are noted, for whoever asks."""
    for run in ctx.history.in_flight():
        status = ctx.statuses.get(run.run_id)
        since = status.paused_since if status else None
        if status is None or (since is not None) == (run.run_id in ctx.paused):
            continue
        text = f"{run.run_id} goes on"
        if since is not None:
            when = time.strftime("%H:%M:%S UTC", time.gmtime(since))
            text = f"{run.run_id} is paused since {when}: somebody has stopped it; that time is not charged to it"
        ctx.note(text, run=run.run_id, paused_since="" if since is None else str(since))
