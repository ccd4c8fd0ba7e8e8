"""The start of every campaign: the baseline first, and nothing without it."""

from autoresearch.experiment.board import Advice, Done, Measure, Rest
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.verdict.evidence import Evidence

_CRASHES = 2
"""A crashed baseline is tried once more, not twice."""


def opening(evidence: Evidence, wanted: int) -> Advice | None:
    """What the baseline still needs, None once ideas may be tried.

    The baseline runs alone until its first valid run. Should it crash twice without one, nothing can be judged.
    """
    arm = evidence.arm(BASELINE)
    usable = arm.runs + len(arm.weak)
    if not usable and not arm.pending and arm.failed >= _CRASHES:
        note = f" ({arm.note})" if arm.note else ""
        return Done(f"no valid baseline after {arm.failed} runs{note}; nothing can be judged without one")
    spent = evidence.board.runs_left is not None and evidence.board.runs_left <= 0
    if usable + arm.pending < _affordable(evidence, wanted) and arm.failed < _CRASHES and not spent:
        why = "the baseline, before any idea" if not usable else f"noise: baseline run {usable + 1} of {wanted}"
        return Measure(BASELINE, evidence.next_seed(BASELINE, BASELINE), Purpose.BASELINE, why)
    if usable:
        return None
    if arm.pending:
        return Rest("waiting for the first valid baseline run")
    return Done("no run is left for a valid baseline; nothing can be judged without one")


def _affordable(evidence: Evidence, wanted: int) -> int:
    """Baseline runs wanted, but at most a quarter of a small budget and one more when only plumbing can be seen."""
    if evidence.arm(BASELINE).weak and not evidence.whole_runs_exist:
        return 1
    total = evidence.board.runs_total
    if total is None or evidence.settings.baseline_runs is not None:
        return max(1, wanted)
    return max(1, min(wanted, total // 4))
