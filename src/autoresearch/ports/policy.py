"""The port of policies: what says which runs are worth making and what they mean."""

from typing import Protocol

from autoresearch.experiment.board import Advice, Board, PolicySettings


class Policy(Protocol):
    """Decides what to run next and when an experiment is judged. Pure: the same board gives the same advice."""

    name: str

    def baseline_runs(self, settings: PolicySettings) -> int:
        """Number of baseline runs wanted before the first idea."""
        ...

    def advise(self, board: Board) -> Advice:
        """Say the single next thing to do; called again after it is done, until `Rest` or `Done`."""
        ...
