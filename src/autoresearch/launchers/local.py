"""Runs on this machine, each under a supervisor process of its own that outlives us and enforces its limits.

The job id is the run id. What the launcher knows lies in files: `.runs/` in the campaign's folder says where a run's
folder is, and the files of `supervision/run_folder.py` in there say how the run is doing. A new launcher on the same
folder therefore knows every run of the old one, and starting a run twice is impossible: the second supervisor finds
the first one's claim.

GPUs are handed out whole, by index in bus order, through `CUDA_VISIBLE_DEVICES`. A run that needs more than are free
is `QUEUED`: its supervisor already exists and starts it, in the environment of its submission and without our help, as
soon as they are. A run that asks for no GPU sees what we see. Time in the queue does not count towards its limit.
"""

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar
from urllib.parse import quote as as_file_name

from pydantic import Field, field_validator

from autoresearch.errors import LauncherError, StorageError
from autoresearch.machine import control_group, fault_points, gpus, processes
from autoresearch.ports.launcher import LauncherOptions
from autoresearch.run.job import ENDINGS, Job, JobState, JobStatus, Resources, Submission
from autoresearch.supervision import nursery, run_folder, watcher
from autoresearch.supervision.run_folder import SupervisorSpec
from autoresearch.supervision.supervisor import CANCEL


class LocalOptions(LauncherOptions):
    """Options of the local launcher."""

    launcher: ClassVar[str] = "local"

    gpus: tuple[int, ...] | None = None
    """Indices, in bus order, of the GPUs to hand out; `auto`: all, or those `CUDA_VISIBLE_DEVICES` names."""

    max_gpu_memory_used_gb: float = Field(default=1.0, ge=0)
    """A GPU with more memory than this in use belongs to somebody else and is left alone."""

    min_free_memory_gb: float = Field(default=1.0, ge=0)
    """A run waits, like for a GPU, until the machine has so much memory available."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Not for secrets: they are inherited, these are written to disk."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    @field_validator("gpus", mode="before")
    @classmethod
    def _auto(cls, value: object) -> object:
        return None if value == "auto" else value


_STARTING_S = 3.0
_LAST_CHANCE_S = 3.0


class LocalLauncher:
    """Starts runs here. Options are described in `LocalOptions`."""

    name = "local"
    here = True

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = LocalOptions.parse(options)
        self._records = folder.absolute() / ".runs"

    def plan(self, job: Job) -> Submission:
        """The command as a person would paste it, and the same for the supervisor.

        Raises:
            LauncherError: The job needs more than one machine.
        """
        if job.resources.nodes > 1:
            raise LauncherError(
                f"run {job.run_id} needs {job.resources.nodes} nodes and the local launcher has one; "
                f"choose a recipe for one node, or the launcher slurm, ray or kubernetes"
            )
        spec = SupervisorSpec(
            run_id=job.run_id,
            argv=job.argv,
            directory=job.directory,
            folder=job.folder,
            log=job.log,
            env=self._environment(job),
            limit_s=job.limit_s,
            grace_s=job.grace_s if self.options.grace_s is None else self.options.grace_s,
            memory_gb=job.resources.memory_gb,
            max_log_bytes=job.max_log_bytes,
            gpus=job.resources.gpus,
            gpu_pool=(),
            max_gpu_memory_used_gb=self.options.max_gpu_memory_used_gb,
            scratch=self._scratch(job),
            min_free_memory_gb=self.options.min_free_memory_gb,
            sandbox=None if job.sandbox is None else asdict(job.sandbox),
        )
        return Submission(job.run_id, self.name, _text(spec), job.folder, spec._asdict())

    def submit(self, submission: Submission) -> str:
        """Start the run's supervisor and return when the run can no longer get lost, about a tenth of a second later.

        Raises:
            LauncherError: The machine lacks the GPUs, or the supervisor could not be started.
            StorageError: The disk takes no more; nothing was started.
        """
        if not processes.PROC.joinpath("self/stat").exists():
            raise LauncherError("the local launcher needs Linux: this machine has no /proc")
        run_id, folder = submission.run_id, Path(submission.folder)
        if self.find(run_id):
            return run_id
        spec = SupervisorSpec(**dict(submission.payload))._replace(gpu_pool=self._pool(submission))  # type: ignore[arg-type]
        try:
            self._records.mkdir(parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            known = {"folder": submission.folder, "tree": spec.directory, "submitted_at": time.time()}
            run_folder.create(self._record(run_id), known)
            run_folder.write(folder / run_folder.SPEC, spec._asdict(), sync=True)
        except OSError as error:
            raise StorageError(f"run {run_id} was not started: {error}; fix that and submit it again") from error
        fault_points.point("launcher.submit")
        if identity := nursery.supervise(run_id, folder):
            # Outside of what the run is told of: its own folder may say anything.
            self._remember(run_id, watcher=identity)
        return run_id

    def find(self, run_id: str) -> str | None:
        """The run id, once a supervisor has claimed the run; one recorded but never claimed may be submitted again.

        A supervisor that another controller, dead by now, was just starting is waited for, three seconds at most.
        """
        record = run_folder.read(self._record(run_id))
        if record is None:
            return None
        folder = Path(record["folder"])
        patience = min(record["submitted_at"] + _STARTING_S - time.time(), _STARTING_S)
        until = time.monotonic() + patience
        while not _claimed(folder) and time.monotonic() < until:
            time.sleep(0.02)
        return run_id if _claimed(folder) else None

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """How the runs are doing, from two small files each."""
        return {run_id: self._status(run_id) for run_id in ids}

    def keeper(self, job_id: str) -> tuple[int, int] | None:
        """The run's supervisor, by id and start time, also once it is gone."""
        return watcher.identity(self._state(job_id))

    def cancel(self, job_id: str) -> None:
        """Tell the run's supervisor to end it, and return at once; `states` says when it has.

        Without a living supervisor, everything left of the run is killed here and now, within five seconds. One that
        cannot be seen from here, from another container for example, is asked by a file.

        Raises:
            LauncherError: The run is on another machine.
        """
        state = self._state(job_id)
        if self._end(job_id) is not None:
            self._kill(job_id, ())
            return
        if watcher.elsewhere(state):
            raise LauncherError(f"run {job_id} is on {state['node']}; cancel it there")
        if watcher.hidden(state):
            with contextlib.suppress(OSError):
                Path(self._folder(job_id) or "", run_folder.LEAVE).touch()
            return
        supervisor = watcher.living(state)
        if supervisor and not Path(self._folder(job_id) or "").is_dir():
            # It could not say how the run ends.
            self._kill(job_id, (supervisor,))
        elif supervisor and processes.signal_tree(supervisor, CANCEL):
            # A stopped one hears it only when it goes on.
            processes.signal_tree(supervisor, signal.SIGCONT)
        else:
            self._kill(job_id, ())

    def force(self, job_id: str, ending: str, reason: str) -> tuple[str, ...]:
        """End the run over the head of its supervisor, which gets a last chance to do it itself."""
        state = self._state(job_id)
        supervisor = watcher.living(state)
        if supervisor is None and (watcher.elsewhere(state) or watcher.hidden(state)):
            return self.leftovers(job_id)
        if self._end(job_id) is None:
            self._remember(job_id, forced={"ending": ending, "reason": reason, "at": time.time()})
        if supervisor:
            processes.signal_tree(supervisor, CANCEL)
            processes.signal_tree(supervisor, signal.SIGCONT)
            until = time.monotonic() + _LAST_CHANCE_S
            while self._end(job_id) is None and time.monotonic() < until:
                time.sleep(0.05)
        if self._end(job_id) is None:
            self._kill(job_id, (supervisor,) if supervisor else ())
        return self.leftovers(job_id)

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """Every living process of the run, its supervisor included; of one that cannot be seen, what its lock says."""
        found = tuple(f"process {process.pid} ({process.name})" for process in self._belonging(job_id))
        folder, state = self._folder(job_id), self._state(job_id)
        if folder and watcher.hidden(state) and self._end(job_id) is None and watcher.held(folder):
            return (*found, f"what process {state['pid']} of another process-id namespace started")
        if not found:
            control_group.remove(self._group(job_id))
        return found

    def _kill(self, run_id: str, besides: Collection[processes.Process]) -> None:
        """Kill what there is of a run until nothing is left, five seconds at most, and these processes after it."""
        until, known = time.monotonic() + 5.0, set[tuple[int, int]]()
        last = {one.pid: one for one in besides}
        control_group.kill(self._group(run_id))
        while time.monotonic() < until:
            table = processes.everyone()
            found = (*processes.descendants(last, table), *self._belonging(run_id, known))
            left = [one for one in found if one.pid not in last and watcher.lives(one, table)]
            known |= {(one.pid, one.started) for one in left}
            # The supervisor goes last: until then whatever is orphaned becomes its child, and is found.
            if not (left := left or [one for one in last.values() if watcher.lives(one, table)]):
                return
            for process in left:
                processes.signal_tree(process, signal.SIGKILL)
            time.sleep(0.02)

    def unconfined(self, resources: Resources) -> str:  # noqa: ARG002 - the same for every run here
        """Nothing: the supervisor of every run looks whether there can be a sandbox."""
        return ""

    def _environment(self, job: Job) -> dict[str, str]:
        scratch = self._scratch(job)
        ours = {"PYTHONUNBUFFERED": "1"} | ({"RAY_TMPDIR": scratch} if scratch else {})
        return {**ours, **self.options.env, **job.env, processes.RUN_NAME: job.run_id}

    def _scratch(self, job: Job) -> str:
        """A Ray directory of the run's own, so that runs do not join each other's clusters.

        It is short because Ray keeps sockets in it, whose paths may have 107 bytes at most.
        """
        if "RAY_TMPDIR" in job.env or "RAY_TMPDIR" in self.options.env:
            return ""
        return f"/tmp/ar-{hashlib.sha256(job.folder.encode()).hexdigest()[:12]}"  # noqa: S108

    def _pool(self, submission: Submission) -> tuple[int, ...]:
        needed = int(str(submission.payload["gpus"]))
        if not needed:
            return ()
        pool = gpus.available(os.environ) if self.options.gpus is None else self.options.gpus
        if needed > len(pool):
            raise LauncherError(
                f"run {submission.run_id} needs {needed} GPUs and this machine has {len(pool)}; "
                + (gpus.parts_only(os.environ) or "lower the recipe's GPUs, or choose another launcher or machine")
            )
        return pool

    def _record(self, run_id: str) -> Path:
        return self._records / f"{as_file_name(run_id, safe='')}.json"

    def _folder(self, run_id: str) -> Path | None:
        record = run_folder.read(self._record(run_id))
        return Path(record["folder"]) if record else None

    def _remember(self, run_id: str, **facts: object) -> None:
        """Add something to what is known of a run outside of its own folder."""
        record = run_folder.read(self._record(run_id)) or {}
        with contextlib.suppress(OSError):
            run_folder.write(self._record(run_id), {**record, **facts}, sync=True)

    def _state(self, run_id: str) -> dict[str, Any]:
        """How its supervisor says it is doing, and who that is, for which the run's own folder is not asked."""
        record = run_folder.read(self._record(run_id)) or {}
        return watcher.read_state(record)

    def _group(self, run_id: str) -> str:
        return watcher.group(run_folder.read(self._record(run_id)) or {})

    def _end(self, run_id: str) -> dict[str, Any] | None:
        record = run_folder.read(self._record(run_id))
        return watcher.read_end(record) if record else None

    def _belonging(self, run_id: str, besides: Collection[tuple[int, int]] = ()) -> list[processes.Process]:
        folder = self._folder(run_id)
        if folder is None:
            return []
        state = self._state(run_id)
        here = state.get("boot") == processes.boot() and not watcher.hidden(state)
        known = [*watcher.tree(state), *besides] if here else []
        inside, table = control_group.members(self._group(run_id)), processes.everyone()
        known += [(pid, table[pid].started) for pid in inside if pid in table]
        said = watcher.living(state)
        supervisors = [
            one
            for one in table.values()
            if (said and one.pid == said.pid)
            or (not one.dead and processes.carries(one.pid, processes.SUPERVISOR_MARK, str(folder)))
        ]
        lost = here and said is None and self._end(run_id) is None
        tree = (run_folder.read(self._record(run_id)) or {}).get("tree")
        strays = watcher.strays([str(folder), *filter(None, [tree])], state["started"], table) if lost else []
        return processes.belonging(str(folder), [*known, *strays], table) + supervisors

    def _status(self, run_id: str) -> JobStatus:
        record = run_folder.read(self._record(run_id))
        if record is None:
            return JobStatus(state=JobState.VANISHED, reason=f"no run {run_id} was ever submitted from here")
        folder, submitted_at = Path(record["folder"]), record["submitted_at"]
        state = watcher.read_state(record)
        # Before the look for its end: a supervisor that is dead by now has already written that.
        dead = watcher.why_dead(folder, state)
        ended, forced = watcher.read_end(record), record.get("forced")
        if ended and forced and ended["ending"] == "cancelled":
            return replace(_ended(ended, submitted_at), state=ENDINGS[forced["ending"]], reason=forced["reason"])
        if ended and not watcher.clearing(ended, state):
            return _ended(ended, submitted_at)
        if dead and forced:
            return _forced(forced, state, submitted_at)
        return _live(folder, state, dead, submitted_at)


def _claimed(folder: Path) -> bool:
    return any((folder / name).exists() for name in (run_folder.STATE, run_folder.EXIT))


def _live(folder: Path, state: Mapping[str, Any], dead: str, submitted_at: float) -> JobStatus:
    waiting = state.get("phase") == "waiting"
    alive = JobState.QUEUED if waiting else JobState.RUNNING
    supervisor = watcher.living(state)
    return JobStatus(
        state=JobState.VANISHED if dead else alive,
        reason=dead or (state.get("waits_for", "") if waiting else ""),
        node=state.get("node", ""),
        submitted_at=submitted_at,
        started_at=state.get("started_at"),
        cpu_s=state.get("cpu_s"),
        peak_memory_gb=state.get("peak_memory_gb"),
        peak_gpu_memory_gb=state.get("peak_gpu_memory_gb"),
        ran_s=state.get("wall_s"),
        paused_since=None if dead else watcher.paused_since(folder, state, supervisor),
        tampered=run_folder.forgery(folder) if dead else "",
        deaf="" if dead else watcher.why_deaf(folder, state, supervisor),
    )


def _forced(forced: Mapping[str, Any], state: Mapping[str, Any], submitted_at: float) -> JobStatus:
    return JobStatus(
        state=ENDINGS[forced["ending"]],
        reason=forced["reason"],
        node=state.get("node", ""),
        submitted_at=submitted_at,
        started_at=state.get("started_at"),
        ended_at=forced["at"],
        cpu_s=state.get("cpu_s"),
        peak_memory_gb=state.get("peak_memory_gb"),
    )


def _ended(exit_: Mapping[str, Any], submitted_at: float) -> JobStatus:
    done = JobState.SUCCEEDED if exit_["exit_code"] == 0 else JobState.FAILED
    return JobStatus(
        state=ENDINGS.get(exit_["ending"], done),
        exit_code=exit_["exit_code"],
        reason=exit_["reason"],
        node=exit_["node"],
        submitted_at=submitted_at,
        started_at=exit_["started_at"],
        ended_at=exit_["ended_at"],
        cpu_s=exit_["cpu_s"],
        peak_memory_gb=exit_["peak_memory_gb"],
        peak_gpu_memory_gb=exit_["peak_gpu_memory_gb"],
        uncontained=exit_.get("uncontained"),
        tampered=exit_.get("tampered", ""),
    )


def _text(spec: SupervisorSpec) -> str:
    limit = "no limit" if spec.limit_s is None else f"limit {spec.limit_s:g} s, then TERM, {spec.grace_s:g} s, KILL"
    lines = [
        f"# {spec.run_id!r}: local, {limit}",
        *([f"# CUDA_VISIBLE_DEVICES: {spec.gpus} GPUs, chosen when it starts"] if spec.gpus else []),
        *([f"mkdir -p {quote(spec.scratch)} &&"] if spec.scratch else []),
        *(["# in a sandbox, if this machine can make one"] if spec.sandbox else []),
        f"cd {quote(spec.directory)} &&",
        "env \\",
        *(f"  {quote(f'{name}={value}')} \\" for name, value in spec.env.items()),
        f"  {' '.join(quote(word) for word in spec.argv)} \\",
        f"  > {quote(spec.log)} 2>&1 < /dev/null",
    ]
    return "\n".join(lines) + "\n"
