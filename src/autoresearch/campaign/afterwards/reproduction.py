"""A recorded run, made again: same commit, same seed, same measurement, while nobody else works on its campaign.

The campaign records nothing of it. What of its surroundings has changed since is named beside the two numbers.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.campaign import beginning, controller, opening
from autoresearch.campaign.campaign import Campaign
from autoresearch.engine import measuring, runs
from autoresearch.engine.context import Context
from autoresearch.errors import CampaignError, LauncherError
from autoresearch.experiment import names
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.git import submodules, worktree
from autoresearch.machine.clock import SteadyClock
from autoresearch.ports.target import RunRequest
from autoresearch.records import mirror, volume
from autoresearch.run.integrity import Agreement
from autoresearch.run.job import Job, JobState, JobStatus, Submission
from autoresearch.run.measurement import Measurement
from autoresearch.scheduling import next_move
from autoresearch.supervision import run_folder
from autoresearch.verdict.evidence import Evidence

_MOST = 8
"""Differences of one kind that are named."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A run made again, and what came out.

    Attributes:
        experiment: Name of the experiment.
        commit: Its full hash.
        seed: The seed, that of the recorded run.
        run: Number of the recorded run.
        folder: Where the new run's files lie.
        log: What it printed.
        status: How it ended.
        measurement: What its files say.
        agreement: Beside the recorded value.
        drift: What of its surroundings is not as it was, a sentence each.
    """

    experiment: str
    commit: str
    seed: int
    run: int
    folder: Path
    log: Path
    status: JobStatus
    measurement: Measurement
    agreement: Agreement
    drift: tuple[str, ...] = ()


def run_again(ctx: Context, run: Run, wait: Callable[[Path], None]) -> Reproduction:
    """Run it again and wait for its end; on any exception, Ctrl-C too, the job is ended first.

    Args:
        ctx: The campaign, wired.
        run: The recorded run.
        wait: Called between two looks at the job with the path of its log; it sleeps.

    Raises:
        RecipeError: The target refuses the run now.
        LauncherError: The launcher refuses it.
        CampaignError: What it gave once is not what it would be compared by.
    """
    if ctx.campaign.evaluate and ctx.campaign.evaluate.alone:
        raise CampaignError(
            "this campaign's numbers are those of its evaluation alone (evaluate.tolerance: any), and reproduce does "
            "not evaluate: what a run says of itself cannot be compared with them"
        )
    with _placed(ctx, run) as (request, label, number):
        request.folder.mkdir(parents=True)
        volume.prepare(ctx.paths, label, number)
        job = ctx.jobs.job(request, label, number, plumbing=run.planned.plumbing)
        submission = runs.write_submission(ctx, job, label, number)
        status = _followed(ctx, ctx.launcher.submit(submission), lambda: wait(Path(job.log)))
        found = measuring.measure_folder(ctx, Path(job.folder), Path(job.log), status, label, number)
        volume.release(ctx.paths, label, number, well=status.state is JobState.SUCCEEDED, idle=True)
    evidence = Evidence(next_move.board(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook()))
    valid = None if status.state in {JobState.TIMED_OUT, JobState.CANCELLED} else found.value
    return Reproduction(
        experiment=run.planned.experiment,
        commit=ctx.history.arm_commit(run.planned.experiment),
        seed=run.planned.seed,
        run=run.planned.number,
        folder=Path(job.folder),
        log=Path(job.log),
        status=status,
        measurement=found,
        agreement=Agreement(run.value, valid, evidence.sigma),
        drift=_drift(ctx, run, job, ctx.paths.environment(label, number)),
    )


def submission_again(ctx: Context, run: Run) -> Submission:
    """What would be sent; nothing is."""
    with _placed(ctx, run) as (request, label, number):
        submission = ctx.launcher.plan(ctx.jobs.job(request, label, number, plumbing=run.planned.plumbing))
        return replace(submission, text=ctx.redactor.clean(submission.text))


@contextlib.contextmanager
def _placed(ctx: Context, run: Run) -> Iterator[tuple[RunRequest, str, int]]:
    """A worktree of its own, gone afterwards, and a folder below the experiment's that is still to be made."""
    label = f"{run.planned.experiment}/again"
    number = _next(ctx, label)
    run_id = names.run_id(ctx.campaign.campaign, f"{run.planned.experiment}-again", number)
    commit = ctx.history.arm_commit(run.planned.experiment)
    tree = ctx.paths.worktree(f".again-{run_id}")
    worktree.add(ctx.paths.root, tree, commit)
    try:
        submodules.populate(ctx.paths.root, tree)
        limit_s, seed = ctx.limits.per_experiment_timeout, run.planned.seed
        request = ctx.jobs.request(label, number, run_id=run_id, tree=tree, seed=seed, limit_s=limit_s, commit=commit)
        yield request, label, number
    finally:
        worktree.remove(ctx.paths.root, tree)


def _next(ctx: Context, label: str) -> int:
    number = 1
    while ctx.paths.run(label, number).exists() or ctx.paths.evidence(label, number).exists():
        number += 1
    return number


def _followed(ctx: Context, job_id: str, wait: Callable[[], None]) -> JobStatus:
    """How a job ended; a scheduler that cannot be asked is asked again, and nothing is left of the job in any case."""
    try:
        while True:
            with contextlib.suppress(LauncherError):
                status = ctx.launcher.states([job_id])[job_id]
                if status.state.ended:
                    return status
            wait()
    finally:
        ctx.launcher.cancel(job_id)


def reproduce(campaign: Campaign, index: int, number: int | None, wait: Callable[[Path], None]) -> Reproduction:
    """Run an experiment's recorded run again; ledger, journal and notes stay as they are.

    Args:
        campaign: The campaign.
        index: Number of the experiment.
        number: Number of the run; None: the first that gave a value, else the last one.
        wait: Called between two looks with the path of the new log; it sleeps.

    Raises:
        CampaignError: There is no such run.
        HeldError: A controller is at work on the campaign.
    """
    with controller.hold_campaign(campaign.where, campaign.name) as (opened, lock), controller.terminable():
        context = _wired(campaign, opened)
        run = _recorded(context.history, index, number)

        def waiting(log: Path) -> None:
            lock.refresh()
            wait(log)

        with volume.site_ready(context.paths):
            return run_again(context, run, waiting)


def rehearse(campaign: Campaign, index: int, number: int | None) -> Submission:
    """What would be sent; nothing is.

    Raises:
        CampaignError: There is no such run.
    """
    context = _wired(campaign, opening.open_campaign(campaign.where, campaign.name))
    return submission_again(context, _recorded(context.history, index, number))


def _wired(campaign: Campaign, opened: opening.Opened) -> Context:
    clock = SteadyClock(campaign.clock, not_before=opened.history.last_at)
    return beginning.make_context(opened, clock, proposing=False)


def _recorded(history: History, index: int, number: int | None) -> Run:
    entry = history.experiments.get(index)
    made = [run for run in history.current_runs(entry.name) if run.settled] if entry and entry.commit else []
    if not made:
        raise CampaignError(
            f"experiment {index} has no run that ended, so there is nothing to make again"
            if entry
            else f"there is no experiment {index}; autoresearch ledger lists those there are"
        )
    if number is None:
        return next((run for run in made if run.value is not None), made[-1])
    found = next((run for run in made if run.planned.number == number), None)
    if found is None:
        there = ", ".join(str(run.planned.number) for run in made)
        raise CampaignError(f"experiment {index} has no run {number} of its last commit; it has {there}")
    return found


def _drift(ctx: Context, run: Run, job: Job, environment: Path) -> tuple[str, ...]:
    """What differs between the surroundings of a recorded run and of the one that was made again."""
    planned, again = run.planned, run_folder.read(environment)
    kept = run_folder.read(ctx.paths.environment(planned.experiment, planned.number))
    known = kept or mirror.evidence(ctx.paths.root, ctx.paths.name, run.run_id)
    if not known or not again:
        return ("what it ran in was not kept here, so nothing is known of what has changed since",)
    before = _placeless(known, {planned.folder: "FOLDER"})
    return tuple(drift(before, _placeless(again, {job.folder: "FOLDER"})))


def _placeless(environment: Mapping[str, object], places: Mapping[str, str]) -> Mapping[str, object]:
    """Surroundings with names for what is another in every run: its folder, its worktree, its id."""
    text = json.dumps(environment)
    names_of = {**places, str(environment.get("directory")): "TREE", str(environment.get("run_id")): "RUN"}
    for place in sorted(filter(None, names_of), key=len, reverse=True):
        text = text.replace(json.dumps(place)[1:-1], names_of[place])
    found: Mapping[str, object] = json.loads(text)
    return found


def drift(known: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    """What differs between the surroundings of two runs, in words; the program's own path is not compared."""
    for name in ("platform", "python", "host", "resources"):
        if known.get(name) != now.get(name):
            yield f"{name}: {_said(known.get(name))} then, {_said(now.get(name))} now"
    if "packages" not in known:
        yield "packages: not kept then"
    for name, what in (("env", "variable"), ("packages", "package")):
        yield from _changed(what, known.get(name), now.get(name))
    before, after = known.get("argv"), now.get("argv")
    if isinstance(before, list) and isinstance(after, list) and before[1:] != after[1:]:
        yield f"command: {' '.join(map(str, before))} then, {' '.join(map(str, after))} now"


def _changed(what: str, known: object, now: object) -> Iterator[str]:
    if not isinstance(known, dict) or not isinstance(now, dict):
        return
    other = [name for name in sorted({*known, *now}) if known.get(name) != now.get(name)]
    for name in other[:_MOST]:
        yield f"{what} {name}: {_said(known.get(name))} then, {_said(now.get(name))} now"
    if len(other) > _MOST:
        yield f"{len(other) - _MOST} more {what}s differ"


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items() if text is not None)
    return "none" if value is None else str(value)
