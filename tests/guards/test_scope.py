"""Scope is decided on the commit: what measures stays as it is."""

import pytest

from autoresearch.experiment.change import FileChange, changed_keys
from autoresearch.guards.scope import Scope, breaches, matches


@pytest.mark.parametrize(("glob", "path", "fits"), [
    ("a/*.py", "a/b.py", True), ("a/*.py", "a/b/c.py", False), ("a/**", "a/b/c.py", True), ("**/x.py", "x.py", True),
    ("**/x.py", "a/b/x.py", True), ("a/", "a/b", True), ("a?c", "abc", True), ("a?c", "a/c", False), ("a.c", "abc", False),
    ("**", "a\nb", True),
])  # fmt: skip
def test_globs_mean_what_people_expect(glob, path, fits):
    """`*` stays within a folder, `**` crosses folders, nothing else is special."""
    assert bool(matches(path, (glob,))) is fits


@pytest.mark.parametrize(
    "path", [".git/config", ".gitmodules", "a/.gitattributes", "reports/x", ".autoresearch/locks/a"]
)
def test_our_records_and_gits_machinery_are_never_part_of_a_hypothesis(path):
    """Whatever the campaign file allows or calls its subject."""
    assert breaches([FileChange(path=path, added=1)], Scope(allow=("**",), subject=("**",)))


def test_a_protected_file_may_change_only_as_the_subject():
    """What measures is protected, unless the campaign is about it."""
    change = [FileChange(path="eval/reward.py", added=1)]
    assert "is part of the evaluation" in breaches(change, Scope(protect=("eval/**",)))[0]
    assert breaches(change, Scope(protect=("eval/**",), subject=("eval/**",))) == ()


@pytest.mark.parametrize(("change", "told"), [
    (FileChange(path="a", binary=True), "binary"), (FileChange(path="a", submodule=True), "submodule"),
    (FileChange(path="a", link_target="/etc/passwd"), "symbolic link"), (FileChange(path="a", link_target="b/../../c"), "symbolic link"),
    (FileChange(path="b/c", added=1), "outside the campaign's scope"), (FileChange(path="a", added=60, deleted=50), "110 lines changed, at most 100"),
])  # fmt: skip
def test_what_does_not_belong_into_one_small_idea_is_a_breach(change, told):
    """Binaries, submodules, links out of the tree, other folders, too much at once."""
    assert told in "; ".join(breaches([change], Scope(allow=("a",), max_lines=100)))


def test_a_change_of_a_protected_key_is_seen_in_the_resolved_recipe():
    """However it came about (a parent, an interpolation), with both values."""
    before, after = {"grpo.val_batch": 1, "lr": 1}, {"grpo.val_batch": 2, "lr": 2}
    assert changed_keys(before, after) == ("grpo.val_batch", "lr")
    found = breaches([], Scope(protect_keys=("grpo.val_*",)), before, after)
    assert found == (
        "recipe key grpo.val_batch is protected (grpo.val_*): it is part of the evaluation (1 became 2); a person may allow it in the campaign file (scope.subject)",
    )
