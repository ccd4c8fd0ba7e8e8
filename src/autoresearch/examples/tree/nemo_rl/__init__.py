"""A small reinforcement learning trainer in the shape of NeMo-RL: same recipes, same logs, numpy underneath."""

__version__ = "0.1.0"
