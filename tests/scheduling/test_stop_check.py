"""What the limits promise once a campaign has begun."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from autoresearch.config.duration import span
from autoresearch.config.stop_phrase import parse
from autoresearch.config.stop_rule import DEFAULT, Comparison, StopLimits, TargetValue, same_metric
from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.stop_check import Spent, check, fits

START = 1_795_400_000.0
HOUR = 3600.0
ACCURACY = Objective("raise it", "val:accuracy")


def at(hours: float) -> float:
    return START + hours * HOUR


def begin(words: str) -> StopLimits:
    return parse(words).begin(START, UTC, ACCURACY)


def test_progress_is_told_with_counts_and_time_left():
    """The sentence users read names attempts and the time that remains."""
    state = check(begin("24 experiments or 12h"), Spent(attempted=17), at(12) - 6 * HOUR - 12 * 60)
    assert state.sentence == "stop condition not yet met: 17/24 attempted, 6h12m remaining"
    assert (state.met, state.trigger, state.remaining_experiments, state.remaining_s) == (False, "", 7, 22320.0)


def test_a_count_is_met_by_attempts():
    """Fifty experiments are over when fifty were attempted, not before."""
    limits = begin("do 24 experiments")
    assert not check(limits, Spent(23), at(1000)).met
    state = check(limits, Spent(24), at(1))
    assert (state.met, state.sentence) == (True, "stop condition met: 24/24 attempted")


def test_a_row_of_failures_is_counted_until_the_limit():
    """Ten in a row without a keep end it, however many were attempted in all."""
    limits = begin("10 experiments without a keep")
    state = check(limits, Spent(31, stalled=9), at(1))
    assert (state.met, state.sentence) == (
        False,
        "stop condition not yet met: 31 attempted, 9/10 in a row without a keep",
    )
    state = check(limits, Spent(32, stalled=10), at(1))
    assert (state.trigger, state.reason) == ("stall", "10/10 in a row without a keep, 32 attempted")


def test_a_count_of_runs_is_met_by_launches():
    """Thirty runs are over when thirty were launched, however few experiments they belong to."""
    limits = begin("30 runs")
    state = check(limits, Spent(4, runs=29), at(1))
    assert (state.met, state.sentence) == (False, "stop condition not yet met: 4 attempted, 29/30 runs")
    state = check(limits, Spent(4, runs=30), at(1))
    assert (state.trigger, state.sentence) == ("runs", "stop condition met: 30/30 runs, 4 attempted")


def test_without_words_it_is_the_baseline_and_three_then_ask():
    """No rule given: four attempts, and the end is a question."""
    limits = parse("  ").begin(START)
    assert limits == DEFAULT.begin(START)
    assert (limits.target_experiment_count, limits.asks, limits.campaign_deadline) == (4, True, None)


def test_a_total_becomes_a_deadline_that_does_not_move():
    """Ten hours count from the beginning, whenever one looks."""
    limits = begin("10h total")
    assert limits.campaign_deadline == at(10)
    assert not check(limits, Spent(), at(9.999)).met
    state = check(limits, Spent(5), at(10))
    assert (state.trigger, state.sentence) == (
        "deadline",
        "stop condition met: the deadline was reached after 10h00m, 5 attempted",
    )


def test_less_than_one_full_run_ends_the_campaign():
    """With 1h each, 59 minutes are not enough for another run, and exactly one hour is."""
    limits = begin("10h total, 1h each")
    assert not check(limits, Spent(3), at(9)).met
    state = check(limits, Spent(3), at(9) + 60)
    assert state.sentence == "stop condition met: 59m remaining is less than one full run of 1h00m, 3 attempted"
    assert not check(limits, Spent(3), at(9) + 60, next_run_s=600).met


def test_any_trigger_ends_a_combined_rule():
    """Count, time, GPU-hours and target are alternatives."""
    limits = begin("50 experiments or 10h or 100 GPU-hours or until accuracy >= 0.8")
    ends = [
        (Spent(50), at(1), "count"),
        (Spent(1), at(11), "deadline"),
        (Spent(1, gpu_hours=100), at(1), "gpu-hours"),
        (Spent(1, best={"val:accuracy": 0.8}), at(1), "target"),
    ]
    assert [check(limits, spent, now).trigger for spent, now, _ in ends] == [trigger for *_, trigger in ends]
    assert not check(limits, Spent(49, 99.9, {"val:accuracy": 0.79}), at(9.9)).met


def test_gpu_hours_refuse_a_run_they_cannot_pay():
    """A run that costs more than is left is not started, and the campaign is over."""
    limits = begin("100 GPU-hours")
    spent = Spent(9, gpu_hours=95.5)
    assert fits(limits, at(1), 600, gpu_hours=4.5, spent_gpu_hours=95.5) is None
    refused = "4.5 GPU-hours remaining is less than one full run of 8"
    assert fits(limits, at(1), 600, gpu_hours=8, spent_gpu_hours=95.5) == refused
    assert check(limits, spent, at(1), next_gpu_hours=8).reason == f"{refused}, 9 attempted"


def test_a_run_that_ends_after_the_deadline_does_not_fit():
    """The reason has both numbers, also when they differ by seconds only."""
    limits = begin("10h total")
    assert fits(limits, at(9), HOUR) is None
    assert fits(limits, at(9.5), HOUR) == "30m remaining is less than one full run of 1h00m"
    assert fits(limits, at(9), HOUR + 2) == "1h remaining is less than one full run of 1h2s"
    assert fits(limits, at(10), None) == "the deadline was reached after 10h00m"


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_senseless_prediction_never_fits(broken):
    """A run of unknown length is refused rather than waved through."""
    assert fits(begin("10h"), START, broken)
    assert fits(begin("5 gpu-hours"), START, 60, gpu_hours=broken)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_only_a_finite_number_reaches_a_target(value):
    """A diverged metric is no success."""
    state = check(begin("until accuracy >= 0.8"), Spent(2, best={"val:accuracy": value}), at(1))
    assert state.sentence.startswith("stop condition not yet met: 2 attempted, val:accuracy not measured yet")


def test_the_target_shows_where_the_metric_stands():
    """One reads the best value beside the wanted one."""
    state = check(begin("until accuracy >= 0.8"), Spent(2, best={"val:accuracy": 0.71}), at(1))
    assert state.sentence == "stop condition not yet met: 2 attempted, val:accuracy 0.71, wanted >= 0.8"


def test_reaching_means_the_objectives_better_direction():
    """The same word waits for more accuracy and for less loss."""
    rule = parse("until it reaches 0.8")
    up = rule.begin(START, UTC, ACCURACY).target_metric
    down = rule.begin(START, UTC, Objective("", "val:loss", Direction.MINIMIZE)).target_metric
    assert up == TargetValue("val:accuracy", Comparison.AT_LEAST, 0.8)
    assert down == TargetValue("val:loss", Comparison.AT_MOST, 0.8)


def test_a_target_against_the_objective_is_refused():
    """Waiting for at most 0.8 while raising a metric would end at once."""
    with pytest.raises(CampaignError, match="maximize val:accuracy"):
        parse("until accuracy <= 0.8").begin(START, UTC, ACCURACY)
    with pytest.raises(CampaignError, match="which way is better"):
        parse("until kl reaches 0.1").begin(START, UTC, ACCURACY)
    with pytest.raises(CampaignError, match="which way is better"):
        parse("until accuracy reaches 0.1").begin(START)


def test_two_metrics_of_one_name_meet_no_target():
    """Which of two was meant is not guessed; the full name decides."""
    best = {"train:kl": 0.9, "val:kl": 0.9}
    assert not check(begin("until kl >= 0.8"), Spent(1, best=best), at(1)).met
    assert check(begin("until val:kl >= 0.8"), Spent(1, best=best), at(1)).met


@pytest.mark.parametrize("asked", ["val:accuracy", "val_accuracy", "validation/accuracy", "accuracy", "Val:Accuracy"])
def test_one_metric_has_many_spellings(asked):
    """NeMo-RL's three spellings and the bare name are one metric; a part of a word is not."""
    assert same_metric(asked, "validation/accuracy")
    assert not same_metric(asked, "validation/inaccuracy")
    assert not same_metric("", asked)


def test_limits_travel_through_json():
    """What is stored at the beginning is what a later controller holds us to."""
    for words in ["", "50 experiments or 10h total, 1h each", "until accuracy reaches 0.8", "7.5 GPU-hours"]:
        limits = begin(words)
        assert StopLimits.load(json.loads(json.dumps(limits.plain()))) == limits
    with pytest.raises(CampaignError, match="cannot be read"):
        StopLimits.load({"started_at": "soon"})


def test_until_means_the_next_time_the_clock_shows_it():
    """07:00 said in the evening is tomorrow's, said at six it is today's, said at seven it is tomorrow's."""
    zone = timezone(timedelta(hours=2))
    evening, six, seven = (datetime(2026, 11, day, hour, tzinfo=zone) for day, hour in [(23, 22), (24, 6), (24, 7)])
    ends = [parse("until 07:00").begin(now.timestamp(), zone).campaign_deadline for now in (evening, six, seven)]
    assert ends == [seven.timestamp(), seven.timestamp(), (seven + timedelta(days=1)).timestamp()]


def test_until_survives_a_change_of_clocks():
    """On the night clocks go back, 07:00 is what the wall shows, an hour later than a count of hours says."""
    zone = ZoneInfo("Europe/Berlin")
    evening = datetime(2026, 10, 24, 22, tzinfo=zone).timestamp()
    assert parse("until 07:00").begin(evening, zone).campaign_deadline == evening + 10 * HOUR


def test_until_without_a_zone_is_the_machines_own():
    """Local time is what the person's clock on this machine shows."""
    deadline = parse("until 07:00").begin(START).campaign_deadline
    shown = datetime.fromtimestamp(deadline)  # noqa: DTZ006
    assert (shown.hour, shown.minute, 0 < deadline - START <= 25 * HOUR) == (7, 0, True)


def test_a_date_in_the_past_is_refused():
    """A deadline that has passed would end the campaign before it began."""
    with pytest.raises(CampaignError, match="has passed"):
        parse("until 2020-01-01 07:00").begin(START, UTC)
    assert parse("until 2099-01-01 07:00 UTC").begin(START).campaign_deadline == 4070934000.0


def test_the_earlier_of_total_and_wall_time_counts():
    """Both are triggers; the first one reached is the deadline."""
    seven = datetime(2026, 11, 24, 7, tzinfo=UTC).timestamp()
    assert parse("2h total or until 07:00").begin(seven - HOUR, UTC).campaign_deadline == seven
    assert parse("2h total or until 07:00").begin(seven - 5 * HOUR, UTC).campaign_deadline == seven - 3 * HOUR


@pytest.mark.parametrize(
    ("length", "said"),
    [(0, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m"), (2700, "45m"), (22320, "6h12m"), (36000, "10h00m"),
     (86399, "23h59m"), (183600, "2d03h"), (math.nan, "an unknown time"), (math.inf, "an unknown time")],
)  # fmt: skip
def test_time_is_told_briefly(length, said):
    """Nobody needs seconds of an hour; nothing is rounded up."""
    assert span(length) == said
