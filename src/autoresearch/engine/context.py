"""Everything one campaign's engine works with, and the one way anything is recorded.

The job of a run is built in one place: what a dry run shows and what is sent cannot differ.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.errors import AutoresearchError
from autoresearch.experiment.events import (
    ApprovalGiven,
    CampaignStarted,
    ControllerStarted,
    Event,
    Noted,
    Paused,
    Resumed,
    RunCancelled,
    RunEnded,
    RunMeasured,
    RunPlanned,
    RunSubmitted,
    Steered,
    StopRequested,
    VerdictOverruled,
)
from autoresearch.experiment.experiment import pauses
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Brief
from autoresearch.experiment.insights import Insight
from autoresearch.git import refs
from autoresearch.guards.installation import Installation
from autoresearch.guards.reach import reaches_installation, sandbox_of, unconfined
from autoresearch.machine import disk
from autoresearch.ports.launcher import Avoider, Launcher, occupies
from autoresearch.ports.metric_source import MetricSource
from autoresearch.ports.policy import Policy
from autoresearch.ports.researcher import Researcher, Supplier
from autoresearch.ports.target import RunRequest, Survey, Target
from autoresearch.records.journal import DISOWNED, Journal, dump
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import CampaignPaths
from autoresearch.records.session_folder import SessionMemory
from autoresearch.run.ending import Ending
from autoresearch.run.job import Job, JobStatus, Resources, own_caches
from autoresearch.run.pace import ProgressClock
from autoresearch.run.placement import Places, on_cpu
from autoresearch.scheduling.exploration import bad_nodes
from autoresearch.scheduling.predecessor import Predecessor
from autoresearch.scheduling.stop_check import Outlook, outlook
from autoresearch.secrets.redactor import Redactor
from autoresearch.supervision.run_log import StepLog

_CHANGES_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class JobBuilder:
    """Everything that shapes the job of a campaign's run; nothing is written and nothing is sent.

    Attributes:
        campaign: The campaign file.
        paths: Where its things lie.
        target: What is being trained.
        launcher: Where runs happen.
        survey: The recipe at the base commit; what it says measures is kept read-only.
        look: What this machine offers the launcher.
        avoid: Nodes that failed runs of the campaign.
    """

    campaign: CampaignConfig
    paths: CampaignPaths
    target: Target
    launcher: Launcher
    survey: Survey
    look: Callable[[], Places]
    avoid: tuple[str, ...] = ()

    def request(
        self, label: str, number: int, *, run_id: str, tree: Path, seed: int, limit_s: float | None, commit: str
    ) -> RunRequest:
        """What the target is asked for: a run whose folders are those of `label` and `number`."""
        folder, log = self.paths.run(label, number), self.paths.log(label, number)
        return RunRequest(run_id=run_id, tree=tree, folder=folder, log=log, seed=seed, limit_s=limit_s, commit=commit)

    def job(self, request: RunRequest, label: str, number: int, *, plumbing: bool, before: Ending | None = None) -> Job:
        """The job of a requested run; plumbing may do without GPUs, and what broke in the run `before` it is made new.

        Raises:
            RecipeError: The target refuses it.
        """
        rebuild = before is not None and before.what == "venv-broken"
        job = self.target.job(replace(request, rebuild=rebuild))
        settings = self.campaign.run
        memory_gb = settings.memory_gb or job.resources.memory_gb
        job = replace(job, resources=replace(self._resources(job, plumbing=plumbing), memory_gb=memory_gb))
        free = self.unconfined(job.resources)
        env = {**self.paths.variables(label, number), **job.env, **settings.env}
        broken = before.broken_cache if before else ""
        return replace(
            job,
            env={**env, **own_caches(broken, job.folder, offline=env.get("HF_HUB_OFFLINE", "0") not in {"", "0"})},
            grace_s=settings.grace,
            avoid_nodes=self.avoid,
            max_log_bytes=int(settings.max_log_mb * 1024 * 1024),
            sandbox=None
            if free
            else sandbox_of(self.campaign, self.paths, self.survey, job, request.commit, label, number),
        )

    def unconfined(self, resources: Resources) -> str:
        """Why runs get no sandbox wherever they begin; empty when their machine decides."""
        return unconfined(self.campaign, self.launcher, resources)

    def _resources(self, job: Job, *, plumbing: bool) -> Resources:
        return on_cpu(job.resources, self.look()) if plumbing and occupies(self.launcher) else job.resources


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """An evaluation that was started.

    Attributes:
        job: What was sent.
        job_id: The launcher's name for it.
        key: What marks its lines.
    """

    job: Job
    job_id: str
    key: str


def elsewhere(job: Job, before: Path, after: Path) -> Job:
    """The job as it is for a worktree at `after`, made with one that lay at `before`.

    A dry run reads the code in a worktree of its own and shows the one that the run will have.
    """

    def moved(text: str) -> str:
        return text.replace(str(before), str(after))

    return replace(
        job,
        argv=tuple(map(moved, job.argv)),
        directory=moved(job.directory),
        env={name: moved(value) for name, value in job.env.items()},
    )


_ANYBODYS = ApprovalGiven | Noted | Paused | Resumed | RunCancelled | Steered | StopRequested | VerdictOverruled
"""What others than the controller write: words of people, each with its own proof, and remarks."""


@dataclass(kw_only=True)
class Context:
    """One campaign at work.

    Attributes:
        campaign: The frozen campaign file.
        paths: Where its things lie.
        survey: The recipe at the base commit.
        limits: The stop rule in absolute values.
        policy: The verdict policy.
        target: What is being trained.
        researchers: Who proposes, in order; nobody where nobody is to be asked.
        editors: Names of the campaign's researchers that edit the worktree themselves, asked or not.
        launcher: Where runs happen.
        sources: Metric sources by name, in order of trust.
        journal: Append-only events.
        ledger: The TSV.
        memory: Session memory.
        redactor: Keeps secrets out of everything written.
        clock: Unix time in seconds.
        history: The journal's replay; only `hear` changes it.
        heard: Bytes of the journal that `history` has taken in.
        free_gb: Free space on the disk of a path.
        look: What this machine offers the launcher.
        evaluations: Evaluations under way, by run id; see `engine/evaluation.py`.
        listeners: Called with every event after it was applied; for surfaces that show progress.
        clocks: How runs in flight go on, by run id.
        step_logs: What their logs say of steps.
        statuses: What their launcher said of them last.
        asked: Who is asked for which attempt just now, by index; see `engine/asking.py`.
        another: Makes one more of the researchers of a name; None where nobody is asked beside the loop.
        learned: What the campaign has learned, and at which renewal.
        followed: What the campaign that this one goes on from tells it; None before it was read, and without one.
        surviving: Since when something of them lives on without its supervisor, by a clock that does not jump.
        shares: Whether others may take turns at the campaign while this one rests.
        others: Whether somebody did, or does: what they write of a run counts as what we write.
    """

    campaign: CampaignConfig
    paths: CampaignPaths
    survey: Survey
    limits: StopLimits
    policy: Policy
    target: Target
    researchers: Sequence[Researcher]
    launcher: Launcher
    sources: Mapping[str, MetricSource]
    journal: Journal
    ledger: Ledger
    memory: SessionMemory
    redactor: Redactor
    clock: Callable[[], float]
    editors: frozenset[str] = frozenset()
    history: History = field(default_factory=History)
    heard: int = 0
    free_gb: Callable[[Path], float] = disk.free_gb
    look: Callable[[], Places] = Places
    evaluations: dict[str, UnderWay] = field(default_factory=dict)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    clocks: dict[str, ProgressClock] = field(default_factory=dict)
    step_logs: dict[str, StepLog] = field(default_factory=dict)
    statuses: dict[str, JobStatus] = field(default_factory=dict)
    surviving: dict[str, float] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)
    another: Callable[[str], Researcher] | None = None
    learned: tuple[tuple[int, int], tuple[Insight, ...]] = ((0, 0), ())
    shares: bool = False
    others: bool = False
    followed: Predecessor | None = None
    _said: list[str] = field(default_factory=list)
    _own_runs: set[str] = field(default_factory=set)
    _surveys: dict[str, Survey] = field(default_factory=dict)
    _changes_seen: tuple[float, bool] = (-math.inf, False)
    _counted: list[int | None] | None = None

    def record(self, event: Event, *, lasting: bool = True) -> None:
        """Write an event down, then let it take effect: the state is only ever what the journal says.

        Args:
            event: What happened.
            lasting: Whether a power cut must not take it. It may where launcher, git or a run's files would tell it
                again and nothing is done that only this line tells of; the next that lasts takes it along.
        """
        self._said.append(dump(event))
        if isinstance(event, RunSubmitted):
            self._own_runs.add(event.run_id)
        self.journal.append(event, lasting=lasting)
        self.hear()

    def note(self, text: str, **details: str) -> None:
        """Record something a person should be able to read later."""
        self.record(Noted(self.clock(), self.redactor.clean(text), details))

    def note_once(self, text: str, beginning: str = "") -> None:
        """Record it unless a note begins so already; without a beginning, unless one begins with all of it."""
        if text and not any(note.text.startswith(beginning or text) for note in self.history.notes):
            self.note(text)

    def hear(self) -> tuple[Event, ...]:
        """Take in what was appended since the last look, by us or by another process (steer, pause, stop)."""
        before = self.heard
        found, self.heard = self.journal.tail(before)
        strange = [at for at, event in enumerate(found) if not self._counts(event)]
        events = tuple(event for at, event in enumerate(found) if at not in strange)
        for event in events:
            self.history.apply(event)
            if isinstance(event, Resumed) and event.limits:
                self.limits = StopLimits.load(event.limits)
            for listener in self.listeners:
                listener(event)
        digests = self.journal.digests(before) if strange else ()
        for at in strange:
            self._disown(found[at], digests[at])
        return events

    def _counts(self, event: Event) -> bool:
        """Whether it is what anybody may say, or what nobody but a controller does and this one did."""
        if (said := dump(event)) in self._said:
            self._said.remove(said)
            return True
        if self.shares:  # who opens one by hand, or hands one in, does so beside whoever follows runs
            self.others = self.others or isinstance(event, ControllerStarted)
            mine = isinstance(event, RunEnded | RunMeasured) and event.run_id in self._own_runs
            return self.others or not mine
        disowns = isinstance(event, Noted) and DISOWNED in event.details
        begun = isinstance(event, CampaignStarted) and event == self.history.started
        return begun or (isinstance(event, _ANYBODYS) and not disowns)

    def _disown(self, event: Event, digest: str) -> None:
        """Say that a line is nobody's word, for whoever reads the journal from now on."""
        of = f" of {event.run_id}" if isinstance(event, RunEnded | RunMeasured | RunPlanned) else ""
        told = f"a line that this controller did not write says {event.kind!r}{of}; it does not count"
        self.note(told, **{DISOWNED: digest})

    @property
    def jobs(self) -> JobBuilder:
        """Makes the jobs of this campaign's runs."""
        return JobBuilder(
            campaign=self.campaign,
            paths=self.paths,
            target=self.target,
            launcher=self.launcher,
            survey=self.survey,
            look=self.look,
            avoid=tuple(self.bad_nodes()),
        )

    @cached_property
    def installation(self) -> Installation:
        """What is installed where runs begin, and whether it is as it was."""
        return Installation(
            root=self.paths.root,
            folder=self.paths.folder,
            history=lambda: self.history,
            note=self.note,
            reached=lambda resources: reaches_installation(self.campaign, self.launcher, resources),
        )

    def bad_nodes(self) -> dict[str, str]:
        """Nodes that are left out, where the launcher can leave any out, each with its last failure."""
        return bad_nodes(self.history.runs.values()) if isinstance(self.launcher, Avoider) else {}

    @property
    def paused(self) -> Mapping[str, float]:
        """Since when which runs are stopped by somebody else, Unix seconds."""
        return pauses(self.history.notes)

    @property
    def recipe(self) -> str:
        """What is tuned: the recipe, or the configuration file of a target that has none; empty without either."""
        return self.campaign.recipe or next(iter(self.survey.lineage), "")

    def survey_of(self, commit: str, tree: Path) -> Survey:
        """The recipe at a commit, read the first time it is asked for, in a worktree that holds just that commit.

        Raises:
            RecipeError: The recipe is refused.
        """
        if commit not in self._surveys:
            self._surveys[commit] = self.target.survey(tree)
        return self._surveys[commit]

    def known_survey(self, commit: str) -> Survey | None:
        """The recipe at a commit if it was read before, so that no worktree need be made for it."""
        return self._surveys.get(commit)

    def user_has_changes(self) -> bool:
        """Whether the user's checkout has uncommitted work; git is asked at most once a minute."""
        now = self.clock()
        if not 0 <= now - self._changes_seen[0] < _CHANGES_EVERY_S:
            self._changes_seen = (now, bool(refs.changes(self.paths.root)))
        return self._changes_seen[1]

    def outlook(self) -> Outlook:
        """What the rest of the budget can hold, now."""
        minutes = self.survey.minutes
        expected = None if minutes is None else minutes * 60
        gpus, objective = self.survey.resources.gpus, self.survey.objective
        seen = outlook(self.history, self.campaign, self.limits, objective, self.clock(), expected, gpus)
        return replace(seen, supply=self.supply)

    @property
    def supply(self) -> int | None:
        """Ideas that its researchers have for the recipe as it is, counted once; None where nobody can count them."""
        if self._counted is None:
            brief = first_brief(self.campaign, self.survey)
            self._counted = [_most(one, brief) for one in self.researchers]
        most = [each for each in self._counted if each is not None]
        return sum(most) if len(most) == len(self._counted) else None


def _most(one: Researcher, brief: Brief) -> int | None:
    """None where it cannot count; nothing where it cannot work now: asking it for an idea tells why."""
    try:
        return one.supply(brief).most if isinstance(one, Supplier) else None
    except AutoresearchError:
        return 0


def first_brief(campaign: CampaignConfig, survey: Survey) -> Brief:
    """What researchers are told of a recipe before anything was tried."""
    return Brief(
        campaign=campaign.campaign,
        index=2,
        objective=survey.objective,
        facts=survey.facts,
        protect_keys=(*survey.protect_keys, *campaign.scope.protect_keys),
        origin=survey.facts.values,
    )
