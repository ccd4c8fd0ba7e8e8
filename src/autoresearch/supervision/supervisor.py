"""`python -m autoresearch.supervision.supervisor SPEC`: one small process that watches over one run and outlives us.

It detaches itself, claims the run, waits for memory and GPUs, starts the command, keeps the log bounded, enforces the
limits, and does not end before every process of the run has. That is proved, not hoped for: it is a *child subreaper*
(prctl(2)), so whatever is orphaned below it becomes its own child, and once the kernel says it has no children, it has
no descendants. All limits are measured on the monotonic clock, which neither jumps nor counts a closed laptop, and
without the time in which the run is stopped.

Signals: USR1 cancels the run; TERM, INT and HUP from anybody else end it as preempted (a shutdown, a person).
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from autoresearch.errors import LauncherError
from autoresearch.machine import control_group, gpus, processes
from autoresearch.machine.clock import Standstill, Stopwatch
from autoresearch.secrets import environment
from autoresearch.supervision import child, confinement, run_folder
from autoresearch.supervision.child import NO_START, become
from autoresearch.supervision.run_folder import SupervisorSpec
from autoresearch.supervision.run_log import BoundedLog, CleanLog, Recorder
from autoresearch.supervision.watcher import SupervisorClaim

CANCEL = signal.SIGUSR1
_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WATCHED = {signal.SIGCHLD, CANCEL, *_OUTSIDE}
_STACKS_S = 2.0


class ProcessEnd(NamedTuple):
    """Why a run is over: one word for programs and a sentence for people."""

    word: str
    reason: str


def main() -> int:
    """Detach, and say by the exit code whether the run is in good hands."""
    spec = SupervisorSpec(**(run_folder.read(Path(sys.argv[1])) or {}))
    said, say = os.pipe()
    if os.fork() == 0:
        os.close(said)
        detach(spec, say)
    os.close(say)
    with os.fdopen(said, "rb") as answer:
        word = answer.read().decode("utf-8", "replace")
    if word.startswith("ok"):
        sys.stdout.write(word.removeprefix("ok"))
        return 0
    sys.stderr.write(word or "the supervisor ended before it could start the run\n")
    return 1


def detach(spec: SupervisorSpec, say: int) -> NoReturn:
    """Be the run's supervisor from here on, in a session of our own; `say` hears `ok`, or what is wrong."""
    try:
        os.setsid()
        stand_nowhere()
        supervise(spec, say)
    except BaseException as error:  # noqa: BLE001 (whoever started us hears of it, or else finds the file)
        with contextlib.suppress(OSError):
            os.write(say, f"{type(error).__name__}: {error}\n".encode())
        with contextlib.suppress(OSError):
            run_folder.tell_trouble(Path(spec.folder), traceback.format_exc())
    os._exit(0)


def stand_nowhere() -> None:
    """Hold no folder and no stream of whoever started us."""
    os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def supervise(spec: SupervisorSpec, say: int) -> None:
    """Claim the run and carry it out; `say` hears `ok`, and whose it is, as soon as it cannot get lost any more."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    processes.prctl(processes.CHILD_SUBREAPER, 1)
    run = SupervisedRun(spec)
    claimed = run.claim.take(run.snapshot())
    os.write(say, b"ok" + (json.dumps(run.claim.identity).encode() if claimed else b""))
    os.close(say)
    if not claimed:
        control_group.remove(run.group)
        return
    try:
        ending = run.wait_for_turn() or run.watch()
    except Exception as error:  # noqa: BLE001 (a defect of ours must not leave a run unwatched)
        run_folder.tell_trouble(Path(spec.folder), traceback.format_exc())
        ending = ProcessEnd("failed", f"the supervisor failed: {type(error).__name__}: {error}")
    try:
        run.end(ending)
    finally:
        run.kill()


class SupervisedRun:
    """One run from claim to conclusion."""

    def __init__(self, spec: SupervisorSpec) -> None:
        self.spec, self.folder = spec, Path(spec.folder)
        self.hold = gpus.Hold()
        self.group = control_group.make()
        self.claim = SupervisorClaim(self.folder, spec.run_id, self.group)
        self.clock = Stopwatch()
        self.main = 0
        self.code: int | None = None
        self.peak_bytes, self.cpu_s = 0, 0.0
        self.recorder: Recorder | None = None
        self.confined = confinement.Confined(spec.argv, {})
        self._reported = -1
        self._waits_for = f"waiting for {spec.gpus} free GPUs" if spec.gpus else ""
        self._tree: list[processes.Process] = []
        self._standstill = Standstill()
        self._scan_s = 0.0
        self._sample_at = 0.0
        self._memory_kills = 0

    def snapshot(self) -> dict[str, Any]:
        """How it is doing, as written to the state file."""
        return self.claim.identity | {
            "phase": "waiting" if self.clock.started_at is None else "running",
            "waits_for": self._waits_for,
            "main": self.main,
            "started_at": self.clock.started_at,
            "wall_s": self.clock.running_s,
            "paused_since": self.clock.paused_since,
            "cpu_s": round(self.cpu_s, 3),
            "peak_memory_gb": self.peak_bytes / 1e9,
            "gpus": list(self.hold.indices),
            "tree": [[process.pid, process.started] for process in self._tree],
        }

    def wait_for_turn(self) -> ProcessEnd | None:
        """Wait for free memory and hold the GPUs it needs; an ending when it was cancelled meanwhile."""
        while self._has_to_wait():
            ending = _told(child.wait(_WATCHED, 0.5)) or self._asked_to_leave()
            if ending:
                return ending
        return None

    def _has_to_wait(self) -> bool:
        if (free := processes.available_gb()) < self.spec.min_free_memory_gb:
            wanted = f"waiting for {self.spec.min_free_memory_gb:g} GB of free memory, there are {free:.1f}"
        elif not self.spec.gpus or self.hold.take(self.spec.gpus, self.spec.gpu_pool, self.spec.max_gpu_memory_used_gb):
            return False
        else:
            wanted = f"waiting for {self.spec.gpus} free GPUs"
        if wanted != self._waits_for:
            self._waits_for = wanted
            run_folder.write(self.folder / run_folder.STATE, self.snapshot())
        return True

    def watch(self) -> ProcessEnd:
        """Start the command and wait until it ends, or has to."""
        try:
            trouble = self._start()
        except LauncherError as error:
            return ProcessEnd("failed", str(error))
        if trouble:
            return ProcessEnd("not-started", trouble)
        limit = float("inf") if self.spec.limit_s is None else self.spec.limit_s
        while True:
            self.reap()
            if self.code is not None:
                return self._exited()
            self.clock.turn(stopped=self._standstill.stopped)
            if self.clock.running_s >= limit:
                return ProcessEnd("timed-out", f"timed out: still running after {limit:g} s")
            if self.clock.rested_s >= limit:
                return ProcessEnd("preempted", f"all of it was stopped for {limit:g} s, as long as it may run")
            if self._sample() and self._over_memory():
                return ProcessEnd("memory", f"over its memory limit of {self.spec.memory_gb:g} GB")
            patience = min(limit - self.clock.running_s, self._sample_at - time.monotonic())
            ending = _told(child.wait(_WATCHED, self.clock.wait(patience))) or self._asked_to_leave()
            if ending:
                return ending

    def end(self, ending: ProcessEnd) -> None:
        """End whatever still lives, prove that it is gone, and write how it went."""
        if (self.folder / run_folder.STACKS).exists():
            self._tell_stacks()
        self._let_sandbox_end()
        alive = len([process for process in self._scan() if not process.dead])
        self._end_tree()
        left = self._end_escaped()
        wall_s = self.clock.running_s
        log_complete = self.recorder is None or self.recorder.finish(10.0)
        notes = [
            f"{alive} processes it had left running were ended" if ending.word == "exited" and alive else "",
            f"could not be ended: {', '.join(left)}" if left else "",
            "" if log_complete else "the log's disk did not answer, its end may be missing",
        ]
        reason = "; ".join([ending.reason, *filter(None, notes)])
        self._conclude(self._report(ending.word, reason, wall_s) | {"killed": alive, "left": left})
        self.hold.release()

    def reap(self) -> bool:
        """Collect everything that ended; False when not one descendant is left."""
        codes, left = processes.collect()
        self.code = codes.get(self.main, self.code)
        return left

    def _start(self) -> str:
        """Start the command; what went wrong, or nothing."""
        path = Path(self.spec.log)
        path.parent.mkdir(parents=True, exist_ok=True)
        redactor = environment.run_redactor(self.folder, self.spec.env)
        log = CleanLog(BoundedLog(path, self.spec.max_log_bytes), redactor)
        out, sink = os.pipe()
        failed, fail = os.pipe()
        run_folder.make_scratch(self.spec.scratch)
        self._reported, report = os.pipe()
        self.confined = start = confinement.confine(self.spec, self._environment(), report)
        self._memory_kills = processes.memory_kills()
        self.clock.start()
        self.main = os.fork()
        if not self.main:
            keep = (report if start.temporary else None, self.claim.handle)
            inherited = [handle for handle in keep if handle is not None]
            become(start.argv, self.spec.directory, start.env, sink, fail, inherited, self.group)
        for handle in (sink, fail, report):
            os.close(handle)
        self.recorder = Recorder(out, log, self.folder / run_folder.STATE, self.snapshot)
        self.recorder.start()
        with os.fdopen(failed, "rb") as answer:
            return answer.read().decode("utf-8", "replace")

    def _environment(self) -> dict[str, str]:
        env = {**os.environ, **self.spec.env}
        env |= {processes.RUN_NAME: self.spec.run_id, processes.RUN_MARK: self.spec.folder}
        env.pop(processes.SUPERVISOR_MARK, None)
        # A Python that hangs can then be asked where.
        env.setdefault("PYTHONFAULTHANDLER", "1")
        if self.hold.indices:
            # Without the order, CUDA counts the fastest GPU first, and the driver library by bus.
            env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
            env["CUDA_VISIBLE_DEVICES"] = ",".join(str(index) for index in self.hold.indices)
        return env

    def _exited(self) -> ProcessEnd:
        if self.confined.inside:
            if not confinement.has_begun(self._reported):
                return ProcessEnd("failed", "its sandbox could not be made, its log says why")
            self.code = confinement.code_of(self.code or 0)
        code = self.code or 0
        struck = processes.memory_kills() - self._memory_kills if code else 0
        hint = f"; the kernel's out-of-memory killer struck {struck} times on this machine meanwhile" if struck else ""
        if code >= 0:
            return ProcessEnd("exited", f"exited with code {code}{hint}")
        name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
        word = "memory" if struck and -code == signal.SIGKILL else "exited"
        return ProcessEnd(word, f"ended by signal {name}, which autoresearch did not send{hint}")

    def _let_sandbox_end(self) -> None:
        """When its command is over, the kernel ends what else is in it; that takes a moment."""
        until = time.monotonic() + 5.0
        while self.confined.inside and self.code is not None and self.reap() and time.monotonic() < until:
            self._nap(0.02)

    def _scan(self) -> list[processes.Process]:
        began = time.thread_time()
        self._tree = processes.descendants([os.getpid()], processes.everyone())
        self._scan_s = time.thread_time() - began
        return self._tree

    def _asked_to_leave(self) -> ProcessEnd | None:
        """A cancel by somebody who cannot signal us."""
        return ProcessEnd("cancelled", "cancelled") if (self.folder / run_folder.LEAVE).exists() else None

    def _sample(self) -> bool:
        """Look at the tree when it is time again; a tenth of its age, at most a second, at most 2 % of a core."""
        now = time.monotonic()
        if now < self._sample_at:
            return False
        tree = self._scan()
        self.peak_bytes = max(self.peak_bytes, sum(process.rss for process in tree))
        self.cpu_s = max(self.cpu_s, child.cpu_of_the_dead() + sum(process.cpu_s for process in tree))
        self.clock.prove(rested=self._standstill.look(process for process in tree if not process.dead))
        self._sample_at = now + max(min(1.0, max(0.1, self.clock.running_s / 10)), 50 * self._scan_s)
        return True

    def _over_memory(self) -> bool:
        limit = None if self.spec.memory_gb is None else self.spec.memory_gb * 1e9
        if limit is None or sum(process.rss for process in self._tree) <= limit:
            return False
        return processes.proportional_bytes(self._tree) > limit

    def _tell_stacks(self) -> None:
        """What its processes are doing goes into its log, before they are ended."""
        from autoresearch.machine import stacks  # noqa: PLC0415 (needed by the one run in a hundred that hangs)

        if not self.recorder or not (tree := self._scan()):
            return
        with contextlib.suppress(Exception):
            self.recorder.say(stacks.told(tree))
            if stacks.abort(tree):
                self._nap(_STACKS_S)

    def _end_tree(self) -> None:
        told: set[tuple[int, int]] = set()
        until = time.monotonic() + self.spec.grace_s
        while self.reap() and time.monotonic() < until:
            tree = self._scan()
            # TERM would end bubblewrap itself, and with it all others, without any grace.
            outer = {self.main, *(one.pid for one in tree if one.parent == self.main)} if self.confined.inside else ()
            for process in tree:
                if (process.pid, process.started) not in told and process.pid not in outer:
                    told.add((process.pid, process.started))
                    processes.signal_tree(process, signal.SIGTERM)
                    processes.signal_tree(process, signal.SIGCONT)
            self._nap(min(max(0.05, 5 * self._scan_s), until - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """KILL until nothing is left, or only what the kernel itself cannot end."""
        control_group.kill(self.group)
        child.kill_all(self._scan, self.reap)

    def _end_escaped(self) -> list[str]:
        """What left the tree, for example because it was started by a daemon on the run's behalf."""
        until = time.monotonic() + 5.0
        while escaped := processes.belonging(self.spec.folder, (), processes.everyone()):
            for process in escaped:
                processes.signal_tree(process, signal.SIGKILL)
            if time.monotonic() > until:
                break
            self._nap(0.02)
        return [f"{process.pid} ({process.name})" for process in escaped]

    def _nap(self, seconds: float) -> None:
        child.wait({signal.SIGCHLD}, seconds)

    def _report(self, word: str, reason: str, wall_s: float) -> dict[str, Any]:
        code = NO_START if word == "not-started" else self.code
        log = self.recorder.log.file if self.recorder else None
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return self.claim.identity | {
            "ending": word,
            "reason": reason,
            "exit_code": code if code is None or code >= 0 else 128 - code,
            "signal": -code if code is not None and code < 0 else None,
            "started_at": self.clock.started_at,
            "ended_at": (self.clock.started_at or time.time()) + wall_s + self.clock.paused_s + self.clock.asleep_s,
            "wall_s": wall_s,
            "paused_s": round(self.clock.paused_s, 3),
            "cpu_s": round(max(self.cpu_s, child.cpu_of_the_dead()), 3),
            "peak_memory_gb": max(self.peak_bytes, largest if self.main else 0) / 1e9,
            "peak_gpu_memory_gb": self.recorder.peak_gpu_gb if self.recorder else None,
            "gpus": list(self.hold.indices),
            "log_bytes": log.written if log else 0,
            "log_left_out": log.left_out if log else 0,
            "log_lost": log.lost if log else 0,
            "tampered": _LOG_ALTERED if log and log.altered else "",
            "uncontained": self.confined.why_not,
        }

    def _conclude(self, report: dict[str, Any]) -> None:
        for _ in range(600):
            try:
                with contextlib.suppress(FileNotFoundError):
                    self.claim.conclude(report)
                break
            except OSError:
                time.sleep(1.0)
        with contextlib.suppress(Exception):
            confinement.clear(self.confined)
        control_group.remove(self.group)
        run_folder.clear_scratch(self.spec.scratch, keep=report["ending"] == "exited" and report["exit_code"] != 0)


_LOG_ALTERED = "its log is not what it printed: somebody else than its supervisor wrote to the file, or replaced it"


def _told(received: child.Received | None) -> ProcessEnd | None:
    if received is None or received.number == signal.SIGCHLD:
        return None
    if received.number == CANCEL:
        return ProcessEnd("cancelled", "cancelled")
    name = signal.Signals(received.number).name
    return ProcessEnd(
        "preempted", f"the supervisor was asked to stop by {name} from process {received.pid}, not by autoresearch"
    )


if __name__ == "__main__":
    sys.exit(main())
