"""A commit on its way to machines that do not see our files."""

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from autoresearch.errors import LauncherError
from autoresearch.git import arrival
from autoresearch.git.diffs import pack


@pytest.fixture
def tree(tmp_path):
    """A worktree with one commit of odd files, and changes on top."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "plain.txt").write_text("one\n")
    (tree / "sub" / "a 'b' é.sh").write_bytes(b"\x00\xff")
    (tree / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (tree / "sub" / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("sub/run.sh")
    commit(tree)
    (tree / "plain.txt").write_text("not committed\n")
    return tree


def commit(tree):
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x")):
        subprocess.run(("git", *words), cwd=tree, check=True)


def unpacked(archive, place):
    with zipfile.ZipFile(BytesIO(archive.content)) as packed:
        packed.extractall(place)
    return place


def check(archive, place):
    """Run the check as it is run elsewhere: from its text, alone."""
    argv = (sys.executable, "-I", "-c", Path(arrival.__file__).read_text(), archive.fingerprint)
    return subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)


def test_what_arrives_whole_is_accepted(tree, tmp_path):
    """The commit's files, links and odd names included, whatever lies uncommitted in the worktree."""
    archive = pack(tree)
    done = check(archive, unpacked(archive, tmp_path / "there"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "there" / "plain.txt").read_text() == "one\n"


@pytest.mark.parametrize("damage", [
    lambda there: (there / "plain.txt").write_text("One\n"),
    lambda there: (there / "sub" / "run.sh").unlink(),
    lambda there: (there / "sitecustomize.py").write_text(""),
    lambda there: (there / "plain.txt").rename(there / "plain"),
], ids=["changed", "missing", "added", "renamed"])  # fmt: skip
def test_anything_else_is_refused(tree, tmp_path, damage):
    """One file changed, missing, added or renamed, and it ends with its own code and one line that says so."""
    archive = pack(tree)
    there = unpacked(archive, tmp_path / "there")
    damage(there)
    done = check(archive, there)
    assert done.returncode == arrival.NOT_THE_COMMIT
    assert done.stdout.startswith(arrival.SAID)
    assert len(done.stdout.splitlines()) == 1


def test_a_commit_that_git_packs_otherwise_is_refused_before_it_is_sent(tree):
    """A file kept out of archives would be missing there: it is named, with what to do."""
    (tree / ".gitattributes").write_text("plain.txt export-ignore\n")
    commit(tree)
    with pytest.raises(LauncherError, match=r"git packs plain\.txt other than it is committed: export-ignore"):
        pack(tree)


def test_no_commit_is_one_clear_line(tmp_path):
    """A folder that is no repository."""
    with pytest.raises(LauncherError, match="could not be packed"):
        pack(tmp_path)
