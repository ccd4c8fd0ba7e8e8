"""The port of researchers: who has ideas, and what one can do besides.

A researcher is made with `options=` and `folder=`, a scratch folder of its own that survives a resume.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

from autoresearch.experiment.hypothesis import Brief, Hypothesis


class Researcher(Protocol):
    """Has ideas. Made with `options=`, `folder=` (a scratch folder of its own that survives a resume)."""

    name: str

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """One hypothesis, or None when it has no more. It may edit `tree`; overrides and patch are applied for it."""
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
class Mender(Protocol):
    """A researcher that can also mend its own trivial crashes."""

    name: str

    def repair(self, brief: Brief, tree: object, crash: str) -> bool:
        """Edit the experiment's worktree so that it no longer crashes; False when it cannot."""
        ...
