"""Stores that a script's own tracker keeps on its machine: MLflow's folder or database, Trackio's in either form.

Formats read here:

- MLflow's folder (mlflow/store/tracking/file_store.py): `<store>/<experiment>/<run>/metrics/<name>`, a file for each
  metric with lines of time in ms, value, step. Names may hold slashes, which are folders.
- MLflow's database (mlflow/store/tracking/dbmodels/models.py, SqlMetric): SQLite, `metrics` with columns key, value,
  timestamp, step, is_nan, run_uuid. What a current MLflow writes by default, as `mlflow.db`.
- Trackio's database (trackio/sqlite_storage.py): SQLite, one for each project, `metrics` with the columns run_name,
  step, metrics, the last a JSON object.
- Trackio's fragments (trackio/fragments.py): `inbox/<writer>/<number>.jsonl`, a line for each entry with `kind`, `run`,
  `step` and `metrics`. What it writes on a network file system, or with TRACKIO_STORAGE_MODE=jsonl, until a dashboard
  takes them into the database.

A database is copied together with its write-ahead log before it is opened: nothing of a run is written to, and a copy
that was taken in the middle of a write is read at the next look.
"""

import re
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from autoresearch.metrics.safe_read import (
    MAX_BYTES,
    Found,
    PointsOfFile,
    Version,
    files_below,
    joined,
    lines_of,
    number,
    open_found,
    parse_json,
    refuse_unknown,
    remember,
    unread,
    whole,
)
from autoresearch.run.measurement import Readings

_METRIC = re.compile(r"(?:^|.*/)([^/]+)/([0-9a-f]{32})/metrics/(.+)$")
_FRAGMENT = re.compile(r"(?:^|/)inbox/[0-9a-f]+/[0-9]+\.jsonl$")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
"""Numbers that JSON does not have, as Trackio spells them."""
_PATIENCE_S = 10.0
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
_PROGRAM = re.compile(r"\bvirtual\b|\bas\s*\(", re.IGNORECASE)
"""What makes a table compute what it holds."""
_LONGEST = 1 << 20

Point = tuple[str, str, int, float]
"""Run, tag, step, value."""


class MlflowSource:
    """All metrics of MLflow runs, from a store in a folder (`mlruns/`) and from a SQLite database (`mlflow.db`).

    Of several runs of one store the one that wrote last wins a step that two have; a note says that there are several.
    """

    name = "mlflow"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, (), self.name)
        self._files: dict[Path, _StoredFile] = {}

    def read(self, folder: Path) -> Readings:
        """Everything below `folder`."""
        metrics = [item for item in files_below(folder, "*/metrics/*") if _METRIC.match(item.name)]
        found = [_stored(self._files, item, None, _lines) for item in metrics]
        found += [_stored(self._files, item, log, _mlflow_rows) for item, log in _databases(folder)]
        return _readings(found)


class TrackioSource:
    """All metrics of Trackio runs, from its projects' databases and its fragments; nested keys are joined by `/`.

    Trackio keeps them in `~/.cache/huggingface/trackio` unless the variable TRACKIO_DIR says where: a run's own folder
    has to be told, as in `env: {TRACKIO_DIR: "{folder}/trackio"}`.
    """

    name = "trackio"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, (), self.name)
        self._files: dict[Path, _StoredFile] = {}

    def read(self, folder: Path) -> Readings:
        """Everything below `folder`; a fragment that is in the database meanwhile says the same twice."""
        found = [_stored(self._files, item, log, _trackio_rows) for item, log in _databases(folder)]
        fragments = [item for item in files_below(folder, "*.jsonl") if _FRAGMENT.search(item.name)]
        return _readings([*found, *(_stored(self._files, item, None, _fragment) for item in fragments)])


class _StoredFile:
    """What one file of a store says."""

    def __init__(self, item: Found, version: tuple[Version, ...]) -> None:
        self.name, self.version = item.name, version
        self.points, self.runs = PointsOfFile(), defaultdict[str, set[str]](set)
        self.problem, self.ours = "", False

    def take(self, points: Iterable[Point]) -> None:
        for run, tag, step, value in points:
            self.points.add(tag, step, value)
            if len(self.runs) < MOST_RUNS:
                self.runs[tag].add(run)


MOST_RUNS = 4096
"""Tags of which the runs are counted."""

Reader = Callable[[_StoredFile, Found, Found | None], None]


def _stored(known: dict[Path, _StoredFile], item: Found, log: Found | None, reader: Reader) -> _StoredFile:
    """What is known of a file, read once more where it or its write-ahead log has changed."""
    version = (item.version, *((log.version,) if log else ()))
    file = known.get(item.path)
    if file is not None and file.version == version:
        return file
    file = remember(known, item.path, _StoredFile(item, version))
    try:
        if item.size + (log.size if log else 0) > MAX_BYTES:
            file.problem = f"larger than {MAX_BYTES // 2**20} MiB; not read"
        else:
            reader(file, item, log)
    except (OSError, sqlite3.Error) as error:
        broken = isinstance(error, sqlite3.Error)
        file.problem = f"cannot be read as a database: {error}" if broken else unread(error)  # type: ignore[arg-type]
        file.points, file.version = PointsOfFile(), ()
    return file


def _readings(files: list[_StoredFile]) -> Readings:
    ours = [file for file in files if file.ours]
    runs = defaultdict[str, set[str]](set)
    for file in ours:
        for tag, names in file.runs.items():
            runs[tag] |= names
    several = max((len(names) for names in runs.values()), default=0)
    notes = [f"{several} runs are in the store; the last one's numbers count"] if several > 1 else []
    notes += [f"{file.name}: {note}" for file in files for note in (file.points.note, file.problem) if note]
    return Readings(
        series=joined(file.points for file in ours), files=tuple(file.name for file in ours), notes=tuple(notes)
    )


def _databases(folder: Path) -> list[tuple[Found, Found | None]]:
    """Files that may be databases, each with its write-ahead log."""
    found = {item.path: item for item in files_below(folder, "*.db", "*.db-wal", "*.sqlite", "*.sqlite-wal")}
    logs = {path.with_name(path.name.removesuffix("-wal")): item for path, item in found.items() if "-wal" in path.name}
    return [(item, logs.get(path)) for path, item in found.items() if path.suffix in {".db", ".sqlite"}]


def _lines(file: _StoredFile, item: Found, _log: Found | None) -> None:
    """A metric of MLflow's file store. A last line without its end is left out: of 0.7969 it may hold only 0.79."""
    matched = _METRIC.match(item.name)
    run, tag = (matched[2], matched[3]) if matched else ("", "")
    file.ours, count = True, 0
    with open_found(item) as stream:
        for line in lines_of(stream):
            words = line.split()
            value = number(words[1].decode("ascii", "replace")) if len(words) in {2, 3} else None
            step = whole(words[2].decode("ascii", "replace")) if len(words) == 3 else count
            if not line.endswith(b"\n"):
                file.problem = "the last line has no end and was left out, as it may be torn"
            elif value is None or step is None:
                file.problem = "lines that are no metric of MLflow were left out"
            else:
                file.take([(run, tag, step, value)])
            count += 1


def _mlflow_rows(file: _StoredFile, item: Found, log: Found | None) -> None:
    wanted = ("run_uuid", "key", "step", "value", "is_nan")
    for run, tag, step, value, nan in _rows(file, item, log, wanted, "timestamp, step"):
        at, found = whole(step), number(value)
        if at is not None and found is not None and isinstance(tag, str):
            file.take([(str(run), tag, at, float("nan") if nan else found)])


def _trackio_rows(file: _StoredFile, item: Found, log: Found | None) -> None:
    for run, step, text in _rows(file, item, log, ("run_name", "step", "metrics"), "id"):
        at, said = whole(step), parse_json(text) if isinstance(text, str | bytes) else None
        if at is not None and isinstance(said, dict):
            file.take((str(run), tag, at, value) for tag, value in _flat(said))


def _fragment(file: _StoredFile, item: Found, _log: Found | None) -> None:
    """A fragment is put in its place whole; a last line without its end may be torn, and is left out."""
    with open_found(item) as stream:
        for line in lines_of(stream):
            said = parse_json(line) if line.endswith(b"\n") else None
            metrics = said.get("metrics") if isinstance(said, dict) and said.get("kind") == "metric" else None
            if not isinstance(said, dict) or not isinstance(metrics, dict):
                continue
            file.ours = True
            if (at := whole(said.get("step"))) is not None:
                run = str(said.get("run"))
                file.take((run, tag, at, value) for tag, value in _flat(metrics))


def _flat(document: dict[str, object]) -> Iterator[tuple[str, float]]:
    pending: list[tuple[str, object]] = list(document.items())
    while pending:
        tag, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{tag}/{key}", inner) for key, inner in value.items()] if "_type" not in value else []
        elif (not isinstance(value, str) or value in _NOT_FINITE) and (found := number(value)) is not None:
            yield tag, found


def _rows(
    file: _StoredFile, item: Found, log: Found | None, columns: tuple[str, ...], order: str
) -> Iterator[tuple[object, ...]]:
    """The rows of the table `metrics`, where it has these columns; of another database nothing.

    A database is somebody else's program: it may read its own table and nothing else, in bounded time.
    """
    with tempfile.TemporaryDirectory(prefix="autoresearch-store-") as place:
        copy = Path(place, "copy.db")
        for found, path in ((item, copy), (log, Path(place, "copy.db-wal"))):
            if found is not None:
                with open_found(found) as stream:
                    path.write_bytes(stream.read(MAX_BYTES))
        with closing(sqlite3.connect(copy)) as opened:
            opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            opened.execute("PRAGMA trusted_schema = OFF")
            until = time.monotonic() + _PATIENCE_S
            opened.set_progress_handler(lambda: int(time.monotonic() > until), 100_000)
            opened.set_authorizer(lambda what, *_: sqlite3.SQLITE_OK if what in _ALLOWED else sqlite3.SQLITE_DENY)
            kind = opened.execute("SELECT type, sql FROM sqlite_master WHERE name = 'metrics'").fetchone()
            if not kind or kind[0] != "table" or _PROGRAM.search(str(kind[1])):
                return
            try:
                rows = opened.execute(f"SELECT {', '.join(columns)} FROM metrics ORDER BY {order}")  # noqa: S608 - ours
            except sqlite3.OperationalError as error:
                if "no such column" in str(error):
                    return
                raise
            file.ours = True
            yield from rows
