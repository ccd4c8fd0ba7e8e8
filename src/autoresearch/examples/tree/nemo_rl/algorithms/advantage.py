"""Advantages relative to a group of answers to the same prompt (GRPO, https://arxiv.org/abs/2402.03300)."""

from typing import TypedDict

import numpy as np


class AdvantageConfig(TypedDict):
    """Section `grpo.adv_estimator` of a recipe."""

    name: str
    normalize_rewards: bool
    use_leave_one_out_baseline: bool


def group_advantages(rewards: np.ndarray, config: AdvantageConfig) -> np.ndarray:
    """Advantage of each answer over its group.

    Args:
        rewards: Shape [prompts, generations].
        config: Whether the baseline leaves the answer itself out, and whether to divide by the group's deviation.

    Returns:
        Advantages of shape [prompts, generations]; zero where all answers of a group earn the same.

    Raises:
        ValueError: A leave-one-out baseline was asked for groups of one.
    """
    generations = rewards.shape[1]
    baseline = rewards.mean(axis=1, keepdims=True)
    if config["use_leave_one_out_baseline"]:
        if generations < 2:
            raise ValueError("use_leave_one_out_baseline needs num_generations_per_prompt of at least 2")
        baseline = (rewards.sum(axis=1, keepdims=True) - rewards) / (generations - 1)
    advantages = rewards - baseline
    if config["normalize_rewards"]:
        deviation = rewards.std(axis=1, keepdims=True, ddof=min(1, generations - 1))
        advantages = np.divide(advantages, deviation, out=np.zeros_like(advantages), where=deviation > 0)
    return advantages


def baseline_shares(rewards: np.ndarray) -> dict[str, float]:
    """Percentage of groups that all fail, all succeed, or carry a signal."""
    means = rewards.mean(axis=1)
    failed, solved = float(np.mean(means == 0) * 100), float(np.mean(means == 1) * 100)
    return {
        "baseline_reward/pct_0": failed,
        "baseline_reward/pct_1": solved,
        "baseline_reward/pct_mixed": 100 - failed - solved,
    }
