"""What git was asked once it is not asked again, and what is copied instead is what git would say."""

import os
import shutil

import pytest

from autoresearch.git import commits, companion, contents, diffs, objects, refs, worktree
from autoresearch.git.commits import Identity

ADA = Identity("Ada", "ada@example.org")
WRAPPER = '#!/bin/sh\n(printf "%s\\t" "$@"; echo) >> "{told}"\nexec {git} "$@"\n'


def command(words: list[str]) -> str:
    """What git is to do, behind its settings and its place."""
    while words[0] in {"-c", "-C"}:
        words = words[2:]
    return words[0]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The commands that git was started with since the last call, in order; git itself is the real one."""
    told, folder = tmp_path / "told", tmp_path / "before-git"
    folder.mkdir()
    told.touch()
    (folder / "git").write_text(WRAPPER.format(told=told, git=shutil.which("git")))
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def since() -> list[str]:
        lines = told.read_text().splitlines()
        told.write_text("")
        return [command(line.split("\t")) for line in lines]

    return since


def tree_of(repo, number):
    return worktree.add(repo, repo / ".autoresearch" / "worktrees" / "c" / str(number), refs.head_commit(repo))


def committed(tree, text):
    """An edit as a proposal's: looked at, committed, put on a branch of its own."""
    base = refs.head_commit(tree)
    (tree / "train.py").write_text(text)
    paths = contents.edited_paths(tree, base)
    commit = commits.commit_tree_from(tree, base, paths, text, ADA, 0)
    refs.create_branch(tree, f"autoresearch/c/{tree.name}", commit)
    worktree.attach(tree, f"autoresearch/c/{tree.name}", commit)
    return commit


def test_a_second_idea_needs_no_index_made_and_no_head_moved_by_git(repo, asked, run_git):
    """What its parent holds was read for the first one; its worktree's own index is the one it was committed with."""
    first, second = tree_of(repo, 1), tree_of(repo, 2)
    committed(first, "one\n")
    asked()
    commit = committed(second, "two\n")
    assert {"read-tree", "symbolic-ref"}.isdisjoint(asked())
    assert run_git(second, "status", "--porcelain") == ""
    assert run_git(second, "write-tree") == run_git(second, "rev-parse", f"{commit}^{{tree}}")
    assert refs.current_branch(second) == "autoresearch/c/2"


def test_an_index_that_is_copied_vouches_for_no_file(repo):
    """A file of the same length, inode and times is read all the same, however often its commit was looked at."""
    tree = tree_of(repo, 1)
    commit = committed(tree, "1234\n")
    file = tree / "train.py"
    assert contents.edited_paths(tree, commit) == ()
    before = file.stat()
    with file.open("r+") as stream:
        stream.write("4321\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert contents.edited_paths(tree, commit) == ("train.py",)


def test_a_worktree_is_put_on_its_branch_by_git_where_files_do_not_say_all(repo, asked, run_git):
    """A packed ref has no file of its own, so git is asked; the branch that is gone is told as before."""
    tree = tree_of(repo, 1)
    commit = commits.commit_tree_from(tree, refs.head_commit(tree), (), "none", ADA, 0)
    refs.create_branch(tree, "autoresearch/c/packed", commit)
    run_git(repo, "pack-refs", "--all")
    asked()
    worktree.attach(tree, "autoresearch/c/packed", commit)
    assert "symbolic-ref" in asked()
    assert refs.current_branch(tree) == "autoresearch/c/packed"


def test_a_controller_asks_for_a_difference_once_and_for_nothing_that_a_commit_holds(repo, asked, run_git):
    """Patch, lines that changed, what is left without the recipe, the commit: gits that have stayed say it."""
    first, second = tree_of(repo, 1), tree_of(repo, 2)
    base = refs.head_commit(repo)
    same = commits.commit_tree_from(first, base, (), "the same", ADA, 0)
    with companion.resident(repo, refs.common_dir(repo)):
        before = committed(first, "one\n")
        assert diffs.patch(repo, base, before)
        told = asked()
        assert [told.count(word) for word in ("diff-tree", "hash-object", "cat-file")] == [1, 1, 1]
        commit = committed(second, "two\n")
        assert [change.path for change in diffs.file_changes(repo, base, commit)] == ["train.py"]
        assert diffs.diff(repo, same, commit, ("train.py",)) == ""
        assert diffs.diff(repo, same, commit, ("other",)) == diffs.diff(repo, base, commit)
        assert diffs.patch(repo, base, commit).startswith(b"diff --git")
        assert refs.resolve(repo, same) == same
        assert objects.contents_of(repo, [f"{commit}:train.py"]) == [b"two\n"]
        told = asked()
    assert {"diff-tree", "commit-tree", "ls-tree", "cat-file", "config"}.isdisjoint(told)


def test_a_worktree_that_is_used_again_is_one_command_of_gits(repo, asked):
    """Nothing is checked out; what differs is written."""
    worktree.put_by(repo, tree_of(repo, 1))
    asked()
    tree_of(repo, 2)
    assert [word for word in asked() if word != "rev-parse"] == ["read-tree"]


def test_words_of_a_file_and_the_branch_of_a_worktree_are_read_where_they_lie(repo, asked, run_git):
    """Which words stand in files, as `git grep` says it, links and what is no text left out, needs no search of git's."""
    (repo / "train.py").write_bytes(
        b"import helper\nopen('data/a-b.csv')  # \xc3\xa9t\xc3\xa9 sys.path x=1.5e-3\r\n-flag _own\n"
    )
    (repo / "no text").write_bytes(b"\0words")
    (repo / "link").symlink_to("train.py")
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "words")
    base = refs.head_commit(repo)
    found = run_git(repo, "grep", "-hoE", "[A-Za-z0-9_][A-Za-z0-9_./-]*", base, "--", "train.py", "link")
    tree = tree_of(repo, 1)
    with companion.resident(repo, refs.common_dir(repo)):
        committed(tree, "other\n")
        asked()
        words = diffs.named_in(repo, base, ["train.py", "link", "no text", "gone"])
        assert refs.current_branch(tree) == "autoresearch/c/1"
        assert set(asked()) <= {"cat-file"}
    assert words == set(found.split())
    run_git(tree, "checkout", "-q", "--detach")
    assert refs.current_branch(tree) is None
    assert refs.current_branch(repo) == "main"
