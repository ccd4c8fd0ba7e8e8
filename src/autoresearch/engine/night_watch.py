"""Looking at a run while it runs: whether its curve still leaves it a chance.

Capacity that a launcher holds between runs: written down with its cost, given back at the end (R150).

Room on the disk: without it nothing new is begun; the campaign waits and goes on when there is some (R190, R208).
"""

from pathlib import Path

from autoresearch.engine import runs
from autoresearch.engine.context import Context
from autoresearch.errors import LauncherError
from autoresearch.experiment.events import AllocationEnded
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.ports.launcher import WarmAllocation
from autoresearch.records import volume
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion
from autoresearch.scheduling import next_move, pruning
from autoresearch.scheduling.yardstick import Remeasure
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
    now = ctx.target.measure(
        folder, runs.log_tail(ctx, run), runs.read_all(ctx, folder), JobStatus(state=JobState.RUNNING)
    )
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
            self._ctx.note(
                f"{lacking}; no new work starts until there is more" if lacking else "there is enough disk space again"
            )
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
