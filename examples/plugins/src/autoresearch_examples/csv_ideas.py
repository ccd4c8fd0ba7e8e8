"""Ideas out of a spreadsheet: a CSV file with the columns title and overrides, and perhaps area and expected."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import Brief, Hypothesis


class CsvIdeas:
    """Proposes the rows of a table in their order, each once.

    Options:
        path: The table, relative to the repository. Default `ideas.csv`.
    """

    name = "csv-ideas"
    edits = False  # overrides say it all; the tree is left alone
    finite = True  # a refused row says nothing about the next, so it need not rest

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        del folder  # nothing to remember: the brief says what was tried
        self._path = Path(options.get("root", "."), str(options.get("path", "ideas.csv")))  # root: the repository

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """The first row that was not tried yet, None when all were; read anew, so that rows can be added meanwhile."""
        del tree
        tried = {one.overrides for one in brief.tried}
        return next((idea for idea in self._ideas() if idea.overrides not in tried), None)

    def _ideas(self) -> list[Hypothesis]:
        try:
            with self._path.open(encoding="utf-8", newline="") as table:
                return [_idea(row) for row in csv.DictReader(table)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CampaignError(f"the ideas {self._path} cannot be read: {error}") from error
        except (KeyError, ValueError) as error:
            raise CampaignError(f"the ideas {self._path}: a row is not understood: {error}") from error


def _idea(row: Mapping[str, str]) -> Hypothesis:
    """Overrides are separated by spaces; an expected gain may be left empty."""
    expected = row.get("expected") or None
    return Hypothesis(
        title=row["title"],
        overrides=tuple(row["overrides"].split()),
        area=row.get("area") or "recipe",
        expected=None if expected is None else float(expected),
        source=CsvIdeas.name,
    )
