"""How a Ray job is doing, from its own files where we see them and from what the head says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoresearch.git import arrival
from autoresearch.launchers.job_files import Record
from autoresearch.run.job import ENDINGS, JobState, JobStatus
from autoresearch.supervision import run_folder

_TIMED_OUT = (124, 137, -9)
"""Exit codes of timeout(1) when it had to send TERM, and when it had to send KILL: it then dies of that itself."""

_STOPPED = "stopped through Ray by somebody else"
_NOT_BEGUN = re.compile(
    r"runtime_env|could not be scheduled|failed to schedule|failed to start|timed out", re.IGNORECASE
)


def by_files(record: Record, state: JobState | None, ended: Mapping[str, Any]) -> JobStatus:
    """The end that the run's supervisor wrote."""
    code, reason = ended["exit_code"], ended["reason"]
    own = ENDINGS.get(ended["ending"], JobState.SUCCEEDED if code == 0 else JobState.FAILED)
    asked = record.cancelled_at is not None and ended["ended_at"] >= record.cancelled_at
    if own in {JobState.PREEMPTED, JobState.FAILED} and (asked or state is JobState.CANCELLED):
        own, reason = JobState.CANCELLED, reason if asked else f"{_STOPPED}; {reason}"
    return JobStatus(
        state=own,
        exit_code=code,
        reason=reason,
        node=ended["node"],
        submitted_at=record.asked_at,
        started_at=ended["started_at"],
        ended_at=ended["ended_at"],
        cpu_s=ended["cpu_s"],
        peak_memory_gb=ended["peak_memory_gb"],
        peak_gpu_memory_gb=ended["peak_gpu_memory_gb"],
    )


def by_ray(record: Record, state: JobState, job: Mapping[str, Any], *, files: bool) -> JobStatus:
    """What the head says of a run that has written no end.

    Args:
        record: Our own record.
        state: The head's word in ours.
        job: What the head says.
        files: Whether the run's supervisor writes its end where we look.
    """
    report = run_folder.read(Path(record.folder, run_folder.STATE)) or {}
    started, ended = _seconds(job.get("start_time")), _seconds(job.get("end_time"))
    found = JobStatus(
        state=state,
        exit_code=job.get("driver_exit_code") if state.ended else None,
        reason=" ".join(str(job.get("message") or "").split())[:1000],
        node=str(report.get("node") or (job.get("driver_info") or {}).get("node_ip_address") or ""),
        submitted_at=record.asked_at,
        started_at=None if state is JobState.QUEUED else report.get("started_at") or started,
        ended_at=ended if state.ended else None,
        cpu_s=report.get("cpu_s"),
        peak_memory_gb=report.get("peak_memory_gb"),
    )
    ran_s = (ended or 0.0) - (started or 0.0)
    return _ended(found, record, ran_s, files=files) if state.ended else found


def _ended(found: JobStatus, record: Record, ran_s: float, *, files: bool) -> JobStatus:
    complaint = _complaint(Path(record.log)) if found.exit_code == arrival.NOT_THE_COMMIT else ""
    if complaint:
        return replace(found, state=JobState.NODE_FAILED, reason=complaint)
    if record.limit_s is not None and found.exit_code in _TIMED_OUT and ran_s >= record.limit_s:
        told = f"timed out: still running after {record.limit_s:g} s"
        return replace(found, state=JobState.TIMED_OUT, reason=told)
    if found.state is JobState.CANCELLED:
        told = "cancelled at our request" if record.cancelled_at is not None else _STOPPED
        return replace(found, reason=f"{told}; {found.reason}".rstrip("; "))
    if files:
        told = (
            "its job ended well but the run has"
            if found.state is JobState.SUCCEEDED
            else f"{found.reason}; the run has"
        )
        return replace(found, state=JobState.FAILED, reason=f"{told} left no exit file where we look".lstrip("; "))
    if found.state is JobState.FAILED and found.exit_code is None:
        if _NOT_BEGUN.search(found.reason):
            return replace(found, reason=f"launch failed: {found.reason}")
        return replace(found, state=JobState.NODE_FAILED)
    return found


def too_much(wanted: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str:
    """What a command asks for that no node of the cluster has, in words; empty when one has it all."""
    if not nodes or any(all(node.get(name, 0.0) >= need for name, need in wanted.items()) for node in nodes):
        return ""
    most = {name: max(node.get(name, 0.0) for node in nodes) for name in wanted}
    told = ", ".join(f"{need:g} {name} (the largest node has {most[name]:g})" for name, need in wanted.items())
    return f"asks for more than any node of the Ray cluster has: {told}"


def _complaint(log: Path) -> str:
    """What the check of the files said, empty when it did not say anything."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(arrival.SAID)), "")


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None
