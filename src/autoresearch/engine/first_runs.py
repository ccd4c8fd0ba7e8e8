"""The first runs of ideas, which may be ended before their last step: what their curves and those of others say.

Before the first run of all: a rehearsal, a few steps of the base commit with a validation, told and judged by nobody.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from autoresearch.config.duration import span
from autoresearch.config.schema import CampaignConfig
from autoresearch.engine import measuring
from autoresearch.engine.context import Context, JobBuilder
from autoresearch.errors import AutoresearchError, LauncherError
from autoresearch.experiment import names
from autoresearch.experiment.events import Paused
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.git import submodules, worktree
from autoresearch.ports.launcher import Launcher
from autoresearch.ports.metric_source import readings_of, sources_of
from autoresearch.ports.target import Rehearsable, Saver, Survey, Target
from autoresearch.records import volume
from autoresearch.records.paths import CampaignPaths
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Measurement, Readings
from autoresearch.scheduling import next_move, race
from autoresearch.secrets.redactor import Redactor
from autoresearch.supervision.run_log import end_of
from autoresearch.verdict.evidence import Evidence


def hopeless(ctx: Context, run: Run) -> str:
    """Why an idea's first run should not go on, empty when it should."""
    planned, objective = run.planned, ctx.survey.objective
    if not is_first_look(ctx, run):
        return ""
    parents = _references(ctx, planned.experiment)
    if not parents:
        return ""
    board = next_move.board(ctx.history, ctx.campaign, objective, ctx.outlook())
    folder, noise = Path(planned.folder), Evidence(board).sigma
    races = ctx.campaign.run.early_kill == "race"
    unseeing = race.blind(noise) if races else ""
    if unseeing and all(note.text != unseeing for note in ctx.history.notes):
        ctx.note(unseeing)
    now = ctx.target.measure(
        folder, measuring.log_tail(ctx, run), measuring.read_all(ctx, folder), JobStatus(state=JobState.RUNNING)
    )
    why = race.hopeless(now.curve, parents, objective, noise, unit=now.unit) or ""
    if why or not races:
        return why
    return race.outraced(now.curve, parents, _others(ctx, planned.experiment), objective, noise, unit=now.unit)


def is_first_look(ctx: Context, run: Run) -> bool:
    """Whether a run may be ended for what its curves show.

    Later runs always finish: dropping the bad ones would flatter the mean. So do rows of an array and fresh seeds,
    whose numbers are needed whatever they are, and plumbing runs, which judge nothing (R113).
    """
    planned = run.planned
    if planned.purpose is not Purpose.EXPLORE or planned.plumbing or planned.experiment == BASELINE:
        return False
    return not ctx.history.has_yardstick(planned.experiment)


def _others(ctx: Context, arm: str) -> list[race.FirstRun]:
    """The first runs of other ideas that are over, each beside its own parent."""
    others = (one for one in ctx.history.experiments.values() if one.name not in {BASELINE, arm})
    found = (_first(ctx, one) for one in others if not ctx.history.has_yardstick(one.name))
    return [one for one in found if one is not None]


def _first(ctx: Context, entry: Experiment) -> race.FirstRun | None:
    """An idea's first run if it is over; None when there was none, or its curve teaches nothing: its end is odd."""
    explored = [run for run in ctx.history.runs_of(entry.name) if run.planned.purpose is Purpose.EXPLORE]
    run = next((run for run in explored if run.measurement and not run.planned.plumbing), None)
    if run is None or run.measurement is None or run.measurement.doubt:
        return None
    complete = run.valid and run.measurement.completion.whole
    return race.FirstRun(run.measurement.curve, _references(ctx, entry.name), complete)


def _references(ctx: Context, arm: str) -> list[race.Curve]:
    """Curves of the parent's complete runs, of the baseline's when the parent has none."""
    for name in (ctx.history.parent_of(arm), BASELINE):
        measured = [run.measurement for run in ctx.history.current_runs(name) if run.valid and not run.planned.plumbing]
        curves = [found.curve for found in measured if found and found.completion.whole and len(found.curve) > 1]
        if curves:
            return list(curves)
    return []


REHEARSAL = "rehearsal"
"""What its folder and its run are called; experiments' runs count from 1, this one is 0 or a time."""

_BLAMELESS = frozenset(
    {JobState.NODE_FAILED, JobState.PREEMPTED, JobState.CANCELLED, JobState.VANISHED, JobState.UNKNOWN}
)
_LONG_MINUTES = 30.0
"""Runs that are shorter need no rehearsal: their baseline teaches as much in no more time."""
_LETTING_GO_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What a rehearsal showed; it is judged by nobody, has no row and counts nowhere.

    Attributes:
        well: Whether it came to its end and gave its number, or what ended it says nothing about recipe and code.
        told: All of it, in words.
        setup_s: Seconds that are no step: start-up, validation, saving; None when not seen.
        step_s: Seconds of a step after the first; None when not seen.
        peak_memory_gb: Largest memory seen.
    """

    well: bool
    told: str
    setup_s: float | None = None
    step_s: float | None = None
    peak_memory_gb: float | None = None

    def minutes(self, steps: int | None) -> float | None:
        """How long a whole run takes at that pace, None when it was not seen."""
        if self.setup_s is None or self.step_s is None or not steps:
            return None
        return (self.setup_s + self.step_s * steps) / 60

    def settings(self, campaign: CampaignConfig, steps: int | None) -> dict[str, dict[str, object]]:
        """Keys of the campaign file: the target's times as they were seen, and that it need not be rehearsed again."""
        seen = {"setup_minutes": self.setup_s and self.setup_s / 60, "minutes": self.minutes(steps)}
        times = {key: round(value, 2) for key, value in seen.items() if value}
        target = {"type": campaign.target.type, **campaign.target.options(), **times}
        return {"run": {"rehearsal": "off"}, "target": target}

    def corrects(self, survey: Survey) -> Survey:
        """The survey with what was seen in place of what was predicted."""
        if self.setup_s is None or self.step_s is None:
            return survey
        minutes = self.minutes(survey.steps) or survey.minutes
        return replace(survey, setup_minutes=self.setup_s / 60, step_minutes=self.step_s / 60, minutes=minutes)


def rehearse(
    jobs: JobBuilder,
    commit: str,
    number: int,
    limit_s: float | None,
    wait: Callable[[], bool],
    redactor: Redactor,
    *,
    stays: bool = False,
) -> Rehearsed | None:
    """Run the base commit for a few steps with a validation, as a campaign would run it; None where it was broken off.

    A run of that number which the launcher has already is followed, not sent again.

    Args:
        jobs: Makes jobs of the campaign.
        commit: The base commit.
        number: Which rehearsal.
        limit_s: Its time limit.
        wait: Sleeps between two looks; says whether to go on.
        redactor: Keeps secrets out of what is told.
        stays: Whether the run goes on when its caller is interrupted, to be followed by the next one.

    Raises:
        AutoresearchError: The recipe cannot be read, or the launcher does not take the run.
    """
    paths, target = jobs.paths, jobs.target
    assert isinstance(target, Rehearsable)  # noqa: S101 - the caller asked
    folder, log = paths.run(REHEARSAL, number), paths.log(REHEARSAL, number)
    folder.mkdir(parents=True, exist_ok=True)
    volume.prepare(paths, REHEARSAL, number)
    tree = worktree.add(paths.root, paths.worktree(f".{REHEARSAL}"), commit)
    submodules.populate(paths.root, tree)
    run_id = names.run_id(jobs.campaign.campaign, REHEARSAL, number)
    request = jobs.request(
        REHEARSAL, number, run_id=run_id, tree=tree, seed=jobs.campaign.run.first_seed, limit_s=limit_s, commit=commit
    )
    steps = target.rehearsal_steps
    job = jobs.job(replace(request, steps=steps), REHEARSAL, number, plumbing=False)
    job_id = jobs.launcher.find(run_id) or jobs.launcher.submit(jobs.launcher.plan(job))
    over = True
    try:
        if (status := _ended(jobs.launcher, job_id, wait)) is None:
            return None
        readings = {name: readings_of(source, folder) for name, source in sources_of(target).items()}
        tail = end_of(log, redactor) if log.exists() else ""
        return _showed(target.measure(folder, tail, readings, status), status, target, readings, steps)
    except BaseException as error:
        over = isinstance(error, AutoresearchError) or not stays
        raise
    finally:
        if over:
            if jobs.launcher.leftovers(job_id):
                jobs.launcher.cancel(job_id)
            if isinstance(target, Saver):
                volume.forget(paths, REHEARSAL, target.weights(folder))
            worktree.remove(paths.root, tree)


def abandon(launcher: Launcher, target: Target, paths: CampaignPaths, number: int) -> bool:
    """End a rehearsal that nobody waits for any more, and keep neither its weights nor its worktree.

    Returns whether it is over; where it is not after some seconds, what it still writes is not in anybody's way.
    """
    until = time.monotonic() + _LETTING_GO_S
    if job_id := launcher.find(names.run_id(paths.name, REHEARSAL, number)):
        launcher.cancel(job_id)
        while launcher.leftovers(job_id) and time.monotonic() < until:
            time.sleep(0.1)
    if isinstance(target, Saver):
        volume.forget(paths, REHEARSAL, target.weights(paths.run(REHEARSAL, number)))
    tree = paths.worktree(f".{REHEARSAL}")
    if tree.exists():
        worktree.remove(paths.root, tree)
    return not (job_id and launcher.leftovers(job_id))


def _ended(launcher: Launcher, job_id: str, wait: Callable[[], bool]) -> JobStatus | None:
    """How a job ended, None when it was not waited for; a scheduler that cannot be asked is asked again."""
    while True:
        with suppress(LauncherError):
            status = launcher.states([job_id])[job_id]
            if status.state.ended:
                return status
        if not wait():
            launcher.cancel(job_id)
            return None


def _showed(
    found: Measurement, status: JobStatus, target: Rehearsable, readings: Mapping[str, Readings], steps: int
) -> Rehearsed:
    ran_s = status.ran_s or max(0.0, (status.ended_at or 0.0) - (status.started_at or status.ended_at or 0.0))
    times = target.step_seconds(readings)
    step_s = fmean(times[1:] or times) if times else None
    # What the first step takes longer (kernels, graphs, caches) is start-up too.
    setup_s = max(0.0, ran_s - step_s * len(times)) if step_s is not None and ran_s else None
    well = found.value is not None and status.state is JobState.SUCCEEDED
    blameless = status.state in _BLAMELESS or any(one.fault == "environment" for one in found.symptoms[:1])
    parts = [f"{steps} steps with a validation, judged by nobody: {status.state}"]
    parts += [f"{found.metric} = {found.value:.4g}" if found.value is not None else f"no number: {_why(found, status)}"]
    parts += [f"a step takes {step_s:.3g} s"] if step_s is not None else []
    parts += [f"start-up, validation and saving {span(round(setup_s))}"] if setup_s is not None else []
    parts += [f"peak memory {found.peak_memory_gb:.1f} GB"] if found.peak_memory_gb else []
    return Rehearsed(
        well=well or blameless,
        told="; ".join(parts),
        setup_s=setup_s,
        step_s=step_s,
        peak_memory_gb=found.peak_memory_gb,
    )


def _why(found: Measurement, status: JobStatus) -> str:
    worst = next((f"{one.name}: {one.evidence}" for one in found.symptoms), "")
    return found.note or worst or status.reason or "its files hold none"


def rehearsed(ctx: Context) -> Rehearsed | None:
    """What the campaign's rehearsal showed, as its note says; None before there was one."""
    told = next((note.details[REHEARSAL] for note in ctx.history.notes if REHEARSAL in note.details), "")
    return Rehearsed(**json.loads(told)) if told else None


_BROKEN_OFF = "broken off"
"""The detail of a note that a rehearsal was: the next one has another number, for the launcher knows that one."""


def recall_rehearsal(ctx: Context) -> None:
    """Let what a rehearsal has taught take the place of predictions."""
    if found := rehearsed(ctx):
        ctx.survey = found.corrects(ctx.survey)


def rehearse_first(ctx: Context, wait: Callable[[], None]) -> bool:
    """Before the baseline: a rehearsal, where one is wanted; returns whether the baseline may be opened now.

    One that gives no number for its own fault pauses the campaign: the baseline would end like it, hours later. A pause
    lets it go on, and so does a controller that is interrupted; an end that is asked for breaks it off.
    """
    started = ctx.history.started
    if rehearsed(ctx) is None and started is not None and _wanted(ctx):
        number = sum(_BROKEN_OFF in note.details for note in ctx.history.notes)
        told = f"before the baseline: a rehearsal in {ctx.paths.run(REHEARSAL, number)}"
        if all(note.text != told for note in ctx.history.notes):
            ctx.note(told)

        def go_on() -> bool:
            wait()
            ctx.hear()
            if ctx.history.stop:  # noted before it is cancelled: who dies between does not take it for the rehearsal
                ctx.note("rehearsal: it was broken off", **{_BROKEN_OFF: str(number)})
            return not ctx.history.stop

        try:
            limit_s = ctx.limits.run_limit_s(ctx.clock())
            found = rehearse(ctx.jobs, started.base_commit, number, limit_s, go_on, ctx.redactor, stays=True)
        except AutoresearchError as error:
            found = Rehearsed(well=True, told=f"it could not be begun: {error}")
        if found is None:
            return False
        found = replace(found, told=ctx.redactor.clean(found.told))
        ctx.note(f"rehearsal: {found.told}", **{REHEARSAL: json.dumps(asdict(found))})
        if not found.well:
            why = f"its rehearsal gave no number ({found.told}); mend that, or go on without: autoresearch resume"
            ctx.record(Paused(ctx.clock(), why, "the rehearsal"))
        recall_rehearsal(ctx)
    return not (ctx.history.stop or ctx.history.paused)


def _wanted(ctx: Context) -> bool:
    return ctx.history.baseline is None and wants_rehearsal(ctx.campaign, ctx.survey, ctx.target, ctx.launcher)


def wants_rehearsal(
    campaign: CampaignConfig, survey: Survey, target: Target, launcher: Launcher | type[Launcher]
) -> bool:
    """Whether a campaign is to be rehearsed: its runs are long and take GPUs, and no launch has to be asked for."""
    setting, approval = campaign.run.rehearsal, campaign.approval
    if setting == "off" or not isinstance(target, Rehearsable) or getattr(launcher, "rehearses", False):
        return False
    minutes = (survey.setup_minutes or 0.0) + target.rehearsal_steps * (survey.step_minutes or 0.0)
    most = approval.ask_above_gpu_hours
    if approval.launch == "ask" or (most is not None and survey.resources.gpus * minutes / 60 > most):
        return False
    long = survey.minutes is None or survey.minutes >= _LONG_MINUTES
    return setting == "always" or (bool(survey.resources.gpus) and long and not survey.plumbing)
