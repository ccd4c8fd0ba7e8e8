"""A gain over a reference: how large, how sure, and as a person reads it in a verdict."""

import math
from dataclasses import dataclass

from autoresearch.verdict.remembered import once
from autoresearch.verdict.statistics import normal_quantile, t_quantile, t_to_z


@dataclass(frozen=True)
class Effect:
    """A gain over a reference, positive when better.

    Attributes:
        gain: Estimate in the metric's unit.
        error: Its standard error, None while no noise is known.
        freedom: Degrees of freedom of the noise; 0 when it comes from the validation set alone.
        runs: Runs of the candidate behind it.
        paired: Whether common seeds were used.
    """

    gain: float
    error: float | None
    freedom: int
    runs: int
    paired: bool = False

    @property
    def z(self) -> float:
        """How many normal standard errors above zero, with few degrees of freedom allowed for; 0 without noise."""
        if self.error is None:
            return 0.0
        if self.error == 0:
            return math.copysign(40.0, self.gain) if self.gain else 0.0
        ratio = self.gain / self.error
        return t_to_z(ratio, self.freedom) if self.freedom else max(-40.0, min(40.0, ratio))

    def bound(self, probability: float) -> float | None:
        """The gain below which the true one lies with `probability`, None while no noise is known."""
        return None if self.error is None else self.gain + _quantile(probability, self.freedom) * self.error

    @property
    def low(self) -> float | None:
        """Lower end of the 90 % interval."""
        return None if self._margin is None else self.gain - self._margin

    @property
    def high(self) -> float | None:
        """Upper end of the 90 % interval."""
        return None if self._margin is None else self.gain + self._margin

    @once
    def _margin(self) -> float | None:
        """Half the width of the 90 % interval."""
        return None if self.error is None else _quantile(0.95, self.freedom) * self.error

    def told(self, kind: str = "run") -> str:
        """`+0.004 [-0.011, +0.019] over 3 runs`: gain, 90 % interval, how many runs of which `kind` it rests on."""
        low, high = self.low, self.high
        interval = "(noise not measured)" if low is None or high is None else f"[{low:+.3g}, {high:+.3g}]"
        pairs = " on common seeds" if self.paired else ""
        part = " (validation noise only; nothing was repeated)" if self.error is not None and not self.freedom else ""
        return f"{self.gain:+.3g} {interval} over {counted(self.runs, kind)}{pairs}{part}"


def counted(count: int, kind: str = "run") -> str:
    """`1 run`, `3 runs`, and likewise for another `kind` of run."""
    return f"{count} {kind}" if count == 1 else f"{count} {kind}s"


def _quantile(probability: float, freedom: int) -> float:
    return t_quantile(probability, freedom) if freedom else normal_quantile(probability)
