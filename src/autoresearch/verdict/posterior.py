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

Where seeds matter, a run also has what its seed does to every arm: a share rho of the noise's variance (a random
effect; Henderson, Best linear unbiased estimation and prediction, Biometrics 31, 1975). What arms on common seeds share
is then nobody's gain.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
        values: Its runs by seed, in gain units.
    """

    parent: str = ""
    ideas: int = 1
    values: Mapping[int, float] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return len(self.values)


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


@dataclass(frozen=True)
class _Swept:
    """The level of every arm, and what each that ran adds to its parent."""

    levels: Mapping[str, float]
    worths: dict[str, Worth]


def worths(tree: Mapping[str, ArmNode], sigma: float, width: float, rho: float = 0.0) -> dict[str, Worth]:
    """What each arm that ran adds to its parent.

    Args:
        tree: Arms by name, every parent before its children; one root.
        sigma: Noise of one run, above 0.
        width: Spread of true effects to begin with, above 0.
        rho: Share of its variance that runs on one seed have in common, below 1.

    Returns:
        One per arm with a run of its own and a parent; in gain units.
    """
    judged = [name for name, node in tree.items() if node.parent and node.runs and node.ideas]
    centre, spread = 0.0, width * width
    weights = dict.fromkeys(judged, 1.0)
    found: dict[str, Worth] = {}
    noise = _Noise.of(tree, sigma, rho)
    for _ in range(_ROUNDS):
        found = _told_by_all(tree, noise, centre, spread, weights)
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


@dataclass(frozen=True)
class _Noise:
    """How runs scatter.

    Attributes:
        alone: Variance of a run on a seed of its arm's own.
        beside: Variance of a run on a shared seed, beside what that seed does.
        common: Variance of what a seed does.
        shared: Seeds that more than one arm ran on; none where seeds do nothing.
    """

    alone: float
    beside: float
    common: float
    shared: tuple[int, ...]

    @classmethod
    def of(cls, tree: Mapping[str, ArmNode], sigma: float, rho: float) -> "_Noise":
        square = sigma * sigma
        ran = Counter(seed for node in tree.values() for seed in node.values) if rho else Counter[int]()
        shared = tuple(seed for seed, arms in ran.items() if arms > 1)
        return cls(square, (1 - rho) * square, rho * square, shared)

    def weight(self, seed: int) -> float:
        """Precision of a run on this seed, were it known what the seed does."""
        return 1 / (self.beside if seed in self.shared else self.alone)

    def heard(self, node: ArmNode, values: Mapping[int, float]) -> _Message:
        """The mean of these values of an arm's runs; a seed that is not among them counts as 0."""
        weights = {seed: self.weight(seed) for seed in node.values}
        total = sum(weights.values())
        said = sum(weight * values.get(seed, 0.0) for seed, weight in weights.items())
        return _Message(said / total if total else 0.0, total)


def _told_by_all(
    tree: Mapping[str, ArmNode], noise: _Noise, centre: float, spread: float, weights: Mapping[str, float]
) -> dict[str, Worth]:
    """Worths by all runs, with what shared seeds do estimated along with them.

    Given what the seeds do, arms follow by sweeps, and linearly: so one sweep of the values and one for a unit of each
    seed give the normal equations of the seeds, with as many unknowns as seeds are shared.
    """
    plain = _sweep(tree, noise, {name: node.values for name, node in tree.items()}, centre, spread, weights)
    if not noise.shared:
        return plain.worths
    units = [_sweep(tree, noise, {name: {seed: 1.0} for name in tree}, 0.0, spread, weights) for seed in noise.shared]
    precision = [
        [_unsaid(tree, noise, row, unit, float(row == seed)) for seed, unit in zip(noise.shared, units, strict=True)]
        for row in noise.shared
    ]
    for place, row in enumerate(precision):
        row[place] += 1 / noise.common
    told = [_unsaid(tree, noise, seed, plain) for seed in noise.shared]
    variance = _inverse(precision)
    does = _times(variance, told)

    def corrected(name: str, worth: Worth) -> Worth:
        parts = [unit.worths[name].gain for unit in units]
        more = _dot(parts, _times(variance, parts))
        return Worth(worth.gain - _dot(parts, does), math.sqrt(worth.error * worth.error + max(0.0, more)))

    return {name: corrected(name, worth) for name, worth in plain.worths.items()}


def _unsaid(tree: Mapping[str, ArmNode], noise: _Noise, seed: int, swept: _Swept, value: float | None = None) -> float:
    """What runs on a seed gave beyond the swept levels, weighed and summed; `value` in place of what they gave."""
    ran = [(node.values[seed], swept.levels[name]) for name, node in tree.items() if seed in node.values]
    return noise.weight(seed) * sum((gave if value is None else value) - level for gave, level in ran)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [_dot(row, vector) for row in matrix]


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """By Gauss and Jordan, without pivots: for a positive definite matrix none are needed."""
    size = len(matrix)
    rows = [[*row, *(float(place == other) for other in range(size))] for place, row in enumerate(matrix)]
    for place in range(size):
        rows[place] = [value / rows[place][place] for value in rows[place]]
        for other in range(size):
            if other != place and (factor := rows[other][place]):
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[place], strict=True)]
    return [row[size:] for row in rows]


def _sweep(
    tree: Mapping[str, ArmNode],
    noise: _Noise,
    values: Mapping[str, Mapping[int, float]],
    centre: float,
    spread: float,
    weights: Mapping[str, float],
) -> _Swept:
    steps = {name: (node.ideas * centre, node.ideas * spread / weights.get(name, 1.0)) for name, node in tree.items()}
    said: dict[str, _Message] = {}
    up = {name: noise.heard(node, values[name]) for name, node in tree.items()}
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
    return _Swept({name: message.mean for name, message in whole.items()}, found)


def _worth(below: _Message, above: _Message, by: float, variance: float) -> Worth:
    if not above.precision or not variance:
        return Worth(by, math.sqrt(variance))
    told = _Message(below.mean - above.mean, 1 / (1 / below.precision + 1 / above.precision))
    sure = told + _Message(by, 1 / variance)
    return Worth(sure.mean, math.sqrt(1 / sure.precision))
