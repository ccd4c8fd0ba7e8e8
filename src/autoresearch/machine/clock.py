"""A clock that does not jump: the wall's time when it was made, and the machine's own time since then.

How long a run has run, by a stopwatch: what others stopped it for, and what the machine slept, is none of it.
"""

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


_SLOWED = 10.0
"""Times its own processor time that a look may take on a busy machine."""

_HELD_S = 3.0
"""Seconds by which a look may be late before whoever looks was stopped as well."""


class Stopwatch:
    """Counts a run's time, turn by turn of the loop that watches over it.

    Attributes:
        started_at: Unix seconds when it began, None before.
        paused_since: Unix seconds since when it is stopped, None while it runs.
        paused_s: Seconds that it was stopped, in all.
        rested_s: Those of them in which whoever looks did so, and was not stopped or late as well.
    """

    def __init__(self) -> None:
        self.started_at: float | None = None
        self.paused_since: float | None = None
        self.paused_s = self.rested_s = 0.0
        self._began = self._turned = self._asleep = 0.0
        self._patience = self._busy_s = self._worked = 0.0

    def start(self) -> None:
        """The run begins now."""
        self._began = self._turned = time.monotonic()
        self._worked = time.thread_time()
        self._asleep = since_boot() - self._began
        self.started_at = time.time()

    def turn(self, *, stopped: bool) -> None:
        """Take account of the time since the last turn.

        Args:
            stopped: Whether all processes of the run are stopped, now.
        """
        now = time.monotonic()
        late_s = now - self._turned - self._patience - self._busy_s
        if self.paused_since is not None:
            self.paused_s += now - self._turned
            self.rested_s += min(now - self._turned, self._patience + _HELD_S)
        elif late_s > _HELD_S:
            self.paused_s += late_s
        self._turned, self._patience, self._busy_s, self._worked = now, 0.0, 0.0, time.thread_time()
        if not stopped:
            self.paused_since = None
        elif self.paused_since is None:
            self.paused_since = time.time()

    def wait(self, seconds: float) -> float:
        """The same seconds, remembered as those until the next turn.

        What whoever looks has done since the last turn took its own time, in which the run went on: late by that is no
        pause. A stop in the midst of it is told by how little was done.
        """
        self._patience = max(0.0, seconds)
        self._busy_s = min(time.monotonic() - self._turned, _SLOWED * (time.thread_time() - self._worked))
        return seconds

    @property
    def running_s(self) -> float:
        """Seconds the run has been running."""
        if self.started_at is None:
            return 0.0
        now = time.monotonic()
        resting_s = now - self._turned if self.paused_since is not None else 0.0
        return round(max(0.0, now - self._began - self.paused_s - resting_s), 3)

    @property
    def asleep_s(self) -> float:
        """Seconds that this machine has slept since, a closed laptop for example."""
        return max(0.0, since_boot() - time.monotonic() - self._asleep) if self.started_at is not None else 0.0
