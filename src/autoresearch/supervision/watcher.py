"""What can be known from outside of a run's supervisor: who it is, whether it lives, hears and watches.

A record is what a launcher keeps of the run outside of the run's folder; it has that `folder`, and the supervisor's
identity under `watcher` once it is known. For who the supervisor is, the run's own folder is asked only without it.

A supervisor's claim on a run: who it is, that it lives, and that the end of the run is its own word.

A run has the rights of its supervisor, so it could write `exit.json` itself. What it cannot is open the seal: the state
file holds the digest of a word that only the supervisor knows until it writes the end. The lock beside them is held by
the supervisor and by the command it starts, and can be asked for where neither can be seen: from another process-id
namespace, a container for example.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autoresearch.machine import lock_owner, processes
from autoresearch.machine.processes import Process
from autoresearch.supervision import run_folder

_STALE_S = 30.0
"""A supervisor that has written nothing for so long may not be doing its work."""

_SILENT_S = 600.0
"""One on another machine that has written nothing for so long is taken for dead."""

_CLEARING_S = 60.0
"""A supervisor that has written the end of its run may take so long to clear what the run left in scratch folders."""

_KINDS = {"pid": int, "started": int, "boot": str, "node": str}


def read_state(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a run's supervisor; empty when nothing is, or when what its file says makes no sense."""
    if "folder" not in record:
        return {}
    said = run_folder.read(Path(record["folder"], run_folder.STATE)) or {}
    found = {**said, **record.get("watcher", {})}
    return found if all(isinstance(found.get(name), kind) for name, kind in _KINDS.items()) else {}


def read_end(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the run ended, in its supervisor's words; None before that."""
    return run_folder.ended(Path(record["folder"]), str(record.get("watcher", {}).get("sealed", "")))


def group(record: Mapping[str, Any]) -> str:
    """The run's control group, as its supervisor said when it began; a run's own folder may name any group."""
    return str(record.get("watcher", {}).get("group", ""))


def tree(state: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The processes of the run, by id and start time, as its supervisor saw them last."""
    found = state.get("tree")
    pairs = found if isinstance(found, list) else []
    return [(pair[0], pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2]


def strays(places: Iterable[str], since: int, table: Mapping[int, Process]) -> list[tuple[int, int]]:
    """Orphans that stand in a run's folders and began after its supervisor, by id and start time.

    They are asked for once the supervisor is lost: what wiped its environment is found by nothing else then.

    Args:
        places: The run's folder and its worktree.
        since: When its supervisor began, in clock ticks since boot.
        table: All processes.
    """
    inside = tuple(f"{os.path.realpath(place)}/" for place in places)
    found, takers = [], {1} | {one.pid for one in table.values() if one.name == "systemd"}
    for one in table.values():
        if one.parent in takers and one.started >= since and not one.dead:
            with contextlib.suppress(OSError):
                stands = os.readlink(processes.PROC / str(one.pid) / "cwd")  # noqa: PTH115 - what follows it is no path
                if f"{stands.removesuffix(' (deleted)')}/".startswith(inside):
                    found.append((one.pid, one.started))
    return found


def lives(one: Process, table: Mapping[int, Process]) -> bool:
    """Whether a process is still among these."""
    now = table.get(one.pid)
    return now is not None and now.started == one.started and not now.dead


def identity(state: Mapping[str, Any]) -> tuple[int, int] | None:
    """The run's supervisor by id and start time, gone or not; None where they mean nothing here."""
    here = state.get("boot") == processes.boot() and not hidden(state)
    return (state["pid"], state["started"]) if here else None


def living(state: Mapping[str, Any]) -> Process | None:
    """The run's supervisor, if it lives, is on this machine and can be seen."""
    found = processes.process_info(state["pid"]) if identity(state) else None
    return found if found and found.started == state["started"] and not found.dead else None


def clearing(end: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether a run's end is written and its supervisor still at work: the run is over when that is gone too."""
    return 0 <= time.time() - end["ended_at"] < _CLEARING_S and living(state) is not None


def elsewhere(state: Mapping[str, Any]) -> bool:
    """Whether its supervisor is on another machine."""
    return bool(state) and state["boot"] != processes.boot() and state["node"] != os.uname().nodename


def hidden(state: Mapping[str, Any]) -> bool:
    """Whether its supervisor is on this machine, in another process-id namespace: its id means nothing here."""
    space = state.get("space")
    return bool(space) and state.get("boot") == processes.boot() and space != lock_owner.space()


def why_dead(folder: Path, state: Mapping[str, Any]) -> str:
    """Why nothing more will come of a run that has not been concluded; empty while its supervisor lives."""
    if not state or not folder.is_dir():
        return "it was recorded but never started, or its folder is gone; submit it again"
    if hidden(state):
        gone = _silent_s(folder) > _STALE_S and held(folder) is False
        return "its supervisor and its command, in another process-id namespace, are gone" if gone else ""
    if not elsewhere(state):
        return "" if living(state) else "its supervisor was killed, or the machine restarted, before the run ended"
    silent_s = _silent_s(folder)
    return "" if silent_s < _SILENT_S else f"nothing was heard of it from {state['node']} for {silent_s:.0f} s"


def _silent_s(folder: Path) -> float:
    """Seconds since its supervisor last wrote how it is doing."""
    try:
        return time.time() - (folder / run_folder.STATE).stat().st_mtime
    except OSError:
        return _SILENT_S


def why_deaf(folder: Path, state: Mapping[str, Any], supervisor: Process | None) -> str:
    """Why a supervisor cannot be relied on to keep the run's limits; empty when it can."""
    if supervisor and supervisor.stopped:
        return "its supervisor is stopped"
    silent_s = _silent_s(folder)
    return f"nothing was heard of its supervisor for {silent_s:.0f} s" if state and silent_s > _STALE_S else ""


def paused_since(folder: Path, state: Mapping[str, Any], supervisor: Process | None) -> float | None:
    """Since when all of it is stopped: as its supervisor says, or as is seen when that is stopped as well."""
    since = state.get("paused_since")
    if supervisor is None or not supervisor.stopped:
        return since if isinstance(since, int | float) else None
    below = [one for one in processes.descendants([supervisor.pid], processes.everyone()) if not one.dead]
    if not below or not all(one.stopped for one in below):
        return None  # nothing is left, or something goes on, that nobody watches
    return float(since) if isinstance(since, int | float) else time.time() - _silent_s(folder)


class SupervisorClaim:
    """One supervisor's hold on one run.

    Attributes:
        identity: What tells this supervisor from every other, and the digest of its word.
        handle: The lock's file descriptor, None where the file system has no locks.
    """

    def __init__(self, folder: Path, run_id: str, group: str = "") -> None:
        self._folder, self._word = folder, secrets.token_hex(16)
        me = processes.process_info(os.getpid())
        self.handle: int | None = None
        self._place: int | None = None
        self.identity: dict[str, Any] = {
            "run_id": run_id,
            "pid": os.getpid(),
            "started": me.started if me else 0,
            "boot": processes.boot(),
            "node": os.uname().nodename,
            "space": lock_owner.space(),
            "group": group,
            "sealed": run_folder.digest(self._word),
        }

    def take(self, state: Mapping[str, Any]) -> bool:
        """Make the run ours; False when another supervisor has it, or had."""
        if (self._folder / run_folder.EXIT).exists():
            return False
        if not run_folder.create(self._folder / run_folder.STATE, state):
            return False
        if not self._folder.is_symlink():
            self._place = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            self.handle = os.open(self._folder / run_folder.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self.handle, fcntl.LOCK_EX)
        run_folder.reserve(self._folder)
        return True

    def conclude(self, report: Mapping[str, Any]) -> None:
        """Write how the run ended. An end that stands there already was written by somebody else, and is told."""
        forged = self._brought_back() or run_folder.forgery(self._folder)
        run_folder.conclude(
            self._folder, {**report, "seal": self._word, "tampered": forged or report.get("tampered", "")}
        )

    def _brought_back(self) -> str:
        """Put the run's folder back where a link was laid in its place, in words: it may lead to another run's."""
        if self._place is None or not self._folder.is_symlink():
            return ""
        with contextlib.suppress(OSError):
            self._folder.unlink()
            Path(f"/proc/self/fd/{self._place}").readlink().rename(self._folder)
        return "its folder was moved away and a link laid in its place, by somebody else than its supervisor"


def held(folder: Path) -> bool | None:
    """Whether a run's supervisor or its command still holds its lock; None where that cannot be known."""
    try:
        handle = os.open(folder / run_folder.LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False
