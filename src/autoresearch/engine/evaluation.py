"""The independent evaluation of a run: a program of the base commit reads what the run left, and gives the number.

It is a job of the campaign's launcher in a worktree of its own that holds the base commit, started when the run is over
and nothing of it is left, under a name and with a key that nobody could foresee. Nothing about it is in the journal
before the measurement is: one that a crash of ours cut short is made again. It works in a sandbox like a run's, because
what a run left may be code (a pickle is), in which it can read that and not write to it.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from autoresearch.config.schema import UPSTREAM, EvaluateConfig
from autoresearch.engine.context import Context, UnderWay
from autoresearch.errors import CampaignError
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import Purpose
from autoresearch.git import submodules, worktree
from autoresearch.guards.reach import evaluation_sandbox
from autoresearch.machine import disk
from autoresearch.ports.target import Evaluator, Target
from autoresearch.records.paths import RUN_LOG, SUBMISSION
from autoresearch.run.chosen_value import JUDGED
from autoresearch.run.integrity import of_evaluation
from autoresearch.run.job import OWN_CACHES, Job, JobState, JobStatus, Resources, caches_of_code
from autoresearch.run.measurement import Evaluation, Measurement
from autoresearch.run.printed_result import result_of
from autoresearch.run.symptom import excerpt
from autoresearch.secrets.environment import RESULT_KEY
from autoresearch.supervision.run_log import end_of

_CUT_SHORT = (JobState.TIMED_OUT, JobState.CANCELLED)
_PROOF = (Purpose.CONFIRM, Purpose.ABLATE)


def offered_by(target: Target, tree: Path) -> EvaluateConfig:
    """The evaluation by a program of the target's own project.

    Raises:
        CampaignError: It has none, or none for this recipe; the text says why.
    """
    if not isinstance(target, Evaluator):
        raise CampaignError(f"evaluate: target {target.name} has no evaluation {UPSTREAM}; write a command of your own")
    return EvaluateConfig.model_validate(target.evaluation(tree))


def wanted(ctx: Context, run: Run, found: Measurement) -> bool:
    """Whether a measured run is to be evaluated: it came to its end, and nothing speaks against its number."""
    settings, planned = ctx.campaign.evaluate, run.planned
    if settings is None or planned.purpose is Purpose.CANARY or planned.plumbing or run.cancelled:
        return False
    if settings.when == "proof" and planned.purpose not in _PROOF:
        return False
    if found.completion not in JUDGED or found.integrity.contradicted or ctx.history.has_yardstick(planned.experiment):
        return False
    ended = ctx.history.runs[run.run_id].ended
    state = ended.status.state if ended else JobState.UNKNOWN
    return state is JobState.SUCCEEDED or (found.value is not None and state not in _CUT_SHORT)


def unasked(ctx: Context, run: Run, found: Measurement) -> Measurement:
    """What a run is worth that is not evaluated: no number, where the others' are those of another measure."""
    settings, planned = ctx.campaign.evaluate, run.planned
    if settings is None or not settings.alone or found.value is None or ctx.history.has_yardstick(planned.experiment):
        return found
    if planned.plumbing or planned.purpose is Purpose.CANARY:
        return found
    note = f"not evaluated, and what it says of itself, {found.value:.6g}, is of another measure"
    return replace(_unmeasured(found), note="; ".join(filter(None, (note, found.note))))


def _unmeasured(found: Measurement) -> Measurement:
    """The run without all that is in its own measure."""
    return replace(
        found, value=None, source="", step=None, curve=(), standard_error=None, samples=(), prompts="", doubt=""
    )


def missing(ctx: Context, run: Run) -> str:
    """What the evaluation reads and the run did not leave, in words; empty when all is there, in files of its own."""
    settings, folder = ctx.campaign.evaluate, Path(run.planned.folder)
    left = {glob: _lie_in(folder, glob) for glob in (settings.reads if settings else ())}
    if gone := [glob for glob, found in left.items() if not found]:
        return f"the run left no {' and no '.join(gone)}, which its evaluation reads"
    foreign = _foreign(folder, [path for found in left.values() for path in found])
    return f"the run left {foreign}; its evaluation reads files of the run only" if foreign else ""


def _lie_in(folder: Path, glob: str) -> list[Path]:
    """What matches; folders nested so deep that no path leads there hold nothing."""
    found: list[Path] = []
    with suppress(OSError, RecursionError):
        found.extend(folder.glob(glob))
    return found


def _foreign(folder: Path, left: Iterable[Path]) -> str:
    """The first that is no file of the run's own, in words: reading a pipe would wait, a link shows another's work."""
    inside = [Path(place, name) for path in left for place, *found in disk.walk(path) for name in chain(*found)]
    files: dict[Path, os.stat_result] = {}
    for path in dict.fromkeys((*left, *inside)):
        name = path.relative_to(folder)
        try:
            if not path.resolve(strict=True).is_relative_to(folder.resolve()):
                return f"{name}, which leads out of its folder"
            status = path.stat()
        except (OSError, RuntimeError):
            return f"{name}, which leads nowhere"
        if not stat.S_ISDIR(status.st_mode):
            files[path] = status
        if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
            return f"{name}, which is a {kind}"
    outside = disk.named_outside(folder, files.values())
    linked = (path for path, status in files.items() if (status.st_dev, status.st_ino) in outside)
    told = (f"{path.relative_to(folder)}, which has another name outside of its folder" for path in linked)
    return next(told, "")


_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def begin(ctx: Context, run: Run, found: Measurement) -> None:
    """Send the evaluation of a run that is over; `ctx.evaluations` has it from then on.

    Raises:
        LauncherError: The launcher does not take it now; it is sent again.
        OSError: What lies in the place of its folder, or of its worktree, cannot be taken away.
    """
    settings = ctx.campaign.evaluate
    assert settings is not None  # noqa: S101 - the caller asked whether it is wanted
    folder = _folder(run)
    disk.delete(folder)
    folder.mkdir(parents=True)
    step = "latest" if found.step is None or found.counted else str(found.step)
    places = {
        "{folder}": run.planned.folder,
        "{seed}": str(run.planned.seed),
        "{evaluation}": str(folder),
        "{step}": step,
    }
    job, key = evaluation_job(ctx, run, places, _tree(ctx, run), folder)
    submission = ctx.launcher.plan(job)
    disk.replace(folder / SUBMISSION, ctx.redactor.clean(submission.text.replace(key, "KEY")))
    job_id = ctx.launcher.submit(submission)
    ctx.evaluations[run.run_id] = UnderWay(job=job, job_id=job_id, key=key)


def evaluation_job(ctx: Context, run: Run, places: Mapping[str, str], tree: Path, folder: Path) -> tuple[Job, str]:
    """The job of an evaluation, and the key of its lines."""
    settings = ctx.campaign.evaluate
    assert settings is not None  # noqa: S101 - the caller asked whether it is wanted
    key, planned = secrets.token_hex(8), run.planned
    named = re.compile("|".join(map(re.escape, places)))
    argv = [named.sub(lambda match: places[match.group()], word) for word in settings.command]
    own = {
        "AUTORESEARCH_EVALUATED_FOLDER": planned.folder,
        "AUTORESEARCH_RUN_FOLDER": str(folder),
        RESULT_KEY: key,
        "SEED": str(planned.seed),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    job = Job(
        run_id=f"{planned.run_id}-evaluation-{secrets.token_hex(4)}",
        argv=tuple(argv),
        directory=str(tree),
        folder=str(folder),
        log=str(folder / RUN_LOG),
        env={**caches_of_code(str(folder)), **ctx.campaign.run.env, **own},
        resources=Resources(gpus_per_node=settings.gpus),
        limit_s=settings.minutes * 60,
        grace_s=ctx.campaign.run.grace,
    )
    if ctx.jobs.unconfined(job.resources):
        return job, key
    left = Path(planned.folder)
    return replace(job, sandbox=evaluation_sandbox(ctx.campaign, ctx.paths, ctx.survey, job, _base(ctx), left)), key


def finish(ctx: Context, run: Run, found: Measurement, status: JobStatus) -> Measurement:
    """What a run is worth after its evaluation: the evaluated number where both agree, none where they do not.

    An evaluation that failed leaves no number: what the run says of itself does not take its place.
    """
    under_way, settings = ctx.evaluations.pop(run.run_id), ctx.campaign.evaluate
    assert settings is not None  # noqa: S101 - one was sent
    worktree.remove(ctx.paths.root, Path(under_way.job.directory))
    with contextlib.suppress(OSError):
        disk.delete(Path(under_way.job.folder) / OWN_CACHES)
    value, problem = _read(ctx, under_way, status, settings)
    one = Evaluation(
        value=value,
        problem=ctx.redactor.clean(problem),
        log=under_way.job.log,
        seconds=max(0.0, status.ended_at - status.started_at) if status.ended_at and status.started_at else None,
        gpus=under_way.job.resources.gpus,
    )
    if value is None:
        note = f"the evaluation gave no number: {one.problem} ({ctx.paths.relative(Path(one.log))})"
        return replace(found, value=None, source="", step=None, evaluation=one, note=note)
    integrity = of_evaluation(found.value, value, settings.tolerance)
    if integrity.contradicted:
        return replace(found.void(integrity.reasons[0]), evaluation=one)
    found = _unmeasured(found) if settings.alone else found
    return replace(found, value=value, source=found.source or "evaluation", integrity=integrity, evaluation=one)


def given_up(ctx: Context, found: Measurement, reason: str) -> Measurement:
    """A run whose evaluation no launcher would take."""
    note = ctx.redactor.clean(f"the evaluation could not be submitted: {reason}")
    return replace(found, value=None, source="", step=None, evaluation=Evaluation(problem=note), note=note)


def _read(ctx: Context, done: UnderWay, status: JobStatus, settings: EvaluateConfig) -> tuple[float | None, str]:
    try:
        log = end_of(Path(done.job.log), ctx.redactor)
    except OSError:
        log = ""
    if status.state is not JobState.SUCCEEDED:
        code = "" if status.exit_code is None else f", exit code {status.exit_code}"
        said = excerpt(log.replace(done.key, ""), lines=3)
        return None, f"it {status.state}{code}{f' ({status.reason})' if status.reason else ''}: {said}"
    objective = ctx.survey.objective
    tag = settings.metric or objective.tag or objective.metric
    return result_of(log, (tag, *([] if settings.metric else [tag.replace(":", "/").rpartition("/")[2]])), done.key)


def _folder(run: Run) -> Path:
    return Path(run.planned.folder).with_name(f"evaluation-{run.planned.number}")


def _tree(ctx: Context, run: Run) -> Path:
    """A fresh worktree of the base commit: what a run may have left in another one does not matter here."""
    tree = ctx.paths.worktree(f".evaluation-{run.planned.experiment}-{run.planned.number}")
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, _base(ctx))
    submodules.populate(ctx.paths.root, tree)
    return tree


def _base(ctx: Context) -> str:
    assert ctx.history.started is not None  # noqa: S101 - it has runs
    return ctx.history.started.base_commit
