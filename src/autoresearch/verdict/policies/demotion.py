"""An incumbent that further runs do not bear out: later ideas start from what it was built on."""

from autoresearch.experiment.board import Demote
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.verdict import words
from autoresearch.verdict.evidence import UNSELECTED, Evidence
from autoresearch.verdict.shared_rules import FLAT

MARGIN = 0.5
"""Standard errors below which an incumbent is taken back; at zero, two in five of those taken back were true gains."""


def demotion(evidence: Evidence) -> Demote | None:
    """Take the incumbent back when, with an unselected run counted, it looks worse than its parent or the baseline.

    Levels are credited, and credit fades as unselected runs arrive, so what is compared is the best guess of either; it
    must be `MARGIN` standard errors below, for a change that is flat costs nothing, and taking back a true gain does. A
    change that was kept without a gain (flat and simpler, needed later) must be as far below as no flat one is.
    """
    board = evidence.board
    arm = board.incumbent
    if arm == BASELINE or evidence.arm(arm).pending:
        return None
    if not any(t.arm == arm and t.purpose in UNSELECTED and t.value is not None for t in board.trials):
        return None
    for rival in dict.fromkeys((evidence.parent(arm), BASELINE)):
        if _stands(evidence, rival) and (lost := _lost(evidence, arm, rival)):
            return Demote(arm, rival, lost)
    return None


def _stands(evidence: Evidence, arm: str) -> bool:
    """Whether an arm may be built upon: the baseline, a bundle that ran, an idea that was kept."""
    if arm not in evidence.ideas:
        return arm == BASELINE or arm in evidence.bundles
    verdict = evidence.ideas[arm].verdict
    return verdict is not None and verdict.status is Status.KEEP


def _lost(evidence: Evidence, arm: str, rival: str) -> str:
    """Why the arm is no better than `rival`, empty when it is or when that cannot be told."""
    ours, theirs, effect = evidence.credited(arm), evidence.credited(rival), evidence.compare(arm, rival)
    if ours is None or theirs is None or effect is None or effect.error is None:
        return ""
    margin = MARGIN if _kept_for_its_gain(evidence, arm) else FLAT
    if ours - theirs > -margin * effect.error:
        return ""
    return f"after further runs it is {words.gain(effect)} against {rival}, less after correcting for selection"


def _kept_for_its_gain(evidence: Evidence, arm: str) -> bool:
    verdicts = [evidence.ideas[idea].verdict for idea in evidence.adds(arm) if idea in evidence.ideas]
    return any(v is not None and v.effect is not None and v.effect > 0 for v in verdicts)
