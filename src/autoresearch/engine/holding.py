"""Capacity that a launcher holds between runs: written down with its cost, given back at the end (R150)."""

from autoresearch.engine.context import Context
from autoresearch.errors import LauncherError
from autoresearch.experiment.events import AllocationEnded
from autoresearch.ports.launcher import Holder


def look(ctx: Context) -> None:
    """Write down what has ended since the last look.

    Raises:
        LauncherError: The scheduler cannot be asked right now.
    """
    if not isinstance(ctx.launcher, Holder):
        return
    for held in ctx.launcher.held():
        if held.started_at is None or held.ended_at is None or held.job_id in ctx.history.allocations:
            continue
        ctx.record(AllocationEnded(ctx.clock(), held.job_id, held.nodes, held.gpus, held.started_at, held.ended_at))


def release(ctx: Context) -> None:
    """Give everything back; what cannot be proved gone is noted, and goes away by its own idle limit."""
    if not isinstance(ctx.launcher, Holder):
        return
    try:
        left = ctx.launcher.release()
        look(ctx)
    except LauncherError as error:
        left = (str(error),)
    if left:
        ctx.note(f"not given back, it ends by its idle limit: {'; '.join(left)}")
