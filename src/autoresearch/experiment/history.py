"""The campaign so far: the journal's events, folded."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from autoresearch.errors import LedgerError
from autoresearch.experiment import events as happened
from autoresearch.experiment.attendance import FRUITLESS, Attendance, ResearcherAsked
from autoresearch.experiment.board import Bundle, Idea, Trial
from autoresearch.experiment.events import Event
from autoresearch.experiment.experiment import Experiment, Idle, Run, idle_of, lineage, lost, made_again
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.experiment.tally import Tally, idea_of

_View = TypeVar("_View")


@dataclass(kw_only=True)
class History:
    """Everything known of a campaign; `apply` folds in one more event."""

    started: happened.CampaignStarted | None = None
    ended: happened.CampaignEnded | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    controller: happened.ControllerStarted | None = None
    left: happened.ControllerStopped | None = None
    """How the last controller let go, None while one is at work or after one that died."""
    experiments: dict[int, Experiment] = field(default_factory=dict)
    bundles: dict[str, happened.BundleMade] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    incumbent: str = BASELINE
    former: list[str] = field(default_factory=list)
    """Incumbents before it that still stand, oldest first."""
    demotions: list[happened.IncumbentDemoted] = field(default_factory=list)
    exhausted_because: str = ""
    """Why no researcher has an idea when they were last asked; empty once something has happened since."""
    refused: dict[str, int] = field(default_factory=dict)
    """Proposals in a row by researcher that were refused or none, since something was last kept or a person spoke."""
    plateaus: list[happened.PlateauReached] = field(default_factory=list)
    troubles: list[happened.ExperimentAbandoned] = field(default_factory=list)
    """Attempts given up in a row because a researcher could not do its part."""
    attendance: Attendance = field(default_factory=Attendance)
    paused: happened.Paused | None = None
    stop: happened.StopRequested | None = None
    steering: list[happened.Steered] = field(default_factory=list)
    approvals: dict[str, happened.ApprovalAsked] = field(default_factory=dict)
    answers: dict[str, happened.ApprovalGiven] = field(default_factory=dict)
    notes: list[happened.Noted] = field(default_factory=list)
    allocations: dict[str, happened.AllocationEnded] = field(default_factory=dict)
    last_at: float = 0.0
    _index: dict[str, int] = field(default_factory=dict)
    _runs: dict[str, list[Run]] = field(default_factory=dict)
    _yardsticks: bool = False
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)

    def apply(self, event: Event) -> None:
        """Fold in one event; each kind touches only what it names."""
        self.last_at = max(self.last_at, event.at)
        match event:
            case happened.CampaignStarted():
                self.started, self.ended, self.limits = event, None, event.limits
            case happened.ControllerStarted():
                self.controller, self.left = event, None
                if not event.resting:
                    self.stop = self.ended = None
                    self._think_again()
            case happened.ControllerStopped():
                self.controller, self.left = None, event
            case happened.ExperimentOpened():
                self.experiments[event.index] = Experiment(opened=event)
                self.tally.saw_experiment(self.experiments[event.index])
            case happened.ExperimentAbandoned():
                self._abandon(event)
            case happened.ExperimentCommitted():
                entry = self.experiments[event.index]
                entry.committed, entry.commit = event, event.commit
                self._index[event.name] = event.index
                self._count_refusal(event)
                self.troubles.clear()
                self._yardsticks |= bool(event.yardstick)
                self.tally.saw_commit(entry)
            case happened.ExperimentRepaired():
                entry = self.experiment(event.name)
                entry.repairs.append(event)
                if event.commit != entry.commit:
                    entry.commit, entry.superseded = event.commit, len(self.runs_of(event.name))
                self.tally.saw_experiment(entry)
            case happened.ExperimentJudged():
                self._judge(self.experiment(event.name), event)
                self._succeed(event.incumbent)
                self.exhausted_because = ""
                if event.verdict.status is Status.KEEP:
                    self.refused.clear()
            case happened.IncumbentDemoted():
                self._step_back(lambda arm: arm == event.incumbent)
                self.incumbent = event.incumbent
                self.demotions.append(event)
            case happened.VerdictOverruled() if self.experiment(event.name).judged:  # nobody says it before
                self.experiment(event.name).overruled = event
                self.tally.saw_experiment(self.experiment(event.name))
                self.tally.think_again()
                if event.verdict.status is not Status.KEEP and event.name in self.lineage(self.incumbent):
                    self._step_back(lambda arm: event.name not in self.lineage(arm))
                self._succeed(event.name if event.built_upon and self.parent_of(event.name) == self.incumbent else None)
                self.exhausted_because = ""
            case _:
                self._apply_to_run_or_person(event)

    def _apply_to_run_or_person(self, event: Event) -> None:
        match event:
            case happened.BundleMade():
                self.bundles[event.name] = event
                self._yardsticks |= bool(event.yardstick)
            case happened.CampaignEnded():
                self.ended = event
            case happened.RunPlanned():
                self.runs[event.run_id] = run = Run(planned=event, order=len(self.runs))
                self._runs.setdefault(event.experiment, []).append(run)
                self._saw(run)
            case (
                happened.RunSubmitted() | happened.RunWaits() | happened.RunStarted() | happened.RunCancelled()
                | happened.RunEnded() | happened.RunMeasured()
            ):  # fmt: skip
                self.runs[event.run_id].apply(event)
                self._saw(self.runs[event.run_id])
            case _:
                self._apply_to_person(event)

    def _abandon(self, event: happened.ExperimentAbandoned) -> None:
        entry = self.experiments.pop(event.index, None)
        self.tally.open.pop(event.index, None)
        if event.exhausted:
            self.exhausted_because = event.reason or "no researcher has an idea"
        elif not event.dropped:
            if entry and self.troubles and entry.opened.at < self.troubles[-1].at:
                self.troubles.pop()  # asked before that was known, it has met the same trouble, not one more
            self.troubles.append(event)

    def _judge(self, entry: Experiment, event: happened.ExperimentJudged) -> None:
        """Take in a verdict; the newest one is counted on, any other has all counted anew."""
        before = self.tally.newest_verdict
        newest = entry.verdict is None and event.at > before
        entry.judged, self.tally.newest_verdict = event, max(before, event.at)
        self.tally.saw_experiment(entry)
        counts = entry.name != BASELINE and not self.untested(entry.name)
        self.tally.saw_verdict(entry, newest=newest, counts=counts)

    def _saw(self, run: Run) -> None:
        """Count on with what has happened to a run, and to what it is a run of."""
        self.tally.saw_run(run)
        entry = self.experiments.get(self._index.get(run.planned.experiment, 0))
        if entry is not None:
            self.tally.saw_experiment(entry)
            if entry.judged:
                self.tally.think_again()

    def _apply_to_person(self, event: Event) -> None:
        match event:
            case happened.Steered():
                self.steering.append(event)
                self._think_again()
            case happened.Paused():
                self.paused = event
            case happened.Resumed():
                self.stop, self.paused = None, self.paused if event.limits else None
                if event.limits:  # more was granted, and who has paused it has not been asked
                    self.limits, self.ended = event.limits, None
                    self.left = self.left and replace(self.left, reason=f"more was granted: {event.words}")
            case happened.StopRequested():
                self.stop = event
            case happened.ApprovalAsked():
                self.approvals[event.request] = event
            case happened.ApprovalGiven():
                self.answers[event.request] = event
            case happened.AllocationEnded():
                self.allocations[event.job_id] = event
            case happened.Noted():
                self.notes.append(event)
            case happened.PlateauReached():
                self.plateaus.append(event)
            case ResearcherAsked() if event.outcome == FRUITLESS:
                self.refused[event.researcher] = self.refused.get(event.researcher, 0) + 1
                self.attendance.apply(event)
            case _:
                self.attendance.apply(event)

    def _think_again(self) -> None:
        """A person has spoken or looked after things: everybody is asked anew, and at once."""
        self.exhausted_because = ""
        self.refused.clear()
        self.troubles.clear()
        self.attendance.anew = True

    def _count_refusal(self, event: happened.ExperimentCommitted) -> None:
        source = event.hypothesis.source
        self.refused[source] = self.refused.get(source, 0) + 1 if event.breaches else 0

    def _succeed(self, incumbent: str | None) -> None:
        if incumbent:
            self.former.append(self.incumbent)
            self.incumbent = incumbent

    def _step_back(self, stands: Callable[[str], bool]) -> None:
        """Back to the newest former incumbent that stands, the baseline at last."""
        self.incumbent = BASELINE
        while self.former:
            arm = self.former.pop()
            if stands(arm):
                self.incumbent = arm
                return

    @property
    def exhausted(self) -> bool:
        """Whether every researcher has said that it has no more, and nothing has happened since."""
        return bool(self.exhausted_because)

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name; KeyError where there is none."""
        return self.experiments[self._index[name]]

    @property
    def baseline(self) -> Experiment | None:
        """The baseline, once it stands on its branch."""
        first = self.experiments.get(1)
        return first if first and first.committed else None

    def arm_commit(self, arm: str) -> str:
        """Commit of an experiment or bundle; KeyError where there is no such arm."""
        return self.bundles[arm].commit if arm in self.bundles else self.experiment(arm).commit

    def arm_branch(self, arm: str) -> str:
        """Branch of an experiment or bundle; KeyError where there is no such arm."""
        return self.bundles[arm].branch if arm in self.bundles else self.experiment(arm).branch

    @property
    def incumbent_branch(self) -> str:
        """Branch of the incumbent, empty before the baseline has one."""
        return self.arm_branch(self.incumbent) if self.baseline else ""

    def lineage(self, arm: str) -> tuple[str, ...]:
        """The experiments inside an arm, oldest first, the baseline left out."""

        def adds(one: str) -> tuple[str, ...]:
            return self.bundles[one].ideas if one in self.bundles else () if one == BASELINE else (one,)

        return lineage(arm, self.parent_of, adds)

    def parent_of(self, arm: str) -> str:
        """The arm that an experiment or bundle starts from; empty for the baseline."""
        if arm == BASELINE:
            return ""
        return self.bundles[arm].parent if arm in self.bundles else self.experiment(arm).parent

    def runs_of(self, arm: str) -> list[Run]:
        """Runs of an experiment or bundle, oldest first."""
        return list(self._runs.get(arm, ()))

    def current_runs(self, arm: str) -> list[Run]:
        """Runs of an arm as its branch now stands, without those made before a repair."""
        entry = self.experiments.get(self._index.get(arm, 0))
        return self.runs_of(arm)[entry.superseded if entry else 0 :]

    def in_flight(self) -> list[Run]:
        """Runs that have been planned and are not measured yet, oldest first."""
        return list(self.tally.flying.values())

    @property
    def attempted(self) -> int:
        """Attempts so far, failed ones and the baseline included (R96)."""
        return len(self.experiments)

    @property
    def judged(self) -> list[Experiment]:
        """Experiments with a verdict, by index."""
        return list(self.tally.judged)

    @property
    def kept(self) -> list[Experiment]:
        """Kept experiments other than the baseline, by index."""
        return self.tally.all_kept()

    @property
    def stalled(self) -> int:
        """Experiments judged in a row without a keep until now, crashes included, the baseline and the untested not."""
        return self.tally.in_a_row(self.untested)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all ended runs, and of allocations that were held for them and idle."""
        return self.tally.hours.total + sum(idle.gpu_hours for idle in self.idle())

    def idle(self) -> list[Idle]:
        """What ended allocations cost while no run used them, in the order they ended."""
        return [idle_of(allocation, self.runs.values()) for allocation in self.allocations.values()]

    def opened_uncommitted(self, asked: Collection[int] = ()) -> Experiment | None:
        """An attempt that a crash of ours left without a commit; not one of a hand's, or for which one is asked."""
        torn = (one for index, one in self.tally.open.items() if index not in asked and not one.by_hand)
        return next((one for one in torn if one.committed is None), None)

    @property
    def by_hand(self) -> list[Experiment]:
        """Experiments opened by hand that have no verdict yet, by index."""
        return [one for _, one in sorted(self.tally.open.items()) if one.by_hand]

    def value_of(self, arm: str) -> float | None:
        """Mean of the metric over an arm's valid runs, None without one."""
        values = self._values(arm)
        return sum(values) / len(values) if values else None

    def fresh_values(self, arm: str) -> list[float]:
        """The metric of an arm's valid runs on fresh seeds, which had no part in choosing it."""
        fresh = (run for run in self.current_runs(arm) if run.planned.purpose is Purpose.CONFIRM)
        return [value for run in fresh if (value := run.value) is not None]

    def runs_behind(self, arm: str) -> int:
        """Valid runs behind `value_of`."""
        return len(self._values(arm))

    def _values(self, arm: str) -> list[float]:
        return [value for run in self.current_runs(arm) if (value := run.value) is not None]

    def has_yardstick(self, arm: str) -> bool:
        """Whether an arm is measured otherwise than the campaign, so that its runs compare with none of the others."""
        if arm in self.bundles:
            return bool(self.bundles[arm].yardstick)
        committed = self.experiment(arm).committed if arm in self._index else None
        return committed is not None and bool(committed.yardstick) and not committed.breaches

    def trials(self, *, room: bool = False) -> tuple[Trial, ...]:
        """Every run that a verdict policy may compare with the others, oldest first; `room` as for `every_trial`."""
        every = self.every_trial(room=room)
        return tuple(one for one in every if not self.has_yardstick(one.arm)) if self._yardsticks else every

    def every_trial(self, *, room: bool = False) -> tuple[Trial, ...]:
        """Every run as a verdict policy would see it, oldest first.

        Args:
            room: Whether a further run fits. Then the first runs of an arm that the machine lost are left out, as if
                they had not been made, and the policy asks for them again.
        """
        repaired = (entry for entry in self.tally.repaired.values() if entry.superseded)
        left_out = {run.run_id for entry in repaired for run in self.runs_of(entry.name)[: entry.superseded]}
        if room:
            left_out |= {run.run_id for arm in self.tally.failed for run in self.made_again(arm)}
        return self.tally.trials_but(left_out, self.runs)

    def made_again(self, arm: str) -> list[Run]:
        """The runs of an arm that are made again as if they had not been, oldest first."""
        return made_again(self.runs_of(arm), self.signs()) if arm in self.tally.failed else []

    def signs(self) -> Collection[Run]:
        """Runs by which an outage is known; none where no canary has fallen, for then there was no outage."""
        return self.runs.values() if self.tally.canaries else ()

    def unspent(self, arm: str) -> bool:
        """Whether no run of an arm counts: it has none, or is owed another one for each that it has."""
        return {run.run_id for run in self.current_runs(arm)} <= {run.run_id for run in self.made_again(arm)}

    def untested(self, arm: str) -> bool:
        """Whether no run of an arm says anything of what was run: every one was taken away, and none gave a number."""
        return bool(runs := self.current_runs(arm)) and all(map(lost, runs))

    def ideas(self) -> tuple[Idea, ...]:
        """Every committed experiment but the baseline, by index."""
        return self.each(_idea)

    def each(self, make: Callable[["History", Experiment], _View | None]) -> tuple[_View, ...]:
        """What follows from each experiment and its own runs, by index; worked out again for those touched alone."""
        return self.tally.each(make, self.experiments, self)

    def board_bundles(self) -> tuple[Bundle, ...]:
        """Bundles as a policy sees them."""
        all_ = self.bundles.values()
        return tuple(Bundle(made.name, made.ideas, made.parent, made.conflict) for made in all_ if not made.yardstick)


def _idea(history: History, entry: Experiment) -> Idea | None:
    if entry.committed is None or entry.name == BASELINE or history.has_yardstick(entry.name):
        return None
    return idea_of(entry, history.current_runs(entry.name), untested=history.untested(entry.name))


def fold(events: Iterable[Event]) -> History:
    """Replay a journal.

    Raises:
        LedgerError: An event speaks of something that no earlier one has brought into being: a line is missing.
    """
    history = History()
    for number, event in enumerate(events, start=1):
        try:
            history.apply(event)
        except KeyError as error:
            raise LedgerError(
                f"event {number} of the journal ({event.kind}) refers to {error}, which no earlier line defines: a "
                f"line is missing before it; restore the journal from a copy. The ledger and the notes are not affected"
            ) from None
    return history
