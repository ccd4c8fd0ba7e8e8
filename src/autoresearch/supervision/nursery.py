"""Where supervisors are born: a small process that has loaded everything and forks one for each run it is asked for.

To start Python and to load what a supervisor needs costs a quarter of a second of a processor; a fork of who has done
that costs a hundredth, and shares its memory. A nursery serves the one process that started it, begins with its first
run and is gone when that is, however it ended. Runs do not depend on it, and nothing else does: where it gives no
answer (killed, stopped, no memory) the supervisor is started the long way, by `python -m`, and should both come to
it, the claim lets one have the run.

A request is one message, the place of the spec and the environment of the moment, with a pipe for the answer: requests
of several threads need no order, and no answer is taken for another's. Whatever else a process inherits (limits, cpus,
control group, umask, the variables that the loader and Python read while they start) is a nursery's for life; where it
has become another with us, a new one is made.
"""

import atexit
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Self

from autoresearch.errors import LauncherError
from autoresearch.machine import processes
from autoresearch.machine.processes import CommandError, Process, run
from autoresearch.secrets import redactor
from autoresearch.supervision import run_folder, supervisor
from autoresearch.supervision.run_folder import SupervisorSpec

_PATIENCE_S, _LOOK_S, _LATE_S = 10.0, 0.2, 1.0
_LONGEST_PATH = 4096
_MOST_SAID, _MOST_ASKED = 1 << 16, 1 << 17
_AT_START = ("AUTORESEARCH_FAULT", "GLIBC_TUNABLES", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "TZ")
"""Beginnings of variables that count while Python starts, or while our modules are loaded."""

_OF_A_PROCESS = (
    "Umask", "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp:", "Cpus_allowed:", "Mems_allowed:"
)  # fmt: skip
_INHERITED = ("limits", "cgroup", "oom_score_adj")


def supervise(run_id: str, folder: Path) -> dict[str, Any]:
    """Start a run's supervisor; who it is, empty when another has the run.

    Args:
        run_id: The run, for messages.
        folder: Its folder, with the spec in it.

    Raises:
        LauncherError: It could not be started.
    """
    spec = (folder / run_folder.SPEC).absolute()
    env = {**os.environ, processes.SUPERVISOR_MARK: str(folder)}
    with _Request(spec, env) as request:
        said = request.answer(_PATIENCE_S)
        if not said:
            NURSERY.close()
            said = _long_way(run_id, spec, env)
            # The nursery may have come to it after all, and then this one left.
            said = request.answer(_LATE_S) or said if said == "ok" else said
    if not said.startswith("ok"):
        raise LauncherError(f"the supervisor of run {run_id} could not be started: {said.strip()}")
    found = json.loads(said.removeprefix("ok") or "{}")
    return found if isinstance(found, dict) else {}


def _long_way(run_id: str, spec: Path, env: Mapping[str, str]) -> str:
    # -P: the directory we happen to be in, often the user's checkout, must not shadow modules.
    argv = [sys.executable, "-P", "-m", "autoresearch.supervision.supervisor", str(spec)]
    try:
        return f"ok{run(argv, env=env, timeout=60.0).text}"
    except CommandError as error:
        raise LauncherError(f"the supervisor of run {run_id} could not be started: {error}") from error


class Nursery:
    """The nursery of this process: started when it is needed, and again when it is lost or no longer like us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._keeper: Process | None = None
        self._surroundings: object = None
        self._former: list[Process] = []

    def ask(self, request: bytes, say: int) -> bool:
        """Send for a supervisor; whether anybody could be asked.

        Args:
            request: The spec's place and the environment.
            say: Descriptor of the pipe for the answer.
        """
        for _ in range(2):
            try:
                with self._lock:
                    socket.send_fds(self._attended(), [request], [say], socket.MSG_DONTWAIT)
            except (BrokenPipeError, ConnectionResetError):
                continue  # killed since it was looked at
            except (OSError, CommandError):
                return False
            return True
        return False

    def hears(self) -> bool:
        """Whether its process lives and nobody has stopped it."""
        keeper = self._keeper
        now = processes.process_info(keeper.pid) if keeper else None
        return bool(keeper and now and now.started == keeper.started and not now.dead and not now.stopped)

    def close(self) -> None:
        """Let it go; it leaves when it has done what it was asked before."""
        with self._lock:
            self._part()

    def leave(self) -> None:
        """Let it go as its process ends, and let those go on that somebody has stopped: they leave, too."""
        self.close()
        for keeper in self._former:
            processes.signal_tree(keeper, signal.SIGCONT)

    def forget(self) -> None:
        """In a fork of the process that it serves: it is not ours, and our copy of the line must not keep it alive."""
        self._lock = threading.Lock()
        self._part()
        self._former.clear()

    def _part(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._keeper is not None:
            self._former.append(self._keeper)
        self._line = self._keeper = None

    def _attended(self) -> socket.socket:
        surroundings = _surroundings()
        if self._line is None or not self.hears() or surroundings != self._surroundings:
            self._part()
            self._line, self._keeper = _begin()
            self._surroundings = surroundings
        return self._line


NURSERY = Nursery()
"""The one of this process."""
os.register_at_fork(after_in_child=NURSERY.forget)
atexit.register(NURSERY.leave)


class _Request:
    """One supervisor that was sent for, and the pipe its answer comes by."""

    def __init__(self, spec: Path, env: Mapping[str, str]) -> None:
        variables = [f"{name}={value}" for name, value in env.items()]
        request = os.fsencode("\0".join([str(spec), *variables]))
        self._said, say = os.pipe()
        self._asked = len(request) < _MOST_ASKED and NURSERY.ask(request, say)
        os.close(say)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._said)

    def answer(self, seconds: float) -> str:
        """What it said; empty when nothing has come, or nothing will."""
        until, poll = time.monotonic() + seconds, select.poll()
        poll.register(self._said, select.POLLIN)
        while self._asked and not poll.poll(1000 * _LOOK_S):
            if time.monotonic() > until or not NURSERY.hears():
                return ""
        # One write makes it, so one read has all; the pipe's end may lie in a fork of ours and never come.
        return os.read(self._said, _MOST_SAID).decode("utf-8", "replace") if self._asked else ""


def _begin() -> tuple[socket.socket, Process | None]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        # The room in which each supervisor will wear its mark.
        env = {**os.environ, processes.SUPERVISOR_MARK: " " * _LONGEST_PATH}
        argv = [sys.executable, "-P", "-m", "autoresearch.supervision.nursery", str(theirs.fileno())]
        pid = int(run(argv, env=env, timeout=60.0, handles=[theirs.fileno()]).text)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, processes.process_info(pid)


def _surroundings() -> object:
    """What a process gets from the one that starts it and could not be told later."""
    me = processes.PROC / "thread-self"
    return (
        sys.executable,
        {name: value for name, value in os.environ.items() if name.startswith(_AT_START)},
        [line for line in _text(me / "status").splitlines() if line.startswith(_OF_A_PROCESS)],
        [_text(me / name) for name in _INHERITED],
        os.getpriority(os.PRIO_PROCESS, 0),
        [(space.name, os.readlink(space)) for space in sorted((me / "ns").iterdir())],  # noqa: PTH115 - no path
    )


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def main() -> int:
    """Detach, tell the process id, and bear until the other end of the line is closed."""
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    if pid := os.fork():
        sys.stdout.write(str(pid))
        return 0
    os.setsid()
    supervisor.stand_nowhere()
    redactor.prepare()
    gc.collect()
    gc.freeze()
    _serve(line)
    return 0


def _serve(line: socket.socket) -> None:
    while True:
        request, handles, _, _ = socket.recv_fds(line, _MOST_ASKED, 1, socket.MSG_CMSG_CLOEXEC)
        if not request:
            return
        try:
            pid = os.fork()
        except OSError:
            pid = -1  # an answer that does not come sends them the long way
        if not pid:
            line.close()
            _bear(request, handles[0])
        for handle in handles:
            os.close(handle)
        if pid > 0:
            os.waitpid(pid, 0)


def _bear(request: bytes, say: int) -> NoReturn:
    try:
        spec, *variables = request.split(b"\0")
        pairs = [variable.partition(b"=")[::2] for variable in variables]
        os.environb.clear()
        os.environb.update({name: value for name, value in pairs if name})
        _wear(os.fsencode(processes.SUPERVISOR_MARK) + b"=" + os.environb[os.fsencode(processes.SUPERVISOR_MARK)])
        wanted = SupervisorSpec(**(run_folder.read(Path(os.fsdecode(spec))) or {}))
        if not os.fork():
            supervisor.detach(wanted, say)
    except Exception as error:  # noqa: BLE001 (whoever asked hears of it)
        os.write(say, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(0)


def _wear(mark: bytes) -> None:
    """Show this, and nothing else, as the environment we were started with: where our memory had it, proc(5) reads it.

    Nothing of ours lies there any more: each variable of now was set, and a variable that is set is copied.
    """
    fields = (processes.PROC / "self/stat").read_bytes().rpartition(b")")[2].split()
    begins, ends = int(fields[47]), int(fields[48])
    if begins and ends - begins > len(mark):
        ctypes.memmove(begins, mark.ljust(ends - begins, b"\0"), ends - begins)


if __name__ == "__main__":
    sys.exit(main())
