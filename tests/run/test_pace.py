"""When a run has stopped going on: by its steps, never by what it prints."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.measurement import Pace, Readings, Series
from autoresearch.run.pace import ProgressClock, Reached, StepLines, allowance, reached, stalled

FLOOR_S = 600.0
MINUTE_STEPS = Pace(first_s=300.0, usual_s=60.0, longest_s=1200.0, steps=100)
gap_lists = st.lists(st.floats(0.01, 1e4), min_size=2, max_size=40)


def after(gaps, clock=None):
    """A clock that saw a new step after each of these times."""
    clock = clock or ProgressClock()
    for gap in gaps:
        clock = clock.look({"loss": Reached(clock.steps + 1, clock.steps + 1)}, gap)
    return clock


def verdict(clock, learned, silent_s=0.0, **settings: float):
    return stalled(clock, allowance(clock, learned, **{"floor_s": FLOOR_S, **settings}), silent_s)


@given(gap_lists, st.floats(1.0, 4.0))
def test_a_run_that_is_four_times_slower_throughout_is_never_stalled(gaps, factor):
    """Steps, validations and checkpoints may all take four times what they took in a complete run."""
    learned, clock = [after(gaps).pace], ProgressClock()
    usual_s = learned[0].usual_s
    steady = [usual_s] * 6
    clock = after([factor * gap for gap in (learned[0].first_s, *steady)], clock)
    for gap in gaps:
        waiting = clock.look({}, factor * gap * 0.99)
        assert verdict(waiting, learned) == "" or factor * gap > 2 * factor * learned[0].longest_s
        clock = after([factor * gap], clock)


@given(gap_lists, gap_lists)
def test_a_hang_always_ends(learned, own):
    """Whatever was learned, some time without a step is too long once steps are known."""
    clock = after(own).look({}, 1e9)
    assert "no new step" in verdict(clock, [after(learned).pace])


@given(gap_lists, st.floats(0, FLOOR_S))
def test_nothing_is_stalled_within_the_floor(gaps, still_s):
    """Ten minutes are always allowed."""
    assert verdict(after(gaps).look({}, still_s), [after(gaps).pace]) == ""


def test_pauses_of_the_parent_are_allowed_and_twice_over():
    """A validation of twenty minutes between steps of one is no hang, forty minutes and more are."""
    clock = after([300, 60, 60, 60])
    assert verdict(clock.look({}, 2399), [MINUTE_STEPS]) == ""
    assert "no new step for 40 min" in verdict(clock.look({}, 2401), [MINUTE_STEPS])


def test_a_run_that_is_slower_than_complete_ones_may_pause_longer_by_as_much():
    """Also where a step takes less than a second; one that is faster is given no less."""
    known = Pace(first_s=1.0, usual_s=0.5, longest_s=1000.0, steps=100)
    usual, slower, faster = (after([step] * 5) for step in (0.5, 1.0, 0.1))
    allowed = [allowance(clock, [known], floor_s=FLOOR_S).seconds for clock in (usual, slower, faster)]
    assert allowed[1] == pytest.approx(2 * allowed[0])
    assert allowed[2] == allowed[0] > FLOOR_S


def test_before_its_first_step_a_run_has_three_times_its_parents():
    """Loading and compiling are no hang."""
    slow_start = Pace(first_s=1500.0, usual_s=10.0, longest_s=30.0, steps=50)
    assert verdict(ProgressClock().look({}, 4499), [slow_start]) == ""
    assert "no first step for 75 min" in verdict(ProgressClock().look({}, 4501), [slow_start])


def test_a_first_run_whose_first_step_is_expected_has_nine_times_that_and_three_times_the_floor():
    """Nothing was learned: what the target expects is a guess, and half an hour is the least."""
    untaught = ProgressClock()
    assert allowance(untaught, [], floor_s=FLOOR_S, expected_first_s=1000.0).seconds == 9000.0
    assert allowance(untaught, [], floor_s=FLOOR_S, expected_first_s=10.0).seconds == 1800.0
    assert allowance(untaught, [MINUTE_STEPS], floor_s=FLOOR_S, expected_first_s=10.0).seconds == 2400.0


def test_without_any_step_there_is_no_clock():
    """A script that prints one number at its end is not judged by how long it takes."""
    only_a_result = Pace(first_s=10.0, steps=1)
    assert verdict(ProgressClock().look({}, 1e6), [only_a_result]) == ""
    assert verdict(ProgressClock().look({}, 1e6), []) == ""


def test_silence_counts_only_when_asked_for_and_no_step_is_known():
    """An explicit time holds for steps where there are any, else for printed lines."""
    waiting = ProgressClock().look({}, 100)
    assert "nothing printed for 61 s" in verdict(waiting, [], silent_s=61, asked_s=60)
    assert verdict(waiting, [], silent_s=59, asked_s=60) == ""
    chatty = after([1, 1, 1, 1]).look({}, 61)
    assert "no new step for 61 s" in verdict(chatty, [Pace(first_s=1, usual_s=1, longest_s=2, steps=9)], asked_s=60)


def test_zero_switches_it_off():
    """No time is too long then."""
    assert verdict(after([1, 1, 1, 1]).look({}, 1e9), [MINUTE_STEPS], asked_s=0) == ""


def test_the_first_run_is_given_more_time():
    """Nothing was learned yet: half an hour at least, and its own longest pause six times over."""
    clock = after([10, 10, 10, 900, 10])
    assert verdict(clock.look({}, 5399), []) == ""
    assert verdict(clock.look({}, 5401), []) != ""
    assert verdict(after([10, 10]).look({}, 1e6), []) == ""


def test_a_look_that_finds_many_steps_knows_their_pace():
    """A run that was read only once, at its end, still teaches how fast it was."""
    pace = ProgressClock().look({"loss": Reached(5, 5)}, 10.0).pace
    assert (pace.steps, pace.usual_s, pace.longest_s) == (5, 2.0, 10.0)


LINES = {
    "heartbeats": (["step 2 score: 0.5", "(monitor) heartbeat: step 3", "(raylet) iteration 9", "waiting, step 8"], 1),
    "one step again and again": (["step 2"] * 9, 1),
    "ranks that lag": (["[rank 0] step 2", "[rank 1] step 1"] * 9, 1),
    "a limit in the settings": (["max_steps: 1000", "step 1", "step 2"], 3),
    "epochs": (["epoch 1", "step 1", "step 2", "Epoch 2/3", "step 1", "step 2"], 6),
    "a bar": ([" 10%|#  | 10/100 [00:10<01:20]", " 11%|#  | 11/100 [00:11<01:20]"], 2),
    "json": (['{"step": 4, "loss": 1.0}', '{"step": 5, "loss": 1.0}'], 2),
    "numbers without a step": (["loss 0.1", "loss 0.2", "reward=3"], 0),
}


@pytest.mark.parametrize(("lines", "count"), LINES.values(), ids=LINES)
def test_only_new_steps_of_lines_count(lines, count):
    """Of each kind of line the highest so far; monitors count nothing."""
    log = StepLines()
    for line in lines:
        log.feed(line)
    assert log.reached().points == count


@given(st.lists(st.text(max_size=60), max_size=30))
def test_any_log_can_be_read(lines):
    """Foreign text never stops the watch, and the count never falls."""
    log, before = StepLines(), 0
    for line in lines:
        log.feed(line)
        assert log.reached().points >= before
        before = log.reached().points


def readings(**series: list[tuple[int, float]]):
    return {"source": Readings(series={tag: Series.of(tag, points) for tag, points in series.items()})}


def test_a_monitors_series_are_no_progress():
    """Event files hold the machine's load as well, on a count of its own."""
    found = readings(**{"ray/node.0.gpu.1.util": [(9, 1.0)], "heartbeat": [(7, 1.0)], "train/loss": [(3, 0.1)]})
    assert reached(found, StepLines()) == {"train/loss": Reached(3, 1)}


def test_a_number_printed_again_is_no_step_where_lines_have_steps():
    """A heartbeat that repeats the last score does not count; in a log without steps every number does."""
    found = readings(score=[(1, 0.5), (2, 0.6), (3, 0.6), (4, 0.6)])
    assert reached(found, StepLines(), "score")["score"] == Reached(4, 4)
    lines = StepLines()
    for line in ("step 1", "step 2"):
        lines.feed(line)
    assert reached(found, lines, "score")["score"] == Reached(2, 2)


def test_time_that_did_not_pass_is_not_counted():
    """A stopped run's clock stands still, and no clock runs backwards."""
    clock = after([1, 1]).look({}, 0.0).look({}, -5.0)
    assert clock.still_s == 0
    assert math.isclose(clock.told_s, 2)
