"""A clock that does not jump: the wall's time when it was made, and the machine's own time since then."""

import time
from collections.abc import Callable


def since_boot() -> float:
    """Seconds since this machine was started, a closed laptop's sleep included; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def asleep() -> float:
    """Seconds that this machine has slept since it was started."""
    return since_boot() - time.monotonic()


class SteadyClock:
    """Unix time in seconds that goes on evenly, whatever is done to the wall clock meanwhile.

    Args:
        wall: The wall clock, Unix seconds; asked once.
        steady: Seconds that never jump.
        not_before: Unix seconds that have certainly passed, such as those of the last event known: a wall clock that
            was set back between two processes does not take us back.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_boot,
        not_before: float = 0.0,
    ) -> None:
        self._steady = steady
        self._offset = max(wall(), not_before) - steady()

    def __call__(self) -> float:
        """Unix seconds, now."""
        return self._steady() + self._offset
