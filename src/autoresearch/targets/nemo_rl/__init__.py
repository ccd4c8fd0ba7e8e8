"""NeMo-RL as a target: recipes, metrics, budgets, submissions, protection and provenance."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`NemoRLTarget`, imported when asked for: `recipe show` needs `recipe` alone and must answer at once."""
    if name == "NemoRLTarget":
        from autoresearch.targets.nemo_rl.target import NemoRLTarget  # noqa: PLC0415

        return NemoRLTarget
    raise AttributeError(name)
