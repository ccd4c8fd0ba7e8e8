"""Ideas a person wrote down: a YAML list of hypotheses, proposed in order, each once."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from autoresearch.errors import CampaignError, mistakes
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.ports.researcher import Supply
from autoresearch.secrets import environment


class ListedIdea(BaseModel):
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
    """It removes more than it adds, so a tie keeps it; counts where the commit bears it out."""
    unlocks: bool = False
    """Later ideas need it, so a tie keeps it."""

    @model_validator(mode="after")
    def _changes_something(self) -> "ListedIdea":
        if not self.overrides and not self.patch:
            raise ValueError("says nothing to change; give it overrides or a patch")
        return self


_LIST: TypeAdapter[tuple[ListedIdea, ...]] = TypeAdapter(tuple[ListedIdea, ...])


def read(path: Path, beside: Path | None = None) -> tuple[Hypothesis, ...]:
    """Read a list of hypotheses.

    Args:
        path: The list.
        beside: Where its patches lie; its own folder by default.

    Raises:
        CampaignError: The file is missing, no YAML, or an entry is not understood; the text names entry and key.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise CampaignError(f"the list of ideas {path} cannot be read: {told}; correct its `path`") from None
    except yaml.YAMLError as error:
        raise CampaignError(f"the list of ideas {path} is not valid YAML: {error}") from None
    if isinstance(document, dict) and set(document) == {"hypotheses"}:
        document = document["hypotheses"]
    try:
        entries = _LIST.validate_python(document or ())
    except ValidationError as error:
        raise CampaignError(f"the list of ideas {path}, {_mistake(error, document)}") from None
    return tuple(_hypothesis(entry, beside or path.parent) for entry in entries)


def _mistake(error: ValidationError, document: Any) -> str:
    """The first mistake: which entry, by number from one and title, which key, and what is expected."""
    loc, told = error.errors()[0]["loc"], mistakes(tuple[ListedIdea, ...], error)[0].removeprefix("file: ")
    where = "the top"
    if loc and isinstance(number := loc[0], int):
        entry = document[number]
        title = f" ({entry['title']!r})" if isinstance(entry, dict) and "title" in entry else ""
        where, told = f"entry {number + 1}{title}", re.sub(rf"(^|')({number + 1}(\.|: ))", r"\1", told, count=1)
    return f"at {where}: {told}; an entry has the keys {', '.join(ListedIdea.model_fields)}"


def _hypothesis(entry: ListedIdea, folder: Path) -> Hypothesis:
    patch = entry.patch
    if patch and "\n" not in patch:
        try:
            patch = (folder / patch).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CampaignError(f"the patch of {entry.title!r} cannot be read: {error}") from None
    return Hypothesis(**(entry.model_dump() | {"patch": patch, "source": "file"}))


class FileResearcher:
    """Proposes the entries of a list in their order, skipping those already tried.

    The list may be edited while the campaign runs. Its last good state is kept, and used while the list is gone or
    half-written.

    Args:
        options: `path` of the list, relative to the repository (`root`).
        folder: Keeps the copy.

    Raises:
        CampaignError: The list cannot be read.
    """

    name = "file"
    edits = False
    finite = True

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        path = options.get("path")
        if not path:
            raise CampaignError("researcher `file` needs the key `path`: a YAML list of hypotheses")
        self._root = Path(options.get("root", "."))
        self._path = self._root / str(path)
        self._copy = folder / "ideas.yaml"
        if self._path.exists() or not self._copy.exists():
            read(self._path)

    def listed(self) -> tuple[Hypothesis, ...]:
        """The entries of the list, or of its last good state."""
        try:
            ideas = read(self._path)
        except CampaignError:
            if not self._copy.exists():
                raise
            return read(self._copy, self._path.parent)
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._path, self._copy)
        return ideas

    def supply(self, brief: Brief) -> Supply:  # noqa: ARG002 - the list says it all
        """What is listed now; nothing is kept of it yet."""
        ideas = read(self._path)
        return Supply(f"{len(ideas)} listed", len(ideas), ideas)

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the list says it all
        """The next entry that has not been tried, or None at the end of the list."""
        used = Counter((item.title, item.overrides) for item in brief.tried if item.source == self.name)
        clean = environment.of_repository(self._root).clean  # as the titles of what was tried have been
        for idea in self.listed():
            key = (clean(idea.title), idea.overrides)
            if not used[key]:
                return idea
            used[key] -= 1  # ideas may differ in their patch alone
        return None
