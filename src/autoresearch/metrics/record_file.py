"""Binary files that grow by records, followed while a run writes them, and protocol-buffer messages in them.

Wire format: protobuf.dev/programming-guides/encoding.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from autoresearch.metrics.safe_read import (
    NEVER,
    Found,
    PointsOfFile,
    Version,
    digest_before,
    open_found,
    remember,
    unread,
)


class WireError(ValueError):
    """Bytes that are not a protocol-buffer message."""


@dataclass
class RecordFile:
    """What has been read of one file, and up to which byte. A format says how `records` are taken."""

    inode: int
    version: Version = NEVER
    offset: int = 0
    """Behind the last whole record that was taken."""
    tail: bytes = b""
    """Digest of the bytes before `offset`."""
    points: PointsOfFile = field(default_factory=PointsOfFile)
    skipped: int = 0
    problem: str = ""

    def take_records(self, stream: BinaryIO) -> None:
        """Take whole records from `offset` on, where the stream stands, and move it."""
        raise NotImplementedError

    def advance(self, item: Found) -> None:
        """Take the records that have come, and all of them where the file was written anew."""
        self.problem = ""
        try:
            with open_found(item) as stream:
                if self.tail != digest_before(stream, self.offset):
                    self.forget()
                stream.seek(self.offset)
                self.take_records(stream)
                self.tail, self.version = digest_before(stream, self.offset), item.version
        except OSError as error:
            self.problem = unread(error)
            if error.errno != errno.ESTALE:
                self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.points, self.version, self.offset, self.skipped = PointsOfFile(), NEVER, 0, 0

    def notes(self) -> Iterator[str]:
        """What a person should know of what was read."""
        if self.skipped:
            yield f"{self.skipped} damaged records were skipped"
        yield from filter(None, (self.points.note, self.problem))


T = TypeVar("T", bound=RecordFile)


def followed(known: dict[Path, T], item: Found, kind: type[T]) -> T:
    """What is known of a file, brought up to date."""
    file = known.get(item.path)
    if file is None or file.inode != item.inode or item.size < file.offset:
        file = remember(known, item.path, kind(item.inode))
    if item.version != file.version:
        file.advance(item)
    return file


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and raw value of every field of a protocol-buffer message: int for varints, bytes for the rest.

    Raises:
        WireError: The bytes break off or use a wire type that does not exist.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            size, position = varint(message, position)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise WireError(f"wire type {kind}")
        if position + size > end:
            raise WireError("the message breaks off")
        yield key >> 3, message[position : position + size]
        position += size


def varint(message: bytes, position: int) -> tuple[int, int]:
    """A number at a position, and the position behind it.

    Raises:
        WireError: It breaks off.
    """
    value = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), position
        shift += 7
    raise WireError("a number breaks off")
