"""Who is asked next when a campaign has several researchers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """One researcher as the chain sees it.

    Attributes:
        proposed: Experiments it has proposed so far.
        share: Its weight among those that have one; None: asked in the order written.
        limit: Most experiments it may propose, None for no limit.
    """

    proposed: int
    share: float | None = None
    limit: int | None = None


def order(turns: Sequence[Turn]) -> tuple[int, ...]:
    """Places of the researchers in the order they are to be asked; those at their limit are left out.

    Researchers without a share come in the order written. Those with one take turns among themselves, so that each has
    proposed in proportion to its share; they stand where the first of them stands in the list.
    """
    able = [place for place, turn in enumerate(turns) if turn.limit is None or turn.proposed < turn.limit]
    shared = sorted((place for place in able if turns[place].share), key=lambda place: _due(turns[place], place))
    ordered: list[int] = []
    for place in able:
        if not turns[place].share:
            ordered.append(place)
        elif shared[0] not in ordered:
            ordered.extend(shared)
    return tuple(ordered)


def _due(turn: Turn, place: int) -> tuple[float, int]:
    return ((turn.proposed + 1) / (turn.share or 1.0), place)
