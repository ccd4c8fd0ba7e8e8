"""Numbers in files a script writes: JSON, JSON lines, CSV and TSV.

Understood as JSON: `{"tag": {"step": value}}` (what NeMo-RL's own dump writes), `{"tag": value}`, nested objects (tags
joined by `/`) and a list of objects. JSON lines and tables hold one object per line or row, with a column for the step.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError
from autoresearch.metrics.safe_read import (
    MAX_BYTES,
    Found,
    as_strings,
    files_below,
    number,
    parse_json,
    refuse_unknown,
    whole,
)
from autoresearch.run.measurement import Readings, Series

FORMATS = ("json", "jsonl", "csv", "tsv")

Point = tuple[str, int, float]


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

    def read(self, folder: Path) -> Readings:
        """Every matching file below `folder`, oldest first; a later file wins a step both have."""
        points: dict[str, dict[int, float]] = defaultdict(dict)
        notes: list[str] = []
        found = [item for item in files_below(folder, *self._globs) if self._kind(item)]
        for item in found:
            for key, step, value in self._points(item, notes):
                tag = key if self._tags is None else self._tags.get(key)
                if tag is not None:
                    points[tag][step] = value
        series = {tag: Series.of(tag, values.items()) for tag, values in points.items()}
        return Readings(series=series, files=tuple(item.name for item in found), notes=tuple(notes))

    def _kind(self, item: Found) -> str:
        suffix = item.path.suffix.removeprefix(".").lower()
        return self._format or (suffix if suffix in FORMATS else "")

    def _points(self, item: Found, notes: list[str]) -> list[Point]:
        if item.size > MAX_BYTES:
            notes.append(f"{item.name}: larger than {MAX_BYTES // 2**20} MiB; not read")
            return []
        try:
            text = item.path.read_bytes().decode("utf-8-sig", "replace")
        except OSError as error:
            notes.append(f"{item.name}: cannot be read: {error.strerror or error}")
            return []
        points, problem = _READERS[self._kind(item)](text, self._step)
        if problem:
            notes.append(f"{item.name}: {problem}")
        return points


def _renaming(tags: object) -> dict[str, str] | None:
    if tags is None:
        return None
    if isinstance(tags, Mapping):
        return {str(key): str(tag) for key, tag in tags.items()}
    return {key: key for key in as_strings(tags, "tags")}


def _from_json(text: str, step_key: str) -> tuple[list[Point], str]:
    document = parse_json(text)
    if isinstance(document, list):
        return list(_rows(document, step_key)), ""
    if isinstance(document, dict):
        return list(_tree(document, step_key)), ""
    return [], "not a JSON object or list; left out" if text.strip() else "empty"


def _from_jsonl(text: str, step_key: str) -> tuple[list[Point], str]:
    rows = [parse_json(line) for line in text.split("\n") if line.strip()]
    damaged = sum(not isinstance(row, dict) for row in rows)
    return list(_rows(rows, step_key)), f"{damaged} torn or unreadable lines were skipped" if damaged else ""


def _from_table(text: str, step_key: str, delimiter: str) -> tuple[list[Point], str]:
    """A last row without a newline is left out: of 0.7969 it may hold only 0.79."""
    whole_rows, _, torn = text.rpartition("\n")
    try:
        rows: list[Any] = list(csv.DictReader(io.StringIO(whole_rows, newline=""), delimiter=delimiter))
    except csv.Error as error:
        return [], f"not a table: {error}"
    problem = "the last row has no newline and was left out, as it may be torn" if torn.strip() else ""
    return list(_rows(rows, step_key)), problem


_READERS: dict[str, Callable[[str, str], tuple[list[Point], str]]] = {
    "json": _from_json,
    "jsonl": _from_jsonl,
    "csv": partial(_from_table, delimiter=","),
    "tsv": partial(_from_table, delimiter="\t"),
}


def _rows(rows: Iterable[Any], step_key: str) -> Iterator[Point]:
    for count, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            yield from _tree(row, step_key, count)


def _tree(document: dict[Any, Any], step_key: str, step: int = 0) -> Iterator[Point]:
    """Numbers of a nested object: keys joined by `/`, an object whose keys are all whole numbers is a series."""
    named = whole(document.get(step_key))
    step = step if named is None else named
    pending: list[tuple[str, Any]] = [(str(key), value) for key, value in document.items() if key != step_key]
    while pending:
        tag, value = pending.pop(0)
        if isinstance(value, dict):
            by_step = _by_step(value)
            yield from ((tag, at, each) for at, each in by_step)
            pending += [] if by_step else [(f"{tag}/{key}", inner) for key, inner in value.items()]
        elif (found := number(value)) is not None:
            yield tag, step, found


def _by_step(document: dict[Any, Any]) -> list[tuple[int, float]]:
    pairs = [(whole(key), number(value)) for key, value in document.items()]
    points = [(step, value) for step, value in pairs if step is not None and value is not None]
    return points if len(points) == len(pairs) else []
