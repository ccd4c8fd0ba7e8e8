"""Processes as the kernel tells of them (Linux `/proc`): trees, proofs of identity, and who carries a run's mark.

A process id alone proves nothing, because ids are reused; an id with its start time, on one boot of one machine, does.
Numbers follow proc(5): the fields of `/proc/<pid>/stat`, times in clock ticks, memory in pages.

The one door to other programs.
"""

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, NamedTuple

from autoresearch.errors import AutoresearchError

if TYPE_CHECKING:
    import asyncio

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
        threads: Its threads. One whose first thread has ended is a zombie by its state, and lives in the others.
    """

    pid: int
    parent: int
    name: str
    state: str
    started: int
    cpu_s: float
    rss: int
    threads: int = 1

    @property
    def dead(self) -> bool:
        """Whether only its exit status is left."""
        return self.state in "ZX" and self.threads <= 1

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it, a debugger included."""
        return self.state in "Tt"


def _told(pid: int, file: str) -> bytes:
    with open(f"{PROC}/{pid}/{file}", "rb", buffering=0) as stream:  # noqa: PTH123 (a Path costs more than the file)
        return stream.read()


def process_info(pid: int) -> Process | None:
    """One process, or None when there is none of that id."""
    try:
        text = _told(pid, "stat").decode("utf-8", "replace")
    except OSError:
        return None
    # The name is in parentheses and may itself hold spaces and parentheses.
    name, _, rest = text.partition("(")[2].rpartition(")")
    word = rest.split()
    cpu_ticks = sum(int(ticks) for ticks in word[11:15])
    rss, threads = int(word[21]) * _PAGE, int(word[17])
    if word[0] == "Z" and threads > 1:
        rss = _rss_of_the_rest(pid)
    return Process(pid, int(word[1]), name, word[0], int(word[19]), cpu_ticks / _TICKS, rss, threads)


def _rss_of_the_rest(pid: int) -> int:
    """Resident bytes of a process whose first thread has ended and no longer knows of any."""
    pages = [text.rpartition(")")[2].split()[21] for text in of_threads(pid, "stat")]
    return max(map(int, pages), default=0) * _PAGE


def of_threads(pid: int, file: str) -> list[str]:
    """A file of `/proc` for each thread of a process; threads that have ended meanwhile are left out."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found.append((task / file).read_bytes().decode("utf-8", "replace"))
    return found


def everyone() -> dict[int, Process]:
    """All processes this one can see."""
    seen = (process_info(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208
    return {process.pid: process for process in seen if process}


def descendants(roots: Iterable[int], table: Mapping[int, Process]) -> list[Process]:
    """Everything below `roots`, they themselves excluded, parents before children."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    pending = deque(roots)
    known = set(pending)
    while pending:
        for child in children.get(pending.popleft(), []):
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
        # The kernel has no such file, or a thread has ended.
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
    process = process_info(pid)
    return process is not None and process.started == started and not process.dead


def carries(pid: int, mark: str, value: str) -> bool:
    """Whether a process was started with `mark=value` in its environment; False where we may not look."""
    try:
        return os.fsencode(f"{mark}={value}") in _told(pid, "environ").split(b"\0")
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


def signal_tree(process: Process, number: int) -> bool:
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
    """Memory of several processes, each shared page counted once among its sharers; slow for huge ones."""
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


@dataclass(frozen=True)
class Completed:
    """A finished command."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text without its final newline."""
        return self.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


class CommandError(AutoresearchError):
    """A command ended with an unexpected exit code, or could not be started."""

    def __init__(self, argv: Sequence[str], code: int | None, stdout: bytes, stderr: bytes) -> None:
        self.argv, self.code, self.stdout, self.stderr = tuple(argv), code, stdout, stderr
        said = (stderr or stdout).decode("utf-8", "replace").strip() or "(it printed nothing)"
        super().__init__(f"command failed with exit code {code}: {' '.join(argv)}\n{indent(said[-2000:], '  ')}")


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
    handles: Sequence[int] = (),
) -> Completed:
    """Run a command to its end and capture what it printed.

    Args:
        argv: Program and arguments; no shell is involved.
        cwd: Directory to run in.
        env: The whole environment; None inherits ours.
        stdin: Bytes for its standard input.
        check: Whether a non-zero exit code is an error.
        timeout: Seconds after which it is killed.
        handles: File descriptors that it inherits.

    Raises:
        CommandError: It could not be started, ran past `timeout`, or failed while `check` is set.
    """
    try:
        done = subprocess.run(  # noqa: PLW1510
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            pass_fds=handles,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(argv, None, b"", f"no answer within {timeout:g} s".encode()) from error
    except OSError as error:
        raise CommandError(argv, None, b"", os.strerror(error.errno or 0).encode() + f": {error}".encode()) from error
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stdout, done.stderr)
    return Completed(done.returncode, done.stdout, done.stderr)


def start(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> int:
    """Start a command in a session of its own, detached from us; returns its process id."""
    sink = log.open("ab") if log else subprocess.DEVNULL
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise CommandError(argv, None, b"", str(error).encode()) from error
    finally:
        if not isinstance(sink, int):
            sink.close()
    threading.Thread(target=child.wait, daemon=True).start()  # reaps it, should it end before us
    return child.pid


def talk(argv: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a command that answers over its standard output until its input ends; no signal of a terminal reaches it.

    Raises:
        CommandError: It could not be started.
    """
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(list(argv), env=dict(env), stdin=pipe, stdout=pipe, stderr=none, start_new_session=True)
    except OSError as error:
        raise CommandError(argv, None, b"", str(error).encode()) from error


async def converse(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], most_line: int
) -> "tuple[asyncio.subprocess.Process, asyncio.StreamWriter, asyncio.StreamReader]":
    """Start a command to talk with over its standard input and output; its errors go where ours go.

    A line of more than `most_line` bytes that it says is an error for who reads it.

    Raises:
        CommandError: It could not be started.
    """
    import asyncio  # noqa: PLC0415 (half of what a run's supervisor would load; only a talk with an agent needs it)

    pipe = subprocess.PIPE
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, cwd=cwd, env=dict(env), limit=most_line
        )
    except OSError as error:
        raise CommandError(argv, None, b"", str(error).encode()) from error
    assert child.stdin is not None  # noqa: S101 - a pipe was asked for
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    return child, child.stdin, child.stdout
