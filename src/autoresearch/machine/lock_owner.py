"""Who holds a lock, and whether that process is still alive as far as can be known from here."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KINDS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("host", "machine", "boot", "space", "token"), str),
    **dict.fromkeys(("pid", "born"), int),
    "since": float,
}


@dataclass(frozen=True, kw_only=True)
class LockOwner:
    """Who holds a lock.

    Attributes:
        host: Its host name.
        machine: What tells machines of one name apart (`/etc/machine-id`), empty when unknown.
        boot: The machine's boot id, empty when unknown.
        space: Its process-id namespace: a pid means something only to those who share it.
        pid: Its process id.
        born: Start time of that process in clock ticks since boot: a reused pid has another one.
        since: UTC Unix seconds at which it took hold.
        token: Unique to this one taking of the lock.
    """

    host: str
    machine: str = ""
    boot: str = ""
    space: str = ""
    pid: int = 0
    born: int = 0
    since: float = 0.0
    token: str = ""

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return f"process {self.pid} on {self.host} since {when}"


def alive(holder: LockOwner, seen: float) -> bool | None:
    """Whether a holder lives. None: it cannot be known from here (another host, another container).

    Args:
        holder: What its lock file says.
        seen: Its last sign of life, UTC Unix seconds.
    """
    us = here()
    namesake = holder.machine != "" and (holder.host, holder.machine) == (us.host, us.machine)
    if holder.boot != us.boot:
        return False if namesake and seen < _booted() else None
    if holder.space != us.space or not (holder.boot or namesake):
        return None
    born = _born(holder.pid)
    return born == holder.born or (born >= 0 and 0 in (born, holder.born))


def read(said: Mapping[str, Any]) -> LockOwner:
    """The holder that a lock file describes. Raises KeyError, TypeError or ValueError when it does not."""
    return LockOwner(**{name: kind(said[name]) for name, kind in _KINDS.items()})


def here(token: str = "", since: float = 0.0) -> LockOwner:
    """This process as a holder."""
    pid = os.getpid()
    return LockOwner(
        host=socket.gethostname(),
        machine=_line("/etc/machine-id"),
        boot=_line("/proc/sys/kernel/random/boot_id"),
        space=space(),
        pid=pid,
        born=_born(pid),
        since=since,
        token=token,
    )


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def space() -> str:
    """The process-id namespace of this process; empty where it is not told."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    return _born(pid) >= 0


def _born(pid: int) -> int:
    """Start of a process in clock ticks since boot: -1 when there is none or it is a zombie, 0 when it is not told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except PermissionError:
        pass
    stat = _line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(stat) < 20:
        return 0
    return -1 if stat[0] in "ZX" else int(stat[19])


def _booted() -> float:
    """When this machine was started, UTC Unix seconds; 0 when unknown."""
    line = next((line for line in _line("/proc/stat").splitlines() if line.startswith("btime ")), "btime 0")
    return float(line.split()[1])
