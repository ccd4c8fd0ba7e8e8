"""What a cluster launcher remembers of its runs: one small file each, in the campaign's folder.

A record is written before the scheduler is asked (without a job id) and again afterwards (with it). A record without
one therefore says: look before you submit again.
"""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from autoresearch.errors import StorageError
from autoresearch.experiment import names
from autoresearch.machine import processes
from autoresearch.run.job import Job, JobState, JobStatus
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class Record(NamedTuple):
    """One run.

    Attributes:
        run_id: The run.
        folder: Its folder, absolute.
        log: Its log file, absolute.
        name: Its name at the scheduler.
        token: Random word that tells this submission from any other of the same name.
        asked_at: Unix seconds when the scheduler was first asked.
        job_id: The scheduler's id, None until it has answered.
        cancelled_at: Unix seconds when we told the scheduler to end it, None if we did not.
        limit_s: Wall-clock limit that we have to keep ourselves, None where somebody else does.
    """

    run_id: str
    folder: str
    log: str
    name: str
    token: str
    asked_at: float
    job_id: str | None = None
    cancelled_at: float | None = None
    limit_s: float | None = None


class Records:
    """The records below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_job: dict[str, str] = {}

    def get(self, run_id: str) -> Record | None:
        """The record of a run."""
        return _record(run_folder.read(self._place(run_id)))

    def put(self, record: Record) -> None:
        """Write a record, durably.

        Raises:
            StorageError: The disk does not take it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            run_folder.write(self._place(record.run_id), record._asdict(), sync=True)
            if record.job_id:
                self._by_job[record.job_id] = record.run_id
        except OSError as error:
            raise StorageError(f"run {record.run_id} was not started: {error}; fix that and submit it again") from error

    def of_job(self, job_id: str) -> Record | None:
        """The record of a job; ids come twice where they wrap or a site has lost its state, then of the newest."""
        if job_id not in self._by_job:
            known = sorted(self, key=lambda record: record.asked_at)
            self._by_job = {record.job_id: record.run_id for record in known if record.job_id}
        return self.get(self._by_job[job_id]) if job_id in self._by_job else None

    def cancelled(self, record: Record) -> None:
        """Remember that we ended it, from the first time on."""
        if record.cancelled_at is None:
            self.put(record._replace(cancelled_at=time.time()))

    def __iter__(self) -> Iterator[Record]:
        """All records."""
        for place in self._folder.glob("*.json"):
            record = _record(run_folder.read(place))
            if record:
                yield record

    def _place(self, run_id: str) -> Path:
        return self._folder / f"{quote(run_id, safe='')}.json"


def _record(document: dict[str, Any] | None) -> Record | None:
    return Record(**document) if document else None


def unique_name(run_id: str, campaign_folder: str) -> str:
    """A run's name at a scheduler: the run id, and a digest, since two repositories may hold campaigns of one name.

    Equal names do harm: NeMo-RL's ray.sub, for one, runs jobs of one name one after the other.
    """
    digest = sha256(f"{campaign_folder}\0{run_id}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{run_id if _PLAIN.fullmatch(run_id) else names.slug(run_id)}-{digest}"


def spec_of(job: Job, env: Mapping[str, str], grace_s: float, scratch: str = "") -> SupervisorSpec:
    """What a supervisor on a node has to carry out; the scheduler has chosen the node's GPUs already.

    Args:
        job: The run.
        env: Variables of the launcher's options; the job's own win.
        grace_s: Seconds between TERM and KILL.
        scratch: Folder to make for the run on the node, empty for none.
    """
    return SupervisorSpec(
        run_id=job.run_id,
        argv=job.argv,
        directory=job.directory,
        folder=job.folder,
        log=job.log,
        env={"PYTHONUNBUFFERED": "1", **env, **job.env, processes.RUN_NAME: job.run_id},
        limit_s=job.limit_s,
        grace_s=grace_s,
        memory_gb=job.resources.memory_gb,
        max_log_bytes=job.max_log_bytes,
        gpus=0,
        gpu_pool=(),
        max_gpu_memory_used_gb=0.0,
        scratch=scratch,
        sandbox=None if job.sandbox is None else asdict(job.sandbox),
    )


def lay_out(spec: SupervisorSpec, texts: Mapping[str, str] = MappingProxyType({})) -> None:
    """Make the run's folder, with what its supervisor has to carry out and further files by their names.

    Raises:
        StorageError: The disk does not take it.
    """
    folder = Path(spec.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        run_folder.write(folder / run_folder.SPEC, spec._asdict(), sync=True)
    except OSError as error:
        raise StorageError(f"run {spec.run_id} was not submitted: {error}; fix that and submit it again") from error


def patience_s(records: Collection[Record], poll_s: float, soon_s: float) -> float:
    """Seconds an answer of the scheduler may be old: `poll_s`, at most `soon_s` once a run's files say it is over."""
    done = any(Path(record.folder, run_folder.EXIT).exists() for record in records)
    return min(soon_s, poll_s) if done else poll_s


def never(job_id: str) -> JobStatus:
    """The state of a job that has no record."""
    return JobStatus(state=JobState.VANISHED, reason=f"no job {job_id} was ever submitted from here")


def living(folder: Path) -> tuple[str, ...]:
    """Living processes of a run on this machine, its supervisor included."""
    state = run_folder.read(folder / run_folder.STATE) or {}
    here = state.get("boot") == processes.boot()
    known = [(pid, started) for pid, started in state.get("tree", [])] if here else []
    table = processes.everyone()
    found = processes.belonging(str(folder), known, table)
    watcher = table.get(state["pid"]) if here else None
    if watcher and watcher.started == state["started"] and not watcher.dead:
        found.append(watcher)
    return tuple(f"process {process.pid} ({process.name})" for process in found)
