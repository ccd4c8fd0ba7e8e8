"""Areas of ideas that have given nothing for a while, and where to look next (R114-R116)."""

from collections.abc import Collection
from dataclasses import dataclass

from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import AREAS
from autoresearch.experiment.outcome import BASELINE, Status

SETTLED = 4
"""Settled ideas of one area in a row without a keep that make a plateau."""


@dataclass(frozen=True)
class Plateau:
    """An area to leave alone for now.

    Attributes:
        area: Its name.
        ideas: The experiments settled in it since its last keep, oldest first.
    """

    area: str
    ideas: tuple[str, ...]


def plateaus(history: History) -> tuple[Plateau, ...]:
    """Areas at a plateau, in the order they came up.

    Only ideas that were tested count: one that was refused or could not be run says nothing about its area. A keep in
    the area ends the plateau.
    """
    dry: dict[str, list[str]] = {}
    for entry in history.judged:
        if entry.name == BASELINE or not history.runs_of(entry.name) or history.untested(entry.name):
            continue
        names = dry.setdefault(entry.hypothesis.area, [])
        names.append(entry.name)
        if _kept(entry):
            names.clear()
    return tuple(Plateau(area, tuple(names)) for area, names in dry.items() if len(names) >= SETTLED)


def next_area(worn: Collection[str]) -> str:
    """The area that deserves attention first (R115) among those not at a plateau; empty when none is left."""
    return next((area for area in AREAS if area not in worn), "")


def _kept(entry: Experiment) -> bool:
    return entry.verdict is not None and entry.verdict.status is Status.KEEP
