"""A clock that does not jump: the wall's time when it was made, and the machine's own time since then.

How long a run has run, by a stopwatch: what others stopped it for, and what the machine slept, is none of it.
"""

import time
from collections.abc import Callable, Iterable

from autoresearch.machine.processes import Process, of_threads


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


_KERNELS_OWN = 0x10
"""Flag of a thread that the kernel works with on a process's behalf (io_uring); it stops when it likes."""


class Standstill:
    """Whether all of a run is stopped, by a scheduler, a person or itself, and was from one look to the next.

    Attributes:
        stopped: Whether it seems so.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._seen: dict[tuple[int, int], int] | None = None

    def look(self, living: Iterable[Process]) -> bool:
        """Look again; whether none of these processes did anything since the look before."""
        before, self._seen = self._seen, at_rest(living)
        if self._seen is None or before is None:
            self.stopped = self._seen is not None
            return False
        self.stopped = self._seen.items() <= before.items()
        return self.stopped


def at_rest(living: Iterable[Process]) -> dict[tuple[int, int], int] | None:
    """By id and start time how often each was on a processor; None unless every thread of all of them is stopped."""
    found: dict[tuple[int, int], int] = {}
    for process in living:
        if not process.stopped:
            return None
        fields = [text.rpartition(")")[2].split() for text in of_threads(process.pid, "stat")]
        if not all(field[0] in "Tt" or int(field[6]) & _KERNELS_OWN for field in fields):
            return None
        lines = [line for text in of_threads(process.pid, "status") for line in text.splitlines()]
        switches = (int(line.split()[1]) for line in lines if "ctxt_switches:" in line)
        found[process.pid, process.started] = sum(switches)
    return found or None


class Stopwatch:
    """Counts a run's time, turn by turn of the loop that watches over it.

    Attributes:
        started_at: Unix seconds when it began, None before.
        paused_since: Unix seconds since when it is stopped, None while it runs.
        paused_s: Seconds that it was stopped, in all.
        rested_s: Those of them in which whoever looks did so, and was not stopped or late as well. A stop that is seen
            at each look may be none between them, so these are taken back where the run is found to have run.
    """

    def __init__(self) -> None:
        self.started_at: float | None = None
        self.paused_since: float | None = None
        self.paused_s = self.rested_s = 0.0
        self._began = self._turned = self._asleep = 0.0
        self._patience = self._busy_s = self._worked = self._unproven_s = 0.0

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
            watched_s = min(now - self._turned, self._patience + _HELD_S)
            self.rested_s += watched_s
            self._unproven_s += watched_s
        elif late_s > _HELD_S:
            self.paused_s += late_s
        self._turned, self._patience, self._busy_s, self._worked = now, 0.0, 0.0, time.thread_time()
        if not stopped:
            self.paused_since = None
        elif self.paused_since is None:
            self.paused_since = time.time()

    def prove(self, *, rested: bool) -> None:
        """Say whether the run did nothing since this was said before; otherwise it was not paused meanwhile."""
        if not rested:
            self.paused_s -= self._unproven_s
            self.rested_s -= self._unproven_s
        self._unproven_s = 0.0

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
