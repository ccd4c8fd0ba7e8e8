"""The little statistics that verdicts need, in plain Python: normal and Student's t, no tables, no libraries."""

import math
from collections.abc import Sequence
from statistics import NormalDist

_NORMAL = NormalDist()

_FINE = 1e-7
"""Relative step after which a quantile is as good as doubles allow: each step squares what is wrong with it."""

_STEPS = 12
"""Steps at most, for where rounding moves the point more than a step does."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of at least one value; safe where the plain sum would overflow."""
    count = len(values)
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
