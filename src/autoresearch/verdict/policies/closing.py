"""The end of every campaign: fresh seeds for what is about to be claimed, and each kept change left out in turn."""

from dataclasses import dataclass

from autoresearch.experiment.board import Advice, Combine, Done, Measure, Rest
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.verdict.claims import whole_claim
from autoresearch.verdict.evidence import FRESH, Evidence
from autoresearch.verdict.policies.reserve import MOST_PAIRS, PAIRS, largest_reserve, pairs_needed


@dataclass(frozen=True)
class _Fresh:
    """Fresh seeds of the incumbent and of the baseline, as tried."""

    head: tuple[int, ...]
    base: tuple[int, ...]
    ablated: int


def closing(evidence: Evidence) -> Advice:
    """The next fresh run, or `Done` with what it showed. Call it when every idea is settled."""
    board = evidence.board
    if board.incumbent == BASELINE or evidence.settings.confirm <= 0:
        return _end(evidence)
    left = board.runs_left
    fresh = _fresh(evidence)
    allowance = _allowance(evidence) - len(fresh.head) - len(fresh.base) - fresh.ablated
    if left is not None:
        allowance = min(allowance, left)
    unpaired = [seed for seed in fresh.head if seed not in fresh.base]
    if unpaired and (left is None or left > 0):
        return Measure(BASELINE, unpaired[0], Purpose.CONFIRM, "the baseline on the same fresh seed")
    if len(fresh.head) < _pairs(evidence) and allowance >= 2:
        return Measure(board.incumbent, evidence.fresh_seed(), Purpose.CONFIRM, "a fresh seed, not used for selection")
    return (_ablate(evidence, fresh) if allowance >= 1 else None) or _end(evidence)


def _allowance(evidence: Evidence) -> int:
    """Fresh runs in all; without a run budget the same share of the runs that were made.

    What a run budget still holds when no idea wants it goes into leaving each kept change out `PAIRS` times.
    """
    if largest_reserve(evidence):
        return max(_for_pairs(evidence), 2 * PAIRS + PAIRS * len(evidence.held))
    return _for_pairs(evidence)


def _for_pairs(evidence: Evidence) -> int:
    held = largest_reserve(evidence)
    if held:
        return max(held, 2 * PAIRS)
    share = min(0.9, evidence.settings.confirm)
    chose = sum(trial.purpose not in FRESH for trial in evidence.board.trials)
    return max(2 * PAIRS, round(chose * share / (1 - share)))


def _pairs(evidence: Evidence) -> int:
    """Pairs wanted: as many as the share allows, or, with several kept changes to leave out one by one, as needed."""
    wanted = pairs_needed(evidence) if len(_kept(evidence)) > 1 else MOST_PAIRS
    return max(PAIRS, min(wanted, _for_pairs(evidence) // 2))


def _fresh(evidence: Evidence) -> _Fresh:
    board = evidence.board
    head = tuple(t.seed for t in board.trials if t.arm == board.incumbent and t.purpose is Purpose.CONFIRM)
    base = tuple(t.seed for t in board.trials if t.arm == BASELINE and t.purpose is Purpose.CONFIRM)
    return _Fresh(head, tuple(seed for seed in base if seed in head), _ablations(evidence))


def _ablations(evidence: Evidence) -> int:
    return sum(trial.purpose is Purpose.ABLATE for trial in evidence.board.trials)


def _kept(evidence: Evidence) -> tuple[str, ...]:
    """The kept ideas inside the incumbent, oldest first."""
    return evidence.held


def _ablate(evidence: Evidence, fresh: _Fresh) -> Advice | None:
    """The incumbent without one kept change, on the incumbent's fresh seeds: every change once before any twice."""
    kept = _kept(evidence)
    if len(kept) < 2:
        return None
    for turn in fresh.head:
        for idea in kept:
            rest = tuple(other for other in kept if other != idea)
            made = next((b for b in evidence.board.bundles if b.parent == BASELINE and b.ideas == rest), None)
            if made is None:
                return Combine(bundle_name(evidence, "without"), rest, BASELINE, f"everything kept but {idea}")
            tried = [t.seed for t in evidence.board.trials if t.arm == made.name]
            if not made.conflict and turn not in tried:
                return Measure(made.name, turn, Purpose.ABLATE, f"the incumbent without {idea}")
    return None


def bundle_name(evidence: Evidence, kind: str) -> str:
    """A name for a new bundle that nothing on the board has yet: `without-1`, `merge-2`."""
    taken = {*evidence.ideas, *evidence.bundles, BASELINE}
    number = len(evidence.board.bundles) + 1
    while f"{kind}-{number}" in taken:
        number += 1
    return f"{kind}-{number}"


def _end(evidence: Evidence) -> Advice:
    if evidence.pending:
        return Rest("waiting for the last runs")
    incumbent = evidence.board.incumbent
    if incumbent == BASELINE:
        return Done("nothing beat the baseline, so nothing is left to confirm")
    whole = whole_claim(evidence)
    if whole is None or whole.effect is None:
        return Done(f"{incumbent} is the best kept; no fresh run could confirm it")
    interval = "(noise not measured)" if whole.low is None else f"[{whole.low:+.3g}, {whole.high:+.3g}]"
    seeds = f"{whole.runs} fresh seed{'s' * (whole.runs != 1)}"
    return Done(f"{incumbent} against the baseline: {whole.standing}, {whole.effect:+.3g} {interval} on {seeds}")
