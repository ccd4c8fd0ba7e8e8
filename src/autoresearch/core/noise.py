"""How much a metric moves by chance: pooled over every repeat of the campaign, robust to collapsed runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autoresearch.core.statistics import median

_PSEUDO_PAIRS = 4
"""A seed correlation is believed as if this many pairs had shown none."""

_ROBUST_FROM = 5
"""Residuals needed before single wild ones are clipped."""

_CLIP = 2 * 1.4826
"""Clipping at two robust standard deviations; 1.4826 turns a normal's median absolute deviation into its sd."""

_CLIPPED_SHARE = 0.9205
"""Variance that a standard normal keeps when clipped at two standard deviations."""


@dataclass(frozen=True)
class Noise:
    """The scatter of one run about its configuration's true value.

    Attributes:
        sigma: Standard deviation of a single run, in the metric's unit; None when nothing was repeated yet.
        freedom: Degrees of freedom behind `sigma` (repeats over all configurations).
        evaluation: Part of it that comes from the finite validation set, as a standard deviation; None when unknown.
        rho: Correlation of two configurations run with one seed, shrunk towards 0; 0 until measured.
        pairs: Degrees of freedom behind `rho`.
    """

    sigma: float | None = None
    freedom: int = 0
    evaluation: float | None = None
    rho: float = 0.0
    pairs: int = 0

    @property
    def training(self) -> float | None:
        """Part of `sigma` that comes from seeds and not from the finite validation set."""
        if self.sigma is None:
            return None
        return math.sqrt(max(0.0, self.sigma * self.sigma - (self.evaluation or 0.0) * (self.evaluation or 0.0)))


def pooled(groups: Iterable[Sequence[float]]) -> tuple[float | None, int]:
    """Standard deviation within groups of repeats, and its degrees of freedom.

    The n-th repeat of a group adds the residual (y - mean of the earlier ones) * sqrt(n / (n + 1)), whose squares sum
    to the within-group sum of squares (Welford's recursion). From five residuals on, the mean square is averaged with
    that of residuals clipped at two robust standard deviations, so that one collapsed run does not blind the campaign.

    Returns:
        (None, 0) when no group has two members.
    """
    residuals = [residual for group in groups for residual in _residuals(group)]
    if not residuals:
        return None, 0
    square = sum(residual * residual for residual in residuals) / len(residuals)
    if len(residuals) >= _ROBUST_FROM:
        limit = _CLIP * median([abs(residual) for residual in residuals])
        clipped = sum(min(residual * residual, limit * limit) for residual in residuals) / len(residuals)
        square = (square + min(square, clipped / _CLIPPED_SHARE)) / 2
    return math.sqrt(square), len(residuals)


def correlation(pairs: Iterable[Sequence[float]], sigma: float | None) -> tuple[float, int]:
    """Seed correlation from groups of paired differences (one group per two configurations), and its freedom.

    rho = 1 - s_d^2 / (2 sigma^2), s_d the scatter of differences, then shrunk as if `_PSEUDO_PAIRS` pairs had shown
    none.
    """
    scatter, freedom = pooled(pairs)
    if scatter is None or not sigma or not math.isfinite(sigma):
        return 0.0, 0
    ratio = scatter / sigma
    raw = 1 - ratio * ratio / 2
    return min(0.99, max(0.0, raw)) * freedom / (freedom + _PSEUDO_PAIRS), freedom


def estimate(
    runs: Mapping[str, Mapping[int, float]],
    against: Iterable[tuple[str, str]] = (),
    errors: Sequence[float] = (),
) -> Noise:
    """The campaign's noise from all its valid runs.

    Args:
        runs: Arm -> seed -> value.
        against: Arms to look for common seeds in, as (arm, arm).
        errors: Evaluation standard errors that runs reported.
    """
    sigma, freedom = pooled([tuple(values.values()) for values in runs.values()])
    differences = [
        [runs[one][seed] - runs[two][seed] for seed in runs[one] if seed in runs[two]]
        for one, two in against
        if one != two and one in runs and two in runs
    ]
    rho, pairs = correlation(differences, sigma)
    evaluation = math.sqrt(sum(error * error for error in errors) / len(errors)) if errors else None
    return Noise(sigma, freedom, evaluation, rho, pairs)


def _residuals(group: Sequence[float]) -> list[float]:
    found, centre = [], 0.0
    for count, value in enumerate(group):
        if count:
            found.append((value - centre) * math.sqrt(count / (count + 1)))
        centre += (value - centre) / (count + 1)
    return found
