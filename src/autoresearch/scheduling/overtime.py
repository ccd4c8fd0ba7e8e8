"""When a controller ends a run itself, because the run's own supervisor should have and has not. Pure.

A supervisor is a process that the run may signal. One that is stopped, or of which nothing is heard, keeps no limit;
one that lives may be slow, on a busy machine, and gets more time.
"""

from dataclasses import dataclass

SLACK_S, PATIENCE_S = 5.0, 90.0
"""Seconds beyond limit and grace that a run has whose supervisor keeps no limit, and one whose supervisor lives."""

_SHARE = 0.05
_MOST_S = 60.0
"""That share of the limit more, at most so many seconds: nobody measures a long run to the second."""


@dataclass(frozen=True, kw_only=True)
class RunWatched:
    """A run as the controller sees it.

    Attributes:
        ran_s: Seconds that it has run by the controller's own account, without those in which all of it was stopped.
        limit_s: How long it may run, None for no limit.
        grace_s: Seconds that its end may take.
        cancelled_s: Seconds since it was told to end, None when it was not.
        deaf: Why its supervisor cannot be relied on, empty when it can.
    """

    ran_s: float
    limit_s: float | None
    grace_s: float
    cancelled_s: float | None = None
    deaf: str = ""


@dataclass(frozen=True)
class Overtime:
    """Why a run is ended over the head of its supervisor: a word of `job.ENDINGS`, and a sentence."""

    ending: str
    reason: str


def overtime(seen: RunWatched) -> Overtime | None:
    """Why the controller has to end a run itself, None while it need not."""
    why = seen.deaf or "its supervisor did not answer"
    late_s = seen.grace_s + (SLACK_S if seen.deaf else PATIENCE_S)
    if seen.cancelled_s is not None and seen.cancelled_s > late_s:
        return Overtime("cancelled", f"cancelled; {why}, so the controller ended it")
    if seen.limit_s is None or seen.ran_s <= seen.limit_s + late_s + min(_MOST_S, _SHARE * seen.limit_s):
        return None
    said = f"timed out: still running after {seen.limit_s:g} s; {why}, so the controller ended it"
    return Overtime("timed-out", said)
