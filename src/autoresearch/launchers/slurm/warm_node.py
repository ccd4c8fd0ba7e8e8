"""`python -m autoresearch.launchers.slurm.warm_node SPOOL SLOTS IDLE_S LEFT_S`: what runs on the node of a
warm allocation.

It takes runs from the spool, first come, first served, gives each its nodes or a seat on one, starts it there as a step
of its own job with srun, and ends, and the allocation with it, when nothing was to do for IDLE_S seconds or what waits
does not fit into the time left. Nobody has to tell it: an allocation whose controller died goes away by itself. Each
step gets whole GPUs and processors of its own (`--exact`), and in it our supervisor watches over the run as in a job of
its own. A run that starts steps itself, with ray.sub, is watched beside them (`--overlap`) on the first of its nodes.

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
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from autoresearch.launchers.slurm.commands import STEPS, parse_steps
from autoresearch.launchers.slurm.script import IN_JOB_LOG, JOB_FACTS, NODES, OUTPUT, SLOT
from autoresearch.machine.processes import CommandError, Completed, run
from autoresearch.supervision import run_folder

_TICK_S = 0.2
_NO_SRUN = 127
_SWEEP_S = 60.0
_LONGEST = 1 << 18
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
        nodes: How many whole nodes it needs, 0 for a seat on one.
        starts_steps: Whether it starts further steps on its nodes, as ray.sub does.
    """

    name: str
    job_id: str
    folder: str
    asked_at: float
    need_s: float | None
    gpus: int
    cpus: int | None
    memory_mb: int | None
    nodes: int = 0
    starts_steps: bool = False

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


class Sitting(NamedTuple):
    """Where a run sits: its nodes, how many seats it has on each, and a number that no other run has meanwhile."""

    nodes: tuple[str, ...]
    seats: int
    number: int


class Seats:
    """Nodes that are left, and who sits where."""

    def __init__(self, nodes: Iterable[str], per_node: int) -> None:
        self._per_node, self._free = per_node, dict.fromkeys(nodes, per_node)
        self._taken: dict[str, Sitting] = {}

    def enough(self, request: SpoolRequest) -> bool:
        """Whether there are nodes enough for it, whoever has them now."""
        return len(self._free) >= max(1, request.nodes)

    def take(self, request: SpoolRequest) -> Sitting | None:
        """Seats for a run, those of the emptiest nodes; None while others have them."""
        wanted = self._per_node if request.nodes else 1
        free = sorted((node for node, left in self._free.items() if left >= wanted), key=lambda node: -self._free[node])
        if len(free) < max(1, request.nodes):
            return None
        used = {sitting.number for sitting in self._taken.values()}
        found = Sitting(tuple(free[: max(1, request.nodes)]), wanted, min(set(range(len(used) + 1)) - used))
        self._count(found, -1)
        self._taken[request.name] = found
        return found

    def leave(self, name: str) -> Sitting:
        """A run is over, or did not begin."""
        left = self._taken.pop(name)
        self._count(left, 1)
        return left

    def lose(self, nodes: Iterable[str]) -> None:
        """Nodes that nobody gets any more."""
        for node in nodes:
            self._free.pop(node, None)

    def _count(self, sitting: Sitting, sign: int) -> None:
        for node in self._free.keys() & set(sitting.nodes):
            self._free[node] += sign * sitting.seats


class Carried(NamedTuple):
    """How the step of a run ended, and nodes on which something of it stays."""

    done: Completed
    stuck: tuple[str, ...] = ()


def main() -> int:
    """Serve until there is nothing to do; exit code 0."""
    spool, slots, idle_s, left_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    job_id = os.environ["SLURM_JOB_ID"]
    named = run(["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]]).stdout.decode().split()
    per_node = max(1, slots // len(named))
    with ThreadPoolExecutor(slots) as pool:
        warm = WarmNode(Spool(spool), job_id, Seats(named, per_node), _share(per_node), pool)
        warm.serve(idle_s, time.monotonic() + left_s)
    return 0


class WarmNode:
    """One allocation at work."""

    def __init__(self, spool: Spool, job_id: str, seats: Seats, share: Share, pool: ThreadPoolExecutor) -> None:
        self._spool, self._job_id, self._seats, self._share, self._pool = spool, job_id, seats, share, pool
        self._steps: dict[str, tuple[SpoolRequest, Future[Carried]]] = {}
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
        """Whether there are nodes and time for a run; the first one has time, or no allocation would be long enough."""
        in_time = self._fresh or request.need_s is None or request.need_s <= left_s
        return in_time and self._seats.enough(request)

    def _over(self, request: SpoolRequest) -> bool:
        """Whether a waiting run may no longer begin; it is let go of then."""
        if request.claimed:
            self._spool.withdraw(request.name)
        return request.claimed

    def _begin(self, requests: list[SpoolRequest]) -> None:
        for request in requests:
            sitting = self._seats.take(request)
            if sitting is None:
                return  # Nobody overtakes: a run of many nodes would never begin.
            if not self._spool.take(request, self._job_id):
                self._seats.leave(request.name)
                continue
            argv = step(request, self._share, sitting.nodes)
            self._steps[request.name] = request, self._pool.submit(_carry_out, request, argv, _environment(sitting))
            self._fresh = False

    def _collect(self) -> None:
        for name, (request, future) in list(self._steps.items()):
            # A full disk must not end the allocation, and with it what else it runs: the next turn tries again.
            with suppress(OSError):
                if future.done():
                    done, stuck = future.result()
                    Path(request.folder, OUTPUT.replace("%j", request.job_id)).write_bytes(done.stdout + done.stderr)
                    lost = _lost_node(request, done)
                    self._spool.finish(name, SpoolResult(self._job_id, done.code, time.time(), lost))
                    self._seats.lose((lost, *stuck))
                    self._seats.leave(name)
                    del self._steps[name]


def _carry_out(request: SpoolRequest, argv: list[str], environment: Mapping[str, str]) -> Carried:
    try:
        done = run(argv, env=environment, check=False)
    except CommandError as error:
        return Carried(Completed(_NO_SRUN, b"", str(error).encode()))
    nodes = tuple(environment[NODES].split(","))
    return Carried(done, () if not request.nodes or _swept(request, environment) else nodes)


def _swept(request: SpoolRequest, environment: Mapping[str, str]) -> bool:
    """End the steps that a run has left; whether they are gone: nobody else may sit beside them."""
    until = time.monotonic() + _SWEEP_S
    while time.monotonic() < until:
        with suppress(CommandError):
            found = parse_steps(run(STEPS, env=environment).stdout.decode("utf-8", "replace"))
            left = [one for one, name in found if name == request.name]
            if not left:
                return True
            run(["scancel", "--signal=KILL", *left], env=environment, check=False)
        time.sleep(_TICK_S)
    return False


def _lost_node(request: SpoolRequest, done: Completed) -> str:
    """The node that failed under a run, as srun says, its own or that of a step which it started."""
    said = done.stderr
    if request.starts_steps and done.code:
        with suppress(OSError), Path(request.folder, IN_JOB_LOG).open("rb") as log:
            log.seek(-min(_LONGEST, os.fstat(log.fileno()).st_size), os.SEEK_END)
            said += log.read()
    lost = _NODE_FAILURE.search(said.decode("utf-8", "replace"))
    return lost[1] if lost else ""


def step(request: SpoolRequest, share: Share, nodes: tuple[str, ...], python: str = sys.executable) -> list[str]:
    """The srun command of one run, on the first of its nodes."""
    memory_mb = share.memory_mb if request.memory_mb is None else request.memory_mb
    own = [
        "--exact", f"--cpus-per-task={request.cpus or share.cpus}",
        f"--gres=gpu:{request.gpus}" if request.gpus else "--gres=none",
        *([] if memory_mb is None else [f"--mem={memory_mb}M"]),
    ]  # fmt: skip
    beside = ["--overlap", "--cpus-per-task=1", "--gres=none"]
    return [
        "srun", *(beside if request.starts_steps else own), "--nodes=1", "--ntasks=1", "--mpi=none",
        f"--job-name={request.name}", f"--nodelist={nodes[0]}",
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


def _environment(sitting: Sitting) -> dict[str, str]:
    """The allocation's, without what srun would take for the wishes of this step, and where the run sits."""
    kept = {"SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME"}
    own = {name: value for name, value in os.environ.items() if name in kept or not name.startswith("SLURM_")}
    facts = {f"AUTORESEARCH_{name}": os.environ.get(f"SLURM_JOB_{name}", "") for name in JOB_FACTS}
    return {**own, **facts, NODES: ",".join(sitting.nodes), SLOT: str(sitting.number)}


if __name__ == "__main__":
    sys.exit(main())
