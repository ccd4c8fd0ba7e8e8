"""A log file that cannot fill the disk: its head and its tail are kept, and a line between says what was left out."""

import os
from pathlib import Path

_CHUNK = 1 << 20


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
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, max(limit, 4096)
        self.written = self.left_out = self.lost = 0
        self._head = self._mark_length = self._size = self._retry_at = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

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
        os.close(self._file)

    def _append(self, piece: bytes) -> None:
        if self._size + len(piece) > self.limit and not self._made_room():
            self.lost += len(piece)
            return
        done = _write(self._file, piece)
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
        head = self._head or min(self.limit // 16, self._size)
        left_out = self.left_out + skipped + tail - head - (self._mark_length if self._head else 0)
        mark = f"\n[autoresearch: {left_out} bytes left out here]\n".encode()
        aside = self.path.with_name(f".{self.path.name}.aside")
        fresh = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _copy(self._file, fresh, 0, head)
            _write_all(fresh, mark)
            _copy(self._file, fresh, tail, self._size - tail)
            aside.replace(self.path)
        except OSError:
            os.close(fresh)
            aside.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._size = head + len(mark) + self._size - tail
        self._file, self._head, self._mark_length, self.left_out = fresh, head, len(mark), left_out


def _copy(source: int, sink: int, start: int, count: int) -> None:
    end = start + count
    while start < end:
        piece = os.pread(source, min(_CHUNK, end - start), start)
        _write_all(sink, piece)
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
