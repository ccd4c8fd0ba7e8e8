"""Numbers in files a script writes: JSON, JSON lines, CSV and TSV.

Understood as JSON: `{"tag": {"step": value}}` (what NeMo-RL's own dump writes), `{"tag": value}`, nested objects (tags
joined by `/`) and a list of objects; under a key, its tags are those of its rows behind that key and a `/`, but for the
`log_history` of a Trainer, whose rows are the whole curve. JSON lines and tables hold one object per line or row, with
a column for the step.

Of JSON lines only what is new is read at each look, and all of them where the bytes before it are no longer those that
were read. Of a tag with more than 100,000 points the first, the last and each
stretch's extremes are kept: `last`, `mean-last-N` and `best` are those of the whole curve, `median-half` that of what
is kept.
"""

import csv
import errno
import io
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from autoresearch.errors import CampaignError
from autoresearch.metrics.safe_read import (
    MAX_BYTES,
    NEVER,
    Found,
    PointsOfFile,
    Version,
    as_strings,
    digest_before,
    ends,
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

FORMATS = ("json", "jsonl", "csv", "tsv")

Point = tuple[str, int, float]

_ALIKE = 1e-3
"""Two readings of one number differ by less than this share of it, whatever precision each was kept in."""

_HISTORY = "log_history"
"""Where a Trainer's state has its curve, row by row."""

_MOST_LINES = 1 << 30
"""Bytes of JSON lines; they are never held as a whole, but reading them takes time."""


class FileSource:
    """Series from the files a script writes.

    Options:
        path: Glob or globs of the files, matched with the file name, or with the path below the run folder when it
            holds a slash. Default `metrics.*`.
        format: `json`, `jsonl`, `csv` or `tsv`; by default what the file's suffix says.
        step: Key or column that holds the training step. Default `step`. Without one, lines and rows are counted.
        tags: Keys to read, as a list, or as a mapping from key to tag. Default all that hold numbers.
    """

    name = "files"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        chosen = dict(options or {})
        refuse_unknown(chosen, {"path", "format", "step", "tags"}, self.name)
        self._globs = as_strings(chosen.get("path", "metrics.*"), "path")
        self._format = str(chosen.get("format", ""))
        if self._format and self._format not in FORMATS:
            raise CampaignError(f"metric source option 'format' is {self._format!r}; it can be {', '.join(FORMATS)}")
        self._step = str(chosen.get("step", "step"))
        self._tags = _renaming(chosen.get("tags"))
        self._known: dict[Path, _File] = {}

    def read(self, folder: Path) -> Readings:
        """Every matching file below `folder`, oldest first; a later file wins a step both have."""
        found = [item for item in files_below(folder, *self._globs) if self._kind(item)]
        files = [self._file(item) for item in found]
        notes = tuple(f"{item.name}: {note}" for item, file in zip(found, files, strict=True) for note in file.notes())
        parts = [part for file in files for part in file.parts()]
        return Readings(
            series=joined(parts),
            ends=ends(parts),
            files=tuple(item.name for item in found),
            notes=notes,
            counted=bool(files) and not any(file.told for file in files),
            clashes=_clashes(zip(found, files, strict=True)),
        )

    def _kind(self, item: Found) -> str:
        suffix = item.path.suffix.removeprefix(".").lower()
        return self._format or (suffix if suffix in FORMATS else "")

    def _file(self, item: Found) -> "_File":
        kind, known = self._kind(item), self._known.get(item.path)
        if known is not None and known.version == item.version:
            return known
        goes_on = kind == "jsonl" and known is not None and known.goes_on(item)
        file = known if known is not None and goes_on else remember(self._known, item.path, _File(self._tags))
        file.version, file.problem = item.version, ""
        try:
            most = _MOST_LINES if kind == "jsonl" else MAX_BYTES
            if item.size > most:
                file.points = file.last = PointsOfFile()
                file.problem = f"larger than {most // 2**20} MiB; not read"
            elif kind == "jsonl":
                file.advance(item, self._step)
            elif kind == "json":
                file.take_document(item, self._step)
            else:
                file.take_table(item, self._step, "," if kind == "csv" else "\t")
        except OSError as error:
            # Its version is that of no file: the same one may be there again at the next look.
            file = remember(self._known, item.path, _File(self._tags, problem=unread(error)))
            if known is not None and error.errno == errno.ESTALE:
                file.points, file.last = known.points, known.last  # whoever replaces a file takes nothing back
        return file


def _clashes(read: Iterable[tuple[Found, "_File"]]) -> dict[str, str]:
    """Where a Trainer's states, of which each repeats the ones before it, tell different histories."""
    said, found = dict[tuple[str, int], tuple[str, float]](), dict[str, str]()
    for item, file in read:
        for tag, points in file.points.tags.items() if file.whole_history else ():
            points.settle()
            for step, value in zip(points.steps, points.values, strict=True):
                name, before = said.setdefault((tag, step), (item.name, value))
                if step > 0 and not math.isnan(value) and not math.isclose(value, before, rel_tol=_ALIKE):
                    told = f"its files disagree at step {step}: {name} {before:.6g}, {item.name} {value:.6g}"
                    found.setdefault(tag, told)
    return found


@dataclass
class _File:
    """What has been read of one file, and of JSON lines up to which byte."""

    tags: Mapping[str, str] | None
    version: Version = NEVER
    points: PointsOfFile = field(default_factory=PointsOfFile)
    last: PointsOfFile = field(default_factory=PointsOfFile)
    """Of the line that has no end yet: it is read again."""
    offset: int = 0
    tail: bytes = b""
    """Digest of the bytes before `offset`."""
    rows: int = 0
    damaged: int = 0
    torn: bool = False
    told: bool = False
    """Whether it says a step anywhere; where it does not, lines and rows are counted."""
    whole_history: bool = False
    """Whether it is a Trainer's state: each one holds all that the ones before it held."""
    problem: str = ""

    def goes_on(self, item: Found) -> bool:
        """Whether a file may hold what it held and more."""
        return self.version[0] == item.inode and item.size >= self.offset

    def parts(self) -> tuple[PointsOfFile, ...]:
        return self.points, self.last

    def notes(self) -> Iterator[str]:
        if damaged := self.damaged + self.torn:
            yield f"{damaged} torn or unreadable lines were skipped"
        yield from filter(None, (self.points.note, self.problem))

    def advance(self, item: Found, step_key: str) -> None:
        """Take the lines that have come, and all of them where the file was written anew."""
        with open_found(item) as stream:
            if self.tail != digest_before(stream, self.offset):
                self.points, self.offset, self.rows, self.damaged, self.told = PointsOfFile(), 0, 0, 0, False
            self.last, self.torn = PointsOfFile(), False
            self._take_lines(stream, step_key)
            self.tail = digest_before(stream, self.offset)

    def _take_lines(self, stream: BinaryIO, step_key: str) -> None:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(self.offset)
        for line in lines_of(stream):
            end = stream.tell()
            self.offset = end - len(line)
            row = parse_json(line.decode("utf-8-sig", "replace")) if line.strip() else {}
            if line.endswith(b"\n") and _is_plain(row, step_key):
                self.told, self.rows = True, self.rows + 1
                self._take_plain(row, step_key)
                continue
            self.told = self.told or _says_step(row, step_key)
            counted = self.rows + bool(line.strip())
            if not line.endswith(b"\n") and end >= size:
                self.torn = not isinstance(row, dict)
                self._take(_rows((row,), step_key, counted), self.last)
                return
            self.rows = counted
            self.damaged += not isinstance(row, dict)
            self._take(_rows((row,), step_key, counted), self.points)
        self.offset = stream.tell()

    def _take_plain(self, row: dict[str, int | float], step_key: str) -> None:
        step = row[step_key]
        for key, value in row.items():
            tag = key if self.tags is None else self.tags.get(key)
            found = value if type(value) is float else number(value)
            if key != step_key and tag is not None and found is not None:
                self.points.add(tag, int(step), found)

    def take_document(self, item: Found, step_key: str) -> None:
        """Take a whole JSON document."""
        with open_found(item) as stream:
            text = stream.read(MAX_BYTES).decode("utf-8-sig", "replace")
        document = parse_json(text)
        self.told = _says_step(document, step_key)
        self.whole_history = isinstance(document, dict) and isinstance(document.get(_HISTORY), list)
        if isinstance(document, list):
            self._take(_rows(document, step_key), self.points)
        elif isinstance(document, dict):
            self._take(_tree(document, step_key), self.points)
            self._take(_lists(document, step_key), self.points)
        else:
            self.problem = "not a JSON object or list; left out" if text.strip() else "empty"

    def take_table(self, item: Found, step_key: str, delimiter: str) -> None:
        """Take a table. A last row without a newline is left out: of 0.7969 it may hold only 0.79."""
        with io.TextIOWrapper(open_found(item), encoding="utf-8-sig", errors="replace", newline="") as stream:
            try:
                rows = csv.DictReader(self._whole(stream), delimiter=delimiter)
                self.told = step_key in (rows.fieldnames or ())
                self._take(_rows(rows, step_key), self.points)
            except csv.Error as error:
                self.points, self.problem = PointsOfFile(), f"not a table: {error}"

    def _whole(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            if line.endswith("\n"):
                yield line
            elif line.strip():
                self.problem = "the last row has no newline and was left out, as it may be torn"

    def _take(self, points: Iterable[Point], into: PointsOfFile) -> None:
        for key, step, value in points:
            tag = key if self.tags is None else self.tags.get(key)
            if tag is not None:
                into.add(tag, step, value)


def _renaming(tags: object) -> dict[str, str] | None:
    if tags is None:
        return None
    if isinstance(tags, Mapping):
        return {str(key): str(tag) for key, tag in tags.items()}
    return {key: key for key in as_strings(tags, "tags")}


_NUMBERS = frozenset({int, float})
_EXACT = 2**53


def _is_plain(row: Any, step_key: str) -> bool:
    """Whether an object says its step and holds nothing but numbers, as nearly every line of a log does.

    It is then taken the short way, which comes to what the long way comes to.
    """
    if type(row) is not dict or type(step := row.get(step_key)) is not int:
        return False
    return -_EXACT < step < _EXACT and _NUMBERS.issuperset(map(type, row.values()))


def _says_step(document: Any, step_key: str) -> bool:
    """Whether an object, or one inside it, says its step or has its numbers by step."""
    pending = deque([document])
    while pending:
        one = pending.popleft()
        if isinstance(one, dict):
            if whole(one.get(step_key)) is not None or _by_step(one):
                return True
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return False


def _rows(rows: Iterable[Any], step_key: str, first: int = 1) -> Iterator[Point]:
    for count, row in enumerate(rows, start=first):
        if isinstance(row, dict):
            yield from _tree(row, step_key, count)


def _tree(document: dict[Any, Any], step_key: str, step: int = 0) -> Iterator[Point]:
    """Numbers of a nested object: keys joined by `/`, an object whose keys are all whole numbers is a series."""
    named = whole(document.get(step_key))
    step = step if named is None else named
    pending = deque[tuple[str, Any]]((str(key), value) for key, value in document.items() if key != step_key)
    while pending:
        tag, value = pending.popleft()
        if isinstance(value, dict):
            by_step = _by_step(value)
            yield from ((tag, at, each) for at, each in by_step)
            pending += () if by_step else [(f"{tag}/{key}", inner) for key, inner in value.items()]
        elif (found := number(value)) is not None:
            yield tag, step, found


def _lists(document: dict[Any, Any], step_key: str) -> Iterator[Point]:
    """Numbers of lists of objects that a document holds under its keys."""
    pending = deque[tuple[str, Any]]([("", document)])
    while pending:
        above, section = pending.popleft()
        for key, value in section.items():
            if isinstance(value, dict):
                pending.append((f"{above}{key}/", value))
            elif isinstance(value, list):
                before = above if key == _HISTORY else f"{above}{key}/"
                yield from ((f"{before}{tag}", step, number) for tag, step, number in _rows(value, step_key))


def _by_step(document: dict[Any, Any]) -> list[tuple[int, float]]:
    pairs = [(whole(key), number(value)) for key, value in document.items()]
    points = [(step, value) for step, value in pairs if step is not None and value is not None]
    return points if len(points) == len(pairs) else []
