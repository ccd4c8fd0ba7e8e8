"""A run's log without its secrets: what goes to the disk has passed the redactor before.

Cleaning takes longer than printing. Until the bounded log is full for the first time a run that prints faster waits for
us. From then on its middle is dropped anyway, so of a flood only the last part is kept in memory, and cleaned when the
flood ebbs or every two seconds.

A log file that cannot fill the disk: its head and its tail are kept, and a line between says what was left out.

The recorder writes it, in a thread of its own, as it does all of a supervisor that touches the disk and the GPU driver:
a hung file system or driver then delays what is recorded, never what is enforced.
"""

import codecs
import contextlib
import fcntl
import hashlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autoresearch.machine import gpus
from autoresearch.machine.disk import clear_way, opened
from autoresearch.run.pace import StepLines
from autoresearch.run.symptom import MAX_LINE, clean
from autoresearch.secrets.redactor import Cleaner, Redactor
from autoresearch.supervision import run_folder

_CHUNK = 1 << 20
_FRESH = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class BoundedLog:
    """Writes at most `limit` bytes to `path`; at every moment the file is a readable log.

    The first sixteenth of the limit is kept for ever. When the file is full, what lies between that head and the last
    quarter gives way to one line with the number of bytes left out so far. The new file is written aside and renamed,
    so a reader sees the old or the new one, never half of one; for that moment up to 5/16 of the limit is used twice.
    A write the disk refuses is counted in `lost` and forgotten: what writes the log must never wait for us.

    Attributes:
        written: Bytes received.
        left_out: Bytes dropped from the middle.
        lost: Bytes the disk refused.
        altered: Whether somebody else wrote to the file, or put another in its place; known when it is full or closed.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, max(limit, 4096)
        self.written = self.left_out = self.lost = 0
        self.altered = False
        self._digest = hashlib.sha256()
        self._head = self._mark_length = self._size = self._retry_at = 0
        self._file = os.open(path, _FRESH, 0o644)

    def write(self, data: bytes) -> None:
        """Take more of the log."""
        self.written += len(data)
        room = self.limit // 16
        for start in range(0, len(data), room):
            self._append(data[start : start + room])

    def skip(self, count: int) -> None:
        """Leave out the next `count` bytes, and with them all that is kept behind the head."""
        self.written += count
        try:
            self._compact(self._size, count)
        except OSError:
            self.lost += count

    def close(self) -> None:
        """Nothing more will be written."""
        self._look()
        os.close(self._file)

    def _look(self) -> None:
        """Is the file what was written to it? A run can reach it, and what stands in it is taken for its number."""
        found = hashlib.sha256()
        try:
            here, there = os.fstat(self._file), self.path.lstat()
            for start in range(0, self._size, _CHUNK):
                found.update(os.pread(self._file, min(_CHUNK, self._size - start), start))
        except (FileNotFoundError, NotADirectoryError):
            self.altered = True
            return
        except OSError:
            return  # a disk that fails to read accuses nobody; whoever takes the number from the file meets it too
        same = (here.st_dev, here.st_ino, here.st_size) == (there.st_dev, there.st_ino, self._size)
        self.altered |= not same or found.digest() != self._digest.digest()

    def _append(self, piece: bytes) -> None:
        if self._size + len(piece) > self.limit and not self._made_room():
            self.lost += len(piece)
            return
        done = _write(self._file, piece)
        self._digest.update(piece[:done])
        self._size += done
        self.lost += len(piece) - done

    def _made_room(self) -> bool:
        if self.written < self._retry_at:
            return False
        try:
            self._compact(self._size - self.limit // 4)
        except OSError:
            # A full disk is not asked again for every line.
            self._retry_at = self.written + self.limit // 4
            return False
        return True

    def _compact(self, tail: int, skipped: int = 0) -> None:
        """Keep the head and what begins at `tail`; between them, and `skipped` more at the end, are left out."""
        self._look()
        head = self._head or min(self.limit // 16, self._size)
        left_out = self.left_out + skipped + tail - head - (self._mark_length if self._head else 0)
        mark = f"\n[autoresearch: {left_out} bytes left out here]\n".encode()
        aside = self.path.with_name(f".{self.path.name}.aside")
        # The run can write here: what it puts in our way must not lead our pen elsewhere.
        clear_way(aside)
        clear_way(self.path)
        fresh = os.open(aside, _FRESH, 0o644)
        digest = hashlib.sha256()
        try:
            _copy(self._file, fresh, 0, head, digest)
            _write_all(fresh, mark)
            digest.update(mark)
            _copy(self._file, fresh, tail, self._size - tail, digest)
            aside.replace(self.path)
        except OSError:
            os.close(fresh)
            aside.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._size = head + len(mark) + self._size - tail
        self._file, self._head, self._mark_length, self.left_out = fresh, head, len(mark), left_out
        self._digest = digest


def _copy(source: int, sink: int, start: int, count: int, digest: "hashlib._Hash") -> None:
    end = start + count
    while start < end:
        piece = os.pread(source, min(_CHUNK, end - start), start)
        _write_all(sink, piece)
        digest.update(piece)
        start += len(piece)


def _write_all(sink: int, data: bytes) -> None:
    if not data or _write(sink, data) < len(data):
        raise OSError("the log could not be rewritten")


def _write(sink: int, data: bytes) -> int:
    """Write as much as the disk takes; returns how much that was."""
    done = 0
    try:
        while done < len(data):
            done += os.write(sink, data[done:])
    except OSError:
        pass
    return done


_PIECE = 1 << 16
_MOST = 2 << 20
_PATIENCE_S = 2.0
_TOUCH_S = 1.0
_END_BYTES = 64 * 1024
_LOOK_BYTES = 8 << 20


def end_of(log: Path, redactor: Redactor) -> str:
    """The whole lines in the last 64 KiB of a log, without secrets: half of one could hide what tells a secret.

    Raises:
        OSError: It cannot be read.
    """
    with opened(log, alone=True) as stream:
        begin = max(0, stream.seek(0, os.SEEK_END) - _END_BYTES)
        stream.seek(begin)
        data = stream.read()
    return redactor.clean(data[_first_line(data) if begin else 0 :].decode("utf-8", "replace"))


def ends_of(log: Path, redactor: Redactor) -> str:
    """The first and the last 64 KiB of a log, in whole lines, or all of a shorter one, without secrets.

    Raises:
        OSError: It cannot be read.
    """
    with opened(log, alone=True) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        start = stream.read(_END_BYTES)
        if size <= 2 * _END_BYTES:
            return redactor.clean((start + stream.read()).decode("utf-8", "replace"))
    return redactor.clean(start[: start.rfind(b"\n") + 1].decode("utf-8", "replace")) + end_of(log, redactor)


def _first_line(data: bytes) -> int:
    """Where the first line begins that is whole, in what was read from the middle of a file."""
    return min((at + 1 for at in (data.find(b"\n"), data.find(b"\r")) if at >= 0), default=len(data))


class StepLog:
    """What a log's lines say of steps; at each look only what is new is read.

    Args:
        path: The log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = StepLines()
        self._inode = self._offset = 0

    def look(self) -> StepLines:
        """All that its whole lines have said so far; of a flood the last 8 MiB."""
        with contextlib.suppress(OSError), opened(self._path, alone=True) as stream:
            found = os.fstat(stream.fileno())
            if found.st_ino != self._inode or found.st_size < self._offset:
                # Its middle was left out: most of it was read before, and a step is new only once.
                self._inode, self._offset = found.st_ino, 0
            start = max(self._offset, found.st_size - _LOOK_BYTES)
            stream.seek(start)
            data, _, torn = stream.read(_LOOK_BYTES).rpartition(b"\n")
            self._offset = stream.tell() - len(torn)
            for line in data.split(b"\n"):
                self._lines.feed(clean(line[-4 * MAX_LINE :].decode("utf-8", "replace")))
        return self._lines


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
        torn = _first_line(data)
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


class Recorder(threading.Thread):
    """Copies a pipe into the bounded log, and writes the supervisor's state about once a second.

    Attributes:
        log: The log being written, without secrets.
        peak_gpu_gb: Largest memory seen on any of the run's GPUs, None when there are none to ask.
    """

    def __init__(self, pipe: int, log: CleanLog, state: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
        super().__init__(name="recorder", daemon=True)
        self.log = log
        self.peak_gpu_gb: float | None = None
        self._pipe, self._state, self._snapshot = pipe, state, snapshot
        self._over = threading.Event()
        self._beat_at = 0.0
        self._words: deque[str] = deque()
        os.set_blocking(pipe, False)
        with contextlib.suppress(OSError):
            # One megabyte, the most an ordinary user gets: a run that floods its log makes fewer switches.
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)

    def run(self) -> None:
        """Until `finish` was called and nothing more can be read."""
        watch = select.poll()
        watch.register(self._pipe, select.POLLIN)
        is_open = True
        while True:
            self._beat()
            while self._words:
                self.log.write(self._words.popleft().encode("utf-8", "replace"))
            if not is_open:
                if self._over.wait(1.0):
                    break
            elif watch.poll(200):
                is_open = self._pump()
            elif self._over.is_set():
                break
            else:
                self.log.rest()
        while self._words:
            self.log.write(self._words.popleft().encode("utf-8", "replace"))
        os.close(self._pipe)
        self.log.close()

    def say(self, text: str) -> None:
        """Put words of ours into the log, behind what has been read so far."""
        self._words.append(text)

    def finish(self, patience_s: float) -> bool:
        """The processes are gone: record the rest and end. False when the disk is too slow for that."""
        self._over.set()
        self.join(patience_s)
        return not self.is_alive()

    def _pump(self) -> bool:
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return True
        self.log.write(data)
        return bool(data)

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + 1.0
        # Whatever fails here, the pipe has to be emptied, or the run would wait for us.
        with contextlib.suppress(Exception):
            snapshot = self._snapshot()
            self._sample_gpus(snapshot["gpus"])
            run_folder.write(self._state, snapshot | {"peak_gpu_memory_gb": self.peak_gpu_gb})

    def _sample_gpus(self, indices: Sequence[int]) -> None:
        used = gpus.used_gb(indices) if indices else None
        if used is not None:
            self.peak_gpu_gb = max(used, self.peak_gpu_gb or 0.0)
