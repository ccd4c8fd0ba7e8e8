"""The loop for one experiment that a person or an agent drives by hand: the campaign's own moves, without new ideas.

The verdict policy decides what is run and how it is judged, exactly as for an idea of a researcher. A caller only says
which experiment it waits for, and whether that one may be judged now.
"""

from dataclasses import dataclass, replace

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import Status, Verdict
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Objective
from autoresearch.scheduling import next_move
from autoresearch.scheduling.next_move import Ask, Explore, Judge, Launch, MakeBundle, Move, Repair, Stop, Wait
from autoresearch.scheduling.stop_check import Outlook


@dataclass(frozen=True)
class Errand:
    """What a caller wants of the loop.

    Attributes:
        index: The experiment, committed.
        judge: Whether it is to be judged; else it is run until the policy would judge it.
        mended: Whether its worktree holds a fix of a trivial crash.
    """

    index: int
    judge: bool = False
    mended: bool = False

    def __call__(
        self, history: History, campaign: CampaignConfig, policy: Policy, objective: Objective, view: Outlook
    ) -> Move:
        """The campaign's next move; `Stop`, never final, when it is not for this errand."""
        entry = history.experiments[self.index]
        if entry.judged:
            return Stop(f"experiment {self.index} is judged", final=False)
        view = replace(view, asking=False)
        if self.judge:  # what was asked to end may still be judged
            history = replace(history, stop=None)
        move = next_move.next_move(history, campaign, policy, objective, view)
        if isinstance(move, Explore):
            move = next_move.next_move(history, campaign, policy, objective, replace(view, may_explore=False))
        if isinstance(move, Repair) and move.experiment != entry.name:
            return Stop(_comes_first(history.experiment(move.experiment), move.crash), final=False)
        return self._judging(entry, move) if self.judge else self._running(entry, move)

    def _running(self, entry: Experiment, move: Move) -> Move:
        match move:
            case Judge() if move.experiment == entry.name:
                return Stop(f"experiment {entry.index} is ready to be judged", final=False)
            case Repair() if move.experiment == entry.name and self.mended:
                return replace(move, by_hand=True)
            case Repair() if move.experiment == entry.name:
                return Stop(f"experiment {entry.index} crashed for a trivial reason: {move.crash}", final=False)
            case Stop():
                return replace(move, final=False)
            case _:
                return move

    def _judging(self, entry: Experiment, move: Move) -> Move:
        match move:
            case Launch() | MakeBundle() | Ask():
                wanted = getattr(move, "arm", entry.name)
                return Stop(f"the verdict policy asks for another run of {wanted} first ({_why(move)})", final=False)
            case Wait():
                return Stop(f"it has to wait: {move.why}", final=False)
            case Stop():
                return replace(move, final=False)
            case _:
                return move


@dataclass(frozen=True)
class Dropping:
    """Nothing but the end of one experiment: its runs, then its row.

    Attributes:
        index: The experiment, committed.
        reason: Why, as the row will say it.
        by: Who drops it.
    """

    index: int
    reason: str
    by: str

    def __call__(self, history: History, *_: object) -> Move:
        """Wait for its runs, discard it, stop."""
        entry = history.experiments[self.index]
        if entry.judged:
            return Stop(f"experiment {self.index} is dropped", final=False)
        if any(not run.settled for run in history.runs_of(entry.name)):
            return Wait(f"runs of experiment {self.index} are being ended")
        count = sum(run.valid for run in history.current_runs(entry.name))
        value = history.value_of(entry.name)
        return Judge(
            entry.name, Verdict(status=Status.DISCARD, reason=self.reason, value=value, runs=count, by=self.by), None
        )


def _comes_first(other: Experiment, crash: str) -> str:
    """Only whoever had the idea mends it, and none of its tries is spent on somebody else's errand."""
    mended = "fix or drop it" if other.by_hand else "its researcher repairs it, with: autoresearch run"
    return f"experiment {other.index} comes first, which crashed for a trivial reason ({crash}): {mended}"


def _why(move: Launch | MakeBundle | Ask) -> str:
    return move.question if isinstance(move, Ask) else move.why


def resume_first(history: History) -> str:
    """What has to be said before `experiment run`, where the campaign rests; empty where it does not."""
    return "autoresearch resume && " if history.stop or history.paused else ""
