"""Who is asked next when a campaign has several researchers, and who rests."""

from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 3
"""Refused proposals in a row after which a researcher rests: a fourth would tell nobody anything new."""


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
