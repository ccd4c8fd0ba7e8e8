"""Whether files of a worktree are what their commit holds, whatever was done to hide that they are not."""

import os

import pytest

from autoresearch.git import contents, refs, worktree

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
    return contents.altered(tree, refs.head_commit(tree), HELD)


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
    contents.put_back(tree, refs.head_commit(tree), found)
    assert told(tree) == {}


def test_all_that_came_to_a_worktree_is_listed(tree):
    """Also what is ignored: whoever leaves a module can leave the word that it be ignored."""
    (tree / "json.py").write_text("")
    (tree / "sets" / ".gitignore").write_text("*\n")
    (tree / "sets" / "x.py").write_text("")
    assert contents.added(tree, refs.head_commit(tree)) == ("json.py", "sets/.gitignore", "sets/x.py")


@pytest.mark.parametrize("commits", [False, True], ids=["own attributes", "the commit's attributes"])
@pytest.mark.parametrize("said", ["* text eol=crlf", "*.csv ident", "sets/test.csv working-tree-encoding=UTF-16"])
def test_whoever_gives_a_file_attributes_hides_no_change(tree, run_git, repo, said, commits):
    """What decides what git takes for equal is the commit's word, at the top and in every folder above the file."""
    if commits:
        (tree / ".gitattributes").write_text("*.bin -text\n")
        run_git(tree, "add", ".gitattributes")
        run_git(tree, "commit", "-q", "-m", "attributes")
    for place in (tree, tree / "sets"):
        (place / ".gitattributes").write_text(f"{said}\n")
    (tree / "eval.py").write_bytes(b"print(2)\r\n")
    assert contents.altered(tree, refs.head_commit(tree), HELD) == {"eval.py": "changed"}
    assert (tree / ".gitattributes").exists() is commits


@pytest.mark.parametrize(
    "name", [".gitignore", ".gitattributes", ".gitmodules", "sets/.gitignore", "new/.gitattributes"]
)
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_what_git_reads_by_itself_keeps_nobody_waiting(tree, name, kind):
    """A pipe, or a file larger than any memory, where rules of ignoring and attributes lie: it goes, and is told."""
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(tree / name)
    else:
        (tree / name).touch()
        os.truncate(tree / name, 1 << 42)
    commit = refs.head_commit(tree)
    assert contents.edited_paths(tree, commit) == ((".gitignore",) if name == ".gitignore" else ())
    assert contents.altered(tree, commit, HELD) == {}
    assert contents.added(tree, commit) == ()


@pytest.mark.parametrize("where", ["train.py", "sets/test.csv", "new.bin", "new/x.npy"])
def test_a_file_without_end_costs_nothing_and_is_told(tree, where):
    """Tracked or new, nothing of it is read."""
    (tree / where).parent.mkdir(exist_ok=True)
    (tree / where).touch()
    os.truncate(tree / where, 1 << 42)
    assert contents.edited_paths(tree, refs.head_commit(tree)) == (where,)
    assert contents.is_endless(tree / where)
