"""What a task of this benchmark is: a repository to improve, and the same training in this process."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

Changes = Mapping[str, object]
"""What a configuration has otherwise than the untouched recipe, by dotted key."""


class Task(Protocol):
    """A small real training task.

    Attributes:
        name: One word.
        title: What is trained, for the page.
        metric: The metric and its unit, for the page.
        worth: The smallest gain a user would care about, as the campaigns are told.
        space: The knobs, as a person writes them for the researcher `search`.
        ours: Campaigns by name, each with its researchers.
        recipe: Path of the recipe in the repository, for `autoresearch plan`; empty where the target needs none.
        settings: Further settings of the campaign file.
    """

    name: str
    title: str
    metric: str
    worth: float
    space: ClassVar[Mapping[str, Any]]
    ours: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]]
    recipe: str
    settings: ClassVar[Mapping[str, Any]]

    def repository(self, root: Path) -> Path:
        """A fresh repository with the untouched recipe, committed; returns its root."""
        ...

    def value(self, changes: Changes, seed: int) -> float:
        """The metric of one run, more is better: the very number that the command of a campaign would give."""
        ...

    def changes(self, root: Path) -> Changes:
        """What the recipe that is checked out in a repository has otherwise than the untouched one."""
        ...

    def values(self, keys: Sequence[str]) -> dict[str, Any]:
        """The untouched recipe's values."""
        ...

    def command_value(self, root: Path, seed: int) -> float:
        """The metric of one run of the untouched recipe, made by the command of a campaign."""
        ...


def check(task: Task, root: Path, seed: int) -> None:
    """Fail unless the command that a campaign runs gives the very number that this process gives."""
    told, here = task.command_value(task.repository(root), seed), task.value({}, seed)
    if abs(told - here) > 1e-4:
        raise SystemExit(f"{task.name}, seed {seed}: the command gives {told}, this process {here}")


def git(root: Path, *words: str) -> str:
    """What git says."""
    return subprocess.run(("git", *words), cwd=root, check=True, capture_output=True, text=True).stdout


def run_here(root: Path, *words: str) -> str:
    """What a Python program of a repository prints."""
    done = subprocess.run((sys.executable, *words), cwd=root, check=True, capture_output=True, text=True)
    return done.stdout
