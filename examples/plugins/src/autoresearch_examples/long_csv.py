"""Numbers in long tables: `metrics.csv` with the columns step, name and value, one number per row."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Readings, Series

MOST_BYTES = 64 * 1024 * 1024


class LongCsv:
    """Reads a long table.

    Options:
        path: The table's name in the run's folder. Default `metrics.csv`.
    """

    name = "long-csv"

    def __init__(self, *, options: Mapping[str, object]) -> None:
        unknown = set(options) - {"path"}
        if unknown:
            raise CampaignError(f"metric source 'long-csv' has no option {min(unknown)!r}; it knows: path")
        self._path = str(options.get("path", "metrics.csv"))

    def read(self, folder: Path) -> Readings:
        """What the table holds so far. Files of runs are torn, huge, foreign or missing: none of that may raise."""
        table = folder / self._path
        try:
            if not table.is_file():  # opening a pipe would wait for ever
                return Readings()
            if table.stat().st_size > MOST_BYTES:
                return Readings(files=(self._path,), notes=(f"{self._path}: too large to be a table of metrics",))
            text = table.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            return Readings(notes=(f"{self._path}: cannot be read: {error.strerror}",))
        rows, _, torn = text.rpartition("\n")  # of 0.7969 a torn last row may hold only 0.79
        notes = (f"{self._path}: the last row has no newline and was left out",) if torn else ()
        return Readings(_series(rows), files=(self._path,), notes=notes)


def _series(rows: str) -> dict[str, Series]:
    points: dict[str, dict[int, float]] = defaultdict(dict)
    for line in rows.splitlines():
        try:
            step, name, value = next(csv.reader([line]))
            points[name][int(step)] = float(value)
        except (ValueError, StopIteration, csv.Error):
            continue  # the header, or no row of ours
    return {name: Series.of(name, known.items()) for name, known in points.items()}
