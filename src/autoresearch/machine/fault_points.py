"""Named places where a drill can make the program fail, in earnest and from outside.

```text
AUTORESEARCH_FAULT="ledger.append.write#3=torn"      at the third time that place is reached
AUTORESEARCH_FAULT="journal.append.write#2+=enospc"  the second time and ever after: a disk that stays full
```

Kinds: `kill` (SIGKILL to ourselves), `enospc`, `eio`, `eintr` (the system call's error), `delay:SECONDS`, `torn`
(half the bytes, then SIGKILL), and `gate:FILE`, which waits until that file is there and takes it away: one file lets
one through, a folder of that name lets everybody through, and `FILE.held` is there while somebody waits. A place whose
name ends in `.write` holds bytes in its hand: only there `torn` makes sense, and there `enospc` and `eio` come after
half the bytes, as a filling disk has it. Without the variable a place costs one test.
"""

import errno
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autoresearch.errors import UsageError

VARIABLE = "AUTORESEARCH_FAULT"

POINTS = {
    "file.replace.write": "the new content is about to be written aside",
    "file.replace.rename": "it is on the disk and about to take the old file's place",
    "file.replace.after": "it has taken the old file's place",
    "journal.append.before": "an event is about to be appended, no lock held",
    "journal.append.write": "its line is about to be written, lock held",
    "journal.append.sync": "its line is written, not yet on the disk",
    "journal.append.after": "it is on the disk, lock released",
    "ledger.append.before": "a row is about to be appended, no lock held",
    "ledger.append.write": "its line is about to be written, lock held",
    "ledger.append.sync": "its line is written, not yet on the disk",
    "ledger.append.after": "it is on the disk, lock released",
    "lock.acquire.before": "a controller is about to take hold of a campaign",
    "lock.acquire.after": "it has taken hold",
    "lock.takeover": "a stale lock is claimed and about to be replaced",
    "lock.release": "a controller is about to let go",
    "memory.append.write": "an entry of the session's timeline is about to be written",
    "memory.append.sync": "it is written, not yet on the disk",
    "propose.baseline.branch": "the baseline's commit exists, its branch does not",
    "propose.baseline.record": "its branch exists, the journal does not say so",
    "propose.opened": "an attempt has its index and nothing else",
    "propose.edited": "its hypothesis is kept and stands in the worktree, uncommitted",
    "propose.commit": "its commit exists, its branch does not",
    "propose.branch": "its branch exists, its evidence does not",
    "propose.record": "its evidence is written, the journal does not say so",
    "propose.bundle.record": "a bundle's branch exists, the journal does not say so",
    "propose.bundle.yardstick": "the branch of an arm to be measured again exists, the journal does not say so",
    "by_hand.opened": "an experiment opened by hand has its index, neither branch nor worktree",
    "by_hand.branch": "its branch exists, its worktree does not",
    "by_hand.tree": "its worktree exists, its brief does not",
    "by_hand.commit": "what was handed in stands as a commit, its branch is still at the parent",
    "by_hand.sealed": "its branch is at the commit, neither evidence nor journal say so",
    "by_hand.dropped": "what was dropped stands on its branch, without a verdict",
    "repair.commit": "the commit of a fix exists, its branch is still at the crash",
    "repair.record": "its branch is at the fix, the journal does not say so",
    "run.planned": "a run is in the journal, the launcher has not been asked",
    "launcher.submit": "the launcher has written something of the run down, and has not started it",
    "run.submitted": "the launcher has the run, the journal does not say so",
    "run.ended": "a run is over in the journal, not yet measured",
    "run.measured": "its measurement is on the disk, the journal does not say so",
    "settle.judged": "a verdict is in the journal, its row is not in the ledger",
    "settle.row": "its row is in the ledger, its note is not on the commit",
    "settle.noted": "row and note are there",
    "notes.write.before": "a note is about to be put on a commit",
    "notes.write.after": "the note is there",
    "worktree.add.before": "the place of a worktree is free, git has not been asked for one",
    "worktree.add.after": "git has made it",
    "worktree.remove.before": "its folder is set aside, git still knows of it",
    "worktree.remove.after": "git has forgotten it, its folder still lies aside",
    "loop.moved": "one move of the loop is done",
}
"""Every place there is, and what is the case there. A drill goes through them; a new place is a new line here."""

_ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO, "eintr": errno.EINTR}
_SPEC = re.compile(
    r"(?P<point>[\w.]+)(?:#(?P<nth>[1-9]\d*)(?P<on>\+?))?=(?P<kind>[a-z]+)"
    r"(?::(?:(?P<seconds>\d+(?:\.\d*)?)|(?P<gate>/.+)))?"
)
_ARMED = os.environ.get(VARIABLE, "")
_REACHED: Counter[str] = Counter()
_TOLD: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Fault:
    """One order: fail so at the `nth` time `point` is reached, and ever after when `on`."""

    point: str
    kind: str
    nth: int = 1
    on: bool = False
    seconds: float = 0.0
    gate: str = ""


def parse(text: str) -> tuple[Fault, ...]:
    """Read the variable: faults separated by commas.

    Raises:
        UsageError: It is not understood, names no place there is, or asks for `torn` where nothing is written.
    """
    return tuple(_fault(part.strip()) for part in text.split(",") if part.strip())


def check() -> None:
    """Refuse a misspelt order before the work begins. Raises UsageError."""
    _orders()


def order(text: str, told: Callable[[str], None] | None = None) -> None:
    """Order faults in this very process, in place of all earlier ones; for drills that fork instead of starting anew.

    Args:
        text: As in the variable, empty for none.
        told: Called with the name of every place that is reached.

    Raises:
        UsageError: The order is not understood.
    """
    global _ARMED, _TOLD
    parse(text)
    _ARMED, _TOLD = text or " " * (told is not None), told
    _REACHED.clear()
    _orders.cache_clear()


def point(name: str) -> None:
    """A named place. Does nothing, unless a fault was ordered for it."""
    if _ARMED:
        _fail(_due(name), name)


def write(name: str, descriptor: int, data: bytes) -> int:
    """`os.write` at a named place; returns the number of bytes written, as it does."""
    if _ARMED and (fault := _due(name)):
        if fault.kind in ("torn", "enospc", "eio"):
            os.write(descriptor, data[: len(data) // 2])
        _fail(fault, name)
    return os.write(descriptor, data)


@cache
def _orders() -> tuple[Fault, ...]:
    return parse(_ARMED)


def _fault(text: str) -> Fault:
    match = _SPEC.fullmatch(text)
    if not match:
        raise UsageError(
            f"{VARIABLE}: {text!r} is not understood; write POINT[#N]=KIND, e.g. ledger.append.write#2=kill"
        )
    name, kind = match["point"], match["kind"]
    if name not in POINTS:
        raise UsageError(f"{VARIABLE}: there is no point {name!r}; choose one of: {', '.join(POINTS)}")
    needs = (kind == "delay", kind == "gate")
    if kind not in (*_ERRORS, "kill", "torn", "delay", "gate") or needs != (
        bool(match["seconds"]),
        bool(match["gate"]),
    ):
        raise UsageError(
            f"{VARIABLE}: there is no kind {text.partition('=')[2]!r}; "
            f"choose one of: kill, enospc, eio, eintr, torn, delay:SECONDS, gate:/FILE"
        )
    if kind == "torn" and not name.endswith(".write"):
        raise UsageError(f"{VARIABLE}: nothing is written at {name!r} that could be torn; use kill")
    seconds, gate = float(match["seconds"] or 0), match["gate"] or ""
    return Fault(name, kind, int(match["nth"] or 1), bool(match["on"]), seconds, gate)


def _due(name: str) -> Fault | None:
    if name not in POINTS:
        raise UsageError(f"the fault point {name!r} is not declared in POINTS")
    if _TOLD:
        _TOLD(name)
    _REACHED[name] += 1
    times = _REACHED[name]
    due = (order for order in _orders() if order.point == name)
    return next((order for order in due if order.nth == times or (order.on and times > order.nth)), None)


def _fail(fault: Fault | None, name: str) -> None:
    if fault is None:
        return
    if fault.kind in ("delay", "gate"):
        time.sleep(fault.seconds)
        if fault.gate:
            _wait_at(Path(fault.gate))
        return
    if fault.kind in ("kill", "torn"):
        os.kill(os.getpid(), signal.SIGKILL)
    code = _ERRORS[fault.kind]
    raise OSError(code, f"{os.strerror(code)} (ordered at {name})")


def _wait_at(gate: Path) -> None:
    held = gate.with_name(f"{gate.name}.held")
    held.touch()
    while not gate.exists():
        time.sleep(0.01)
    held.unlink(missing_ok=True)  # first, so that whoever sees the gate's file taken finds nobody waiting from before
    while not _lets_through(gate):
        time.sleep(0.01)


def _lets_through(gate: Path) -> bool:
    try:
        gate.unlink()
    except FileNotFoundError:
        return False
    except OSError:
        return gate.is_dir()
    return True
