"""The campaign so far: the journal's events, folded."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from autoresearch.core import event as happened
from autoresearch.core import racing
from autoresearch.core.board import Bundle, Idea, Trial
from autoresearch.core.event import Event
from autoresearch.core.experiment import Status, Verdict
from autoresearch.core.hypothesis import Hypothesis
from autoresearch.core.job import JobState
from autoresearch.core.metric import Completion, Measurement, Severity
from autoresearch.errors import LedgerError

BASELINE = "baseline"


@dataclass
class Run:
    """One launched job of an experiment or bundle, as far as it has come."""

    planned: happened.RunPlanned
    order: int
    job_id: str | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    cancelled: str = ""
    ended: happened.RunEnded | None = None
    measurement: Measurement | None = None

    @property
    def run_id(self) -> str:
        """The run's unique name."""
        return self.planned.run_id

    @property
    def settled(self) -> bool:
        """Whether it has ended and been measured."""
        return self.measurement is not None

    @property
    def wall_s(self) -> float | None:
        """Seconds it ran, without queueing; None while unknown."""
        if self.ended is None:
            return None
        status = self.ended.status
        start = status.started_at if status.started_at is not None else self.started_at
        end = status.ended_at if status.ended_at is not None else self.ended.at
        return None if start is None else max(0.0, end - start)

    @property
    def queued_s(self) -> float | None:
        """Seconds it waited in a queue; None while unknown."""
        if self.submitted_at is None:
            return None
        start = self.started_at
        if self.ended is not None and self.ended.status.started_at is not None:
            start = self.ended.status.started_at
        return None if start is None else max(0.0, start - self.submitted_at)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours used; 0 for a CPU run or while unknown."""
        return (self.wall_s or 0.0) / 3600 * self.planned.resources.gpus

    @property
    def valid(self) -> bool:
        """Whether it gave a number one may judge by."""
        return self.measurement is not None and _usable(self) is not None


def _usable(run: Run) -> float | None:
    """The run's value as a policy sees it: an overrun of the limit is a failure (R98), and so is a diverged run."""
    found = run.measurement
    if found is None or found.value is None or found.completion is Completion.DIVERGED:
        return None
    if run.ended is not None and run.ended.status.state in {JobState.TIMED_OUT, JobState.CANCELLED}:
        return None
    return found.value


@dataclass
class Experiment:
    """One attempt: its hypothesis, branch, runs and verdict, as far as it has come."""

    opened: happened.ExperimentOpened
    committed: happened.ExperimentCommitted | None = None
    commit: str = ""
    repairs: list[happened.ExperimentRepaired] = field(default_factory=list)
    superseded: int = 0
    """Runs made before the last repair; they no longer count as evidence."""
    judged: happened.ExperimentJudged | None = None
    overruled: happened.VerdictOverruled | None = None

    @property
    def index(self) -> int:
        """Its number in the ledger, counted from 1 (the baseline)."""
        return self.opened.index

    @property
    def name(self) -> str:
        """Its name, or a placeholder while it has none."""
        return self.committed.name if self.committed else f"#{self.index}"

    @property
    def parent(self) -> str:
        """Arm it was made from; a hypothesis may have asked for another one than the attempt was opened with."""
        return (self.committed and self.committed.parent) or self.opened.parent

    @property
    def parent_commit(self) -> str:
        """Commit it was made from."""
        return (self.committed and self.committed.parent_commit) or self.opened.parent_commit

    @property
    def branch(self) -> str:
        """Its branch, empty while it has none."""
        return self.committed.branch if self.committed else ""

    @property
    def hypothesis(self) -> Hypothesis:
        """Its hypothesis; an empty one while it has none."""
        return self.committed.hypothesis if self.committed else Hypothesis(title="")

    @property
    def verdict(self) -> Verdict | None:
        """The verdict in force: a person's, else the policy's, else None."""
        if self.overruled:
            return self.overruled.verdict
        return self.judged.verdict if self.judged else None


@dataclass
class History:
    """Everything known of a campaign; `apply` folds in one more event."""

    started: happened.CampaignStarted | None = None
    ended: happened.CampaignEnded | None = None
    controller: happened.ControllerStarted | None = None
    experiments: dict[int, Experiment] = field(default_factory=dict)
    bundles: dict[str, happened.BundleMade] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    incumbent: str = BASELINE
    exhausted: bool = False
    troubles: list[happened.ExperimentAbandoned] = field(default_factory=list)
    """Attempts given up in a row because a researcher could not do its part."""
    paused: happened.Paused | None = None
    stop: happened.StopRequested | None = None
    steering: list[happened.Steered] = field(default_factory=list)
    approvals: dict[str, happened.ApprovalAsked] = field(default_factory=dict)
    answers: dict[str, happened.ApprovalGiven] = field(default_factory=dict)
    notes: list[happened.Noted] = field(default_factory=list)
    last_at: float = 0.0
    _index: dict[str, int] = field(default_factory=dict)
    _runs: dict[str, list[Run]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Fold in one event; each kind touches only what it names."""
        self.last_at = max(self.last_at, event.at)
        match event:
            case happened.CampaignStarted():
                self.started, self.ended = event, None
            case happened.ControllerStarted():
                self.controller, self.stop, self.ended = event, None, None
                self.troubles.clear()
            case happened.ControllerStopped():
                self.controller = None
            case happened.ExperimentOpened():
                self.experiments[event.index] = Experiment(event)
            case happened.ExperimentAbandoned():
                self.experiments.pop(event.index, None)
                self.exhausted = event.exhausted
                self.troubles.append(event)
            case happened.ExperimentCommitted():
                entry = self.experiments[event.index]
                entry.committed, entry.commit = event, event.commit
                self._index[event.name] = event.index
                self.troubles.clear()
            case happened.ExperimentRepaired():
                entry = self.experiment(event.name)
                entry.repairs.append(event)
                if event.commit != entry.commit:
                    entry.commit, entry.superseded = event.commit, len(self.runs_of(event.name))
            case happened.BundleMade():
                self.bundles[event.name] = event
            case happened.ExperimentJudged():
                self.experiment(event.name).judged = event
                self.incumbent = event.incumbent or self.incumbent
            case happened.VerdictOverruled():
                self.experiment(event.name).overruled = event
            case happened.CampaignEnded():
                self.ended = event
            case _:
                self._apply_to_run_or_person(event)

    def _apply_to_run_or_person(self, event: Event) -> None:
        match event:
            case happened.RunPlanned():
                self.runs[event.run_id] = run = Run(event, order=len(self.runs))
                self._runs.setdefault(event.experiment, []).append(run)
            case happened.RunSubmitted():
                run = self.runs[event.run_id]
                run.job_id, run.submitted_at = event.job_id, run.submitted_at or event.at
            case happened.RunStarted():
                self.runs[event.run_id].started_at = event.at
            case happened.RunCancelled():
                self.runs[event.run_id].cancelled = event.reason
            case happened.RunEnded():
                self.runs[event.run_id].ended = event
            case happened.RunMeasured():
                self.runs[event.run_id].measurement = event.measurement
            case happened.Steered():
                self.steering.append(event)
                self.exhausted = False
            case happened.Paused():
                self.paused = event
            case happened.Resumed():
                self.paused = None
            case happened.StopRequested():
                self.stop = event
            case happened.ApprovalAsked():
                self.approvals[event.request] = event
            case happened.ApprovalGiven():
                self.answers[event.request] = event
            case happened.Noted():
                self.notes.append(event)
            case _:
                pass

    # -- questions ----------------------------------------------------------------------------------------------

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            KeyError: There is none.
        """
        return self.experiments[self._index[name]]

    @property
    def baseline(self) -> Experiment | None:
        """The baseline, once it stands on its branch."""
        first = self.experiments.get(1)
        return first if first and first.committed else None

    def arm_commit(self, arm: str) -> str:
        """Commit of an experiment or bundle.

        Raises:
            KeyError: There is no such arm.
        """
        return self.bundles[arm].commit if arm in self.bundles else self.experiment(arm).commit

    def arm_branch(self, arm: str) -> str:
        """Branch of an experiment or bundle.

        Raises:
            KeyError: There is no such arm.
        """
        return self.bundles[arm].branch if arm in self.bundles else self.experiment(arm).branch

    def runs_of(self, arm: str) -> list[Run]:
        """Runs of an experiment or bundle, oldest first."""
        return list(self._runs.get(arm, ()))

    def current_runs(self, arm: str) -> list[Run]:
        """Runs of an arm as its branch now stands, without those made before a repair."""
        entry = self.experiments.get(self._index.get(arm, 0))
        return self.runs_of(arm)[entry.superseded if entry else 0 :]

    def in_flight(self) -> list[Run]:
        """Runs that have been planned and are not measured yet, oldest first."""
        return [run for run in self.runs.values() if not run.settled]

    @property
    def attempted(self) -> int:
        """Attempts so far, failed ones and the baseline included (R96)."""
        return len(self.experiments)

    @property
    def judged(self) -> list[Experiment]:
        """Experiments with a verdict, by index."""
        return [entry for _, entry in sorted(self.experiments.items()) if entry.judged]

    @property
    def kept(self) -> list[Experiment]:
        """Kept experiments other than the baseline, by index."""
        return [
            entry
            for entry in self.judged
            if entry.name != BASELINE and entry.verdict and entry.verdict.status is Status.KEEP
        ]

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all ended runs."""
        return sum(run.gpu_hours for run in self.runs.values())

    def opened_uncommitted(self) -> Experiment | None:
        """An attempt that a crash of ours left without a commit."""
        return next((entry for entry in self.experiments.values() if entry.committed is None), None)

    def value_of(self, arm: str) -> float | None:
        """Mean of the metric over an arm's valid runs, None without one."""
        values = [value for run in self.current_runs(arm) if (value := _usable(run)) is not None]
        return sum(values) / len(values) if values else None

    # -- what a policy sees -------------------------------------------------------------------------------------

    def trials(self) -> tuple[Trial, ...]:
        """Every run as a verdict policy sees it, oldest first."""
        superseded = {
            run.run_id
            for entry in self.experiments.values()
            if entry.superseded
            for run in self.runs_of(entry.name)[: entry.superseded]
        }
        return tuple(_trial(run) for run in self.runs.values() if run.run_id not in superseded)

    def ideas(self) -> tuple[Idea, ...]:
        """Every committed experiment but the baseline, by index."""
        return tuple(
            self._idea(entry)
            for _, entry in sorted(self.experiments.items())
            if entry.committed and entry.name != BASELINE
        )

    def _idea(self, entry: Experiment) -> Idea:
        committed = entry.committed
        assert committed is not None  # noqa: S101 - the caller filtered
        hypothesis = committed.hypothesis
        return Idea(
            name=entry.name,
            parent=entry.parent,
            verdict=entry.verdict,
            complexity=committed.complexity,
            simplifies=hypothesis.simplifies,
            unlocks=hypothesis.unlocks,
            keys=_touched(committed),
            seeds=hypothesis.seeds,
            broken="; ".join(committed.breaches),
            fatal=any(_shows_poor_idea(run) for run in self.current_runs(entry.name)),
        )

    def board_bundles(self) -> tuple[Bundle, ...]:
        """Bundles as a policy sees them."""
        return tuple(Bundle(made.name, made.ideas, made.parent, made.conflict) for made in self.bundles.values())


def _touched(committed: happened.ExperimentCommitted) -> frozenset[str]:
    """Recipe keys and files; of an idea made of overrides alone the keys, for nearly all of those share one file."""
    keys, files = frozenset(committed.keys), frozenset(committed.files)
    only_overrides = committed.hypothesis.overrides and not committed.hypothesis.patch
    return keys - files if only_overrides and keys > files else keys


def _shows_poor_idea(run: Run) -> bool:
    found = run.measurement
    if run.cancelled.startswith(racing.WORD):
        return True
    if found is None or found.value is not None or not found.symptoms:
        return False
    return found.symptoms[0].fault == "idea" and found.symptoms[0].severity is Severity.FATAL


def _trial(run: Run) -> Trial:
    found = run.measurement
    return Trial(
        arm=run.planned.experiment,
        seed=run.planned.seed,
        purpose=run.planned.purpose,
        pending=found is None,
        value=_usable(run),
        standard_error=found.standard_error if found else None,
        plumbing=run.planned.plumbing,
        partial=bool(found and found.completion in {Completion.TIMED_OUT, Completion.STALLED, Completion.CANCELLED}),
        order=run.order,
        note=why_no_value(run),
        samples=found.samples if found else (),
    )


def why_no_value(run: Run) -> str:
    """In words, why a measured run has no number; empty when it has one or is still going."""
    found = run.measurement
    if found is None or _usable(run) is not None:
        return ""
    if run.cancelled:
        return run.cancelled
    status = run.ended.status if run.ended else None
    if status and status.state is JobState.TIMED_OUT:
        return status.reason or "ran past its time limit"
    worst = found.symptoms[0] if found.symptoms else None
    told = f"{worst.name}: {worst.evidence}" if worst else found.note or (status.reason if status else "")
    return told or "no valid metric was found"


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
                f"event {number} of the journal ({event.kind}) speaks of {error}, of which no earlier line knows: a "
                f"line is missing before it; put the journal back from a copy, the ledger and the notes are unharmed"
            ) from None
    return history
