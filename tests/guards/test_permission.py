"""What an agent that asks is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Scope, Wish, breaches, permission

SCOPE = Scope(allow=("src/**",), protect=("src/eval/**",))


@pytest.mark.parametrize(
    ("wish", "granted"),
    [
        (Wish("edit", paths=("src/a.py",)), True),
        (Wish("delete", paths=("src/a.py", "src/eval/metric.py")), False),
        (Wish("move", paths=("README.md",)), False),
        (Wish("edit", paths=("src/AGENTS.md",)), False),
        (Wish("edit", paths=("src/a.py",), outside=("/etc/passwd",)), False),
        (Wish("edit"), False),
        (Wish("edit", own=True), True),
        (Wish("read", paths=("src/eval/metric.py",)), True),
        (Wish("search", outside=("/home/ada",)), False),
        (Wish("execute", outside=("/usr/bin",)), True),
        (Wish("switch_mode"), False),
        (Wish("other", paths=("src/a.py",)), False),
        (Wish("a kind of next year"), False),
    ],
)
def test_the_scope_decides(wish, granted):
    """Edits by the campaign's globs, looks within the worktree, commands as ever, and nothing that is not known."""
    answer = permission(wish, SCOPE, network=True)
    assert answer.granted == granted
    assert answer.why


@pytest.mark.parametrize("path", [".git", ".git/config", "sub/.git", "sub/.git/hooks/pre-commit"])
def test_gits_own_files_are_nobodys_to_edit(path):
    """A worktree's `.git` is a file, and decides whose configuration git obeys there, however wide the scope is."""
    assert not permission(Wish("edit", paths=(path,)), Scope(allow=("**",)), network=True).granted


def test_fetching_follows_the_choice_of_network():
    """With `network: false` it would fail anyway; the answer says so."""
    assert permission(Wish("fetch"), SCOPE, network=True).granted
    assert not permission(Wish("fetch"), SCOPE, network=False).granted


@given(st.lists(st.text("abs/.", min_size=1, max_size=12), min_size=1, max_size=4))
def test_an_edit_is_allowed_exactly_when_the_guards_would_not_refuse_the_file(paths):
    """Request and commit are measured by one rule."""
    granted = permission(Wish("edit", paths=tuple(paths)), SCOPE, network=True).granted
    assert granted == (not breaches([FileChange(path=path) for path in paths], SCOPE))
