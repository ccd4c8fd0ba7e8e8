"""Overnight research campaigns for RL post-training: a program that enforces the rules."""

__version__ = "0.2.0"
