"""A pole is balanced by a small network that learns by policy gradient: `python train.py SEED`.

Dynamics and constants of the cart and pole: A. G. Barto, R. S. Sutton, C. W. Anderson, IEEE Transactions on Systems,
Man, and Cybernetics 13, 1983, with the frictionless equations of R. V. Florian, 2005. The learner is REINFORCE
(R. J. Williams, Machine Learning 8, 1992) with Adam; settings are in config.json. Numpy only; all
episodes of an update run side by side.
"""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, STEP_S = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
MOST_ANGLE, MOST_PLACE = 12 * math.pi / 180, 2.4
EXAM = 100
"""Episodes of the final exam."""


def train(config: Mapping[str, Any], seed: int) -> float:
    """Mean length of the exam's episodes, in steps, after training with a seed."""
    dice = np.random.default_rng(seed)
    weights = [
        config["init_scale"] * dice.standard_normal(shape) / math.sqrt(shape[0])
        for shape in ((4, config["hidden"]), (config["hidden"], 1))
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for update in range(1, config["updates"] + 1):
        slopes = _slopes(weights, config, dice)
        size = math.sqrt(sum(float((slope**2).sum()) for slope in slopes)) or 1.0
        scale = min(1.0, config["max_grad_norm"] / size)
        for at, slope in enumerate(slopes):
            first[at] = config["momentum"] * first[at] + (1 - config["momentum"]) * scale * slope
            second[at] = 0.99 * second[at] + 0.01 * (scale * slope) ** 2
            mean, square = first[at] / (1 - config["momentum"] ** update), second[at] / (1 - 0.99**update)
            weights[at] += config["lr"] * mean / (np.sqrt(square) + 1e-8)
    return float(_play(weights, EXAM, config["max_steps"], dice)[2].sum(0).mean())


def _slopes(weights: list[Any], config: Mapping[str, Any], dice: np.random.Generator) -> list[Any]:
    """Gradient of the expected return, and of entropy at its price, from one batch of episodes."""
    states, pushes, alive = _play(weights, config["episodes"], config["max_steps"], dice)
    returns = np.zeros_like(alive)
    ahead = np.zeros(alive.shape[1])
    for step in reversed(range(len(alive))):
        ahead = alive[step] * (1 + config["gamma"] * ahead)
        returns[step] = ahead
    count = alive.sum()
    if config["baseline"] != "none":
        returns = returns - (returns * alive).sum() / count
    if config["baseline"] == "standard":
        returns = returns / (math.sqrt(float((returns**2 * alive).sum() / count)) + 1e-8)
    hidden = np.tanh(states @ weights[0])
    logit = (hidden @ weights[1])[..., 0]
    chance = _squashed(logit)
    slope = alive * (returns * (pushes - chance) - config["entropy"] * logit * chance * (1 - chance)) / count
    back = slope[..., None] * weights[1][:, 0] * (1 - hidden**2)
    return [np.einsum("tei,teh->ih", states, back), np.einsum("teh,te->h", hidden, slope)[:, None]]


def _play(weights: list[Any], episodes: int, most: int, dice: np.random.Generator) -> tuple[Any, Any, Any]:
    """States, pushes to the right (1) or left (0), and whether the pole stood, step by step and side by side."""
    state = dice.uniform(-0.05, 0.05, (episodes, 4))
    up = np.ones(episodes)
    states, pushes, alive = [], [], []
    for _ in range(most):
        chance = _squashed((np.tanh(state @ weights[0]) @ weights[1])[:, 0])
        push = (dice.random(episodes) < chance).astype(float)
        states.append(state)
        pushes.append(push)
        alive.append(up)
        state = _moved(state, push)
        up = up * (np.abs(state[:, 0]) < MOST_PLACE) * (np.abs(state[:, 2]) < MOST_ANGLE)
        if not up.any():
            break
    return np.array(states), np.array(pushes), np.array(alive)


def _squashed(logit: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))


def _moved(state: Any, push: Any) -> Any:
    _, speed, angle, turning = state.T
    sine, cosine, mass = np.sin(angle), np.cos(angle), CART + POLE
    pulled = (FORCE * (2 * push - 1) + POLE * HALF_LENGTH * turning**2 * sine) / mass
    twist = (GRAVITY * sine - cosine * pulled) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / mass))
    thrust = pulled - POLE * HALF_LENGTH * twist * cosine / mass
    return state + STEP_S * np.array([speed, thrust, turning, twist]).T


if __name__ == "__main__":
    settings = json.loads(Path(__file__).with_name("config.json").read_text())
    print(f"mean_steps: {train(settings, int(sys.argv[1])):.4f}")
