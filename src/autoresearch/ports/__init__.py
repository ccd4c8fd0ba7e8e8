"""The five things that vary, one Protocol each. A class needs only the right shape, no base class.

Adapters are named in a table in their room's `__init__`, or by an entry point `autoresearch.<room>`, and are made by
calling the class with the keyword arguments given beside each Protocol.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from autoresearch.experiment.events import Event
from autoresearch.experiment.hypothesis import Brief, Facts, Hypothesis
from autoresearch.run.job import Job, JobStatus, Resources, Submission
from autoresearch.run.measurement import Measurement, Readings, Series
from autoresearch.run.objective import Objective
from autoresearch.run.symptom import Symptom


@dataclass(frozen=True)
class SourceSpec:
    """A metric source by name and options, as a target asks for it. `name` is a key of `metrics.BUILTIN`."""

    name: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class RunRequest:
    """What a target needs to know to turn an experiment into a job.

    Attributes:
        run_id: Unique name of the run.
        tree: The experiment's worktree, absolute.
        folder: The run's own folder, absolute; it exists.
        log: The run's log file, absolute.
        seed: Training seed of this run.
        limit_s: Wall-clock limit of the run in seconds, None for none.
        commit: Full hash of the experiment's commit.
        overrides: Further overrides for this run only (never part of the hypothesis).
    """

    run_id: str
    tree: Path
    folder: Path
    log: Path
    seed: int
    limit_s: float | None
    commit: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What a target found out about the thing to be trained, before anything is run.

    Attributes:
        objective: The authoritative metric with its direction and meaning.
        command: Entry point and arguments before per-run injections.
        resources: What one run needs.
        lineage: The recipe and its parents, nearest first, repository-relative.
        minutes: Expected minutes per run, None when unknown.
        setup_minutes: Start-up part of it, None when unknown.
        steps: Training steps per run, None when unknown.
        step_minutes: Expected minutes of one of them, None when unknown.
        first_value: Step after which a run first has a value of the metric, None when unknown or when it is the last.
        least_steps: Fewer steps than these judge no idea (R113).
        standard_error: Evaluation noise expected from the size of the validation set, None when unknown.
        plumbing: Why a run is too small to judge an idea by; empty when it is not.
        protect: Globs of files that measure and must not be edited.
        protect_keys: Recipe keys that measure and must not be overridden.
        facts: The recipe as researchers see it.
        warnings: What a maintainer would point out, one sentence each.
        inputs: Files or folders that a run reads: absolute, or relative to the repository and then tracked.
    """

    objective: Objective
    command: tuple[str, ...]
    resources: Resources = field(default_factory=Resources)
    lineage: tuple[str, ...] = ()
    minutes: float | None = None
    setup_minutes: float | None = None
    steps: int | None = None
    step_minutes: float | None = None
    first_value: int | None = None
    least_steps: int = 0
    standard_error: float | None = None
    plumbing: str = ""
    protect: tuple[str, ...] = ()
    protect_keys: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    warnings: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


class Target(Protocol):
    """What we know about the thing being trained. Made with `recipe=`, `command=`, `objective=`, `options=`."""

    name: str

    def survey(self, tree: Path) -> Survey:
        """Read recipe and code in `tree`; raises RecipeError with one clear line when that cannot be done."""
        ...

    def apply(self, tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
        """Write overrides into the recipe file in `tree` with the smallest edit; returns the files changed."""
        ...

    def job(self, request: RunRequest) -> Job:
        """The exact training command of one run, with per-run injections (own folders, seed, limits)."""
        ...

    def sources(self) -> tuple[SourceSpec, ...]:
        """Metric sources in order of trust."""
        ...

    def measure(self, folder: Path, log_tail: str, readings: Mapping[str, Readings], status: JobStatus) -> Measurement:
        """One number and its circumstances from what the sources read; never raises for a broken run."""
        ...

    def health(self, log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
        """Findings about a run, worst first, also while it is still running; a FATAL one justifies an early kill."""
        ...


@runtime_checkable
class Narrator(Protocol):
    """What a target can do besides that can tell how far a run has come; the engine looks for it, not all have it."""

    def milestones(self, log: str) -> tuple[str, ...]:
        """What a log says has been reached, in words that stay the same at every look: a link, the first rollouts."""
        ...


class Researcher(Protocol):
    """Has ideas. Made with `options=`, `folder=` (a scratch folder of its own that survives a resume)."""

    name: str

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """One hypothesis, or None when it has no more. It may edit `tree`; overrides and patch are applied for it."""
        ...


class Launcher(Protocol):
    """Starts runs somewhere. Made with `options=`, `folder=` (the campaign's folder). `plan` is pure text."""

    name: str

    def plan(self, job: Job) -> Submission:
        """The exact request, nothing sent: a dry run and a golden file cost nothing."""
        ...

    def submit(self, submission: Submission) -> str:
        """Send it and return the job id. A second call for one run id returns the same job, not a second one."""
        ...

    def find(self, run_id: str) -> str | None:
        """The job id of a run that may or may not have been submitted before a crash of ours."""
        ...

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """How all these jobs are doing, with one query. Raises LauncherError during an outage."""
        ...

    def cancel(self, job_id: str) -> None:
        """End a job and everything it started. Twice is fine, late is fine."""
        ...

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """What is still alive of a job, in words. Empty is the proof that nothing is."""
        ...


@dataclass(frozen=True)
class Held:
    """Capacity that a launcher holds between runs, such as a warm allocation of Slurm.

    Attributes:
        job_id: What the engine calls it.
        nodes: How many nodes it has.
        gpus: How many GPUs in all.
        started_at: Unix seconds when it began, None if it has not.
        ended_at: Unix seconds when it ended, None while it lasts.
    """

    job_id: str
    nodes: int
    gpus: int
    started_at: float | None
    ended_at: float | None


@runtime_checkable
class Holder(Protocol):
    """What a launcher that holds capacity between runs can do besides; the engine looks for it, most have none."""

    def offer(self, resources: Resources) -> str:
        """What holding costs at most, in words, for runs that need this; empty when the options ask for none."""
        ...

    def held(self) -> tuple[Held, ...]:
        """What is held or was held, as of the latest question to the scheduler.

        Raises LauncherError during an outage.
        """
        ...

    def release(self) -> tuple[str, ...]:
        """Give everything back that is held. What is left, in words: empty is the proof that nothing is."""
        ...


class MetricSource(Protocol):
    """Reads what a run wrote. Made with `options=`."""

    name: str

    def read(self, folder: Path) -> Readings:
        """Everything found below `folder`. Partial, torn and missing files are normal and never raise."""
        ...


class Tracker(Protocol):
    """Is told what happens. Made with `options=`. May fail; the loop notes it and goes on."""

    name: str

    def tell(self, event: Event) -> None:
        """One event of the journal, after it was written."""
        ...


__all__ = [
    "Held",
    "Holder",
    "Launcher",
    "MetricSource",
    "Narrator",
    "Researcher",
    "RunRequest",
    "Series",
    "SourceSpec",
    "Survey",
    "Target",
    "Tracker",
]
