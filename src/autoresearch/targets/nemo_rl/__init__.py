"""NeMo-RL as a target: recipes, metrics, budgets, submissions, protection and provenance."""

from autoresearch.targets.nemo_rl.target import NemoRLTarget

__all__ = ["NemoRLTarget"]
