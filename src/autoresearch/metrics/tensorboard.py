"""TensorBoard event files → one series per tag, all restarts merged. Standard library only.

Formats read here:

- TFRecord framing (tensorflow/core/lib/io/record_writer.h): little-endian u64 length, u32 masked CRC-32C of those eight
  bytes, the record, u32 masked CRC-32C of the record. The length's CRC is checked. The record's would cost more than
  the rest of the reading together, so it is checked only where the record would replace or precede what its file has
  said: a torn write already shows in the framing, and no damage may change a number that stands before it.
- Protocol-buffer wire format (protobuf.dev/programming-guides/encoding) of `Event` (step 2, summary 5), `Summary`
  (value 1), `Summary.Value` (tag 1, simple_value 2, tensor 8, metadata 9) and `TensorProto`.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from autoresearch.machine.tfrecord import masked_crc32c
from autoresearch.metrics.record_file import RecordFile, WireError, fields, followed, varint
from autoresearch.metrics.safe_read import PointsOfFile, ends, files_below, joined, refuse_unknown
from autoresearch.run.measurement import Readings

_HPARAMS_RUN = re.compile(r"(?:^|/)\d{9,}\.\d+/[^/]+$")
"""`add_hparams` opens a sub-run named after the clock; it repeats the configuration and holds no curve."""


class TensorBoardSource:
    """All scalars of all event files below a folder.

    Restarts are merged oldest file first, by modification time and then name, and the later file wins a step both
    have, as in NeMo-RL's own extraction. Values are the float32 numbers as written; NaN is kept. The steps of
    `ray/node.*` tags are seconds since monitoring began, not training steps.

    An instance remembers how far it has read each file, so that following a live run costs what was added.
    """

    name = "tensorboard"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, (), self.name)
        self._files: dict[Path, _EventFile] = {}

    def read(self, folder: Path) -> Readings:
        """Everything below `folder`; torn tails and damaged files are told in the notes."""
        points: list[PointsOfFile] = []
        notes: list[str] = []
        found = [item for item in files_below(folder, "*tfevents*") if not _HPARAMS_RUN.search(item.name)]
        for item in found:
            events = followed(self._files, item, _EventFile)
            points.append(events.points)
            notes += [f"{item.name}: {note}" for note in events.notes()]
        files = tuple(item.name for item in found)
        return Readings(series=joined(points), files=files, notes=tuple(notes), ends=ends(points))


class _EventFile(RecordFile):
    """One event file."""

    def take_records(self, stream: BinaryIO) -> None:
        """Take whole records; a torn one is left for the next look."""
        while header := stream.read(12):
            if len(header) < 12:
                self.problem = "ends in a torn record"
                return
            length, crc = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != crc:
                self.problem = f"damaged at byte {self.offset}; the rest of the file was not read"
                return
            record = stream.read(length + 4) if length < 2**31 else b""
            if len(record) < length + 4:
                self.problem = "ends in a torn record"
                return
            self.offset += 16 + length
            self._take(record[:length], struct.unpack_from("<I", record, length)[0])

    def _take(self, record: bytes, crc: int) -> None:
        try:
            scalars = list(scalars_of(record))
        except WireError:
            self.skipped += 1
            return
        if any(self._said(tag, step) for tag, step, _ in scalars) and masked_crc32c(record) != crc:
            self.skipped += 1
            return
        for tag, step, value in scalars:
            self.points.add(tag, step, value)

    def _said(self, tag: str, step: int) -> bool:
        """Whether the file already has this step of a tag, or a later one: a sound writer goes forward."""
        known = self.points.tags.get(tag)
        return known is not None and bool(known.steps) and step <= known.steps[-1]


def scalars_of(event: bytes) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of every scalar in a serialized `Event`.

    Raises:
        WireError: The bytes are not an event.
    """
    step, summaries = 0, []
    for number, value in fields(event):
        if number == 2 and isinstance(value, int):
            step = value - 2**64 if value >= 2**63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1 and isinstance(value, bytes):
                tag, scalar = _summary_value(value)
                if scalar is not None:
                    yield tag, step, scalar


def _summary_value(message: bytes) -> tuple[str, float | None]:
    tag, scalar, plugin = "", None, b""
    for number, value in fields(message):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            tag = value.decode("utf-8", "replace")
        elif number == 2 and len(value) == 4:
            scalar = struct.unpack("<f", value)[0]
        elif number == 8:
            scalar = _scalar_tensor(value)
        elif number == 9:
            plugin = _plugin(value)
    return tag, scalar if plugin in {b"", b"scalars"} else None


def _plugin(metadata: bytes) -> bytes:
    for number, value in fields(metadata):
        if number == 1 and isinstance(value, bytes):
            return next((name for field_, name in fields(value) if field_ == 1 and isinstance(name, bytes)), b"")
    return b""


_TENSOR_TYPES = {1: "f", 2: "d", 3: "i", 9: "q"}
"""TensorFlow's DataType → struct code: float, double, int32, int64."""


def _scalar_tensor(message: bytes) -> float | None:
    """The one number of a `TensorProto` of rank 0 or one element; None for any other tensor."""
    dtype, content, listed = 0, b"", b""
    for number, value in fields(message):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in {5, 6} and isinstance(value, bytes):
            listed += value
        elif number in {7, 10}:
            return _whole_number(value)
    code = _TENSOR_TYPES.get(dtype)
    data = content or listed
    if code is None or len(data) != struct.calcsize(f"<{code}"):
        return None
    return float(struct.unpack(f"<{code}", data)[0])


def _whole_number(value: int | bytes) -> float | None:
    """A signed integer given plainly or as a packed list of one."""
    number, end = (value, 0) if isinstance(value, int) else varint(value, 0)
    if isinstance(value, bytes) and end != len(value):
        return None
    return float(number - 2**64 if number >= 2**63 else number)
