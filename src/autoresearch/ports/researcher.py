"""The port of researchers: who has ideas, and what one can do besides.

A researcher is made with `options=` and `folder=`, a scratch folder of its own that survives a resume. `name`, `edits`
and `finite` belong to the class: they are read before one is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autoresearch.experiment.attendance import ResearcherAsked
from autoresearch.experiment.hypothesis import Brief, Hypothesis


class Researcher(Protocol):
    """Has ideas. Made with `options=`, `folder=` (a scratch folder of its own that survives a resume)."""

    name: str
    """What a campaign file calls it; a second one of its kind is told apart by a number, which the program sets."""
    edits: bool
    """Whether it works in the tree itself, and so may leave more there than its commit will hold."""
    finite: bool
    """Whether it has each idea once, as a list does: refusals say nothing about what is to come and never rest it."""

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """One hypothesis, or None when it has no more. Overrides and patch are applied to `tree` for it.

        One that `edits` may change `tree` itself. Whatever is left there by one that has no idea, or that fails, is
        thrown away before anybody else is asked.

        Raises:
            FruitlessError: It was asked, and no idea came of it; the next researcher is.
            ResearcherError: It cannot work now; it is asked again later.
            UnfitError: It never can in this campaign.
        """
        ...


@dataclass(frozen=True)
class Supply:
    """What a researcher could propose for a recipe as it is, before anything was tried.

    Attributes:
        told: The same in words; where there is nothing, why.
        most: How many ideas; None: nobody can count them.
        ideas: Those that are known beforehand.
    """

    told: str
    most: int | None = None
    ideas: tuple[Hypothesis, ...] = ()


@runtime_checkable
class Supplier(Protocol):
    """A researcher that knows before a campaign what it could propose in it."""

    def supply(self, brief: Brief) -> Supply:
        """What it has for the recipe of a brief in which nothing was tried."""
        ...


@dataclass(frozen=True, kw_only=True)
class Explained:
    """An idea that a researcher knows of, for a recipe as it is: what it would change there, or why it is not for it.

    Attributes:
        name: Its stable name.
        title: The change and its effect in one line.
        changes: Overrides; empty when it is not for this recipe.
        why_not: Why it is not, in words; empty when it is.
        called_by: Symptoms without which it is not proposed; empty when none is needed.
        source: Where it comes from.
    """

    name: str
    title: str
    changes: tuple[str, ...] = ()
    why_not: str = ""
    called_by: tuple[str, ...] = ()
    source: str = ""


@runtime_checkable
class Explainer(Protocol):
    """A researcher that can say of each idea it knows whether it is for a recipe, and why not."""

    def explain(self, brief: Brief) -> tuple[Explained, ...]:
        """All of them, for the recipe of a brief in which nothing was tried."""
        ...


@runtime_checkable
class Concurrent(Protocol):
    """A researcher that thinks for long, so that the campaign goes on meanwhile: it is asked in a thread of its own.

    Several are made alike, with the same options and the same folder; each is asked one thing at a time.
    """

    def at_once(self) -> int:
        """How many made alike may be thinking together now; 0: nothing else may go on while it thinks."""
        ...

    def interrupt(self) -> None:
        """End what it does, so that `propose` comes to its end soon; called from another thread, and until then."""
        ...


@runtime_checkable
class Joiner(Protocol):
    """A researcher that counts together with others made alike, such as what all of them may spend."""

    def join(self, first: object) -> None:
        """Count with the first one from now on; called once, before it is asked anything."""
        ...


@runtime_checkable
class Witness(Protocol):
    """A researcher whose work leaves something to read: an agent's calls, what they cost, what it tried."""

    def notes(self) -> tuple[str, ...]:
        """What a person should be able to read, since this was last asked."""
        ...

    def evidence(self, index: int) -> Path:
        """The folder of files about an attempt, without secrets; it need not exist."""
        ...


@runtime_checkable
class Biller(Protocol):
    """A researcher whose calls cost something."""

    def bills(self) -> tuple[ResearcherAsked, ...]:
        """Its calls since this was last asked, oldest first; when, for which attempt and its name are filled in."""
        ...


@runtime_checkable
class Believer(Protocol):
    """A researcher with a model of what the metric depends on, of which the others are told."""

    def belief(self, brief: Brief) -> str:
        """What it believes, as lines of Markdown, for the parent of a brief; empty while it knows too little."""
        ...


@runtime_checkable
class Instructed(Protocol):
    """A researcher whose program takes instructions from files of a repository: no experiment may write one for it."""

    @classmethod
    def instructions(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Globs of them, by what a campaign file says of it."""
        ...


@runtime_checkable
class Mender(Protocol):
    """A researcher that can also mend its own trivial crashes."""

    name: str

    def repair(self, brief: Brief, tree: object, crash: str) -> bool:
        """Edit the experiment's worktree so that it no longer crashes; False when it cannot.

        `crash` begins with `oom` where memory ran out with what the experiment's own code enlarged: then half of that
        is to be taken back (R146).
        """
        ...
