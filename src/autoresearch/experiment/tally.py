"""What is counted of a campaign while its events are applied, so that a further event costs what it changed.

Nothing here is state of its own: everything follows from runs and experiments as they are, and is worked out again
for those that an event has touched, when somebody asks.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Generic, TypeVar

from autoresearch.experiment.board import Idea, Trial
from autoresearch.experiment.experiment import Experiment, Run, shows_poor_idea, touched, trial_of, well
from autoresearch.experiment.outcome import BASELINE, Purpose, Status

_Thing = TypeVar("_Thing")
_View = TypeVar("_View")


@dataclass
class Sums:
    """Numbers by key with their sum and the largest of them; a key without a number counts for nothing."""

    known: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    most: float = 0.0

    def put(self, key: str, value: float | None) -> None:
        """Give a key its number, which takes the place of the one that it had."""
        old = self.known.get(key)
        if old == value:
            return
        if value is None:
            del self.known[key]
        else:
            self.known[key] = value
        if old is None and value is not None:
            self.total, self.most = self.total + value, max(self.most, value)
        else:
            self.total, self.most = sum(self.known.values()), max(self.known.values(), default=0.0)


@dataclass
class Views(Generic[_Thing, _View]):
    """What is made of each thing, in the order of their keys; the same objects until a thing is touched."""

    made: dict[int, _View] = field(default_factory=dict)
    touched: dict[int, _Thing] = field(default_factory=dict)
    _all: tuple[_View, ...] = ()

    def touch(self, key: int, thing: _Thing) -> None:
        """Something has happened to a thing, or it is new."""
        self.touched[key] = thing

    def of(self, make: Callable[[_Thing], _View | None]) -> Mapping[int, _View]:
        """What is made of each thing, by its key; things of which nothing is made are left out."""
        if not self.touched:
            return self.made
        for key in sorted(self.touched):
            view = make(self.touched[key])
            if view is None:
                self.made.pop(key, None)
                continue
            late = key not in self.made and key < next(reversed(self.made), key)
            self.made[key] = view
            if late:
                self.made = dict(sorted(self.made.items()))
        self.touched.clear()
        self._all = tuple(self.made.values())
        return self.made

    def all(self, make: Callable[[_Thing], _View | None]) -> tuple[_View, ...]:
        """The same in order; the very same tuple while nothing was touched."""
        self.of(make)
        return self._all


@dataclass
class Tally:
    """Counts and sums over the runs and experiments of a campaign."""

    flying: dict[str, Run] = field(default_factory=dict)
    """Runs that are not settled, by id."""
    failed: dict[str, None] = field(default_factory=dict)
    """Arms with a settled run that gave no number."""
    excused: dict[str, None] = field(default_factory=dict)
    """Arms with a run whose end was laid on what the run said or did itself."""
    canaries: bool = False
    """Whether a canary has shown the machine ill, which is how an outage is known."""
    hours: Sums = field(default_factory=Sums)
    """GPU-hours."""
    walls: Sums = field(default_factory=Sums)
    """Seconds that valid runs took, waiting in queues included."""
    begun: Sums = field(default_factory=Sums)
    """When each run that shows the machine well was planned."""
    gpus: int = 0
    """The most GPUs that a run had."""
    open: dict[int, Experiment] = field(default_factory=dict)
    """Experiments without a verdict of the campaign's, by index."""
    names: set[str] = field(default_factory=set)
    """Names of committed experiments."""
    proposed: dict[str, int] = field(default_factory=dict)
    """Committed experiments by who proposed them."""
    twins: dict[str, dict[int, Experiment]] = field(default_factory=dict)
    """Committed experiments by fingerprint, then by index."""
    judged: list[Experiment] = field(default_factory=list)
    """Experiments with a verdict, by index."""
    trials: Views[Run, Trial] = field(default_factory=Views)
    views: dict[Callable[..., Any], Views[Experiment, Any]] = field(default_factory=dict)
    """What is made of each experiment, by who makes it."""
    repaired: dict[int, Experiment] = field(default_factory=dict)
    """Experiments that were repaired, by index."""
    newest_verdict: float = -math.inf
    """When the last verdict was given."""
    stalled: int | None = None
    """See `History.stalled`; None when it has to be counted anew."""
    kept: list[Experiment] | None = None
    """See `History.kept`; None when it has to be looked for anew."""

    def saw_run(self, run: Run) -> None:
        """Take in what has just happened to a run."""
        if run.settled:
            self.flying.pop(run.run_id, None)
        else:
            self.flying[run.run_id] = run
        self.gpus = max(self.gpus, run.planned.resources.gpus)
        wall = run.wall_s if run.valid else None
        self.walls.put(run.run_id, None if wall is None else wall + (run.queued_s or 0.0))
        self.hours.put(run.run_id, run.gpu_hours or None)
        good = well(run)
        self.begun.put(run.run_id, run.planned.at if good else None)
        if run.settled and not run.valid:
            self.failed[run.planned.experiment] = None
            self.canaries |= run.planned.purpose is Purpose.CANARY and not good
        if run.ending and run.ending.by_itself:
            self.excused[run.planned.experiment] = None
        self.trials.touch(run.order, run)

    def saw_experiment(self, entry: Experiment) -> None:
        """Take in what has just happened to an experiment, or to a run of its own."""
        if entry.judged:
            self.open.pop(entry.index, None)
        else:
            self.open[entry.index] = entry
        if entry.repairs:
            self.repaired[entry.index] = entry
        for views in self.views.values():
            views.touch(entry.index, entry)

    def saw_commit(self, entry: Experiment) -> None:
        """Take in that an experiment stands on its branch."""
        assert entry.committed is not None  # noqa: S101 - the caller has just said so
        self.saw_experiment(entry)
        source = entry.hypothesis.source
        self.names.add(entry.name)
        self.proposed[source] = self.proposed.get(source, 0) + 1
        self.twins.setdefault(entry.committed.fingerprint, {})[entry.index] = entry

    def saw_verdict(self, entry: Experiment, *, newest: bool, counts: bool) -> None:
        """Take in a verdict of the campaign's.

        Args:
            entry: What was judged.
            newest: It is the first one on this experiment, and later than all others.
            counts: It counts for, or against, the experiments in a row without a keep.
        """
        self.open.pop(entry.index, None)
        if not self.judged or self.judged[-1].index < entry.index:
            self.judged.append(entry)
        elif all(other is not entry for other in self.judged):
            self.judged = sorted([*self.judged, entry], key=lambda one: one.index)
        keeps = entry.verdict is not None and entry.verdict.status is Status.KEEP
        if not newest:
            self.think_again()
        elif keeps:
            self.stalled, self.kept = 0 if counts else self.stalled, None
        elif counts and self.stalled is not None:
            self.stalled += 1

    def think_again(self) -> None:
        """Count anew what is kept, and since when nothing was."""
        self.stalled = self.kept = None

    def all_kept(self) -> list[Experiment]:
        """Kept experiments other than the baseline, by index."""
        if self.kept is None:
            ideas = (entry for entry in self.judged if entry.name != BASELINE)
            self.kept = [entry for entry in ideas if entry.verdict and entry.verdict.status is Status.KEEP]
        return list(self.kept)

    def in_a_row(self, untested: Callable[[str], bool]) -> int:
        """Experiments judged in a row without a keep until now; the baseline and the untested count for nothing."""
        if self.stalled is None:
            ideas = [entry for entry in self.judged if entry.name != BASELINE and not untested(entry.name)]
            newest_first = sorted(ideas, key=lambda entry: entry.judged.at if entry.judged else 0.0, reverse=True)
            verdicts = (entry.verdict.status for entry in newest_first if entry.verdict)
            self.stalled = sum(1 for _ in takewhile(lambda status: status is not Status.KEEP, verdicts))
        return self.stalled

    def each(
        self, make: Callable[..., _View | None], every: Mapping[int, Experiment], *first: object
    ) -> tuple[_View, ...]:
        """What `make` makes of every experiment, by index, with `first` as its first arguments; see `History.each`."""
        if make not in self.views:
            self.views[make] = Views(touched=dict(sorted(every.items())))
        return self.views[make].all(lambda entry: make(*first, entry))

    def trials_but(self, left_out: Iterable[str], runs: Mapping[str, Run]) -> tuple[Trial, ...]:
        """Every run as a policy sees it, oldest first, but canaries and those left out."""
        every = self.trials.all(_trial)
        less = {runs[run_id].order for run_id in left_out}
        return tuple(trial for order, trial in self.trials.made.items() if order not in less) if less else every


def _trial(run: Run) -> Trial | None:
    return None if run.planned.purpose is Purpose.CANARY else trial_of(run)


def idea_of(entry: Experiment, runs: Iterable[Run], *, untested: bool) -> Idea:
    """A committed experiment as a policy sees it.

    Args:
        entry: The experiment.
        runs: Its runs as its branch now stands.
        untested: Whether none of them says anything of what was run.
    """
    hypothesis, committed = entry.hypothesis, entry.committed
    assert committed is not None  # noqa: S101 - the caller looked
    return Idea(
        name=entry.name,
        parent=entry.parent,
        verdict=entry.verdict,
        complexity=committed.complexity,
        simplifies=hypothesis.simplifies,
        unlocks=hypothesis.unlocks,
        keys=touched(committed),
        seeds=hypothesis.seeds,
        broken="; ".join(committed.breaches),
        fatal=any(map(shows_poor_idea, runs)),
        untested=untested,
        vouched=entry.overruled is not None,
        own_code=committed.own_code or any(one.own_code for one in entry.repairs),
        grips=(*committed.grips, *(grip for one in entry.repairs for grip in one.grips)),
        crosses=hypothesis.crosses,
    )
