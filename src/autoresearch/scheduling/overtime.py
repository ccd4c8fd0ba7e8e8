"""Runs that take longer than they may: what a plan says of them, and when a controller ends one itself. Pure.

A controller ends a run itself because the run's own supervisor should have and has not.

A supervisor is a process that the run may signal. One that is stopped, or of which nothing is heard, keeps no limit;
one that lives may be slow, on a busy machine, and gets more time.
"""

import math
from dataclasses import dataclass

from autoresearch.config.duration import span
from autoresearch.ports.target import Survey

SLACK_S, PATIENCE_S = 5.0, 90.0
"""Seconds beyond limit and grace that a run has whose supervisor keeps no limit, and one whose supervisor lives."""

_SHARE = 0.05
_MOST_S = 60.0
"""That share of the limit more, at most so many seconds: nobody measures a long run to the second."""

_SAVING = 0.05
"""Share of a run's limit that the last save and validation take."""


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


def whole(survey: Survey) -> float:
    """Minutes that all steps of a run take by the pace expected, 0 when that is not known."""
    return (survey.setup_minutes or 0.0) + (survey.steps or 0) * (survey.step_minutes or 0.0) if survey.steps else 0.0


def cut(survey: Survey, cap: float) -> str:
    """How early a run that lasts `cap` minutes may end, and what that makes of it; in words.

    The pace expected is a bound: a run gets at least so far.
    """
    if not survey.step_minutes:
        return ""
    of = f" of {survey.steps}" if survey.steps else ""
    told = [f", as early as after {_reached(survey, cap)}{of} steps by the slowest pace expected"]
    if found := _numberless(survey, cap):
        told.append(found)
    elif _reached(survey, cap) < survey.least_steps:
        told.append(f"fewer than {survey.least_steps} steps judge no idea")
    return "; ".join(told)


def numberless(survey: Survey, cap_s: float | None) -> str:
    """Why runs that end after `cap_s` seconds, or as the recipe says, have no number; empty when they have one."""
    if survey.minutes is None:
        return ""
    capped = cap_s is not None and survey.minutes * 60 > cap_s
    if not capped and whole(survey) <= survey.minutes + 1:
        return ""
    return _numberless(survey, cap_s / 60 if capped and cap_s is not None else survey.minutes)


def _reached(survey: Survey, cap: float) -> int:
    return max(0, int((cap - (survey.setup_minutes or 0.0)) / survey.step_minutes)) if survey.step_minutes else 0


def _numberless(survey: Survey, cap: float) -> str:
    first = survey.first_value
    if not survey.step_minutes or (first is not None and _reached(survey, cap) >= first):
        return ""
    when = "only after the last step" if first is None else f"first after step {first}"
    metric = survey.objective.metric
    return f"{metric} exists {when}, and a run cut before that has no number and is a crash; " + _length_that_fits(
        survey, cap
    )


def _length_that_fits(survey: Survey, cap: float) -> str:
    """The number of steps that ends in time, validated at its end; what a run needs at least where none does."""
    start, step = survey.setup_minutes or 0.0, survey.step_minutes or 0.0
    fits, least = int((cap * (1 - _SAVING) - start) / step), max(survey.least_steps, 1)
    if fits >= least:
        return f"--set target.steps={fits} ends in time, with a value after its last step"
    needed = (start + least * step) / (1 - _SAVING)
    return f"no length fits: {least} steps, the fewest that judge an idea, want 'each' {span(math.ceil(needed) * 60)}"
