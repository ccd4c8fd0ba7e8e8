"""What Slurm's own programs say, parsed: squeue for jobs it remembers, sacct for those it has handed to accounting.

Text rather than `--json`, whose layout changes from release to release. Formats: squeue(1) `--Format`, sacct(1) `-P`.

One way to call Slurm's own programs: their times in Unix seconds, their failures as ours.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm import refusals
from autoresearch.machine.processes import CommandError, Completed, run
from autoresearch.run.job import JobState

_WIDTHS = {
    "JobID": 24, "State": 24, "exit_code": 16, "RestartCnt": 8, "NodeList": 512, "SubmitTime": 24, "StartTime": 24,
    "EndTime": 24, "Reason": 96, "Comment": 64, "Name": 128,
}  # fmt: skip
SQUEUE = ("squeue", "-h", "-t", "all", "--me", "-O", ",".join(f"{name}:{width}|" for name, width in _WIDTHS.items()))
"""Every job of ours that the scheduler remembers: one question, however many there are."""

STEPS = ("squeue", "-h", "-s", "--me", "-O", "StepID:40|,StepName:128|")
"""Every step of ours that is being run."""

_ACCOUNTS = ("JobIDRaw", "State", "ExitCode", "NodeList", "Submit", "Start", "End", "MaxRSS", "Comment", "JobName")
TIME_FORMAT = {"SLURM_TIME_FORMAT": "%s"}
"""Makes both programs print Unix seconds."""

_STATES = {
    "PENDING": JobState.QUEUED,
    "CONFIGURING": JobState.QUEUED,
    "REQUEUED": JobState.QUEUED,
    "REQUEUE_FED": JobState.QUEUED,
    "REQUEUE_HOLD": JobState.QUEUED,
    "RESV_DEL_HOLD": JobState.QUEUED,
    "SPECIAL_EXIT": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "COMPLETING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "COMPLETED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "RECONFIG_FAIL": JobState.FAILED,
    "TIMEOUT": JobState.TIMED_OUT,
    "DEADLINE": JobState.PREEMPTED,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "NODE_FAIL": JobState.NODE_FAILED,
    "BOOT_FAIL": JobState.NODE_FAILED,
    "PREEMPTED": JobState.PREEMPTED,
    "CANCELLED": JobState.CANCELLED,
    "REVOKED": JobState.CANCELLED,
}
"""Slurm's words (job state codes of squeue(1) and sacct(1)) in ours."""


class QueueLine(NamedTuple):
    """What Slurm says of one job. Times are Unix seconds, None where there is none yet."""

    job_id: str
    word: str
    exit_code: int | None = None
    restarts: int = 0
    node: str = ""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    comment: str = ""
    name: str = ""
    peak_memory_gb: float | None = None

    @property
    def state(self) -> JobState:
        """The job's state in our words."""
        return job_state(self.word)


def job_state(word: str) -> JobState:
    """Slurm's word in ours. Slurm decorates some: `CANCELLED by 1000`, `CANCELLED+`."""
    return _STATES.get(word.partition(" ")[0].rstrip("+"), JobState.UNKNOWN)


def parse_squeue(text: str) -> list[QueueLine]:
    """Rows of `SQUEUE`; lines that are none are left out."""
    return [row for line in text.splitlines() if (row := _squeue_row(line))]


def parse_steps(text: str) -> list[tuple[str, str]]:
    """Id and name of each step in the answer to `STEPS`; lines that are none are left out."""
    return [(line[:40].strip(), line[41:169].strip()) for line in text.splitlines() if line[40:41] == "|"]


def _squeue_row(line: str) -> QueueLine | None:
    cells, rest = [], line
    for width in _WIDTHS.values():
        # By width first: a comment of somebody else's may hold a bar.
        cell, rest = rest[:width], rest[width + 1 :]
        cells.append(cell.strip())
    if len(line) <= sum(_WIDTHS.values()) or not cells[0]:
        return None
    job_id, word, code, restarts, node, submitted, started, ended, reason, comment, name = cells
    return QueueLine(
        job_id, word, _exit_status(code), _number(restarts) or 0, _known(node), _time(submitted), _time(started),
        _time(ended), "" if reason == "None" else reason, _known(comment), name,
    )  # fmt: skip


def sacct(ids: Collection[str] = (), name: str = "", since: str = "") -> tuple[str, ...]:
    """The question to the accounts: about jobs by id, or by name since a time."""
    by = ("-j", ",".join(sorted(ids))) if ids else ("--name", name, "-S", since)
    return ("sacct", "-n", "-P", "-D", "-o", ",".join(_ACCOUNTS), *by)


def parse_sacct(text: str, ours: Callable[[QueueLine], bool] = lambda _: True) -> dict[str, QueueLine]:
    """The latest row of each job by its id, with the most memory any of its steps had.

    Ids come twice where they wrap or a site has lost its state: only rows that are `ours` count.
    """
    rows: dict[str, QueueLine] = {}
    peak: dict[str, float] = {}
    for line in text.splitlines():
        cells = line.split("|", len(_ACCOUNTS) - 1)
        if len(cells) != len(_ACCOUNTS):
            continue
        job_id, _, step = cells[0].partition(".")
        peak[job_id] = max(peak.get(job_id, 0.0), _gigabytes(cells[7]))
        if job_id.isdigit() and not step and ours(row := _sacct_row(cells)):
            rows[job_id] = row
    return {job_id: row._replace(peak_memory_gb=peak[job_id] or None) for job_id, row in rows.items()}


def _sacct_row(cells: list[str]) -> QueueLine:
    job_id, word, code, node, submitted, started, ended, _, comment, name = cells
    own, _, signal = code.partition(":")
    status = _number(own)
    if not status and _number(signal):
        status = 128 + (_number(signal) or 0)
    node = "" if node == "None assigned" else node
    return QueueLine(
        job_id, word, status, 0, node, _time(submitted), _time(started), _time(ended), "", comment, name
    )  # fmt: skip


def disabled(said: bytes) -> bool:
    """Whether sacct says that this site keeps no accounts."""
    return b"accounting storage is disabled" in said.lower()


def best(rows: Iterable[QueueLine]) -> QueueLine | None:
    """Of several jobs for one run the one that counts: one that is alive, else the latest."""
    return max(rows, key=lambda row: (not row.state.ended, _order(row.job_id)), default=None)


def alive(rows: Iterable[QueueLine]) -> int:
    """How many of these jobs have not ended."""
    return sum(not row.state.ended for row in rows)


def state_of(node: str) -> str:
    """A node's state and why it has it, in Slurm's words such as `drained Prolog error`; empty where none is told."""
    try:
        return next(iter(ask(["sinfo", "-h", "-N", "-n", node, "-o", "%T %E"], "ask").text.splitlines()), "")
    except LauncherError:
        return ""


_AROUND_S = 5.0


def set_aside(node: str, since: float, until: float) -> str:
    """How a node was set aside about that time, by the accounts, such as `DRAIN Prolog error`; empty where it was not.

    Raises:
        LauncherError: Nobody answers.
    """
    begin = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since - _AROUND_S))
    argv = ["sacctmgr", "-n", "-P", "list", "event", f"nodes={node}", f"start={begin}", "format=Start,State,Reason"]
    for start, _, told in (line.partition("|") for line in ask(argv, "ask").text.splitlines()):
        if since - _AROUND_S <= (_time(start) or 0.0) <= until + _AROUND_S:
            return told.replace("|", " ")
    return ""


def by_name(rows: Iterable[QueueLine]) -> Mapping[str, list[QueueLine]]:
    """Rows grouped by job name."""
    groups: dict[str, list[QueueLine]] = {}
    for row in rows:
        groups.setdefault(row.name, []).append(row)
    return groups


def _order(job_id: str) -> int:
    return int(job_id) if job_id.isdigit() else 0


def _exit_status(text: str) -> int | None:
    """The wait status that squeue prints (wait(2)) as a shell would report it."""
    status = _number(text)
    if status is None:
        return None
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _time(text: str) -> float | None:
    number = _number(text)
    return None if number is None else float(number)


def _known(text: str) -> str:
    return "" if text in {"(null)", "N/A"} else text


def _gigabytes(text: str) -> float:
    factor = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}.get(text[-1:], 1)
    digits = text.rstrip("KMGT")
    return float(digits) * factor / 1e9 if digits.replace(".", "", 1).isdecimal() and digits.isascii() else 0.0


_ANSWER_S = 60.0


def ask(
    argv: Collection[str],
    doing: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """What one of Slurm's programs answers.

    Args:
        argv: Program and arguments.
        doing: What for, as a verb for the error.
        env: The whole environment, None for ours.
        cwd: Directory to call it in.
        check: Whether a non-zero exit code is an error.

    Raises:
        LauncherError: It failed or did not answer within a minute.
    """
    environment = {**(os.environ if env is None else env), **TIME_FORMAT}
    try:
        return run(list(argv), env=environment, cwd=cwd, check=check, timeout=_ANSWER_S)
    except CommandError as error:
        raise LauncherError(f"Slurm could not be reached to {doing}: {error}") from error


def submit(
    argv: Collection[str],
    what: str,
    variables: Mapping[str, str],
    cwd: Path | None = None,
    waiting: Callable[[], int] = lambda: 0,
) -> str:
    """The job id that sbatch answers; `waiting` says how many jobs of this user are in the queue, where it refuses.

    Raises:
        RefusedError: It will never take it as it stands.
        NotNowError: It takes nothing more at the moment.
        LauncherError: It does not answer, or answers something else.
    """
    said = ask(argv, "submit", env=_environment(variables), cwd=cwd, check=False)
    if said.code:
        raise refusals.unsubmitted((said.stderr or said.stdout).decode("utf-8", "replace"), what, waiting())
    job_id = said.text.split(";")[0].strip()
    if not job_id.isdigit():
        raise LauncherError(f"sbatch answered {said.text!r} to {what}, which holds no job id")
    return job_id


def cancel(job_id: str) -> None:
    """Tell Slurm to end a job or a step; one that is over already is fine.

    Raises:
        LauncherError: Slurm does not answer.
    """
    said = ask(["scancel", "--quiet", job_id], "cancel", check=False)
    if said.code and b"nvalid job id" not in said.stderr and b"already" not in said.stderr:
        raise LauncherError(f"scancel could not end job {job_id}: {said.stderr.decode('utf-8', 'replace').strip()}")


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would override the script: we may ourselves run inside a job."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("SBATCH_", "SLURM_"))}
    kept = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    return {**theirs, **kept, **variables}
