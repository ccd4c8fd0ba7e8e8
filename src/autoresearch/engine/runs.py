"""From a commit to the end of its run: plan, write down the request as it is sent, submit, follow, end."""

import json
import os
import platform
import shlex
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from autoresearch.engine import measuring
from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import checkout, mend, survey_of_arm, tree_path
from autoresearch.errors import LauncherError, PluginError, RecipeError, RefusedError, RepositoryError
from autoresearch.experiment import names
from autoresearch.experiment.events import (
    RunCancelled,
    RunEnded,
    RunPlanned,
    RunStarted,
    RunSubmitted,
    RunWaits,
)
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.git.call import is_about_room
from autoresearch.guards.installed import packages, places
from autoresearch.machine import disk, fault_points
from autoresearch.ports.launcher import Rehearsal
from autoresearch.records import volume
from autoresearch.run.job import Job, JobState, JobStatus, Submission


def write_submission(ctx: Context, job: Job, label: str, number: int) -> Submission:
    """The exact request, written beside the run's other evidence together with the environment it is made in.

    Raises:
        RefusedError: The launcher cannot even write it down, and a plan asks nobody: the next one would be the same.
    """
    try:
        submission = ctx.launcher.plan(job)
    except LauncherError as error:
        raise RefusedError(str(error)) from error
    disk.replace(ctx.paths.submission(label, number), ctx.redactor.clean(submission.text), followed=True)
    disk.replace(ctx.paths.environment(label, number), json.dumps(_environment(ctx, job), indent=2) + "\n")
    return submission


def _environment(ctx: Context, job: Job) -> Mapping[str, object]:
    return {
        "run_id": job.run_id,
        "argv": list(ctx.redactor.clean_argv(job.argv)),
        "directory": job.directory,
        "env": dict(ctx.redactor.clean_mapping(job.env)),
        "resources": asdict(job.resources),
        "limit_s": job.limit_s,
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": packages(places(Path(job.directory), job.argv, {**os.environ, **job.env}, ctx.paths.root)),
    }


def note_waiting(ctx: Context, run: Run, reason: str, *, stuck: bool = False) -> None:
    """Write down why a run is not begun, when that has changed; reasons that come and go, once a minute."""
    before, now, said = run.waits, ctx.clock(), ctx.redactor.clean(reason)
    if (said, stuck) == ((before.reason, before.stuck) if before else ("", False)):
        return
    if before is None or stuck != before.stuck or not 0 <= now - before.at < 60.0:
        ctx.record(RunWaits(now, run.run_id, said, stuck), lasting=False)


def launch(ctx: Context, arm: str, seed: int, purpose: Purpose, why: str) -> None:
    """Plan one run, write it down, then submit it: a crash between the two is found again by its run id."""
    number = len(ctx.history.runs_of(arm)) + 1
    folder, log = ctx.paths.run(arm, number), ctx.paths.log(arm, number)
    run_id = names.run_id(ctx.campaign.campaign, arm, number)
    view, limit_s = ctx.outlook(), ctx.limits.run_limit_s(ctx.clock())
    job: Job | None = None
    plumbing, refused = False, ""
    try:
        tree = _tree(ctx, arm)
        plumbing = bool(survey_of_arm(ctx, arm).plumbing)
        job = _job(ctx, run_id, tree, number, seed, arm, limit_s, plumbing=plumbing)
    except (RecipeError, RepositoryError) as error:
        if _ends_all(error, arm):
            raise
        refused = str(error)
    argv, resources = (job.argv, job.resources) if job else ((), ctx.survey.resources)
    ctx.record(
        RunPlanned(
            at=ctx.clock(),
            run_id=run_id,
            experiment=arm,
            number=number,
            seed=seed,
            purpose=purpose,
            launcher=ctx.launcher.name,
            command=shlex.join(ctx.redactor.clean_argv(argv)),
            folder=str(folder),
            log=str(log),
            resources=resources,
            limit_s=limit_s,
            predicted_s=view.run_s,
            plumbing=plumbing,
            why=why,
        )
    )
    fault_points.point("run.planned")
    if job is None:
        give_up(ctx, ctx.history.runs[run_id], refused)
    else:
        _submit(ctx, job, ctx.history.runs[run_id])


def give_up(ctx: Context, run: Run, reason: str) -> None:
    """A run that no launcher would take: it ends without having begun."""
    status = JobStatus(state=JobState.FAILED, reason=ctx.redactor.clean(f"it could not be submitted: {reason}"))
    ctx.record(RunEnded(ctx.clock(), run.run_id, status))
    measuring.measure(ctx, run)


def _job(
    ctx: Context, run_id: str, tree: Path, number: int, seed: int, arm: str, limit_s: float | None, *, plumbing: bool
) -> Job:
    ctx.paths.run(arm, number).mkdir(parents=True, exist_ok=True)
    volume.prepare(ctx.paths, arm, number)
    request = ctx.jobs.request(
        arm, number, run_id=run_id, tree=tree, seed=seed, limit_s=limit_s, commit=ctx.history.arm_commit(arm)
    )
    before = next((run.ending for run in reversed(ctx.history.runs_of(arm)) if run.planned.number < number), None)
    return ctx.jobs.job(request, arm, number, plumbing=plumbing, before=before)


def _submit(ctx: Context, job: Job, run: Run) -> None:
    submission = write_submission(ctx, job, run.planned.experiment, run.planned.number)
    _latest_log(ctx, run)
    ctx.installation.before_run(run, job)
    job_id = ctx.launcher.submit(submission)
    fault_points.point("run.submitted")
    ctx.record(RunSubmitted(ctx.clock(), job.run_id, job_id), lasting=False)


def _latest_log(ctx: Context, run: Run) -> None:
    """`<experiment>/run.log` always leads to the newest run's log (R66)."""
    log, link = Path(run.planned.log), ctx.paths.run_log(run.planned.experiment)
    volume.lead(link, log.relative_to(link.parent) if log.is_relative_to(link.parent) else log)
    if (latest := ctx.paths.latest_log(run.planned.experiment)) != link:
        volume.lead(latest, Path(f"run-{run.planned.number}", log.name))


def measure_ended(ctx: Context) -> None:
    """Read what has ended and was not measured yet, after a crash of ours or of the launcher's way to evaluate it."""
    for run in ctx.history.in_flight():
        if run.ended is not None and run.run_id not in ctx.evaluations:
            measuring.measure(ctx, run)


def recover(ctx: Context, *, sending: bool) -> None:
    """What was planned and has no job yet: adopt it where the launcher has it, and submit what it never got.

    Args:
        ctx: The campaign.
        sending: Whether the launcher may be sent anything now; what was cancelled meanwhile is given up in any case.

    Raises:
        LauncherError: The launcher does not take a run; the others wait behind it.
    """
    waiting = [run for run in ctx.history.in_flight() if run.job_id is None and run.ended is None]
    for run in sorted(waiting, key=lambda run: not run.cancelled):
        if not run.cancelled and not sending:
            continue
        known = ctx.launcher.find(run.run_id)
        if known is not None:
            ctx.record(RunSubmitted(ctx.clock(), run.run_id, known, adopted=True))
        elif run.cancelled:
            give_up(ctx, run, run.cancelled)
        else:
            _submit_again(ctx, run)


def _submit_again(ctx: Context, run: Run) -> None:
    planned = run.planned
    try:
        tree = _tree(ctx, planned.experiment)
        small, limit_s = planned.plumbing, ctx.limits.run_limit_s(ctx.clock())
        number, seed, arm = planned.number, planned.seed, planned.experiment
        job = _job(ctx, run.run_id, tree, number, seed, arm, limit_s, plumbing=small)
    except (RecipeError, RepositoryError) as error:
        if _ends_all(error, planned.experiment):
            raise
        give_up(ctx, run, str(error))
    else:
        _submit(ctx, job, run)


def _ends_all(error: Exception, arm: str) -> bool:
    """Whether a run that cannot begin is nothing of its idea's doing: it is the baseline, or a disk is full."""
    return isinstance(error, RepositoryError) and (arm == BASELINE or is_about_room(error))


def _tree(ctx: Context, arm: str) -> Path:
    tree = checkout(ctx, arm)
    mend(ctx, arm, tree)
    return tree


def follow(ctx: Context) -> bool:
    """Ask the launcher once for every job in flight and take in what changed; True when anything did.

    Raises:
        LauncherError: The scheduler cannot be asked right now; nothing is concluded from that.
    """
    flying = {run.job_id: run for run in ctx.history.in_flight() if run.job_id is not None and run.ended is None}
    evaluated = {one.job_id: ctx.history.runs[run_id] for run_id, one in ctx.evaluations.items()}
    if not flying and not evaluated:
        return False
    changed = False
    answer = _states(ctx, flying.keys() | evaluated.keys())
    for job_id, status in answer.items():
        if job_id in flying:
            changed |= _take_in(ctx, flying[job_id], status)
        elif status.state.ended:
            run = evaluated[job_id]
            measuring.take_evaluation(ctx, run, status)
            changed = True
    return changed


def _states(ctx: Context, asked: Collection[str]) -> Mapping[str, JobStatus]:
    """How these jobs are doing, and no others: an answer about a job that nobody asked for is about none of ours."""
    answer = ctx.launcher.states(asked)
    if strange := sorted(answer.keys() - set(asked)):
        raise PluginError(
            f"launcher {ctx.launcher.name!r} told the state of {strange[0]!r}, which it was not asked for; nothing "
            f"recorded is lost: mend it, then continue"
        )
    return answer


def _take_in(ctx: Context, run: Run, status: JobStatus) -> bool:
    ctx.statuses[run.run_id] = status
    if status.state is JobState.RUNNING and run.started_at is None:
        ctx.record(RunStarted(status.started_at or ctx.clock(), run.run_id, status.node), lasting=False)
        return True
    if status.state is JobState.QUEUED:
        note_waiting(ctx, run, status.reason, stuck=status.stuck)
    if not status.state.ended or _survives(ctx, run, status):
        return False
    end_run(ctx, run, status)
    return True


_SURVIVORS_S = 300.0


def _survives(ctx: Context, run: Run, status: JobStatus) -> bool:
    """Whether something of a lost run still lives: nothing takes its place before that is gone, for five minutes."""
    if status.state is not JobState.VANISHED or run.cancelled or run.job_id is None:
        return False
    left = _left(ctx, run.job_id)
    if not left:
        return False
    since = ctx.surviving.setdefault(run.run_id, time.monotonic())
    text = f"{run.run_id} has lost its supervisor ({status.reason}) and cannot be ended: {', '.join(left)}"
    if text not in {note.text for note in ctx.history.notes}:
        ctx.note(text)
    return time.monotonic() - since < _SURVIVORS_S


def end_run(ctx: Context, run: Run, status: JobStatus) -> None:
    """Write down that a run is over, with the proof that nothing of it is left, and measure it."""
    assert run.job_id is not None  # noqa: S101 - only submitted runs have a status
    status = _undermined(ctx, run, replace(status, reason=ctx.redactor.clean(status.reason)))
    if status.uncontained is None and not isinstance(ctx.launcher, Rehearsal):
        status = replace(status, uncontained=ctx.jobs.unconfined(run.planned.resources) or None)
    leftovers = _left(ctx, run.job_id)
    if leftovers:
        status = replace(status, reason=f"{status.reason}; it could not be ended: {', '.join(leftovers)}")
    ctx.record(RunEnded(ctx.clock(), run.run_id, status, leftovers), lasting=False)
    fault_points.point("run.ended")
    measuring.measure(ctx, run)


def _left(ctx: Context, job_id: str) -> tuple[str, ...]:
    """What is left of a run, once it was told to go."""
    left = ctx.launcher.leftovers(job_id)
    if left:
        ctx.launcher.cancel(job_id)
        left = ctx.launcher.leftovers(job_id)
    return left


def _undermined(ctx: Context, run: Run, status: JobStatus) -> JobStatus:
    """A run that failed after somebody had removed its code from under it did not fail by itself."""
    tree = tree_path(ctx, run.planned.experiment)
    if status.state is not JobState.FAILED or tree.exists():
        return status
    return replace(status, state=JobState.VANISHED, reason=f"its worktree {tree} was removed while it ran")


def cancel(ctx: Context, run: Run, reason: str) -> None:
    """Decide that a run is to end, for a reason that its row will show; `end_cancelled` tells its launcher."""
    ctx.record(RunCancelled(ctx.clock(), run.run_id, ctx.redactor.clean(reason)))


def end_cancelled(ctx: Context, told: set[str]) -> None:
    """Tell the launcher to end what was cancelled, each run once; those in `told` know already.

    Raises:
        LauncherError: The scheduler cannot be asked; whatever it was not told is told next time.
    """
    for run in ctx.history.in_flight():
        if run.cancelled and run.job_id is not None and not run.ended and run.run_id not in told:
            ctx.launcher.cancel(run.job_id)
            told.add(run.run_id)
