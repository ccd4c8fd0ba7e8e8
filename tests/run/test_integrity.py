"""When a number may be believed, and when a run made again counts as reproduced."""

import pytest

from autoresearch.run.integrity import Agreement, Finding, Integrity, of_evaluation, of_sources, off_curve
from autoresearch.run.measurement import Measurement

STEPS = (10, 20, 30, 40)


def at(*values: float, steps=STEPS):
    return dict(zip(steps, values, strict=False))


@pytest.mark.parametrize(
    ("recorded", "again", "noise", "holds", "word"),
    [
        (0.7, 0.7, None, True, "the same value"),
        (0.70, 0.72, 0.01, True, "within what chance explains (±0.02772)"),
        (0.70, 0.73, 0.01, False, "beyond what chance explains"),
        (0.70, 0.70001, None, False, "no noise was measured"),
        (0.70, None, 0.01, False, "gave no value this time"),
        (None, 0.70, 0.01, False, "the recorded run gave none"),
        (None, None, 0.01, True, "gave no value, as before"),
        (-3.0, -3.0, 0.0, True, "the same value"),
    ],
)
def test_an_outcome_is_told_in_words_and_judged_by_the_noise(recorded, again, noise, holds, word):
    """Two runs of one configuration differ by less than 1.96 sqrt(2) sd in 95 of 100."""
    found = Agreement(recorded, again, noise)
    assert found.holds is holds
    assert word in found.sentence


@pytest.mark.parametrize(
    ("mine", "theirs", "printed", "finding"),
    [
        (0.640625, 0.640625, False, Finding.SOUND),
        (0.640625, 0.6406, True, Finding.SOUND),
        (0.640625, 0.64, True, Finding.SOUND),
        (0.640625, 0.64064, False, Finding.SOUND),
        (0.640625, 0.65, True, Finding.CONTRADICTED),
        (0.640625, 0.6432, True, Finding.CONTRADICTED),
        (0.640625, 0.6328125, False, Finding.CONTRADICTED),
        (0.0, 0.0078125, False, Finding.CONTRADICTED),
        (117.42, 117.0, True, Finding.SOUND),
        (117.42, 116.0, True, Finding.CONTRADICTED),
        (float("nan"), 0.7, False, Finding.CONTRADICTED),
        (float("nan"), float("nan"), False, Finding.SOUND),
    ],
)
def test_rounding_is_no_contradiction_and_more_than_that_is(mine, theirs, printed, finding):
    """One validation prompt of 128 more is a contradiction; a printed number may be short by its last place."""
    found = of_sources({"events": {40: mine}, "other": {40: theirs}}, (40,), printed=("other",) * printed)
    assert found.finding is finding


def test_every_source_is_named_with_what_it_says():
    """The sentence shows all witnesses at the step, the one believed first."""
    found = of_sources({"a": {8: 0.74}, "b": {8: 0.48}, "c": {8: 0.434}}, (8,))
    assert found.sentence == "contradicted: sources disagree at step 8: a 0.74, b 0.48, c 0.434"


def test_a_number_with_one_witness_is_unverified():
    """Sources that lack the step say nothing, for or against."""
    found = of_sources({"a": at(0.1, 0.2, 0.3), "b": at(0.1, 0.2)}, (30,))
    assert found.sentence == "unverified: only a has a value at step 30"


@pytest.mark.parametrize("by", [10, -10])
def test_a_source_that_counts_from_another_step_says_nothing(by):
    """A whole curve moved by one point is another way to count; one point that happens to fit is not."""
    curve = at(0.1, 0.25, 0.4, 0.55)
    moved = {step + by: value for step, value in curve.items()}
    assert of_sources({"a": curve, "b": moved}, (40,)).finding is Finding.UNVERIFIED
    assert of_sources({"a": curve, "b": at(0.1, 0.25, 0.4, 0.4)}, (40,)).contradicted


def test_a_plateau_does_not_hide_that_a_source_counts_from_another_step():
    """Where two neighbours are alike the moved curve agrees with the other by chance."""
    a = {10: 0.1, 20: 0.25, 30: 0.4, 40: 0.4, 50: 0.55}
    b = {step + 10: value for step, value in a.items()}
    assert of_sources({"a": a, "b": b}, (50,)).finding is Finding.UNVERIFIED


def test_of_many_contradicted_steps_three_are_told():
    """A number made of many validations does not fill the row."""
    found = of_sources({"a": at(*[0.5] * 4), "b": at(*[0.6] * 4)}, STEPS)
    assert len(found.reasons) == 4
    assert found.reasons[-1] == "1 more of the kind"


@pytest.mark.parametrize(("own", "evaluated", "tolerance", "finding", "said"), [
    (None, 0.7, None, Finding.SOUND, "the evaluation's number; the run gave none"), (0.7, 0.7, None, Finding.SOUND, ""),
    (0.7123, 0.7139, None, Finding.CONTRADICTED, "the run says 0.7123, its evaluation from the base commit 0.7139"),
    (0.7, 0.704, None, Finding.SOUND, ""), (0.704, 0.7, None, Finding.SOUND, ""),
    (0.5, 0.75, "any", Finding.SOUND, "the evaluation's number; the run's own, 0.5, is of another measure"),
    (0.7, 0.7004, None, Finding.SOUND, ""), (0.7004, 0.7, None, Finding.SOUND, ""), (0.75, 0.5, 0.25, Finding.SOUND, ""), (0.5, 0.75, 0.25, Finding.SOUND, ""),
    (0.75, 0.5, 0.24, Finding.CONTRADICTED, "the run says 0.75, its evaluation from the base commit 0.5"),
])  # fmt: skip
def test_an_evaluation_decides_about_the_runs_own_number(own, evaluated, tolerance, finding, said):
    """Within the tolerance itself they agree; without one, within what a printed number leaves out."""
    found = of_evaluation(own, evaluated, tolerance)
    assert found == Integrity(finding, (said,) if said else (), evaluated=True)


def test_a_step_that_no_source_knows_is_compared_with_nothing():
    """And a finding that nobody made is unverified, and nobody's evaluation."""
    assert of_sources({"a": at(1.0), "b": at(1.0)}, (10, 99)) == Integrity(Finding.SOUND)
    assert Integrity() == Integrity(Finding.UNVERIFIED, (), evaluated=False)


NAN = float("nan")


@pytest.mark.parametrize(("one", "other", "finding"), [
    ((NAN,), (0.5,), Finding.CONTRADICTED), ((0.5,), (NAN,), Finding.CONTRADICTED), ((NAN,), (NAN,), Finding.SOUND),
    ((1.0, 2.0, 3.0, 4.0), (9.0, 1.0, 2.0, 3.0), Finding.UNVERIFIED), ((1.0, 2.0, 3.0, 4.0), (2.0, 3.0, 4.0, 9.0), Finding.UNVERIFIED),
    ((1.004, 2.004, 3.004, 4.004), (9.0, 1.0, 2.0, 3.0), Finding.CONTRADICTED), ((1.0, 2.0, 1.0, 3.0), (9.0, 1.0, 2.0, 1.0), Finding.CONTRADICTED), ((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0, 5.0), Finding.CONTRADICTED),
])  # fmt: skip
def test_sources_that_count_differently_are_told_from_sources_that_differ(one, other, finding):
    """A curve moved by one point says nothing, once three unequal values show that it is moved; no number is a number."""
    assert of_sources({"a": at(*one), "b": at(*other)}, STEPS[: len(one)], printed=()).finding is finding


def test_four_contradictions_are_three_and_one_more():
    """So that a row stays a row."""
    found = of_sources({"a": at(1.0, 2.0, 3.0, 4.0), "b": at(2.0, 3.5, 4.5, 5.5)}, STEPS, printed=())
    assert [reason.partition(":")[0] for reason in found.reasons] == [
        "sources disagree at step 10", "sources disagree at step 20", "sources disagree at step 30", "1 more of the kind",
    ]  # fmt: skip


def test_a_measurement_made_void_has_no_number_and_says_why():
    """Each reason against it is kept, and what was noted stands behind."""
    void = Measurement(metric="score", value=0.5, step=3, source="logs", note="noted").void("one").void("two")
    assert (void.value, void.step, void.source) == (None, None, "")
    assert void.integrity == Integrity(Finding.CONTRADICTED, ("one", "two"))
    assert void.note == "contradicted: one; two; contradicted: one; noted"
    assert [Measurement(metric="score", counted=counted).unit for counted in (True, False)] == ["value", "step"]


@pytest.mark.parametrize(("before", "last", "odd"), [
    ([0.0, 1.0] * 4, 5.0, False), ([0.0, 1.0] * 4, 5.1, True), ([0.0, 1.0] * 3 + [1.0], 9.0, False),
    ([float(n) for n in range(8)], 14.0, False), ([float(n) for n in range(8)], 14.1, True), ([0.0, 1.0] * 4, NAN, False),
    ([0.0, NAN] * 4, 9.0, False),
])  # fmt: skip
def test_a_leap_is_several_steps_and_more_than_all_before(before, last, odd):
    """Eight points before it, four times the largest step, beyond what the curve covered; at the bound it is none."""
    said = off_curve(list(enumerate([*before, last])), 1.0)
    assert bool(said) is odd
    assert not odd or said == f"the last value, {last:g}, is far from where the run's curve was, {before[-1]:g}"
    assert bool(off_curve(list(enumerate(-value for value in (*before, last))), -1.0)) is odd
