"""Real repositories to work on, and git as the user has it: with their configuration, hooks and all."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoresearch.machine import processes

Git = Callable[..., str]


def copied(repository: Path, root: Path) -> Path:
    """A repository of one's own, in a quarter of the time that git takes to make it: all that it holds, links as links."""
    return Path(shutil.copytree(repository, root, symlinks=True))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty home folder, so that no developer's configuration changes what a test sees."""
    home = tmp_path / "home"
    home.mkdir()
    with at_home(home):
        yield home


@contextmanager
def at_home(home: Path) -> Iterator[None]:
    """Have git find this home folder's configuration and no other."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        patch.delenv("EMAIL", raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


def git(repo: Path, *args: str, check: bool = True) -> str:
    """What git says."""
    return processes.run(["git", "-C", str(repo), *args], check=check).text


@pytest.fixture
def run_git(home: Path) -> Git:
    """Git as the user runs it."""
    return git


@pytest.fixture(scope="session")
def first_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `repo` is a copy of."""
    repo = tmp_path_factory.mktemp("first") / "repo"
    (repo / "config").mkdir(parents=True)
    (repo / "config" / "grpo.yaml").write_text("lr: 1\n")
    (repo / "train.py").write_text("print(1)\n")
    (repo / "old.py").write_text("a\nb\nc\nd\ne\n")
    (repo / ".gitignore").write_text("*.log\n")
    with at_home(repo.parent):
        git(repo, "init", "-q", "-b", "main")
        git(repo, "config", "user.name", "Ada Lovelace")
        git(repo, "config", "user.email", "ada@example.org")
        git(repo, "add", ".")
        git(repo, "commit", "-q", "-m", "first")
    return repo


@pytest.fixture
def repo(tmp_path: Path, home: Path, first_repo: Path) -> Path:
    """A small repository of a user with a name, one commit on `main`, in a folder with an awkward name."""
    return copied(first_repo, tmp_path / "user's répo")
