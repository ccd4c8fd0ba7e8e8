"""How much a metric moves by chance: pooled over every repeat of the campaign, robust to collapsed runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoresearch.verdict.statistics import mean, median

_PSEUDO_PAIRS = 4
"""A seed correlation is believed as if this many pairs had shown none."""

_ROBUST_FROM = 5
"""Residuals needed before single wild ones are clipped."""

_CLIP = 2 * 1.4826
"""Clipping at two robust standard deviations; 1.4826 turns a normal's median absolute deviation into its sd."""

_LEAST_SAMPLES = 8
"""Validation samples that two runs must share before their differences say anything."""

_SAME = 1e-3
"""A value is the mean of its samples when it differs from it by no more than this part."""

_CLIPPED_SHARE = 0.9205
"""Variance that a standard normal keeps when clipped at two standard deviations."""


@dataclass(frozen=True)
class Noise:
    """The scatter of one run about its configuration's true value.

    Attributes:
        sigma: Standard deviation of a single run, in the metric's unit; None when nothing was repeated yet.
        freedom: Degrees of freedom behind `sigma` (repeats over all configurations).
        evaluation: Part of it that comes from the finite validation set, as a standard deviation, None when unknown;
            where samples could be paired, without what makes some problems harder than others in every run.
        rho: Correlation of two configurations run with one seed, shrunk towards 0; 0 until measured.
        pairs: Degrees of freedom behind `rho`.
    """

    sigma: float | None = None
    freedom: int = 0
    evaluation: float | None = None
    rho: float = 0.0
    pairs: int = 0


def pooled(groups: Iterable[Sequence[float]]) -> tuple[float | None, int]:
    """Standard deviation within groups of repeats, and its degrees of freedom.

    The n-th repeat of a group adds the residual (y - mean of the earlier ones) * sqrt(n / (n + 1)), whose squares sum
    to the within-group sum of squares (Welford's recursion). From five residuals on, the mean square is averaged with
    that of residuals clipped at two robust standard deviations, so that one collapsed run does not blind the campaign.

    Returns:
        (None, 0) when no group has two members.
    """
    return _spread([residual for group in groups for residual in residuals(group)])


def residuals(group: Sequence[float]) -> tuple[float, ...]:
    """One per repeat: how far it lies from the mean of the earlier ones, on the scale of a single run."""
    found, centre = [], 0.0
    for count, value in enumerate(group):
        if count:
            found.append((value - centre) * math.sqrt(count / (count + 1)))
        centre += (value - centre) / (count + 1)
    return tuple(found)


def _spread(repeats: Sequence[float]) -> tuple[float | None, int]:
    if not repeats:
        return None, 0
    square = sum(residual * residual for residual in repeats) / len(repeats)
    if len(repeats) >= _ROBUST_FROM:
        limit = _CLIP * median([abs(residual) for residual in repeats])
        clipped = sum(min(residual * residual, limit * limit) for residual in repeats) / len(repeats)
        square = (square + min(square, clipped / _CLIPPED_SHARE)) / 2
    return math.sqrt(square), len(repeats)


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
    scatter: Sequence[float] | None = None,
) -> Noise:
    """The campaign's noise from all its valid runs.

    Args:
        runs: Arm -> seed -> value.
        against: Arms to look for common seeds in, as (arm, arm).
        errors: Evaluation standard errors that runs reported.
        scatter: The `residuals` of all arms, where they are known already.
    """
    if scatter is None:
        scatter = [residual for values in runs.values() for residual in residuals(tuple(values.values()))]
    sigma, freedom = _spread(scatter)
    differences = [
        [runs[one][seed] - runs[two][seed] for seed in runs[one] if seed in runs[two]]
        for one, two in against
        if one != two and one in runs and two in runs
    ]
    rho, pairs = correlation(differences, sigma)
    evaluation = math.sqrt(sum(error * error for error in errors) / len(errors)) if errors else None
    return Noise(sigma, freedom, evaluation, rho, pairs)


def averages(value: float, samples: Sequence[float]) -> bool:
    """Whether a value is the plain mean of the samples offered with it: only then do they tell its noise."""
    if len(samples) < _LEAST_SAMPLES or not all(map(math.isfinite, samples)):
        return False
    centre = mean(samples)
    return abs(value - centre) <= _SAME * max(abs(value), abs(centre))


def sample_errors(runs: Iterable[Sequence[tuple[float, ...]]]) -> list[float]:
    """Evaluation noise of one run's mean, from every two successive runs of one arm on one validation set.

    Two runs of one configuration meet the same problems in the same order, so the mean of their differences is free of
    the problems' difficulty: its standard error is sd(differences) / sqrt(n), and one run's part that over sqrt(2).
    It holds for the differences that verdicts are made of, not for a number quoted alone.

    Args:
        runs: Per arm, the samples of each of its runs; runs whose number of samples differs are not paired.
    """
    return [
        paired_error(one, two) for arm in runs for one, two in pairwise(arm) if len(one) == len(two) >= _LEAST_SAMPLES
    ]


def paired_error(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """Evaluation noise of one of two runs on the same samples, at least two of them."""
    differences = [a - b for a, b in zip(one, two, strict=True)]
    centre = mean(differences)
    count = len(differences)
    square = sum((difference - centre) * (difference - centre) for difference in differences) / (count - 1)
    return math.sqrt(square / (2 * count))
