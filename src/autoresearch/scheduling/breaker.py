"""Exploration held because the machine, not the ideas, fails. Pure: decided from the history, carried out by the loop.

Like failures that nothing ties to an idea open the breaker. While it is open nothing is begun but the *canary*: the
incumbent once more, on a seed it has run with, with longer and longer pauses in between. A canary that gives its number
closes it, and what fell meanwhile is run again; its own number judges nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import Purpose
from autoresearch.run.ending import Ending, Who

ALIKE, STRANGE = 2, 3
"""Ends alike in a row that open it: ones that the machine is known for, and ones of different ideas nobody explains."""
FIRST_S, MOST_S = 5.0, 600.0
"""The pause after the first canary that failed; each further one doubles it, up to the second number."""

_RECENT = 100
"""Runs looked at, newest first."""

_MACHINE = frozenset({Who.ENVIRONMENT, Who.NODE})


@dataclass(frozen=True)
class Breaker:
    """Why exploration is held.

    Attributes:
        ending: The newest end.
        failures: Ends alike in a row, those of canaries left out.
        canaries: Canaries that failed since.
        again_at: When the next canary may be sent, Unix seconds.
    """

    ending: Ending
    failures: int
    canaries: int
    again_at: float

    @property
    def sentence(self) -> str:
        """In one sentence, with the evidence."""
        tried = f", and {self.canaries} of the incumbent" if self.canaries else ""
        told = f"{self.failures} runs in a row{tried} ended without a number"
        return f"the machine is suspected, no idea is run: {told}: {self.ending.sentence}"


def breaker(history: History) -> Breaker | None:
    """The breaker as it stands; None while it is closed."""
    row = _row_of_failures(islice(reversed(history.runs.values()), _RECENT))
    ideas = [run for run in row if run.planned.purpose is not Purpose.CANARY]
    if not ideas or not _opens(ideas):
        return None
    canaries = len(row) - len(ideas)
    newest, last = ideas[0].ending, max((run.ended.at for run in row if run.ended), default=0.0)
    assert newest is not None  # noqa: S101 - only such runs are in the row
    pause = min(MOST_S, FIRST_S * 2 ** (canaries - 1)) if canaries else 0.0
    return Breaker(newest, len(ideas), canaries, last + pause)


def _row_of_failures(runs: Iterable[Run]) -> list[Run]:
    """The newest ends in a row that are alike and nobody's doing, newest first, with the canaries among them."""
    settled = [run for run in runs if run.settled and run.ended]
    ended = sorted(settled, key=lambda run: run.ended.at if run.ended else 0.0, reverse=True)
    found: list[Run] = []
    alike = ""
    for run in ended:
        if run.planned.purpose is Purpose.CANARY:
            if run.ending is None:
                break
        elif run.ending is None or not _strange(run.ending) or alike not in {"", run.ending.what}:
            break
        else:
            alike = run.ending.what
        found.append(run)
    return found


def _strange(ending: Ending) -> bool:
    return ending.who in _MACHINE or (ending.who is Who.UNKNOWN and ending.what not in {"no-metric", "contradicted"})


def _opens(row: list[Run]) -> bool:
    if all(run.ending and run.ending.who in _MACHINE for run in row):
        return len(row) >= ALIKE
    return len({run.planned.experiment for run in row}) >= STRANGE
