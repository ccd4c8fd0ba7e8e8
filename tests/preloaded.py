"""The program, loaded once and forked for each command: loading is most of what a short command costs.

Every command is still a process of its own, with a directory, an environment, streams and an exit code like any other.
A fault is armed in the fork, and a package of adapters on `PYTHONPATH` is found by it. What a fork cannot show is
started anew by `Lab.cli`: wrappers, and other variables that count while Python starts.
"""

import atexit
import gc
import importlib
import importlib.util
import io
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self, TextIO

AT_START = ("COVERAGE", "LANG", "LC_", "LD_", "PYTHON")
"""Beginnings of variables that are looked at before a command begins."""
ARMED_LATER = ("PYTHONPATH",)
"""Those of them that a fork can take up."""
LEFT_OUT = ("autoresearch.examples", "autoresearch.mcp", "autoresearch.testing")
"""What is no part of a command, or of one that is not forked."""


class Preloaded:
    """A process that has loaded the program and becomes a command whenever it is asked."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._born = _relevant(os.environ)
        argv = (sys.executable, str(Path(__file__)), str(theirs.fileno()))
        self._process = subprocess.Popen(
            argv,
            pass_fds=(theirs.fileno(),),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # for what has threads cannot be forked
            stdin=subprocess.DEVNULL,
            preexec_fn=_signals,  # noqa: PLW1509 - the test runner starts no threads
        )
        theirs.close()
        assert self._ours.recv(16) == b"loaded"

    def close(self) -> None:
        """End it; the commands that it has become go on."""
        self._ours.close()
        self._process.wait()

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a command with this environment would begin as one that is started anew."""
        added = env.get("PYTHONPATH", "")
        new = added != os.environ.get("PYTHONPATH", "")
        return _relevant(env) == self._born and (not new or _is_only_new(added))

    def run(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end.

        Raises:
            subprocess.TimeoutExpired: It went on for too long, and was killed.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with self._ask(words, cwd, env, out.fileno(), err.fileno()) as told:
                pid = int(told.readline())
                if not select.select([told], [], [], timeout)[0]:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(words), timeout)
                code = int(told.readline())
            said = [io.TextIOWrapper(stream, encoding="utf-8") for stream in (out, err)]
            return subprocess.CompletedProcess(list(words), code, *[_whole(stream) for stream in said])

    def start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> "Forked":
        """Begin a command and come back at once."""
        (hears, out), (listens, err) = os.pipe(), os.pipe()
        try:
            told = self._ask(words, cwd, env, out, err)
        finally:
            os.close(out)
            os.close(err)
        streams = [os.fdopen(stream, encoding="utf-8") for stream in (hears, listens)]
        return Forked(words, int(told.readline()), told, *streams)

    def _ask(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], out: int, err: int) -> TextIO:
        """Begin a command; what comes back tells its process id, and its exit code when it has ended."""
        asked = json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode()
        hears, tells = os.pipe()
        try:
            socket.send_fds(self._ours, [asked], [out, err, tells])
        finally:
            os.close(tells)
        return os.fdopen(hears)


class Forked:
    """A command on its way, with what tests use of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], pid: int, told: TextIO, out: TextIO, err: TextIO) -> None:
        self.args, self.pid, self.stdout, self.stderr = list(words), pid, out, err
        self.returncode: int | None = None
        self._told = told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()

    def poll(self) -> int | None:
        """Its exit code, None while it goes on."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it says until it ends."""
        until = None if timeout is None else time.monotonic() + timeout
        with ThreadPoolExecutor(2) as readers:
            said = [readers.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
                texts = [text.result(until and max(0.0, until - time.monotonic())) for text in said]
            except (subprocess.TimeoutExpired, TimeoutError):
                self.kill()
                raise
        self.stdout.close()
        self.stderr.close()
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@cache
def preloaded() -> Preloaded:
    """The one of this test process."""
    made = Preloaded()
    atexit.register(made.close)
    return made


def _whole(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _relevant(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in env.items() if value and name.startswith(AT_START) and name not in ARMED_LATER
    }


def _is_only_new(path: str) -> bool:
    """Whether folders of `PYTHONPATH` hold modules that nobody else has: nothing that is loaded already comes first."""
    modules = [file.stem for folder in path.split(os.pathsep) for file in Path(folder).glob("*.py")]
    packages = [file.parent.name for folder in path.split(os.pathsep) for file in Path(folder).glob("*/__init__.py")]
    return not any(name.endswith("customize") or importlib.util.find_spec(name) for name in (*modules, *packages))


def _signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _serve(asked: socket.socket) -> None:
    import autoresearch

    for module in pkgutil.walk_packages(autoresearch.__path__, "autoresearch."):
        if not module.name.startswith(LEFT_OUT) and not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError:  # of an extra that is not installed
                continue
    _warm_up()
    gc.freeze()
    ended, tell_of_end = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(tell_of_end, False)
    signal.set_wakeup_fd(tell_of_end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting: dict[int, int] = {}
    asked.send(b"loaded")
    while True:
        if asked in select.select([asked, ended], [], [])[0]:
            data, streams, _, _ = socket.recv_fds(asked, 1 << 20, 3)
            if not data:
                return
            out, err, told = streams
            pid = os.fork()
            if not pid:
                _become(json.loads(data), out, err, max(*streams, *waiting.values()))
            waiting[pid] = told
            _tell(told, pid)
            os.close(out)
            os.close(err)
        else:
            os.read(ended, 1 << 10)
        _bury(waiting)


def _warm_up() -> None:
    """Have made once what each command would make anew when it first needs it: models, tables, patterns, plays."""
    from autoresearch.campaign import planning
    from autoresearch.experiment.events import Paused
    from autoresearch.ports import plugins
    from autoresearch.records import journal
    from autoresearch.researchers.playbook import plays
    from autoresearch.secrets import redactor
    from autoresearch.targets.recipe import overrides

    planning.schema()
    journal.dump(Paused(at=0.0, by="Ada", reason="lunch"))
    for room in plugins.ROOMS:
        plugins.names(room)
    plays.builtin()
    plays.concepts()
    overrides.parse("lr=1")
    with suppress(ImportError):
        importlib.import_module("PIL.Image").preinit()
    redactor.prepare()


def _bury(waiting: dict[int, int]) -> None:
    """Take leave of those who are done, and tell how they ended."""
    while waiting:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = waiting.pop(pid)
        _tell(told, os.waitstatus_to_exitcode(status))
        os.close(told)


def _tell(told: int, number: int) -> None:
    with suppress(OSError):  # whoever asked may have gone away
        os.write(told, f"{number}\n".encode())


def _become(request: Mapping[str, object], out: int, err: int, last: int) -> None:
    """Be the command from here on; `last` is the highest stream of ours."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, last + 1)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of this life
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    code = 1
    try:
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload]
        _arm()
        sys.argv = ["autoresearch", *request["words"]]  # type: ignore[misc]
        code = importlib.import_module("autoresearch.__main__").main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = 120
        os._exit(code)


def _arm() -> None:
    """Take up what a Python that is started anew reads while it starts."""
    from autoresearch.machine import fault_points
    from autoresearch.ports import plugins

    time.tzset()
    fault_points._ARMED = os.environ.get(fault_points.VARIABLE, "")
    if added := os.environ.get("PYTHONPATH"):
        sys.path[1:1] = [folder for folder in added.split(os.pathsep) if folder not in sys.path]
        importlib.invalidate_caches()
        plugins.forget()


if __name__ == "__main__":
    sys.path[0] = ""
    _serve(socket.socket(fileno=int(sys.argv[1])))
