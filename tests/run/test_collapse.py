"""Collapses in the shape of curves: seen when they are there, and not when a dip recovers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.collapse import RULES, Curves, collapses, curves_of
from autoresearch.run.measurement import Readings, Series
from autoresearch.run.symptom import Severity


def series(values, tag="train/reward"):
    return Series.of(tag, enumerate(values, start=1))


def line(start, end, count, noise=0.0):
    dice = random.Random(count)
    return [start + (end - start) * i / max(1, count - 1) + dice.gauss(0, noise) for i in range(count)]


def found(**curves: list[float]):
    """Names with severity for curves by role."""
    given_curves = Curves(**{role: series(values, role) for role, values in curves.items()})
    return {one.name: one.severity for one in collapses(given_curves)}


RISE = line(0.1, 0.7, 30, 0.02)
FATAL, WARNING = {"reward-collapse": Severity.FATAL}, {"reward-collapse": Severity.WARNING}
REWARDS = {
    "falls and stays": ([*RISE, *line(0.7, 0.02, 5), *line(0.02, 0.02, 25, 0.01)], FATAL),
    "has just fallen": ([*RISE, *line(0.7, 0.02, 5), *line(0.02, 0.02, 7, 0.01)], WARNING),
    "is below zero": ([*line(-9, -2, 30, 0.2), *line(-2, -9, 5), *line(-9, -9, 25, 0.1)], FATAL),
    "recovers": ([*RISE, *line(0.7, 0.1, 4), *line(0.1, 0.1, 4, 0.01), *line(0.1, 0.7, 15, 0.02)], {}),
    "is recovering": ([*RISE, *line(0.7, 0.05, 4), *line(0.05, 0.3, 20, 0.02)], {}),
    "dips for a moment": ([*RISE, 0.1, 0.0, 0.1, *line(0.7, 0.72, 20, 0.02)], {}),
    "dips at its end": ([*RISE, 0.02, 0.02, 0.02], {}),
    "falls a little": ([*RISE, *line(0.7, 0.45, 30, 0.02)], {}),
    "never rose": (line(0.1, 0.1, 60, 0.03), {}),
    "only falls": (line(0.7, 0.1, 60, 0.02), {}),
    "rises": (line(0.1, 0.7, 60, 0.05), {}),
    "is short": ([0.1, 0.7, 0.0, 0.0, 0.0], {}),
}


@pytest.mark.parametrize(("values", "wanted"), REWARDS.values(), ids=REWARDS)
def test_a_reward_that_falls_for_good_is_a_collapse(values, wanted):
    """Fatal when it has stayed down for long; what recovers, or never rose, is none."""
    assert found(reward=values) == wanted


OTHERS = {
    "answers of fifteen tokens": ({"length": [*line(2000, 1800, 20, 30), *line(15, 15, 10, 1)]}, "length-collapse"),
    "answers of half the length": ({"length": [*line(2000, 1000, 30, 30)]}, ""),
    "all the same": ({"reward": [0.4375] * 20, "validation": [0.5] * 4}, "nothing-changes"),
    "only the reward is known": ({"reward": [0.4375] * 8}, "nothing-changes"),
    "the validation moves": ({"reward": [0.4375] * 20, "validation": [0.5, 0.5, 0.51]}, ""),
    "nothing is ever right": ({"reward": [0.0] * 20, "validation": [0.0] * 4}, ""),
    "a loss of zero": ({"loss": [0.0] * 12}, "zero-loss"),
    "a loss that becomes zero": ({"loss": [*line(1, 0.1, 20), *[0.0] * 10]}, "zero-loss"),
    "a small loss": ({"loss": [1e-9] * 30}, ""),
    "far from the reference": ({"kl": [*line(0.01, 0.02, 20), *line(5, 50, 8)]}, "kl-explosion"),
    "as far as ever": ({"kl": line(2, 3, 30)}, ""),
}


@pytest.mark.parametrize(("curves", "name"), OTHERS.values(), ids=OTHERS)
def test_each_other_collapse_has_its_name(curves, name):
    """And its like without it has none."""
    assert list(found(**curves)) == ([name] if name else [])


def test_a_loss_of_zero_is_hopeless_only_where_nothing_is_learned():
    """An on-policy loss may be zero while its gradient is not, and a reward that rises learns."""
    dead = [0.0] * 30
    assert found(loss=dead) == {"zero-loss": Severity.FATAL}
    assert found(loss=dead, gradient=dead) == {"zero-loss": Severity.FATAL}
    assert found(loss=dead, gradient=[0.3] * 30) == {"zero-loss": Severity.WARNING}
    assert found(loss=dead, reward=line(0.1, 0.7, 30, 0.02)) == {"zero-loss": Severity.WARNING}


def test_curves_are_known_by_their_usual_names():
    """Of a target that names no roles; a monitor's or an unknown curve has none."""
    tags = ("train/reward", "eval/accuracy", "completions/mean_length", "train/loss", "train/grad_norm", "objective/kl")
    readings = {"files": Readings({tag: series([1.0, 2.0], tag) for tag in (*tags, "train/entropy", "gpu.util")})}
    assert [one.tag if one else "" for one in curves_of(readings)] == list(tags)


@pytest.mark.parametrize("role", [
    "reward", "train/return", "rollout/scores", "critic/rewards/mean", "env.episode_reward", "val/accuracy", "eval/acc",
    "valid-top_score", "validation.pass@1", "test/return", "response/length", "answers_mean_length", "gen_tokens_per_sample",
    "actor/pg_loss", "policy_loss", "actor/grad_norm", "gradient_norm", "kl", "actor/ppo_kl", "approx_kl/mean",
    "loss/kl_divergence",
])  # fmt: skip
def test_each_usual_name_has_its_role(role):
    """A framework's own spelling is known, and no curve has two roles."""
    known = curves_of({"files": Readings({role: series([1.0, 2.0], role)})})
    assert [one.tag for one in known if one] == [role]


def test_of_two_curves_of_a_role_the_longer_is_looked_at():
    """Whichever comes first: a second logger may have died early."""
    long, short = series([0.1] * 9, "reward"), series([0.1] * 8, "train/reward")
    for first, second in ((long, short), (short, long)):
        readings = {"a": Readings({first.tag: first}), "b": Readings({second.tag: second})}
        assert curves_of(readings).reward is long


CALM = [0.01] * 20
BOUNDS = {
    "five points at the least KL": ({"kl": [*CALM, *[1.0] * 5]}, "kl-explosion"),
    "four points": ({"kl": [*CALM, *[1.0] * 4]}, ""),
    "a KL just below": ({"kl": [*CALM, *[0.999] * 5]}, ""),
    "ten times what it was": ({"kl": [*[0.5] * 20, *[5.0] * 5]}, "kl-explosion"),
    "nine times": ({"kl": [*[0.5] * 20, *[4.5] * 5]}, ""),
    "a tenth of the length": ({"length": [*[1000.0] * 15, *[100.0] * 5]}, "length-collapse"),
    "a bit more": ({"length": [*[1000.0] * 15, *[101.0] * 6]}, ""),
    "a tenth, but not for long": ({"length": [*[1000.0] * 15, *[100.0] * 4]}, ""),
    "too few points for a shape": ({"length": [*[1000.0] * 6, *[100.0] * 5]}, ""),
    "seven points of no loss": ({"loss": [0.0] * 7}, ""),
    "eight points of it": ({"loss": [0.0] * 8}, "zero-loss"),
    "a fifth of a long run": ({"loss": [*[1.0] * 80, *[0.0] * 20]}, "zero-loss"),
    "less than a fifth": ({"loss": [*[1.0] * 81, *[0.0] * 19]}, ""),
    "seven equal rewards": ({"reward": [0.4] * 7}, ""),
    "two equal validations beside them": ({"reward": [0.4] * 8, "validation": [0.5] * 2}, "nothing-changes"),
    "five equal validations alone": ({"validation": [0.5] * 5}, ""),
    "eight of them": ({"validation": [0.5] * 8}, "nothing-changes"),
}


@pytest.mark.parametrize(("curves", "name"), BOUNDS.values(), ids=BOUNDS)
def test_each_bound_of_a_collapse_is_where_it_is(curves, name):
    """One point, or one part in a hundred, on either side."""
    assert list(found(**curves)) == ([name] if name else [])


def test_a_gradient_or_a_reward_that_moves_saves_a_run_without_a_loss():
    """One gradient that is not zero among the last, a last quarter above the first by more than noise: no more is asked."""
    dead, hopeless = [0.0] * 20, {"zero-loss": Severity.FATAL}
    assert found(loss=dead[:19]) == {"zero-loss": Severity.WARNING}
    assert found(loss=dead) == hopeless
    assert found(loss=dead, gradient=[0.0] * 19 + [0.1]) == {"zero-loss": Severity.WARNING}
    steps = [0.0, 1.0] * 4  # noise of one
    assert found(loss=dead, reward=[*steps, *(value + 2.0 for value in steps)]) == hopeless
    assert found(loss=dead, reward=[*steps, *(value + 2.01 for value in steps)]) == {"zero-loss": Severity.WARNING}


def test_a_metric_that_should_fall_is_no_reward_and_no_loss():
    """Less may be better, or its best value counts; at zero it is as good as can be."""
    readings = {"files": Readings({"score": series(line(1, 0, 30), "score"), "loss": series([0.0] * 30, "loss")})}
    assert collapses(curves_of(readings, "loss")) == ()
    assert curves_of(readings, "score", falls=True).reward is None


numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60)


@given(st.fixed_dictionaries(dict.fromkeys(Curves._fields, numbers)))
def test_any_curves_are_judged(curves):
    """No numbers break the judgement, and what is told has numbers and advice."""
    for one in collapses(Curves(**{role: series(values, role) for role, values in curves.items()})):
        assert any(sign.isdigit() or sign in "infa" for sign in one.evidence)
        assert one.advice


@given(st.lists(st.integers(-1000, 1000), min_size=12, max_size=60), st.integers(-3, 9))
def test_scale_does_not_matter_for_a_reward(values, power):
    """A reward in other units collapses as well, or as little."""
    assert found(reward=[value * 2.0**power for value in values]) == found(reward=[float(value) for value in values])


def test_every_collapse_has_an_example():
    """None of them is untried."""
    tried = {name for _, name in OTHERS.values()} | {"reward-collapse"}
    assert {rule.name for rule in RULES} <= tried
