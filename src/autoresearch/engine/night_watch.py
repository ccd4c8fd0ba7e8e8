"""Looking at a run while it runs: whether its curve still leaves it a chance."""

from pathlib import Path

from autoresearch.engine import runs
from autoresearch.engine.context import Context
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion
from autoresearch.scheduling import next_move, pruning
from autoresearch.verdict.evidence import Evidence

_WHOLE = (Completion.DONE, Completion.EARLY_STOPPED)


def hopeless(ctx: Context, run: Run) -> str:
    """Why an idea's first run should not go on, empty when it should.

    Later runs always finish: dropping the bad ones would flatter the mean. So do rows of an array and fresh seeds,
    whose numbers are needed whatever they are, and plumbing runs, which judge nothing (R113).
    """
    planned = run.planned
    if planned.purpose is not Purpose.EXPLORE or planned.plumbing or planned.experiment == BASELINE:
        return ""
    if ctx.history.has_yardstick(planned.experiment):
        return ""
    references = _references(ctx, planned.experiment)
    if not references:
        return ""
    board = next_move.board(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook())
    folder = Path(planned.folder)
    now = ctx.target.measure(folder, runs.log_tail(ctx, run), runs.read_all(ctx, folder), JobStatus(JobState.RUNNING))
    return pruning.hopeless(now.curve, references, ctx.survey.objective, Evidence(board).sigma) or ""


def _references(ctx: Context, arm: str) -> list[pruning.Curve]:
    """Curves of the parent's complete runs, of the baseline's when the parent has none."""
    history = ctx.history
    parent = history.bundles[arm].parent if arm in history.bundles else history.experiment(arm).parent
    for name in (parent, BASELINE):
        measured = [run.measurement for run in history.current_runs(name) if run.valid and not run.planned.plumbing]
        curves = [found.curve for found in measured if found and found.completion in _WHOLE and len(found.curve) > 1]
        if curves:
            return list(curves)
    return []
