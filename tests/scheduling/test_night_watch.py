"""Hopeless runs end early, and only those; some are ended over the head of their supervisor; some nodes are left out."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.ending import Ending, Who
from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.night_watch import RunWatched, bad_nodes, hopeless, overtime

UP = Objective("more", "val:accuracy")
DOWN = Objective("less", "val:loss", Direction.MINIMIZE)
PARENT = [[(step, 0.1 + step / 200) for step in range(0, 101, 10)] for _ in range(3)]


def run(level, until):
    return [(step, level) for step in range(0, until + 1, 10)]


def test_a_run_far_behind_is_given_up_with_its_numbers():
    """At step 70 of 100 it stands at 0.01 where the parent had 0.45: the row will say just that."""
    said = hopeless(run(0.01, 70), PARENT, UP, 0.02)
    assert "step 70 of 100" in said
    assert "0.01 where its parent was at 0.45" in said


def test_never_before_half_of_the_run_and_never_on_one_validation():
    """The same curve is left alone until two validations in the second half agree."""
    assert hopeless(run(0.0, 40), PARENT, UP, 0.001) is None
    assert hopeless(run(0.0, 50), PARENT, UP, 0.001) is None
    assert hopeless([*run(0.4, 60), (70, 0.0)], PARENT, UP, 0.001) is None


def test_what_can_still_catch_up_goes_on():
    """Behind, but no further than the parent itself still gained from there: it may be a late starter."""
    assert hopeless([(60, 0.3), (70, 0.32)], PARENT, UP, 0.02) is None


def test_without_noise_or_a_parent_nothing_is_given_up():
    """One baseline run says nothing about what far behind means."""
    assert hopeless(run(0.0, 90), PARENT, UP, None) is None
    assert hopeless(run(0.0, 90), [], UP, 0.02) is None


def test_a_loss_is_turned_over():
    """The same race with the smaller number winning."""
    mirrored = [[(step, -value) for step, value in curve] for curve in PARENT]
    assert hopeless([(step, -value) for step, value in run(0.01, 70)], mirrored, DOWN, 0.02)
    assert hopeless([(step, -value) for step, value in run(0.9, 70)], mirrored, DOWN, 0.02) is None


points = st.lists(st.tuples(st.integers(0, 200), st.floats()), max_size=12).map(lambda p: sorted(dict(p).items()))


@given(points, st.lists(points, max_size=3), st.one_of(st.none(), st.floats()))
def test_no_curve_breaks_it_and_no_winner_is_given_up(curve, references, noise):
    """Whatever the numbers, there is an answer; a run that is nowhere behind goes on."""
    hopeless(curve, references, UP, noise)
    assert hopeless([(step, 1e308) for step, _ in curve], references, UP, noise) is None


seconds = st.floats(0.0, 1e6)


@given(seconds, seconds, seconds, st.sampled_from(["", "its supervisor is stopped"]))
def test_nothing_is_ended_within_limit_and_grace(ran_s, limit_s, grace_s, deaf):
    """Whatever is the matter with the supervisor."""
    if ran_s <= limit_s + grace_s:
        assert overtime(RunWatched(ran_s=ran_s, limit_s=limit_s, grace_s=grace_s, deaf=deaf)) is None


@given(seconds, seconds, st.sampled_from(["", "its supervisor is stopped"]))
def test_some_time_is_too_long_for_every_limit(limit_s, grace_s, deaf):
    """Three minutes beyond limit and grace no run is left alone."""
    late = overtime(RunWatched(ran_s=limit_s + grace_s + 180, limit_s=limit_s, grace_s=grace_s, deaf=deaf))
    assert late is not None
    assert late.ending == "timed-out"


def test_a_stopped_supervisor_gets_five_seconds():
    """And one that lives a minute and a half, for its machine may be busy."""
    late = RunWatched(ran_s=15.6, limit_s=5.0, grace_s=5.0, deaf="its supervisor is stopped")
    found = overtime(late)
    assert found is not None
    assert found.reason == ("timed out: still running after 5 s; its supervisor is stopped, so the controller ended it")
    assert overtime(RunWatched(ran_s=15.6, limit_s=5.0, grace_s=5.0)) is None


def test_what_was_told_to_end_ends_without_a_limit_too():
    """`stop --now` holds for a run that made its supervisor deaf."""
    told = RunWatched(ran_s=9.0, limit_s=None, grace_s=1.0, cancelled_s=6.1, deaf="its supervisor is stopped")
    found = overtime(told)
    assert found is not None
    assert found.ending == "cancelled"
    assert overtime(RunWatched(ran_s=1e9, limit_s=None, grace_s=1.0)) is None


def run_on(at, node, who=None):
    """A settled run on a node; without `who` it gave a number."""
    ending = who and Ending(what="launch-failed", who=who, evidence="Prolog", source="launcher")
    ended = SimpleNamespace(at=at, status=SimpleNamespace(node=node))
    return SimpleNamespace(settled=True, ended=ended, ending=ending)


@pytest.mark.parametrize(
    ("runs", "left_out"),
    [
        ([run_on(1, "n1", Who.NODE)], []),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n1", Who.NODE)], ["n1"]),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n1"), run_on(3, "n1", Who.NODE)], []),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n2"), run_on(3, "n1", Who.NODE)], ["n1"]),
        ([run_on(1, "n1", Who.IDEA), run_on(2, "n1", Who.IDEA)], []),
        ([run_on(1, "n[1-2]", Who.NODE), run_on(2, "n[1-2]", Who.NODE)], []),
        ([run_on(1, "", Who.NODE), run_on(2, "", Who.NODE)], []),
    ],
)
def test_a_node_is_left_out_after_two_failures_in_a_row(runs, left_out):
    """Only the node's own doing counts, a number on it clears it, and several nodes at once accuse none."""
    assert list(bad_nodes(runs)) == left_out
