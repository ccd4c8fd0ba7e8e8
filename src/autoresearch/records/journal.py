"""The journal on disk: one event per line, appended under a lock, by the controller and by other commands.

What an act or a row needs waits for the disk (fsync), and takes along what was written before it.

A line counts once its newline is written. A half-written last line belongs to a writer that died before it could
act on the event; the next append takes it out and says so in an event of its own. Any other line that cannot be read
is an error, because a state replayed without it would be another one; `salvage` is the way out.

One event as one JSON line of the journal, and back.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from autoresearch.errors import LedgerError
from autoresearch.experiment.events import (
    ApprovalGiven,
    Event,
    Noted,
    Paused,
    Resumed,
    Steered,
    StopRequested,
    VerdictOverruled,
)
from autoresearch.machine import disk, fault_points
from autoresearch.machine.lock import file_lock
from autoresearch.records import links
from autoresearch.secrets import environment

VERSION = 1


@cache
def _adapter() -> TypeAdapter[Any]:
    """Reads and writes events; made when the first one is, for that takes as long as importing everything else."""
    return TypeAdapter(Event, config=ConfigDict(ser_json_inf_nan="constants"))


def dump(event: Event) -> str:
    """The event as one JSON line, without its newline. NaN and infinities are written as JavaScript writes them."""
    try:
        body = _adapter().dump_json(event).decode()
    except PydanticSerializationError:
        plain = _readable(_adapter().dump_python(event))
        body = _adapter().dump_json(_adapter().validate_python(plain)).decode()
    return f'{{"v":{VERSION},{body[1:]}'


def text_of(events: Iterable[Event]) -> str:
    """A whole journal of these events."""
    lines: list[str] = []
    for number, event in enumerate(events, 1):
        lines.append(links.linked(dump(event), number, links.digest(lines[-1].encode()) if lines else ""))
    return "".join(f"{line}\n" for line in lines)


def _readable(value: Any) -> Any:
    """What UTF-8 cannot hold (a file name in other bytes, half an emoji) as an escape in ASCII."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_readable(key): _readable(item) for key, item in value.items()}
        case list() | tuple():
            return [_readable(item) for item in value]
        case _:
            return value


def load(line: str) -> Event:
    """Read one journal line.

    Raises:
        LedgerError: It is no JSON object, or no event that this version knows.
    """
    try:
        event: Event = _adapter().validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LedgerError(
            f"not a journal event ({first['msg']}{' at ' + where if where else ''}): {line[:120]!r}"
        ) from None
    return event


DISOWNED = "disowned"
"""Among a note's details: the digest of a line that does not count."""
_POINT = "journal.append"
_GLIMPSE = 80
"""Characters of a damaged line that its error message shows."""


class Journal:
    """A journal file, which need not exist yet.

    Args:
        path: `journal.jsonl` in the campaign's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._counted = (0, 0)
        self._last = (0, 0, "")
        self._chained = False
        self._settled = 0

    def settle(self) -> None:
        """Have on the disk all that is written: before a copy of it that would last longer than it does.

        Raises:
            StorageError: The disk refused.
        """
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != self._settled:
            disk.append(self.path, b"", _POINT)
            self._settled = size

    def append(self, event: Event, *, lasting: bool = True) -> int:
        """Add an event, on the disk when this returns, where it is `lasting`; its number in the journal, from 1.

        One that is not is there for every reader at once, and on the disk with the next one that is.

        Raises:
            LedgerError: The event could not be read again, as one with a field of the wrong type; nothing is written.
            StorageError: The disk refused; the journal is as it was.
        """
        fault_points.point(f"{_POINT}.before")
        told = dump(event)
        load(told)
        with file_lock(self.path):
            closing, noted = self._mended()
            number, head = self._head()
            piece = closing
            for line in (*noted, told):
                number += 1
                whole = links.linked(line, number, head).encode()
                piece, head = piece + whole + b"\n", links.digest(whole)
            offset = disk.append(self.path, piece, _POINT, lasting=lasting)
            self._last = offset + len(piece), number, head
            self._settled = self._last[0] if lasting else self._settled
        fault_points.point(f"{_POINT}.after")
        return number

    def lines(self) -> tuple[bytes, ...]:
        """The whole lines as they are written, oldest first; a torn last line belongs to none.

        Raises:
            StorageError: The file exists and cannot be read.
        """
        data = self._bytes(0)
        return tuple(data[: _end(data)].removesuffix(b"\n").split(b"\n")) if data else ()

    def read(self) -> tuple[Event, ...]:
        """Every event, oldest first.

        Raises:
            LedgerError: A line is damaged; the message names it. `salvage` goes on without it.
            StorageError: The file exists and cannot be read.
        """
        return self.tail(0)[0]

    def tail(self, offset: int) -> tuple[tuple[Event, ...], int]:
        """The events after a byte offset, as an earlier call returned it (0 at first), and the new offset.

        Raises:
            LedgerError: A line is damaged, or the file is shorter than it was.
            StorageError: The file exists and cannot be read.
        """
        data = self._bytes(offset)
        end = _end(data)
        found: list[tuple[Event, bytes]] = []
        if not offset:
            self._chained = False
        for number, line in enumerate(data[:end].split(b"\n")):
            if line.strip():
                event = self._load(line, offset, number)
                linked = links.link(line) is not None
                found.append((_not_theirs(event, line) if self._chained and not linked else event, line))
                self._chained |= linked
        gone = _disowned(found) if not offset else frozenset()
        return tuple(event for event, line in found if not gone or _digest(line) not in gone), offset + end

    def digests(self, offset: int) -> tuple[str, ...]:
        """What a note names a line by that it disowns: of each event that `tail` has from there, as yet or by now."""
        return tuple(_digest(line) for line in self._bytes(offset).split(b"\n") if line.strip())

    def salvage(self) -> Path | None:
        """Set damaged lines aside, so that the rest can be replayed; only while no controller is at work.

        Each damaged line becomes a `Noted` event that holds it, so nothing is lost and the file reads again.

        Returns:
            The backup of the file as it was; None when no line was damaged.

        Raises:
            LedgerError: A line was written by a newer version: it is not damaged, this program is too old for it.
            StorageError: The disk refused; the file is as it was.
        """
        with file_lock(self.path):
            data = self._bytes(0)
            end = _end(data)
            lines = [self._kept(line, number) for number, line in enumerate(data[:end].split(b"\n"), 1)]
            lines = [
                _stands_for(now, was, lines, at)
                for at, (now, was) in enumerate(zip(lines, data[:end].split(b"\n"), strict=True))
            ]
            content = b"\n".join(lines) + data[end:]
            if content == data:
                return None
            kept = disk.backup(self.path)
            disk.replace(self.path, content)
        return kept

    def _mended(self) -> tuple[bytes, tuple[str, ...]]:
        """What has to be written before the next line, and be told: nothing, but after a writer that died halfway."""
        size = self.path.stat().st_size
        tail = _last_line(self.path, size)
        if not tail:
            return b"", ()
        if not tail.strip() or _event(tail):
            return b"\n", ()
        os.truncate(self.path, size - len(tail))
        return b"", (_noted("a half-written last line was taken out; its writer died before acting on it", tail),)

    def _head(self) -> tuple[int, str]:
        """How many lines there are, and the hash of the last one."""
        size = self.path.stat().st_size
        if self._last[0] != size:
            tail = _last_line(self.path, size)
            last = tail or _last_line(self.path, max(0, size - 1))
            lines = self._lines(size) + bool(tail)
            self._last = size, lines, links.digest(last) if lines else ""
        return self._last[1:]

    def _lines(self, offset: int) -> int:
        """Newlines before `offset`; only those since the last call are counted."""
        known, lines = self._counted if self._counted[0] <= offset else (0, 0)
        with self.path.open("rb") as source:
            source.seek(known)
            lines += source.read(offset - known).count(b"\n")
        self._counted = offset, lines
        return lines

    def _bytes(self, offset: int) -> bytes:
        with disk.storage(self.path, "read"):
            try:
                with self.path.open("rb") as source:
                    if source.seek(0, os.SEEK_END) < offset:
                        raise LedgerError(f"{self.path} is shorter than it was: something else rewrote it; start again")
                    source.seek(offset)
                    return source.read()
            except FileNotFoundError:
                return b""

    def _load(self, line: bytes, offset: int, number: int) -> Event:
        found = _event(line)
        if found is None:
            raise LedgerError(self._damage(line, self._lines(offset) + number + 1))
        return found

    def _kept(self, line: bytes, number: int) -> bytes:
        if not line.strip() or _event(line):
            return line
        if _newer(line):
            raise LedgerError(self._damage(line, number))
        return _noted(f"line {number} could not be read and was set aside", line).encode()

    def _damage(self, line: bytes, number: int) -> str:
        if _newer(line):
            return f"{self.path} line {number} was written by a newer version of autoresearch; upgrade this one"
        return (
            f"{self.path} line {number} is damaged, every other line is intact: {self._glimpse(line)}; "
            f"set it aside with: autoresearch ledger rebuild"
        )

    def _glimpse(self, line: bytes) -> str:
        """How a line begins, for an error message: without the secrets a hand may have put there."""
        text = environment.run_redactor(self.path.parent, {}).clean(_shown(line))
        return repr(text[:_GLIMPSE]) + (f" and {len(text) - _GLIMPSE} more characters" if len(text) > _GLIMPSE else "")


def _disowned(found: Sequence[tuple[Event, bytes]]) -> frozenset[str]:
    """Lines that a controller found written by somebody else; such a note that one did not write itself is none."""
    gone: set[str] = set()
    for event, line in reversed(found):
        if isinstance(event, Noted) and DISOWNED in event.details and links.link(line) and _digest(line) not in gone:
            gone.add(event.details[DISOWNED])
    return frozenset(gone)


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()


def _not_theirs(event: Event, line: bytes) -> Event:
    """A line without its place in a journal that has them: somebody else wrote it, and it is nobody's word."""
    if isinstance(event, Noted):
        return event
    asked = isinstance(event, Steered | Paused | Resumed | StopRequested | ApprovalGiven | VerdictOverruled)
    name = " in a person's name" if asked else ""
    told = f"a line that autoresearch did not write says {event.kind!r}{name}; it does not count"
    return Noted(at=event.at, text=told, details={"raw": _shown(line)})


def _end(data: bytes) -> int:
    """Where the whole lines end. A last line that only lacks its newline is whole; any other is not there yet."""
    end = data.rfind(b"\n") + 1
    return len(data) if _event(data[end:]) else end


def _last_line(path: Path, size: int) -> bytes:
    """What follows the last newline."""
    step = 1 << 16
    with path.open("rb") as source:
        start = size
        tail = b""
        while start > 0 and b"\n" not in tail:
            start = max(0, start - step)
            source.seek(start)
            tail = source.read(size - start)
    return tail[tail.rfind(b"\n") + 1 :]


def _event(line: bytes) -> Event | None:
    try:
        return load(line.decode())
    except (LedgerError, UnicodeDecodeError):
        return None


def _newer(line: bytes) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    version = said.get("v") if isinstance(said, dict) else None
    return isinstance(version, int) and version > VERSION


def _stands_for(line: bytes, was: bytes, lines: Sequence[bytes], at: int) -> bytes:
    """A line that was set aside keeps its place in the chain, where there is one."""
    if line == was or not any(links.link(other) for other in lines):
        return line
    return links.linked(line.decode(), at + 1, links.digest(lines[at - 1]) if at else "", was).encode()


def _noted(text: str, raw: bytes) -> str:
    return dump(Noted(at=time.time(), text=text, details={"raw": _shown(raw)}))


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
