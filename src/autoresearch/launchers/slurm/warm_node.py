"""`python -m autoresearch.launchers.slurm.warm_node SPOOL SLOTS IDLE_S LEFT_S`: what runs on the node of a
warm allocation.

It takes runs from the spool, first come, first served, starts each as a step of its own job with srun, and ends, and
the allocation with it, when nothing was to do for IDLE_S seconds or what waits does not fit into the time left. Nobody
has to tell it: an allocation whose controller died goes away by itself. Each step gets whole GPUs and processors of its
own (`--exact`), and in it our supervisor watches over the run as in a job of its own.

The spool is the folder by which a campaign hands runs to its warm allocation; it outlives both, and a rename is every
step.

```text
todo/RUN.json          waits for its turn, in whichever allocation comes
taken/JOB/RUN.json     is being run by the allocation JOB
done/RUN.json          its step is over: the exit code of srun
```
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from autoresearch.launchers.slurm.script import OUTPUT
from autoresearch.machine.processes import CommandError, Completed, run
from autoresearch.supervision import run_folder

_TICK_S = 0.2
_NO_SRUN = 127
_NODE_FAILURE = re.compile(r"^srun: error: Node failure on ([\w.-]+)", re.MULTILINE)


class SpoolRequest(NamedTuple):
    """One run for a warm allocation.

    Attributes:
        name: Its name at the scheduler, also of its step; safe as a file name.
        job_id: What we call its job.
        folder: The run's folder, absolute; the specification for its supervisor lies in there.
        asked_at: Unix seconds when it was handed over; first come, first served.
        need_s: Seconds that have to be left of the allocation, None for a run without a limit.
        gpus: Whole GPUs it needs.
        cpus: Processors it needs, None for an equal share.
        memory_mb: Memory it needs, None for an equal share.
    """

    name: str
    job_id: str
    folder: str
    asked_at: float
    need_s: float | None
    gpus: int
    cpus: int | None
    memory_mb: int | None

    @property
    def claimed(self) -> bool:
        """Whether a supervisor has begun it, or it has ended otherwise: nobody else may begin it."""
        return any(Path(self.folder, name).exists() for name in (run_folder.STATE, run_folder.EXIT))


class Taken(NamedTuple):
    """A run that an allocation has taken."""

    request: SpoolRequest
    allocation: str


class SpoolResult(NamedTuple):
    """A step that is over: the allocation it ran in, the exit code of srun, and when, in Unix seconds.

    `lost` is the node that failed under it, empty where none did; srun ends with 0 then.
    """

    allocation: str
    code: int
    ended_at: float
    lost: str = ""


class Spool:
    """The folder. Every method may be called by both sides at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, request: SpoolRequest) -> None:
        """Hand a run over, unless that has been done.

        Raises:
            OSError: The disk does not take it.
        """
        if self.where(request.name) is None:
            self._todo.mkdir(parents=True, exist_ok=True)
            run_folder.create(self._todo / f"{request.name}.json", request._asdict())

    def waiting(self) -> list[SpoolRequest]:
        """Runs that nobody has taken, in the order of their turn."""
        found = (_request(place) for place in self._todo.glob("*.json"))
        return sorted((request for request in found if request), key=lambda request: (request.asked_at, request.name))

    def taken(self) -> Iterator[Taken]:
        """Runs that an allocation has taken and not finished."""
        for place in self.folder.glob("taken/*/*.json"):
            if request := _request(place):
                yield Taken(request, place.parent.name)

    def where(self, name: str) -> SpoolRequest | Taken | SpoolResult | None:
        """Where a run is: waiting, taken or done; None when it was never handed over, or was withdrawn."""
        # In the order a run goes, so that one on its way is not missed; done is written before taken is removed.
        if request := _request(self._todo / f"{name}.json"):
            return request
        taken = next(iter(self.folder.glob(f"taken/*/{name}.json")), None)
        done = run_folder.read(self._done / f"{name}.json")
        if done:
            return SpoolResult(**done)
        request = _request(taken) if taken else None
        return Taken(request, taken.parent.name) if request and taken else None

    def served(self, allocation: str) -> bool:
        """Whether an allocation has ever taken a run."""
        return self._taken("", allocation).parent.exists()

    def take(self, request: SpoolRequest, allocation: str) -> bool:
        """Begin a run; False when it was withdrawn or somebody else has it."""
        place = self._taken(request.name, allocation)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            (self._todo / place.name).rename(place)
        except FileNotFoundError:
            return False
        return True

    def give_back(self, taken: Taken) -> None:
        """Let another allocation have it."""
        with suppress(FileNotFoundError):
            self._taken(taken.request.name, taken.allocation).rename(self._todo / f"{taken.request.name}.json")

    def withdraw(self, name: str) -> None:
        """Take a run back that nobody has taken."""
        (self._todo / f"{name}.json").unlink(missing_ok=True)

    def finish(self, name: str, done: SpoolResult) -> None:
        """Say that a step is over."""
        self._done.mkdir(parents=True, exist_ok=True)
        run_folder.write(self._done / f"{name}.json", done._asdict(), sync=True)
        self._taken(name, done.allocation).unlink(missing_ok=True)

    @property
    def _todo(self) -> Path:
        return self.folder / "todo"

    @property
    def _done(self) -> Path:
        return self.folder / "done"

    def _taken(self, name: str, allocation: str) -> Path:
        return self.folder / "taken" / allocation / f"{name}.json"


def _request(place: Path) -> SpoolRequest | None:
    document = run_folder.read(place)
    return SpoolRequest(**document) if document else None


class Share(NamedTuple):
    """What one run gets of a node when it does not say what it needs; `memory_mb` None: Slurm's own rule."""

    cpus: int
    memory_mb: int | None


class Seats(NamedTuple):
    """How many runs an allocation takes at a time, how many of them one node takes, and what each gets of it."""

    slots: int
    per_node: int
    share: Share


def main() -> int:
    """Serve until there is nothing to do; exit code 0."""
    spool, slots, idle_s, left_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    job_id = os.environ["SLURM_JOB_ID"]
    per_node = max(1, slots // int(os.environ.get("SLURM_JOB_NUM_NODES", "1")))
    with ThreadPoolExecutor(slots) as pool:
        seats = Seats(slots, per_node, _share(per_node))
        WarmNode(Spool(spool), job_id, seats, pool).serve(idle_s, time.monotonic() + left_s)
    return 0


class WarmNode:
    """One allocation at work."""

    def __init__(self, spool: Spool, job_id: str, seats: Seats, pool: ThreadPoolExecutor) -> None:
        self._spool, self._job_id, self._seats, self._pool = spool, job_id, seats, pool
        self._lost: set[str] = set()
        self._steps: dict[str, tuple[SpoolRequest, Future[Completed]]] = {}
        self._fresh = True

    def serve(self, idle_s: float, ends_at: float) -> None:
        """Run what comes until the allocation is idle for too long or has too little time left; times are monotonic."""
        busy_at = time.monotonic()
        while True:
            self._collect()
            waiting = [request for request in self._spool.waiting() if not self._over(request)]
            now = time.monotonic()
            fitting = [request for request in waiting if self._fits(request, ends_at - now)]
            self._begin(fitting)
            if self._steps:
                busy_at = now
            elif now - busy_at >= idle_s or len(fitting) < len(waiting):
                return
            time.sleep(_TICK_S)

    def _fits(self, request: SpoolRequest, left_s: float) -> bool:
        """Whether there is time for a run; the first one has it, or no allocation would ever be long enough for it."""
        return self._fresh or request.need_s is None or request.need_s <= left_s

    def _over(self, request: SpoolRequest) -> bool:
        """Whether a waiting run may no longer begin; it is let go of then."""
        if request.claimed:
            self._spool.withdraw(request.name)
        return request.claimed

    def _begin(self, requests: list[SpoolRequest]) -> None:
        slots = self._seats.slots - len(self._lost) * self._seats.per_node
        for request in requests:
            if len(self._steps) < slots and self._spool.take(request, self._job_id):
                self._steps[request.name] = request, self._pool.submit(_carry_out, step(request, self._seats.share))
                self._fresh = False

    def _collect(self) -> None:
        for name, (request, future) in list(self._steps.items()):
            # A full disk must not end the allocation, and with it what else it runs: the next turn tries again.
            with suppress(OSError):
                if future.done():
                    done = future.result()
                    Path(request.folder, OUTPUT.replace("%j", request.job_id)).write_bytes(done.stdout + done.stderr)
                    lost = _NODE_FAILURE.search(done.stderr.decode("utf-8", "replace"))
                    self._lost |= {lost[1]} if lost else set()
                    self._spool.finish(name, SpoolResult(self._job_id, done.code, time.time(), lost[1] if lost else ""))
                    del self._steps[name]


def _carry_out(argv: list[str]) -> Completed:
    try:
        return run(argv, env=_environment(), check=False)
    except CommandError as error:
        return Completed(_NO_SRUN, b"", str(error).encode())


def step(request: SpoolRequest, share: Share, python: str = sys.executable) -> list[str]:
    """The srun command of one run."""
    memory_mb = share.memory_mb if request.memory_mb is None else request.memory_mb
    return [
        "srun", "--exact", "--nodes=1", "--ntasks=1", "--mpi=none", f"--job-name={request.name}",
        f"--cpus-per-task={request.cpus or share.cpus}",
        f"--gres=gpu:{request.gpus}" if request.gpus else "--gres=none",
        *([] if memory_mb is None else [f"--mem={memory_mb}M"]),
        python, "-P", "-m", "autoresearch.launchers.on_node", f"{request.folder}/{run_folder.SPEC}",
    ]  # fmt: skip


def _share(runs: int) -> Share:
    """An equal part of the smallest node: `SLURM_JOB_CPUS_PER_NODE` is such as `8(x2),4`."""
    per_node = [int(part.split("(")[0]) for part in os.environ.get("SLURM_JOB_CPUS_PER_NODE", "1").split(",")]
    cpus = max(1, min(per_node) // runs)
    if "SLURM_MEM_PER_NODE" in os.environ:
        return Share(cpus, int(os.environ["SLURM_MEM_PER_NODE"]) // runs)
    if "SLURM_MEM_PER_CPU" in os.environ:
        return Share(cpus, int(os.environ["SLURM_MEM_PER_CPU"]) * cpus)
    return Share(cpus, None)


def _environment() -> dict[str, str]:
    """The allocation's, without what srun would take for the wishes of this step."""
    kept = {"SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME"}
    return {name: value for name, value in os.environ.items() if name in kept or not name.startswith("SLURM_")}


if __name__ == "__main__":
    sys.exit(main())
