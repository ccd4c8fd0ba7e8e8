"""Hopeless runs end early, and only those; a race ends what a fresh idea is by far the better use of steps than."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.race import FirstRun, Prospect, Relation, blind, early_ends, hopeless, outraced

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


def test_the_first_half_gives_nobody_up_however_bad():
    """Two validations far below everything, the second of them at half."""
    assert hopeless(run(-5.0, 50), PARENT, UP, 0.001) is None
    assert hopeless(run(-5.0, 60), PARENT, UP, 0.001)


@pytest.mark.parametrize(("level", "ended"), [(0.10, True), (0.12, False)])
def test_behind_is_four_standard_errors_beyond_what_could_be_made_up(level, ended):
    """At step 60 the parent is at 0.4 and gains 0.2 more, so 0.2 less four errors of 0.02 * sqrt(4 / 3) is the bound."""
    assert bool(hopeless([(60, level), (70, level)], PARENT, UP, 0.02)) is ended


def test_between_two_validations_of_the_parent_its_curve_is_straight():
    """At 75 it stood half way between 0.45 and 0.5."""
    assert "step 75 of 100 it was at 0 where its parent was at 0.475" in hopeless(
        [(65, 0.0), (75, 0.0)], PARENT, UP, 0.02
    )


def test_the_shortest_run_of_the_parent_is_how_long_one_is():
    """Beyond its end nothing is known of it."""
    assert "at step 70 of 80" in hopeless(run(0.01, 70), [PARENT[0], PARENT[1][:9]], UP, 0.02)


def test_a_plan_says_which_runs_end_early():
    """For each way of ending them, and with the share of steps from which a race is on."""
    assert early_ends(kill=False).startswith("none: every run goes on")
    assert early_ends(kill=True).endswith("hopelessly behind its parent after half of its steps")
    assert "first run from 20% of its steps on" in early_ends("race")


def test_what_can_still_catch_up_goes_on():
    """Behind, but no further than the parent itself still gained from there: it may be a late starter."""
    assert hopeless([(60, 0.3), (70, 0.32)], PARENT, UP, 0.02) is None


def test_without_noise_or_a_parent_nothing_is_given_up():
    """One baseline run says nothing about what far behind means."""
    assert hopeless(run(0.0, 90), PARENT, UP, None) is None
    assert hopeless(run(0.0, 90), [], UP, 0.02) is None


@pytest.mark.parametrize(("noise", "said"), [
    (None, "nothing was repeated"), (0.0, "no seed has changed a number"), (0.02, ""),
])  # fmt: skip
def test_a_race_that_cannot_see_says_so(noise, said):
    """Both rules count in noises of a run, so without one they end nothing, and that is told."""
    assert said in blind(noise)
    assert bool(blind(noise)) is bool(said)


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


# -- the race --------------------------------------------------------------------------------------------------------

PAIRS = [(-0.3, -0.2), (0.1, 0.15), (0.0, -0.05), (0.2, 0.3), (-0.1, -0.12), (0.05, 0.0)]


def first_run(there, last, *, complete=True):
    """A first run whose gain over the parent grows in a straight line, from `there` at step 20 on, to `last`."""
    grown = [(step, parent + there + (last - there) * max(0, step - 20) / 80) for step, parent in PARENT[0]]
    return FirstRun(grown if complete else grown[:3], PARENT, complete)


def test_the_line_and_its_error_have_golden_numbers():
    """Checked with numpy's matrix formula of the normal-inverse-gamma model, to nine digits."""
    assert Relation(PAIRS, 0.1).predict(0.1) == pytest.approx((0.1157261410788, 0.1262154556604), rel=1e-9)
    assert Relation(PAIRS, 0.1).predict(-1.0) == pytest.approx((-0.9550622406639, 0.3007861622268), rel=1e-9)


def test_the_worth_of_a_gain_has_golden_numbers():
    """Checked by numpy's trapezoids of the positive part of the normal, two million of them."""
    prospect = Prospect([last for _, last in PAIRS], 0.1, 3)
    assert prospect.worth(0.2) == pytest.approx(0.1211996869, rel=1e-8)
    assert prospect.worth(-0.2, 0.15) == pytest.approx(0.0123916034, rel=1e-8)


@pytest.mark.parametrize(("noise", "ended"), [(0.01, True), (0.03, True), (0.3, False), (1.0, False)])
def test_a_run_that_lags_is_ended_where_noise_is_small_and_goes_on_where_it_is_large(noise, ended):
    """Six ideas ended where they stood at a fifth; of one that stands low there, noise says whether that means much."""
    others = [first_run(gain, gain) for gain in (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)]
    curve = [(step, value - 0.12) for step, value in PARENT[0][:3]]
    said = outraced(curve, PARENT, others, UP, noise)
    assert bool(said) is ended
    assert not said or said.startswith(
        "hopeless: at step 20 of 100 it was at 0.08 where its parent was at 0.2; by this"
    )


def test_before_a_fifth_and_before_six_complete_runs_nobody_races():
    """The same run with one point less, and with five others."""
    others = [first_run(gain, gain) for gain in (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)]
    curve = [(step, value - 0.12) for step, value in PARENT[0][:3]]
    assert not outraced(curve[:2], PARENT, others, UP, 0.01)
    assert not outraced(curve, PARENT, [*others[1:], first_run(0, 0, complete=False)], UP, 0.01)
    assert not outraced(curve, PARENT, others, UP, None)
    assert not outraced(curve, PARENT, others, UP, 0.0)
    assert outraced(curve, PARENT, [*others[:5], FirstRun([(20, 0.2), (100, 0.6)], PARENT, complete=True)], UP, 0.01)
    pointless = FirstRun([(0, 0.5), (100, 0.5)], [[(100, 0.6)]], complete=True)  # one point is no curve to be behind
    assert not outraced(curve, PARENT, [*others[1:], pointless], UP, 0.01)


def test_what_ideas_gained_is_read_at_the_same_share_of_their_steps():
    """Gains that had come at a fifth, and were nothing at the start, tell the end from there."""
    gains = (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)
    grown = [[(step, parent + gain * min(step, 20) / 20) for step, parent in PARENT[0]] for gain in gains]
    others = [FirstRun(curve, PARENT, complete=True) for curve in grown]
    assert outraced([(step, value - 0.12) for step, value in PARENT[0][:3]], PARENT, others, UP, 0.01)


def test_a_fresh_idea_costs_what_the_ones_before_took():
    """Four that were ended at a fifth of their steps cost four fifths of a run together."""
    others = [first_run(gain, gain) for gain in (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)]
    short = [first_run(-0.1, -0.1, complete=False)] * 4
    curve = [(step, value - 0.12) for step, value in PARENT[0][:3]]

    def fresh(seen) -> float:
        return float(outraced(curve, PARENT, seen, UP, 0.01).split(" with a fresh idea")[0].rpartition(" ")[2])

    assert fresh([*others, *short]) == pytest.approx(fresh(others) * 6 / 6.8, rel=0.01)


def test_curves_that_cross_teach_the_race_to_wait():
    """Where the ideas that lagged came out ahead, one that lags goes on."""
    others = [first_run(gain, -gain) for gain in (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)]
    assert not outraced([(step, value - 0.12) for step, value in PARENT[0][:3]], PARENT, others, UP, 0.01)


def test_a_loss_races_as_its_mirror_does():
    """The same numbers with the smaller one winning."""
    others = [first_run(gain, gain) for gain in (-0.1, 0.1, 0.02, -0.05, 0.15, 0.0)]
    turned = [[(step, -value) for step, value in curve] for curve in PARENT]
    below = [FirstRun([(step, -value) for step, value in one.curve], turned, one.complete) for one in others]
    assert outraced([(step, 0.12 - value) for step, value in PARENT[0][:3]], turned, below, DOWN, 0.01)


@given(points, st.lists(points, max_size=3), st.lists(points, max_size=9), st.floats())
def test_no_curves_break_the_race(curve, parents, others, noise):
    """Whatever the numbers, there is an answer."""
    outraced(curve, parents, [FirstRun(one, parents, bool(len(one) % 2)) for one in others], UP, noise)


def test_few_good_ideas_are_lost_and_many_steps_saved():
    """Saturating curves, one idea in five good: the figures of the page, of the very rule, on fixed draws."""
    draw = random.Random(1)
    saved, lost, total = 0.0, 0.0, 0.0
    for _ in range(8):
        parents = [noisy(draw, 0.0) for _ in range(3)]
        others: list[FirstRun] = []
        for _ in range(40):
            effect = draw.choice([1.0, 0.0, -1.0, -2.0, 0.0])
            curve = noisy(draw, effect)
            looks = (k for k in range(2, 10) if outraced(curve[:k], parents, others, UP, 0.5))
            end = next(looks, 10)
            others.append(FirstRun(curve[:end], parents, end == 10))
            saved, total = saved + (10 - end) / 10, total + max(0.0, effect)
            lost += max(0.0, effect) if end < 10 else 0.0
    assert saved / (8 * 40) > 0.15
    assert lost / total < 0.05


def noisy(draw, effect):
    """Ten validations of a run that saturates at 10 and the effect; its seed is worth half an effect."""
    luck = draw.gauss(0, 0.5)
    shape = [(1 - math.exp(-0.3 * k)) / (1 - math.exp(-3.0)) for k in range(1, 11)]
    return [(k, (10 + effect + luck) * part + draw.gauss(0, 0.15)) for k, part in enumerate(shape, 1)]
