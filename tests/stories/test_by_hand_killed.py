"""`kill -9` at every step of an experiment that is driven by hand: the same verb again, and nothing is lost or doubled."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from tests.conftest import Lab
from tests.stories.test_by_hand import QUICK, approve, carry, edit, verbs

from autoresearch.campaign.campaign import Campaign
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.git.refs import branches
from autoresearch.machine import fault_points

WAY = {
    "new": ["by_hand.opened", "by_hand.branch", "by_hand.tree", "journal.append.sync"],
    "run": ["by_hand.commit", "by_hand.sealed", "run.planned", "run.submitted", "run.measured"],
    "judge": ["settle.judged", "settle.row", "lock.release"],
    "drop": ["by_hand.sealed", "by_hand.dropped", "settle.judged"],
}


@pytest.fixture(scope="module")
def ground(make_lab):
    """A campaign whose first experiment is judged."""
    lab = make_lab()
    approve(lab)
    carry(lab, "flat", 0.15)
    return lab


@pytest.fixture
def prepared(ground, place):
    """The same, in a copy of its own."""
    folder = Path(tempfile.mkdtemp(dir=place))
    shutil.copytree(ground.root, folder / "my repo", symlinks=True)
    yield Lab(folder / "my repo")
    shutil.rmtree(folder, ignore_errors=True)


def step(lab, verb):
    """One verb of the way, as a caller repeats it that does not know how far it came."""
    hand = verbs(lab)
    if verb == "new":
        hand.open(Hypothesis(title="double the rate"))
    elif verb == "run":
        edit(hand.one(3), 0.2)
        hand.run(3, QUICK)
    elif verb == "judge":
        hand.judge(3, QUICK)
    else:
        hand.drop(3, "enough", QUICK)


def killed(lab, verb, point):
    """Carry a verb out in a process of its own that dies at a named place."""
    child = os.fork()
    if child == 0:
        fault_points.order(f"{point}=kill")
        try:
            step(lab, verb)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.full
@pytest.mark.parametrize(("verb", "point"), [(verb, point) for verb, points in WAY.items() for point in points])
def test_killed_at_any_step_it_is_repeated_and_nothing_is_lost_or_doubled(prepared, verb, point):
    """One number, one branch, one commit, one run, one row; the worktree is gone in the end."""
    for one in ("new", "drop") if verb == "drop" else ("new", "run", "judge"):
        assert one != verb or killed(prepared, verb, point), f"{verb} never reached {point}"
        step(prepared, one)
    assert [row.index for row in prepared.rows()] == [1, 2, 3]
    names = ("baseline", "double-the-rate", "flat")
    assert sorted(branches(prepared.root)) == [f"autoresearch/night/{name}" for name in names]
    assert len(prepared.journal("run_planned")) == (2 if verb == "drop" else 3)
    assert len(prepared.journal("experiment_opened")) == 3
    assert Campaign(where=prepared.root).check() == []
    assert not (prepared.root / ".autoresearch" / "by-hand" / "night" / "3").exists()
