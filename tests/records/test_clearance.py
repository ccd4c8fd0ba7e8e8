"""What `gc` shows, what it takes away on request, and what never goes."""

import pytest

from autoresearch.campaign import opening
from autoresearch.errors import RepositoryError
from autoresearch.git import refs
from autoresearch.machine import disk
from autoresearch.records import clearance


def weights(folder):
    """As a target says it: one folder of each run."""
    return iter([folder / "weights"] if (folder / "weights").exists() else [])


@pytest.fixture
def saved(finished):
    """A campaign that is over, each run of which has left weights beside its log."""
    opened = opening.open_campaign(finished.root, "night")
    for run in opened.history.runs.values():
        place = opened.paths.run(run.planned.experiment, run.planned.number) / "weights"
        place.mkdir(parents=True)
        (place / "model.bin").write_bytes(b"x" * 1000)
    return finished


def look(lab):
    opened = opening.open_campaign(lab.root, "night")
    return opened, clearance.clearable(opened.paths, opened.history, weights)


def test_never_the_baseline_the_best_the_pinned_or_the_open(saved):
    """Whatever their verdict says."""
    opened, found = look(saved)
    weighty = {one.name for one in found if one.kind == "checkpoints"}
    assert weighty
    assert weighty.isdisjoint({"baseline", opened.history.incumbent})
    name = weighty.pop()
    (opened.paths.experiment(name) / "pinned").touch()
    assert name not in {one.name for one in look(saved)[1]}
    still_open = min(weighty)
    adopted = clearance.clearable(opened.paths, opened.history, weights, still_open)
    assert still_open not in {one.name for one in adopted}
    opened.history.experiment(still_open).judged = None
    assert clearance.spared(opened.history, ())[still_open] == "no verdict yet"


def test_what_was_shown_goes_and_nothing_else(saved):
    """Weights of discarded ideas; every log, number and submission is where it was."""
    opened, found = look(saved)
    before = {path for path in opened.paths.folder.rglob("*") if "weights" not in path.parts}
    asked = [one for one in found if one.kind == "checkpoints"]
    assert clearance.clear(opened.paths, asked) == pytest.approx(sum(one.gb for one in asked))
    assert {path for path in opened.paths.folder.rglob("*") if "weights" not in path.parts} == before
    assert [one for one in look(saved)[1] if one.kind == "checkpoints"] == []
    assert (opened.paths.run("baseline", 1) / "weights" / "model.bin").exists()


def test_showing_removes_nothing_and_branches_move_to_an_archive_on_request(finished, run_git):
    """A commit is found there under the same name, and the experiment can still be looked at and made again."""
    before = refs.branches(finished.root)
    told = finished.cli("gc").stdout
    assert "nothing was removed; clear all of it away with: autoresearch gc --remove branches" in told
    assert refs.branches(finished.root) == before
    done = finished.cli("gc", "--remove", "branches")
    assert done.returncode == 0, done.stderr
    moved = {branch: commit for branch, commit in before.items() if branch not in refs.branches(finished.root)}
    assert moved
    for branch, commit in moved.items():
        assert run_git(finished.root, "rev-parse", f"refs/archive/{branch}").strip() == commit
        index = next(row.index for row in finished.rows() if row.branch == branch)
        assert finished.cli("diff", str(index)).stdout.startswith("diff --git")
        assert finished.cli("reproduce", str(index), "--dry-run").returncode == 0
    assert "cleared away" in finished.journal("noted")[-1]["text"]
    assert finished.cli("ledger", "check").returncode == 0
    assert "nothing of that can go" in finished.cli("gc", "--remove", "branches").stdout


def test_a_branch_that_somebody_stands_on_stays(finished, run_git):
    """Their checkout would be left on nothing."""
    branch = next(one.branch for one in look(finished)[1] if one.kind == "branches")
    run_git(finished.root, "checkout", "-q", branch)
    assert branch not in {one.branch for one in look(finished)[1]}


def test_branches_are_archived_all_or_none(finished, run_git):
    """One that was moved since it was seen stops the others too; what is in the archive is never written over."""
    there = refs.branches(finished.root)
    (one, commit), (other, another), *_ = there.items()
    with pytest.raises(RepositoryError):
        refs.archive(finished.root, {one: commit, other: commit if another != commit else "0" * 40})
    assert refs.branches(finished.root) == there
    run_git(finished.root, "update-ref", f"refs/archive/{one}", another)
    with pytest.raises(RepositoryError):
        refs.archive(finished.root, {one: commit})
    with pytest.raises(RepositoryError, match="not moved by autoresearch"):
        refs.archive(finished.root, {"main": commit})
    assert refs.branches(finished.root) == there


def test_what_a_link_leads_to_is_not_counted_as_what_goes(tmp_path):
    """Of weights that are a link to somebody's data the link alone is deleted, and its size alone is told."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.bin").write_bytes(b"x" * 100_000)
    (tmp_path / "weights").symlink_to("data")
    assert disk.size(tmp_path / "data") == 100_000
    assert disk.size(tmp_path / "weights") < 1000
    assert disk.size(tmp_path / "gone") == 0
