"""Scalars in a TensorBoard event file, written with nothing but the standard library.

A file is a sequence of records: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all
little-endian. The data is a protocol buffer `tensorflow.Event`
(https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto).
"""

import os
import socket
import struct
import time
from pathlib import Path

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


class EventFileWriter:
    """Appends scalars to a fresh `events.out.tfevents.*` file in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.0"
        self._file = (folder / name).open("ab")
        self._write(struct.pack("<Bd", 0x09, now) + _bytes_field(3, b"brain.Event:2"))

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Record one value; it is stored as a 32-bit float."""
        summary_value = _bytes_field(1, tag.encode()) + struct.pack("<Bf", 0x15, value)
        summary = _bytes_field(5, _bytes_field(1, summary_value))
        self._write(struct.pack("<Bd", 0x09, time.time()) + b"\x10" + _varint(step) + summary)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked_crc(length) + event + _masked_crc(event))


def _masked_crc(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
