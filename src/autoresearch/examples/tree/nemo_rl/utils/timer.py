"""Stop watches for the phases of a step, and the clock that asks for a last checkpoint."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timer:
    """Adds up the seconds spent under each label."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, label: str) -> Iterator[None]:
        """Time the block."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - begin


class TimeoutChecker:
    """Says when it is time for a last checkpoint: one more average step would pass the limit."""

    def __init__(self, timeout: str | None) -> None:
        self._limit = float("inf") if timeout is None else convert_to_seconds(timeout)
        self._begin = time.monotonic()
        self._steps = 0

    def must_stop(self) -> bool:
        """Whether to stop after the step that has just ended."""
        self._steps += 1
        elapsed = time.monotonic() - self._begin
        return elapsed + elapsed / self._steps >= self._limit


def convert_to_seconds(limit: str) -> int:
    """Seconds of a time limit written DD:HH:MM:SS.

    Raises:
        ValueError: It does not have four fields.
    """
    fields = limit.split(":")
    if len(fields) != 4:
        raise ValueError(f"invalid time limit {limit!r}: expected DD:HH:MM:SS")
    days, hours, minutes, seconds = (int(field) for field in fields)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
