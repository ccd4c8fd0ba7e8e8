"""From curves to the one number of a run: every rule, every bound of it, and every reason why there is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.run.chosen_value import (
    JUDGED,
    ChosenValue,
    check_rule,
    choose,
    cut_short,
    merge,
    nothing_found,
    rule_for,
    samples_at,
    standard_error,
)
from autoresearch.run.integrity import Agreement
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion, Direction, Objective, Readings, SampleSet, Series, thinned

UP, DOWN = Objective("", "val:accuracy"), Objective("", "val:loss", Direction.MINIMIZE)
CURVE = ((0, 9.0), (1, 0.1), (2, 0.3), (3, 0.2))
NAN = math.nan


@pytest.mark.parametrize(("objective", "rule", "value", "step", "steps"), [
    (UP, "last", 0.2, 3, (3,)), (UP, "best", 0.3, 2, (2,)), (DOWN, "best", 0.1, 1, (1,)), (UP, "mean-last-1", 0.2, 3, (3,)),
    (UP, "mean-last-2", 0.25, 3, (2, 3)), (UP, "mean-last-99", 0.2, 3, (1, 2, 3)), (UP, "median-half", 0.25, 3, (2, 3)),
])  # fmt: skip
def test_each_rule_has_its_number(objective, rule, value, step, steps):
    """With the steps it is made of; the model before training never counts."""
    found = choose(objective, CURVE, rule)
    assert found == ChosenValue(pytest.approx(value), step, steps)
    assert choose(objective, CURVE) == choose(objective, CURVE, "last")


@pytest.mark.parametrize(("points", "rule", "value"), [
    (((1, 0.4), (2, 0.4), (3, 0.1)), "best", (0.4, 2)), (((1, 0.1), (2, 0.2), (3, 0.6), (4, 0.8)), "median-half", (0.7, 4)),
    (((1, 0.1), (2, 0.5)), "median-half", (0.5, 2)), (((1, NAN), (2, 0.5)), "last", (0.5, 2)),
    (((1, 0.1), (2, NAN), (3, 0.5)), "mean-last-2", (0.3, 3)), (((1, 0.1), (2, NAN)), "best", None), (((1, 0.1), (2, math.inf)), "last", None),
    (((0, 0.1),), "last", None), ((), "best", None), (((1, NAN),), "mean-last-3", None), (((1, 0.5),), "median-half", (0.5, 1)),
])  # fmt: skip
def test_a_curve_gives_a_number_only_where_its_end_is_one(points, rule, value):
    """Of two that are alike the later one; a gap is left out, a NaN at the end is never papered over."""
    found = choose(UP, points, rule)
    assert (None if found is None else (pytest.approx(found.value), found.step)) == value


def test_what_was_there_before_a_resumed_run_does_not_count():
    """Only steps after the one it began at."""
    assert choose(UP, CURVE, "mean-last-9", after=1) == ChosenValue(0.25, 3, (2, 3))
    assert choose(UP, CURVE, after=2) == ChosenValue(0.2, 3, (3,))
    assert choose(UP, CURVE, after=3) is None
    assert choose(UP, CURVE, "mean-last-9", after=-1).steps == (0, 1, 2, 3)


@pytest.mark.parametrize(
    "rule", ["last", "best", "median-half", "mean-last-1", "mean-last-9", "mean-last-10", "mean-last-99"]
)
def test_a_known_rule_is_taken_as_it_is(rule):
    """By its name."""
    assert check_rule(rule) == rule


@pytest.mark.parametrize(
    "rule", ["mean-last-0", "mean-last-100", "mean-last-", "mean-last-2x", "xmean-last-2", "first", "", "Last"]
)
def test_an_unknown_rule_is_refused_with_the_known_ones(rule):
    """Nothing is guessed from what it looks like."""
    with pytest.raises(CampaignError, match="use last, best, mean-last-N \\(N from 1 to 99\\) or median-half"):
        check_rule(rule)
    with pytest.raises(CampaignError):
        choose(UP, CURVE, rule)


@pytest.mark.parametrize(("state", "reason", "ended"), [
    (JobState.TIMED_OUT, "", Completion.TIMED_OUT), (JobState.CANCELLED, "", Completion.CANCELLED),
    (JobState.CANCELLED, "by Ada", Completion.CANCELLED),
    *((JobState.CANCELLED, f"it was {why}", Completion.STALLED) for why in ("stalled", "Silent", "no output for 5m", "No Progress")),
    *((state, "stalled", None) for state in JobState if state not in {JobState.TIMED_OUT, JobState.CANCELLED}),
])  # fmt: skip
def test_the_launchers_word_counts_where_it_ended_the_run(state, reason, ended):
    """A run it let go on to its own end is judged by its files."""
    assert cut_short(JobStatus(state=state, reason=reason)) is ended


def test_the_number_stands_after_these_ends_only():
    """A run cut short by a failure has a curve but no value."""
    assert {end for end in Completion if end not in JUDGED} == {
        Completion.DIVERGED, Completion.STALLED, Completion.CRASHED, Completion.CANCELLED,
    }  # fmt: skip


@pytest.mark.parametrize(("tag", "steps", "rule", "used"), [
    ("validation/accuracy", 100, "last", "last"), ("validation-x/accuracy", 100, "last", "last"), ("timing/total", 100, "last", "median-half"),
    ("train/loss", 100, "last", "mean-last-10"), ("train/loss", 59, "last", "mean-last-5"), ("train/loss", 60, "last", "mean-last-6"),
    ("train/loss", 0, "last", "mean-last-5"), ("train/loss", 989, "last", "mean-last-98"), ("train/loss", 2000, "last", "mean-last-99"),
    ("train/loss", 100, "best", "best"), ("timing/total", 100, "mean-last-3", "mean-last-3"), ("training/loss", 100, "last", "median-half"),
    ("loss", 100, "last", "median-half"),
])  # fmt: skip
def test_what_is_logged_at_every_step_is_not_judged_by_its_last_one(tag, steps, rule, used):
    """Training metrics by the last tenth, five steps at least; timings by the second half."""
    assert rule_for(tag, steps, rule) == used


def series(*values: float) -> Series:
    return Series.of("x", enumerate(values, 1))


def test_sources_are_joined_in_the_order_of_trust():
    """A lesser one fills what a better one lacks, and each point says whose it is."""
    found = merge({"a": Series.of("x", [(1, 0.1), (3, 0.3)]), "b": Series.of("x", [(2, 0.2), (3, 0.3), (4, 0.4)])})
    assert found.curve == ((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4))
    assert (found.source, found.disagreements) == ({1: "a", 2: "b", 3: "a", 4: "b"}, ())


@pytest.mark.parametrize(("names", "one", "other", "agree"), [
    (("a", "b"), 1.0, 1.0 + 9e-7, True), (("a", "b"), 1.0, 1.0 + 1.1e-6, False), (("a", "b"), 0.0, 9e-10, True), (("a", "b"), 0.0, 1.1e-9, False),
    (("a", "logs"), 0.5, 0.50005, True), (("a", "logs"), 0.5, 0.5000515, False), (("logs", "a"), 0.5, 0.50005, True), (("a", "b"), NAN, NAN, True),
    (("a", "b"), NAN, 0.5, False), (("a", "b"), 0.5, NAN, False), (("a", "logs"), 0.0, 5e-5, True), (("a", "b"), 1.0, -1.0, False),
])  # fmt: skip
def test_two_sources_agree_to_the_precision_they_write_with(names, one, other, agree):
    """A float of four bytes, or four decimals where it was printed; a NaN agrees with a NaN."""
    found = merge(dict(zip(names, (series(one), series(other)), strict=True)))
    assert bool(found.disagreements) is not agree
    if not agree:
        assert found.disagreements == (f"sources disagree at step 1: {names[0]} {one:.6g}, {names[1]} {other:.6g}",)


@pytest.mark.parametrize(("clashes", "told"), [(1, ""), (3, ""), (4, " and 1 more"), (6, " and 3 more")])
def test_the_first_three_contradictions_are_told(clashes, told):
    """And how many more there are; a source that is printed elsewhere is named as such."""
    (said,) = merge({"a": series(*[0.0] * clashes), "b": series(*[1.0] * clashes)}).disagreements
    assert (
        said == "sources disagree at " + "; ".join(f"step {n}: a 0, b 1" for n in range(1, 1 + min(3, clashes))) + told
    )
    assert merge({"a": series(0.5), "b": series(0.50005)}, printed=("b",)).disagreements == ()


@pytest.mark.parametrize(("steps", "rewards"), [
    ((1,), (0.0, 1.0)), ((1, 2), (0.5, 0.75)), ((1, 2, 9), ()), ((3,), (1.0,)), ((1, 3), ()), ((4,), ()), ((), ()),
])  # fmt: skip
def test_samples_are_averaged_over_the_steps_that_were_chosen(steps, rewards):
    """Where every step offers as many, all of them finite."""
    sets = [SampleSet(1, (0.0, 1.0)), SampleSet(2, (1.0, 0.5)), SampleSet(3, (1.0,)), SampleSet(4, (NAN, 1.0))]
    assert samples_at(sets, steps) == rewards


@pytest.mark.parametrize(("samples", "error"), [
    ((), None), ((1.0,), None), ((1.0, 1.0), None), ((0.0, 1.0), 0.5), ((0.0, 1.0, 1.0, 0.0), 1 / 12**0.5), ((1.0, 2.0, 4.5), 1.0408330),
])  # fmt: skip
def test_the_standard_error_is_the_spread_over_the_root_of_n(samples, error):
    """Below two samples, or when all are equal, nothing is known (scipy.stats.sem gives the others)."""
    assert standard_error(samples) == (None if error is None else pytest.approx(error, rel=1e-6))


def test_a_missing_number_is_explained_by_what_was_there_instead():
    """Where it was looked for, the nearest tags, what the sources remarked, and how the log ends."""
    tags = {f"validation/accuracy{n}": series(1) for n in range(6)} | {"train/x": series(1)}
    found = Readings(tags, files=("a", "b", "c", "d", "e"), notes=("n1", "n2", "n3"))
    said = nothing_found(
        UP,
        ["validation/accuracy", "validation/accuracy"],
        {"tb": found, "logs": Readings(notes=("n4", "n5", "n6"))},
        "boom\n",
    )
    assert said == (
        "no value of val:accuracy was found (looked for validation/accuracy). looked at tb: a, b, c and 2 more; logs: no file. "
        "7 other tags are there, nearest: validation/accuracy5, validation/accuracy4, validation/accuracy3, validation/accuracy2, "
        "validation/accuracy1. "
        "tb: n1. tb: n2. tb: n3. logs: n4. logs: n5. The log ends:\nboom"
    )


def test_a_missing_number_is_explained_when_nothing_was_there():
    """No source, no file, no log; or tags that are nothing like the one that was wanted."""
    assert nothing_found(UP, [], {}, "") == (
        "no value of val:accuracy was found (looked for ). looked at no metric source. The log is empty"
    )
    others = Readings({f"zz{n}": series(1) for n in range(6)}, files=("a", "b", "c"))
    said = nothing_found(UP, [], {"tb": others}, "")
    assert "looked at tb: a, b, c. 6 other tags are there, such as: zz0, zz1, zz2, zz3, zz4. The log is empty" in said


@pytest.mark.parametrize(("objective", "gain", "better", "best"), [(UP, 0.25, True, 0.75), (DOWN, -0.25, False, 0.25)])
def test_better_is_one_thing_in_either_direction(objective, gain, better, best):
    """A gain is positive when better; equal is not better; the best is a finite one."""
    assert objective.gain(0.75, 0.5) == gain
    assert objective.better(0.75, 0.5) is better
    assert not objective.better(0.5, 0.5)
    assert objective.best([0.5, NAN, 0.25, math.inf, 0.75, -math.inf]) == best
    assert Objective("", "x").direction is Direction.MAXIMIZE


def test_a_series_is_ordered_and_has_one_value_a_step():
    """Of two at one step the later given counts."""
    found = Series.of("x", [(3, 0.3), (1, 0.1), (3, 0.4)])
    assert (found.points(), found.last) == (((1, 0.1), (3, 0.4)), (3, 0.4))
    assert Series.of("x", []).last is None
    with pytest.raises(ValueError, match="shorter"):
        Series("x", (1, 2), (0.1,)).points()


BAND = 1.96 * 2**0.5 * 0.01


@pytest.mark.parametrize(("recorded", "again", "noise", "holds", "sentence"), [
    (0.5, 0.5 + 0.999 * BAND, 0.01, True, "differs by +0.0276909, within what chance explains (±0.02772)"),
    (0.5, 0.5 - 0.999 * BAND, 0.01, True, "differs by -0.0276909, within what chance explains (±0.02772)"),
    (0.5, 0.5 + 1.001 * BAND, 0.01, False, "differs by +0.0277463, beyond what chance explains (±0.02772)"),
    (0.5, 0.5, 0.0, True, "the same value"), (0.5, 0.5, None, True, "the same value"),
    (0.5, 0.6, None, False, "differs by +0.1, and no noise was measured to compare it with"), (0.5, 0.6, 0.0, False, "differs by +0.1, beyond what chance explains (±0)"),
    (None, 0.5, 0.01, False, "gave a value this time; the recorded run gave none"), (None, None, None, True, "gave no value, as before"),
    (0.5, None, 0.01, False, "gave no value this time; the recorded run did"),
])  # fmt: skip
def test_a_run_is_reproduced_within_196_standard_deviations_of_a_difference(recorded, again, noise, holds, sentence):
    """1.96 sqrt(2) sigma: 95 of 100 pairs of one configuration differ by less."""
    found = Agreement(recorded, again, noise)
    assert (found.holds, found.sentence) == (holds, sentence)


def test_a_difference_of_just_the_band_is_within_it():
    """One that is a hair larger is beyond."""
    assert Agreement(0.0, BAND, 0.01).holds
    assert not Agreement(0.0, math.nextafter(BAND, 1), 0.01).holds


@given(st.lists(st.one_of(st.floats(-9, 9), st.just(math.nan)), max_size=300), st.integers(8, 60))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(values, most):
    """However long it was, and whatever was not finite."""
    points = list(enumerate(values))
    kept = thinned(points, most)
    finite = [value for value in values if math.isfinite(value)]
    assert len(kept) <= most
    assert list(kept) == sorted(set(kept) & set(points), key=lambda point: point[0])
    if points:
        assert kept[0] is points[0]
        assert kept[-(most // 4) :] == tuple(points[-(most // 4) :])
    if len(points) > most and math.isfinite(values[0]):
        assert {min(finite), max(finite)} <= {value for _, value in kept}


def test_a_thinned_curve_has_as_many_points_as_it_may():
    """Of 101 points 9 at most: the first, two of its end, and the extremes of two stretches of 49 before it."""
    rising = list(enumerate(float(n) for n in range(101)))
    assert [at for at, _ in thinned(rising, 9)] == [0, 1, 49, 50, 98, 99, 100]
    assert [at for at, _ in thinned(rising, 12)] == [0, 1, 49, 50, 97, 98, 99, 100]
