"""AdamW, gradient clipping and learning rate schedules."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nemo_rl.models.network import Weights


class AdamW:
    """Adam with decoupled weight decay (https://arxiv.org/abs/1711.05101, algorithm 2).

    Its moments have the precision of the weights.
    """

    def __init__(self, weights: Weights, lr: float, weight_decay: float, betas: Sequence[float], eps: float) -> None:
        self.base_lr, self.weight_decay, self.betas, self.eps = lr, weight_decay, tuple(betas), eps
        self.updates = 0
        self._mean = {name: np.zeros_like(value) for name, value in weights.items()}
        self._square = {name: np.zeros_like(value) for name, value in weights.items()}

    def step(self, weights: Weights, gradient: Weights, lr: float) -> None:
        """Change `weights` in place along a gradient, at the given learning rate."""
        self.updates += 1
        fast, slow = self.betas
        correction = math.sqrt(1 - slow**self.updates) / (1 - fast**self.updates)
        for name, value in weights.items():
            slope, mean, square = gradient[name], self._mean[name], self._square[name]
            mean += (1 - fast) * (slope - mean)
            square += (1 - slow) * (slope * slope - square)
            value -= lr * (correction * mean / (np.sqrt(square) + self.eps) + self.weight_decay * value)

    def state(self) -> dict[str, np.ndarray]:
        """Everything a resumed run needs, as named arrays."""
        moments = {f"mean.{name}": value for name, value in self._mean.items()}
        moments |= {f"square.{name}": value for name, value in self._square.items()}
        return moments | {"updates": np.array([self.updates])}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
        self.updates = int(state["updates"][0])
        self._mean = {name: state[f"mean.{name}"] for name in self._mean}
        self._square = {name: state[f"square.{name}"] for name in self._square}

    @property
    def nbytes(self) -> int:
        """Memory of both moments in bytes."""
        return sum(value.nbytes for value in (*self._mean.values(), *self._square.values()))


def clip_gradient(gradient: Weights, max_norm: float | None) -> float:
    """Scale a gradient in place to at most `max_norm`; returns its norm before that."""
    norm = float(np.sqrt(sum(np.sum(np.square(value, dtype=np.float64)) for value in gradient.values())))
    if max_norm is not None and not norm <= max_norm:
        for value in gradient.values():
            value *= max_norm / norm
    return norm


def schedule_factor(scheduler: Sequence[Mapping[str, Any]] | None, step: int) -> float:
    """Factor on the learning rate at a training step.

    Args:
        scheduler: The list `policy.scheduler` of a recipe: stages, then the `milestones` between them; None is constant.
        step: Steps taken so far.

    Raises:
        ValueError: A stage is of an unknown kind.
    """
    if not scheduler:
        return 1.0
    stages = [stage for stage in scheduler if "name" in stage]
    milestones = next((list(stage["milestones"]) for stage in scheduler if "milestones" in stage), [])
    current = sum(step >= milestone for milestone in milestones)
    begin = milestones[current - 1] if current else 0
    return _stage_factor(stages[min(current, len(stages) - 1)], step - begin)


def _stage_factor(stage: Mapping[str, Any], step: int) -> float:
    kwargs = stage["kwargs"]
    match stage["name"].rsplit(".", 1)[-1]:
        case "LinearLR":
            share = min(1.0, step / kwargs["total_iters"])
            return kwargs["start_factor"] + share * (kwargs["end_factor"] - kwargs["start_factor"])
        case "ConstantLR":
            return kwargs["factor"] if step < kwargs["total_iters"] else 1.0
        case unknown:
            raise ValueError(f"unknown learning rate schedule {unknown!r}: LinearLR and ConstantLR are known")
