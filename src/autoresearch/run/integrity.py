"""Whether a run made again says what the recorded one said, beside the noise that was measured."""

import math
from dataclasses import dataclass

_MOST = 1.96
"""Two runs of one configuration differ by less than this many standard deviations of their difference in 95 of 100."""


@dataclass(frozen=True)
class Agreement:
    """Two values of one configuration.

    Attributes:
        recorded: What the campaign measured, None when that run gave no value.
        again: What came out this time, None when nothing did.
        noise: Standard deviation of one run, None when unknown.
    """

    recorded: float | None
    again: float | None
    noise: float | None = None

    @property
    def difference(self) -> float | None:
        """This time's value less the recorded one."""
        return None if self.recorded is None or self.again is None else self.again - self.recorded

    @property
    def holds(self) -> bool:
        """Whether the run was reproduced: by the same value, within the noise, or by failing once more."""
        if self.difference is None:
            return self.recorded is None and self.again is None
        return self.difference == 0 or (self.noise is not None and abs(self.difference) <= self._band(self.noise))

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if self.difference is None:
            return self._one_sided()
        if self.difference == 0:
            return "the same value"
        if self.noise is None:
            return f"differs by {self.difference:+.6g}, and no noise was measured to compare it with"
        where = "within" if self.holds else "beyond"
        return f"differs by {self.difference:+.6g}, {where} what chance explains (±{self._band(self.noise):.4g})"

    def _band(self, noise: float) -> float:
        return _MOST * math.sqrt(2) * noise

    def _one_sided(self) -> str:
        if self.again is not None:
            return "gave a value this time; the recorded run gave none"
        return "gave no value, as before" if self.recorded is None else "gave no value this time; the recorded run did"
