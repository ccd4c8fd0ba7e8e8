"""How a run on Slurm is doing, from what its own files say and what the scheduler says.

The run's files come first, because the scheduler is late and forgets; but a run is not over before the scheduler has
let go of its job, and who ended it only the scheduler knows.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from autoresearch.launchers.job_files import Record
from autoresearch.launchers.slurm import refusals
from autoresearch.launchers.slurm.commands import QueueLine
from autoresearch.run.job import ENDINGS, JobState, JobStatus

_FINISHING_S = 60.0
"""A job that is still there so long after its run has ended is reported as ended, and named as left over."""
_FILE_LAG_S = 15.0
"""How late a file may appear on a shared file system."""
_FROM_OUTSIDE = {
    JobState.CANCELLED,
    JobState.PREEMPTED,
    JobState.TIMED_OUT,
    JobState.NODE_FAILED,
    JobState.OUT_OF_MEMORY,
}


class SlurmView(NamedTuple):
    """Everything known of one run at one moment.

    Attributes:
        record: Our own record.
        row: The scheduler's, None when it knows nothing (any more).
        state: The supervisor's last report.
        ended: The run's exit file.
        now: Unix seconds.
        waited_s: For how long the scheduler has known nothing of it, or its end, without an exit file.
        output: The last words of the job script itself.
        reached: Whether its node came as far as the job script: it opened the job's output, or our supervisor spoke.
        begun: Whether it came as far as the run itself: our supervisor spoke, or the run's log has words.
        node_state: How a node is that did not, or how it was then; empty where Slurm does not say, or was not asked.
        suspended_at: When it was first seen suspended, Unix seconds; None when it is not.
    """

    record: Record
    row: QueueLine | None
    state: Mapping[str, Any]
    ended: Mapping[str, Any] | None
    now: float
    waited_s: float
    output: str = ""
    reached: bool = True
    begun: bool = True
    node_state: str = ""
    suspended_at: float | None = None


def status(seen: SlurmView) -> JobStatus:
    """How the run is doing."""
    row = seen.row
    if row and not row.state.ended:
        return _ended(seen, seen.ended) if seen.ended and _overdue(seen, row, seen.ended) else _alive(seen, row)
    if seen.ended:
        return _ended(seen, seen.ended)
    if seen.waited_s < _FILE_LAG_S and _files_may_come(seen):
        return _base(seen, JobState.UNKNOWN, "its job is over; waiting for its files to appear")
    if row is None:
        return _base(seen, JobState.VANISHED, "Slurm does not know the job and the run has left no exit file")
    return _by_slurm_alone(seen, row)


_BY_SIGNAL = frozenset({128 + number for number in (1, 2, 9, 10, 12, 15)})


def unexplained(ended: Mapping[str, Any] | None) -> bool:
    """Whether a run's own exit file says that somebody ended it, and cannot say who."""
    return ended is not None and (
        ended["ending"] == "preempted"
        or (ended["ending"] == "exited" and (ended["exit_code"] in _BY_SIGNAL or (ended["exit_code"] or 0) < 0))
    )


def _files_may_come(seen: SlurmView) -> bool:
    """Whether the run may have written how it ended, where we cannot see it yet; what it said itself, we can see."""
    if seen.row is None or seen.row.state is JobState.SUCCEEDED:
        return True
    return seen.row.state is JobState.FAILED and not seen.output


def _overdue(seen: SlurmView, row: QueueLine, ended: Mapping[str, Any]) -> bool:
    """Whether a job stays on although its run has long ended; one that was requeued has a newer start, or none."""
    this_attempt = row.state is JobState.RUNNING and (row.started_at or 0.0) <= ended["ended_at"]
    return this_attempt and seen.now - ended["ended_at"] > _FINISHING_S


def _alive(seen: SlurmView, row: QueueLine) -> JobStatus:
    if row.state is JobState.QUEUED and refusals.launch_failed(row.reason):
        # Slurm holds it for good: another node can have it, and this run never began.
        return _base(seen, JobState.FAILED, _words(seen, row.state))
    again = f"requeued {row.restarts} times" if row.restarts else ""
    waiting = row.reason if row.state is JobState.QUEUED else ""
    strange = f"Slurm says {row.word}" if row.state is JobState.UNKNOWN else ""
    told = _base(seen, row.state, "; ".join(filter(None, (again, waiting, strange))))
    return replace(told, stuck=row.state is JobState.QUEUED and refusals.stuck(row.reason))


def _ended(seen: SlurmView, ended: Mapping[str, Any]) -> JobStatus:
    code = ended["exit_code"]
    state = ENDINGS.get(ended["ending"], JobState.SUCCEEDED if code == 0 else JobState.FAILED)
    reason = ended["reason"]
    by_slurm = _ended_from_outside(seen, state)
    if by_slurm:
        state, reason = by_slurm, f"{_words(seen, by_slurm)}; {reason}"
    return JobStatus(
        state=state,
        exit_code=code,
        reason=reason,
        node=_node(seen, ended["node"]),
        submitted_at=_submitted(seen),
        started_at=ended["started_at"],
        ended_at=ended["ended_at"],
        cpu_s=ended.get("cpu_s"),
        peak_memory_gb=ended.get("peak_memory_gb"),
        peak_gpu_memory_gb=ended.get("peak_gpu_memory_gb"),
        uncontained=ended.get("uncontained"),
        tampered=ended.get("tampered", ""),
    )


def _ended_from_outside(seen: SlurmView, state: JobState) -> JobState | None:
    """Who ended a run that was told to end: its supervisor sees only a signal, and its command may die of it first."""
    if state not in {JobState.PREEMPTED, JobState.FAILED, JobState.OUT_OF_MEMORY}:
        return None
    if seen.row and seen.row.state in _FROM_OUTSIDE:
        return seen.row.state
    cancelled = seen.record.cancelled_at
    if cancelled is not None and seen.ended and seen.ended["ended_at"] >= cancelled:
        return JobState.CANCELLED
    return None


def _by_slurm_alone(seen: SlurmView, row: QueueLine) -> JobStatus:
    if row.state is JobState.SUCCEEDED:
        # Every run has a supervisor, and that writes how it ended: a success without its evidence is none.
        told = f"{_words(seen, row.state)}, but the run has left no exit file"
        return _base(seen, JobState.FAILED, told, ended_at=row.ended_at)
    if never_begun(row, seen.record, reached=seen.reached) and not _HEALTHY.match(seen.node_state):
        # Slurm cancels what a Prolog has kept from beginning, and calls it so too; but it sets that node aside.
        told = f"{_words(seen, row.state)}, and its node never came to the job script: the launch failed"
        told += f": {seen.node_state}" if seen.node_state else ""
        return _base(seen, JobState.FAILED, told, ended_at=row.ended_at)
    said = f"; its script said: {seen.output}" if seen.output and row.state is JobState.FAILED else ""
    if row.state is JobState.FAILED and not seen.begun:
        said += "; its command was never reached: the launch failed"
    # Slurm's code for what was ended from outside is that of its own step, or none.
    code = row.exit_code if row.state is JobState.FAILED else None
    return _base(seen, row.state, _words(seen, row.state) + said, code, row.ended_at)


_HEALTHY = re.compile(r"(?:idle|mixed|allocated|completing|reserved|planned)[*+~#$@^-]*(?:\s|$)")


def never_begun(row: QueueLine, record: Record, *, reached: bool) -> bool:
    """Whether a job was cancelled, not by us, before its node came to the job script: its node tells why.

    One that was cancelled while its Prolog went on had no Prolog that failed.
    """
    early = row.state is JobState.CANCELLED and bool(row.node) and not reached
    return early and record.cancelled_at is None and row.reason != "Prolog"


def _words(seen: SlurmView, state: JobState) -> str:
    if seen.row is None:
        return f"{state}, at our request"
    reason = f" ({seen.row.reason})" if seen.row.reason else ""
    return f"Slurm says {seen.row.word}{reason}"


def _base(
    seen: SlurmView, state: JobState, reason: str, exit_code: int | None = None, ended_at: float | None = None
) -> JobStatus:
    report, row = seen.state, seen.row
    started = report.get("started_at") or (row.started_at if row and state is not JobState.QUEUED else None)
    return JobStatus(
        state=state,
        exit_code=exit_code,
        reason=reason,
        node=_node(seen, report.get("node", "")),
        submitted_at=_submitted(seen),
        started_at=started,
        ended_at=ended_at,
        cpu_s=report.get("cpu_s"),
        peak_memory_gb=report.get("peak_memory_gb") or (row.peak_memory_gb if row else None),
        peak_gpu_memory_gb=report.get("peak_gpu_memory_gb"),
        paused_since=seen.suspended_at or report.get("paused_since"),
    )


def _node(seen: SlurmView, otherwise: str) -> str:
    return (seen.row.node if seen.row else "") or otherwise


def _submitted(seen: SlurmView) -> float:
    return (seen.row.submitted_at if seen.row else None) or seen.record.asked_at
