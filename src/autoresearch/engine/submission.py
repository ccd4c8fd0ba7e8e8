"""The request to a launcher as it is kept, and what is written down of a run that waits to be begun."""

import json
import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict

from autoresearch.engine.context import Context
from autoresearch.errors import LauncherError, RefusedError
from autoresearch.experiment.events import RunWaits
from autoresearch.experiment.experiment import Run
from autoresearch.machine import disk
from autoresearch.ports import plugins
from autoresearch.run.job import Job, Submission


def asking(ctx: Context, what: str) -> AbstractContextManager[None]:
    """Around every question to the launcher: what it raises beside its port's errors is its package's failure."""
    return plugins.calling("launchers", ctx.campaign.launcher.type, what)


def write_submission(ctx: Context, job: Job, label: str, number: int) -> Submission:
    """The exact request, written beside the run's other evidence together with the environment it is made in.

    Raises:
        RefusedError: The launcher cannot even write it down, and a plan asks nobody: the next one would be the same.
    """
    try:
        with asking(ctx, "plan a run"):
            submission = ctx.launcher.plan(job)
    except LauncherError as error:
        raise RefusedError(str(error)) from error
    disk.replace(ctx.paths.submission(label, number), ctx.redactor.clean(submission.text))
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
    }


def waits(ctx: Context, run: Run, reason: str, *, stuck: bool = False) -> None:
    """Write down why a run is not begun, when that has changed; reasons that come and go, once a minute."""
    before, now, said = run.waits, ctx.clock(), ctx.redactor.clean(reason)
    if (said, stuck) == ((before.reason, before.stuck) if before else ("", False)):
        return
    if before is None or stuck != before.stuck or not 0 <= now - before.at < 60.0:
        ctx.record(RunWaits(now, run.run_id, said, stuck))
