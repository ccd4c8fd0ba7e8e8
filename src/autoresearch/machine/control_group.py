"""A control group for one run: what a run starts is in it, whoever becomes its parent and whatever it calls itself.

Version 2 alone can end a whole group at once (`cgroup.kill`, Linux 5.14; see cgroups(7)). A group is made below our
own, where this account may do that: as root, or in a part of the tree that was delegated to it. It finds what got lost,
and is no wall: who may make groups may also move itself out of one. In a sandbox none can be written to.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

from autoresearch.machine.processes import PROC

_PREFIX = "autoresearch-"
_FRESH_S = 60.0
_KILL, _PROCESSES = "cgroup.kill", "cgroup.procs"


def ours() -> Path | None:
    """The group that this process is in; None where version 2 is not mounted."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        told = (PROC / "self/cgroup").read_text().splitlines()
        place = next(line.removeprefix("0::") for line in told if line.startswith("0::"))
        mounts = [line.split() for line in (PROC / "self/mountinfo").read_text().splitlines()]
        top, mounted = next((one[3], one[4]) for one in mounts if one[one.index("-") + 1] == "cgroup2")
        return Path(mounted, os.path.relpath(place, top))
    return None


def why_not() -> str:
    """Why runs get no group of their own here; empty when they do. Found out by making one."""
    above = ours()
    if above is None:
        return "control groups of version 2 are not mounted here"
    if made := make():
        remove(made)
        return ""
    return f"this account may make none below {above}"


def make() -> str:
    """Make a group below our own; its folder, empty where there can be none."""
    above = ours()
    if above is None or not os.access(above / _PROCESSES, os.W_OK):
        return ""
    _clear(above)
    made = above / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        made.mkdir()
        if (made / _KILL).exists():
            return str(made)
        made.rmdir()
    return ""


def enter(group: str) -> None:
    """Move this process into a group, where what it starts is born from now on; it stays where that is refused."""
    if group:
        with contextlib.suppress(OSError):
            (Path(group) / _PROCESSES).write_text("0")


def members(group: str) -> tuple[int, ...]:
    """Who is in a group, those below it included, by process id; nobody where there is none."""
    found = []
    for folder in _folders(group):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (folder / _PROCESSES).read_text().split()]
    return tuple(pid for pid in found if pid)


def kill(group: str) -> None:
    """End whoever is in a group, however fast they fork, those below it included."""
    for folder in _folders(group)[:1]:
        with contextlib.suppress(OSError):
            (folder / _KILL).write_text("1")


def remove(group: str) -> None:
    """Take a group away that nobody is in; one that somebody is in stays."""
    for folder in reversed(_folders(group)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _clear(above: Path) -> None:
    """Take away what supervisors left that were killed; where anybody is in it, it stays."""
    for group in above.glob(f"{_PREFIX}*-*"):
        maker = group.name.split("-")[1]
        with contextlib.suppress(OSError):
            if not (PROC / maker).exists() and time.time() - group.stat().st_mtime > _FRESH_S:
                remove(str(group))


def _folders(group: str) -> list[Path]:
    """A group that we made and those that were made below it, from the top; none for any other."""
    top = Path(group)
    if not top.name.startswith(_PREFIX) or not (top / _KILL).exists():
        return []
    return [top, *sorted(path.parent for path in top.rglob(_KILL) if path.parent != top)]
