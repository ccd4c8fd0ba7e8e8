"""Runs as jobs of Slurm, through its own programs: sbatch, squeue, sacct, scancel.

The job id is Slurm's. What is submitted is a script in the run's folder; on the node it starts our supervisor
(`on_node`), so that a run's log, limit and end are those of a local run. Code and folders are found by their paths: the
repository lies on a file system that the nodes share with us.

With the option `allocation` the campaign holds one job, and runs are steps of it (`warm_allocation`).

A run is submitted once: before sbatch is asked, a record with a random token is written, and the token travels with the
job as its comment. Who finds a record without a job id, after a crash, looks for that token before submitting.
"""

import os
import shutil
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoresearch.errors import LauncherError, RefusedError
from autoresearch.launchers.job_files import Record, Records, lay_out, living, never, spec_of, unique_name
from autoresearch.launchers.slurm import commands, limits
from autoresearch.launchers.slurm import script as slurm_script
from autoresearch.launchers.slurm.accounts import Accounts, is_ours, may_be_ours
from autoresearch.launchers.slurm.commands import QueueLine
from autoresearch.launchers.slurm.options import SlurmOptions, in_image, place, requeues
from autoresearch.launchers.slurm.status import SlurmView, never_begun, status
from autoresearch.launchers.slurm.warm_allocation import SlurmWarmAllocation
from autoresearch.ports.launcher import HeldCapacity
from autoresearch.run.job import Job, JobStatus, Resources, Submission
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

_SOON_S = 1.0
"""Fewest seconds between two questions when a run's files say that something has changed."""
_LETTING_GO_S = 5.0


class SlurmLauncher:
    """Submits runs to Slurm. Options are described in `SlurmOptions`."""

    name = "slurm"
    here = False
    avoids_nodes = True
    in_image, requeues, place = staticmethod(in_image), staticmethod(requeues), staticmethod(place)
    routing = frozenset({"account", "partition", "qos", "constraint", "nodelist", "exclude", "poll_s"})

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = SlurmOptions.parse(options)
        self._folder = folder.absolute()
        self._records = Records(self._folder / ".slurm")
        self._rows: list[QueueLine] = []
        self._asked = float("-inf")
        self._accounts = Accounts()
        self._unexplained: dict[str, float] = {}
        self._suspended: dict[str, float] = {}
        self._looked_up: dict[str, QueueLine | None] = {}
        self._warm = SlurmWarmAllocation(self._folder / ".slurm", self.options) if self.options.allocation else None

    # -- submitting -----------------------------------------------------------------------------------------------

    def plan(self, job: Job) -> Submission:
        """The script for sbatch, or for style `ray.sub` the command that submits NeMo-RL's own."""
        options = self.options.beside_git(Path(job.directory))
        grace_s = job.grace_s if options.grace_s is None else options.grace_s
        name = unique_name(job.run_id, str(self._folder))
        flags = slurm_script.directives(job, options, name, grace_s)
        spec = _spec(job, options, grace_s)
        payload: dict[str, Any] = {"name": name, "flags": flags, "spec": spec._asdict(), "avoid": list(job.avoid_nodes)}
        if self._warm:
            text, more = self._warm.plan(job, spec, options, name)
            return Submission(job.run_id, self.name, text, job.folder, payload | more)
        if options.style == "ray.sub":
            text = slurm_script.ray_sub(spec, flags, options, job.resources.gpus_per_node)
            variables = slurm_script.ray_sub_variables(spec, options, job.resources.gpus_per_node)
            return Submission(job.run_id, self.name, text, job.folder, payload | {"variables": variables})
        spec = slurm_script.container_lines(spec, options, name)
        text = slurm_script.batch(spec, flags, options)
        return Submission(job.run_id, self.name, text, job.folder, payload | {"spec": spec._asdict()})

    def unconfined(self, resources: Resources) -> str:
        """Why runs get no sandbox: their commands begin in a container, or on several nodes, where we are not."""
        if self.options.style == "ray.sub" or self.options.container is not None:
            return "they begin in a container of Slurm's, which has bounds of its own"
        return "they begin on several nodes" if resources.nodes > 1 else ""

    def submit(self, submission: Submission) -> str:
        """Hand the run to Slurm, once.

        Raises:
            RefusedError: Slurm will never take it as it stands.
            NotNowError: Slurm takes nothing more at the moment.
            LauncherError: Slurm does not answer; then it may be submitted again.
            StorageError: The disk takes no more; nothing was submitted.
        """
        known = self.find(submission.run_id)
        if known:
            return known
        spec = SupervisorSpec(**submission.payload["spec"])  # type: ignore[arg-type]
        name = str(submission.payload["name"])
        record = Record(submission.run_id, submission.folder, spec.log, name, os.urandom(6).hex(), time.time())
        if self._warm:
            return self._hand_over(self._warm, submission, spec, self._records.get(submission.run_id) or record)
        lay_out(spec, {slurm_script.SCRIPT: submission.text, slurm_script.COMMAND: slurm_script.command(spec)})
        self._records.put(record)
        variables: Mapping[str, str] = submission.payload.get("variables", {})  # type: ignore[assignment]
        argv = self._sbatch(submission, record)
        what, place = f"run {submission.run_id}", Path(spec.directory)
        try:
            job_id = commands.submit(argv, what, variables, place, self._waiting)
        except RefusedError:
            if not submission.payload.get("avoid"):
                raise
            # Perhaps for want of other nodes: rather there than nowhere.
            argv.insert(-1, f"--exclude={self.options.exclude or ''}")
            job_id = commands.submit(argv, what, variables, place, self._waiting)
        self._adopt(record, job_id)
        return job_id

    def _waiting(self) -> int:
        """How many jobs of this user are in Slurm's queue; 0 where it does not say."""
        with suppress(LauncherError):
            self._query(0.0)
        return commands.alive(self._rows)

    def _hand_over(
        self, held: SlurmWarmAllocation, submission: Submission, spec: SupervisorSpec, record: Record
    ) -> str:
        self._query(self.options.poll_s)
        job_id = held.begin(record, submission.payload["allocation"], self._rows)  # type: ignore[arg-type]
        self._asked = float("-inf")
        lay_out(spec, {slurm_script.SCRIPT: submission.text, **submission.payload["files"]})  # type: ignore[dict-item]
        record = record._replace(job_id=job_id)
        self._records.put(record)
        held.hand_over(record, submission.payload["need"])  # type: ignore[arg-type]
        return job_id

    def find(self, run_id: str) -> str | None:
        """The job of a run: from our record, else by its token from the scheduler, else from the accounts.

        Raises:
            LauncherError: The record has no job id and the scheduler does not answer.
        """
        record = self._records.get(run_id)
        if record is None or (self._warm and not self._warm.knows(record)):
            return None
        if record.job_id:
            return record.job_id
        self._query(0.0)
        found = commands.best(row for row in self._rows if is_ours(row, record)) or self._from_accounts(record)
        if found:
            self._adopt(record, found.job_id)
        return found.job_id if found else None

    def _sbatch(self, submission: Submission, record: Record) -> list[str]:
        comment = f"--comment=autoresearch:{record.token}"
        if self.options.style == "ray.sub":
            flags = [str(flag) for flag in submission.payload["flags"]]  # type: ignore[attr-defined]
            flags = slurm_script.submitted_elsewhere(flags, submission.folder)
            return ["sbatch", "--parsable", comment, *flags, self.options.ray_sub]
        script = f"{submission.folder}/{slurm_script.SCRIPT}"
        return ["sbatch", "--parsable", comment, f"--chdir={submission.folder}", script]

    def _adopt(self, record: Record, job_id: str) -> None:
        self._records.put(record._replace(job_id=job_id))
        self._asked = float("-inf")

    def _from_accounts(self, record: Record) -> QueueLine | None:
        since = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.asked_at - 60))
        rows = self._accounts.ask(name=record.name, since=since).values()
        return commands.best(
            row
            for row in rows
            if is_ours(row, record) or (not row.comment and (row.submitted_at or 0) >= record.asked_at - 60)
        )

    # -- following ------------------------------------------------------------------------------------------------

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """How the jobs are doing: one squeue for all of them, and one sacct if some have left the queue unexplained.

        Raises:
            LauncherError: Slurm does not answer.
        """
        records = {job_id: self._records.of_job(job_id) for job_id in ids}
        mine = [record for record in records.values() if record]
        if mine or self._warm:
            self._query(min(_SOON_S, self.options.poll_s) if any(_ends(mine).values()) else self.options.poll_s)
        # Only now: what a requeued run wrote at its first end must not be taken for the end that Slurm tells of.
        ends = _ends(mine)
        found = (
            self._warm_rows(self._warm, mine) if self._warm else self._accounts.explain(self._found(mine), mine, ends)
        )
        return {
            job_id: self._status(job_id, record, found[job_id], ends[record.run_id]) if record else never(job_id)
            for job_id, record in records.items()
        }

    def _found(self, records: Collection[Record]) -> dict[str, QueueLine | None]:
        rows = {row.job_id: row for row in self._rows}
        named = commands.by_name(self._rows)
        return {str(record.job_id): self._row(record, rows, named) for record in records}

    @staticmethod
    def _row(
        record: Record, rows: Mapping[str, QueueLine], named: Mapping[str, Collection[QueueLine]]
    ) -> QueueLine | None:
        """What squeue says of a run; a second job for it, if there ever is one, counts while it is alive."""
        own = rows.get(str(record.job_id))
        own = own if own and may_be_ours(own, record) else None
        others = [row for row in named.get(record.name, ()) if is_ours(row, record)]
        return commands.best([*([own] if own else []), *others])

    def _warm_rows(self, held: SlurmWarmAllocation, records: Collection[Record]) -> dict[str, QueueLine | None]:
        held.tend(self._rows)
        rows = {row.job_id: row for row in self._rows}
        if missing := held.missing(records, rows):
            rows |= self._accounts.ask(missing)
        return {str(record.job_id): held.row(record, rows) for record in records}

    def _status(self, job_id: str, record: Record, row: QueueLine | None, ended: Mapping[str, Any] | None) -> JobStatus:
        now = time.monotonic()
        over = ended is None and (row is None or row.state.ended)
        since = self._unexplained.setdefault(record.token, now) if over else now
        report = run_folder.read(Path(record.folder, run_folder.STATE)) or {}
        written = Path(record.folder, slurm_script.OUTPUT.replace("%j", job_id))
        reached = self._warm is not None or bool(report) or written.exists()
        output = _last_words(written) if over else ""
        begun = not over or bool(report) or _has_words(Path(record.log))
        early = row is not None and never_begun(row, record, reached=reached)
        node = self._state_of_node(row) if row and early else ""
        suspended = row is not None and row.word == "SUSPENDED"
        at = self._suspended.setdefault(record.token, time.time()) if suspended else None
        if not suspended:
            self._suspended.pop(record.token, None)
        return status(SlurmView(record, row, report, ended, time.time(), now - since, output, reached, begun, node, at))

    def _state_of_node(self, row: QueueLine) -> str:
        """How the node of a job that never began is, or was then where the accounts tell that it was set aside."""
        before = ""
        with suppress(LauncherError):
            before = self._accounts.set_aside(row)
        return before or commands.state_of(row.node)

    def _query(self, patience_s: float) -> None:
        now = time.monotonic()
        if now - self._asked >= patience_s:
            self._rows = commands.parse_squeue(commands.ask(commands.SQUEUE, "ask").text)
            self._asked = now

    # -- ending ---------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Tell Slurm to end a job, pending or running; `states` says when it has.

        Raises:
            LauncherError: Slurm does not answer.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return
        ended = run_folder.ended(Path(record.folder))
        if ended is None:
            self._records.cancelled(record)
        if self._warm:
            self._warm.cancel(record)
        else:
            commands.cancel(job_id)
        self._asked = float("-inf")

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """The job while Slurm has it, and every living process of the run on this machine.

        A job that is just being let go of is waited for, five seconds at most.

        Raises:
            LauncherError: Slurm does not answer, so nothing is proved.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return ()
        until = time.monotonic() + _LETTING_GO_S
        while (held := self._left(job_id, record)) and time.monotonic() < until and _going(held, record):
            time.sleep(0.1)
        return (*held, *living(Path(record.folder)))

    def _left(self, job_id: str, record: Record) -> list[str]:
        self._query(0.0)
        if self._warm:
            return self._warm.leftovers(record, self._rows)
        rows = [row for row in self._rows if (row.job_id == job_id or is_ours(row, record)) and not row.state.ended]
        return [f"job {row.job_id} ({row.word}) on {row.node or 'no node yet'}" for row in rows]

    # -- what is known beforehand ---------------------------------------------------------------------------------

    def refusal(self, resources: Resources) -> str:
        """Nothing can be submitted without Slurm's commands, and nothing above the site's limits would ever begin."""
        missing = "" if shutil.which("sbatch") else "Slurm's sbatch is not on the PATH here"
        wide = self._warm.too_wide(resources) if self._warm else ""
        return missing or wide or limits.too_large(self.options, resources, self.options.allocation)

    def too_long(self, limit_s: float, grace_s: float, resources: Resources) -> str:
        """A run above its partition's or QOS's limit, or its allocation's, would be refused, or wait for ever."""
        grace_s = grace_s if self.options.grace_s is None else self.options.grace_s
        told = self._warm.too_long(limit_s, grace_s) if self._warm else ""
        return told or limits.too_long(self.options, limit_s, grace_s, self.options.allocation, resources)

    def warnings(self, resources: Resources, root: Path) -> tuple[str, ...]:
        """What is missing or unlike the site, as far as it is seen from here."""
        return limits.cautions(self.options, resources, root)

    # -- what is held between runs --------------------------------------------------------------------------------

    def offer(self, resources: Resources) -> str:
        """What the warm allocation costs at most, empty without one."""
        return self._warm.offer(resources) if self._warm else ""

    def held(self) -> tuple[HeldCapacity, ...]:
        """Warm allocations, as of the latest question; each that squeue has forgotten is looked up once.

        Raises:
            LauncherError: Slurm does not answer.
        """
        if self._warm is None:
            return ()
        forgotten = self._warm.forgotten(self._rows) - self._looked_up.keys()
        if forgotten:
            self._looked_up |= {**dict.fromkeys(forgotten), **self._accounts.ask(forgotten)}
        return self._warm.held((*self._rows, *filter(None, self._looked_up.values())))

    def release(self) -> tuple[str, ...]:
        """Give the warm allocation back; what is left of it after a minute, in words.

        Raises:
            LauncherError: Slurm does not answer.
        """
        return self._warm.release(self._fresh_rows) if self._warm else ()

    def _fresh_rows(self) -> list[QueueLine]:
        self._query(0.0)
        return self._rows


def _going(left: Collection[str], record: Record) -> bool:
    """Whether what is left is just being let go of by Slurm."""
    if Path(record.folder, run_folder.EXIT).exists() and all(word.startswith("step") for word in left):
        return True
    return all("(COMPLETING)" in word for word in left)


def _ends(records: Collection[Record]) -> dict[str, dict[str, Any] | None]:
    return {record.run_id: run_folder.ended(Path(record.folder)) for record in records}


def _spec(job: Job, options: SlurmOptions, grace_s: float) -> SupervisorSpec:
    # ray.sub has a cluster of its own to join, and so must nobody else.
    own_ray = options.style == "batch" and not {"RAY_TMPDIR"} & {*job.env, *options.env}
    if not own_ray:
        return spec_of(job, options.env, grace_s)
    return spec_of(job, {"RAY_TMPDIR": (scratch := _scratch(job)), **options.env}, grace_s, scratch)


def _scratch(job: Job) -> str:
    """Two runs on one node must not join each other's Ray clusters."""
    return f"/tmp/ar-{sha256(job.folder.encode()).hexdigest()[:12]}"  # noqa: S108


def _has_words(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except OSError:
        return False


def _last_words(output: Path) -> str:
    try:
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
