"""Run one foreign program to its end, with nothing left of it afterwards.

`run` starts `python -m autoresearch.guards.agent_runner SPEC`, a small process of its own that is a *child subreaper*
(prctl(2)): whatever the program orphans becomes this process's child, and no run supervisor of the campaign can be
reaped by mistake. It keeps time, watches how much is written, ends the whole tree by TERM, grace and KILL, and writes
how it went. Should that process itself be killed, `run` finds what is left by the mark in its environment.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from autoresearch.machine import processes
from autoresearch.machine.processes import CommandError
from autoresearch.machine.processes import run as run_process
from autoresearch.supervision.child import kill_all
from autoresearch.supervision.run_log import BoundedLog

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CHUNK = 1 << 16
_UNKILLABLE_S = 30.0
_NO_START = 127
END = "end"
"""A file of this name in a cell's folder has it ended."""
_END_LOOK_S = 0.5
_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What to run, where, and within which bounds.

    Attributes:
        argv: Program and arguments, the sandbox's own included.
        directory: Where it starts.
        env: Its whole environment.
        folder: A private folder for `stdout.log`, `stderr.log`, `cell.json` and `ending.json`.
        stdin: Text for its standard input.
        timeout_s: Wall-clock limit in seconds.
        grace_s: Seconds between TERM and KILL.
        max_log_bytes: Bound on each of the two logs; beyond it head and tail are kept.
        writable: Folders it may fill, counted together against `max_disk_bytes`.
        max_disk_bytes: How much these may grow before it is ended.
    """

    argv: Sequence[str]
    directory: str
    env: Mapping[str, str]
    folder: str
    stdin: str = ""
    timeout_s: float = 900.0
    grace_s: float = 5.0
    max_log_bytes: int = 8 << 20
    writable: Sequence[str] = ()
    max_disk_bytes: int = 2 << 30


@dataclass(frozen=True, kw_only=True)
class CallEnd:
    """How it went.

    Attributes:
        word: `exited`, `timed-out`, `disk`, `stopped` (from outside, by a signal or the file `END`), `not-started` or
            `lost` (the watching process itself was killed).
        code: Exit code, 128 + number for a signal, None when it had to be ended.
        wall_s: Seconds from start to end.
        ended: How many processes it had left running.
        left: What could not be ended; empty is the proof that nothing is left.
        reason: The same for people.
    """

    word: str
    code: int | None = None
    wall_s: float = 0.0
    ended: int = 0
    left: tuple[str, ...] = ()
    reason: str = ""


def run(cell: Cell) -> CallEnd:
    """Run `cell` to its end. What it printed lies in `stdout.log` and `stderr.log` below `cell.folder`.

    Never raises for anything the program does; at the end no process of it is alive, or `left` names it.
    """
    folder = Path(cell.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    verdict = folder / "ending.json"
    verdict.unlink(missing_ok=True)
    spec = folder / "cell.json"
    spec.touch(mode=0o600)
    spec.write_text(json.dumps(asdict(cell)), encoding="utf-8", errors="surrogateescape")
    patience = cell.timeout_s + cell.grace_s + 2 * _UNKILLABLE_S
    argv = (sys.executable, "-m", "autoresearch.guards.agent_runner", str(spec))
    try:
        said = run_process(argv, cwd=Path("/"), check=False, timeout=patience).stderr.decode("utf-8", "replace")
    except CommandError as error:
        said = str(error)
    finally:
        # The variables of the environment may be secrets.
        spec.unlink(missing_ok=True)
        left = _sweep(cell.folder)
    try:
        found = json.loads(verdict.read_bytes())
        return CallEnd(**(found | {"left": (*found["left"], *left)}))
    except (OSError, ValueError, TypeError, KeyError):
        return CallEnd(word="lost", left=left, reason=f"what watched over it was killed: {said.strip()[-200:]}")


def _sweep(folder: str) -> tuple[str, ...]:
    """End what still carries our mark, wherever it went; returns what cannot be ended."""
    until = time.monotonic() + 5.0
    while found := processes.belonging(folder, (), processes.everyone()):
        for process in found:
            processes.signal_tree(process, signal.SIGKILL)
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return tuple(f"{process.pid} ({process.name})" for process in found)


def main() -> int:
    """Be the small process: read the specification, watch, write the ending."""
    cell = Cell(**json.loads(Path(sys.argv[1]).read_bytes()))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *_STOP})
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # A controller that dies takes the agent with it: nobody would read its answer.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    ending = _Watcher(cell).run() if os.getppid() != 1 else CallEnd(word="stopped", reason="the controller is gone")
    aside = Path(cell.folder, "ending.json.new")
    aside.write_text(json.dumps(asdict(ending)))
    aside.replace(Path(cell.folder, "ending.json"))
    return 0


class _Watcher:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.code: int | None = None
        self.main = 0
        self.began = time.monotonic()
        self._look_at = self.began
        self._empty = _used(cell.writable)
        self._drains: list[threading.Thread] = []

    def run(self) -> CallEnd:
        trouble = self._start()
        word, reason = ("not-started", trouble) if trouble else self._watch()
        alive = self._alive() if word == "exited" else 0
        self._end()
        for thread in self._drains:
            thread.join(5.0)
        code = self.code if word == "exited" else None
        left = [f"{process.pid} ({process.name})" for process in self._tree()]
        wall_s = round(time.monotonic() - self.began, 3)
        return CallEnd(
            word=word,
            code=code if code is None or code >= 0 else 128 - code,
            wall_s=wall_s,
            ended=alive,
            left=tuple(left),
            reason=reason,
        )

    def _start(self) -> str:
        cell = self.cell
        pipes = [os.pipe() for _ in range(2)]
        failed, fail = os.pipe()
        inbox = os.memfd_create("stdin")
        os.write(inbox, cell.stdin.encode("utf-8", "replace"))
        os.lseek(inbox, 0, os.SEEK_SET)
        self.main = os.fork()
        if not self.main:
            _become(cell, inbox, pipes[0][1], pipes[1][1], fail)
        for name, (out, sink) in zip(("stdout.log", "stderr.log"), pipes, strict=True):
            os.close(sink)
            log = BoundedLog(Path(cell.folder, name), cell.max_log_bytes)
            self._drains.append(threading.Thread(target=_drain, args=(out, log), daemon=True))
            self._drains[-1].start()
        os.close(inbox)
        os.close(fail)
        with os.fdopen(failed, "rb") as answer:
            return answer.read().decode("utf-8", "replace")

    def _watch(self) -> tuple[str, str]:
        limit = self.began + self.cell.timeout_s
        while True:
            self._reap()
            now = time.monotonic()
            if self.code is not None:
                return "exited", f"exited with code {self.code}"
            if now >= limit:
                return "timed-out", f"still at work after {self.cell.timeout_s:g} s"
            if full := self._over_quota(now):
                return "disk", full
            if Path(self.cell.folder, END).exists():
                return "stopped", "ended by the campaign"
            patience = min(_END_LOOK_S, max(0.0, min(limit, self._look_at) - now))
            told = signal.sigtimedwait({signal.SIGCHLD, *_STOP}, patience)
            if told and told.si_signo in _STOP:
                return "stopped", f"stopped by {signal.Signals(told.si_signo).name}"

    def _over_quota(self, now: float) -> str:
        if now < self._look_at:
            return ""
        grown = _used(self.cell.writable) - self._empty
        took = time.monotonic() - now
        self._look_at = now + max(0.5, 20 * took)
        return f"it wrote {grown / 1e6:.0f} MB, more than allowed" if grown > self.cell.max_disk_bytes else ""

    def _tree(self) -> list[processes.Process]:
        found = processes.descendants([os.getpid()], processes.everyone())
        return [process for process in found if not process.dead]

    def _alive(self) -> int:
        """What was left behind; the sandbox's own helper takes a moment to follow its child."""
        until = time.monotonic() + 0.2
        while (self._reap() and self._tree()) and time.monotonic() < until:
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
        return len(self._tree())

    def _end(self) -> None:
        until = time.monotonic() + self.cell.grace_s
        told: set[tuple[int, int]] = set()
        while self._reap() and time.monotonic() < until:
            for process in self._tree():
                # Bubblewrap would end its inside at once; it follows when that has ended by itself.
                if process.name != "bwrap" and (process.pid, process.started) not in told:
                    told.add((process.pid, process.started))
                    processes.signal_tree(process, signal.SIGTERM)
                    processes.signal_tree(process, signal.SIGCONT)
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)
        kill_all(self._tree, self._reap)

    def _reap(self) -> bool:
        """Collect what ended; False when not one descendant is left."""
        codes, left = processes.collect()
        self.code = codes.get(self.main, self.code)
        return left


def _become(cell: Cell, inbox: int, out: int, err: int, fail: int) -> NoReturn:
    doing = cell.directory
    try:
        os.setsid()
        for number, stream in enumerate((inbox, out, err)):
            os.dup2(stream, number)
        os.chdir(cell.directory)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (cell.max_disk_bytes, cell.max_disk_bytes))
        doing = cell.argv[0]
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(cell.argv[0], list(cell.argv), {**cell.env, processes.RUN_MARK: cell.folder})  # noqa: S606
    except OSError as error:
        os.write(fail, f"could not start: {doing}: {error.strerror}".encode())
    finally:
        os._exit(_NO_START)


def _drain(source: int, log: BoundedLog) -> None:
    with suppress(OSError):
        while data := os.read(source, _CHUNK):
            log.write(data)
    os.close(source)


def _used(folders: Sequence[str]) -> int:
    """Bytes on the disk below some folders; links are not followed."""
    return sum(_blocks(folder) for folder in folders) * 512


def _blocks(folder: str) -> int:
    total = 0
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += _blocks_of(entry)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total


def _blocks_of(entry: Any) -> int:
    try:
        return int(entry.stat(follow_symlinks=False).st_blocks)
    except OSError:
        return 0


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) refused")


if __name__ == "__main__":
    sys.exit(main())
