"""Ideas a person wrote down: a YAML list of hypotheses, proposed in order, each once."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from autoresearch.core.hypothesis import Brief, Hypothesis
from autoresearch.errors import CampaignError


class Entry(BaseModel):
    """One hypothesis of the list; at least `overrides` or `patch` says what to change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    """The change and its hoped-for effect in one line."""
    area: str = "recipe"
    """First word of the commit subject."""
    overrides: tuple[str, ...] = ()
    """Hydra overrides in the recipe's language."""
    patch: str = ""
    """A unified diff, or the path of one, relative to the list."""
    parent: str = "incumbent"
    """`incumbent`, `baseline`, or an experiment's name."""
    rationale: str = ""
    """Why it should help."""
    expected: float | None = None
    """Expected gain in the metric's unit."""
    watch: tuple[str, ...] = ()
    """What to look at afterwards."""
    seeds: int | None = Field(default=None, ge=1)
    """Seeds to run before judging; left out, the verdict policy decides."""
    simplifies: bool = False
    """It removes more than it adds, so a tie keeps it."""
    unlocks: bool = False
    """Later ideas need it, so a tie keeps it."""


_LIST: TypeAdapter[tuple[Entry, ...]] = TypeAdapter(tuple[Entry, ...])


def read(path: Path) -> tuple[Hypothesis, ...]:
    """Read a list of hypotheses.

    Raises:
        CampaignError: The file is missing, no YAML, or an entry is not understood; the text names entry and key.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"the list of ideas {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise CampaignError(f"the list of ideas {path} is not valid YAML: {error}") from None
    if isinstance(document, dict) and set(document) == {"hypotheses"}:
        document = document["hypotheses"]
    try:
        entries = _LIST.validate_python(document or ())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise CampaignError(
            f"the list of ideas {path}, at {where}: {first['msg']}; "
            f"an entry has the keys {', '.join(Entry.model_fields)}"
        ) from None
    return tuple(_hypothesis(entry, path.parent) for entry in entries)


def _hypothesis(entry: Entry, folder: Path) -> Hypothesis:
    patch = entry.patch
    if patch and "\n" not in patch:
        try:
            patch = (folder / patch).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CampaignError(f"the patch of {entry.title!r} cannot be read: {error}") from None
    return Hypothesis(**(entry.model_dump() | {"patch": patch, "source": "file"}))


class FileResearcher:
    """Proposes the entries of a list in their order, skipping those already tried.

    The list is copied when the campaign starts: what is edited afterwards does not change the order under our feet,
    except that entries added at the end are taken in.

    Args:
        options: `path` of the list, relative to the repository (`root`).
        folder: Keeps the copy.

    Raises:
        CampaignError: The list cannot be read.
    """

    name = "file"

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        path = options.get("path")
        if not path:
            raise CampaignError("researcher `file` needs the key `path`: a YAML list of hypotheses")
        self._path = Path(options.get("root", ".")) / str(path)
        self._copy = folder / "ideas.yaml"
        if not self._copy.exists() and self._path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._path, self._copy)
        read(self._source())

    def _source(self) -> Path:
        return self._path if self._path.exists() else self._copy

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the list says it all
        """The next entry that has not been tried, or None at the end of the list."""
        used = {(item.title, item.overrides) for item in brief.tried if item.source == self.name}
        return next((idea for idea in read(self._source()) if (idea.title, idea.overrides) not in used), None)
