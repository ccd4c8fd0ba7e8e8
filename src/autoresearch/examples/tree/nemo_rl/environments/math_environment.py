"""The verifier: an answer is right or wrong, nothing in between."""

from typing import TypedDict

import numpy as np

from nemo_rl.data.arithmetic import Problems
from nemo_rl.data.tokenizer import EOS


class MathEnvConfig(TypedDict):
    """Section `env.math` of a recipe."""

    num_workers: int


class MathEnvironment:
    """Rewards 1.0 for the exact sum followed by the end token, else 0.0."""

    def __init__(self, config: MathEnvConfig) -> None:
        self.config = config

    def step(self, problems: Problems, tokens: np.ndarray) -> np.ndarray:
        """Verify one answer per problem.

        Args:
            problems: The questions, N of them.
            tokens: Generated token ids of shape [N, longest answer]; whatever follows an end token is ignored.

        Returns:
            Rewards of shape [N].
        """
        written = np.zeros(len(problems), dtype=np.int64)
        num_digits = np.zeros(len(problems), dtype=np.int64)
        running = np.ones(len(problems), dtype=bool)
        for column in tokens.T:
            running &= column != EOS
            written = np.where(running, written * 10 + column, written)
            num_digits += running
        total = problems.first + problems.second
        spelled_plainly = num_digits == np.where(total >= 100, 3, np.where(total >= 10, 2, 1))
        return ((written == total) & spelled_plainly & ~running).astype(np.float64)

    def feedback(self, reward: float) -> str:
        """What the environment says back in a transcript."""
        return "Environment: correct" if reward == 1.0 else "Environment: incorrect"

    def shutdown(self) -> None:
        """Say good-bye the way a remote environment does."""
        print("🛑 Shutting down environment math...")
