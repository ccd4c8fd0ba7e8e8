"""Git answers our questions, commits what we name, and refuses clearly."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import RepositoryError
from autoresearch.git import call, commits, diffs, refs
from autoresearch.git.commits import Identity, parse_trailers, signed_off

ADA = Identity("Ada Lovelace", "ada@example.org")
AT = 1_700_000_000.9


@pytest.fixture
def base(repo):
    """The commit that everything starts from."""
    return refs.head_commit(repo)


def commit(repo, base, paths=(), message="recipe: idea", at=AT):
    return commits.commit_tree_from(repo, base, paths, message, ADA, at)


def content(repo, commit, path):
    """A file as a commit or a tree holds it; of a link, its target."""
    return call.call(repo, "cat-file", "blob", f"{commit}:{path}").stdout


class TestQuestions:
    def test_root_is_found_from_anywhere_inside(self, repo):
        """A campaign may be started in any folder of the checkout."""
        assert refs.root(repo / "config") == refs.root(repo) == repo

    @pytest.mark.parametrize(
        ("make", "says"),
        [((), "not inside a git repository.*git init"), (("--bare",), "bare"), (None, "cannot change to")],
    )
    def test_a_place_that_is_no_checkout_is_refused_in_words(self, make, says, tmp_path, run_git):
        """Outside any repository, in a bare one, and where no folder is."""
        place = tmp_path / "place"
        if make is not None:
            place.mkdir()
        if make:
            run_git(place, "init", "-q", *make)
        with pytest.raises(RepositoryError, match=says):
            refs.root(place)

    def test_commits_are_found_by_name_and_options_are_not_names(self, repo, base, run_git):
        """Branch, tag and short hash resolve; a blob, a missing name and an option do not."""
        run_git(repo, "tag", "-a", "v1", "-m", "x")
        assert {refs.resolve(repo, rev) for rev in ("main", "v1", base[:8], "HEAD")} == {base}
        for rev in ("HEAD:train.py", "nowhere", "--all", ""):
            with pytest.raises(RepositoryError, match="names no commit"):
                refs.resolve(repo, rev)

    def test_the_current_branch_is_told_even_before_its_first_commit(self, repo, tmp_path, run_git):
        """And is None on a detached HEAD."""
        run_git(repo, "checkout", "-q", "-b", "feature/x")
        assert refs.current_branch(repo) == "feature/x"
        run_git(repo, "checkout", "-q", "--detach")
        assert refs.current_branch(repo) is None
        run_git(tmp_path, "init", "-q", "-b", "new", "unborn")
        assert refs.current_branch(tmp_path / "unborn") == "new"

    def test_changes_are_told_apart(self, repo, run_git):
        """What is staged, what is not, and what git does not know, with any file name, from any folder."""
        (repo / "train.py").write_text("2\n")
        run_git(repo, "mv", "old.py", "two\nlines → x")
        run_git(repo, "add", "train.py")
        (repo / "train.py").write_text("3\n")
        (repo / "new dir").mkdir()
        (repo / "new dir" / "a b").write_text("x")
        found = refs.changes(repo / "config")
        assert found.staged == ("old.py", "train.py", "two\nlines → x")
        assert (found.unstaged, found.untracked, found.conflicted) == (("train.py",), ("new dir/a b",), ())

    def test_conflicts_are_changes_of_their_own(self, repo, base, run_git):
        """A half-merged checkout is recognised."""
        for branch in ("other", "main"):
            run_git(repo, "checkout", "-q", "-B", branch, base)
            (repo / "train.py").write_text(branch)
            run_git(repo, "commit", "-qam", branch)
        run_git(repo, "merge", "-q", "other", check=False)
        assert refs.changes(repo).conflicted == ("train.py",)

    def test_who_the_user_is(self, repo, run_git):
        """Their name where git knows it; ours, whole, where it does not."""
        assert str(commits.identity(repo)) == "Ada Lovelace <ada@example.org>"
        run_git(repo, "config", "--unset", "user.email")
        assert str(commits.identity(repo)) == "autoresearch <autoresearch@localhost>"


class TestCommits:
    def test_only_named_files_are_taken(self, repo, base):
        """Added, changed, deleted, made executable, turned into a link; the rest stays as in the parent."""
        (repo / "train.py").write_text("2\n")
        (repo / "old.py").unlink()
        (repo / "config" / "grpo.yaml").chmod(0o755)
        (repo / "-new\n").symlink_to("train.py")
        (repo / "unnamed.py").write_text("x")
        made = commit(repo, base, ("train.py", "old.py", "config/grpo.yaml", "-new\n"))
        found = {
            change.path: (change.status, change.mode, change.link) for change in diffs.changed_files(repo, base, made)
        }
        assert found == {
            "train.py": ("M", "100644", None),
            "old.py": ("D", "000000", None),
            "config/grpo.yaml": ("M", "100755", None),
            "-new\n": ("A", "120000", "train.py"),
        }

    def test_a_file_may_become_a_folder_and_the_other_way_round(self, repo, base):
        """Replacing one kind by the other is an edit like any other."""
        (repo / "train.py").unlink()
        (repo / "train.py").mkdir()
        (repo / "train.py" / "a").write_text("x")
        (repo / "config" / "grpo.yaml").unlink()
        (repo / "config").rmdir()
        (repo / "config").write_text("x")
        made = commit(repo, base, ("train.py", "train.py/a", "config", "config/grpo.yaml"))
        assert content(repo, made, "train.py/a") == content(repo, made, "config") == b"x"

    def test_the_same_work_gives_the_same_commit(self, repo, base):
        """So a crash between commit and record leaves no second one."""
        assert commit(repo, base) == commit(repo, base)
        assert commit(repo, base) != commit(repo, base, at=AT + 1)

    def test_author_and_time_are_the_given_ones(self, repo, base, run_git):
        """Committer too, in UTC, whatever the environment says."""
        shown = run_git(repo, "log", "-1", "--format=%an <%ae> %cn <%ce> %at %ct %ai", commit(repo, base))
        assert shown == f"{ADA} {ADA} 1700000000 1700000000 2023-11-14 22:13:20 +0000"

    def test_ignored_files_are_taken_when_named(self, repo, base):
        """Naming is enough; what is ignored is a rule for looking, not for taking."""
        (repo / "x.log").write_text("x")
        assert content(repo, commit(repo, base, ("x.log",)), "x.log") == b"x"

    @pytest.mark.parametrize("path", ["../outside", ".git/config", "a/.GIT/x", "nested/"])
    def test_what_cannot_be_committed_is_refused(self, repo, base, path):
        """Outside, git's own files, and repositories inside the worktree."""
        (repo.parent / "outside").write_text("x")
        with pytest.raises(RepositoryError):
            commit(repo, base, (path,))

    def test_odd_messages_survive(self, repo, base):
        """No encoding, length or NUL byte stops a commit."""
        made = commit(repo, base, message="recipe: ünï ✓ \0 # no comment\n\nbody\ud800 " + "x" * 3000)
        assert commits.message(repo, made).startswith("recipe: ünï ✓  # no comment\n\nbody? xxx")

    def test_the_sign_off_joins_other_trailers(self, repo, base):
        """One block of trailers that git reads, and no second sign-off (R44)."""
        made = commit(repo, base, message="recipe: idea\n\nwhy: because\n\nAutoresearch-Experiment: c/x\n")
        assert commits.trailers(repo, made) == (("Autoresearch-Experiment", "c/x"), ("Signed-off-by", str(ADA)))
        assert signed_off(commits.message(repo, made), ADA) == commits.message(repo, made)

    @given(st.text())
    def test_every_message_ends_signed_off_once(self, text):
        """Signing off twice changes nothing, whatever stands in the message."""
        signed = signed_off(text, ADA)
        assert signed_off(signed, ADA) == signed
        assert parse_trailers(signed)[-1] == ("Signed-off-by", str(ADA))


class TestBranches:
    def test_making_one_twice_is_fine_and_overwriting_is_not(self, repo, base):
        """A branch is kept for ever; only the same commit may be put there again."""
        refs.create_branch(repo, "autoresearch/c/one", base)
        refs.create_branch(repo, "autoresearch/c/one", base)
        with pytest.raises(RepositoryError, match=r"already exists.*is kept"):
            refs.create_branch(repo, "autoresearch/c/one", commit(repo, base))
        assert refs.branches(repo, "autoresearch/c") == {"autoresearch/c/one": base}

    def test_advancing_asks_where_it_was(self, repo, base):
        """Compare-and-swap: done twice is fine, over somebody else's move it is refused."""
        new, other = commit(repo, base), commit(repo, base, message="other")
        refs.create_branch(repo, "autoresearch/c/one", base)
        refs.advance_branch(repo, "autoresearch/c/one", base, new)
        refs.advance_branch(repo, "autoresearch/c/one", base, new)
        with pytest.raises(RepositoryError, match="somebody moved it"):
            refs.advance_branch(repo, "autoresearch/c/one", base, other)
        assert refs.branch_commit(repo, "autoresearch/c/one") == new

    def test_other_peoples_branches_are_never_written(self, repo, base):
        """Whatever we are told."""
        for name in ("main", "feature/x", "autoresearch"):
            with pytest.raises(RepositoryError, match="not written by autoresearch"):
                refs.create_branch(repo, name, base)

    @pytest.mark.parametrize("name", ["autoresearch/..", "autoresearch/a b", "autoresearch/x.lock", "autoresearch/"])
    def test_a_name_git_refuses_is_an_error(self, repo, base, name):
        """Not a branch of another name."""
        with pytest.raises(RepositoryError):
            refs.create_branch(repo, name, base)

    def test_a_branch_in_the_way_is_an_error_that_names_it(self, repo, base, run_git):
        """A user may have a branch called just `autoresearch`."""
        run_git(repo, "branch", "autoresearch")
        with pytest.raises(RepositoryError, match="refs/heads/autoresearch"):
            refs.create_branch(repo, "autoresearch/c/one", base)

    def test_listing_takes_whole_components(self, repo, base):
        """The campaign `c` does not see the branches of the campaign `cc`."""
        for name in ("autoresearch/c/one", "autoresearch/cc/two"):
            refs.create_branch(repo, name, base)
        assert list(refs.branches(repo, "autoresearch/c")) == ["autoresearch/c/one"]
        assert refs.branch_commit(repo, "autoresearch/c/none") is None


class TestDifferences:
    def test_a_move_counts_at_both_of_its_places(self, repo, base):
        """So a protected file cannot be moved away unseen."""
        (repo / "old.py").rename(repo / "ne\tw.py")
        made = commit(repo, base, ("old.py", "ne\tw.py"))
        assert [(found.path, found.added, found.deleted) for found in diffs.file_changes(repo, base, made)] == [
            ("ne\tw.py", 5, 0),
            ("old.py", 0, 5),
        ]

    def test_binary_files_and_odd_names_are_recognised(self, repo, base):
        """Bytes are no lines, and a name that is no text comes through."""
        name = os.fsdecode(b"\xff:x")
        (repo / name).write_bytes(b"\0\1")
        made = commit(repo, base, (name,))
        (change,) = diffs.changed_files(repo, base, made)
        assert (change.path, change.binary, change.added) == (name, True, 0)
        assert content(repo, made, name) == b"\0\1"

    def test_a_submodule_and_its_end_are_recognised(self, repo, base, run_git):
        """A pinned commit is no file; guards are told so when it comes and when it goes."""
        run_git(repo, "update-index", "--add", "--cacheinfo", f"160000,{base},3rdparty/x")
        run_git(repo, "commit", "-qm", "pin")
        pinned = refs.head_commit(repo)
        for a, b in ((base, pinned), (pinned, base)):
            assert [found.submodule for found in diffs.file_changes(repo, a, b)] == [True]

    def test_a_patch_makes_the_same_tree_again(self, repo, base, run_git):
        """The evidence is complete: binary content, modes, links and deletions."""
        (repo / "bin").write_bytes(bytes(range(256)))
        (repo / "train.py").chmod(0o755)
        (repo / "old.py").unlink()
        (repo / "link").symlink_to("x")
        made = commit(repo, base, ("bin", "train.py", "old.py", "link"))
        patch = repo.parent / "x.patch"
        patch.write_bytes(diffs.patch(repo, base, made))
        run_git(repo, "stash", "-u", "-q")
        run_git(repo, "apply", "--index", str(patch))
        assert run_git(repo, "write-tree") == run_git(repo, "rev-parse", f"{made}^{{tree}}")

    def test_a_diff_can_leave_files_out(self, repo, base):
        """Named literally: a star in a name is a star."""
        for name in ("a*", "ab"):
            (repo / name).write_text("x\n")
        text = diffs.diff(repo, base, commit(repo, base, ("a*", "ab")), exclude=("a*",))
        assert "b/ab" in text
        assert "b/a*" not in text

    def test_bytes_that_are_no_text_do_not_stop_a_diff(self, repo, base):
        """A Latin-1 file is shown with its odd bytes replaced."""
        (repo / "latin").write_bytes(b"caf\xe9\n")
        assert "+caf\ufffd" in diffs.diff(repo, base, commit(repo, base, ("latin",)))

    def test_an_archive_holds_what_was_committed(self, repo, base, tmp_path):
        """Also files that attributes keep out of releases, and links and modes."""
        (repo / ".gitattributes").write_text("train.py export-ignore\n")
        (repo / "run").symlink_to("train.py")
        (repo / "old.py").chmod(0o755)
        diffs.archive(repo, commit(repo, base, (".gitattributes", "run", "old.py")), tmp_path / "out")
        names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
        assert names == {".gitattributes", ".gitignore", "config", "config/grpo.yaml", "old.py", "run", "train.py"}
        assert os.access(tmp_path / "out" / "old.py", os.X_OK)
        assert (tmp_path / "out" / "run").is_symlink()


class TestPatches:
    PATCH = "--- a/train.py\n+++ b/train.py\n@@ -1,9 +1,9 @@\n-print(1)\n+print(2)"

    def test_a_patch_with_wrong_counts_is_applied(self, repo):
        """Language models cannot count lines."""
        diffs.apply_patch(repo, self.PATCH)
        assert (repo / "train.py").read_text() == "print(2)\n"

    @pytest.mark.parametrize(
        "patch",
        ["", "no patch", PATCH.replace("train.py", "../x"), PATCH.replace("print(1)", "print(7)"),
         PATCH.replace("train.py", ".git/config")],
    )  # fmt: skip
    def test_what_does_not_fit_changes_nothing(self, repo, patch):
        """All or nothing, and never outside."""
        with pytest.raises(RepositoryError):
            diffs.apply_patch(repo, patch)
        assert not refs.changes(repo)


class TestMerges:
    @pytest.fixture
    def ideas(self, repo, base):
        """Commits on the base: two that agree, and one in conflict with the first."""
        made = []
        for path, text in (("train.py", "print(2)\n"), ("old.py", "A\nb\nc\nd\ne\n"), ("train.py", "print(3)\n")):
            before = (repo / path).read_text()
            (repo / path).write_text(text)
            made.append(commit(repo, base, (path,), f"{path}: {text}"))
            (repo / path).write_text(before)
        return made

    def test_a_merge_holds_both_and_touches_no_file(self, repo, base, ideas, run_git):
        """The tree of a bundle is computed; the checkout stays as it is."""
        merged = diffs.merge_tree(repo, ideas[0], ideas[1])
        assert merged.conflicts == ()
        assert content(repo, merged.tree, "train.py") == b"print(2)\n"
        assert content(repo, merged.tree, "old.py").startswith(b"A\n")
        assert run_git(repo, "status", "--porcelain") == ""

    def test_a_conflict_is_an_answer(self, repo, ideas):
        """With the files that did not fit; nothing is raised."""
        merged = diffs.merge_tree(repo, ideas[0], ideas[2])
        assert (merged.tree, merged.conflicts) == (None, ("train.py",))

    def test_another_base_can_be_named(self, repo, base, ideas):
        """With the first idea as the base, the third one simply takes it back."""
        merged = diffs.merge_tree(repo, ideas[0], ideas[2], base=ideas[0])
        assert content(repo, commit(repo, base), "train.py") == b"print(1)\n"
        assert merged.tree == diffs.merge_tree(repo, base, ideas[2]).tree

    def test_unrelated_histories_are_an_error(self, repo, base):
        """Not a conflict: nothing in the campaign can lead there."""
        with pytest.raises(RepositoryError, match="merge-tree failed"):
            diffs.merge_tree(repo, base, commits.commit_tree(repo, f"{base}^{{tree}}", [], "root", ADA, AT))


def test_our_folders_are_hidden_from_git_once(repo, run_git):
    """Through `info/exclude`, where what stood there stays, also without a final newline and from a worktree."""
    exclude = repo / ".git" / "info" / "exclude"
    exclude.write_text("theirs")
    run_git(repo, "worktree", "add", "-q", "--detach", str(repo.parent / "other"))
    assert refs.exclude(repo.parent / "other", ["/.autoresearch/", "theirs"]) == ("/.autoresearch/",)
    assert refs.exclude(repo, ["/.autoresearch/"]) == ()
    assert exclude.read_text() == "theirs\n/.autoresearch/\n"


def test_hooks_that_a_configuration_file_names_are_switched_off_by_name(repo, run_git):
    """Newer versions of git run those too; the settings we would give name every one of them."""
    run_git(repo, "config", "hook.my linter.event", "reference-transaction")
    run_git(repo, "config", "hook.x.y.command", "false")
    assert call.named_hooks(repo) == ("hook.my linter.enabled=false", "hook.x.y.enabled=false")


def test_git_is_new_enough_here():
    """The tests that merge mean something only then."""
    assert call.version() >= call.MINIMUM


def test_what_never_changes_is_remembered_and_what_does_is_asked_again(repo, base, tmp_path):
    """A whole hash names one commit for ever; a name does not, nor does a checkout whose `.git` became another one."""
    assert (refs.resolve(repo, base), refs.resolve(repo, "HEAD"), refs.common_dir(repo)) == (base, base, repo / ".git")
    call.call(repo, "update-ref", "--no-deref", "HEAD", commit(repo, base, message="recipe: another"))
    assert refs.resolve(repo, "HEAD") != refs.resolve(repo, base) == base
    (repo / ".git").rename(tmp_path / "moved.git")
    (repo / ".git").write_text(f"gitdir: {tmp_path / 'moved.git'}\n")
    assert refs.common_dir(repo) == tmp_path / "moved.git"
