"""What every idea is worth, given all runs of a campaign at once.

A kept idea was kept because its runs looked good, and the next one was compared with that lucky level. Reading each
comparison by itself carries the luck along; reading all runs together does not. The model is the plainest that has the
campaign's shape: the level of an arm is its parent's plus what its ideas add, what an idea adds comes from one
distribution for the whole campaign, and a run scatters about its arm's level. Which arms ran was decided by the runs
alone, so selection needs no further correction (Rubin, Inference and missing data, Biometrika 63, 1976).

Levels follow from the runs by two sweeps over the tree of arms (Pearl, Probabilistic Reasoning in Intelligent Systems,
1988, chapter 7), the distribution's centre and width by expectation-maximisation, with Student's t of four degrees in
place of the normal, for a few ideas are ruinous or far better than the rest (Lange, Little and Taylor, Robust
statistical modeling using the t distribution, JASA 84, 1989).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

_TAILS = 4.0
"""Degrees of freedom of the distribution that ideas come from."""

_IMAGINED = 2.0
"""Ideas of no effect and of the given width that are imagined besides the real ones."""

_ROUNDS = 60
"""Rounds of expectation-maximisation at most."""

_WILD = 4.0
"""From so many squared widths below the centre, one run alone may as well be a collapsed one."""

_SETTLED = 1e-3
"""The rounds end when centre and width move by less than this part of the width."""


@dataclass(frozen=True, kw_only=True)
class ArmNode:
    """An arm of the tree.

    Attributes:
        parent: The arm it was made from; empty for the root.
        ideas: How many ideas it adds to it.
        level: Mean of its runs, in gain units; 0 without one.
        runs: How many runs that is.
    """

    parent: str = ""
    ideas: int = 1
    level: float = 0.0
    runs: int = 0


@dataclass(frozen=True)
class Worth:
    """What an arm adds to its parent: the posterior's mean and standard deviation.

    Attributes:
        gain: The mean.
        error: The standard deviation.
        reach: How far up the truth may lie all the same, in standard deviations of ideas: where all that is known is
            one run far below the rest, which may have collapsed for no reason of the idea's; None elsewhere.
    """

    gain: float
    error: float
    reach: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Message:
    """A normal belief about a level: `mean` with `precision`, which is 0 for no belief at all."""

    mean: float = 0.0
    precision: float = 0.0

    def __add__(self, other: "_Message") -> "_Message":
        precision = self.precision + other.precision
        if not precision:
            return _Message()
        return _Message((self.mean * self.precision + other.mean * other.precision) / precision, precision)

    def __sub__(self, other: "_Message") -> "_Message":
        precision = self.precision - other.precision
        if precision <= 1e-12 * self.precision:
            return _Message()
        return _Message((self.mean * self.precision - other.mean * other.precision) / precision, precision)

    def moved(self, by: float, variance: float) -> "_Message":
        """The same belief about a level that lies `by` further, give or take `variance`."""
        return _Message(self.mean + by, 1 / (1 / self.precision + variance)) if self.precision else self


def worths(tree: Mapping[str, ArmNode], sigma: float, width: float) -> dict[str, Worth]:
    """What each arm that ran adds to its parent.

    Args:
        tree: Arms by name, every parent before its children; one root.
        sigma: Noise of one run, above 0.
        width: Spread of true effects to begin with, above 0.

    Returns:
        One per arm with a run of its own and a parent; in gain units.
    """
    judged = [name for name, node in tree.items() if node.parent and node.runs and node.ideas]
    centre, spread = 0.0, width * width
    weights = dict.fromkeys(judged, 1.0)
    found: dict[str, Worth] = {}
    for _ in range(_ROUNDS):
        found = _sweep(tree, sigma, centre, spread, weights)
        before = (centre, spread)
        total = sum(weights[name] * tree[name].ideas for name in judged)
        centre = sum(weights[name] * found[name].gain for name in judged) / (total + _IMAGINED)
        squares = {name: _square(found[name], tree[name].ideas * centre) / tree[name].ideas for name in judged}
        inside = sum(weights[name] * square for name, square in squares.items())
        spread = (inside + _IMAGINED * width * width) / (len(judged) + _IMAGINED)
        weights = {name: (_TAILS + 1) / (_TAILS + square / spread) for name, square in squares.items()}
        if abs(centre - before[0]) + abs(math.sqrt(spread) - math.sqrt(before[1])) <= _SETTLED * math.sqrt(spread):
            break
    return {name: _with_reach(tree[name], worth, centre, spread) for name, worth in found.items()}


def _square(worth: Worth, centre: float) -> float:
    off = worth.gain - centre
    return off * off + worth.error * worth.error


def _with_reach(node: ArmNode, worth: Worth, centre: float, spread: float) -> Worth:
    below = node.ideas * centre - worth.gain
    if node.runs > 1 or below <= 0 or below * below < _WILD * node.ideas * spread:
        return worth
    return replace(worth, reach=(node.ideas * centre, math.sqrt(node.ideas * spread)))


def _sweep(
    tree: Mapping[str, ArmNode], sigma: float, centre: float, spread: float, weights: Mapping[str, float]
) -> dict[str, Worth]:
    own = {name: _Message(node.level, node.runs / (sigma * sigma)) for name, node in tree.items()}
    steps = {name: (node.ideas * centre, node.ideas * spread / weights.get(name, 1.0)) for name, node in tree.items()}
    said: dict[str, _Message] = {}
    up = dict(own)
    for name in reversed(list(tree)):
        parent = tree[name].parent
        if parent:
            by, variance = steps[name]
            said[name] = up[name].moved(-by, variance)
            up[parent] = up[parent] + said[name]
    found: dict[str, Worth] = {}
    whole: dict[str, _Message] = {}
    for name, node in tree.items():
        if not node.parent:
            whole[name] = up[name]
            continue
        by, variance = steps[name]
        above = whole[node.parent] - said[name]
        whole[name] = up[name] + above.moved(by, variance)
        if node.runs and node.ideas:
            found[name] = _worth(up[name], above, by, variance)
    return found


def _worth(below: _Message, above: _Message, by: float, variance: float) -> Worth:
    if not above.precision or not variance:
        return Worth(by, math.sqrt(variance))
    told = _Message(below.mean - above.mean, 1 / (1 / below.precision + 1 / above.precision))
    sure = told + _Message(by, 1 / variance)
    return Worth(sure.mean, math.sqrt(1 / sure.precision))
