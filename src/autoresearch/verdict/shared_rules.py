"""Rules that every policy shares: the end of ideas that numbers do not decide, exceptions, and a verdict in writing."""

from autoresearch.experiment.board import Idea
from autoresearch.experiment.outcome import Status, Verdict
from autoresearch.verdict.arms import Arm, Effect, counted
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import mean

FLAT = 1.28
"""Within this many standard errors of zero a gain is flat (R106, R107): 80 % of no-change comparisons are."""

COMPLEX = 50
"""Lines and keys added beyond which a gain must exceed the declared worth, or one standard error (R110)."""

CLEAR = 1.645
"""Standard errors from which a gain is clear: its 90 % interval excludes zero."""

UNSTABLE = 2.5
"""An idea whose own runs scatter by this many times the campaign's noise is unstable (R109)."""


def verdict(
    evidence: Evidence, arm: str, status: Status, reason: str, effect: Effect | None = None, *, by: str
) -> Verdict:
    """A verdict with its evidence, in the metric's own unit and direction for `value`, in gain for `effect`."""
    runs = evidence.arm(arm)
    weak = [trial.value for trial in runs.weak if trial.value is not None]
    value = evidence.sign * runs.level if runs.runs else mean(weak) if weak else None
    if effect is None:
        return Verdict(status=status, reason=reason, value=value, runs=runs.runs + len(weak), by=by)
    return Verdict(
        status=status,
        reason=reason,
        value=value,
        effect=effect.gain,
        low=effect.low,
        high=effect.high,
        runs=effect.runs,
        by=by,
    )


def without_numbers(evidence: Evidence, idea: Idea, by: str) -> Verdict | None:
    """The verdict when no run may be judged by, None when one may or when its runs are still to come."""
    arm = evidence.arm(idea.name)
    if idea.broken:
        status = Status.DISCARD if idea.fatal else Status.CRASH
        return verdict(evidence, idea.name, status, f"no run was possible: {idea.broken}", by=by)
    if arm.runs or arm.pending or not (arm.failed or arm.weak):
        return None
    if arm.weak:
        return _weak(evidence, idea, arm, by)
    note = f": {arm.note}" if arm.note else ""
    if idea.untested:
        return verdict(evidence, idea.name, Status.CRASH, f"could not be tested{note}", by=by)
    if idea.fatal:
        return verdict(evidence, idea.name, Status.DISCARD, f"the idea itself caused the failure{note}", by=by)
    return verdict(evidence, idea.name, Status.CRASH, f"no valid metric in {counted(arm.failed)}{note}", by=by)


def _weak(evidence: Evidence, idea: Idea, arm: Arm, by: str) -> Verdict:
    """Plumbing never discards (R113); a run that did not finish where the baseline did is an overrun (R98)."""
    if any(trial.plumbing for trial in arm.weak):
        reason = "it runs, but the run is too small to judge the idea; the incumbent stays"
        return verdict(evidence, idea.name, Status.KEEP, reason, by=by)
    note = next((f": {trial.note}" for trial in arm.weak if trial.note), "")
    reason = f"it ended before its last step while the baseline did not{note}"
    return verdict(evidence, idea.name, Status.DISCARD, reason, by=by)


def never_run(evidence: Evidence, idea: Idea, by: str) -> Verdict:
    """The budget ended first: no valid metric was produced (R112)."""
    return verdict(evidence, idea.name, Status.CRASH, "the run budget ended before its first run", by=by)


def tolerance(evidence: Evidence, effect: Effect) -> float:
    """Loss that is forgiven to a simpler or an unlocking change: the declared worth, else one standard error."""
    worth = evidence.settings.worth
    return max(0.0, worth) if worth is not None else (effect.error or 0.0)


def excuse(evidence: Evidence, idea: Idea, effect: Effect) -> str:
    """Why a change without a clear gain is kept all the same (R106, R107), empty when it is not."""
    if effect.z < -FLAT or effect.gain < -tolerance(evidence, effect):
        return ""
    if idea.simplifies:
        return "no difference, but simpler"
    return "no difference, but later ideas need it" if idea.unlocks else ""


def objection(evidence: Evidence, idea: Idea, arm: str, effect: Effect) -> str:
    """Why a change that looks better is discarded all the same (R109, R110), empty when it is not."""
    if effect.z >= CLEAR:
        return ""
    runs = evidence.arm(arm)
    failed = runs.failed - runs.excused
    if failed and runs.runs:
        tries = failed + runs.runs
        return f"unstable: {failed} of {tries} runs gave no metric, and the gain is not clear"
    if _scatters(evidence, runs):
        return f"unstable: its runs scatter over {UNSTABLE:g} times the noise, and the gain is not clear"
    if idea.complexity > COMPLEX and effect.gain <= tolerance(evidence, effect):
        return f"{idea.complexity} more lines and keys without a clear benefit"
    return ""


def _scatters(evidence: Evidence, runs: Arm) -> bool:
    if runs.runs < 3 or not evidence.sigma:
        return False
    centre = runs.level
    square = sum((value - centre) * (value - centre) for value in runs.values.values()) / (runs.runs - 1)
    return square > UNSTABLE * UNSTABLE * evidence.sigma * evidence.sigma
