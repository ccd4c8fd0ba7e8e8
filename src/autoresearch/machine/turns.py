"""A campaign's lock, shared by several who drive its experiments by hand: each has it only while it acts.

Each also has a lock of its own for as long as it stays, so that others, and whoever looks, know that it is there.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from autoresearch.errors import HeldError
from autoresearch.machine.lock import CampaignLock
from autoresearch.machine.lock_owner import LockOwner, alive


class Hand(NamedTuple):
    """Somebody who takes turns: at which place (0: for a moment), who it is, and whether they surely live."""

    at: int
    owner: LockOwner
    lives: bool


def hands(folder: Path, *, moments: bool = False) -> list[Hand]:
    """Those who take turns and are not known to be dead, in the order of their coming.

    Args:
        folder: Where their own locks lie.
        moments: Whether those count that only act for a moment.
    """
    found = []
    for file in folder.glob("*.lock"):
        holder = CampaignLock(file).holder()
        try:
            lives = holder is not None and alive(holder, file.stat().st_mtime)
        except OSError:
            continue
        index = int(file.stem) if file.stem.isdecimal() else 0
        if holder is not None and lives is not False and (index or moments):
            found.append(Hand(index, holder, bool(lives)))
    return sorted(found, key=lambda one: (one.owner.since, one.at))


_AGAIN_S, _LONGEST_TURN_S = 0.05, 300.0
_threads: dict[Path, int] = {}
"""Which thread of this process has the turn in which campaign: one that waits for itself would wait for ever."""


@dataclass(kw_only=True)
class SharedTurn:
    """One of several who share a campaign's lock; each has it only while it acts.

    Whoever stays lets go of it between two looks. The one who came first leads; the others look on, and lead once that
    one has left.

    Attributes:
        path: The lock that only one of them has.
        folder: Where the own lock of each lies.
        index: Its place: no two have the same; 0 for a moment's work.
    """

    path: Path
    folder: Path
    index: int
    lock: CampaignLock = field(init=False)
    own: CampaignLock = field(init=False)

    def __post_init__(self) -> None:
        self.lock = CampaignLock(self.path)
        own = str(self.index) if self.index else f"moment-{os.getpid()}-{threading.get_ident()}"
        self.own = CampaignLock(self.folder / f"{own}.lock")

    def take(self, *, take_over: bool = False) -> None:
        """Hold the campaign, once others who drive by hand have acted.

        Raises:
            HeldError: A controller is at work, or this very thread has the turn.
        """
        until = time.monotonic() + _LONGEST_TURN_S
        while True:
            try:
                self.lock.acquire(take_over=take_over)
            except HeldError:
                mine = _threads.get(self.path) == threading.get_ident()
                if mine or not self._among_hands() or (not self.index and time.monotonic() > until):
                    raise
                time.sleep(_AGAIN_S)
            else:
                _threads[self.path] = threading.get_ident()
                return

    def give(self) -> None:
        """Let go of the campaign; twice is fine."""
        if _threads.get(self.path) == threading.get_ident():
            del _threads[self.path]
        self.lock.release()

    def beat(self) -> None:
        """Show a sign of life."""
        self.lock.refresh()
        self.own.refresh()

    def alone(self) -> bool:
        """Whether nobody else follows an experiment."""
        return not [one for one in hands(self.folder) if one.at != self.index]

    def leads(self) -> bool:
        """Whether it is the one who looks at the jobs."""
        first = next(iter(hands(self.folder)), None)
        return first is None or first.at == self.index

    def rest(self, seconds: float, over: Callable[[], bool]) -> None:
        """Let the others act for a while; back when there is something to look at.

        Args:
            seconds: How long.
            over: Whether what the journal says ends the errand; asked while another one looks.
        """
        self.give()
        time.sleep(seconds)
        while not self.leads() and not over():
            time.sleep(seconds)
        self.take()

    def _among_hands(self) -> bool:
        """Whether whoever holds the campaign drives by hand, and so lets go of it soon."""
        holder = CampaignLock(self.path).holder()
        who = [(one.owner.host, one.owner.space, one.owner.pid) for one in hands(self.folder, moments=True)]
        return holder is None or (holder.host, holder.space, holder.pid) in who
