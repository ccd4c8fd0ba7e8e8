"""Room on the disk: without it nothing new is begun; the campaign waits and goes on when there is some (R190, R208)."""

from autoresearch.engine.context import Context
from autoresearch.records import volume
from autoresearch.scheduling import moves
from autoresearch.scheduling.yardstick import Remeasure

_NEEDS_ROOM = (moves.OpenBaseline, moves.Reopen, moves.Explore, moves.Bundle, Remeasure, moves.Repair, moves.Launch)


class Room:
    """Holds back moves that would write much, while a disk has less free than the campaign wants."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._told = False

    def check(self, move: moves.Move) -> moves.Move:
        """The move, or waiting instead of it; both turns are noted once."""
        lacking = self._lacking()
        if bool(lacking) != self._told:
            self._told = bool(lacking)
            self._ctx.note(
                f"{lacking}; no new work starts until there is more" if lacking else "there is enough disk space again"
            )
        return moves.Wait(lacking) if lacking and isinstance(move, _NEEDS_ROOM) else move

    def _lacking(self) -> str:
        least, paths = self._ctx.campaign.run.min_free_gb, self._ctx.paths
        for folder in (paths.folder, paths.private):
            free = self._ctx.free_gb(folder)
            if free < least:
                found = f"the disk of {folder} has {free:.2f} GB free"
                return f"{found} and run.min_free_gb asks for {least:g}: free some space"
        on, least = paths.volume, self._ctx.campaign.site.min_free_gb
        return volume.lacking(on, least, self._ctx.free_gb) if on else ""
