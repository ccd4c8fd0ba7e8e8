"""Invented campaigns run the real policies and know the truth."""

from dataclasses import replace

import pytest

from autoresearch.errors import CampaignError
from autoresearch.experiment.board import PolicySettings
from autoresearch.verdict.policies import BUILTIN, policy
from autoresearch.verdict.simulated_world import STREAMS, Stream, World
from autoresearch.verdict.simulation import run_campaign, simulate

QUIET = World(stream=STREAMS["base"], noise=0.01, runs=30)


@pytest.mark.parametrize("name", sorted(BUILTIN))
@pytest.mark.parametrize("stream", sorted(STREAMS))
@pytest.mark.parametrize("slots", [1, 4])
def test_every_campaign_ends_within_its_budget(name, stream, slots):
    """Any policy on any stream, one run at a time or four, comes to Done and spends no run it does not have."""
    outcome = run_campaign(policy(name), World(stream=STREAMS[stream], noise=2.0, runs=30, slots=slots), 5)
    assert outcome.runs <= 30
    assert 0 <= outcome.stated <= 1


def test_one_seed_is_one_campaign():
    """The same seed gives the same figures."""
    world = World(runs=20)
    assert simulate(policy("sequential"), world, campaigns=3) == simulate(policy("sequential"), world, campaigns=3)


def test_without_noise_greedy_finds_nearly_everything():
    """A policy that loses gain where there is nothing to be fooled by is broken; so is a simulator that hides it."""
    world = replace(QUIET, settings=PolicySettings(confirm=0.0))
    found = simulate(policy("greedy"), world, campaigns=20)
    assert found.gain.mean > 0.9 * found.possible.mean


def test_greedy_keeps_about_four_false_ideas_in_a_hundred_runs_of_pure_noise():
    """The known price of greed: the number of records in a hundred draws, about 4.2, and +2.5 sigma announced."""
    world = World(stream=STREAMS["null"], noise=1.0, runs=100, settings=PolicySettings(confirm=0.0))
    found = simulate(policy("greedy"), world, campaigns=40)
    assert 3.4 < found.false_keeps.mean < 5.0
    assert found.announced_minus_true.mean > 1.8


def test_a_small_campaign_stays_cheap():
    """Baseline and three ideas without a run budget cost at most 20 runs under any policy."""
    world = World(runs=None, experiments=3, noise=1.0)
    for name in BUILTIN:
        assert max(run_campaign(policy(name), world, seed).runs for seed in range(6)) <= 20


def test_a_campaign_without_a_limit_is_refused():
    """Neither runs nor experiments limited would never end."""
    with pytest.raises(CampaignError, match="needs a limit"):
        run_campaign(policy("greedy"), World(runs=None), 0)


def test_strict_holds_its_error_budget():
    """Of sixty campaigns of pure noise at most about one in ten keeps anything for its gain."""
    world = World(stream=STREAMS["null"], noise=1.0, runs=30)
    hit = sum(run_campaign(policy("strict"), world, 300 + number).keeps > 0 for number in range(60))
    assert hit <= 10


def test_a_machine_that_drifts_is_told_and_claims_hold():
    """Six noises of drift show on repeats of unchanged code, and pairs run side by side at the end do not fall for it."""
    shaky = World(stream=Stream(drift=6.0), noise=1.0, runs=60)
    found = [run_campaign(policy("sequential"), shaky, seed) for seed in range(12)]
    steady = [run_campaign(policy("sequential"), replace(shaky, stream=Stream()), seed) for seed in range(12)]
    assert sum(outcome.drifted for outcome in found) >= 9
    assert sum(outcome.drifted for outcome in steady) <= 1
    assert sum(outcome.false_claim for outcome in found) <= 1
