"""Files as trackers write them, made of their formats: no package of theirs is needed."""

import json
import sqlite3
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from math import isnan
from pathlib import Path

BLOCK = 32768
RUN = "0123456789abcdef0123456789abcdef"
Rows = Sequence[Mapping[str, object]]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(*parts: tuple[int, bytes | int]) -> bytes:
    """Fields of a protocol-buffer message: whole numbers and bytes."""
    whole = [varint(n << 3) + varint(v) for n, v in parts if isinstance(v, int)]
    return b"".join([*whole, *(varint(n << 3 | 2) + varint(len(v)) + v for n, v in parts if isinstance(v, bytes))])


def framed(records: Sequence[bytes]) -> bytes:
    """A run's file of W&B: seven bytes, then LevelDB's blocks."""
    out = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        rest, first = record, True
        while first or rest:
            left = BLOCK - len(out) % BLOCK
            if left < 7:
                out += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if not rest else 2) if first else (4 if not rest else 3)
            crc = zlib.crc32(part, zlib.crc32(bytes([kind])))
            out += struct.pack("<IHB", crc, len(part), kind) + part
            first = False
    return bytes(out)


def history(step: int, row: Mapping[str, object]) -> bytes:
    """A `Record` with the history of a step."""
    items = [(1, message((2, key.encode()), (16, json.dumps(value).encode()))) for key, value in row.items()]
    return message((2, message(*items, (2, message((1, step))))))


def summary(row: Mapping[str, object]) -> bytes:
    """A `Record` with what the summary says."""
    items = [(1, message((1, key.encode()), (16, json.dumps(value).encode()))) for key, value in row.items()]
    return message((3, message(*items)))


def wandb(folder: Path, rows: Rows, **last: object) -> Path:
    """What `wandb.init` leaves beside a script, and `log` and the summary put into it."""
    file = folder / "wandb" / "offline-run-20260101_000000-abcdefgh" / "run-abcdefgh.wandb"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(framed([*(history(step, row) for step, row in enumerate(rows)), summary(last)]))
    return file


def mlflow_folder(folder: Path, rows: Rows, run: str = RUN) -> Path:
    """MLflow's file store."""
    store = folder / "mlruns" / "0" / run / "metrics"
    for step, row in enumerate(rows):
        for name, value in row.items():
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            with (store / name).open("a") as out:
                out.write(f"{1700000000000 + step} {value} {step}\n")
    return store


def mlflow_database(folder: Path, rows: Rows) -> Path:
    """MLflow's database, as far as metrics go."""
    columns = "key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN"
    with closing(sqlite3.connect(folder / "mlflow.db")) as opened, opened:
        opened.execute(f"CREATE TABLE metrics ({columns})")
        for step, row in enumerate(rows):
            said = [(k, 0 if (nan := isnan(v)) else v, step, RUN, step, nan) for k, v in row.items()]
            opened.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", said)
    return folder / "mlflow.db"


def trackio_fragments(folder: Path, rows: Rows) -> Path:
    """What Trackio writes where SQLite is not safe: two fragments of one process."""
    place = folder / "trackio" / "inbox" / "edbe5104448c46ca"
    place.mkdir(parents=True, exist_ok=True)
    said = [{"kind": "metric", "run": "a", "step": at, "metrics": json_only(row)} for at, row in enumerate(rows)]
    for number, part in enumerate((said[:1], said[1:])):
        (place / f"{number:08d}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in part))
    return place


def trackio(folder: Path, rows: Rows) -> Path:
    """A project's database of Trackio."""
    (folder / "trackio").mkdir(exist_ok=True)
    columns = "id INTEGER PRIMARY KEY, run_name TEXT, step INTEGER, metrics TEXT"
    with closing(sqlite3.connect(folder / "trackio" / "demo.db")) as opened, opened:
        opened.execute(f"CREATE TABLE metrics ({columns})")
        opened.executemany(
            "INSERT INTO metrics (run_name, step, metrics) VALUES ('a', ?, ?)",
            [(step, json.dumps(json_only(row))) for step, row in enumerate(rows)],
        )
    return folder / "trackio" / "demo.db"


def json_only(row: dict[str, float]) -> dict[str, object]:
    """As Trackio spells it."""
    return {key: "NaN" if isinstance(value, float) and isnan(value) else value for key, value in row.items()}
