"""Runs of low priority on this machine, each under a small supervisor that outlives the campaign's own process.

The supervisor is this very file, started as a program in a session of its own. All that a run starts stays in that
session, and the file `ended.json` is written only when nobody else is left in it.
"""

import contextlib
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

from autoresearch.errors import LauncherError
from autoresearch.run.job import Job, JobState, JobStatus, Submission

LOOK_S = 0.05
PATIENCE_S = 60.0
STATES = {"timed-out": JobState.TIMED_OUT, "cancelled": JobState.CANCELLED}


class NiceLauncher:
    """Starts each run with `nice`, at once and without a queue; for scripts that need no GPU.

    Options:
        level: How far runs step back behind other work, 0 to 19. Default 10.
    """

    name = "nice"
    here = True

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        self._level = options.get("level", 10)
        if set(options) - {"level"} or self._level not in range(20):
            raise LauncherError(f"launcher 'nice' knows one option, level from 0 to 19; got {dict(options)}")
        self._folder = folder / "nice"

    def plan(self, job: Job) -> Submission:
        """Pure: the same job gives the same request, and nothing is sent."""
        if job.resources.gpus or job.resources.nodes > 1:
            raise LauncherError(f"run {job.run_id} needs GPUs or nodes, and launcher 'nice' gives it neither")
        argv = ("nice", "-n", str(self._level), *job.argv)
        limits = {"limit_s": job.limit_s, "grace_s": job.grace_s}
        request = {"argv": argv, "directory": job.directory, "log": job.log, "env": dict(job.env), **limits}
        text = f"cd {shlex.quote(job.directory)} && {shlex.join(argv)} > {shlex.quote(job.log)} 2>&1"
        return Submission(job.run_id, self.name, text, job.folder, request)

    def submit(self, submission: Submission) -> str:
        """A second supervisor of one run ends by itself, so that a run is never started twice."""
        place = self._place(submission.run_id)
        supervisor = (sys.executable, str(Path(__file__).resolve()), str(place))
        try:
            if not (place / "supervisor").exists():
                place.mkdir(parents=True, exist_ok=True)
                _write(place / "request.json", submission.payload)
                subprocess.run(supervisor, check=True, timeout=PATIENCE_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise LauncherError(f"run {submission.run_id} was not started: {error}") from error
        if self.find(submission.run_id) is None:
            raise LauncherError(f"run {submission.run_id} was not started: its supervisor died at once")
        return submission.run_id

    def find(self, run_id: str) -> str | None:
        """A run that has a supervisor was submitted."""
        return run_id if (self._place(run_id) / "supervisor").exists() else None

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """As their files say."""
        return {job_id: self._status(self._place(job_id)) for job_id in ids}

    def cancel(self, job_id: str) -> None:
        """Ask the supervisor to end the run; where it was killed, end what it left behind."""
        place = self._place(job_id)
        if place.exists():
            (place / "cancel").touch()
        if place.exists() and not _supervised(place):
            _end(_session(place), 0.0)

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """Everybody in the run's session."""
        alive = _members(_session(self._place(job_id)))
        return tuple(f"process {one.pid}" for one in alive)

    def _status(self, place: Path) -> JobStatus:
        watched = _supervised(place)  # asked first: one that ends meanwhile has then left its file
        ended = _read(place / "ended.json")
        if ended is not None:
            code = int(ended["code"])
            usual = JobState.FAILED if code else JobState.SUCCEEDED
            times = {"started_at": ended["started_at"], "ended_at": ended["ended_at"]}
            return JobStatus(state=STATES.get(ended["how"], usual), exit_code=code, **times)
        if watched:
            return JobStatus(state=JobState.RUNNING, started_at=(place / "supervisor").stat().st_mtime)
        return JobStatus(state=JobState.VANISHED, reason="nobody watches over it")

    def _place(self, run_id: str) -> Path:
        return self._folder / hashlib.sha256(run_id.encode()).hexdigest()[:16]


def supervise(place: Path) -> None:
    """Start one run, end it in time with all that it started, and write down how it ended."""
    request, began = json.loads((place / "request.json").read_text()), time.time()
    with Path(request["log"]).open("ab") as log:
        env = {**os.environ, **request["env"]}
        run = subprocess.Popen(
            request["argv"], cwd=request["directory"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    how = _wait(run, place / "cancel", request["limit_s"])
    _end(os.getsid(0), request["grace_s"] if how else 0.0)
    ended = {"code": run.wait(), "how": how, "started_at": began, "ended_at": time.time()}
    _write(place / "ended.json", ended)


def _wait(run: subprocess.Popen[bytes], cancel: Path, limit_s: float | None) -> str:
    """Until it ends by itself: empty; or why it has to be ended."""
    until = None if limit_s is None else time.monotonic() + limit_s
    while run.poll() is None:
        if cancel.exists():
            return "cancelled"
        if until is not None and time.monotonic() > until:
            return "timed-out"
        time.sleep(LOOK_S)
    return ""


def _end(session: int | None, grace_s: float) -> None:
    """TERM, some grace, then KILL, until nobody but ourselves is left in the session."""
    until = time.monotonic() + grace_s
    for one in _members(session):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.terminate()
    while alive := _members(session):
        if time.monotonic() >= until:
            for one in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        time.sleep(LOOK_S)


def _members(session: int | None) -> list[psutil.Process]:
    """Processes of a session that have not ended, without ourselves."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if pid != os.getpid() and os.getsid(pid) == session:
                one = psutil.Process(pid)
                if one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
    return found


def _session(place: Path) -> int | None:
    """The supervisor leads it, so its number is the supervisor's; none once the run has ended.

    Numbers are used again after a while, and after a reboot: a leader that is younger than our file is a stranger.
    """
    try:
        if (place / "ended.json").exists():
            return None
        session, written = int((place / "supervisor").read_text()), (place / "supervisor").stat().st_mtime
    except (OSError, ValueError):
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        if psutil.Process(session).create_time() > written + 1.0:
            return None
    return session if psutil.boot_time() < written else None


def _supervised(place: Path) -> bool:
    session = _session(place)
    return any(one.pid == session for one in _members(session))


def _write(path: Path, document: Mapping[str, object]) -> None:
    """Aside, then renamed: nobody ever reads half of it."""
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(document))
    aside.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found


def detach(place: Path) -> bool:
    """Go on as the leader of a new session, with nobody to wait for us; False when this run has a supervisor already.

    The caller comes back once the supervisor's number is written: there is no moment in which a run is started and
    cannot be found.
    """
    ready, told = os.pipe()
    if os.fork():
        os.close(told)
        os.read(ready, 1)
        os._exit(0)
    os.setsid()
    try:
        aside = place / f"supervisor.{os.getpid()}"
        aside.write_text(str(os.getpid()))
        os.link(aside, place / "supervisor")
    except FileExistsError:
        return False
    finally:
        os.close(told)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    return True


if __name__ == "__main__" and detach(Path(sys.argv[1])):
    supervise(Path(sys.argv[1]))
