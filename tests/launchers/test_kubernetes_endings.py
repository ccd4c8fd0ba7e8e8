"""Who ended a run in the cluster, and why one waits: read from objects as API servers and KubeRay write them."""

import json

import pytest

from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.kubernetes.api import _ask
from autoresearch.launchers.kubernetes.manifest import avoid, gangs_break
from autoresearch.launchers.kubernetes.quantity import over_its_limit
from autoresearch.launchers.kubernetes.status import ClusterView, status
from autoresearch.launchers.kubernetes.waiting import waiting
from autoresearch.run.ending import Account, Who, judge
from autoresearch.run.job import JobState

RECORD = Record("run", "/nowhere", "/nowhere/run.log", "ar-run", "token", 100.0, "ar-run")
BEGUN = {"node": "node-1", "started_at": 110.0}
TOLD_TO_STOP = {
    "ending": "preempted", "reason": "ended from outside: the pod was asked to stop", "exit_code": None,
    "node": "node-1", "started_at": 110.0, "ended_at": 900.0,
}  # fmt: skip


def failed(reason, message=""):
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    return {
        "kind": "Job",
        "metadata": {"annotations": {"autoresearch/limit-s": "3600"}},
        "status": {"conditions": [condition]},
    }


def rayjob(word, **more: object):
    return {"kind": "RayJob", "metadata": {"name": "ar-run"}, "status": {"jobDeploymentStatus": word, **more}}


def pod(name="ar-run-1", made="2026-01-01T00:00:00Z", code=None, condition=None, reason="", labels=None):
    said = {"phase": "Failed", "reason": reason, "message": ""}
    if code is not None:
        said["containerStatuses"] = [{"state": {"terminated": {"exitCode": code, "reason": "Error"}}}]
    if condition:
        said["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": condition}]
    return {"metadata": {"name": name, "creationTimestamp": made, "labels": labels or {}}, "spec": {}, "status": said}


def event(reason, message="", name="ar-run-1", kind="Pod"):
    return {"reason": reason, "message": message, "involvedObject": {"kind": kind, "name": name}}


def seen(found, *pods: object, state=BEGUN, ended=None, **more: object):
    return status(ClusterView(RECORD, found, pods, state, ended, 1000.0, **{"waited_s": 100.0, **more}))


BACKOFF = failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
POLICY = failed("PodFailurePolicy", "Pod lab/ar-run-1 has condition DisruptionTarget matching FailJob rule at index 0")


@pytest.mark.parametrize(("found", "pods", "more", "state", "who"), [
    # The node is gone, and its pod was seen, or only complained about, or neither.
    (BACKOFF, [pod(code=143, condition="DeletionByTaintManager")], {}, JobState.NODE_FAILED, Who.NODE),
    (BACKOFF, [], {"events": [event("TaintManagerEviction")]}, JobState.NODE_FAILED, Who.NODE),
    (BACKOFF, [pod("ar-run-2", code=75)], {}, JobState.NODE_FAILED, Who.NODE),
    (BACKOFF, [], {}, JobState.FAILED, Who.ENVIRONMENT),
    # Taken away by a rule.
    (BACKOFF, [pod(reason="Evicted")], {}, JobState.PREEMPTED, Who.SITE),
    (BACKOFF, [pod(reason="Preempting")], {}, JobState.PREEMPTED, Who.SITE),
    (BACKOFF, [], {"events": [event("Preempted", "by a pod on node n1")]}, JobState.PREEMPTED, Who.SITE),
    (POLICY, [], {}, JobState.PREEMPTED, Who.SITE),
    # A deadline that is not the run's own.
    (failed("DeadlineExceeded"), [], {}, JobState.PREEMPTED, Who.SITE),
    # Stopped or deleted by a person.
    (rayjob("Complete", jobStatus="STOPPED"), [], {}, JobState.CANCELLED, Who.OPERATOR),
    (None, [], {"ended": TOLD_TO_STOP}, JobState.CANCELLED, Who.OPERATOR),
    (None, [], {"unseen_s": 103.0, "ttl_s": 3600.0}, JobState.CANCELLED, Who.OPERATOR),
    (None, [], {"unseen_s": 9000.0, "ttl_s": 3600.0}, JobState.VANISHED, Who.ENVIRONMENT),
    # KubeRay could not begin it, or the command left no exit file.
    (rayjob("Failed", reason="SubmissionFailed", message="no head"), [], {"state": {}}, JobState.FAILED, Who.NODE),
    (rayjob("Failed", reason="AppFailed"), [pod(code=1)], {}, JobState.FAILED, Who.ENVIRONMENT),
])  # fmt: skip
def test_what_the_cluster_did_is_not_held_against_the_idea(found, pods, more, state, who):
    """Lost node, eviction, preemption, a site's deadline, a deletion by hand: each is named and made again."""
    told = seen(found, *pods, **more)
    assert told.state is state, told
    ending = judge(Account(status=told))
    assert (ending.who, ending.excused) == (who, True), ending


def test_a_run_over_its_own_limit_is_late():
    """The cluster's deadline after the run's own limit: the run was too slow."""
    found = failed("DeadlineExceeded")
    found["metadata"]["annotations"]["autoresearch/limit-s"] = "600"
    assert seen(found).state is JobState.TIMED_OUT


def test_an_earlier_attempt_explains_nothing_about_the_latest():
    """The first pod was evicted, the one that followed it failed by itself."""
    first, second = pod(reason="Evicted"), pod("ar-run-2", "2026-01-01T01:00:00Z", code=3)
    assert seen(BACKOFF, second, first).state is JobState.FAILED
    own = {**TOLD_TO_STOP, "ending": "exited", "exit_code": 3, "reason": "exited with code 3"}
    assert seen(BACKOFF, first, second, ended=own).reason == "exited with code 3"
    assert seen(BACKOFF, second, ended=own, events=[event("NodeNotReady", name="ar-run-2")]).state is JobState.FAILED


IMAGE = {
    "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}}]}
}
UNPLACED = "0/3 nodes are available: {}"
QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: {}, used: {}, limited: {}'


def unplaced(message):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"conditions": [condition]}}


def suspended(**labels: str):
    return {"kind": "Job", "metadata": {"name": "ar-run", "labels": labels}, "spec": {"suspend": True}}


@pytest.mark.parametrize(("seen", "said", "stuck"), [
    ({"found": suspended()}, "somebody resumes it: kubectl patch job ar-run", True),
    ({"found": suspended(**{"kueue.x-k8s.io/queue-name": "rl"})}, "held by Kueue in its queue rl", False),
    ({"found": rayjob("ValidationFailed", reason="ValidationFailed", message="bad")}, "KubeRay refuses the RayJob", True),
    ({"found": rayjob(""), "asked_s": 600.0}, "is its operator running", True),
    ({"found": rayjob("Initializing"), "asked_s": 600.0}, "", False),
    ({"pods": [IMAGE]}, "ImagePullBackOff", False),
    ({"pods": [IMAGE], "events": [event("Failed", 'Failed to pull image "x": not found')]}, 'x": not found', True),
    ({"pods": [IMAGE], "events": [event("Failed", "i/o timeout")]}, "i/o timeout", False),
    ({"pods": [unplaced(UNPLACED.format("3 Insufficient nvidia.com/gpu."))]}, "Insufficient nvidia.com/gpu", False),
    ({"pods": [unplaced(UNPLACED.format("1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity."))]}, "1 Ins", False),
    ({"pods": [unplaced(UNPLACED.format("3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are "
                                        "available: 3 Preemption is not helpful for scheduling."))]}, "didn't match", True),
    ({"pods": [{}], "events": [event("FailedMount", 'MountVolume.SetUp failed: secret "wandb" not found')]}, "wandb", True),
    ({"pods": [{}], "events": [event("FailedMount", "timed out waiting for the condition")]}, "timed out", False),
    ({"events": [event("FailedCreate", QUOTA.format("pods=1", "pods=2", "pods=2"))]}, "exceeded quota: q", False),
    ({"events": [event("FailedCreate", QUOTA.format("cpu=8", "cpu=0", "cpu=4"))]}, "exceeded quota: q", True),
    ({"events": [event("FailedCreate", 'pods "x" is forbidden: violates PodSecurity "restricted:latest": ...')]}, "violates", True),
    ({"events": [event("FailedCreate", "maximum memory usage per Container is 1Gi, but limit is 8Gi")]}, "maximum", True),
    ({"clusters": [{"metadata": {"name": "c"}, "status": {"conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreateHeadPod", "message": "denied the request"}]}}]},
     "RayCluster c: FailedCreateHeadPod: denied", True),
])  # fmt: skip
def test_a_run_that_waits_says_for_what(seen, said, stuck):
    """In the cluster's own words; what cannot come by itself is told apart from what others will give back."""
    found = waiting(**{"found": None, "pods": [], **seen})
    assert said in found.reason, found
    assert found.stuck is stuck, found


@pytest.mark.parametrize(("asked", "used", "most", "never"), [
    ("limits.memory=8Gi", "limits.memory=0", "limits.memory=4000M", True),
    ("cpu=500m,memory=1Gi", "cpu=3500m,memory=0", "cpu=4,memory=2Gi", False),
    ("requests.nvidia.com/gpu=8", "requests.nvidia.com/gpu=4", "requests.nvidia.com/gpu=8", False),
    ("pods=strange", "pods=1", "pods=1", False),
])  # fmt: skip
def test_a_quota_that_is_full_is_not_one_that_is_too_small(asked, used, most, never):
    """What others use is given back one day; a limit below what is asked for is not."""
    assert over_its_limit(QUOTA.format(asked, used, most)) is never


def answer(code, message="no", reason="Forbidden"):
    class AnswerError(Exception):
        status = code
        body = json.dumps({"message": message, "reason": reason})

    def fail() -> None:
        raise AnswerError

    return fail


@pytest.mark.parametrize(("doing", "code", "message", "kind", "said"), [
    ("create jobs x", 403, 'jobs is forbidden: User "ada" cannot create resource', RefusedError, 'User "ada"'),
    ("create jobs x", 403, QUOTA.format("count/jobs.batch=1", "count/jobs.batch=2", "count/jobs.batch=2"), NotNowError, "q"),
    ("create jobs x", 403, QUOTA.format("count/jobs.batch=1", "count/jobs.batch=0", "count/jobs.batch=0"), RefusedError, "q"),
    ("create jobs x", 422, "Job is invalid: spec.template", RefusedError, "spec.template"),
    ("create jobs x", 400, "admission webhook denied the request", RefusedError, "webhook"),
    ("create rayjobs x", 404, "the server could not find the requested resource", RefusedError, "KubeRay is not installed"),
    ("create rayjobs x", 404, 'namespaces "lab" not found', RefusedError, 'namespaces "lab" not found'),
    ("list jobs", 401, "Unauthorized", RefusedError, "log in again"),
    ("create jobs x", 429, "try again later", NotNowError, "later"),
    ("create jobs x", 503, "etcd is away", LauncherError, "etcd"),
    ("create jobs x", 409, "object is being changed", LauncherError, "changed"),
])  # fmt: skip
def test_no_not_now_and_no_answer_are_told_apart(doing, code, message, kind, said):
    """Each in the server's own sentence, with what to do where that does not say it."""
    with pytest.raises(LauncherError) as raised:
        _ask(doing, answer(code, message), none=("AlreadyExists",))
    assert type(raised.value) is kind
    assert said in str(raised.value)


def test_a_name_that_is_taken_is_no_failure():
    """Only that kind of 409 says that the object is there."""
    assert _ask("create jobs x", answer(409, reason="AlreadyExists"), none=("AlreadyExists",)) is None


def test_pods_are_kept_off_nodes_beside_any_other_wish():
    """Every alternative of an affinity that a template has excludes them too."""
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    for spec in ({}, {"affinity": {"nodeAffinity": required}}):
        made = avoid({"kind": "Job", "spec": {"template": {"spec": spec}}}, ("n2", "n1"))
        affinity = made["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
        found = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert [[field["values"] for field in term["matchFields"]] for term in found] == [[["n1"], ["n2"]]] * len(found)
        assert "affinity" not in spec or "matchFields" not in json.dumps(spec)


@pytest.mark.parametrize(("mode", "scheduler", "breaks"), [
    (None, "kai-scheduler", True), ("K8sJobMode", "kai-scheduler", True), ("HTTPMode", "kai-scheduler", False),
    ("SidecarMode", "kai-scheduler", False), (None, None, False),
])  # fmt: skip
def test_a_gang_scheduler_gets_no_pod_that_comes_later(mode, scheduler, breaks):
    """KubeRay refuses such a RayJob; it is found before it is sent."""
    head = {"template": {"spec": {"schedulerName": scheduler, "containers": [{}]}}}
    made = {"kind": "RayJob", "spec": {"submissionMode": mode, "rayClusterSpec": {"headGroupSpec": head}}}
    assert gangs_break(made) is breaks
