"""Runs as Ray Jobs on a cluster that exists already, through its REST interface; no Ray is needed on our side.

The job id is a submission id of ours: run id, digest and a random token that is written down before the head is asked,
so that a run is submitted once whatever happens in between. With `code: shared` the head starts our supervisor
(`on_node`), and log, limit and end are those of a local run. With `code: upload` the head gets an archive of the
experiment's commit, coreutils' `timeout` keeps the limit there, and the log is fetched. Before anything is
started there, the files that arrived are compared with the commit by their fingerprint (`git/arrival.py`).
"""

import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from hashlib import sha256
from math import ceil
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from autoresearch.errors import RefusedError
from autoresearch.git.diffs import pack
from autoresearch.launchers.job_files import Record, Records, lay_out, living, never, patience_s, spec_of, unique_name
from autoresearch.launchers.ray import head
from autoresearch.launchers.ray.head import STATES, Head, RayEntry
from autoresearch.launchers.ray.log_copy import LogCopies
from autoresearch.launchers.ray.status import by_files, by_ray, too_much
from autoresearch.ports.launcher import LauncherOptions
from autoresearch.run.job import Job, JobState, JobStatus, Submission
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec


class RayOptions(LauncherOptions):
    """Options of the Ray launcher."""

    launcher: ClassVar[str] = "ray"

    address: str | None = None
    """The head's dashboard, such as `http://head:8265`; left out, the environment variable `RAY_ADDRESS`."""

    code: Literal["shared", "upload"] = "shared"
    """`shared`: the head sees the repository under the same path as we do. `upload`: it does not, so the experiment's
    commit is sent as an archive; then only the log comes back, and the metric must be read from it."""

    max_upload_mb: float = Field(default=100.0, gt=0)
    """Largest archive that is sent; Ray's own cap is 512 MiB."""

    entrypoint_num_cpus: float | None = Field(default=None, ge=0)
    """CPUs that Ray sets aside for the command itself; None: what Ray does by itself."""

    entrypoint_num_gpus: float | None = Field(default=None, ge=0)
    """GPUs for the command itself; leave it out for NeMo-RL, whose workers ask Ray for theirs."""

    entrypoint_resources: Mapping[str, float] = Field(default_factory=dict)
    """Custom resources for the command itself, such as one that only some nodes have."""

    python: str = sys.executable
    """Our Python as the head sees it, for `code: shared`."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Not for secrets: Ray shows them to everybody who can reach the head."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    poll_s: float = Field(default=2.0, ge=0)
    """Fewest seconds between two questions to the head, however often we are asked."""

    @field_validator("address")
    @classmethod
    def _http(cls, address: str | None) -> str | None:
        if address is not None and not address.startswith(("http://", "https://")):
            raise ValueError("must be the dashboard's address and start with http:// or https://")
        return address


_SOON_S = 0.5
_FINISHING_S = 60.0
_FILE_LAG_S = 15.0
_LOG_LAG_S = 300.0
_LETTING_GO_S = 10.0


class RayLauncher:
    """Submits runs to a Ray head. Options are described in `RayOptions`."""

    name = "ray"
    here = False

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = RayOptions.parse(options)
        self._folder = folder.absolute()
        self._records = Records(self._folder / ".ray")
        self._jobs: dict[str, dict[str, Any]] = {}
        self._asked = float("-inf")
        self._unexplained: dict[str, float] = {}
        self._logs = LogCopies()
        self._nodes: list[Mapping[str, float]] | None = None

    @property
    def head(self) -> Head:
        """The cluster's head.

        Raises:
            RefusedError: Nobody says where it is.
        """
        address = self.options.address or os.environ.get("RAY_ADDRESS", "")
        if not address.startswith(("http://", "https://")):
            raise RefusedError(
                "the ray launcher needs the dashboard's address, such as http://head:8265; "
                "set its option address, or RAY_ADDRESS"
            )
        return Head(address)

    # -- submitting -----------------------------------------------------------------------------------------------

    def plan(self, job: Job) -> Submission:
        """The entrypoint with its variables, as the head will get them."""
        grace_s = job.grace_s if self.options.grace_s is None else self.options.grace_s
        spec = spec_of(job, self.options.env, grace_s)
        shared = self.options.code == "shared"
        sent = RayEntry(_supervised(spec, self.options.python), spec.env) if shared else head.entry(spec)
        # Ray kills what has not ended three seconds after a stop, unless it is told otherwise.
        variables = {**sent.variables, "RAY_JOB_STOP_WAIT_TIME_S": str(ceil(grace_s) + 10)}
        payload = {
            "name": unique_name(job.run_id, str(self._folder)),
            "spec": spec._asdict(),
            "entrypoint": sent.command,
            "env_vars": variables,
        }
        return Submission(
            job.run_id, self.name, _text(spec, sent.command, variables, self.options), job.folder, payload
        )

    def submit(self, submission: Submission) -> str:
        """Hand the run to the head, once.

        Raises:
            RefusedError: The head refuses it, or it is too large to be sent.
            LauncherError: The head does not answer; then it may be submitted again.
            StorageError: The disk takes no more; nothing was submitted.
        """
        spec = SupervisorSpec(**submission.payload["spec"])  # type: ignore[arg-type]
        record = self._records.get(submission.run_id) or _record(submission, spec, self.options)
        job_id = str(record.job_id)
        if self._records.get(submission.run_id) and self.head.job(job_id):
            return job_id
        lay_out(spec)
        self._records.put(record)
        self.head.submit(self._request(submission, spec, job_id))
        self._asked = float("-inf")
        return job_id

    def find(self, run_id: str) -> str | None:
        """The job of a run, when the head has it or its files say that it ran.

        Raises:
            LauncherError: The head does not answer.
        """
        record = self._records.get(run_id)
        if record is None or record.job_id is None:
            return None
        ran = any(Path(record.folder, name).exists() for name in (run_folder.STATE, run_folder.EXIT))
        return record.job_id if ran or self.head.job(record.job_id) else None

    def _request(self, submission: Submission, spec: SupervisorSpec, job_id: str) -> dict[str, Any]:
        options = self.options
        variables: Mapping[str, str] = submission.payload["env_vars"]  # type: ignore[assignment]
        environment: dict[str, Any] = {"env_vars": variables}
        if options.code == "upload":
            place, fingerprint = self._send_code(spec, job_id)
            environment = {
                "env_vars": {**variables, **head.check(spec, fingerprint)},
                "working_dir": place,
            }
        reserved = {
            "entrypoint_num_cpus": options.entrypoint_num_cpus,
            "entrypoint_num_gpus": options.entrypoint_num_gpus,
            "entrypoint_resources": dict(options.entrypoint_resources) or None,
        }
        return {
            "submission_id": job_id,
            "entrypoint": submission.payload["entrypoint"],
            "runtime_env": environment,
            "metadata": {"autoresearch_run": spec.run_id},
            **{name: value for name, value in reserved.items() if value is not None},
        }

    def _send_code(self, spec: SupervisorSpec, job_id: str) -> tuple[str, str]:
        """Upload the experiment's commit; returns the address Ray knows it by, and the fingerprint of its files."""
        archive = pack(Path(spec.directory))
        size_mb = len(archive.content) / 1e6
        if size_mb > self.options.max_upload_mb:
            raise RefusedError(
                f"the commit of run {spec.run_id} is {size_mb:.1f} MB packed and max_upload_mb is "
                f"{self.options.max_upload_mb:g}; raise that, or use code: shared"
            )
        # A name of its own for every run: Ray unpacks one name once, and what a run wrote there the next would find.
        name = f"_ray_pkg_{sha256(archive.content + job_id.encode()).hexdigest()[:32]}.zip"
        self.head.upload(name, archive.content)
        return f"gcs://{name}", archive.fingerprint

    # -- following ------------------------------------------------------------------------------------------------

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """How the jobs are doing, with one question for all.

        Raises:
            LauncherError: The head does not answer.
        """
        records = {job_id: self._records.of_job(job_id) for job_id in ids}
        mine = [record for record in records.values() if record]
        if mine:
            self._query(patience_s(mine, self.options.poll_s, _SOON_S), mine)
        return {job_id: self._status(job_id, record) for job_id, record in records.items()}

    def _query(self, patience_s: float, mine: Collection[Record]) -> None:
        if time.monotonic() - self._asked < patience_s:
            return
        self._jobs, self._nodes = self.head.jobs(), None
        self._asked = time.monotonic()
        if self.options.code == "upload":
            for record in mine:
                job = self._jobs.get(str(record.job_id))
                if job:
                    over = STATES.get(job["status"], JobState.UNKNOWN).ended
                    self._logs.fetch(self.head, job, record, over=over)

    def _status(self, job_id: str, record: Record | None) -> JobStatus:
        if record is None:
            return never(job_id)
        job = self._jobs.get(job_id)
        state = STATES.get(job["status"], JobState.UNKNOWN) if job else None
        ended = run_folder.ended(Path(record.folder))
        if ended and (state is None or state.ended or time.time() - ended["ended_at"] > _FINISHING_S):
            return by_files(record, state, ended)
        if job is None or state is None:
            return self._unknown(job_id, record)
        shared = self.options.code == "shared"
        if shared and state in {JobState.SUCCEEDED, JobState.FAILED} and self._lagging(job_id, _FILE_LAG_S):
            return JobStatus(state=JobState.UNKNOWN, reason="its job is over; waiting for its files to appear")
        found = by_ray(record, state, job, files=shared)
        return self._waiting(found) if found.state is JobState.QUEUED else self._with_log(job_id, found)

    def _waiting(self, found: JobStatus) -> JobStatus:
        """A job that asks for more than any node has waits for ever, unless the cluster grows."""
        options = self.options
        wanted = {
            "CPU": options.entrypoint_num_cpus,
            "GPU": options.entrypoint_num_gpus,
            **options.entrypoint_resources,
        }
        asked = {name: need for name, need in wanted.items() if need}
        if self._nodes is None and asked:
            self._nodes = self.head.nodes() or []
        problem = too_much(asked, self._nodes or [])
        return replace(found, reason=f"{problem}; {found.reason}", stuck=True) if problem else found

    def _with_log(self, job_id: str, found: JobStatus) -> JobStatus:
        """The status with what is wrong with the log; without its log a run that is over is not read."""
        trouble = self._logs.trouble.get(job_id, "")
        if not trouble:
            return found
        if not found.state.ended:
            return replace(found, reason="; ".join(filter(None, (found.reason, trouble))))
        if self._lagging(job_id, _LOG_LAG_S):
            return replace(found, state=JobState.UNKNOWN, reason=f"its job is over, and {trouble}")
        return replace(found, state=JobState.VANISHED, reason=f"its job is over ({found.state.value}), and {trouble}")

    def _unknown(self, job_id: str, record: Record) -> JobStatus:
        if self._lagging(job_id, _FILE_LAG_S):
            return JobStatus(
                state=JobState.UNKNOWN, reason="the head does not know the job yet", submitted_at=record.asked_at
            )
        reason = "the head does not know the job, perhaps it was restarted, and the run has left no exit file"
        return JobStatus(state=JobState.VANISHED, reason=reason, submitted_at=record.asked_at)

    def _lagging(self, job_id: str, patience_s: float) -> bool:
        now = time.monotonic()
        return now - self._unexplained.setdefault(job_id, now) < patience_s

    # -- ending ---------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Ask the head to end a job; `states` says when it has.

        Raises:
            LauncherError: The head does not answer.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return
        if not Path(record.folder, run_folder.EXIT).exists():
            self._records.cancelled(record)
        self.head.stop(job_id)
        self._asked = float("-inf")

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """The job while the head has it alive, and every living process of the run on this machine.

        Raises:
            LauncherError: The head does not answer, so nothing is proved.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return ()
        ended = Path(record.folder, run_folder.EXIT)
        until = time.monotonic() + _LETTING_GO_S
        while (held := self._held(job_id)) and ended.exists() and time.monotonic() < until:
            time.sleep(0.2)
        return (*held, *living(Path(record.folder)))

    def _held(self, job_id: str) -> tuple[str, ...]:
        job = self.head.job(job_id)
        alive = job and not STATES.get(job["status"], JobState.UNKNOWN).ended
        return (f"Ray job {job_id} ({job['status']})",) if job and alive else ()


def _record(submission: Submission, spec: SupervisorSpec, options: RayOptions) -> Record:
    name, token = str(submission.payload["name"]), os.urandom(6).hex()
    limit_s = spec.limit_s if options.code == "upload" else None
    job_id = f"{name}-{token}"
    return Record(submission.run_id, spec.folder, spec.log, name, token, time.time(), job_id, limit_s=limit_s)


def _supervised(spec: SupervisorSpec, python: str) -> str:
    return f"exec {quote(python)} -P -m autoresearch.launchers.on_node {quote(f'{spec.folder}/{run_folder.SPEC}')}"


def _text(spec: SupervisorSpec, entrypoint: str, variables: Mapping[str, str], options: RayOptions) -> str:
    limit = "no limit" if spec.limit_s is None else f"limit {spec.limit_s:g} s, then TERM, {spec.grace_s:g} s, KILL"
    command = " ".join(quote(word) for word in spec.argv)
    sent = "sent as an archive" if options.code == "upload" else "seen by the head under the same path"
    lines = [
        f"# {spec.run_id!r}: ray job, {limit}",
        f"# code: {spec.directory!r}, {sent}",
        f"# command: {command!r}",
        *(f"# env: {name}={value!r}" for name, value in variables.items()),
        f"POST /api/jobs/ {entrypoint}",
    ]
    return "\n".join(lines) + "\n"
