"""Runs kept for fresh seeds at the end, and with them how many may still go into exploring.

Before each idea that would go into them it is asked how likely the proof is to succeed with the runs that are left. A
reserve without power goes into ideas: a proof that fails says no more than none.
"""

import math

from autoresearch.experiment.board import Board, Trial
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.verdict.claims import effect_spread
from autoresearch.verdict.evidence import FRESH, Evidence
from autoresearch.verdict.power import MOST_PAIRS, proof_chance, share

PAIRS = 3
"""Fresh pairs of incumbent and baseline wanted at least, where runs are left for them."""

LEAST = 2
"""Fresh pairs that runs are always kept for: one alone would not show that a run of it collapsed."""

SURE = 3.5
"""Standard errors of the campaign's whole gain that its fresh pairs are meant to give, were it as large as it seems."""

HOPE = 0.2
"""Chance that the proof succeeds below which nothing is kept for it."""


def reserve(evidence: Evidence) -> int:
    """Runs kept for the end: what it takes to prove the gain as it now seems, the campaign file's share at most.

    Where noise is small beside what was found, two pairs do, and the rest of the share goes into ideas. So does all of
    it while nothing was found that the runs left could prove.
    """
    most = largest_reserve(evidence)
    if not most:
        return 0
    wanted = min(most, 2 * pairs_needed(evidence))
    if evidence.repeatable:
        return 1
    if any(trial.purpose is Purpose.CONFIRM for trial in evidence.board.trials[-2 * MOST_PAIRS :]):
        return wanted
    left = evidence.board.runs_left
    pairs = (wanted if left is None else min(wanted, left)) // 2
    return wanted if chance_of_proof(evidence, pairs) >= HOPE else 0


def chance_of_proof(evidence: Evidence, pairs: int) -> float:
    """How likely so many fresh pairs prove the campaign's gain, as the runs that chose show it; 0 with nothing kept."""
    board = evidence.board
    base, best, sigma = evidence.arm(BASELINE), evidence.credited(board.incumbent), evidence.sigma
    if board.incumbent == BASELINE or best is None or not base.runs or not pairs:
        return 0.0
    if not sigma:
        return 1.0
    unsure = sigma * math.sqrt(1 / base.runs + 1 / evidence.arm(board.incumbent).runs)
    spread = effect_spread(evidence) * max(1, len(evidence.held))
    freedom = evidence.noise.freedom + 2 * pairs
    return evidence.answers.of(proof_chance, best - base.level, unsure, sigma * math.sqrt(2 / pairs), freedom, spread)


def largest_reserve(evidence: Evidence) -> int:
    """The campaign file's share of the run budget: one pair at least where it allows two runs."""
    total = evidence.board.runs_total
    if total is None and evidence.board.runs_left is not None:
        total = evidence.board.runs_left + len(evidence.board.trials)
    return 0 if total is None else share(total, evidence.settings)


def spares(evidence: Evidence, runs: int) -> bool:
    """Whether so many runs may go into exploring, those kept for fresh seeds set aside."""
    left = evidence.board.runs_left
    if left is None or left - runs >= largest_reserve(evidence):
        return True
    return left - runs >= reserve(evidence)


def coming(evidence: Evidence) -> int | None:
    """Ideas that are still to be proposed at most, None when nothing counts them."""
    board = evidence.board
    return board.ideas_left if board.may_explore and not board.no_more_ideas else 0


def affords(evidence: Evidence, runs: int) -> bool:
    """Whether a run budget gives so many runs to every idea that is open or still to come."""
    more = coming(evidence)
    if more is None or evidence.board.runs_left is None:
        return False
    return spares(evidence, runs * (more + len(evidence.open)))


def pairs_needed(evidence: Evidence) -> int:
    """Fresh pairs that would show the gain seen so far at `SURE` standard errors: n = 2 (SURE sigma / gain)^2.

    Seen by runs that chose: were fresh runs counted, a lucky first pair would end the look at the others.
    """
    board = evidence.board
    chose = evidence.answers.of(_chose, board.trials)
    if len(chose) == len(board.trials):
        return _pairs_to_show(evidence)
    seen = Board(
        objective=board.objective,
        settings=board.settings,
        ideas=board.ideas,
        trials=chose,
        bundles=board.bundles,
        incumbent=board.incumbent,
    )
    return evidence.answers.of(_pairs_to_show_of, seen)


def _pairs_to_show_of(board: Board) -> int:
    return _pairs_to_show(Evidence(board))


def _pairs_to_show(evidence: Evidence) -> int:
    board = evidence.board
    base, best, sigma = evidence.arm(BASELINE), evidence.credited(board.incumbent), evidence.sigma
    if board.incumbent == BASELINE or best is None or not base.runs or not sigma:
        return PAIRS
    gain = best - base.level
    if gain <= 0:
        return PAIRS
    ratio = min(MOST_PAIRS, SURE * sigma / gain)
    return max(LEAST, min(MOST_PAIRS, math.ceil(2 * ratio * ratio)))


def _chose(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The runs that had a part in a choice."""
    return tuple(trial for trial in trials if trial.purpose not in FRESH)
