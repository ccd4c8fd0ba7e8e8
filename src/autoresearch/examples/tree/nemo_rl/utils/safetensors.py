"""Arrays in a file: a reader and a writer of the safetensors layout.

The layout is an 8-byte little-endian header length, a JSON header that gives `dtype`, `shape` and `data_offsets`
of each array, and the raw bytes (https://huggingface.co/docs/safetensors, "Format").
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}


def save_file(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write named arrays of one of the known types."""
    header, blobs, offset = {}, [], 0
    for name, array in sorted(arrays.items()):
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def load_file(path: Path) -> dict[str, np.ndarray]:
    """Read what `save_file` or any other writer of the format has written."""
    content = path.read_bytes()
    (head_length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + head_length])
    data = memoryview(content)[8 + head_length :]
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], dtype=_DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    return arrays
