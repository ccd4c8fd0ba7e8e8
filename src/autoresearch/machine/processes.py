"""Processes as the kernel tells of them (Linux `/proc`): trees, proofs of identity, and who carries a run's mark.

A process id alone proves nothing, because ids are reused; an id with its start time, on one boot of one machine, does.
Numbers follow proc(5): the fields of `/proc/<pid>/stat`, times in clock ticks, memory in pages.
"""

import ctypes
import math
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

RUN_NAME = "AUTORESEARCH_RUN_ID"
"""Environment variable that tells a run its own id."""

RUN_MARK = "AUTORESEARCH_RUN_FOLDER"
"""The variable its processes are known by. Its value is the run's folder: two campaigns may use one run id."""

SUPERVISOR_MARK = "AUTORESEARCH_SUPERVISES"
"""The same for the run's supervisor, which is not part of the run itself."""

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One process at one moment.

    Attributes:
        pid: Process id.
        parent: Process id of its parent.
        name: What the kernel calls it; processes may change it.
        state: One letter, `Z` for a zombie.
        started: Clock ticks between boot and its start: with `pid`, its identity on this boot.
        cpu_s: CPU seconds of it and of the children it has waited for.
        rss: Resident bytes, shared pages included.
    """

    pid: int
    parent: int
    name: str
    state: str
    started: int
    cpu_s: float
    rss: int

    @property
    def dead(self) -> bool:
        """Whether only its exit status is left."""
        return self.state in "ZX"


def look(pid: int) -> Process | None:
    """One process, or None when there is none of that id."""
    try:
        text = (PROC / str(pid) / "stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    # The name is in parentheses and may itself hold spaces and parentheses.
    name, _, rest = text.partition("(")[2].rpartition(")")
    word = rest.split()
    cpu_ticks = sum(int(ticks) for ticks in word[11:15])
    return Process(pid, int(word[1]), name, word[0], int(word[19]), cpu_ticks / _TICKS, int(word[21]) * _PAGE)


def everyone() -> dict[int, Process]:
    """All processes this one can see."""
    seen = (look(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208
    return {process.pid: process for process in seen if process}


def descendants(roots: Iterable[int], table: Mapping[int, Process]) -> list[Process]:
    """Everything below `roots`, they themselves excluded, parents before children."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    pending = list(roots)
    known = set(pending)
    while pending:
        for child in children.get(pending.pop(0), []):
            if child.pid not in known:
                known.add(child.pid)
                found.append(child)
                pending.append(child.pid)
    return found


def own_children() -> list[int]:
    """Process ids of our direct children, zombies included."""
    try:
        tasks = [(task / "children").read_text() for task in (PROC / "self/task").iterdir()]
    except OSError:
        # Kernels may be built without that file, and threads may end.
        return [process.pid for process in everyone().values() if process.parent == os.getpid()]
    return [int(pid) for text in tasks for pid in text.split()]


def collect() -> tuple[dict[int, int], bool]:
    """Collect every child that has ended.

    Returns:
        Exit codes by process id (negative: the signal that ended it), and whether any child is left.
    """
    codes: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return codes, True
            codes[pid] = os.waitstatus_to_exitcode(status)
    except ChildProcessError:
        return codes, False


def boot() -> str:
    """Identity of this boot of this machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def alive(pid: int, started: int) -> bool:
    """Whether exactly this process, not a later one of the same id, still runs."""
    process = look(pid)
    return process is not None and process.started == started and not process.dead


def carries(pid: int, mark: str, value: str) -> bool:
    """Whether a process was started with `mark=value` in its environment; False where we may not look."""
    try:
        return os.fsencode(f"{mark}={value}") in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def belonging(folder: str, known: Iterable[tuple[int, int]], table: Mapping[int, Process]) -> list[Process]:
    """The living processes of a run, wherever they have moved in the process tree.

    Found by their mark, by having been seen before (`known`: id and start time, for those that overwrote their
    environment, as a program does that sets its title), and by descent from either.
    """
    seen = set(known)
    roots = [
        process
        for process in table.values()
        if (process.pid, process.started) in seen or carries(process.pid, RUN_MARK, folder)
    ]
    family = {process.pid: process for process in roots}
    family |= {process.pid: process for process in descendants(family, table)}
    return [process for process in family.values() if not process.dead and process.pid != os.getpid()]


def tell(process: Process, number: int) -> bool:
    """Send a signal to exactly this process; False when it is gone or not ours to signal."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        # The handle pins the id, so what is looked at here is what is signalled.
        if not alive(process.pid, process.started):
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def proportional_bytes(processes: Iterable[Process]) -> int:
    """Memory of several processes with every shared page counted once among its sharers.

    Exact where `rss` counts a page once per process, but slow for huge processes; where the kernel refuses it, `rss`.
    """
    return sum(_proportional(process) for process in processes)


def _proportional(process: Process) -> int:
    try:
        text = (PROC / str(process.pid) / "smaps_rollup").read_text()
    except OSError:
        return process.rss
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return process.rss


def available_gb() -> float:
    """Memory that new programs may take without swapping, in GB (proc_meminfo(5), `MemAvailable`); inf if unknown."""
    try:
        lines = (PROC / "meminfo").read_text().splitlines()
    except OSError:
        return math.inf
    found = next((line.split() for line in lines if line.startswith("MemAvailable:")), ())
    return int(found[1]) * 1024 / 1e9 if len(found) > 1 and found[1].isdigit() else math.inf


def memory_kills() -> int:
    """How often the kernel's out-of-memory killer has struck on this machine since boot; 0 where it does not tell."""
    try:
        text = (PROC / "vmstat").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)


PARENT_DEATH, CHILD_SUBREAPER = 1, 36
"""Options of Linux' prctl: the signal a process gets when its parent dies; adopting its orphaned descendants."""


def prctl(option: int, value: int) -> None:
    """Set one of the options that Linux keeps for each process.

    Raises:
        OSError: The kernel refused.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) refused")
