"""How many runs still fit: every one of them at its full length when it starts."""

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment.history import History
from autoresearch.scheduling.stop_check import _runs


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
