"""Real repositories to work on, and git as the user has it: with their configuration, hooks and all."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoresearch.machine import processes

Git = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty home folder, so that no developer's configuration changes what a test sees."""
    home = tmp_path / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        patch.delenv("EMAIL", raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield home


@pytest.fixture
def run_git(home: Path) -> Git:
    """Git as the user runs it."""

    def run(repo: Path, *args: str, check: bool = True) -> str:
        return processes.run(["git", "-C", str(repo), *args], check=check).text

    return run


@pytest.fixture
def repo(tmp_path: Path, run_git: Git) -> Path:
    """A small repository of a user with a name, one commit on `main`, in a folder with an awkward name."""
    repo = tmp_path / "user's répo"
    repo.mkdir()
    run_git(repo, "init", "-q", "-b", "main")
    run_git(repo, "config", "user.name", "Ada Lovelace")
    run_git(repo, "config", "user.email", "ada@example.org")
    (repo / "config").mkdir()
    (repo / "config" / "grpo.yaml").write_text("lr: 1\n")
    (repo / "train.py").write_text("print(1)\n")
    (repo / "old.py").write_text("a\nb\nc\nd\ne\n")
    (repo / ".gitignore").write_text("*.log\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "first")
    return repo
