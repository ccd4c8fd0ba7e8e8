"""The file that Weights & Biases keeps of a run on its own machine, offline or not: `wandb/*/run-<id>.wandb`.

Formats read here:

- Framing (wandb/core/internal, LevelDB's log_format.md): seven bytes `:W&B`, 0xBEE1, version; then blocks of 32 KiB
  with chunks of u32 CRC-32 (IEEE) of type and data, u16 length, u8 type (1 whole, 2 first, 3 middle, 4 last), data. A
  record of several chunks is their data joined. Every CRC is checked.
- Messages (wandb/proto/wandb_internal.proto): `Record` (history 2, summary 3), `HistoryRecord` (item 1, step 2),
  `HistoryItem` and `SummaryItem` (key 1, nested_key 2, value_json 16; integer 5 and number 6 of a history item),
  `HistoryStep` (num 1).
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from autoresearch.metrics.record_file import RecordFile, WireError, fields, followed
from autoresearch.metrics.safe_read import PointsOfFile, files_below, joined, number, parse_json, refuse_unknown
from autoresearch.run.measurement import Readings

_HEAD = b":W&B\xe1\xbe"
_BLOCK, _CHUNK = 32768, 7
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LONGEST = 16 << 20
"""Bytes of a record; a longer one holds a table or a log."""


class WandbSource:
    """All numbers that runs logged to Weights & Biases, from the files beside them; no account and no network.

    Keys of nested objects are joined by `/`. What only the summary has stands at the last step. Of several runs in a
    folder a later file wins a step that both have.
    """

    name = "wandb"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, (), self.name)
        self._files: dict[Path, _RunFile] = {}

    def read(self, folder: Path) -> Readings:
        """Everything below `folder`; torn tails and damaged files are told in the notes."""
        points: list[PointsOfFile] = []
        notes: list[str] = []
        found = files_below(folder, "run-*.wandb")
        for item in found:
            run = followed(self._files, item, _RunFile)
            points += [run.points, run.summary()]
            notes += [f"{item.name}: {note}" for note in run.notes()]
        return Readings(series=joined(points), files=tuple(item.name for item in found), notes=tuple(notes))


@dataclass
class _RunFile(RecordFile):
    """One run's file."""

    last: int = 0
    """The highest step."""
    said: dict[str, float] = field(default_factory=dict)
    """What the summary says."""

    def forget(self) -> None:
        super().forget()
        self.last, self.said = 0, {}

    def summary(self) -> PointsOfFile:
        """Numbers of the summary that no step has."""
        alone = PointsOfFile()
        for tag, value in self.said.items():
            if tag not in self.points.tags:
                alone.add(tag, self.last, value)
        return alone

    def take_records(self, stream: BinaryIO) -> None:
        """Take whole records; a torn one is left for the next look."""
        if self.offset == 0:
            head = stream.read(_CHUNK)
            if head[: len(_HEAD)] != _HEAD or len(head) < _CHUNK:
                self.problem = "no run's file of W&B" if head[: len(_HEAD)] != _HEAD[: len(head)] else "ends too early"
                return
            self.offset = _CHUNK
        for record in self._records(stream):
            try:
                self._take(record)
            except WireError:
                self.skipped += 1

    def _records(self, stream: BinaryIO) -> Iterator[bytes]:
        parts, position, open_record = bytearray(), self.offset, False
        while True:
            left = _BLOCK - position % _BLOCK
            if left < _CHUNK:
                position += len(stream.read(left))
                if position % _BLOCK:
                    return
                continue
            header = stream.read(_CHUNK)
            if len(header) < _CHUNK:
                self.problem = "ends in a torn record" if header or open_record else ""
                return
            crc, length, kind = struct.unpack("<IHB", header)
            data = stream.read(length)
            if len(data) < length:
                self.problem = "ends in a torn record"
                return
            if zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc or (kind in {_MIDDLE, _LAST}) != open_record:
                self.problem = f"damaged at byte {position}; the rest of the file was not read"
                return
            position += _CHUNK + length
            parts += data if len(parts) < _LONGEST else b""
            open_record = kind in {_FIRST, _MIDDLE}
            if not open_record:
                self.offset = position
                yield bytes(parts) if len(parts) < _LONGEST else b""
                parts = bytearray()

    def _take(self, record: bytes) -> None:
        for what, value in fields(record):
            if what == 2 and isinstance(value, bytes):
                self._take_history(value)
            elif what == 3 and isinstance(value, bytes):
                found = (pair for one in _messages(value, 1) for pair in _item(one))
                self.said.update(pair for pair in found if not pair[0].startswith("_"))

    def _take_history(self, message: bytes) -> None:
        said = dict(pair for one in _messages(message, 1) for pair in _item(one))
        told = [value for one in _messages(message, 2) for what, value in fields(one) if what == 1]
        step = said.get("_step", next((float(value) for value in told if isinstance(value, int)), 0.0))
        if step != step // 1 or not 0 <= step < 2**53:
            return
        self.last = max(self.last, int(step))
        for tag, value in said.items():
            if not tag.startswith("_"):
                self.points.add(tag, int(step), value)


def _messages(message: bytes, wanted: int) -> Iterator[bytes]:
    return (value for what, value in fields(message) if what == wanted and isinstance(value, bytes))


def _item(message: bytes) -> Iterator[tuple[str, float]]:
    """Tags and numbers of one item."""
    keys: list[str] = []
    found: Any = None
    for what, value in fields(message):
        if what in {1, 2} and isinstance(value, bytes):
            keys.append(value.decode("utf-8", "replace"))
        elif what == 5 and isinstance(value, int):
            found = (value >> 1) ^ -(value & 1)
        elif what == 6 and isinstance(value, bytes) and len(value) == 8:
            found = struct.unpack("<d", value)[0]
        elif what in {8, 16} and isinstance(value, bytes):
            found = parse_json(value)
    if keys and not keys[0].startswith("_wandb"):
        yield from _flat("/".join(keys), found)


def _flat(tag: str, value: Any) -> Iterator[tuple[str, float]]:
    pending = [(tag, value)]
    while pending:
        at, one = pending.pop()
        if isinstance(one, dict):
            pending += [(f"{at}/{key}", inner) for key, inner in one.items()] if "_type" not in one else []
        elif not isinstance(one, str) and (found := number(one)) is not None:
            yield at, found
