"""The git that stays answers as a git of one's own would, is never half heard, and goes with its controller."""

import os
import signal
import tempfile
from typing import NoReturn

import pytest

from autoresearch.errors import RepositoryError
from autoresearch.git import commits, companion, diffs, objects, refs
from autoresearch.git.commits import Identity
from autoresearch.machine import processes

ODD = ("a b", "ünï", 'q"uote', "tab\tname", "new\nline", "folder/in/folder", "folder.txt", os.fsdecode(b"raw\xff"))


@pytest.fixture
def odd(repo, run_git):
    """A repository with names that git quotes, a link, a submodule's pin and content that is no text."""
    for number, name in enumerate(ODD):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_bytes(b"%d\0\n" % number)
    (repo / "link").symlink_to("train.py")
    run_git(repo, "add", "-A")
    run_git(repo, "update-index", "--add", "--cacheinfo", f"160000,{refs.head_commit(repo)},pinned")
    run_git(repo, "commit", "-q", "-m", "odd")
    return repo


@pytest.fixture
def kept(odd):
    """Its companion."""
    with companion.resident(odd, refs.common_dir(odd)):
        yield refs.common_dir(odd)


def of_companion():
    (pid,) = (pid for pid in processes.own_children() if (found := processes.process_info(pid)) and found.name == "git")
    return pid


def test_it_says_of_a_commit_what_git_says(odd, kept, run_git):
    """Paths, modes, digests and order, whatever the names are; a commit that shares folders with an earlier one too."""
    for text in "12":
        commit = refs.head_commit(odd)
        told = run_git(odd, "ls-tree", "-r", "-z", "--full-tree", commit)
        wanted = [record.partition("\t") for record in told.removesuffix("\0").split("\0")]
        assert list(companion.tree(kept, commit).items()) == [
            (path, (kind.split()[0], kind.split()[2])) for kind, _, path in wanted
        ]
        (odd / "folder/in/folder").write_text(text)
        run_git(odd, "commit", "-qam", "later")


def test_a_commit_needs_no_room_beside_the_repository(odd, kept, monkeypatch):
    """Nothing can be written where temporary files lie, as when runs have filled that disk: git is told another way."""
    who, head = Identity("Ada", "ada@example.org"), refs.head_commit(odd)
    wanted = commits.commit_tree(odd, f"{head}^{{tree}}", [head], "later", who, 1_700_000_000)
    monkeypatch.setattr(tempfile, "tempdir", str(odd / "no such folder"))
    assert commits.commit_tree(odd, f"{head}^{{tree}}", [head], "later", who, 1_700_000_000) == wanted


def test_one_that_somebody_stopped_is_not_waited_for(odd, kept):
    """It would never answer; another takes its place, and the stopped one is gone."""
    before = objects.objects_at(odd, ["refs/heads/main"])
    stopped = of_companion()
    os.kill(stopped, signal.SIGSTOP)
    while not processes.process_info(stopped).stopped:
        pass
    assert objects.objects_at(odd, ["refs/heads/main"]) == before
    assert of_companion() != stopped


def test_folders_lie_in_each_other_as_deep_as_you_like(odd, kept, run_git):
    """An agent makes them as deep as a path may be long, which is deeper than Python calls."""
    run_git(
        odd, "update-index", "--add", "--cacheinfo", f"100644,{run_git(odd, 'rev-parse', 'HEAD:a b')},{'d/' * 1500}file"
    )
    run_git(odd, "commit", "-q", "-m", "deep")
    assert f"{'d/' * 1500}file" in objects.files_of(odd, refs.head_commit(odd))


def test_it_sees_what_others_write_meanwhile(odd, kept, run_git):
    """Refs are looked up with each question, packed ones too, and a new object is found; what is not there is None."""
    (before,) = objects.objects_at(odd, ["refs/heads/main"])
    assert companion.ask(kept, ["refs/heads/later", "refs/heads/main:no such file"]) == [None, None]
    run_git(odd, "commit", "-q", "--allow-empty", "-m", "later")
    run_git(odd, "branch", "later")
    run_git(odd, "gc", "-q")
    (main, later) = objects.objects_at(odd, ["refs/heads/main", "refs/heads/later"])
    assert main == later != before
    assert objects.contents_of(odd, ["refs/heads/later:ünï"]) == [b"1\0\n"]


def test_what_depends_on_a_checkout_is_not_for_it(kept):
    """HEAD and the index are a worktree's own, a name of two lines would be two questions, thousands are one call."""
    for name in ("HEAD", ":train.py", "main", "refs/heads/main:new\nline", "-x"):
        assert companion.ask(kept, [name]) is None
    assert companion.ask(kept, ["refs/heads/main"] * 1000) is None


def test_one_that_dies_is_started_again_and_none_is_left(odd):
    """Whoever kills it loses us nothing; with the block it is gone."""
    common = refs.common_dir(odd)
    with companion.resident(odd, common):
        before = companion.ask(common, ["refs/heads/main"])
        first = of_companion()
        os.kill(first, signal.SIGKILL)
        assert companion.ask(common, ["refs/heads/main"]) == before
        assert of_companion() != first
        with companion.resident(odd, common):  # whoever works within the block has the same one
            last = of_companion()
        assert processes.process_info(last)
    assert processes.process_info(last) is None
    assert companion.ask(common, ["refs/heads/main"]) is None


def test_an_answer_that_nobody_waited_for_is_nobodys(odd, kept):
    """Ctrl-C between question and answer: the next question gets its own answer, not the late one."""
    (wanted,) = companion.ask(kept, ["refs/heads/main:train.py"])

    def interrupt(_told) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        companion.answer(kept, ("cat-file", "--batch-command"), b"contents refs/heads/main:link\n", interrupt)
    assert companion.ask(kept, ["refs/heads/main:train.py"]) == [wanted]


@pytest.mark.parametrize("exclude", [(), ("train.py",), ("a b",), ("folder",), ("a b", "train.py", "kind", "folder")])
@pytest.mark.parametrize("with_companion", [True, False])
def test_a_difference_without_some_paths_is_the_one_git_makes(odd, run_git, exclude, with_companion):
    """Whether all of it, none of it or a part is left out; moved kinds, odd names and binary files included."""
    base = refs.head_commit(odd)
    (odd / "train.py").write_text("print(2)\n")
    (odd / "a b").write_bytes(b"text now\n")
    (odd / "folder/in/folder").unlink()
    (odd / "folder/in/folder").symlink_to("x")
    (odd / "kind").write_text("a\n")
    run_git(odd, "add", "-A", "train.py", "a b", "folder", "kind")
    run_git(odd, "commit", "-q", "-m", "changed")
    paths = ("--", ":(top)", *(f":(top,exclude,literal){path}" for path in exclude))
    flags = ("-r", "-p", "--no-renames", "--full-index")
    wanted = run_git(odd, "diff-tree", *flags, base, "HEAD", *(paths if exclude else ()))
    after = refs.head_commit(odd)
    if with_companion:
        with companion.resident(odd, refs.common_dir(odd)):
            told, changed = diffs.diff(odd, base, after, exclude), diffs.file_changes(odd, base, after)
    else:
        told, changed = diffs.diff(odd, base, after, exclude), diffs.file_changes(odd, base, after)
    assert told.rstrip("\n") == wanted
    assert [change.path for change in changed] == list(objects.changed_paths(odd, base, after))
    assert [change.binary for change in changed] == [True, True, False, False]


WHO = (
    ("Ada", "ada@example.org"), ("  Ada L., ", "<ada>"), ("Ünï Cödé", "u@x"), ("'\"quoted\\", "a b@c"), ("Ada", "."),
    ("...", "dots@example.org"), (os.fsdecode(b"lat\xedn"), "l@x"),
)  # fmt: skip


@pytest.mark.parametrize("who", WHO)
def test_its_commits_are_gits_own(odd, run_git, who):
    """Byte by byte the commit of `git commit-tree`, for names it shortens too; what that refuses is refused."""
    base = refs.head_commit(odd)
    tree = run_git(odd, "rev-parse", "HEAD^{tree}")

    def made(message) -> str:
        try:
            return commits.commit_tree(odd, tree, [base, base], message, Identity(*who), 1_700_000_000.5)
        except RepositoryError:
            return ""

    texts = ("subject", "subject\n\nbody: ünï \ud800\n\nKey: value", "", "-----\n")
    wanted = [made(text) for text in texts]
    with companion.resident(odd, refs.common_dir(odd)):
        assert [made(text) for text in texts] == wanted
    for commit in filter(None, wanted):
        run_git(odd, "fsck", "--no-dangling", commit)


def test_no_commit_is_made_of_what_is_not_there(odd, kept):
    """A tree or a parent that nobody has is refused, as by git."""
    base = refs.head_commit(odd)
    for tree, parent in (("1" * 40, base), (f"{base}^{{tree}}", "1" * 40)):
        with pytest.raises(RepositoryError):
            commits.commit_tree(odd, tree, [parent], "none", Identity("Ada", "ada@example.org"), 0)
