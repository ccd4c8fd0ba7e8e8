"""The little statistics that verdicts need, in plain Python: no tables, no libraries.

Normal and Student's t; and noise, how much a metric moves by chance: pooled over every repeat of the campaign, robust
to collapsed runs.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

_NORMAL = NormalDist()

_FINE = 1e-7
"""Relative step after which a quantile is as good as doubles allow: each step squares what is wrong with it."""

_STEPS = 12
"""Steps at most, for where rounding moves the point more than a step does."""

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


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of at least one value; safe where the plain sum would overflow, and exact where all are equal."""
    count = len(values)
    if values.count(values[0]) == count:  # else rounding makes an effect of runs that are alike
        return values[0]
    total = sum(values)
    return total / count if math.isfinite(total) else sum(value / count for value in values)


def median(values: Sequence[float]) -> float:
    """Middle of at least one value, the mean of the two middle ones for an even count."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def normal_cdf(z: float) -> float:
    """Probability that a standard normal lies below `z`."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """The `z` below which a standard normal lies with `probability` in (0, 1)."""
    return _NORMAL.inv_cdf(probability)


def t_quantile(probability: float, freedom: int) -> float:
    """The point below which Student's t lies with `probability` in (0, 1).

    Newton's method on log probability against log distance, in which the tails of t are nearly straight, from the point
    that Wallace's approximation (see `t_to_z`) gives: three steps or four, to about 1e-12.

    Args:
        probability: Between 0 and 1, both excluded.
        freedom: Degrees of freedom, at least 1; 200 and more are taken as the normal distribution.
    """
    if freedom >= 200:
        return normal_quantile(probability)
    if probability > 0.5:
        return -t_quantile(1 - probability, freedom)
    point = _z_to_t(normal_quantile(probability), freedom)
    for _ in range(_STEPS):
        below = t_cdf(point, freedom)
        if not point or below <= 0:
            break
        step = math.log(below / probability) * below / (point * _t_density(point, freedom))
        point *= math.exp(-step)
        if abs(step) < _FINE:
            break
    return point


def t_cdf(t: float, freedom: int) -> float:
    """Probability that Student's t with `freedom` degrees (at least 1) lies below `t`.

    The finite trigonometric sums of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    theta = math.atan(t / math.sqrt(freedom))
    cos2 = freedom / (freedom + t * t)
    odd = freedom % 2 == 1
    term, total = (math.cos(theta), 0.0) if odd else (1.0, 0.0)
    for step in range(1 if odd else 0, freedom - 1, 2):
        total += term
        term *= cos2 * (step + 1) / (step + 2)
    inside = 2 / math.pi * (theta + math.sin(theta) * total) if odd else math.sin(theta) * total
    return min(1.0, max(0.0, 0.5 + inside / 2))


def t_to_z(t: float, freedom: int) -> float:
    """The standard normal deviate about as surprising as `t` with `freedom` degrees (at least 1).

    Wallace's approximation (Annals of Mathematical Statistics 30, 1959), so that one threshold serves any number of
    runs.
    """
    if not math.isfinite(t) or abs(t) > 1e100:
        return math.copysign(40.0, t) if not math.isnan(t) else 0.0
    factor = (8 * freedom + 1) / (8 * freedom + 3)
    return math.copysign(factor * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def _z_to_t(z: float, freedom: int) -> float:
    """The inverse of `t_to_z`."""
    factor = (8 * freedom + 1) / (8 * freedom + 3)
    square = z * z / (factor * factor * freedom)
    return math.copysign(math.sqrt(freedom * math.expm1(min(square, 700.0))), z) if z else 0.0


def _t_density(t: float, freedom: int) -> float:
    half = (freedom + 1) / 2
    weight = math.lgamma(half) - math.lgamma(freedom / 2) - half * math.log1p(t * t / freedom)
    return math.exp(weight) / math.sqrt(freedom * math.pi)


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
        apart: Degrees of freedom behind `sigma` for arms that share no seed; `freedom` where seeds do not matter.
    """

    sigma: float | None = None
    freedom: int = 0
    evaluation: float | None = None
    rho: float = 0.0
    pairs: int = 0
    apart: int = 0


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
    return Noise(sigma, freedom, evaluation, rho, pairs, _apart(runs, freedom, rho))


def _apart(runs: Mapping[str, Mapping[int, float]], freedom: int, rho: float) -> int:
    """Degrees of freedom that are left of `sigma` where arms ran on common seeds of correlation `rho`.

    Repeats on seeds that other arms ran too are not as many looks at the noise as there are repeats: what the seeds
    share is in all of them. Satterthwaite's approximation for m arms of n common seeds is m(n-1) / (1 + (m-1) rho^2).
    """
    if not rho or not freedom:
        return freedom
    arms = sum(1 for values in runs.values() if len(values) > 1)
    shared = sum(count * (count - 1) for count in Counter(seed for values in runs.values() for seed in values).values())
    return max(1, round(freedom / (1 + rho * rho * shared / (freedom + arms))))


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


@dataclass(frozen=True)
class Figure:
    """A mean over campaigns with its standard error; `count` campaigns had the number at all."""

    mean: float
    error: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.2f}±{self.error:.2f}" if self.count else "-"


def figure_of(values: list[float]) -> Figure:
    """Mean and standard error; not a number without any."""
    count = len(values)
    if not count:
        return Figure(math.nan, math.nan, 0)
    centre = sum(values) / count
    square = sum((value - centre) ** 2 for value in values) / max(1, count - 1)
    return Figure(centre, math.sqrt(square / count), count)
