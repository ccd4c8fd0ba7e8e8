"""The runs of a board, sorted by what ran: one `Arm` per configuration, and the `Effect` of one over another.

Values are in gain units: more is better.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from autoresearch.experiment.board import Trial
from autoresearch.verdict.memo import once
from autoresearch.verdict.statistics import (
    averages,
    mean,
    normal_quantile,
    residuals,
    sample_errors,
    t_quantile,
    t_to_z,
)


@dataclass(eq=False, kw_only=True)
class Arm:
    """What is known of one configuration; values are in gain units, by seed.

    Attributes:
        values: Runs that may be judged by.
        failed: Runs without a valid metric.
        excused: Those of them that say nothing about what was run.
        pending: Runs under way.
        weak: Runs with a metric that may not judge: plumbing, or ended early while the baseline did not.
        tried: Seeds of every run, valid or not.
        note: Why its last failed run has no value.
        errors: Evaluation noise as its runs reported it.
        samples: Validation samples behind values that are their mean, by what they asked.
        evaluated: Runs behind `values` whose number a program gave that they could not reach.
        doubt: What is odd about one of the values beside its run's own curve; empty when nothing is.
    """

    values: dict[int, float] = field(default_factory=dict)
    failed: int = 0
    excused: int = 0
    pending: int = 0
    weak: list[Trial] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    note: str = ""
    errors: list[float] = field(default_factory=list)
    samples: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    evaluated: int = 0
    doubt: str = ""

    @property
    def runs(self) -> int:
        """Number of runs it may be judged by."""
        return len(self.values)

    @once
    def level(self) -> float:
        """Mean over the runs it may be judged by; there must be one."""
        return mean(tuple(self.values.values()))

    @once
    def scatter(self) -> tuple[float, ...]:
        """What each repeat says of the noise of one run."""
        return residuals(tuple(self.values.values()))

    @once
    def sample_errors(self) -> tuple[float, ...]:
        """Evaluation noise of a run, from every two successive ones on the same samples."""
        return tuple(sample_errors(self.samples.values()))

    def over(self, other: "Arm") -> tuple[float, ...]:
        """Its gain over another arm on each seed that both ran."""
        return tuple(value - other.values[seed] for seed, value in self.values.items() if seed in other.values)

    def beside(self, other: "Arm") -> "Arm":
        """Its values on the seeds that another arm ran too, and nothing else of it."""
        return Arm(values={seed: value for seed, value in self.values.items() if seed in other.values})

    def add(self, trial: Trial, sign: float, *, partial_judges: bool) -> None:
        """Take in one more run; not once any of the above was asked for."""
        self.tried.append(trial.seed)
        if trial.pending:
            self.pending += 1
        elif trial.value is None or not math.isfinite(trial.value):
            self.failed += 1
            self.excused += trial.excused
            self.note = trial.note
        elif trial.plumbing or (trial.partial and not partial_judges):
            self.weak.append(trial)
        else:
            self.evaluated += trial.evaluated and trial.seed not in self.values
            self.doubt = self.doubt or trial.doubt
            self.values.setdefault(trial.seed, sign * trial.value)
            self._hear(trial, trial.value)

    def _hear(self, trial: Trial, value: float) -> None:
        if trial.standard_error is not None and math.isfinite(trial.standard_error):
            self.errors.append(trial.standard_error)
        if trial.samples and averages(value, trial.samples):
            self.samples.setdefault(trial.prompts, []).append(trial.samples)


def sort(trials: Iterable[Trial], sign: float, *, partial_judges: bool) -> dict[str, Arm]:
    """Runs by arm, in order of first appearance.

    Args:
        trials: Runs in any state.
        sign: 1 where more is better, -1 where less is.
        partial_judges: Whether runs that ended early may judge.
    """
    arms: dict[str, Arm] = {}
    for trial in trials:
        arm = arms.get(trial.arm)
        if arm is None:
            arm = arms[trial.arm] = Arm()
        arm.add(trial, sign, partial_judges=partial_judges)
    return arms


class SortedRuns:
    """The runs sorted last: of the next board's, only the arms whose runs changed are sorted anew."""

    def __init__(self) -> None:
        self._last: tuple[tuple[Trial, ...], tuple[float, bool], dict[str, Arm]] = ((), (0.0, False), {})

    def read(self, trials: tuple[Trial, ...], sign: float, *, partial_judges: bool) -> dict[str, Arm]:
        """As `sort`; the answer never depends on what was read before, only how fast it comes."""
        before, terms, arms = self._last
        if before is trials and terms == (sign, partial_judges):
            return arms
        other = [(old, new) for old, new in zip(before, trials, strict=False) if old is not new]
        moved = any(old.arm != new.arm for old, new in other)
        if terms != (sign, partial_judges) or len(trials) < len(before) or moved:
            found = sort(trials, sign, partial_judges=partial_judges)
        else:
            changed = {new.arm for _, new in other} | {trial.arm for trial in trials[len(before) :]}
            again = sort((t for t in trials if t.arm in changed), sign, partial_judges=partial_judges)
            found = {**arms, **again}
        self._last = (trials, (sign, partial_judges), found)
        return found


@dataclass(frozen=True)
class Effect:
    """A gain over a reference, positive when better.

    Attributes:
        gain: Estimate in the metric's unit.
        error: Its standard error, None while no noise is known.
        freedom: Degrees of freedom of the noise; 0 when it comes from the validation set alone.
        runs: Runs of the candidate behind it.
        paired: Whether common seeds were used.
        beyond: Whether runs on other seeds were used beside them.
    """

    gain: float
    error: float | None
    freedom: int
    runs: int
    paired: bool = False
    beyond: bool = False

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
        interval = "(no scatter)" if self.error == 0 else interval
        pairs = f"{' partly' if self.beyond else ''} on common seeds" if self.paired else ""
        part = " (validation noise only; nothing was repeated)" if self.error is not None and not self.freedom else ""
        return f"{self.gain:+.3g} {interval} over {counted(self.runs, kind)}{pairs}{part}"


def counted(count: int, kind: str = "run") -> str:
    """`1 run`, `3 runs`, and likewise for another `kind` of run."""
    return f"{count} {kind}" if count == 1 else f"{count} {kind}s"


def _quantile(probability: float, freedom: int) -> float:
    return t_quantile(probability, freedom) if freedom else normal_quantile(probability)
