"""Experiments, their runs, and the verdict on them."""

from dataclasses import dataclass
from enum import StrEnum

BASELINE = "baseline"
"""Name of the first experiment, the unmodified recipe, and of its arm."""


class Status(StrEnum):
    """The verdict on an experiment; these three words and no other (R90)."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"


class Purpose(StrEnum):
    """Why a run is made."""

    BASELINE = "baseline"
    EXPLORE = "explore"
    REPEAT = "repeat"
    """Another seed for an experiment whose verdict is open."""
    ANCHOR = "anchor"
    """The baseline or the incumbent once more: noise, drift, and a bar that luck cannot hold."""
    SCREEN = "screen"
    """A bundle of several ideas, one row of a two-level design."""
    CONFIRM = "confirm"
    """A fresh seed that chose nothing; only these carry a claim."""
    ABLATE = "ablate"
    """The winner with one kept change left out."""
    CANARY = "canary"
    """The incumbent once more, to see whether the machine is well; its number judges nothing."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judgement on one experiment.

    Attributes:
        status: `keep`, `discard` or `crash`.
        reason: Why, in words, with the numbers that decided.
        value: Mean of the metric over the experiment's valid runs, None without one.
        effect: Estimated gain against the parent in the better direction, None without a comparison.
        low: Lower end of the 90 % interval of `effect`.
        high: Upper end of the 90 % interval of `effect`.
        runs: Number of runs the judgement rests on.
        by: Who judged: the policy's name, or a person.
    """

    status: Status
    reason: str
    value: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    by: str = ""


WELL = "the machine is well"
"""How the reason of a canary that has come far enough begins."""

CALLS = "calls"
"""The detail of a note that a person would want to be called for: it says by what, as in `disk`."""

NO_CLOCK = "no progress clock"
"""How the note begins that a run which hangs cannot be told from one that works."""

WORD = "hopeless"
"""How the reason of a run that was given up begins."""

NEVER = "never begun, its launcher waits for what cannot come by itself"
"""How the reason of a run that was cancelled in the queue begins."""
