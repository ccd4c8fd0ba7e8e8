"""Whether new ideas are asked for, and of whom. Pure: decided from the history, carried out by the engine.

Whose turn: each researcher has a share and a limit, and rests after refusals in a row.

Whether at all: exploration is held because the machine, not the ideas, fails. Like failures that nothing ties to an
idea open the *breaker*. While it is open nothing is begun but the *canary*: the incumbent once more, on a seed it has
run with, with longer and longer pauses in between. A canary that gives its number closes it, and what fell meanwhile is
run again; its own number judges nothing.
"""

from collections.abc import Iterable, Sequence
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

PATIENCE = 3
"""Refused proposals in a row after which a researcher rests: a fourth would tell nobody anything new."""


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


@dataclass(frozen=True)
class Turn:
    """One researcher as the chain sees it.

    Attributes:
        proposed: Experiments it has proposed so far.
        share: Its weight among those that have one; None: asked in the order written.
        limit: Most experiments it may propose, None for no limit.
        refused: Its latest proposals that were refused, in a row; see `history.History.refused`.
        patience: How many of them send it to rest, None for no number.
    """

    proposed: int
    share: float | None = None
    limit: int | None = None
    refused: int = 0
    patience: int | None = PATIENCE

    @property
    def rests(self) -> bool:
        """Whether it is left alone until something has changed that could change its mind."""
        return self.patience is not None and self.refused >= self.patience

    @property
    def able(self) -> bool:
        """Whether it may be asked."""
        return not self.rests and (self.limit is None or self.proposed < self.limit)


def patience(wish: int | None, *, finite: bool) -> int | None:
    """Refused proposals in a row after which a researcher rests, None for never; `wish` comes first.

    A finite one has each idea once: what it was refused says nothing about what is still to come.
    """
    return wish if wish is not None or finite else PATIENCE


def order(turns: Sequence[Turn]) -> tuple[int, ...]:
    """Places of the researchers in the order they are to be asked; those at their limit or at rest are left out.

    Researchers without a share come in the order written. Those with one take turns among themselves, so that each has
    proposed in proportion to its share; they stand where the first of them stands in the list.
    """
    able = [place for place, turn in enumerate(turns) if turn.able]
    shared = sorted((place for place in able if turns[place].share), key=lambda place: _due(turns[place], place))
    ordered: list[int] = []
    for place in able:
        if not turns[place].share:
            ordered.append(place)
        elif shared[0] not in ordered:
            ordered.extend(shared)
    return tuple(ordered)


def why_nobody(names: Sequence[str], turns: Sequence[Turn]) -> str:
    """In words, why no proposal came although nobody was in trouble."""
    resting = [(name, turn) for name, turn in zip(names, turns, strict=True) if turn.rests]
    rest = [f"{name} rests after {turn.patience} refused proposals in a row" for name, turn in resting]
    if len(rest) == len(turns):
        return "; ".join(rest)
    return "; ".join(["no researcher has another idea", *rest])


def _due(turn: Turn, place: int) -> tuple[float, int]:
    return ((turn.proposed + 1) / (turn.share or 1.0), place)
