"""The runs of a board, sorted by what ran: one `Arm` per configuration, in gain units.

Work that successive boards share: done once, and never a matter of what was asked before.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Generic, ParamSpec, TypeVar

from autoresearch.experiment.board import Trial
from autoresearch.verdict.noise import averages
from autoresearch.verdict.statistics import mean

_Question = ParamSpec("_Question")
_Answer = TypeVar("_Answer")
_Owner = TypeVar("_Owner")


class once(Generic[_Owner, _Answer]):  # noqa: N801  (read as the decorator that it is)
    """A property worked out when it is first asked for.

    `functools.cached_property` without its lock, which up to Python 3.11 costs more than most of the work kept here.
    """

    def __init__(self, work: Callable[[_Owner], _Answer]) -> None:
        self.work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type[_Owner], name: str) -> None:
        self.name = name

    def __get__(self, owner: _Owner, kind: type[_Owner]) -> _Answer:
        answer = self.work(owner)
        owner.__dict__[self.name] = answer
        return answer


def latest(work: Callable[_Question, _Answer]) -> Callable[_Question, _Answer]:
    """Remember the last question to a pure function, and its answer.

    The next board mostly differs in one run or one idea. `==` is quick between tuples that share their parts, for it
    looks no further where both hold the very same object; a hash, which `lru_cache` needs, is worked out in full.
    """
    remembered: list[tuple[object, _Answer]] = []

    @wraps(work)
    def ask(*question: _Question.args, **named: _Question.kwargs) -> _Answer:
        asked = (question, named)
        for before, answer in remembered:
            if before == asked:
                return answer
        answer = work(*question, **named)
        remembered[:] = [(asked, answer)]
        return answer

    return ask


@dataclass(eq=False)
class Arm:
    """What is known of one configuration; values are in gain units, by seed.

    Attributes:
        values: Runs that may be judged by.
        failed: Runs without a valid metric.
        pending: Runs under way.
        weak: Runs with a metric that may not judge: plumbing, or ended early while the baseline did not.
        tried: Seeds of every run, valid or not.
        note: Why its last failed run has no value.
        errors: Evaluation noise as its runs reported it.
        samples: Validation samples behind values that are their mean, by what they asked.
    """

    values: dict[int, float] = field(default_factory=dict)
    failed: int = 0
    pending: int = 0
    weak: list[Trial] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    note: str = ""
    errors: list[float] = field(default_factory=list)
    samples: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Number of runs it may be judged by."""
        return len(self.values)

    @once
    def level(self) -> float:
        """Mean over the runs it may be judged by; there must be one."""
        return mean(tuple(self.values.values()))

    def add(self, trial: Trial, sign: float, *, partial_judges: bool) -> None:
        """Take in one more run."""
        self.tried.append(trial.seed)
        if trial.pending:
            self.pending += 1
        elif trial.value is None or not math.isfinite(trial.value):
            self.failed += 1
            self.note = trial.note
        elif trial.plumbing or (trial.partial and not partial_judges):
            self.weak.append(trial)
        else:
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


class _Sorted:
    """The runs sorted last: of the next board's, only the arms whose runs changed are sorted anew.

    The answer never depends on what was read before, only how fast it comes.
    """

    def __init__(self) -> None:
        self.last: tuple[tuple[Trial, ...], tuple[float, bool], dict[str, Arm]] = ((), (0.0, False), {})

    def read(self, trials: tuple[Trial, ...], sign: float, *, partial_judges: bool) -> dict[str, Arm]:
        """As `sort`."""
        before, terms, arms = self.last
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
        self.last = (trials, (sign, partial_judges), found)
        return found


read = _Sorted().read
