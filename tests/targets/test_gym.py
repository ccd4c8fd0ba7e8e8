"""Agentic recipes: what NeMo-RL refuses of them is told by the plan, and their curves show what ails them."""

import pytest

from autoresearch.experiment.hypothesis import Facts
from autoresearch.experiment.recipe_rules import refused_at_start
from autoresearch.run.measurement import Readings, Series
from autoresearch.targets.nemo_rl.health import health

GYM, PLAIN = frozenset({"grpo", "vllm", "gym"}), frozenset({"grpo", "vllm"})
ONE = GYM | {"single-controller"}
SAMPLED = {"policy.generation.temperature": 1.0, "policy.generation.val_temperature": 0.6}


@pytest.mark.parametrize(
    ("traits", "values", "said"),
    [
        (GYM, {"grpo.max_val_samples": 64}, "run_grpo_nemo_gym.py:206"),
        (GYM, {"policy.generation.top_k": 20}, "rollouts.py:2373"),
        (ONE, {"grpo.max_rollout_turns": 6}, "rollout_manager.py:814"),
        (ONE, {"policy.generation.backend": "megatron"}, "setup.py:577"),
        (PLAIN, {"grpo.invalid_tool_call_advantage": -1.0}, "grpo.py:1958"),
        (PLAIN, {"reward_penalties.penalize_empty_final_answer": True}, "grpo.py:1958, 1980"),
        (PLAIN, SAMPLED, "grpo.py:512"),
    ],
)
def test_what_a_run_would_be_refused_for_is_told_with_its_line(traits, values, said):
    """One sentence of the plan, with where NeMo-RL checks it."""
    (told,) = refused_at_start(values, Facts(values, traits))
    assert said in told


@pytest.mark.parametrize(
    ("traits", "values"),
    [
        (GYM, SAMPLED),
        (GYM, {"grpo.max_val_samples": None, "grpo.invalid_tool_call_advantage": -1.0}),
        (PLAIN, {"grpo.max_val_samples": 64, "policy.generation.top_k": 20, "grpo.max_rollout_turns": 50}),
        (ONE, {"grpo.max_rollout_turns": 1, "policy.generation.backend": "vllm"}),
    ],
)
def test_what_it_takes_is_not_told_of(traits, values):
    """A penalty under NeMo-Gym, a sampling of its own for validation, turns of a game."""
    assert refused_at_start(values, Facts(values, traits)) == ()


def shown(curves):
    """Names of symptoms of a run with these values by tag."""
    series = {tag: Series.of(tag, enumerate(made)) for tag, made in curves.items()}
    return {one.name for one in health("", {"tensorboard": Readings(series)})}


def test_calls_that_are_never_carried_out_are_a_symptom():
    """From a fifth of the messages on."""
    assert "bad-tool-calls" in shown({"train/invalid_tool_call_rate": [0.1] * 5 + [0.4] * 5})
    assert "bad-tool-calls" not in shown({"train/invalid_tool_call_rate": [0.4] * 5 + [0.1] * 5})


def test_turns_that_earn_nothing_are_a_symptom():
    """While the reward rises with them they are none."""
    turns = [2.0] * 5 + [6.0] * 5
    assert "more-turns" in shown({"train/avg_turns_per_sample": turns, "train/reward": [0.3] * 10})
    assert "more-turns" not in shown({"train/avg_turns_per_sample": turns, "train/reward": [0.3] * 5 + [0.5] * 5})


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", True),
        ("def setup(config):\n    assert config['generation'].get('val_temperature') is None\n", True),
        ("def setup(config):\n    assert config['generation']['temperature'] > 0\n", False),
        ("def validate(config):\n    return sample(config['generation']['val_temperature'])\n", False),
    ],
)
def test_a_check_that_the_code_cannot_have_is_not_told_of(code, told):
    """An older NeMo-RL does not know the key, another trainer of that name checks nothing: neither refuses the run."""
    assert bool(refused_at_start(SAMPLED, Facts(SAMPLED, PLAIN), code=lambda _path: code)) is told
