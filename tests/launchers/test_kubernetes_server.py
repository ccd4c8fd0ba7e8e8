"""The Kubernetes launcher on a real API server and Job controller; the tests play scheduler and kubelet."""

import itertools
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from autoresearch.errors import NotNowError, RefusedError
from autoresearch.launchers.kubernetes.launcher import KubernetesLauncher
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import settle

from .clusters import until
from .kube_server import Kubelet

pytestmark = [pytest.mark.full, pytest.mark.kubernetes]
NUMBERS = itertools.count()


@pytest.fixture
def lab(kube):
    """A namespace of the test's own."""
    name = f"lab-{os.getpid()}-{next(NUMBERS)}"
    kube.namespace(name)
    return name


@pytest.fixture
def node(kube, lab):
    """Plays scheduler and kubelet there."""
    return Kubelet(kube, lab)


@pytest.fixture
def make(tmp_path, lab):
    """Makes launchers for that namespace."""
    site = {"image": "nemo-rl:test", "poll_s": 0, "teardown_s": 0, "kind": "job", "namespace": lab}
    return lambda **options: KubernetesLauncher({**site, **options}, tmp_path / "campaign")


@pytest.fixture
def running(make, job, node):
    """A run whose pod has begun on a node, and wrote so; and the pod."""
    launcher, wanted = make(), job("sleep 600", limit_s=3600.0)
    job_id = launcher.submit(launcher.plan(wanted))
    pod = node.pod(job_id)
    node.run(pod)
    Path(wanted.folder, "supervisor.json").write_text(json.dumps({"node": "node-1", "started_at": 2.0e9}))
    until(lambda: launcher.states([job_id])[job_id].state is JobState.RUNNING)
    return launcher, job_id, pod


LOST = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]}


@pytest.mark.parametrize("seen", [True, False])
def test_a_node_that_vanishes_with_its_pod_is_a_failed_node(running, node, seen):
    """The Job says only that it has failed; its pod told more, and was collected after one look or before any."""
    launcher, job_id, pod = running
    node.tell(pod, **LOST)
    node.end(pod, 143, **LOST)
    if seen:
        launcher.states([job_id])
    else:
        node.complain(pod, "TaintManagerEviction", "Marking for deletion Pod")
    node.drop(pod)
    ended = settle(launcher, job_id)
    assert ended.state is JobState.NODE_FAILED, ended


def test_a_pod_that_follows_a_vanished_one_starts_nothing(running, node):
    """Without a word of the first one, the Job controller makes a second: the run is not done twice, the node failed."""
    launcher, job_id, pod = running
    node.drop(pod)
    second = node.pod(job_id, but=pod)
    node.run(second)
    node.end(second, 75)
    ended = settle(launcher, job_id)
    assert ended.state is JobState.NODE_FAILED
    assert "went without a word" in ended.reason


@pytest.mark.parametrize(("reason", "state", "word"), [
    ("Evicted", JobState.PREEMPTED, "low on memory"), ("NodeLost", JobState.NODE_FAILED, "NodeLost"),
    ("DeadlineExceeded", JobState.PREEMPTED, "a deadline of the site"),
])  # fmt: skip
def test_who_ended_a_pod_is_not_the_idea(running, node, reason, state, word):
    """An eviction, a lost node, a deadline that is not the run's own."""
    launcher, job_id, pod = running
    node.end(pod, 137, reason=reason, message="The node was low on memory" if reason == "Evicted" else reason)
    ended = settle(launcher, job_id)
    assert ended.state is state
    assert word in ended.reason


def test_a_deadline_that_somebody_sets_on_the_job_is_the_sites(running, kube, lab, node):
    """The real Job controller ends it: long before the limit of the run."""
    launcher, job_id, pod = running
    kube.call("PATCH", f"/apis/batch/v1/namespaces/{lab}/jobs/{job_id}", {"spec": {"activeDeadlineSeconds": 1}})
    until(lambda: not kube.call("GET", f"{node.pods}/{pod}") or node.drop(pod))
    ended = settle(launcher, job_id)
    assert ended.state is JobState.PREEMPTED
    assert "a deadline of the site ended it" in ended.reason


def test_a_job_that_somebody_deletes_is_cancelled_by_them(running, kube, lab, node):
    """`kubectl delete job` by hand, with the run under way."""
    launcher, job_id, pod = running
    kube.call("DELETE", f"/apis/batch/v1/namespaces/{lab}/jobs/{job_id}?propagationPolicy=Background")
    node.drop(pod)
    ended = settle(launcher, job_id)
    assert ended.state is JobState.CANCELLED
    assert "deleted by somebody else" in ended.reason


def waits(launcher, job_id, said="."):
    """How a job is doing once its reason has these words: what comes first may be another's complaint."""
    return until(lambda: re.search(said, (found := launcher.states([job_id])[job_id]).reason) and found)


def test_an_image_that_is_not_there_is_told_in_the_nodes_own_sentence(make, job, node):
    """The back-off says nothing; the complaint before it does, and that it will not come by itself."""
    launcher = make()
    job_id = launcher.submit(launcher.plan(job()))
    pod = node.pod(job_id)
    node.complain(pod, "Failed", 'Failed to pull image "nemo-rl:test": manifest unknown')
    node.waits(pod, "ImagePullBackOff", "Back-off pulling image")
    waiting = waits(launcher, job_id)
    assert "manifest unknown" in waiting.reason
    assert (waiting.state, waiting.stuck) == (JobState.QUEUED, True)


QUOTA, RANGE = "resourcequotas", "limitranges"


def rule(kube, lab, plural, spec):
    made = kube.call("POST", f"/api/v1/namespaces/{lab}/{plural}", {"metadata": {"name": "rule"}, "spec": spec})
    path = f"/api/v1/namespaces/{lab}/{plural}/{made['metadata']['name']}"
    if plural == QUOTA:
        until(lambda: kube.call("GET", path).get("status", {}).get("hard"))


@pytest.mark.parametrize(("plural", "spec", "said", "stuck"), [
    (QUOTA, {"hard": {"pods": "0"}}, "exceeded quota: rule", True),
    (QUOTA, {"hard": {"limits.memory": "4Gi"}}, "exceeded quota: rule", True),
    (QUOTA, {"hard": {"requests.nvidia.com/gpu": "0", "services": "0"}}, "", False),
    (RANGE, {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}, "maximum memory usage per Container is 1Gi", True),
])  # fmt: skip
def test_pods_that_a_rule_forbids_are_told(make, job, kube, lab, node, plural, spec, said, stuck):
    """The Job is taken, its pods never are: the Job controller's complaint is the reason."""
    rule(kube, lab, plural, spec)
    launcher = make()
    job_id = launcher.submit(launcher.plan(job()))
    if not said:
        assert node.pod(job_id)
        return
    waiting = waits(launcher, job_id, said)
    assert (waiting.state, waiting.stuck) == (JobState.QUEUED, stuck)


def test_a_quota_of_jobs_is_not_now_and_then_never(make, job, kube, lab):
    """With one Job of one allowed the next is held back; where none is ever allowed it is refused."""
    rule(kube, lab, QUOTA, {"hard": {"count/jobs.batch": "1"}})
    launcher = make()
    launcher.submit(launcher.plan(job(name="first")))
    until(
        lambda: kube.call("GET", f"/api/v1/namespaces/{lab}/{QUOTA}/rule")["status"]["used"]["count/jobs.batch"] == "1"
    )
    with pytest.raises(NotNowError, match=r"exceeded quota: rule"):
        launcher.submit(launcher.plan(job(name="second")))
    kube.call("PATCH", f"/api/v1/namespaces/{lab}/{QUOTA}/rule", {"spec": {"hard": {"count/jobs.batch": "0"}}})
    until(
        lambda: kube.call("GET", f"/api/v1/namespaces/{lab}/{QUOTA}/rule")["status"]["hard"]["count/jobs.batch"] == "0"
    )
    with pytest.raises(RefusedError, match=r"limited: count/jobs\.batch=0"):
        launcher.submit(launcher.plan(job(name="second")))


def test_what_the_server_will_not_have_is_refused_in_its_own_sentence(make, job, kube, monkeypatch, tmp_path):
    """A wrong object, no right to create it, and a login that does not hold."""
    wrong = make(labels={"team": "not a label!"})
    with pytest.raises(RefusedError, match="a valid label must"):
        wrong.submit(wrong.plan(job()))
    monkeypatch.setenv("KUBECONFIG", str(kube.folder / "researcher.kubeconfig"))
    nobody = make()
    with pytest.raises(RefusedError, match='User "researcher" cannot'):
        nobody.submit(nobody.plan(job()))
    old = (kube.folder / "researcher.kubeconfig").read_text().replace("token: ", "token: old-")
    (tmp_path / "old").write_text(old)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "old"))
    strange = make()
    with pytest.raises(RefusedError, match="log in again until kubectl works"):
        strange.states([strange.submit(strange.plan(job()))])
    (tmp_path / "old").write_text(kube.kubeconfig.read_text())
    assert strange.submit(strange.plan(job()))


def lost(sent, stored, path=""):
    """What of an object the server did not keep."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        return [one for key in sent for one in (lost(sent[key], stored.get(key), f"{path}.{key}"))]
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [one for a, b in zip(sent, stored, strict=True) for one in lost(a, b, f"{path}[]")]
    return [] if sent == stored or (stored is not None and not isinstance(sent, dict | list)) else [path]


def test_a_job_is_stored_as_it_was_sent(make, job, kube, lab):
    """This server, 1.20, drops what came with 1.26, and nothing else; nodes to avoid are one value each."""
    launcher = make()
    plan = launcher.plan(replace(job(limit_s=60.0), avoid_nodes=("n1", "n2")))
    job_id = launcher.submit(plan)
    stored = kube.call("GET", f"/apis/batch/v1/namespaces/{lab}/jobs/{job_id}")
    assert lost(plan.payload["manifest"], stored) == [".spec.podFailurePolicy"]


def test_without_kuberay_it_says_so_and_with_it_everything_is_kept(make, job, kube, lab):
    """An unknown kind is named with its cure; KubeRay's own definition knows every field that is sent."""
    launcher = make(kind="rayjob", scheduler="kai-scheduler", ray_version="2.52.0", start_within_s=600)
    plan = launcher.plan(replace(job(gpus=1), avoid_nodes=("n1",)))
    with pytest.raises(RefusedError, match="KubeRay is not installed there"):
        launcher.submit(plan)
    kube.kuberay()
    job_id = launcher.submit(plan)
    path = f"/apis/ray.io/v1/namespaces/{lab}/rayjobs/{job_id}"
    stored = kube.call("GET", path)
    assert lost(plan.payload["manifest"], stored) == []
    assert stored["spec"]["submissionMode"] == "HTTPMode"
    kube.call("PATCH", f"{path}/status", {"status": {"jobDeploymentStatus": "ValidationFailed", "message": "too long"}})
    waiting = until(lambda: (said := launcher.states([job_id])[job_id]).reason and said)
    assert "KubeRay refuses the RayJob: too long" in waiting.reason
    launcher.cancel(job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED
