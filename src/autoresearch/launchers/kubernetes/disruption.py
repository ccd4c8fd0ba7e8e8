"""Who took a pod away, in our words and in the cluster's; as pods, and events about them, tell it. Pure.

A pod that a node or a scheduler has ended is collected soon, often between two looks. So the launcher keeps each pod
that tells something, and an event outlives its pod by an hour.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from autoresearch.launchers.kubernetes.manifest import CLUSTER_OF_POD
from autoresearch.run.job import JobState

Object = Mapping[str, Any]

_NODE = {"DeletionByPodGC", "DeletionByTaintManager"}
_NODE_WORDS = {"NodeLost", "NodeShutdown", "Shutdown", "Terminated", "NodeAffinity", "UnexpectedAdmissionError"}
_REFUSED_BY_NODE = re.compile(r"OutOf\S+|TopologyAffinityError|SMTAlignmentError|InvalidNodeInfo")
_RULES = {"Evicted", "Preempting"}
_EVENTS = {
    "TaintManagerEviction": JobState.NODE_FAILED,
    "NodeNotReady": JobState.NODE_FAILED,
    "Evicted": JobState.PREEMPTED,
    "Preempted": JobState.PREEMPTED,
    "Preempting": JobState.PREEMPTED,
}
"""Events about a pod that tell who took it away."""


class Disruption(NamedTuple):
    """Who ended a pod from outside, and in which words; no state when nobody did."""

    state: JobState | None = None
    word: str = ""


def taken(pods: Sequence[Object], events: Sequence[Object] = ()) -> Disruption:
    """Who ended one of these pods from outside; events are asked where the pods themselves say nothing."""
    for pod in pods:
        if (found := _told(pod)).state:
            return found
    for event in reversed(events):
        about = event.get("involvedObject") or {}
        state = _EVENTS.get(event.get("reason", "")) if about.get("kind") == "Pod" else None
        if state:
            return Disruption(state, _words(event.get("reason"), event.get("message")))
    return Disruption()


def _told(pod: Object) -> Disruption:
    said = pod.get("status") or {}
    reason, word = str(said.get("reason") or ""), _words(said.get("reason"), said.get("message"))
    if reason == "DeadlineExceeded":
        return Disruption(JobState.TIMED_OUT, word)
    if reason in _NODE_WORDS or _REFUSED_BY_NODE.fullmatch(reason):
        return Disruption(JobState.NODE_FAILED, word)
    for one in said.get("conditions") or []:
        if one.get("type") == "DisruptionTarget" and one.get("status") == "True":
            lost = one.get("reason") in _NODE
            told = word or _words(one.get("reason"), one.get("message"))
            return Disruption(JobState.NODE_FAILED if lost else JobState.PREEMPTED, told)
    if reason in _RULES:
        return Disruption(JobState.PREEMPTED, word)
    if any(one.get("reason") == "OOMKilled" for one in ends([pod])):
        return Disruption(JobState.OUT_OF_MEMORY, "OOMKilled: the container used more memory than its limit")
    return Disruption()


def newest(found: Object | None, pods: Sequence[Object]) -> Sequence[Object]:
    """The pods of a run's latest attempt: what ended an earlier one explains nothing about this one."""
    if found and found.get("kind") == "RayJob":
        cluster = (found.get("status") or {}).get("rayClusterName")
        theirs = [(pod, _labels(pod).get(CLUSTER_OF_POD)) for pod in pods]
        return [pod for pod, named in theirs if not cluster or named in {None, cluster}]
    return sorted(pods, key=_made)[-1:]


def _made(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")


def _labels(pod: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = (pod.get("metadata") or {}).get("labels") or {}
    return labels


def containers(pods: Sequence[Object]) -> Iterator[Object]:
    """The state of every container."""
    for pod in pods:
        said = pod.get("status") or {}
        yield from said.get("initContainerStatuses") or []
        yield from said.get("containerStatuses") or []


def ends(pods: Sequence[Object]) -> list[Object]:
    """How containers ended that have."""
    found = [(one.get("state") or {}).get("terminated") for one in containers(pods)]
    return [one for one in found if one]


def seconds(word: str | None) -> float | None:
    """A time of Kubernetes (RFC 3339) in Unix seconds, None when it is none."""
    try:
        return datetime.fromisoformat(word).timestamp() if word else None
    except (TypeError, ValueError):
        return None


def _words(reason: object, message: object) -> str:
    return f"{reason or ''}: {' '.join(str(message or '').split())}".strip(": ")[:500]
