"""Why a run in the cluster waits, and whether what it waits for can come by itself. Pure.

Kubernetes tells it in many places: the object is suspended, the scheduler writes a condition on the pod, a container
has a reason to wait, and who could not make a pod or mount a volume writes events.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from autoresearch.launchers.kubernetes.disruption import containers
from autoresearch.launchers.kubernetes.quantity import over_its_limit

Object = Mapping[str, Any]

PULLING = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
}
"""Why a container waits that will not start by itself: its image or its secrets cannot be had."""

_NEVER_PULLED = {"InvalidImageName", "ErrImageNeverPull"}
_UNTAKEN_S = 120.0
"""For how long a RayJob may be without any status before the operator is asked after."""

_HOPELESS = re.compile(
    r"violates PodSecurity|unable to validate against any (?:pod security policy|security context constraint)"
    r"|(?:maximum|minimum) \S+ usage per |must specify [\w.,/-]+|denied the request|is invalid: "
    r"|serviceaccount \S+ not found|no PriorityClass with name|error looking up service account"
    r"|persistentvolumeclaim \S+ not found|storageclass\S* \S+ not found|queue\S* \S+ (?:not found|doesn't exist)"
)
"""Sentences about what stays so until a person changes it: rules that the pod breaks, and things that are not there."""

_NOT_PULLED = re.compile(
    r"not found|manifest unknown|does not exist|pull access denied|[Uu]nauthorized|denied|no basic auth|403 Forbidden"
    r"|invalid reference format"
)
_MISSING = re.compile(
    r"(?:secret|configmap|references non-existent secret key|couldn\'t find key)\b.*(?:not found|in)\b"
)
_WRONG_NODE = re.compile(r"didn't match")

KUEUE = "kueue.x-k8s.io/queue-name"


class Waiting(NamedTuple):
    """Why a run waits, in the cluster's words, and whether that cannot pass by itself."""

    reason: str = ""
    stuck: bool = False


def waiting(
    found: Object | None,
    pods: Sequence[Object],
    clusters: Sequence[Object] = (),
    events: Sequence[Object] = (),
    asked_s: float = 0.0,
) -> Waiting:
    """Why a run that is queued does not begin.

    Args:
        found: Its Job or RayJob.
        pods: Its pods.
        clusters: Its Ray clusters.
        events: Complaints about any of these, oldest first.
        asked_s: For how long the object has been there.
    """
    said = (
        _held(found),
        _invalid(found),
        _pull(pods, events),
        _event(events, "FailedMount", "FailedAttachVolume"),
        _unscheduled(pods, events),
        _event(events, "FailedCreate", "FailedToCreateHeadPod", "FailedToCreateWorkerPod", "FailedToCreateRayCluster"),
        _cluster(clusters),
        _untaken(found, asked_s),
    )
    return next((one for one in said if one.reason), Waiting())


def stuck(pods: Sequence[Object]) -> str:
    """Why a pod cannot get its image or its secrets, empty when none is stuck."""
    return _pull(pods, ()).reason


def _held(found: Object | None) -> Waiting:
    """Suspended: by a queueing system, which will take it up, or by a person, who must."""
    spec, metadata = (found or {}).get("spec") or {}, (found or {}).get("metadata") or {}
    word = _words(*_condition(found, "Suspended"))
    if not spec.get("suspend"):
        return Waiting()
    queue = (metadata.get("labels") or {}).get(KUEUE)
    if queue:
        told = _words(*_condition(found, "QuotaReserved"))
        return Waiting(f"held by Kueue in its queue {queue}" + (f": {told or word}" if told or word else ""))
    kind, name = str((found or {}).get("kind", "job")).lower(), metadata.get("name", "")
    release = f'kubectl patch {kind} {name} --type merge -p \'{{"spec":{{"suspend":false}}}}\''
    return Waiting(f"suspended (spec.suspend); it begins when somebody resumes it: {release}", stuck=True)


def _invalid(found: Object | None) -> Waiting:
    said = (found or {}).get("status") or {}
    if said.get("jobDeploymentStatus") != "ValidationFailed":
        return Waiting()
    return Waiting(f"KubeRay refuses the RayJob: {_words(said.get('reason'), said.get('message'))}", stuck=True)


def _pull(pods: Sequence[Object], events: Sequence[Object]) -> Waiting:
    for one in _waits(pods):
        reason = one.get("reason")
        if reason not in PULLING:
            continue
        told = _words(reason, one.get("message"))
        why = next((event for event in reversed(events) if event.get("reason") == "Failed"), None)
        if why and "ErrImage" not in str(why.get("message")) and "ImagePullBackOff" not in str(why.get("message")):
            told = f"{told}; {_flat(why.get('message'))}"
        never = reason in _NEVER_PULLED or bool(_NOT_PULLED.search(told)) or bool(_MISSING.search(told))
        return Waiting(told, stuck=never)
    return Waiting()


def _waits(pods: Sequence[Object]) -> Iterator[Object]:
    return (one["state"]["waiting"] for one in containers(pods) if (one.get("state") or {}).get("waiting"))


def _unscheduled(pods: Sequence[Object], events: Sequence[Object]) -> Waiting:
    for pod in pods:
        for one in (pod.get("status") or {}).get("conditions") or []:
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                return _judged(_words(one.get("reason"), one.get("message")))
    if any((pod.get("spec") or {}).get("nodeName") for pod in pods):
        return Waiting()
    return _event(events, "FailedScheduling")


def _event(events: Sequence[Object], *reasons: str) -> Waiting:
    """The newest of these complaints."""
    for event in reversed(events):
        if event.get("reason") in reasons:
            return _judged(_words(event.get("reason"), event.get("message")))
    return Waiting()


def _judged(told: str) -> Waiting:
    never = _HOPELESS.search(told) or _MISSING.search(told) or ("exceeded quota" in told and over_its_limit(told))
    return Waiting(told, stuck=bool(never) or _no_node(told))


def _no_node(told: str) -> bool:
    """Whether the scheduler says of every node that it is the wrong one; one that is only full may become free."""
    found = re.search(r"\d+/\d+ nodes are available: (.*?)(?:\. preemption:.*|\.?)$", told)
    return found is not None and all(_WRONG_NODE.search(part) for part in re.split(r", (?=\d)", found[1]))


def _cluster(clusters: Sequence[Object]) -> Waiting:
    """What a Ray cluster says of the pods that it could not make, and of a head that is not ready."""
    for one in clusters:
        reason, message = _condition(one, "ReplicaFailure")
        if reason or message:
            return _judged(f"RayCluster {one['metadata']['name']}: {_words(reason, message)}")
        if problem := (one.get("status") or {}).get("reason"):
            return _judged(f"RayCluster {one['metadata']['name']}: {_flat(problem)}")
    return Waiting()


def _untaken(found: Object | None, asked_s: float) -> Waiting:
    """A RayJob that nobody has taken up: its definition may be there without the operator."""
    if not found or found.get("kind") != "RayJob" or asked_s <= _UNTAKEN_S:
        return Waiting()
    if (found.get("status") or {}).get("jobDeploymentStatus") or (found.get("spec") or {}).get("managedBy"):
        return Waiting()
    told = f"KubeRay has not taken the RayJob up for {asked_s:.0f} s; is its operator running, and for this namespace?"
    return Waiting(told, stuck=True)


def _condition(found: Object | None, kind: str) -> tuple[str, str]:
    for one in ((found or {}).get("status") or {}).get("conditions") or []:
        if one.get("type") == kind and (one.get("status") == "True" or kind == "QuotaReserved"):
            return str(one.get("reason") or ""), str(one.get("message") or "")
    return "", ""


def _words(reason: object, message: object) -> str:
    return f"{reason or ''}: {_flat(message)}".strip(": ")


def _flat(text: object) -> str:
    return " ".join(str(text or "").split())[:500]
