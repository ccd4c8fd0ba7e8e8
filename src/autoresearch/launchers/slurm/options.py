"""What a person may write under `launcher: {type: slurm, ...}`."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from autoresearch.config import duration
from autoresearch.ports.launcher import LauncherOptions

_OURS = {
    "-J": "--job-name", "-o": "--output", "-e": "--error", "-t": "--time", "-D": "--chdir", "-W": "--wait",
    "-a": "--array", "-M": "--clusters", "--comment": "", "--parsable": "", "--requeue": "", "--no-requeue": "",
    "--wrap": "", "--test-only": "", "--open-mode": "", "--quiet": "",
}  # fmt: skip
_RESERVED = {*_OURS, *_OURS.values()} - {""}
_RAY_SUB_OURS = frozenset({"COMMAND", "CONTAINER", "MOUNTS", "BASE_LOG_DIR", "SETUP_COMMAND"})


def _seconds(words: object) -> object:
    if isinstance(words, str):
        if not words or not re.fullmatch(duration.DURATION, words):
            raise ValueError("a length of time such as 4h or 90m is needed")
        return duration.seconds(words)
    return words


Length = Annotated[float, BeforeValidator(_seconds)]


class Allocation(BaseModel, frozen=True, extra="forbid"):
    """One job that is held, so that many runs start inside it without waiting in the queue again."""

    nodes: int = Field(default=1, ge=1)
    """`--nodes`: how many; each run has one of them, a part of one, or with style `ray.sub` as many as it needs."""

    time: Length = Field(default=4 * 3600.0, gt=60)
    """How long Slurm is asked to leave it to us, `--time`; a run that does not fit into what is left gets a new one."""

    idle: Length = Field(default=15 * 60.0, gt=0)
    """It is given back after so long without a run, also when no controller is alive."""

    runs: int = Field(default=1, ge=1)
    """Runs at a time on each node; each has its own GPUs and an equal share of processors and memory. In a container,
    and with `ray.sub`, a run has whole nodes."""


class SlurmOptions(LauncherOptions):
    """Options of the Slurm launcher. What is left out, the site decides."""

    launcher: ClassVar[str] = "slurm"

    account: str | None = None
    """`--account`: who pays."""

    partition: str | None = None
    """`--partition`; several, separated by commas, let Slurm choose."""

    qos: str | None = None
    """`--qos`."""

    gres: str | None = None
    """`--gres`, such as `gpu:h100:8`; left out, `gpu:N` for a run that needs N GPUs per node."""

    constraint: str | None = None
    """`--constraint`: features a node must have."""

    nodelist: str | None = None
    """`--nodelist`: nodes a run must get."""

    exclude: str | None = None
    """`--exclude`: nodes to avoid."""

    container: str | None = None
    """Image for pyxis, `--container-image` of srun or `CONTAINER` of ray.sub."""

    container_mounts: tuple[str, ...] = ()
    """What a container sees, `FROM:TO` each; the run's folder and worktree are added."""

    extra: tuple[str, ...] = ()
    """Further flags of sbatch as they are, such as `--reservation=night`; not those that we set."""

    srun: tuple[str, ...] = ()
    """Further flags of the srun that starts a container, such as `--no-container-mount-home`."""

    setup: tuple[str, ...] = ()
    """Shell lines that the job runs before anything else, such as `module load cuda`."""

    style: Literal["batch", "ray.sub"] = "batch"
    """`batch`: the command on the first node of the job. `ray.sub`: NeMo-RL's script of that name starts a Ray
    cluster over all nodes of the job and runs the command on its head."""

    ray_sub: str = "ray.sub"
    """Where that script lies in the repository."""

    allocation: Allocation | None = None
    """A warm allocation: one job that the campaign holds, with every run as a step of it. Left out, a job each."""

    requeue: bool = False
    """Whether Slurm may start a run again after a node failure or preemption."""

    python: str = sys.executable
    """Our Python as the nodes see it; it must lie on a file system that they share with us."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run, and for `ray.sub` itself (`CPUS_PER_WORKER`, ports); a run's own win. Not for secrets:
    they are written to disk."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own. On a cancel, Slurm's `KillWait` is the longest."""

    poll_s: float = Field(default=5.0, ge=0)
    """Fewest seconds between two questions to the scheduler, however often we are asked."""

    @field_validator("extra", "setup", "srun")
    @classmethod
    def _one_line(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        if any("\n" in line or "\0" in line for line in lines):
            raise ValueError("each entry must be one line")
        return lines

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        for flag in flags:
            word = flag.split("=")[0].split(" ")[0]
            if not word.startswith("-"):
                raise ValueError(f"{flag!r} is not a flag; write --name=value as one entry")
            if word in _RESERVED or (not word.startswith("--") and word[:2] in _RESERVED):
                raise ValueError(f"{word} is set by us; leave it out")
        return flags

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.style == "ray.sub" and not self.container:
            raise ValueError("the style ray.sub needs the option container")
        if self.style == "ray.sub" and (taken := _RAY_SUB_OURS & self.env.keys()):
            raise ValueError(f"env names {min(taken)}, which is set for ray.sub by us; leave it out")
        if self.srun and (self.style != "batch" or not self.container):
            raise ValueError("the option srun goes with the style batch and a container")
        if self.allocation and self.requeue:
            raise ValueError("an allocation goes without requeue: what it loses is made again in the next one")
        if self.allocation and self.container and self.allocation.runs > 1:
            raise ValueError("a run in a container has whole nodes of an allocation; leave allocation.runs out")
        return self

    def beside_git(self, tree: Path) -> Self:
        """The same, with the git folder that a worktree belongs to among a container's mounts, read-only.

        Without it git fails in the container, and NeMo-RL's fingerprint of the code that it runs lacks the submodules.
        """
        common = _shared_git(tree) if self.container else None
        if common is None or any(mount.split(":")[1:2] == [str(common)] for mount in self.container_mounts):
            return self
        return self.model_copy(update={"container_mounts": (*self.container_mounts, f"{common}:{common}:ro")})


def in_image(options: Mapping[str, object]) -> bool:
    """Whether runs begin in a container."""
    return bool(options.get("container"))


def place(options: Mapping[str, object]) -> dict[str, str]:
    """The image, what it sees, and who starts Ray; empty for nodes as they stand."""
    if not in_image(options):
        return {}
    made = SlurmOptions.parse(options)
    mounts = (*made.container_mounts, "the worktree", "the run's folder", "git's data, read-only")
    where = "on the run's nodes of a warm allocation" if made.allocation else "on all nodes"
    ray = {"ray": f"{made.ray_sub}, {where}"} if made.style == "ray.sub" else {}
    return {"image": made.container or "", "mounts": " + ".join(mounts), **ray}


def requeues(options: Mapping[str, object]) -> bool:
    """Whether a job that was preempted is begun again, in the folder that it had."""
    return bool(options.get("requeue"))


def _shared_git(tree: Path) -> Path | None:
    """The `.git` folder behind a worktree's `.git` file; None for one that holds its own, and for no checkout."""
    try:
        own = tree / (tree / ".git").read_text("utf-8").strip().removeprefix("gitdir: ")
        return (own / (own / "commondir").read_text("utf-8").strip()).resolve()
    except (OSError, UnicodeDecodeError):
        return None
