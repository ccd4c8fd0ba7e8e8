"""A warm allocation as the campaign sees it: asked for when there is something to run, replaced when Slurm ends it.

Runs are handed over through the spool and belong to no allocation before one takes them. A run that an allocation took
and never began goes to the next; one that had begun ends as its allocation did.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from autoresearch.config.duration import span
from autoresearch.errors import LauncherError, StorageError
from autoresearch.launchers.job_files import Record, Records, unique_name
from autoresearch.launchers.slurm import commands
from autoresearch.launchers.slurm import script as slurm_script
from autoresearch.launchers.slurm.commands import STEPS, QueueLine, parse_steps
from autoresearch.launchers.slurm.options import Allocation, SlurmOptions
from autoresearch.launchers.slurm.warm_node import Spool, SpoolRequest, SpoolResult, Taken
from autoresearch.ports.launcher import HeldCapacity
from autoresearch.run.job import Job, JobState, Resources
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

_MARGIN_S = 30.0
"""What a run needs beyond limit and grace, for the start and the end of its step."""
_AGAIN_S = 30.0
_GONE_S = 60.0
_PLAN = "allocation.json"
_SCRIPT = "allocation.sh"
_ENDINGS = {"PREEMPTED": "PREEMPTED", "TIMEOUT": "PREEMPTED", "DEADLINE": "PREEMPTED", "CANCELLED": "CANCELLED"}
"""How a run ends that was going on when Slurm ended its allocation; anything else is a failure of the node."""


class SlurmWarmAllocation:
    """The allocation of one campaign. `rows` are always those of the latest question to squeue."""

    def __init__(self, folder: Path, options: SlurmOptions) -> None:
        self._options, self._wanted = options, options.allocation or Allocation()
        self.spool = Spool(folder / "warm")
        self._records = Records(folder / "allocations")
        self._refused, self._retry_at = "", float("-inf")

    def plan(self, job: Job, spec: SupervisorSpec, options: SlurmOptions, name: str) -> tuple[str, dict[str, Any]]:
        """The script of the allocation with the run's step, and what `begin` and `hand_over` need; nothing is sent.

        Args:
            job: The run.
            spec: What its supervisor has to carry out, outside of a container and of Ray.
            options: The launcher's, with the mounts of this run.
            name: The run's name at the scheduler.

        Raises:
            LauncherError: The run does not fit into an allocation.
        """
        need_s = None if spec.limit_s is None else spec.limit_s + spec.grace_s + _MARGIN_S
        self._check(job, need_s)
        memory_gb, gpus = job.resources.memory_gb, job.resources.gpus_per_node
        files: dict[str, str] = {}
        if options.style == "ray.sub":
            files[slurm_script.COMMAND] = slurm_script.beside_others(spec)
            files[slurm_script.IN_JOB] = slurm_script.in_job(spec, options, name, gpus)
            spec = slurm_script.around_ray_sub(spec)
        spec = slurm_script.container_lines(spec, options, name) if options.style == "batch" else spec
        held = unique_name("allocation", str(self.spool.folder))
        flags = slurm_script.allocation_directives(job, self._options, self._wanted, held)
        script = slurm_script.allocation(flags, self._options, self._wanted, str(self.spool.folder))
        need = {
            "need_s": need_s,
            "gpus": gpus,
            "cpus": job.resources.cpus,
            "memory_mb": None if memory_gb is None else slurm_script.memory_mb(memory_gb),
            "nodes": job.resources.nodes if options.container else 0,
            "starts_steps": options.style == "ray.sub",
        }
        nodes, runs = self._wanted.nodes, self._wanted.runs
        wanted = {"name": held, "script": script, "nodes": nodes, "gpus": nodes * runs * gpus}
        more = {"need": need, "allocation": wanted, "files": files, "spec": spec._asdict()}
        return slurm_script.handed_over(spec, script, files), more

    @property
    def time_s(self) -> float:
        """For how long Slurm is asked to leave it to us."""
        return self._wanted.time

    def too_long(self, limit_s: float, grace_s: float) -> str:
        """Why a run with this limit fits into no allocation; empty when it does."""
        need_s = limit_s + grace_s + _MARGIN_S
        told = f"a run may take {span(need_s)}, its end included, and an allocation is held for {span(self.time_s)}"
        return f"{told}; raise the launcher's option allocation.time" if need_s > self.time_s else ""

    def too_wide(self, resources: Resources) -> str:
        """Why a run that needs this fits into no allocation; empty when it does."""
        nodes, most = resources.nodes, self._wanted.nodes
        if nodes > 1 and self._options.style == "batch":
            cure = "start Ray on its nodes with the launcher's option style: ray.sub, or leave allocation out"
            return f"a run needs {nodes} nodes and has one of a warm allocation; {cure}"
        if nodes > most:
            return (
                f"a run needs {nodes} nodes and an allocation has {most}; raise the launcher's option allocation.nodes"
            )
        return ""

    def _check(self, job: Job, need_s: float | None) -> None:
        if told := self.too_wide(job.resources):
            raise LauncherError(f"run {job.run_id} cannot begin: {told}")
        if need_s is not None and need_s > self._wanted.time:
            raise LauncherError(
                f"run {job.run_id} may take {span(need_s)} and an allocation is held for {span(self._wanted.time)}; "
                f"raise the launcher's option allocation.time"
            )

    # -- runs -----------------------------------------------------------------------------------------------------

    def begin(self, record: Record, wanted: Mapping[str, Any], rows: list[QueueLine]) -> str:
        """Make sure of an allocation; returns the job id of the run in it.

        Raises:
            LauncherError: Slurm refuses an allocation, or does not answer.
            StorageError: The disk takes no more.
        """
        try:
            self.spool.folder.mkdir(parents=True, exist_ok=True)
            run_folder.write(self.spool.folder / _PLAN, wanted)
        except OSError as error:
            raise StorageError(f"run {record.run_id} was not submitted: {error}; fix that, submit it again") from error
        alive = self.alive(rows)
        allocation = alive.job_id if alive else self._ask()
        return record.job_id or f"{allocation}.{record.token}"

    def hand_over(self, record: Record, need: Mapping[str, Any]) -> None:
        """Put a run that is on record into the spool.

        Raises:
            StorageError: The disk takes no more.
        """
        try:
            self.spool.put(SpoolRequest(record.name, str(record.job_id), record.folder, record.asked_at, **need))
        except OSError as error:
            raise StorageError(f"run {record.run_id} was not submitted: {error}; fix that, submit it again") from error

    def knows(self, record: Record) -> bool:
        """Whether a run was handed over, or has begun."""
        return self.spool.where(record.name) is not None or _has_begun(record)

    def tend(self, rows: list[QueueLine]) -> None:
        """Ask for a new allocation when runs wait and there is none; a refusal is told with each waiting run."""
        alive = {row.job_id for row in self._living(rows)}
        for taken in self.spool.taken():
            if taken.allocation not in alive and not taken.request.claimed:
                self.spool.give_back(taken)
        if alive:
            return
        self._fail_with(self._latest(rows))
        if not self.spool.waiting() or time.monotonic() < self._retry_at:
            return
        try:
            self._ask()
            self._refused = ""
        except LauncherError as error:
            self._refused, self._retry_at = str(error).splitlines()[0], time.monotonic() + _AGAIN_S

    def _fail_with(self, latest: QueueLine | None) -> None:
        """What waits for an allocation that could not even begin fails with it: the next would do the same."""
        if latest is None or latest.state is not JobState.FAILED or self.spool.served(latest.job_id):
            return
        said = _last_words(self.spool.folder / slurm_script.OUTPUT.replace("%j", latest.job_id))
        for request in self.spool.waiting():
            output = Path(request.folder, slurm_script.OUTPUT.replace("%j", request.job_id))
            output.write_text(f"allocation {latest.job_id} failed: {said}\n", encoding="utf-8")
            self.spool.withdraw(request.name)
            self.spool.finish(
                request.name, SpoolResult(latest.job_id, latest.exit_code or 1, latest.ended_at or time.time())
            )

    def row(self, record: Record, rows: Mapping[str, QueueLine]) -> QueueLine | None:
        """A run in the words that squeue has for jobs, None when nothing is known of it."""
        row = QueueLine(str(record.job_id), "PENDING", submitted_at=record.asked_at, name=record.name)
        match self.spool.where(record.name):
            case SpoolRequest():
                return row._replace(reason=self._why(rows.values()))
            case Taken(request, allocation):
                return _in(request, row, allocation, rows.get(allocation))
            case SpoolResult(allocation, _, ended_at, lost) if lost and not record.cancelled_at:
                reason = f"node {lost} of allocation {allocation} failed"
                return row._replace(word="NODE_FAIL", node=lost, ended_at=ended_at, reason=reason)
            case SpoolResult(allocation, code, ended_at):
                word = "CANCELLED" if record.cancelled_at and code else "FAILED" if code else "COMPLETED"
                reason = f"its step in allocation {allocation} ended with code {code}" if code else ""
                return row._replace(word=word, exit_code=code, ended_at=ended_at, reason=reason)
        return None

    def _why(self, rows: Iterable[QueueLine]) -> str:
        held = self.alive(rows)
        there = f"allocation {held.job_id} is {held.word} {held.reason}".strip() if held else ""
        return f"waiting for its turn; {there or self._refused or 'an allocation is asked for'}"

    def missing(self, records: Iterable[Record], rows: Mapping[str, QueueLine]) -> set[str]:
        """Allocations that squeue has forgotten and on which the end of one of these runs depends."""
        places = (self.spool.where(record.name) for record in records if not _ended(record))
        return {place.allocation for place in places if isinstance(place, Taken) and place.allocation not in rows}

    # -- ending ---------------------------------------------------------------------------------------------------

    def cancel(self, record: Record) -> None:
        """End a run and leave the allocation alone.

        Raises:
            LauncherError: Slurm does not answer.
        """
        if _claim(record):
            self.spool.withdraw(record.name)
            return
        for step, name in self._steps():
            if name == record.name:
                commands.cancel(step)

    def leftovers(self, record: Record, rows: Collection[QueueLine]) -> list[str]:
        """What Slurm still has of a run: its place in the queue of the allocation, or its step."""
        place, alive = self.spool.where(record.name), {row.job_id for row in self._living(rows)}
        waits = isinstance(place, SpoolRequest) or (isinstance(place, Taken) and place.allocation in alive)
        steps = [f"step {step} of Slurm" for step, name in self._steps() if name == record.name]
        return steps or (["a place in the queue of the allocation"] if waits and not _ended(record) else [])

    def release(self, query: Callable[[], list[QueueLine]]) -> tuple[str, ...]:
        """Give the allocation back and wait until Slurm has let go of it, a minute at most; what is left, in words.

        Raises:
            LauncherError: Slurm does not answer.
        """
        for row in self._living(query()):
            commands.cancel(row.job_id)
        until = time.monotonic() + _GONE_S
        while (left := self._living(query())) and time.monotonic() < until:
            time.sleep(0.2)
        return tuple(f"allocation {row.job_id} ({row.word})" for row in left)

    # -- the allocation -------------------------------------------------------------------------------------------

    def alive(self, rows: Iterable[QueueLine]) -> QueueLine | None:
        """The allocation that is there or on its way."""
        return next(iter(self._living(rows)), None)

    def _latest(self, rows: Iterable[QueueLine]) -> QueueLine | None:
        newest = max(self._records, key=lambda record: record.asked_at, default=None)
        return next((row for row in rows if newest and row.job_id == newest.job_id), None)

    def offer(self, resources: Resources) -> str:
        """What it costs at most, in words."""
        wanted = self._wanted
        gpus = wanted.nodes * wanted.runs * resources.gpus_per_node
        cost = f", up to {gpus * wanted.idle / 3600:.1f} GPU-hours each time" if gpus else ""
        return (
            f"a warm allocation of {wanted.nodes} node(s) and {gpus} GPUs is held for {span(wanted.time)} at most and "
            f"given back after {span(wanted.idle)} without a run: idle time is paid for too{cost}"
        )

    def held(self, rows: Iterable[QueueLine]) -> tuple[HeldCapacity, ...]:
        """Allocations that have begun, among these rows."""
        ours, wanted = self._by_job(), run_folder.read(self.spool.folder / _PLAN) or {}
        nodes, gpus = int(wanted.get("nodes", 1)), int(wanted.get("gpus", 0))
        return tuple(
            HeldCapacity(row.job_id, nodes, gpus, row.started_at, row.ended_at if row.state.ended else None)
            for row in rows
            if row.job_id in ours and row.started_at and row.state is not JobState.QUEUED
        )

    def forgotten(self, rows: Iterable[QueueLine]) -> set[str]:
        """Allocations of ours that are in none of these rows."""
        return self._by_job() - {row.job_id for row in rows}

    def _by_job(self) -> set[str]:
        return {record.job_id for record in self._records if record.job_id}

    def _living(self, rows: Iterable[QueueLine]) -> list[QueueLine]:
        ours = self._by_comment()
        found = [row for row in rows if row.comment in ours and not row.state.ended]
        for row in found:
            if ours[row.comment].job_id is None:
                self._records.put(ours[row.comment]._replace(job_id=row.job_id))
        return found

    def _by_comment(self) -> dict[str, Record]:
        return {f"autoresearch:{record.token}": record for record in self._records}

    def _ask(self) -> str:
        """Submit the job that becomes the allocation."""
        wanted = run_folder.read(self.spool.folder / _PLAN) or {}
        token, name = os.urandom(6).hex(), str(wanted["name"])
        place = self.spool.folder.absolute()
        script = place / _SCRIPT
        script.write_text(str(wanted["script"]), encoding="utf-8", errors="surrogateescape")
        record = Record(f"{name}-{token}", str(place), "", name, token, time.time())
        self._records.put(record)
        argv = ["sbatch", "--parsable", f"--comment=autoresearch:{token}", f"--chdir={place}", str(script)]
        job_id = commands.submit(argv, "a warm allocation", {}, place)
        self._records.put(record._replace(job_id=job_id))
        return job_id

    @staticmethod
    def _steps() -> list[tuple[str, str]]:
        return parse_steps(commands.ask(STEPS, "ask").text)


def _in(request: SpoolRequest, row: QueueLine, allocation: str, held: QueueLine | None) -> QueueLine | None:
    """A run that an allocation has taken."""
    if held is None:
        return None
    if not held.state.ended:
        running = Path(request.folder, run_folder.STATE).exists()
        return row._replace(
            word="RUNNING" if running else "PENDING", reason="" if running else f"its step in {allocation} is starting"
        )
    word = _ENDINGS.get(held.word.partition(" ")[0].rstrip("+"), "NODE_FAIL")
    return row._replace(word=word, ended_at=held.ended_at, reason=f"allocation {allocation} ended: {held.word}")


def _claim(record: Record) -> bool:
    """Take a run's right to begin, as a supervisor would, and conclude it; False when it has begun."""
    folder = Path(record.folder)
    nobody = {"run_id": record.run_id, "pid": 0, "started": 0, "boot": "", "node": ""}
    if _ended(record) or not run_folder.create(folder / run_folder.STATE, nobody | {"phase": "cancelled"}):
        return False
    ended = {"ending": "cancelled", "reason": "cancelled before it began", "exit_code": None, "started_at": None}
    run_folder.conclude(folder, nobody | ended | {"ended_at": time.time()})
    return True


def _ended(record: Record) -> bool:
    return Path(record.folder, run_folder.EXIT).exists()


def _has_begun(record: Record) -> bool:
    return any(Path(record.folder, name).exists() for name in (run_folder.STATE, run_folder.EXIT))


def _last_words(output: Path) -> str:
    try:
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
