"""One launched run as a value: what to start, the exact request, and how it is doing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Resources:
    """What one run needs.

    Attributes:
        nodes: Number of nodes.
        gpus_per_node: Whole GPUs on each node; 0 for a CPU run.
        cpus: CPU cores, None for the launcher's default.
        memory_gb: Host memory limit per run, None for no limit.
    """

    nodes: int = 1
    gpus_per_node: int = 0
    cpus: int | None = None
    memory_gb: float | None = None

    @property
    def gpus(self) -> int:
        """Total GPUs of the run."""
        return self.nodes * self.gpus_per_node


@dataclass(frozen=True, kw_only=True)
class RunSandbox:
    """What a run may reach, as far as that is the same wherever it runs. Paths are absolute; those missing are skipped.

    The run's worktree and its own folder are writable, and so are caches; the rest of the machine is read-only.

    Attributes:
        required: Whether the run must not begin where no sandbox can be had.
        network: Whether it has one.
        shared: Folders it writes to besides.
        shown: What it reads even where that lies below a place that is always hidden.
        hidden: Records, other runs and other worktrees.
        own: Folders below these that are its own.
        frozen: Files and folders of its own that stay read-only.
        sealed: Folders of its own that are empty and stay so.
        links: Symbolic links below `/tmp` that lead to places of its own, as pairs.
    """

    required: bool = False
    network: bool = True
    shared: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a target wants started.

    Attributes:
        run_id: Unique name of the run; also its name at the scheduler, so that it can be found again.
        argv: The training command.
        directory: Working directory (the experiment's worktree), absolute.
        folder: The run's own folder for logs and results, absolute.
        log: File that receives stdout and stderr, absolute.
        env: Variables set on top of the launcher's environment; never secrets.
        resources: What it needs.
        limit_s: Wall-clock limit in seconds, counted from the moment the run starts; None for no limit.
        grace_s: Seconds between TERM and KILL.
        max_log_bytes: Bound on the log file; beyond it head and tail are kept.
        avoid_nodes: Names of nodes that failed runs of this campaign; a launcher that can, asks for others.
        sandbox: What it may reach; None: whatever the account can.
    """

    run_id: str
    argv: tuple[str, ...]
    directory: str
    folder: str
    log: str
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()
    limit_s: float | None = None
    grace_s: float = 10.0
    max_log_bytes: int = 256 * 1024 * 1024
    avoid_nodes: tuple[str, ...] = ()
    sandbox: RunSandbox | None = None


@dataclass(frozen=True)
class Submission:
    """The exact request a launcher would send, as text; nothing has been sent yet.

    Attributes:
        run_id: The run it is for.
        launcher: Name of the launcher that made it.
        text: The script, manifest or command line, as a person would read it and as it is kept in the run folder.
        folder: The run's folder, absolute.
        payload: The same request in the launcher's own terms (JSON-able); what `submit` acts on.
    """

    run_id: str
    launcher: str
    text: str
    folder: str
    payload: Mapping[str, object] = field(default_factory=dict)


class JobState(StrEnum):
    """A scheduler's word for a job, in ours."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    NODE_FAILED = "node-failed"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    VANISHED = "vanished"
    """The launcher no longer knows the job and no result file tells how it ended, or its files were taken away."""
    UNKNOWN = "unknown"
    """The scheduler cannot be asked right now. Not a failure."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of the job."""
        return self not in {JobState.QUEUED, JobState.RUNNING, JobState.UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """How a job is doing; fields are None where the engine does not know them. Times are Unix seconds."""

    state: JobState
    exit_code: int | None = None
    reason: str = ""
    node: str = ""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cpu_s: float | None = None
    peak_memory_gb: float | None = None
    """Largest resident host memory of the whole process tree, in GB."""
    peak_gpu_memory_gb: float | None = None
    """Largest memory seen on any GPU the job was given, in GB."""
    ran_s: float | None = None
    """Seconds that it has run so far, as its supervisor counts them."""
    paused_since: float | None = None
    """Since when all of it is stopped by somebody else, None while it is not."""
    tampered: str = ""
    """What shows that the job wrote what only its supervisor may write; empty when nothing does."""
    deaf: str = ""
    """Why its own supervisor cannot be relied on to keep its limits, empty when it can."""
    stuck: bool = False
    """Whether a queued job waits for something that cannot come by itself; `reason` says for what."""
    uncontained: str | None = None
    """Why the job had no sandbox, empty when it had one."""


ENDINGS = {
    "timed-out": JobState.TIMED_OUT,
    "cancelled": JobState.CANCELLED,
    "memory": JobState.OUT_OF_MEMORY,
    "preempted": JobState.PREEMPTED,
    "not-started": JobState.FAILED,
    "failed": JobState.NODE_FAILED,
}
"""A supervisor's words; `exited` is a matter of the exit code."""

OWN_CACHES = "caches"
"""Folder of a run, for caches and environments of its own; it goes when the run is over."""
_COMPILED = {
    "TRITON_CACHE_DIR": "triton",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_EXTENSIONS_DIR": "extensions",
    "VLLM_CACHE_ROOT": "vllm",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
}
_CARRIED_OUT = {
    **_COMPILED,
    "CUDA_CACHE_PATH": "cuda",
    "CUPY_CACHE_DIR": "cupy",
    "DG_JIT_CACHE_DIR": "deep_gemm",
    "HF_MODULES_CACHE": "modules",
    "NUMBA_CACHE_DIR": "numba",
    "TILELANG_CACHE_DIR": "tilelang",
}
"""Caches that hold code: whoever can write to one is carried out by whoever reads it."""
_FROM_THE_HUB = {"HF_HUB_CACHE": "hub", "HF_DATASETS_CACHE": "datasets"}
_HUB = re.compile(
    r"(?i)\b(?:models|datasets|spaces)--|huggingface|\.locks/|safetensors?|arrow|parquet|should be of size"
)


def caches_of_code(folder: str) -> dict[str, str]:
    """Variables that give a process caches of its own for whatever it would carry out of them; see `OWN_CACHES`."""
    return {name: f"{folder}/{OWN_CACHES}/{kind}" for name, kind in _CARRIED_OUT.items()}


def own_caches(broken: str, folder: str, *, offline: bool = False) -> dict[str, str]:
    """Variables that give a run caches of its own, where the one before it met a broken one; empty where it did not.

    Compiled kernels are made anew. What a hub gave is fetched again only where it was that which broke, not offline.

    Args:
        broken: What the run before it said of a broken cache.
        folder: The run's own folder.
        offline: Whether the run may ask no hub.
    """
    if not broken:
        return {}
    fetched = _FROM_THE_HUB if _HUB.search(broken) and not offline else {}
    return {name: f"{folder}/{OWN_CACHES}/{kind}" for name, kind in {**_COMPILED, **fetched}.items()}
