"""Hopeless runs end early, and only those."""

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.pruning import hopeless

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
