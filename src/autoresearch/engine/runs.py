"""From a commit to a measurement: plan, submit, follow, end, read."""

import json
import shlex
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from autoresearch.engine import evaluation, steps
from autoresearch.engine.context import Context
from autoresearch.engine.endings import ending_of
from autoresearch.engine.guarded_commit import broken, mend
from autoresearch.engine.submission import asking, waits, write_submission
from autoresearch.engine.worktrees import checkout, survey_of_arm, tree_path
from autoresearch.errors import RecipeError
from autoresearch.experiment import names
from autoresearch.experiment.events import (
    RunCancelled,
    RunEnded,
    RunMeasured,
    RunPlanned,
    RunStarted,
    RunSubmitted,
)
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.git import worktree
from autoresearch.machine import disk, fault_points
from autoresearch.ports.launcher import Rehearsal
from autoresearch.ports.metric_source import readings_of
from autoresearch.records import volume
from autoresearch.run.integrity import off_curve
from autoresearch.run.job import Job, JobState, JobStatus
from autoresearch.run.measurement import Measurement, Pace, Readings
from autoresearch.run.printed_result import unlike_baseline
from autoresearch.supervision.run_log import end_of


def launch(ctx: Context, arm: str, seed: int, purpose: Purpose, why: str) -> None:
    """Plan one run, write it down, then submit it: a crash between the two is found again by its run id."""
    number = len(ctx.history.runs_of(arm)) + 1
    folder, log = ctx.paths.run(arm, number), ctx.paths.log(arm, number)
    run_id = names.run_id(ctx.campaign.campaign, arm, number)
    tree = checkout(ctx, arm)
    mend(ctx, arm, tree)
    view, limit_s = ctx.outlook(), ctx.limits.run_limit_s(ctx.clock())
    job: Job | None = None
    plumbing, refused = False, ""
    try:
        plumbing = bool(survey_of_arm(ctx, arm).plumbing)
        job = _job(ctx, run_id, tree, number, seed, arm, limit_s, plumbing=plumbing)
    except RecipeError as error:
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
    measure(ctx, run)


def _job(
    ctx: Context, run_id: str, tree: Path, number: int, seed: int, arm: str, limit_s: float | None, *, plumbing: bool
) -> Job:
    ctx.paths.run(arm, number).mkdir(parents=True, exist_ok=True)
    volume.prepare(ctx.paths, arm, number)
    request = ctx.jobs.request(
        arm, number, run_id=run_id, tree=tree, seed=seed, limit_s=limit_s, commit=ctx.history.arm_commit(arm)
    )
    return ctx.jobs.job(request, arm, number, plumbing=plumbing)


def _submit(ctx: Context, job: Job, run: Run) -> None:
    submission = write_submission(ctx, job, run.planned.experiment, run.planned.number)
    _latest_log(ctx, run)
    with asking(ctx, "submit a run"):
        job_id = ctx.launcher.submit(submission)
    fault_points.point("run.submitted")
    ctx.record(RunSubmitted(ctx.clock(), job.run_id, job_id))


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
            measure(ctx, run)


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
        with asking(ctx, "find a run"):
            known = ctx.launcher.find(run.run_id)
        if known is not None:
            ctx.record(RunSubmitted(ctx.clock(), run.run_id, known, adopted=True))
        elif run.cancelled:
            give_up(ctx, run, run.cancelled)
        else:
            _submit_again(ctx, run)


def _submit_again(ctx: Context, run: Run) -> None:
    planned = run.planned
    tree = checkout(ctx, planned.experiment)
    mend(ctx, planned.experiment, tree)
    try:
        small, limit_s = planned.plumbing, ctx.limits.run_limit_s(ctx.clock())
        number, seed, arm = planned.number, planned.seed, planned.experiment
        job = _job(ctx, run.run_id, tree, number, seed, arm, limit_s, plumbing=small)
    except RecipeError as error:
        give_up(ctx, run, str(error))
    else:
        _submit(ctx, job, run)


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
    with asking(ctx, "tell the states of runs"):
        answer = _states(ctx, flying.keys() | evaluated.keys())
    for job_id, status in answer.items():
        if job_id in flying:
            changed |= _take_in(ctx, flying[job_id], status)
        elif status.state.ended:
            run = evaluated[job_id]
            _record(ctx, run, evaluation.finish(ctx, run, _read(ctx, run), status))
            changed = True
    return changed


def _states(ctx: Context, asked: Collection[str]) -> Mapping[str, JobStatus]:
    """How these jobs are doing. What is no such answer is its launcher's failure, as what it raises is."""
    answer = ctx.launcher.states(asked)
    odd = not isinstance(answer, Mapping) or not answer.keys() <= set(asked)
    if odd or not all(isinstance(status, JobStatus) for status in answer.values()):
        raise TypeError(f"states() answered {answer!r:.200}, not a JobStatus for each id it was asked for")
    return answer


def _take_in(ctx: Context, run: Run, status: JobStatus) -> bool:
    ctx.statuses[run.run_id] = status
    if status.state is JobState.RUNNING and run.started_at is None:
        ctx.record(RunStarted(status.started_at or ctx.clock(), run.run_id, status.node))
        return True
    if status.state is JobState.QUEUED:
        waits(ctx, run, status.reason, stuck=status.stuck)
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
    ctx.record(RunEnded(ctx.clock(), run.run_id, status, leftovers))
    fault_points.point("run.ended")
    measure(ctx, run)


def _left(ctx: Context, job_id: str) -> tuple[str, ...]:
    """What is left of a run, once it was told to go."""
    with asking(ctx, "say what is left of a run"):
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


def measure(ctx: Context, run: Run) -> None:
    """Read the number from the run's own files and write it down; first an evaluation looks at it, where one does."""
    found = _read(ctx, run)
    if evaluation.wanted(ctx, run, found):
        if not (gone := evaluation.missing(ctx, run)):
            evaluation.begin(ctx, run, found)
            return
        found = found.void(gone)
    _record(ctx, run, found)


def _read(ctx: Context, run: Run) -> Measurement:
    ended = ctx.history.runs[run.run_id].ended
    assert ended is not None  # noqa: S101 - `end` recorded it
    status = replace(ended.status, reason=run.cancelled) if run.cancelled else ended.status
    arm, number = run.planned.experiment, run.planned.number
    wrong = status.tampered or (broken(ctx, arm) if run.job_id is not None else "")
    folder, log = Path(run.planned.folder), Path(run.planned.log)
    pace = steps.pace_of(ctx, ctx.history.runs[run.run_id], read_all(ctx, folder))
    return measure_folder(ctx, folder, log, status, arm, number, wrong=wrong, pace=pace)


def _record(ctx: Context, run: Run, found: Measurement) -> None:
    arm, number = run.planned.experiment, run.planned.number
    ended = ctx.history.runs[run.run_id].ended
    assert ended is not None  # noqa: S101 - `end` recorded it
    status = ended.status
    if found.evaluation is not None or found.integrity.contradicted:
        disk.replace(ctx.paths.measurement(arm, number), json.dumps(asdict(found), indent=2) + "\n")
    steps.tell(ctx, run)
    fault_points.point("run.measured")
    ctx.record(RunMeasured(ctx.clock(), run.run_id, found, ending_of(ctx, run, found, log_tail(ctx, run))))
    idle = not any(other.planned.experiment == arm for other in ctx.history.in_flight())
    volume.release(ctx.paths, arm, number, well=status.state is JobState.SUCCEEDED, idle=idle)
    if idle:
        worktree.remove(ctx.paths.root, tree_path(ctx, arm))


def measure_folder(
    ctx: Context,
    folder: Path,
    log: Path,
    status: JobStatus,
    label: str,
    number: int,
    *,
    wrong: str = "",
    pace: Pace | None = None,
) -> Measurement:
    """What a run's own files say, kept as `measurement.json` with the evidence of `label` and `number`.

    A run that did something to what measures (`wrong`, in words) has no number.
    """
    found = _clean(ctx, ctx.target.measure(folder, tail_of(ctx, log), read_all(ctx, folder), status))
    wrong = wrong or _unlike_baseline(ctx, found, label)
    found = replace(found.void(wrong) if wrong else found, pace=pace)
    if found.value is not None and found.curve and found.value == found.curve[-1][1]:
        found = replace(found, doubt=off_curve(found.curve, ctx.survey.objective.gain(1.0, 0.0)))
    volume.keep(ctx.paths, label, number)
    disk.clear_way(ctx.paths.measurement(label, number))
    disk.replace(ctx.paths.measurement(label, number), json.dumps(asdict(found), indent=2) + "\n")
    return found


def _unlike_baseline(ctx: Context, found: Measurement, label: str) -> str:
    if label == BASELINE or found.value is None or not found.results:
        return ""
    measured = (run.measurement for run in ctx.history.runs_of(BASELINE) if run.valid and run.measurement)
    return unlike_baseline(found.results, [line for one in measured for line in one.results])


def _clean(ctx: Context, found: Measurement) -> Measurement:
    symptoms = tuple(replace(symptom, evidence=ctx.redactor.clean(symptom.evidence)) for symptom in found.symptoms)
    results = tuple(
        replace(line, text=ctx.redactor.clean(line.text), first=ctx.redactor.clean(line.first))
        for line in found.results
    )
    told = replace(found.integrity, reasons=tuple(map(ctx.redactor.clean, found.integrity.reasons)))
    return replace(found, note=ctx.redactor.clean(found.note), symptoms=symptoms, results=results, integrity=told)


def read_all(ctx: Context, folder: Path) -> dict[str, Readings]:
    """What every metric source finds in a run's folder, by source name in order of trust."""
    return {name: readings_of(source, folder) for name, source in ctx.sources.items()}


def log_tail(ctx: Context, run: Run) -> str:
    """The end of a run's log, without secrets."""
    return tail_of(ctx, Path(run.planned.log))


def tail_of(ctx: Context, log: Path) -> str:
    """The end of a log, without secrets; empty when there is none."""
    try:
        return end_of(log, ctx.redactor)
    except OSError:
        return ""


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
            with asking(ctx, "cancel a run"):
                ctx.launcher.cancel(run.job_id)
            told.add(run.run_id)
