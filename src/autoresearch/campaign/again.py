"""Making a recorded run again, while nobody else works on its campaign."""

from collections.abc import Callable
from pathlib import Path

from autoresearch.campaign import controller, opening, storage
from autoresearch.campaign import reproduce as again
from autoresearch.campaign.campaign import Session
from autoresearch.campaign.reproduce import Reproduction
from autoresearch.engine.context import Context
from autoresearch.errors import CampaignError
from autoresearch.experiment.experiment import Run, usable
from autoresearch.experiment.history import History
from autoresearch.machine.clock import SteadyClock
from autoresearch.run.job import Submission

__all__ = ["Reproduction", "rehearse", "reproduce"]


def reproduce(session: Session, index: int, number: int | None, wait: Callable[[Path], None]) -> Reproduction:
    """Run an experiment's recorded run again; ledger, journal and notes stay as they are.

    Args:
        session: The campaign.
        index: Number of the experiment.
        number: Number of the run; None: the first that gave a value, else the last one.
        wait: Called between two looks with the path of the new log; it sleeps.

    Raises:
        CampaignError: There is no such run.
        HeldError: A controller is at work on the campaign.
    """
    with controller.held(session.where, session.name) as (opened, lock), controller.terminable():
        context = _wired(session, opened)
        run = _recorded(context.history, index, number)

        def waiting(log: Path) -> None:
            lock.refresh()
            wait(log)

        with storage.ready(context.paths):
            return again.reproduce(context, run, waiting)


def rehearse(session: Session, index: int, number: int | None) -> Submission:
    """What would be sent; nothing is.

    Raises:
        CampaignError: There is no such run.
    """
    context = _wired(session, opening.open_campaign(session.where, session.name))
    return again.rehearse(context, _recorded(context.history, index, number))


def _wired(session: Session, opened: opening.Opened) -> Context:
    return opening.wire(opened, SteadyClock(session.clock, not_before=opened.history.last_at), proposing=False)


def _recorded(history: History, index: int, number: int | None) -> Run:
    entry = history.experiments.get(index)
    made = [run for run in history.current_runs(entry.name) if run.settled] if entry and entry.commit else []
    if not made:
        raise CampaignError(f"experiment {index} has no run that ended, so there is nothing to make again")
    if number is None:
        return next((run for run in made if usable(run) is not None), made[-1])
    found = next((run for run in made if run.planned.number == number), None)
    if found is None:
        there = ", ".join(str(run.planned.number) for run in made)
        raise CampaignError(f"experiment {index} has no run {number} of its last commit; it has {there}")
    return found
