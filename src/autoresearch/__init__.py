"""Overnight research campaigns for RL post-training: a program that enforces the rules."""

from autoresearch.version import __version__

__all__ = ["__version__"]
