"""Whether files of a worktree are what their commit holds, whatever was done to hide that they are not."""

import os

import pytest

from autoresearch.git import refs, worktree

HELD = ("eval.py", "sets/test.csv", "link")


@pytest.fixture
def tree(repo, run_git):
    """A worktree with files that measure, one of them a link."""
    (repo / "sets").mkdir()
    (repo / "sets" / "test.csv").write_bytes(b"a,1\r\nb,2\r\n")
    (repo / "eval.py").write_text("print(2)\n")
    (repo / "link").symlink_to("eval.py")
    (repo / ".gitignore").write_text("*.log\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "what measures")
    return worktree.add(repo, repo / ".autoresearch" / "worktrees" / "c" / "1", refs.head_commit(repo))


def told(tree):
    return worktree.altered(tree, refs.head_commit(tree), HELD)


def rewrite(tree):
    """The same length and times, and git told to look away."""
    file = tree / "eval.py"
    before = file.stat()
    file.write_text("print(9)\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def through_a_folder(tree):
    (tree / "sets").rename(tree / "moved")
    (tree / "sets").symlink_to("moved")


def in_place_of_a_file(tree):
    (tree / "eval.py").unlink()
    (tree / "eval.py").mkdir()
    (tree / "eval.py" / "x").write_text("")


def led_elsewhere(tree):
    (tree / "link").unlink()
    (tree / "link").symlink_to("train.py")


def without_end(tree):
    """Longer than could be read in a night; nothing of it was ever written."""
    os.truncate(tree / "eval.py", 1 << 40)


@pytest.mark.parametrize(("done", "found"), [
    (without_end, {"eval.py": "changed"}),
    (rewrite, {"eval.py": "changed"}), (through_a_folder, {"sets/test.csv": "changed"}), (in_place_of_a_file, {"eval.py": "changed"}),
    (led_elsewhere, {"link": "changed"}), (lambda tree: (tree / "eval.py").rename(tree / "old.py"), {"eval.py": "removed"}),
    (lambda tree: (tree / "link").write_text("print(3)\n"), {"eval.py": "changed"}),
    (lambda tree: (tree / "sets" / "test.csv").write_bytes(b"a,1\r\nb,3\r\n"), {"sets/test.csv": "changed"}),
    (lambda tree: (tree / "train.py").write_text("the idea's own"), {}),
])  # fmt: skip
def test_every_way_to_change_a_file_is_seen_and_undone(tree, run_git, done, found):
    """By content and kind, through links and moved folders; other files are nobody's business."""
    assert told(tree) == {}
    run_git(tree, "update-index", "--assume-unchanged", "eval.py")
    done(tree)
    assert told(tree) == found
    worktree.put_back(tree, refs.head_commit(tree), found)
    assert told(tree) == {}


def test_what_came_to_a_worktree_is_listed_and_ignored_files_are_not(tree):
    """A module that a run left is seen, its log is not."""
    (tree / "json.py").write_text("")
    (tree / "sets" / "x.log").write_text("")
    assert worktree.added(tree, refs.head_commit(tree)) == ("json.py",)
