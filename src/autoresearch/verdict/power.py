"""What so many fresh seeds can prove: the power of the proof, before runs are kept for it.

A claim is proven when the chance that it is false is small enough (`claims.doubt`). The least measured gain for which
that is so follows by bisection, and how likely a gain is to measure so much from the normal distribution.
"""

import math
from dataclasses import dataclass

from autoresearch.experiment.board import PolicySettings
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.claims import PROVEN, SETTLED, Claim, doubt
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import normal_cdf

MOST_PAIRS = 8
"""Fresh pairs of incumbent and baseline that are made at most."""

OFTEN = 0.8
"""Chance of a proof from which a plan and a report say that a gain can be proven."""

_WIDEST = 64.0
"""Errors up to which a gain is looked for that proves itself; with one degree of freedom it is fourteen."""


def least_proven(error: float, freedom: int, spread: float) -> float:
    """The least measured gain that is called proven, infinite where none is.

    Args:
        error: Standard error of the gain.
        freedom: Degrees of freedom of the noise.
        spread: Variance of true gains before they are measured.
    """
    low, high = 0.0, _WIDEST * error
    if not _proves(high, error, freedom, spread):
        return math.inf
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if _proves(middle, error, freedom, spread) else (middle, high)
    return high


def _proves(gain: float, error: float, freedom: int, spread: float) -> bool:
    _, _, wrong = doubt(Effect(gain, error, freedom, 1), spread)
    return wrong <= 1 - PROVEN


def proof_chance(gain: float, unsure: float, error: float, freedom: int, spread: float) -> float:
    """How likely fresh seeds prove a gain that is only guessed: Phi((gain - least) / sqrt(unsure^2 + error^2)).

    Args:
        gain: The best guess of the true gain.
        unsure: Standard error of that guess.
        error: Standard error that the fresh seeds will have.
        freedom: Degrees of freedom of the noise.
        spread: Variance of true gains before they are measured.
    """
    least = least_proven(error, freedom, spread)
    return 0.0 if math.isinf(least) else normal_cdf((gain - least) / math.hypot(unsure, error))


@dataclass(frozen=True)
class Reach:
    """What the proof of a campaign can show at all.

    Attributes:
        runs: Runs of the campaign.
        pairs: Fresh pairs that it made, or that its share of the runs makes.
        noises: The least true gain that they prove with the chance `OFTEN`, in noises of one run; None without any.
    """

    runs: int
    pairs: int
    noises: float | None

    def told(self, sigma: float | None = None) -> str:
        """`12 runs cannot prove a gain below 7.1 times the noise of one run`; in the metric's unit with `sigma`."""
        if self.noises is None:
            return f"{self.runs} runs cannot prove a gain, none of them is kept for fresh seeds"
        size = f"{self.noises:.2g} times the noise of one run" if sigma is None else f"{self.noises * sigma:.3g}"
        made = f"{self.pairs} pair{'s' * (self.pairs != 1)} of fresh seeds"
        return f"{self.runs} runs cannot prove a gain below {size} ({made})"


def reach(runs: int, settings: PolicySettings, baseline: int, made: int = 0) -> Reach:
    """What a campaign of so many runs can prove, before anything is known of it but how many they are.

    Args:
        runs: Runs of the campaign.
        settings: What the campaign file says about judging.
        baseline: Baseline runs, which measure the noise together with the fresh ones.
        made: Fresh pairs that were made; 0 for as many as its share of the runs makes.
    """
    pairs = made or min(MOST_PAIRS, share(runs, settings) // 2)
    if not pairs:
        return Reach(runs, 0, None)
    baseline = max(1, min(baseline, runs // 4))
    error, freedom = math.sqrt(2 / pairs), max(1, baseline + 2 * pairs - 1)
    ideas = max(1, runs - baseline - 2 * pairs)
    low, high = 0.0, _WIDEST * error
    for _ in range(20):
        middle = (low + high) / 2
        proven = proof_chance(middle, 0.0, error, freedom, _expected_spread(middle, ideas)) >= OFTEN
        low, high = (low, middle) if proven else (middle, high)
    return Reach(runs, pairs, high)


def _expected_spread(gain: float, ideas: int) -> float:
    """As `claims.effect_spread` would find it, times the kept: the gain made by one idea in ten, in noises."""
    kept = max(1.0, ideas / 10)
    return kept * max(0.25, (gain * gain / kept + 4) / (ideas + 4))


def cannot_prove(evidence: Evidence, whole: Claim | None) -> str:
    """What a report adds where the campaign's gain is not proven: how large it would have had to be.

    It counts the runs that were made, and the fresh pairs; where none was made, those that the share allows. A gain
    that is larger than that was not proven for another reason.
    """
    if whole is None or whole.standing in SETTLED or evidence.settings.confirm <= 0:
        return ""
    baseline = sum(trial.purpose is Purpose.BASELINE for trial in evidence.board.trials)
    sides = [evidence.fresh.get(arm) for arm in (evidence.board.incumbent, BASELINE)]
    made = min(side.runs if side else 0 for side in sides)
    found, sigma = reach(len(evidence.board.trials), evidence.settings, baseline, made), evidence.sigma
    if found.noises is not None and sigma and whole.effect is not None and whole.effect > found.noises * sigma:
        return ""
    return f" {found.told(sigma)}."


def share(total: int, settings: PolicySettings) -> int:
    """Runs of so many that may be kept for fresh seeds: one pair at least where that leaves as many again."""
    if settings.confirm <= 0:
        return 0
    wanted = max(2, round(min(1.0, settings.confirm) * total))
    return wanted if total >= 2 * wanted else 0
