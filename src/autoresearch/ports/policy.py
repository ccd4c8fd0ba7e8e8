"""The port of policies: what says which runs are worth making and what they mean."""

from typing import Protocol, runtime_checkable

from autoresearch.experiment.board import Advice, Board, PolicySettings


class Policy(Protocol):
    """Decides what to run next and when an experiment is judged. Pure: the same board gives the same advice."""

    @property
    def name(self) -> str:
        """What the campaign file calls it."""
        ...

    def baseline_runs(self, settings: PolicySettings) -> int:
        """Number of baseline runs wanted before the first idea."""
        ...

    def advise(self, board: Board) -> Advice:
        """Say the single next thing to do; called again after it is done, until `Rest` or `Done`."""
        ...


@runtime_checkable
class Estimating(Protocol):
    """Optional: a policy that can say beforehand what ideas will cost, for a plan to show."""

    def exploring(self, experiments: int, settings: PolicySettings) -> tuple[int, int]:
        """Runs that so many ideas take at least and at most, baseline and fresh seeds not counted."""
        ...


@runtime_checkable
class Telling(Protocol):
    """Optional: a policy that does other than its name says under some stop rules, for a plan to say so."""

    def told(self, *, counted: bool) -> str:
        """What it does, in words; `counted`: the stop rule counts ideas. Empty for nothing to say."""
        ...
