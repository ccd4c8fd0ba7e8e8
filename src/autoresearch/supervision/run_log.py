"""A run's log without its secrets: what goes to the disk has passed the redactor before.

Cleaning takes longer than printing. Until the bounded log is full for the first time a run that prints faster waits for
us. From then on its middle is dropped anyway, so of a flood only the last part is kept in memory, and cleaned when the
flood ebbs or every two seconds.
"""

import codecs
import contextlib
import os
import time
from collections import deque
from pathlib import Path

from autoresearch.secrets.redactor import Cleaner, Redactor
from autoresearch.supervision.boundedlog import BoundedLog

_PIECE = 1 << 16
_MOST = 2 << 20
_PATIENCE_S = 2.0
_TOUCH_S = 1.0
_TORN = 4096
_END_BYTES = 64 * 1024


def end_of(log: Path, redactor: Redactor) -> str:
    """The last 64 KiB of a log, without secrets.

    Raises:
        OSError: It cannot be read.
    """
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
        return redactor.clean(stream.read().decode("utf-8", "replace"))


def ends_of(log: Path, redactor: Redactor) -> str:
    """The first and the last 64 KiB of a log, or all of a shorter one, without secrets.

    Raises:
        OSError: It cannot be read.
    """
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        start = stream.read(_END_BYTES)
        stream.seek(max(_END_BYTES, size - _END_BYTES))
        return redactor.clean((start + stream.read()).decode("utf-8", "replace"))


class CleanLog:
    """Cleans bytes on their way into a bounded log. Bytes that are no UTF-8 pass as they are.

    Attributes:
        file: The bounded log.
    """

    def __init__(self, file: BoundedLog, redactor: Redactor) -> None:
        self.file = file
        self._cleaner = Cleaner(redactor)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._flood: deque[bytes] = deque()
        self._most = min(file.limit // 4, _MOST)
        self._waiting = self._dropped = 0
        self._clean_at = self._touch_at = 0.0

    def write(self, data: bytes) -> None:
        """Take more of the log."""
        if self.file.written < self.file.limit:
            self._clean(data)
            return
        self._hold(data)
        if time.monotonic() >= self._clean_at:
            self.rest()

    def rest(self) -> None:
        """Nothing more comes just now: what was held back of a flood is cleaned and written."""
        self._clean_at = time.monotonic() + _PATIENCE_S
        if not self._flood:
            return
        data = b"".join(self._flood)
        self._flood.clear()
        self._waiting = 0
        if self._dropped:
            data = self._begin_anew(data)
        self._clean(data)

    def close(self) -> None:
        """Nothing more will be written."""
        self.rest()
        self._put(self._end())
        self.file.close()

    def _hold(self, data: bytes) -> None:
        self._flood.append(data)
        self._waiting += len(data)
        while self._waiting - len(self._flood[0]) >= self._most:
            gone = len(self._flood.popleft())
            self._waiting -= gone
            self._dropped += gone

    def _begin_anew(self, data: bytes) -> bytes:
        """Leave out what was dropped, and the torn line after it: half a secret cannot be told by its looks."""
        self._put(self._end())
        torn = data.find(b"\n", 0, _TORN) + 1 or min(_TORN, len(data))
        self.file.skip(self._dropped + torn)
        self._dropped = 0
        return data[torn:]

    def _clean(self, data: bytes) -> None:
        """Piece by piece, so that no single step keeps the supervisor from its other duties."""
        for start in range(0, len(data), _PIECE):
            self._put(self._cleaner.feed(self._decoder.decode(data[start : start + _PIECE])))

    def _end(self) -> str:
        return self._cleaner.feed(self._decoder.decode(b"", final=True)) + self._cleaner.close()

    def _put(self, text: str) -> None:
        if text:
            self.file.write(text.encode("utf-8", "surrogateescape"))
        elif time.monotonic() >= self._touch_at:
            # A line that has not ended yet is held back, but its run is not silent.
            with contextlib.suppress(OSError):
                os.utime(self.file.path)
            self._touch_at = time.monotonic() + _TOUCH_S
