"""A metric over a search space as a Gaussian process: what is known of it, and where to look next.

Places lie on a cube of unit sides, levels grow towards the better. Nothing is fitted by descent: scales are drawn from
a prior and weighted by how well they explain what was measured (population Monte Carlo; O. Cappe and others, Journal of
Computational and Graphical Statistics 13, 2004), so that a few noisy runs leave them open. Kernel: Matern 5/2 with a
length scale for each knob, unknown constant mean (C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine
Learning, 2006, sections 2.7 and 4.2). Expected improvement: D. R. Jones and others, Journal of Global Optimization 13,
1998, over the best expected level instead of the best measured one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DRAWS, _ROUNDS, _KEPT = 192, 4, 24
"""Draws of scales, rounds of drawing anew around the likely ones, and how many stand for the posterior."""

_LENGTH, _LENGTH_SPREAD = math.log(0.7), 0.9
"""Prior of the logarithm of a length scale in sides of the cube, for one knob; distances grow with the root of their
number, and so does it."""

_POWER_SPREAD = 0.7
"""Prior spread of the logarithm of how much the surface varies, around what was seen to vary."""

_JITTER = 1e-6


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was measured.

    Attributes:
        places: One row per configuration, shape (n, axes).
        levels: Mean metric of each, shape (n,), more is better.
        runs: Runs behind each, shape (n,).
        owners: For every axis, the knob whose length scale it shares, counted from 0.
        noise: Standard deviation of one run, None when it was never measured.
        freedom: Degrees of freedom behind `noise`.
    """

    places: Array
    levels: Array
    runs: Array
    owners: tuple[int, ...]
    noise: float | None = None
    freedom: int = 0


class Surface:
    """The posterior, given what was measured.

    Args:
        seen: One place at least.
        dice: The source of chance; an equal one gives an equal surface.
    """

    def __init__(self, seen: Observed, dice: np.random.Generator) -> None:
        self._seen = seen
        self._knobs = max(seen.owners) + 1
        self._centre = float(np.median(seen.levels))
        self._unit = _unit(seen)
        self._levels = (seen.levels - self._centre) / self._unit
        self._gaps = self._distances(seen.places)
        drawn = self._posterior(dice)
        self._lengths, self._power = np.exp(drawn[:, :-2]), np.exp(2 * drawn[:, -2])
        self._inverse, self._means = self._solved(self._covariance(drawn))
        self._weights = np.einsum("kij,kj->ki", self._inverse, self._levels - self._means[:, None])

    def level(self, places: Array) -> Array:
        """What is expected at places, shape (places,), in the metric's unit."""
        level: Array = self._predict(places)[0].mean(0)
        return level

    def level_and_error(self, place: Array) -> tuple[float, float]:
        """What is expected at one place, and how far from it the level itself may lie, one standard deviation."""
        mean, error = self._predict(place[None])
        return float(mean.mean()), float(np.sqrt((error**2).mean() + mean.var()))

    def gain(self, place: Array, over: Array) -> tuple[float, float]:
        """What one place is expected to bring over another, and the standard deviation of that difference."""
        both = np.stack([place, over])
        mean, error = self._predict(both)
        cover = self._power[:, None, None] * _matern(self._distances(both), self._lengths)
        prior = self._power * _matern(self._distances(place[None], over[None]), self._lengths)[:, 0, 0]
        shared = self._unit**2 * (prior - np.einsum("ki,kij,kj->k", cover[:, 0], self._inverse, cover[:, 1]))
        spread = np.maximum(error[:, 0] ** 2 + error[:, 1] ** 2 - 2 * shared, 0.0)
        found = mean[:, 0] - mean[:, 1]
        return float(found.mean()), float(np.sqrt(spread.mean() + found.var()))

    def improvement(self, places: Array, over: Array) -> Array:
        """Expected improvement of one place over the best of `over`, shape (places,), in the metric's unit.

        The best is the highest posterior mean, not the highest value that was measured: that one had luck.
        """
        best = self._predict(over)[0].max(1)
        mean, error = self._predict(places)
        ratio = (mean - best[:, None]) / error
        gain: Array = (error * (_density(ratio) + ratio * _below(ratio))).mean(0)
        return gain

    def _predict(self, places: Array) -> tuple[Array, Array]:
        """Mean and standard deviation under each draw of scales, shapes (draws, places)."""
        cover = self._power[:, None, None] * _matern(self._distances(places), self._lengths)
        mean = self._means[:, None] + np.einsum("kpi,ki->kp", cover, self._weights)
        spent = ((cover @ self._inverse) * cover).sum(-1)
        error = np.sqrt(np.maximum(self._power[:, None] - spent, _JITTER))
        return self._centre + self._unit * mean, self._unit * error

    def _posterior(self, dice: np.random.Generator) -> Array:
        """Logarithms of lengths, power and noise, shape (`_KEPT`, knobs + 2), drawn from their posterior."""
        middle, spread = self._prior()
        drawn = middle + spread * dice.standard_normal((_DRAWS, len(middle)))
        chance = _normalised(self._likelihood(drawn))
        for turn in range(1, _ROUNDS):
            centres, width = drawn[dice.choice(_DRAWS, _DRAWS, p=chance)], spread / (2 * math.sqrt(turn))
            drawn = centres + width * dice.standard_normal(centres.shape)
            proposed = _log_mean(_log_normals(drawn, centres, width))
            chance = _normalised(self._likelihood(drawn) + _log_normal(drawn, middle, spread) - proposed)
        kept: Array = drawn[dice.choice(_DRAWS, _KEPT, p=chance)]
        return kept

    def _prior(self) -> tuple[Array, Array]:
        length = _LENGTH + 0.5 * math.log(self._knobs)
        noise, spread = math.log(0.5), 1.0
        if self._seen.noise:
            ratio = max(_JITTER, self._seen.noise / self._unit)
            noise, spread = math.log(ratio), 1 / math.sqrt(2 * max(1, self._seen.freedom))
        middle, spreads = [length] * self._knobs, [_LENGTH_SPREAD] * self._knobs
        return np.array([*middle, 0.0, noise]), np.array([*spreads, _POWER_SPREAD, spread])

    def _likelihood(self, drawn: Array) -> Array:
        """Logarithm of the density of what was measured, up to a constant, shape (draws,)."""
        covariance = self._covariance(drawn)
        ones = np.ones(len(self._levels))
        solved = np.linalg.solve(covariance, np.stack([ones, self._levels], axis=1)[None])
        weight, level = solved.sum(1).T
        fit = solved[:, :, 1] @ self._levels - level * level / weight
        density: Array = -0.5 * (fit + np.linalg.slogdet(covariance)[1])
        return density

    def _covariance(self, drawn: Array) -> Array:
        cover = np.exp(2 * drawn[:, -2])[:, None, None] * _matern(self._gaps, np.exp(drawn[:, :-2]))
        noise = np.exp(2 * drawn[:, -1])[:, None] / self._seen.runs + _JITTER
        whole: Array = cover + noise[:, :, None] * np.eye(len(self._levels))
        return whole

    def _solved(self, covariance: Array) -> tuple[Array, Array]:
        """Inverse, and the mean that generalised least squares finds."""
        inverse = np.linalg.inv(covariance).astype(np.float64)
        weight: Array = inverse.sum(-1)
        return inverse, (weight @ self._levels) / weight.sum(-1)

    def _distances(self, places: Array, others: Array | None = None) -> Array:
        """Squared distances to others, or to what was measured, knob by knob, shape (places, n, knobs)."""
        others = self._seen.places if others is None else others
        square = (places[:, None, :] - others[None, :, :]) ** 2
        return square @ np.eye(self._knobs)[list(self._seen.owners)]


def _unit(seen: Observed) -> float:
    """What levels are divided by: their spread, the noise where they do not differ, or their size."""
    size = float(np.abs(seen.levels).max())
    found = (float(np.std(seen.levels)), seen.noise or 0.0, size)
    return next((one for one in found if one > max(1e-12 * size, 1e-200)), 1.0)


def _matern(square: Array, lengths: Array) -> Array:
    """Correlation for each row of length scales, shape (draws, ones, others); in place, for speed."""
    far: Array = (5 / lengths**2) @ square.reshape(-1, square.shape[-1]).T
    np.sqrt(far, out=far)
    correlation: Array = far * far
    correlation /= 3
    correlation += far
    correlation += 1
    correlation *= np.exp(np.negative(far, out=far), out=far)
    return correlation.reshape(-1, *square.shape[:2])


def _density(ratio: Array) -> Array:
    density: Array = np.exp(-0.5 * ratio * ratio) / math.sqrt(2 * math.pi)
    return density


def _below(ratio: Array) -> Array:
    chance: Array = 0.5 * (1 + np.vectorize(math.erf)(ratio / math.sqrt(2)))
    return chance


def _log_normal(drawn: Array, middle: Array, spread: Array) -> Array:
    logs: Array = -0.5 * (((drawn - middle) / spread) ** 2).sum(-1) - np.log(spread).sum()
    return logs


def _log_normals(drawn: Array, centres: Array, width: Array) -> Array:
    """As `_log_normal` of each drawn row about each of the centres, shape (drawn, centres)."""
    ones, others = drawn / width, centres / width
    square = (ones**2).sum(1)[:, None] + (others**2).sum(1) - 2 * ones @ others.T
    logs: Array = -0.5 * np.maximum(square, 0.0) - np.log(width).sum()
    return logs


def _log_mean(logs: Array) -> Array:
    top = logs.max(-1, keepdims=True)
    mean: Array = top[..., 0] + np.log(np.exp(logs - top).mean(-1))
    return mean


def _normalised(logs: Array) -> Array:
    chance = np.exp(logs - logs.max())
    total: Array = chance / chance.sum()
    return total
