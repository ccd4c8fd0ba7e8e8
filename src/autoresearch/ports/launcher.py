"""The port of launchers: where runs happen, and what one can do besides.

A launcher is made with `options=` and `folder=`, the campaign's folder. `name` and `here` belong to the class: they are
read before one is made.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ValidationError

from autoresearch.errors import LauncherError, wrong_option
from autoresearch.run.job import Job, JobStatus, Resources, Submission


class Launcher(Protocol):
    """Starts runs somewhere. Made with `options=`, `folder=` (the campaign's folder). `plan` is pure text."""

    name: str
    """What a campaign file calls it under `launcher.type`."""
    here: bool
    """Whether runs happen on this machine: they see its disks, use its GPUs, and have no job id worth telling."""

    def plan(self, job: Job) -> Submission:
        """The exact request, nothing sent: a dry run and a golden file cost nothing."""
        ...

    def submit(self, submission: Submission) -> str:
        """Send it and return the job id. A second call for one run id returns the same job, not a second one.

        Raises:
            RefusedError: The scheduler answered and will never take it as it stands; the text has its own sentence.
            NotNowError: It answered and takes nothing more at the moment; the text says how many, where that is known.
            LauncherError: It did not answer, so it may or may not have the job; `find` tells later.
        """
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


@runtime_checkable
class Routable(Protocol):
    """A launcher with options that say who pays and where a run queues, and nothing of what is run.

    These may be corrected in the file of a campaign that has begun: its launcher may have refused them.
    """

    routing: frozenset[str]
    """Their names; it says so on the class."""


@runtime_checkable
class Packager(Protocol):
    """A launcher whose runs may begin in a container image; asked of the class, before one is made."""

    @staticmethod
    def in_image(options: Mapping[str, object]) -> bool:
        """Whether they do, with these options."""
        ...


@runtime_checkable
class Placer(Protocol):
    """A launcher that says what is around its runs; asked of the class, before one is made."""

    @staticmethod
    def place(options: Mapping[str, object]) -> Mapping[str, str]:
        """What is around a run with these options, by heading: the image, what is mounted, who starts Ray."""
        ...


@runtime_checkable
class Requeuer(Protocol):
    """A launcher that may begin a run again in its own folder; asked of the class, before one is made."""

    @staticmethod
    def requeues(options: Mapping[str, object]) -> bool:
        """Whether it may, with these options."""
        ...


@runtime_checkable
class Avoider(Protocol):
    """A launcher that can keep a run off nodes, those in `Job.avoid_nodes`."""

    avoids_nodes: bool
    """True; it says so on the class."""


@runtime_checkable
class Rehearsal(Protocol):
    """A launcher that only plays runs: what a real run would read or occupy need not be there."""

    rehearses: bool
    """True; it says so on the class."""


def occupies(launcher: Launcher | type[Launcher]) -> bool:
    """Whether runs take GPUs of this machine and read its files."""
    return launcher.here and not isinstance(launcher, Rehearsal)


@runtime_checkable
class Adviser(Protocol):
    """A launcher that knows before a run is sent what would go wrong with it, as its options are."""

    def refusal(self, resources: Resources) -> str:
        """Why runs that need this cannot be sent from this machine; empty when they can. Starts nothing."""
        ...

    def warnings(self, resources: Resources, root: Path) -> tuple[str, ...]:
        """What a person should know of the options before they approve a plan for the repository at `root`."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A launcher whose site lets no job run longer than a time of its own, or than what it needs may be had for."""

    def too_long(self, limit_s: float, grace_s: float, resources: Resources) -> str:
        """Why runs with this limit and grace cannot be sent; empty when they can, or nobody says. Starts nothing."""
        ...


@runtime_checkable
class Confiner(Protocol):
    """A launcher whose runs begin under a supervisor of ours, which puts them into a sandbox where there can be one."""

    def unconfined(self, resources: Resources) -> str:
        """Why runs that need this get no sandbox, the options being as they are; empty when they get one."""
        ...


def why_unconfined(launcher: Launcher, resources: Resources) -> str:
    """Why a launcher's runs get no sandbox wherever they begin; empty when their machine decides."""
    if isinstance(launcher, Confiner):
        return launcher.unconfined(resources)
    return f"the launcher {launcher.name} starts runs where autoresearch cannot put them into one"


@runtime_checkable
class Kept(Protocol):
    """A launcher whose runs each have a process of this machine that ends with them, so that it can be waited for."""

    def keeper(self, job_id: str) -> tuple[int, int] | None:
        """That process, by id and start time in ticks since boot; None where none can be seen: `states` is asked.

        It is told also when it is gone: between a look at the run and this question it may have ended.
        """
        ...


@runtime_checkable
class Enforcer(Protocol):
    """A launcher that can end a run over the head of its supervisor, which the run may have stopped or ended."""

    def force(self, job_id: str, ending: str, reason: str) -> tuple[str, ...]:
        """End all of it now, its supervisor included; what is left, in words. It may take ten seconds.

        Args:
            job_id: The run.
            ending: What `states` says of it from now on, unless its supervisor has had the last word after all: one of
                `job.ENDINGS`.
            reason: The same in words.
        """
        ...


@dataclass(frozen=True)
class HeldCapacity:
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
class WarmAllocation(Protocol):
    """What a launcher that holds capacity between runs can do besides; the engine looks for it, most have none."""

    def offer(self, resources: Resources) -> str:
        """What holding costs at most, in words, for runs that need this; empty when the options ask for none."""
        ...

    def held(self) -> tuple[HeldCapacity, ...]:
        """What is held or was held, as of the latest question to the scheduler.

        Raises LauncherError during an outage.
        """
        ...

    def release(self) -> tuple[str, ...]:
        """Give everything back that is held. What is left, in words: empty is the proof that nothing is."""
        ...


class LauncherOptions(BaseModel, frozen=True, extra="forbid"):
    """LauncherOptions of a launcher under `launcher:` in the campaign file."""

    launcher: ClassVar[str]
    """Name of the launcher, for messages."""

    @classmethod
    def parse(cls, options: Mapping[str, object]) -> Self:
        """Validated options.

        Raises:
            LauncherError: An option is unknown (the nearest valid one is named) or has a wrong value.
        """
        for name in options:
            if name not in cls.model_fields:
                near = get_close_matches(name, cls.model_fields, n=1, cutoff=0.0)[0]
                valid = ", ".join(cls.model_fields)
                raise LauncherError(
                    f"the {cls.launcher} launcher has no option {name!r}; did you mean {near!r}? It has: {valid}"
                )
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise LauncherError(wrong_option(f"the {cls.launcher} launcher", cls, error)) from error
