"""How many runs still fit: every one of them at its full length when it starts."""

import pytest
from tests.scheduling.test_next_move import BASELINE, OBJECTIVE, committed, planned, ran

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import Comparison, StopLimits, TargetValue
from autoresearch.experiment.history import History, fold
from autoresearch.scheduling.stop_check import _runs, outlook


def left(seconds, full_s=20.0, typical_s=12.0):
    campaign = CampaignConfig.model_construct(launcher=type("L", (), {"parallel": 2})())
    limits = StopLimits(started_at=0.0, campaign_deadline=seconds)
    return _runs(History(), campaign, limits, 0.0, full_s, typical_s)[0]


def test_the_last_run_is_counted_only_if_it_may_still_start():
    """With a cap of 20 s and runs of 12 s, 31 s hold one round of two slots, 32 s two, and 19 s none."""
    assert [left(seconds) for seconds in (19, 20, 31, 32)] == [0, 2, 2, 4]


def test_a_count_of_runs_is_what_is_left_of_it():
    """Seven runs leave seven before the first one, in all as many, and the shorter of two limits counts."""
    campaign = CampaignConfig.model_construct(launcher=type("L", (), {"parallel": 2})())
    limits = StopLimits(started_at=0.0, target_run_count=7)
    assert _runs(History(), campaign, limits, 0.0, 20.0, 12.0) == (7, 7)
    both = StopLimits(started_at=0.0, campaign_deadline=31.0, target_run_count=7)
    assert _runs(History(), campaign, both, 0.0, 20.0, 12.0) == (2, 2)


def shares(hours, expected_gpus=8, took=(1800.0, 3600.0), flying=0):
    """Runs that fit into GPU-hours, in all, and GPU-hours of one, after runs on eight GPUs that took these seconds."""
    made = [
        event for number, seconds in enumerate(took, 1) for event in ran("baseline", 0.5, number, took=seconds, gpus=8)
    ]
    made += [event for number in range(flying) for event in planned("baseline", 3 + number, gpus=8)]
    history, limits = fold([*committed(1, "baseline"), *made]), StopLimits(started_at=0.0, gpu_hours=hours)
    view = outlook(history, CampaignConfig.of({"campaign": "c"}), limits, OBJECTIVE, 0.0, 3600.0, expected_gpus)
    return view.runs_left, view.runs_total, view.run_gpu_hours


def test_gpu_hours_are_spent_by_gpus_times_hours():
    """Half an hour and an hour on eight GPUs are 12; a run may take 8 and takes 6; 20 hold another one, 26 hold three."""
    assert [shares(hours)[:2] for hours in (12, 19.9, 20, 25.9, 26, 32)] == [
        (0, 2),
        (0, 2),
        (1, 3),
        (1, 3),
        (2, 4),
        (3, 5),
    ]


def test_what_flies_is_part_of_what_fits():
    """One in the air of three that fit leaves two; more than fit leave none."""
    assert [shares(32, flying=count)[0] for count in (0, 1, 3, 4)] == [3, 2, 0, 0]


def test_before_the_first_run_the_target_says_how_many_gpus():
    """After it the largest run does."""
    assert shares(50, took=(), expected_gpus=4)[2] == 4.0
    assert shares(50, expected_gpus=4)[2] == 8.0
    small = [event for number, gpus in enumerate((8, 4), 1) for event in ran("baseline", 0.5, number, gpus=gpus)]
    history, limits = fold([*committed(1, "baseline"), *small]), StopLimits(started_at=0.0)
    assert outlook(history, CampaignConfig.of({"campaign": "c"}), limits, OBJECTIVE, 0.0).run_gpu_hours == 8.0


def test_a_cap_is_what_the_next_run_may_take():
    """Without one it is the longest so far, and before the first what the target says (R100)."""
    history, campaign = (
        fold([*committed(1, "baseline"), *ran("baseline", 0.5, took=1800.0)]),
        CampaignConfig.of({"campaign": "c"}),
    )
    capped, free = (StopLimits(started_at=0.0, per_experiment_timeout=cap) for cap in (60.0, None))
    assert [outlook(history, campaign, limits, OBJECTIVE, 0.0, 9.0).run_s for limits in (capped, free)] == [
        60.0,
        1800.0,
    ]
    assert outlook(History(), campaign, free, OBJECTIVE, 0.0, 9.0).run_s == 9.0


@pytest.mark.parametrize(("wanted", "met"), [(0.5, True), (0.51, False)])
def test_a_target_is_reached_by_the_incumbents_mean(wanted, met):
    """Not before anything is measured."""
    limits = StopLimits(started_at=0.0, target_metric=TargetValue("score", Comparison.AT_LEAST, wanted))
    campaign = CampaignConfig.of({"campaign": "c"})
    assert outlook(fold(BASELINE), campaign, limits, OBJECTIVE, 5000.0).stop.met is met
    assert not outlook(History(), campaign, limits, OBJECTIVE, 0.0).stop.met
