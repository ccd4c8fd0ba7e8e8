"""`create` makes a repository that is the same everywhere, and never writes over anything."""

import os
import sys
from pathlib import Path

import pytest
import yaml

from autoresearch.errors import UsageError
from autoresearch.examples.demo_repository import create
from autoresearch.machine.processes import run
from autoresearch.researchers.file import read

TREE = Path(__file__).parents[2] / "src/autoresearch/examples/tree"


def test_the_copy_is_a_clean_repository_with_one_commit(repository):
    """Branch `main`, one commit, nothing untracked, and the files it names exist."""
    log = run(("git", "log", "--format=%an %s", "main"), cwd=repository.root)
    assert log.text == "NeMo-RL demo A small GRPO trainer and its recipes"
    assert run(("git", "status", "--porcelain"), cwd=repository.root).text == ""
    assert (repository.root / repository.recipe).is_file()
    assert repository.hypotheses.is_file()


def test_every_file_of_the_tree_is_committed(repository):
    """Nothing that ships is lost to an ignore rule."""
    committed = run(("git", "ls-files", "-z"), cwd=repository.root).text.strip("\0").split("\0")
    shipped = {path.relative_to(TREE).as_posix() for path in TREE.rglob("*") if path.is_file()}
    assert set(committed) == {name for name in shipped if "__pycache__" not in name}


def test_the_commit_does_not_depend_on_the_users_git(repository, tmp_path):
    """Hooks, identity and ignore rules of a hostile configuration change nothing: the commit's hash is the same."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "ignore").write_text("*.py\n")
    settings = f"[core]\n\thooksPath = {hooks}\n\texcludesFile = {tmp_path}/ignore\n[commit]\n\tgpgSign = true\n"
    (tmp_path / ".gitconfig").write_text(settings)
    code = f"from pathlib import Path; from autoresearch.examples.demo_repository import create; create(Path({str(tmp_path / 'two')!r}))"
    environment = os.environ | {"HOME": str(tmp_path), "GIT_DIR": "/nowhere"}
    run((sys.executable, "-c", code), env=environment)
    heads = [run(("git", "rev-parse", "HEAD"), cwd=root).text for root in (repository.root, tmp_path / "two")]
    assert heads[0] == heads[1]


def test_an_empty_directory_is_taken(tmp_path):
    """A directory that exists and is empty is as good as a new one."""
    assert create(tmp_path).root == tmp_path


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir() or (path / "mine").touch(), Path.touch], ids=["full", "file"]
)
def test_what_is_there_is_left_alone(tmp_path, make):
    """A directory with anything in it, or a file of that name, is refused by name and stays as it was."""
    place = tmp_path / "place"
    make(place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"place is not an empty directory"):
        create(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_ideas_are_what_the_file_researcher_reads(repository):
    """Every entry is understood, has a title of its own and changes something."""
    ideas = read(repository.hypotheses)
    assert len({idea.title for idea in ideas}) == len(ideas) >= 10
    assert all(idea.overrides or idea.patch for idea in ideas)
    assert any(idea.simplifies for idea in ideas)


def test_the_ideas_fit_the_recipe(repository, train):
    """All overrides of the list are accepted together by the trainer's configuration, but for the fatal ones."""
    ideas = yaml.safe_load(repository.hypotheses.read_text())
    harmless = [idea for idea in ideas if idea.get("expected", 0) > 0]
    overrides = [override for idea in harmless for override in idea.get("overrides", [])]
    assert train(*overrides, "grpo.max_num_steps=2").code == 0
