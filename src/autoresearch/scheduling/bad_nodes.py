"""Nodes that fail runs: how long they are tried, and when they are left out. Pure."""

from collections.abc import Iterable

from autoresearch.experiment.experiment import Run
from autoresearch.run.ending import Who

TWICE = 2
"""Runs in a row that a node has to fail before it is left out."""


def bad_nodes(runs: Iterable[Run]) -> dict[str, str]:
    """Nodes to leave out, each with how its last run there ended, in the order they failed.

    A run that gave a number on it clears a node. Runs over several nodes accuse none of them.
    """
    failures: dict[str, list[str]] = {}
    ended = [run for run in runs if run.settled and run.ended]
    for run in sorted(ended, key=lambda run: run.ended.at if run.ended else 0.0):
        node = run.ended.status.node if run.ended else ""
        if not node or "," in node or "[" in node:
            continue
        if run.ending is None:
            failures.pop(node, None)
        elif run.ending.who is Who.NODE:
            failures.setdefault(node, []).append(f"{run.ending.what}: {run.ending.evidence}")
    return {node: told[-1] for node, told in failures.items() if len(told) >= TWICE}
