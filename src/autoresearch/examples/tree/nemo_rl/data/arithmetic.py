"""The data set: every sum of two numbers below one hundred, split once and for all."""

from dataclasses import dataclass

import numpy as np

HIGHEST = 100
SPLIT_SEED = 20_240_229
"""Fixed: what is held out must not depend on the seed of a training run."""


@dataclass(frozen=True)
class Problems:
    """Addition problems, as two columns of summands of shape [problems]."""

    first: np.ndarray
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: np.ndarray | slice) -> "Problems":
        """The problems in the given rows, in that order."""
        return Problems(self.first[rows], self.second[rows])

    def repeat(self, times: int) -> "Problems":
        """Each problem `times` times in a row, as the members of its group."""
        return Problems(np.repeat(self.first, times), np.repeat(self.second, times))

    def question(self, row: int) -> str:
        """The prompt as text."""
        return f"What is {self.first[row]} + {self.second[row]}?"

    def digits(self) -> np.ndarray:
        """The four input digits of each problem, tens before units: integers of shape [problems, 4]."""
        return np.stack([self.first // 10, self.first % 10, self.second // 10, self.second % 10], axis=1)


def load_arithmetic(split_validation_size: float) -> tuple[Problems, Problems]:
    """All problems in a fixed random order, cut into a training and a validation part.

    Args:
        split_validation_size: Share of the problems that is held out, between 0 and 1.
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(HIGHEST * HIGHEST)
    everything = Problems(order // HIGHEST, order % HIGHEST)
    held_out = round(len(everything) * split_validation_size)
    return everything.take(slice(held_out, None)), everything.take(slice(0, held_out))
