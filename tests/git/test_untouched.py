"""Nothing of the user's is touched: the promise of the whole program, told on awkward repositories."""

import os

import pytest

from autoresearch.errors import RepositoryError
from autoresearch.git import commits, contents, diffs, refs, worktree
from autoresearch.git import submodules as pinned
from autoresearch.records import notes
from autoresearch.testing.user_files import Snapshot, difference

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit",
    "post-index-change", "post-merge", "post-rewrite", "pre-applypatch", "pre-auto-gc", "pre-commit",
    "pre-merge-commit", "pre-rebase", "prepare-commit-msg", "reference-transaction",
)  # fmt: skip


def story(repo):
    """A whole experiment and a bundle: everything we ever do to a repository."""
    refs.exclude(repo, ["/reports/auto_research/", "/session/", "/.autoresearch/"])
    base, who, tree = (
        refs.head_commit(repo),
        commits.identity(repo),
        refs.root(repo) / ".autoresearch" / "trees" / "one",
    )
    refs.changes(repo)
    worktree.add(repo, tree, base)
    pinned.populate(repo, tree)
    (tree / "config" / "grpo.yaml").write_text("lr: 2\n")
    (tree / 'naïve "new"\nfile').write_text("x\n")
    (tree / "old.py").unlink()
    paths = contents.edited_paths(tree, base)
    commit = commits.commit_tree_from(tree, base, paths, "recipe: twice the rate", who, 1.7e9)
    refs.create_branch(repo, "autoresearch/c/one", commit)
    worktree.attach(tree, "autoresearch/c/one")
    empty = commits.commit_tree_from(repo, base, (), "baseline: start", who, 1.7e9)
    refs.create_branch(repo, "autoresearch/c/baseline", empty)
    more = commits.commit_tree_from(tree, commit, (), "recipe: mended", who, 1.7e9)
    refs.advance_branch(repo, "autoresearch/c/one", commit, more)
    assert [change.path for change in diffs.changed_files(repo, base, more)] == list(paths)
    assert "+lr: 2" in diffs.diff(repo, base, more)
    notes.write(repo, more, "kept")
    merged = diffs.merge_tree(repo, empty, more)
    assert merged.tree is not None
    bundle = commits.commit_tree(repo, merged.tree, [empty, more], "bundle: one", who, 1.7e9)
    worktree.add(repo, tree, bundle)
    assert contents.edited_paths(tree, bundle) == ()
    worktree.remove(repo, tree)
    assert notes.all(repo) == {more: "kept\n"}
    return paths


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def plain(repo, run_git, fired):
    """Nothing special."""


def dirty(repo, run_git, fired):
    """Uncommitted work of every kind, in the very files that the experiment edits, and a stash."""
    (repo / "train.py").write_text("stashed\n")
    run_git(repo, "stash")
    (repo / "config" / "grpo.yaml").write_text("lr: staged\n")
    (repo / "added.py").write_text("x\n")
    run_git(repo, "add", "config/grpo.yaml", "added.py")
    (repo / "config" / "grpo.yaml").write_text("lr: unstaged\n")
    (repo / "old.py").unlink()
    (repo / "untracked").mkdir()
    (repo / "untracked" / "notes.txt").write_text("mine\n")
    (repo / "train.log").write_text("ignored\n")


def stale_index(repo, run_git, fired):
    """An index whose time stamps no longer fit, which any careless `git status` would rewrite."""
    for path in repo.glob("*.py"):
        os.utime(path, (1, 1))


def conflict(repo, run_git, fired):
    """In the middle of a merge that conflicts."""
    run_git(repo, "checkout", "-q", "-b", "other")
    (repo / "train.py").write_text("other\n")
    run_git(repo, "commit", "-qam", "other")
    run_git(repo, "checkout", "-q", "main")
    (repo / "train.py").write_text("main\n")
    run_git(repo, "commit", "-qam", "main")
    run_git(repo, "merge", "other", check=False)


def odd_names(repo, run_git, fired):
    """Names with spaces, quotes, newlines, a dash, a colon, and bytes that are no text."""
    for name in ("a b", "it's", 'say "x"', "two\nlines", "-rf", ":top", "tab\there", "ünï", os.fsdecode(b"\xff\xfe")):
        (repo / name).write_text(name if name.isascii() else "x")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-qm", "names")
    (repo / "two\nlines").write_text("dirty")


def detached(repo, run_git, fired):
    """No branch is checked out."""
    run_git(repo, "checkout", "-q", "--detach")


def nameless(repo, run_git, fired):
    """A user without a name, who told git never to guess one."""
    run_git(repo, "config", "--unset", "user.name")
    run_git(repo, "config", "--unset", "user.email")
    run_git(repo, "config", "user.useConfigOnly", "true")


def signing(repo, run_git, fired):
    """Commits and tags must be signed, by a program that fails."""
    run_git(repo, "config", "gpg.program", str(script(fired.parent / "gpg", f"echo gpg >>'{fired}'; exit 1")))
    run_git(repo, "config", "commit.gpgSign", "true")
    run_git(repo, "config", "tag.gpgSign", "true")


def hooks(repo, run_git, fired):
    """Every hook there is, each of which would leave a trace, and forbid what it can."""
    for name in HOOKS:
        script(repo / ".git" / "hooks" / name, f"echo {name} >>'{fired}'; exit 1")


def hooks_path(repo, run_git, fired):
    """The same from a folder of the user's own."""
    for name in HOOKS:
        script(fired.parent / "hooks" / name, f"echo {name} >>'{fired}'; exit 1")
    run_git(repo, "config", "core.hooksPath", str(fired.parent / "hooks"))


def monitored(repo, run_git, fired):
    """A file system monitor, an untracked cache and a split index."""
    run_git(repo, "config", "core.untrackedCache", "true")
    run_git(repo, "config", "core.splitIndex", "true")
    run_git(repo, "update-index", "--split-index", "--untracked-cache")
    run_git(
        repo, "config", "core.fsmonitor", str(script(fired.parent / "monitor", f"echo monitor >>'{fired}'; exit 1"))
    )


def sparse(repo, run_git, fired):
    """A sparse checkout with its own configuration file."""
    run_git(repo, "sparse-checkout", "set", "--cone", "--sparse-index", "elsewhere")
    (repo / "config").mkdir(exist_ok=True)


def submodules(repo, run_git, fired):
    """A submodule with changes of its own, at another commit than the pinned one; recursion switched on."""
    library = repo.parent / "library"
    library.mkdir()
    run_git(library, "init", "-q", "-b", "main")
    (library / "reward.py").write_text("1\n")
    run_git(library, "add", ".")
    who = ("-c", "user.name=L", "-c", "user.email=l@example.org")
    run_git(library, *who, "commit", "-qm", "first")
    run_git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "3rdparty/library")
    run_git(repo, "commit", "-qm", "library")
    (repo / "3rdparty" / "library" / "reward.py").write_text("2\n")
    run_git(repo / "3rdparty" / "library", *who, "commit", "-qam", "second")
    (repo / "3rdparty" / "library" / "reward.py").write_text("3\n")
    run_git(repo, "config", "submodule.recurse", "true")


def worktrees(repo, run_git, fired):
    """Worktrees of the user's own, one of them on a disk that is not mounted at the moment."""
    run_git(repo, "worktree", "add", "-q", "-b", "theirs", str(repo.parent / "theirs"))
    run_git(repo, "worktree", "add", "-q", "-b", "away", str(repo.parent / "away"))
    (repo.parent / "away").rename(repo.parent / "unmounted")


def packed(repo, run_git, fired):
    """Refs and objects are packed, and maintenance is overdue."""
    run_git(repo, "tag", "v1")
    run_git(repo, "pack-refs", "--all")
    run_git(repo, "config", "gc.auto", "1")
    run_git(repo, "config", "gc.autoDetach", "false")


def peculiar(repo, run_git, fired):
    """Settings that change what git prints or how it compares."""
    settings = (
        "color.ui=always", "diff.noprefix=true", "diff.mnemonicPrefix=true", "status.relativePaths=true",
        "status.showUntrackedFiles=no", "core.quotePath=true", "diff.relative=true", "diff.renames=copies",
        "i18n.commitEncoding=ISO-8859-1", "core.ignoreStat=true", "notes.rewriteMode=overwrite", "column.ui=always",
        "diff.ignoreSubmodules=all", "log.showSignature=true", "extensions.worktreeConfig=true",
        "core.logAllRefUpdates=always", "apply.whitespace=error", "merge.conflictStyle=diff3",
    )  # fmt: skip
    for setting in settings:
        run_git(repo, "config", *setting.split("="))
    run_git(repo, "config", "diff.external", str(script(fired.parent / "differ", f"echo differ >>'{fired}'")))


def everything(repo, run_git, fired):
    """As much of the above as goes together."""
    for part in (odd_names, submodules, worktrees, packed, detached, dirty, peculiar, signing, hooks, monitored):
        part(repo, run_git, fired)
    nameless(repo, run_git, fired)


SITUATIONS = (
    plain, dirty, stale_index, conflict, odd_names, detached, nameless, signing, hooks, hooks_path, monitored, sparse,
    submodules, worktrees, packed, peculiar, everything,
)  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_an_experiment_leaves_everything_of_the_users_as_it_was(situation, repo, run_git, tmp_path):
    """Index, HEAD, stash, refs, configuration, files: byte for byte; and nothing of theirs has run."""
    fired = tmp_path / "traces" / "fired"
    fired.parent.mkdir()
    situation(repo, run_git, fired)
    fired.unlink(missing_ok=True)
    before = Snapshot.take(repo)
    paths = story(repo)
    assert difference(before, Snapshot.take(repo)) == ()
    assert not fired.exists(), fired.read_text()
    assert paths == ("config/grpo.yaml", 'naïve "new"\nfile', "old.py")


def test_the_traps_of_these_stories_work(repo, run_git, tmp_path):
    """Git as the user runs it does fire the hooks and the monitor that our calls must not fire."""
    fired = tmp_path / "traces" / "fired"
    fired.parent.mkdir()
    hooks(repo, run_git, fired)
    monitored(repo, run_git, fired)
    run_git(repo, "commit", "--allow-empty", "-m", "x", check=False)
    run_git(repo, "update-ref", "refs/heads/x", "HEAD", check=False)
    assert {"monitor", "pre-commit", "reference-transaction"} <= set(fired.read_text().split())


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"]
)
def test_variables_left_over_from_a_hook_lead_nowhere(name, repo, tmp_path, monkeypatch):
    """A campaign started from inside a git hook or alias still works on the repository it was told."""
    before = Snapshot.take(repo)
    monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    story(repo)
    assert difference(before, Snapshot.take(repo)) == ()
    assert not (tmp_path / "elsewhere").exists()


def test_a_repository_without_a_commit_gets_a_clear_answer(tmp_path, run_git):
    """An unborn branch is no place to start from, and the message says what to do."""
    run_git(tmp_path, "init", "-q", "unborn")
    with pytest.raises(RepositoryError, match=r"no commit yet.*git commit"):
        refs.head_commit(tmp_path / "unborn")


def act(what, repo, run_git):
    """One thing an agent might do to the user's repository."""
    actions = {
        "ref refs/heads/main": lambda: run_git(repo, "update-ref", "refs/heads/main", notes_free_commit(repo)),
        "ref refs/tags/v1": lambda: run_git(repo, "tag", "v1"),
        "ref refs/stash": lambda: run_git(repo, "update-ref", "refs/stash", "HEAD"),
        "git HEAD": lambda: run_git(repo, "checkout", "-q", "--detach"),
        "git index": lambda: run_git(repo, "rm", "-q", "--cached", "old.py"),
        "git config": lambda: run_git(repo, "config", "a.b", "c"),
        "git hooks/pre-commit": lambda: script(repo / ".git" / "hooks" / "pre-commit", "exit 1"),
        "file train.py": lambda: (repo / "train.py").chmod(0o755),
        "file empty": (repo / "empty").mkdir,
        "file x.log": lambda: (repo / "x.log").symlink_to("train.py"),
    }
    actions[what]()


def notes_free_commit(repo):
    return commits.commit_tree_from(repo, refs.head_commit(repo), (), "x", commits.identity(repo), 1.7e9)


@pytest.mark.parametrize(
    "what",
    ["ref refs/heads/main", "ref refs/tags/v1", "ref refs/stash", "git HEAD", "git index", "git config",
     "git hooks/pre-commit", "file train.py", "file empty", "file x.log"],
)  # fmt: skip
def test_a_snapshot_notices(what, repo, run_git):
    """The evidence is only worth something if each kind of touch shows in it."""
    before = Snapshot.take(repo)
    act(what, repo, run_git)
    assert any(found.startswith(f"{what}:") for found in difference(before, Snapshot.take(repo)))


def test_a_snapshot_without_contents_is_blind_to_files_only(repo, run_git):
    """The cheap look for use between runs sees refs and git's own files, and not the checkout."""
    before = Snapshot.take(repo, contents=False)
    (repo / "train.py").write_text("changed\n")
    assert difference(before, Snapshot.take(repo, contents=False)) == ()
    run_git(repo, "tag", "v1")
    assert difference(before, Snapshot.take(repo, contents=False)) == ("ref refs/tags/v1: new",)
