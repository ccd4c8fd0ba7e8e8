"""What the engine can be told to do next: one frozen value per move, made by `plan.next_move`."""

from dataclasses import dataclass

from autoresearch.experiment.outcome import Purpose, Verdict
from autoresearch.scheduling.yardstick import Remeasure


@dataclass(frozen=True)
class OpenBaseline:
    """Make the baseline's branch: an empty, signed-off commit on the base commit."""


@dataclass(frozen=True)
class Explore:
    """Ask a researcher for one hypothesis on top of `parent` and commit it."""

    parent: str
    why: str


@dataclass(frozen=True)
class Reopen:
    """Finish an attempt that has its index but no commit yet (a crash of ours came between)."""

    index: int


@dataclass(frozen=True)
class Launch:
    """Start one run of `arm`."""

    arm: str
    seed: int
    purpose: Purpose
    why: str


@dataclass(frozen=True)
class Bundle:
    """Merge several experiments on one branch."""

    name: str
    ideas: tuple[str, ...]
    parent: str
    why: str


@dataclass(frozen=True)
class Judge:
    """Write the verdict of `experiment` down for good."""

    experiment: str
    verdict: Verdict
    incumbent: str | None


@dataclass(frozen=True)
class StepBack:
    """Record that `arm` is no longer the incumbent: later ideas start from `incumbent`."""

    arm: str
    incumbent: str
    why: str


@dataclass(frozen=True)
class Repair:
    """Let the researcher mend a trivial crash of `experiment` on its branch, then run it again."""

    experiment: str
    crash: str
    by_hand: bool = False
    """Whether whoever opened it by hand has mended it in their worktree."""


@dataclass(frozen=True)
class Ask:
    """Ask a person whether a launch may go ahead; it waits until they answer."""

    request: str
    arm: str
    question: str
    gpu_hours: float


@dataclass(frozen=True)
class CancelAll:
    """End every run in flight: a person asked to stop now."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do until a run ends or a person speaks."""

    why: str


@dataclass(frozen=True)
class Stop:
    """The campaign is over, or a person asked for its end. `final` tells the first from the second."""

    reason: str
    final: bool = True


Move = (
    OpenBaseline | Explore | Reopen | Launch | Bundle | Remeasure | Judge | StepBack | Repair | Ask
    | CancelAll | Wait | Stop
)  # fmt: skip
