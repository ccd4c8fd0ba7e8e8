"""Worktrees are complete or made again, tell every edit, and go without a trace."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from autoresearch.errors import RepositoryError
from autoresearch.git import commits, contents, refs, submodules, worktree


@pytest.fixture
def base(repo):
    """The commit that is checked out."""
    return refs.head_commit(repo)


@pytest.fixture
def tree(repo, base):
    """A fresh worktree where the program has them."""
    return worktree.add(repo, repo / ".autoresearch" / "worktrees" / "c" / "o n'e", base)


def registered(repo):
    return [found.path for found in worktree.listing(repo, repo)]


def test_a_worktree_holds_the_commit_and_not_the_users_edits(repo, base, run_git):
    """Dirty files stay where they are; the experiment starts clean, on no branch."""
    (repo / "train.py").write_text("dirty\n")
    tree = worktree.add(repo, repo / ".autoresearch" / "x", base)
    assert (tree / "train.py").read_text() == "print(1)\n"
    assert (refs.head_commit(tree), refs.current_branch(tree)) == (base, None)
    assert run_git(tree, "status", "--porcelain") == ""


LOOK = """
import os, pathlib, sys
from autoresearch.git import worktree
repo, commit = pathlib.Path(sys.argv[1]), sys.argv[2]
with worktree.passing(repo, repo / ".autoresearch" / "worktrees" / "b", commit):
    os._exit(9)
"""


def test_what_a_killed_look_left_goes_with_the_next_and_what_may_be_somebodys_stays(repo, base):
    """Only a process that is known to be dead has its worktree taken away, also that of a plan of another name."""
    subprocess.run([sys.executable, "-c", LOOK, str(repo), base], check=False)
    (left,) = registered(repo)
    place = repo / ".autoresearch" / "worktrees" / "c"
    with worktree.passing(repo, place, base):
        assert left not in registered(repo)
        told = json.loads(next(place.glob(".look-*.json")).read_text())
        other = worktree.add(repo, place / ".look-1-1", base)
        (place / ".look-1-1.json").write_text(json.dumps(told | {"host": "elsewhere", "machine": "m", "boot": "b"}))
    with worktree.passing(repo, place, base):
        assert other in registered(repo)
    assert registered(repo) == [other]


def test_adding_twice_keeps_the_edits(repo, tree, base):
    """After a restart the researcher's work in progress is still there."""
    (tree / "train.py").write_text("2\n")
    assert worktree.add(repo, tree, base) == tree
    assert (tree / "train.py").read_text() == "2\n"


DAMAGE = {
    "folder removed by hand": lambda repo, tree, admin: shutil.rmtree(tree),
    "forgotten by git": lambda repo, tree, admin: shutil.rmtree(admin),
    "locked, as while being made": lambda repo, tree, admin: (admin / "locked").write_text("initializing"),
    "locked and gone": lambda repo, tree, admin: ((admin / "locked").write_text(""), shutil.rmtree(tree)),
    "no .git file": lambda repo, tree, admin: (tree / ".git").unlink(),
    "a repository of its own": lambda repo, tree, admin: ((tree / ".git").unlink(), (tree / ".git").mkdir()),
    "killed before the index": lambda repo, tree, admin: (admin / "index").unlink(),
    "killed while writing the index": lambda repo, tree, admin: (admin / "index.lock").write_text(""),
    "no HEAD": lambda repo, tree, admin: (admin / "HEAD").unlink(),
    "HEAD is nonsense": lambda repo, tree, admin: (admin / "HEAD").write_text("nonsense\n"),
    "half removed": lambda repo, tree, admin: (shutil.rmtree(tree / "config"), tree.rename(f"{tree}.removed")),
    "only a file": lambda repo, tree, admin: (shutil.rmtree(tree), tree.write_text("x")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_happened_adding_mends_it(damage, repo, tree, base):
    """Killed while making it, killed while removing it, meddled with: the next `add` gives a whole worktree."""
    DAMAGE[damage](repo, tree, worktree.listing(repo, repo)[0].admin)
    worktree.add(repo, tree, base)
    assert contents.edited_paths(tree, base) == ()
    assert registered(repo) == [tree]


@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_happened_removing_removes_it(damage, repo, tree):
    """And twice is fine."""
    DAMAGE[damage](repo, tree, worktree.listing(repo, repo)[0].admin)
    worktree.remove(repo, tree)
    worktree.remove(repo, tree)
    assert registered(repo) == []
    assert list(tree.parent.iterdir()) == []


def test_read_only_folders_and_links_in_it_do_not_stop_a_removal(repo, tree, tmp_path):
    """Caches make folders read-only; what a link points at stays."""
    (tree / "cache" / "deep").mkdir(parents=True)
    (tree / "cache" / "deep" / "file").write_text("x")
    (tree / "cache" / "deep").chmod(0o500)
    (tree / "cache").chmod(0o500)
    (tree / "outside").symlink_to(tmp_path)
    worktree.remove(repo, tree)
    assert not tree.exists()
    assert tmp_path.exists()


def test_what_is_not_ours_is_never_deleted(repo, base, tmp_path, run_git):
    """The checkout itself, a worktree, a folder, a file and a link of the user's: refused, and still there."""
    mine = tmp_path / "mine"
    run_git(repo, "worktree", "add", "-q", "--detach", str(mine))
    (mine / "thesis").mkdir()
    (tmp_path / "link").symlink_to(mine)
    for path in (repo, mine, mine / "thesis", mine / "train.py", tmp_path / "link", tmp_path / "new", tmp_path):
        with pytest.raises(RepositoryError, match="does not lie below"):
            worktree.remove(repo, path)
    assert (mine / "thesis").exists()
    assert (repo / "train.py").exists()


def test_our_folder_may_be_a_link_to_a_larger_disk(repo, base, tmp_path):
    """Checkouts on a small disk keep heavy things elsewhere."""
    (tmp_path / "large").mkdir()
    (repo / ".autoresearch").symlink_to(tmp_path / "large")
    tree = worktree.add(repo, repo / ".autoresearch" / "x", base)
    assert tree == tmp_path / "large" / "x"
    worktree.remove(repo, repo / ".autoresearch" / "x")
    assert list((tmp_path / "large").iterdir()) == []


def test_worktrees_of_the_users_own_are_left_alone(repo, tree, base, run_git):
    """One of them is on a disk that is not mounted: git would prune it, we do not."""
    run_git(repo, "worktree", "add", "-q", "--detach", str(repo.parent / "theirs"))
    shutil.rmtree(repo.parent / "theirs")
    shutil.rmtree(tree)
    worktree.add(repo, tree, base)
    worktree.remove(repo, tree)
    assert "theirs" in run_git(repo, "worktree", "list")


def test_another_commit_makes_a_new_one(repo, tree, base):
    """Edits on top of the wrong commit are worth nothing."""
    (tree / "train.py").write_text("2\n")
    made = commits.commit_tree_from(tree, base, ("train.py",), "x", commits.identity(repo), 1.7e9)
    (tree / "old.py").unlink()
    worktree.add(repo, tree, made)
    assert contents.edited_paths(tree, made) == ()
    assert refs.head_commit(tree) == made


def test_a_worktree_on_its_branch_looks_clean_to_a_person(repo, tree, base, run_git):
    """After the commit was made beside it, `git status` in it says what is true."""
    (tree / "new.py").write_text("x\n")
    made = commits.commit_tree_from(tree, base, ("new.py",), "x", commits.identity(repo), 1.7e9)
    refs.create_branch(repo, "autoresearch/c/one", made)
    worktree.attach(tree, "autoresearch/c/one")
    assert run_git(tree, "status", "--porcelain", "--branch") == "## autoresearch/c/one"
    (found,) = worktree.listing(repo, repo / ".autoresearch")
    assert (found.commit, found.locked) == (made, False)
    assert worktree.add(repo, tree, made) == tree
    with pytest.raises(RepositoryError, match="no branch"):
        worktree.attach(tree, "autoresearch/c/none")


class TestEdits:
    def test_each_kind_of_edit_is_told(self, tree, base):
        """Changed, gone, new, made executable, made a link; not what is ignored or only touched."""
        (tree / "train.py").write_text("print(2)\n")
        (tree / "old.py").unlink()
        (tree / "config" / "grpo.yaml").chmod(0o755)
        (tree / "a\nb").symlink_to("/nowhere")
        (tree / "run.log").write_text("x")
        (tree / ".gitignore").touch()
        assert contents.edited_paths(tree, base) == ("a\nb", "config/grpo.yaml", "old.py", "train.py")

    def test_an_agents_own_git_hides_nothing(self, tree, base, run_git):
        """Commits, staged files and `assume-unchanged` marks made in the worktree change no answer."""
        for name, mark in (("train.py", "--assume-unchanged"), ("old.py", "--skip-worktree")):
            run_git(tree, "update-index", mark, name)
            (tree / name).write_text("edited\n")
        (tree / "config" / "grpo.yaml").write_text("lr: 9\n")
        (tree / "new.py").write_text("x\n")
        run_git(tree, "add", "config", "new.py")
        run_git(tree, "commit", "-qm", "the agent's own")
        assert contents.edited_paths(tree, base) == ("config/grpo.yaml", "new.py", "old.py", "train.py")

    def test_an_edit_of_the_same_size_and_time_is_told(self, tree, base):
        """Content decides, not time stamps."""
        before = (tree / "train.py").stat()
        (tree / "train.py").write_text("print(7)\n")
        os.utime(tree / "train.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert contents.edited_paths(tree, base) == ("train.py",)

    def test_a_repository_inside_is_told_as_one(self, tree, base, run_git):
        """What an agent cloned cannot be part of a commit, and is not passed over."""
        run_git(tree, "init", "-q", "vendor")
        (tree / "vendor" / "x.py").write_text("x")
        assert contents.edited_paths(tree, base) == ("vendor/",)


class TestSubmodules:
    @pytest.fixture
    def pinned(self, repo, tmp_path, run_git):
        """A submodule with one inside it; the user has moved on in both, and edited."""
        who = ("-c", "user.name=L", "-c", "user.email=l@example.org", "-c", "protocol.file.allow=always")
        for name in ("inner", "library"):
            run_git(tmp_path, "init", "-q", "-b", "main", name)
            (tmp_path / name / "reward.py").write_text(f"{name} 1\n")
            (tmp_path / name / ".gitattributes").write_text("reward.py export-ignore\n")
            run_git(tmp_path / name, "add", ".")
            run_git(tmp_path / name, *who, "commit", "-qm", "first")
        run_git(tmp_path / "library", *who, "submodule", "--quiet", "add", str(tmp_path / "inner"), "deep inner")
        run_git(tmp_path / "library", *who, "commit", "-qm", "inner")
        run_git(repo, *who, "submodule", "--quiet", "add", str(tmp_path / "library"), "3rdparty/lib")
        run_git(repo, *who, "submodule", "--quiet", "update", "--init", "--recursive")
        run_git(repo, "commit", "-qm", "library")
        (repo / "3rdparty" / "lib" / "reward.py").write_text("library 2\n")
        run_git(repo / "3rdparty" / "lib", *who, "commit", "-qam", "second")
        return refs.head_commit(repo)

    @pytest.fixture
    def tree(self, repo, pinned):
        return worktree.add(repo, repo / ".autoresearch" / "x", pinned)

    def test_they_are_filled_with_what_is_pinned(self, repo, tree, pinned, run_git):
        """Not with what the user has there now; inner ones too; and no edit is seen in the result."""
        assert submodules.populate(repo, tree) == ()
        assert (tree / "3rdparty" / "lib" / "reward.py").read_text() == "library 1\n"
        assert (tree / "3rdparty" / "lib" / "deep inner" / "reward.py").read_text() == "inner 1\n"
        assert contents.edited_paths(tree, pinned) == submodules.edited(repo, tree) == ()
        assert run_git(tree, "status", "--porcelain") == ""

    def test_edits_in_them_are_told_and_undone(self, repo, tree):
        """Such an edit is in no commit: it is reported, and filling again takes it back."""
        submodules.populate(repo, tree)
        (tree / "3rdparty" / "lib" / "reward.py").write_text("easier\n")
        (tree / "3rdparty" / "lib" / "deep inner" / "new.py").write_text("x\n")
        assert submodules.edited(repo, tree) == ("3rdparty/lib/deep inner/new.py", "3rdparty/lib/reward.py")
        submodules.populate(repo, tree)
        assert submodules.edited(repo, tree) == ()

    def test_what_cannot_be_filled_is_told(self, repo, tree, pinned, run_git):
        """A commit that the user's clone lacks, with the command that gets it."""
        run_git(tree, "update-index", "--cacheinfo", f"160000,{'1' * 40},3rdparty/lib")
        run_git(tree, "commit", "-qm", "elsewhere")
        (missing,) = submodules.populate(repo, tree)
        assert missing.path == "3rdparty/lib"
        assert "git submodule update" in str(missing)

    def test_a_link_in_their_place_leads_nowhere(self, repo, tree, tmp_path):
        """An agent that puts a link there cannot make us write behind it."""
        (tree / "3rdparty" / "lib").rmdir()
        (tree / "3rdparty").rmdir()
        (tmp_path / "victim").mkdir()
        (tree / "3rdparty").symlink_to(tmp_path / "victim")
        (missing,) = submodules.populate(repo, tree)
        assert "symbolic link" in missing.why
        assert list((tmp_path / "victim").iterdir()) == []

    def test_empty_ones_stay_empty(self, repo, tree, run_git):
        """What the user has not populated, the run does not need."""
        run_git(repo, "submodule", "--quiet", "deinit", "-f", "--all")
        assert submodules.populate(repo, tree) == ()
        assert list((tree / "3rdparty" / "lib").iterdir()) == []


def test_what_a_committed_link_leads_to_is_no_file_of_the_checkout_alone(repo, run_git, tmp_path):
    """An absolute link leads there from every worktree; a relative one does where it ends in the commit."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "train.csv").touch()
    (repo / "kept").mkdir()
    for name in ("kept/train.csv", "kept/ignored.csv"):
        (repo / name).touch()
    for name, leads in {"far": tmp_path / "far", "near": "kept"}.items():
        (repo / name).symlink_to(leads)
    run_git(repo, "add", "kept/train.csv", "far", "near")
    run_git(repo, "commit", "-q", "-m", "links")
    paths = ["far/train.csv", "near/train.csv", "near/ignored.csv", "kept/ignored.csv"]
    assert contents.only_here(repo, "HEAD", paths) == ["near/ignored.csv", "kept/ignored.csv"]
