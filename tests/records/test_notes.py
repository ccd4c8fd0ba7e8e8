"""What we note on commits is kept, travels with git, and survives other writers."""

import os
import sys

import pytest

from autoresearch.errors import RepositoryError
from autoresearch.git import refs
from autoresearch.git.commits import commit_tree_from, identity
from autoresearch.machine import processes
from autoresearch.records import notes


@pytest.fixture
def commits(repo):
    """Three commits of experiments."""
    base, who = refs.head_commit(repo), identity(repo)
    return [commit_tree_from(repo, base, (), f"idea {number}", who, 1.7e9) for number in range(3)]


def test_a_note_is_read_back_and_the_last_one_counts(repo, commits):
    """Also with a final newline missing, and with lines, tabs and any alphabet in it."""
    notes.write(repo, commits[0], "first")
    notes.write(repo, commits[0], "keep\t0.5\nünï ✓")
    notes.write(repo, commits[1], "crash\n")
    assert notes.read(repo, commits[0]) == "keep\t0.5\nünï ✓\n"
    assert notes.all(repo) == {commits[0]: "keep\t0.5\nünï ✓\n", commits[1]: "crash\n"}


def test_no_note_is_no_error(repo, commits):
    """Before the first note, and on a commit that has none."""
    assert notes.all(repo) == {}
    assert notes.read(repo, commits[0]) is None
    notes.write(repo, commits[0], "x")
    assert notes.read(repo, commits[1]) is None


def test_git_shows_our_notes_and_we_read_gits(repo, commits, run_git):
    """One format, whoever writes: a person may add or correct a note by hand, and no note is doubled."""
    notes.write(repo, commits[0], "ours")
    assert "ours" in run_git(repo, "log", "-1", "--notes=autoresearch", commits[0])
    run_git(repo, "notes", "--ref=autoresearch", "add", "-m", "theirs", commits[1])
    run_git(repo, "notes", "--ref=autoresearch", "add", "-f", "-m", "corrected", commits[0])
    notes.write(repo, commits[1], "ours again")
    assert notes.all(repo) == {commits[0]: "corrected\n", commits[1]: "ours again\n"}
    assert len(run_git(repo, "ls-tree", "-r", "--name-only", notes.REF).split()) == 2


def test_notes_travel_with_the_documented_commands(repo, commits, run_git, tmp_path):
    """Pushed to a server and fetched by a fresh clone they are all there."""
    refs.create_branch(repo, "autoresearch/c/one", commits[0])
    notes.write(repo, commits[0], "kept")
    run_git(tmp_path, "init", "-q", "--bare", "server.git")
    run_git(repo, "remote", "add", "origin", str(tmp_path / "server.git"))
    run_git(repo, "push", "-q", "origin", "main", "autoresearch/c/one", "refs/notes/autoresearch")
    run_git(tmp_path, "clone", "-q", "server.git", "clone")
    run_git(tmp_path / "clone", "fetch", "-q", "origin", "refs/notes/autoresearch:refs/notes/autoresearch")
    assert notes.all(tmp_path / "clone") == {commits[0]: "kept\n"}


WRITER = """
import sys
from pathlib import Path
from autoresearch.records import notes
repo, *commits = sys.argv[1:]
for commit in commits:
    notes.write(Path(repo), commit, f"on {commit}")
"""


def test_writers_at_the_same_time_lose_nothing(repo):
    """Three controllers of one repository write as fast as they can; every note is there in the end."""
    base, who = refs.head_commit(repo), identity(repo)
    commits = [commit_tree_from(repo, base, (), f"idea {number}", who, 1.7e9) for number in range(9)]
    one, two, three = (" ".join(commits[start::3]) for start in range(3))
    script = f'write() {{ "$PYTHON" -c "$WRITER" "$REPO" "$@"; }}; write {one} & write {two} & write {three} & wait'
    env = os.environ | {"PYTHON": sys.executable, "WRITER": WRITER, "REPO": str(repo)}
    said = processes.run(["sh", "-c", script], env=env).stderr
    assert notes.all(repo) == {commit: f"on {commit}\n" for commit in commits}, said


def test_a_ref_that_cannot_be_written_is_a_clear_error(repo, commits):
    """Not an endless series of attempts: what git says is passed on."""
    refs.create_branch(repo, "autoresearch/c/one", commits[0])
    (refs.common_dir(repo) / "refs" / "notes").write_text("in the way")
    with pytest.raises(RepositoryError, match="cannot lock ref"):
        notes.write(repo, commits[0], "x")
