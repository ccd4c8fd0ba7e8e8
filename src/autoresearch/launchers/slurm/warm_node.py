"""`python -m autoresearch.launchers.slurm.warm_node SPOOL SLOTS IDLE_S LEFT_S`: what runs on the node of a
warm allocation.

It takes runs from the spool, first come, first served, starts each as a step of its own job with srun, and ends, and
the allocation with it, when nothing was to do for IDLE_S seconds or what waits does not fit into the time left. Nobody
has to tell it: an allocation whose controller died goes away by itself. Each step gets whole GPUs and processors of its
own (`--exact`), and in it our supervisor watches over the run as in a job of its own.
"""

import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from autoresearch.launchers.slurm.script import OUTPUT
from autoresearch.launchers.slurm.warm_spool import Spool, SpoolRequest, SpoolResult
from autoresearch.machine.processes import CommandError, Completed, run
from autoresearch.supervision import run_folder

_TICK_S = 0.2
_NO_SRUN = 127


class Share(NamedTuple):
    """What one run gets of a node when it does not say what it needs; `memory_mb` None: Slurm's own rule."""

    cpus: int
    memory_mb: int | None


def main() -> int:
    """Serve until there is nothing to do; exit code 0."""
    spool, slots, idle_s, left_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    job_id = os.environ["SLURM_JOB_ID"]
    per_node = max(1, slots // int(os.environ.get("SLURM_JOB_NUM_NODES", "1")))
    with ThreadPoolExecutor(slots) as pool:
        WarmNode(Spool(spool), job_id, slots, _share(per_node), pool).serve(idle_s, time.monotonic() + left_s)
    return 0


class WarmNode:
    """One allocation at work."""

    def __init__(self, spool: Spool, job_id: str, slots: int, share: Share, pool: ThreadPoolExecutor) -> None:
        self._spool, self._job_id, self._slots, self._share, self._pool = spool, job_id, slots, share, pool
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
        for request in requests:
            if len(self._steps) < self._slots and self._spool.take(request, self._job_id):
                self._steps[request.name] = request, self._pool.submit(_carry_out, step(request, self._share))
                self._fresh = False

    def _collect(self) -> None:
        for name, (request, future) in list(self._steps.items()):
            # A full disk must not end the allocation, and with it what else it runs: the next turn tries again.
            with suppress(OSError):
                if future.done():
                    done = future.result()
                    Path(request.folder, OUTPUT.replace("%j", request.job_id)).write_bytes(done.stdout + done.stderr)
                    self._spool.finish(name, SpoolResult(self._job_id, done.code, time.time()))
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
