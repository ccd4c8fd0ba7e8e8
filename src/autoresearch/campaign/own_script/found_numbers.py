"""Every number that a run gave, wherever it put it; read by the sources that will read the runs of a campaign."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from autoresearch.campaign.own_script.printed_rows import columns_in, listed_in, table_rows
from autoresearch.errors import AutoresearchError
from autoresearch.machine import disk
from autoresearch.metrics import BELONGS, FOUND_BY, OWN_FORMATS
from autoresearch.ports import plugins
from autoresearch.ports.dialect import Dialect
from autoresearch.ports.metric_source import readings_of
from autoresearch.records.paths import RUN_LOG
from autoresearch.run.known_metrics import direction_of
from autoresearch.run.log_patterns import near_line
from autoresearch.run.printed_result import ambiguous, names_in
from autoresearch.supervision import run_folder

_OURS = frozenset({RUN_LOG, run_folder.SPEC, run_folder.STATE, run_folder.EXIT, run_folder.TROUBLE})
_MOST_NAMES, _MOST_FILES = 60, 40
_CHECKPOINT = re.compile(r"(?<![^/])checkpoint-\d+/")
_WORDS = (
    "accuracy",
    "acc",
    "loss",
    "score",
    "reward",
    "return",
    "f1",
    "auc",
    "perplexity",
    "error",
    "rmse",
    "mse",
    "mae",
)


@dataclass(frozen=True, kw_only=True)
class FoundNumber:
    """A number that a run gave.

    Attributes:
        name: What it is called there.
        where: Where it was found, in words.
        source: What `target.source` has to be for a campaign to read it.
        last: Its last value.
        points: How many values it has.
        step: The step of the last one, None where steps are only counted.
        unclear: Why it is no result as it stands; empty when it is one.
    """

    name: str
    where: str
    source: Mapping[str, object]
    last: float
    points: int = 1
    step: int | None = None
    unclear: str = ""


def numbers_of(folder: Path, log: str) -> Iterator[FoundNumber]:
    """Every number of a run, files before what is printed."""
    for where, source in _files(folder):
        yield from _read(folder, where, source)
    names = names_in(log)[:_MOST_NAMES]
    for name in names:
        yield from _read(folder, "printed", {"type": "stdout"}, name)
    rows = {name: row for name, row in list(table_rows(log).items())[:_MOST_NAMES] if name not in names}
    for name, row in rows.items():
        yield from _read(folder, "a row of a table", {"type": "stdout", "patterns": {name: row}}, name)
    beside = columns_in(log) | listed_in(log)
    listed = {name: source for name, source in beside.items() if name not in names and name not in rows}
    for name, source in list(listed.items())[:_MOST_NAMES]:
        yield from _read(folder, "a column, or a list behind a step", source, name)
    known = [name for name in (*names, *rows, *listed) if direction_of(name)]
    for word in () if known else _WORDS:
        near = near_line(word, log, sentences=True)
        if near is not None:
            yield from _read(
                folder, f"printed as {near[0].strip()[:60]!r}", {"type": "stdout", "patterns": {word: near[1]}}, word
            )
            return


def spoken_numbers(folder: Path, log: str, dialect: Dialect) -> Iterator[FoundNumber]:
    """Numbers where a dialect has them, each from the best place, and then whatever else there is."""
    told: dict[str, FoundNumber] = {}
    for source in dialect.sources:
        for one in _read(folder, f"{source.get('path', source['type'])}", source):
            told.setdefault(one.name, one)
    printed = plugins.dialect_finder().printed_sources(dialect, log)
    for name in [name for name in printed if name not in told][:_MOST_NAMES]:
        told |= {one.name: one for one in _read(folder, "printed", printed[name], name)}
    yield from told.values()
    yield from (one for one in numbers_of(folder, log) if one.name not in told)


def ambiguous_number(log: str) -> str:
    """What a log says in place of a number behind a name that is known for results; empty where it says none."""
    return next(filter(None, (ambiguous(word, log) for word in _WORDS)), "")


def _files(folder: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Files that may hold numbers, those of one name together, with the source that reads them."""
    for kind in OWN_FORMATS:
        yield kind, {"type": kind}
    found: dict[tuple[str, str], set[str]] = {}
    for base, _, names in disk.walk(folder, 20):
        for name in names:
            kind = next((kind for kind, glob in FOUND_BY.items() if fnmatchcase(name.lower(), glob)), "")
            path = Path(base, name)
            theirs = set(path.relative_to(folder).parts[:-1]) & set(BELONGS)
            if kind and not theirs and not path.is_symlink() and not (Path(base) == folder and name in _OURS):
                found.setdefault((kind, name), set()).add(str(path.relative_to(folder)))
    for (kind, name), places in sorted(found.items())[:_MOST_FILES]:
        for place in (name,) if _alike(places) else sorted(places):
            glob = place if "/" not in place else f"*{place.removeprefix('work/')}"
            yield glob.lstrip("*"), {"type": kind, "path": glob}


def _alike(places: set[str]) -> bool:
    """Whether files of one name are those of one run: alone, in numbered folders, or beside checkpoints."""
    return len({re.sub(r"\d+", "#", _CHECKPOINT.sub("", place)) for place in places}) == 1


def _read(folder: Path, where: str, source: Mapping[str, object], tag: str = "") -> Iterator[FoundNumber]:
    with suppress(AutoresearchError):
        spec = plugins.chosen_source(source, tag, one_result=bool(tag))
        readings = readings_of(plugins.make("metrics", spec.name, options=spec.options), folder)
        unclear = (
            f"two results: {readings.conflict[0]!r}, and later {readings.conflict[1]!r}" if readings.conflict else ""
        )
        for name, series in sorted(readings.series.items()):
            if last := series.last:
                steps = None if tag or series.steps == tuple(range(1, len(series.steps) + 1)) else last[0]
                yield FoundNumber(
                    name=name,
                    where=where,
                    source=source,
                    last=last[1],
                    points=len(series.steps),
                    step=steps,
                    unclear=unclear,
                )
