"""What a run says of being under way, noted once for whoever launched it."""

from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.experiment.experiment import Run
from autoresearch.ports.target import Narrator
from autoresearch.supervision.run_log import ends_of


def tell(ctx: Context, run: Run) -> None:
    """Note every milestone in the log of a run that was not noted yet; a log that cannot be read says nothing."""
    if not isinstance(ctx.target, Narrator):
        return
    try:
        log = ends_of(Path(run.planned.log), ctx.redactor)
    except OSError:
        return
    told = {note.text for note in ctx.history.notes}
    for reached in ctx.target.milestones(log):
        text = ctx.redactor.clean(f"{run.run_id}: {reached}")
        if text not in told:
            ctx.note(text)
