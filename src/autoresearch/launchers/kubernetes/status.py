"""How a run in the cluster is doing, from its own files, its object and its pods.

As everywhere the run's files come first, because objects expire; but a run is not over before its object is, and who
ended a pod only the pod says.

What the cluster still holds of a run that is over, and for how long it may.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from autoresearch.launchers.job_files import Record
from autoresearch.launchers.kubernetes.api import JOB, RAY_CLUSTER, RAY_JOB, Cluster, Kind
from autoresearch.launchers.kubernetes.disruption import Disruption, ends, newest, seconds, taken
from autoresearch.launchers.kubernetes.manifest import LIMIT, RUN, Manifest, is_signed
from autoresearch.launchers.kubernetes.quantity import amount
from autoresearch.launchers.kubernetes.script import ENDED_BEFORE
from autoresearch.launchers.kubernetes.waiting import Waiting, waiting
from autoresearch.run.job import ENDINGS, JobState, JobStatus

Object = Mapping[str, Any]

RAY_JOB_STATES = {
    "": JobState.QUEUED,
    "Initializing": JobState.QUEUED,
    "Waiting": JobState.QUEUED,
    "Suspending": JobState.QUEUED,
    "Suspended": JobState.QUEUED,
    "Retrying": JobState.QUEUED,
    "Running": JobState.RUNNING,
    "Complete": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "ValidationFailed": JobState.QUEUED,
}
"""`jobDeploymentStatus` of KubeRay in our words; a word that is not here is UNKNOWN."""

_FINISHING_S = 90.0
_FILE_LAG_S = 15.0
_SKEW_S = 30.0
"""How far the clock of a node may be behind ours."""


class ClusterView(NamedTuple):
    """Everything known of one run at one moment.

    Attributes:
        record: Our own record.
        object: Its Job or RayJob, None when the cluster has none (any more).
        pods: Its pods, as far as they were asked for.
        state: What the script wrote when the command began.
        ended: What it wrote when the command was over.
        now: Unix seconds.
        waited_s: For how long its end, or its absence, has been without an explanation.
        stuck_s: For how long its image or secrets could not be had.
        patience_s: How long that may last.
        unseen_s: Seconds since the object was last seen alive; endless when this process never saw it so.
        ttl_s: How long the cluster keeps an object that has ended.
        clusters: Its Ray clusters, as far as they were asked for.
        events: What the cluster has complained of about any of these, oldest first.
    """

    record: Record
    object: Object | None
    pods: Sequence[Object]
    state: Object
    ended: Object | None
    now: float
    waited_s: float = 0.0
    stuck_s: float = 0.0
    patience_s: float = float("inf")
    unseen_s: float = float("inf")
    ttl_s: float = 0.0
    clusters: Sequence[Object] = ()
    events: Sequence[Object] = ()


def status(seen: ClusterView) -> JobStatus:
    """How the run is doing."""
    state = None if seen.object is None else object_state(seen.object)
    over = state is None or state.ended
    if seen.ended and (over or _overdue(seen, seen.ended)):
        return _by_files(seen, seen.ended, state)
    if state is None:
        return _gone(seen)
    if over:
        return _by_cluster(seen, state)
    return _alive(seen, state)


def object_state(found: Object) -> JobState:
    """What a Job or RayJob says of itself."""
    said = found.get("status") or {}
    if found.get("kind") == "RayJob":
        state = RAY_JOB_STATES.get(said.get("jobDeploymentStatus") or "", JobState.UNKNOWN)
        word = said.get("jobStatus") if state is JobState.SUCCEEDED else ""
        return {"STOPPED": JobState.CANCELLED, "FAILED": JobState.FAILED}.get(word or "", state)
    for one in said.get("conditions") or []:
        if one.get("status") == "True" and one.get("type") in {"Complete", "Failed"}:
            return JobState.SUCCEEDED if one["type"] == "Complete" else JobState.FAILED
    return JobState.RUNNING if said.get("ready") else JobState.QUEUED


def _alive(seen: ClusterView, state: JobState) -> JobStatus:
    why = Waiting()
    if state is JobState.QUEUED:
        if seen.state and seen.ended is None and _pod_runs(seen.pods):
            return _base(seen, JobState.RUNNING, "")
        asked_s = seen.now - (seconds(_metadata(seen.object).get("creationTimestamp")) or seen.record.asked_at)
        why = waiting(seen.object, seen.pods, seen.clusters, seen.events, asked_s)
    if seen.stuck_s >= seen.patience_s:
        return _base(seen, JobState.FAILED, f"launch failed: its pod cannot start: {why.reason}")
    again = "waits to go on after it was ended from outside" if seen.ended else ""
    going = "is being deleted by somebody else" if _deleted(seen) else ""
    told = why.reason or (_word(seen.object) if state is JobState.QUEUED else "")
    made = _base(seen, state, "; ".join(filter(None, (going, again, told))))
    return replace(made, stuck=why.stuck and not seen.ended)


def _deleted(seen: ClusterView) -> bool:
    return "deletionTimestamp" in _metadata(seen.object) and seen.record.cancelled_at is None


def _overdue(seen: ClusterView, ended: Object) -> bool:
    """Whether an object stays on although its run has long ended; one that may go on again is followed."""
    return bool(ended["ending"] != "preempted" and seen.now - ended["ended_at"] > _FINISHING_S)


def _by_files(seen: ClusterView, ended: Object, state: JobState | None) -> JobStatus:
    code = ended["exit_code"]
    own = ENDINGS.get(ended["ending"], JobState.SUCCEEDED if code == 0 else JobState.FAILED)
    reason = str(ended["reason"])
    events = seen.events if own is JobState.PREEMPTED else ()
    outside, word = _outside(seen._replace(events=events), ended["ended_at"])
    cancelled = seen.record.cancelled_at
    asked = cancelled is not None and ended["ended_at"] >= cancelled - _SKEW_S
    if own in {JobState.PREEMPTED, JobState.FAILED, JobState.OUT_OF_MEMORY}:
        if asked:
            own, reason = JobState.CANCELLED, f"cancelled at our request; {reason}"
        elif outside:
            own, reason = outside, f"{word}; {reason}"
        elif state is JobState.CANCELLED:
            own, reason = JobState.CANCELLED, f"stopped through Ray by somebody else; {reason}"
        elif own is JobState.PREEMPTED and (seen.object is None or _deleted(seen)) and cancelled is None:
            own, reason = JobState.CANCELLED, f"{_DELETED}; {reason}"
    found = _base(seen, own, reason, code, ended["ended_at"])
    return replace(found, node=ended["node"], started_at=ended["started_at"])


_DELETED = "its object in the cluster was deleted by somebody else"
_NO_FILE = "the run has left no exit file"


def _gone(seen: ClusterView) -> JobStatus:
    if seen.record.cancelled_at is not None:
        return _base(seen, JobState.CANCELLED, "cancelled at our request", ended_at=seen.now)
    if seen.waited_s < _FILE_LAG_S:
        return _base(seen, JobState.UNKNOWN, "the cluster does not know it; waiting for its files to appear")
    outside, word = _outside(seen, seen.now)
    if outside:
        return _base(seen, outside, f"{word}; {_NO_FILE}", ended_at=seen.now)
    if seen.unseen_s - seen.waited_s < seen.ttl_s:
        return _base(seen, JobState.CANCELLED, _DELETED, ended_at=seen.now)
    return _base(seen, JobState.VANISHED, f"its object was deleted or has expired, and {_NO_FILE}")


def _by_cluster(seen: ClusterView, state: JobState) -> JobStatus:
    """An end without a file of the run's own: never a success, and never the idea's."""
    at = _ended_at(seen) or seen.now
    outside, word = _outside(seen, at)
    if state is JobState.SUCCEEDED or (seen.state and not outside):
        if seen.waited_s < _FILE_LAG_S:
            return _base(seen, JobState.UNKNOWN, "its job is over; waiting for its files to appear")
        if state is JobState.SUCCEEDED:
            return _base(seen, JobState.FAILED, "its job ended well but left no exit file where we look; check `paths`")
    if seen.record.cancelled_at is not None:
        return _base(seen, JobState.CANCELLED, "cancelled at our request", ended_at=_ended_at(seen))
    told = [word or _terminated(newest(seen.object, seen.pods)), _word(seen.object)]
    if outside is None and state is JobState.CANCELLED:
        told.insert(0, "stopped through Ray by somebody else")
    elif outside is None:
        told = [*(["launch failed"] if _NEVER_BEGUN.match(told[1]) else ()), *told, _NO_FILE]
    return _base(
        seen,
        outside or state,
        "; ".join(filter(None, told)),
        _exit_code(newest(seen.object, seen.pods)),
        _ended_at(seen),
    )


_NEVER_BEGUN = re.compile(
    r"SubmissionFailed|PreRunningDeadlineExceeded|JobDeploymentStatusTransition|JobStatusCheckTimeout"
)
"""Why KubeRay gave a RayJob up before, or without, its command having ended."""


def _outside(seen: ClusterView, at: float) -> Disruption:
    """Who ended the run's latest pods from outside."""
    latest = newest(seen.object, seen.pods)
    names = {_metadata(pod).get("name") for pod in latest}
    events = [one for one in seen.events if not names or (one.get("involvedObject") or {}).get("name") in names]
    found = taken(latest, events)
    if found.state is None and any(one.get("exitCode") == ENDED_BEFORE for one in ends(latest)):
        found = taken(seen.pods, seen.events)
        told = found.word or "its first pod went without a word, and the next one found the run begun and not ended"
        return Disruption(found.state or JobState.NODE_FAILED, told)
    word = _word(seen.object)
    if found.state is None and "DisruptionTarget" in word:
        return Disruption(JobState.PREEMPTED, word)
    if found.state is None and word.startswith("DeadlineExceeded"):
        found = Disruption(JobState.TIMED_OUT, word)
    return _deadline(seen, found, at) if found.state is JobState.TIMED_OUT else found


def _deadline(seen: ClusterView, found: Disruption, at: float) -> Disruption:
    """A deadline in the cluster before the run's own limit is the site's, and the run is not to blame."""
    begun = seen.state.get("started_at") or seconds(((seen.object or {}).get("status") or {}).get("startTime"))
    limit = amount(str((_metadata(seen.object).get("annotations") or {}).get(LIMIT) or ""))
    if begun is None or (limit is not None and at - begun >= float(limit) - _SKEW_S):
        return found
    of = f"of the run's {limit} s" if limit else "and the run has no limit"
    return Disruption(
        JobState.PREEMPTED, f"a deadline of the site ended it after {at - begun:.0f} s {of}: {found.word}"
    )


def _terminated(pods: Sequence[Object]) -> str:
    bad = [one for one in ends(pods) if one.get("exitCode")]
    if any(one["exitCode"] == ENDED_BEFORE for one in bad):
        return "another pod had ended the run before"
    return f"its container exited with code {bad[-1]['exitCode']} ({bad[-1].get('reason', '')})" if bad else ""


def _exit_code(pods: Sequence[Object]) -> int | None:
    return next((int(one["exitCode"]) for one in reversed(ends(pods)) if one.get("exitCode")), None)


def _pod_runs(pods: Sequence[Object]) -> bool:
    return any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)


def _word(found: Object | None) -> str:
    """What an object says of its state: why a Job failed or is suspended, what KubeRay is doing."""
    said = (found or {}).get("status") or {}
    if found and found.get("kind") == "RayJob":
        parts = (said.get("reason") or said.get("jobDeploymentStatus"), said.get("message"))
        return ": ".join(" ".join(str(part).split())[:500] for part in parts if part)
    for one in said.get("conditions") or []:
        if one.get("status") == "True" and one.get("type") in {"Failed", "Suspended"}:
            parts = (one.get("reason") or one["type"], one.get("message"))
            return ": ".join(" ".join(str(part).split())[:500] for part in parts if part)
    return ""


def _ended_at(seen: ClusterView) -> float | None:
    said = (seen.object or {}).get("status") or {}
    word = said.get("completionTime") or said.get("endTime")
    times = [one.get("finishedAt") for one in ends(seen.pods)]
    return seconds(word or next(filter(None, times), None))


def _metadata(found: Object | None) -> Object:
    metadata: Object = (found or {}).get("metadata") or {}
    return metadata


def _base(
    seen: ClusterView, state: JobState, reason: str, exit_code: int | None = None, ended_at: float | None = None
) -> JobStatus:
    created = seconds(_metadata(seen.object).get("creationTimestamp"))
    begun = seen.state.get("started_at") if state is not JobState.QUEUED else None
    nodes = [str((pod.get("spec") or {}).get("nodeName") or "") for pod in seen.pods]
    return JobStatus(
        state=state,
        exit_code=exit_code,
        reason=reason,
        node=str(seen.state.get("node") or next(filter(None, nodes), "")),
        submitted_at=created or seen.record.asked_at,
        started_at=begun,
        ended_at=ended_at,
    )


_LIVING = {"Pending", "Running", "Unknown"}
_LETTING_GO_S = 10.0
_POLL_S = 3.0


class Teardown:
    """Looks at what is left of runs.

    Args:
        cluster: Whom to ask.
        patience_s: How long the rest of a run that is over may take to go.
    """

    def __init__(self, cluster: Cluster, patience_s: float) -> None:
        self._cluster = cluster
        self._patience_s = patience_s
        self._since: dict[str, float] = {}
        self._over: set[str] = set()

    def pending(self, kind: Kind, record: Record) -> str:
        """What of an ended run is on its way out; empty once nothing is, or it stays, or patience is at its end.

        It is asked with every poll, where other runs are followed meanwhile, so that nobody has to wait for it.
        """
        if record.name in self._over:
            return ""
        waited = time.monotonic() - self._since.setdefault(record.name, time.monotonic())
        held = self.held(kind, record) if waited < self._patience_s and self._going(kind, record) else ()
        if not held:
            self._over.add(record.name)
        return held[0] if held else ""

    def left(self, kind: Kind, record: Record) -> tuple[str, ...]:
        """What is left of a run; what a deletion has just begun with gets some seconds to go."""
        until = time.monotonic() + min(_LETTING_GO_S, self._patience_s)
        pause = 0.1
        while (held := self.held(kind, record)) and self._going(kind, record) and time.monotonic() < until:
            time.sleep(pause)
            pause = min(pause * 1.5, _POLL_S)
        return held

    def held(self, kind: Kind, record: Record) -> tuple[str, ...]:
        """Live object, Ray clusters, jobs and pods of a run."""
        found = self._cluster.get(kind, record.name)
        alive: list[Manifest] = []
        if found and is_signed(found, record.name, record.token) and not object_state(found).ended:
            alive = [found]
        label = f"{RUN}={record.name}"
        if kind == RAY_JOB:
            alive += self._cluster.listed(RAY_CLUSTER, label)
            alive += [one for one in self._cluster.listed(JOB, label) if not object_state(one).ended]
        pods = [pod for pod in self._cluster.pods(label) if pod.get("status", {}).get("phase") in _LIVING]
        named = [f"{one.get('kind', 'Pod')} {one['metadata']['name']}" for one in alive]
        return (*named, *(f"Pod {pod['metadata']['name']} ({pod['status']['phase']})" for pod in pods))

    def _going(self, kind: Kind, record: Record) -> bool:
        """Whether the run is over, so that what is left of it is on its way out."""
        found = self._cluster.get(kind, record.name)
        return found is None or object_state(found).ended or "deletionTimestamp" in found["metadata"]
