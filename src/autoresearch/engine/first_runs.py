"""The first runs of ideas, which may be ended before their last step: what their curves and those of others say."""

from pathlib import Path

from autoresearch.engine import measuring
from autoresearch.engine.context import Context
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.run.job import JobState, JobStatus
from autoresearch.scheduling import next_move, race
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
