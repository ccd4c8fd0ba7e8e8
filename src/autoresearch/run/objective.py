"""What a campaign is about: a metric, and which way is up."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way is up."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True)
class Objective:
    """The one number a campaign judges by.

    Attributes:
        goal: The aim in the user's words ("raise validation accuracy").
        metric: The metric in the recipe's own spelling, e.g. `val:accuracy`.
        direction: Whether more or less of it is better.
        tag: Where a logger writes it, e.g. `validation/accuracy`.
        meaning: What the number is, in words ("mean reward over the validation set").
    """

    goal: str
    metric: str
    direction: Direction = Direction.MAXIMIZE
    tag: str = ""
    meaning: str = ""

    def gain(self, value: float, over: float) -> float:
        """How much better `value` is than `over`; negative when worse, whichever way is up."""
        return value - over if self.direction is Direction.MAXIMIZE else over - value

    def better(self, value: float, over: float) -> bool:
        """Whether `value` is strictly better than `over`."""
        return self.gain(value, over) > 0

    def best(self, values: Iterable[float]) -> float:
        """The best finite value.

        Raises:
            ValueError: No finite value was given.
        """
        finite = [value for value in values if math.isfinite(value)]
        return max(finite) if self.direction is Direction.MAXIMIZE else min(finite)
