"""Overnight research campaigns for RL post-training: a program that keeps the rules."""

__version__ = "0.1.0"
