"""The embedded example: a small repository in NeMo-RL's shape with a real GRPO trainer in numpy.

`tree/` is that repository, shipped as package data. It has recipes with `defaults:` chains, test-suite scripts, a
trainer that learns sums in about a second, and NeMo-RL's own output formats. `autoresearch demo` copies it and runs a
campaign on it; README.md here says what each of its knobs really does, as measured.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import UsageError, crossing
from autoresearch.machine.processes import run

_TREE = Path(__file__).parent / "tree"
_RECIPE = Path("examples/configs/recipes/llm/grpo-tiny-1n0g.yaml")
_HYPOTHESES = Path("campaigns/ideas.yaml")
_IDENTITY = {"NAME": "NeMo-RL demo", "EMAIL": "demo@example.invalid", "DATE": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True)
class DemoRepository:
    """A fresh copy of the example.

    Attributes:
        root: The repository, on branch `main` with one commit.
        recipe: The recipe a campaign starts from, relative to `root`.
        hypotheses: The list of ideas for the `file` researcher, absolute.
    """

    root: Path
    recipe: Path
    hypotheses: Path


def create(directory: Path) -> DemoRepository:
    """Make the example repository in a new or empty directory.

    The commit is the same everywhere: author, date and hooks do not come from the user's git configuration.

    Args:
        directory: Where to put it; its parents are made.

    Raises:
        UsageError: There is something in `directory` already, or it cannot be written.
        CommandError: Git failed.
    """
    root = directory.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} is not an empty directory: name a new one for the example repository")
    with crossing(UsageError, f"copying the example repository to {root}"):
        shutil.copytree(_TREE, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for script in root.rglob("*.sh"):
            script.chmod(0o755)
    _commit(root)
    return DemoRepository(root, _RECIPE, root / _HYPOTHESES)


def _commit(root: Path) -> None:
    environment = _environment(os.environ)
    for arguments in (
        ("init", "--quiet", "--initial-branch=main", "--template="),
        ("config", "user.name", _IDENTITY["NAME"]),
        ("config", "user.email", _IDENTITY["EMAIL"]),
        ("add", "--all"),
        ("commit", "--quiet", "--no-verify", "-m", "A small GRPO trainer and its recipes"),
    ):
        run(("git", *arguments), cwd=root, env=environment)


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment without any git setting of the user's, and with a fixed identity."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("GIT_")}
    identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _IDENTITY.items()}
    return kept | identity | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
