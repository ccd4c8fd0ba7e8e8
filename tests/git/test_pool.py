"""A worktree that is used again is the one that would have been made, whatever was done to it."""

import os
import shutil

import pytest

from autoresearch.git import contents, objects, refs, worktree


@pytest.fixture
def two(repo, run_git):
    """Two commits that differ in some files, with a link, a program, a folder, rules of ignoring; a user's git that trusts little."""
    (repo / "pkg" / "inner").mkdir(parents=True)
    for name in ("pkg/a.py", "pkg/inner/b.py", "eval.py", "only before"):
        (repo / name).write_text(f"{name} 1\n")
    (repo / "link").symlink_to("eval.py")
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o755)
    (repo / ".gitignore").write_text("__pycache__/\n*.log\n")
    run_git(repo, "config", "core.trustctime", "false")
    run_git(repo, "config", "core.checkStat", "minimal")
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "before")
    before = refs.head_commit(repo)
    (repo / "pkg/a.py").write_text("pkg/a.py 2\n")
    (repo / "only before").unlink()
    (repo / "only after").write_text("here\n")
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "after")
    return before, refs.head_commit(repo)


def place(repo, name):
    return repo / ".autoresearch" / "worktrees" / "c" / name


def inodes(tree):
    return {path: (tree / path).lstat().st_ino for path in ("eval.py", "pkg/inner/b.py", "link")}


def is_new(tree, commit, run_git):
    """Whether all that is there is the commit's: told by content, with nothing ignored."""
    assert contents.edited_paths(tree, commit) == ()
    assert contents.added(tree, commit) == ()
    assert not any(folder for folder in tree.rglob("*") if folder.is_dir() and not any(folder.iterdir()))
    assert run_git(tree, "status", "--porcelain", "--ignored") == ""
    assert (refs.head_commit(tree), refs.current_branch(tree)) == (commit, None)


def test_it_is_moved_and_what_did_not_change_stays_as_it_is(repo, two, run_git):
    """Files of both commits are not written again, so builds that go by times stay warm; git knows the new place."""
    before, after = two
    first = worktree.add(repo, place(repo, "1"), before)
    (first / "pkg/a.py").write_text("an idea\n")
    (first / "new.py").write_text("an idea's\n")
    kept = inodes(first)
    worktree.put_by(repo, first)
    assert [tree.path for tree in worktree.listing(repo, repo)] == []
    second = worktree.add(repo, place(repo, "2"), after)
    assert inodes(second) == kept
    assert [tree.path for tree in worktree.listing(repo, repo)] == [second]
    assert str(second) in run_git(repo, "worktree", "list")
    is_new(second, after, run_git)
    worktree.put_by(repo, second)
    is_new(worktree.add(repo, place(repo, "3"), before), before, run_git)


def rewritten(tree, outside):
    """The same length, inode and times of reading and writing."""
    before = (tree / "eval.py").stat()
    with (tree / "eval.py").open("r+") as stream:
        stream.write("eval.py 9\n")
    os.utime(tree / "eval.py", ns=(before.st_atime_ns, before.st_mtime_ns))


def led_away(tree, outside):
    shutil.copytree(tree / "pkg", outside / "pkg")
    shutil.rmtree(tree / "pkg")
    (tree / "pkg").symlink_to(outside / "pkg")


def left_over(tree, outside):
    for name in ("pkg/__pycache__/a.cpython-311.pyc", "out.log", "deep/er/file", "pkg/sitecustomize.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("left\n")
    (tree / "empty" / "folders").mkdir(parents=True)
    os.mkfifo(tree / "pipe")


def under_a_second_name(tree, outside):
    """What is written there later would be in the worktree as well."""
    os.link(tree / "eval.py", outside / "name")


def another_kind(tree, outside):
    (tree / "eval.py").unlink()
    (tree / "eval.py").mkdir()
    (tree / "eval.py" / "x").write_text("")
    (tree / "link").unlink()
    (tree / "link").write_text("eval.py")
    (tree / "run.sh").chmod(0o644)


def a_repository_of_its_own(tree, outside):
    (tree / "pkg" / ".git").mkdir()
    (tree / "pkg" / ".git" / "HEAD").write_text("ref: refs/heads/x\n")


def marked(tree, outside):
    """The worktree's own index says that nothing changed, and its rules that nothing counts."""
    admin = (tree / ".git").read_text().partition(": ")[2].strip()
    (tree / "eval.py").write_text("changed\n")
    os.truncate(f"{admin}/index", 0)
    (tree / ".gitignore").write_text("*\n")


def removed(tree, outside):
    shutil.rmtree(tree / "pkg")
    (tree / "eval.py").unlink()


def read_only(tree, outside):
    (tree / "pkg").chmod(0o555)


def led_elsewhere(tree, outside):
    (tree / ".git").write_text(f"gitdir: {outside}\n")


@pytest.mark.parametrize("done", [
    rewritten, led_away, left_over, under_a_second_name, another_kind, a_repository_of_its_own, marked, removed,
    read_only, led_elsewhere,
])  # fmt: skip
def test_whatever_was_done_in_it_none_of_it_is_left(repo, two, run_git, tmp_path, done):
    """Put back, cleared away, or made anew; and what lies outside is as it was."""
    before, after = two
    outside = tmp_path / "outside"
    outside.mkdir()
    first = worktree.add(repo, place(repo, "1"), before)
    done(first, outside)
    kept = sorted(path.name for path in outside.rglob("*"))
    worktree.put_by(repo, first)
    second = worktree.add(repo, place(repo, "2"), after)
    if (outside / "name").exists():
        (outside / "name").write_text("eval.py 7\n")
    is_new(second, after, run_git)
    assert sorted(path.name for path in outside.rglob("*")) == kept


def closed(tree):
    """Within the second in which it was checked out, which is all that most gits look at."""
    for name in ("eval.py", "pkg/a.py"):
        (tree / name).chmod(0o400)


def opened(tree):
    (tree / "pkg").chmod(0o2777)


def emptied(tree):
    shutil.rmtree(tree / "out" / "er")


@pytest.mark.parametrize("done", [closed, opened, emptied])
def test_nothing_of_who_may_do_what_is_left_nor_a_folder_that_the_commit_has_not(repo, two, run_git, done):
    """Names and modes are those of a worktree that was made: git keeps none of these, and would not put them back."""
    (repo / "out" / "er").mkdir(parents=True)
    (repo / "out/er/file").write_text("")
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "with")
    before = refs.head_commit(repo)
    run_git(repo, "rm", "-q", "-r", "out")
    run_git(repo, "commit", "-q", "-m", "without")
    tree = worktree.add(repo, place(repo, "1"), before)
    done(tree)
    worktree.put_by(repo, tree)
    used = worktree.add(repo, place(repo, "2"), refs.head_commit(repo))
    new = worktree.add(repo, place(repo, "3"), refs.head_commit(repo))
    told = [{path.relative_to(one): path.lstat().st_mode for path in one.rglob("*")} for one in (used, new)]
    assert told[0] == told[1]


def test_where_files_are_written_otherwise_they_are_written(repo, two, run_git):
    """Other attributes make other bytes of the same content, so nothing is used again between them."""
    before, _ = two
    (repo / ".gitattributes").write_text("eval.py text eol=crlf\n")
    run_git(repo, "add", "-A")
    run_git(repo, "commit", "-q", "-m", "rules")
    first = worktree.add(repo, place(repo, "1"), before)
    worktree.put_by(repo, first)
    second = worktree.add(repo, place(repo, "2"), refs.head_commit(repo))
    assert (second / "eval.py").read_bytes() == b"eval.py 1\r\n"


def test_spares_are_few_and_go_with_what_is_swept(repo, two):
    """A folder of worktrees has eight of them at most, whose names say that anybody may delete them."""
    before, _ = two
    trees = [worktree.add(repo, place(repo, str(number)), before) for number in range(10)]
    for tree in trees:
        worktree.put_by(repo, tree)
    assert len(list(place(repo, "").iterdir())) == 8
    worktree.sweep(place(repo, ""))
    assert list(place(repo, "").iterdir()) == []
    assert worktree.add(repo, place(repo, "again"), before).is_dir()


def test_one_that_was_spoilt_while_it_lay_by_is_made_anew_or_mended(repo, two, run_git):
    """Whatever becomes of the folder, the next worktree is whole."""
    before, after = two
    for spoil in (lambda aside: (aside / "eval.py").write_text("spoilt\n"), shutil.rmtree):
        worktree.put_by(repo, worktree.add(repo, place(repo, "1"), before))
        (aside,) = place(repo, "").glob(".spare-*")
        spoil(aside)
        second = worktree.add(repo, place(repo, "2"), after)
        is_new(second, after, run_git)
        worktree.remove(repo, second)


def test_a_pinned_submodule_is_never_moved(repo, two, run_git):
    """Its files are not the index's, so nobody could tell what became of them."""
    before, _ = two
    run_git(repo, "update-index", "--add", "--cacheinfo", f"160000,{before},pinned")
    run_git(repo, "commit", "-q", "-m", "pinned")
    commit = refs.head_commit(repo)
    worktree.put_by(repo, worktree.add(repo, place(repo, "1"), commit))
    assert list(place(repo, "").iterdir()) == []
    assert objects.submodules_of(repo, commit) == (("pinned", before),)
