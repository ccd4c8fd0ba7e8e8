"""What the Kubernetes launchers would send, and how they read objects, without a cluster."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import LauncherError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.kubernetes import manifest as manifests
from autoresearch.launchers.kubernetes.launcher import KubernetesLauncher
from autoresearch.launchers.kubernetes.nrl_k8s import NrlK8sLauncher, difference
from autoresearch.launchers.kubernetes.script import There
from autoresearch.launchers.kubernetes.status import RAY_JOB_STATES, ClusterView, object_state, status
from autoresearch.run.job import Job, JobState, Resources

from .clusters import why_no_kubernetes

pytestmark = pytest.mark.skipif(bool(why_no_kubernetes()), reason=why_no_kubernetes())

GOLDEN = Path(__file__).parents[1] / "golden" / "kubernetes"
HERE = Path("/data/rl/reports/auto_research/night")
JOB = Job(
    run_id="ar-night--lower-kl--3",
    argv=("uv", "run", "examples/run_grpo.py", "--config", "a b.yaml", "logger.log_dir=/data/rl/reports/run-3/logs"),
    directory="/data/rl/.autoresearch/worktrees/lower-kl",
    folder="/data/rl/reports/run-3",
    log="/data/rl/reports/run-3/run.log",
    env={"PYTHONPATH": "/data/rl/.autoresearch/worktrees/lower-kl:/data/rl-other"},
    resources=Resources(nodes=2, gpus_per_node=8, cpus=16, memory_gb=100),
    limit_s=3600.0,
)
SITE = {
    "image": "registry.example/nemo-rl:1", "namespace": "lab", "paths": {"/data/rl": "/mnt/lab/rl"},
    "volumes": [{"claim": "rl-workspace", "mount": "/mnt/lab"}, {"claim": "rl-workspace", "mount": "/hf", "sub_path": "hf"}],
    "secrets": {"WANDB_API_KEY": "wandb/api-key"}, "image_pull_secrets": ["registry"], "service_account": "trainer",
}  # fmt: skip
SENT = {
    "job": ({**SITE, "kind": "job", "requeue": True, "setup": ["source /opt/env.sh"]}, {"nodes": 1}),
    "rayjob": ({**SITE, "scheduler": "kai-scheduler", "labels": {"kai.scheduler/queue": "rl"}, "ray_version": "2.52.0",
                "submission": "HTTPMode", "tolerations": [{"operator": "Exists"}]}, {}),
    "template": ({"template": str(GOLDEN / "template.rayjob.yaml"), "secrets": SITE["secrets"]}, {}),
}  # fmt: skip


def sent(text, name):
    """Compare with what was agreed; to accept a change, write the text to the golden file."""
    assert text == (GOLDEN / f"{name}.yaml").read_text()


@pytest.mark.parametrize(("requeue", "action"), [(True, "Ignore"), (False, "FailJob")])
def test_kubernetes_own_model_of_a_job_knows_every_field(requeue, action):
    """Also `podFailurePolicy`, for which the tests' API server is too old: read into the model and back, all is there."""
    client = pytest.importorskip("kubernetes").client.ApiClient()
    launcher = KubernetesLauncher({**SITE, "kind": "job", "requeue": requeue}, HERE)
    made = launcher.plan(replace(JOB, resources=replace(JOB.resources, nodes=1))).payload["manifest"]
    job = client.deserialize(json.dumps(made), "V1Job", "application/json")
    assert client.sanitize_for_serialization(job) == made
    (rule,) = job.spec.pod_failure_policy.rules
    (condition,) = rule.on_pod_conditions
    assert (rule.action, condition.type, condition.status) == (action, "DisruptionTarget", "True")


@pytest.mark.parametrize("name", SENT)
def test_the_object_is_as_agreed(name):
    """What is sent to Kubernetes changes only on purpose."""
    options, resources = SENT[name]
    job = replace(JOB, resources=replace(JOB.resources, **resources))
    sent(KubernetesLauncher(options, HERE).plan(job).text, name)


def test_an_infra_file_becomes_the_object_that_was_agreed(monkeypatch, tmp_path):
    """Inheritance, anchors, `${user:}`, segments and claims are carried out; the command and the name are ours."""
    monkeypatch.setenv("NRL_K8S_USER", "Ada_L.")
    monkeypatch.setenv("NRL_K8S_DEFAULTS", str(tmp_path / "none.yaml"))
    launcher = NrlK8sLauncher({"infra": str(GOLDEN / "two-racks.infra.yaml")}, HERE)
    sent(launcher.plan(replace(JOB, resources=Resources(nodes=4, gpus_per_node=4))).text, "nrl-k8s")


def test_the_text_is_the_object():
    """A person may hand the kept text to kubectl: as YAML it is the very object, the script is a comment."""
    plan = KubernetesLauncher(SENT["rayjob"][0], HERE).plan(JOB)
    assert yaml.safe_load(plan.text) == plan.payload["manifest"]
    assert json.loads(json.dumps(plan.payload))["manifest"] == plan.payload["manifest"]


@given(st.text(), st.text())
def test_names_are_unique_and_fit_kuberay(run_id, campaign):
    """Any run id of any campaign has a name of its own that KubeRay takes: a DNS label of at most 47 characters."""
    name = manifests.object_name(run_id, campaign)
    assert len(name) <= 47
    assert name.replace("-", "").isalnum()
    assert name.isascii()
    assert name == name.lower()
    assert name.startswith("ar-")
    assert name != manifests.object_name(run_id, campaign + "x")


@pytest.mark.parametrize(("text", "seen"), [
    ("/data/rl", "/mnt/rl"),
    ("key=/data/rl/a:/data/rl/b", "key=/mnt/rl/a:/mnt/rl/b"),
    ("'/data/rl/big/x'", "'/big/x'"),
    ("/data/rl-other /x/data/rl /data/rl.old", "/data/rl-other /x/data/rl /data/rl.old"),
])  # fmt: skip
def test_paths_are_translated_at_their_borders_only(text, seen):
    """Pods may see a volume elsewhere: whole folders are translated, wherever they stand, the longest first."""
    assert There({"/data/rl": "/mnt/rl", "/data/rl/big": "/big"})(text) == seen


# Made of two parts, so that no scanner takes them for real.
FORBIDDEN = [
    {"name": "WANDB_API_KEY", "value": "anything at all"},
    {"name": "PLAIN", "value": "hf_" + "abcdefghijklmnopqrstuvwxyz0123"},
    {"name": "DB_PASSWORD", "value": "hunter2hunter2"},
]


@pytest.mark.parametrize("variable", FORBIDDEN, ids=lambda one: one["name"])
def test_a_secret_in_a_template_is_refused_and_not_repeated(tmp_path, variable):
    """Secrets go by reference only; the message says where, never what."""
    document = yaml.safe_load((GOLDEN / "template.rayjob.yaml").read_text())
    document["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["env"] = [variable]
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(document))
    launcher = KubernetesLauncher({"template": str(tmp_path / "t.yaml")}, HERE)
    with pytest.raises(LauncherError, match="secretKeyRef") as refused:
        launcher.plan(JOB)
    assert variable["value"] not in str(refused.value)


@pytest.mark.parametrize("more", [
    {"env": {"WANDB_API_KEY": "anything at all"}},
    {"setup": ["export X=hf_" + "abcdefghijklmnopqrstuvwxyz0123"]},
], ids=["env", "setup"])  # fmt: skip
def test_a_secret_in_the_options_is_refused_too(more):
    """They become the script, which is written into the run's folder."""
    with pytest.raises(LauncherError, match="a secret stands in options"):
        KubernetesLauncher({**SENT["rayjob"][0], **more}, HERE).plan(JOB)


def test_pods_without_the_gpus_of_a_run_are_refused():
    """Workers would wait for ever (R221)."""
    launcher = KubernetesLauncher({"template": str(GOLDEN / "template.rayjob.yaml")}, HERE)
    with pytest.raises(LauncherError, match=r"2 pods with 4 x nvidia.com/gpu.* 1 with 0, 2 with 8"):
        launcher.plan(replace(JOB, resources=Resources(nodes=2, gpus_per_node=4)))


def test_several_nodes_want_a_rayjob():
    """A plain Job is one pod, and a run of two nodes would have nobody to talk to."""
    with pytest.raises(LauncherError, match="use kind: rayjob"):
        KubernetesLauncher(SENT["job"][0], HERE).plan(JOB)


@pytest.mark.parametrize(("options", "said"), [
    ({"image": "x", "imagee": 1}, "did you mean 'image'"),
    ({}, "give an image, or a template"),
    ({"image": "x", "secrets": {"A": "value"}}, "never a secret itself"),
    ({"image": "x", "paths": {"data": "/x"}}, "must be an absolute path"),
    ({"image": "x", "setup": ["a\nb"]}, "must be one line"),
    ({"template": "nowhere.yaml"}, "cannot be read"),
    ({"template": str(GOLDEN / "site.infra.yaml")}, "holds a NoneType|holds a None"),
    ({"template": str(GOLDEN / "template.rayjob.yaml"), "kind": "job"}, "kind: job asks for a Job"),
])  # fmt: skip
def test_wrong_options_are_one_clear_line(options, said):
    """Unknown names are answered with the nearest, wrong values with their option."""
    with pytest.raises(LauncherError, match=said):
        KubernetesLauncher(options, HERE)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["spec", "template", "containers", "env", "metadata", "labels", "rayClusterSpec", "headGroupSpec"]
)
ANYTHING = st.recursive(PLAIN, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4))


@given(spec=ANYTHING, metadata=ANYTHING, kind=st.sampled_from(["rayjob", "job"]))
def test_a_template_of_any_shape_is_read_or_refused(spec, metadata, kind):
    """Whatever stands in the file: an object that can be completed, or one clear error."""
    word = {"rayjob": "RayJob", "job": "Job"}[kind]
    text = yaml.safe_dump({"kind": word, "spec": spec, "metadata": metadata})
    try:
        found = manifests.read_template(text, "t.yaml", kind)
    except LauncherError as error:
        assert "t.yaml" in str(error)  # noqa: PT017 - either way is fine
    else:
        assert manifests.owned_by(found, "n", "c", "s", requeue=True)["metadata"]["name"] == "n"


@pytest.mark.parametrize(("infra", "said"), [
    ("image: x", "lacks kuberay.training.name, kuberay.training.spec"),
    ("image: [", "cannot be read"),
    ("image: ${nowhere}", "cannot be read"),
    ("- a", "holds no mapping"),
    ("defaults: self.yaml", "inherits from itself"),
])  # fmt: skip
def test_an_infra_file_that_cannot_be_used_is_refused(tmp_path, infra, said):
    """One line that names the file."""
    (tmp_path / "self.yaml").write_text(infra)
    with pytest.raises(LauncherError, match=said) as refused:
        NrlK8sLauncher({"infra": str(tmp_path / "self.yaml")}, HERE)
    assert "self.yaml" in str(refused.value)


def test_two_objects_are_compared_to_the_last_word():
    """The first place where they differ is named, with both values."""
    ours = {"a": [{"b": 1}, {"c": "x"}]}
    assert difference(ours, ours, "RayJob") == ""
    assert difference(ours, {"a": [{"b": 1}, {"c": "y"}]}, "RayJob") == "RayJob.a[1].c is 'x' here and 'y' there"
    assert "RayJob.d" in difference(ours, {**ours, "d": 1}, "RayJob")


# -- how objects are read ---------------------------------------------------------------------------------------------

RECORD = Record("run", "/nowhere", "/nowhere/run.log", "ar-run", "token", 100.0, "ar-run")
BEGUN = {"node": "node-1", "started_at": 110.0}


def rayjob(word, **more: object):
    return {"kind": "RayJob", "metadata": {}, "status": {"jobDeploymentStatus": word, **more}}


def ended_pod(code=1, reason="Error", **more: object):
    terminated = {"exitCode": code, "reason": reason, "finishedAt": "1970-01-01T00:03:20Z"}
    return {
        "spec": {},
        "status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": terminated}}], **more},
    }


def failed_job(reason, message="", limit="3600"):
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    annotations = {"autoresearch/limit-s": limit}
    return {"kind": "Job", "metadata": {"annotations": annotations}, "status": {"conditions": [condition]}}


def disrupted(reason):
    return {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]}


def seen(found, *pods: object, ended=None, state=BEGUN, waited_s=100.0, **record: object):
    return status(ClusterView(RECORD._replace(**record), found, pods, state, ended, 1000.0, waited_s))


@pytest.mark.parametrize(("pod", "state", "word"), [
    (ended_pod(137, "OOMKilled"), JobState.OUT_OF_MEMORY, "OOMKilled"),
    (ended_pod(143, reason="Error", **disrupted("PreemptionByScheduler")), JobState.PREEMPTED, "PreemptionByScheduler"),
    (ended_pod(143, **disrupted("DeletionByTaintManager")), JobState.NODE_FAILED, "DeletionByTaintManager"),
    (ended_pod() | {"status": {"reason": "Evicted", "message": "low on memory"}}, JobState.PREEMPTED, "low on memory"),
    (ended_pod() | {"status": {"reason": "DeadlineExceeded"}}, JobState.TIMED_OUT, "DeadlineExceeded"),
    (ended_pod() | {"status": {"reason": "NodeLost"}}, JobState.NODE_FAILED, "NodeLost"),
    (ended_pod() | {"status": {"reason": "Preempting", "message": "for a critical pod"}}, JobState.PREEMPTED, "critical"),
    (ended_pod() | {"status": {"reason": "OutOfnvidia.com/gpu"}}, JobState.NODE_FAILED, "OutOfnvidia"),
    (ended_pod(3), JobState.FAILED, "exited with code 3 (Error)"),
])  # fmt: skip
def test_who_ended_a_pod_is_told_by_the_pod(pod, state, word):
    """Out of memory, evicted, preempted, late, on a lost node: each has its own end and says why."""
    found = seen(failed_job("", limit="600"), pod)
    assert found.state is state
    assert word in found.reason


@given(st.text())
def test_a_word_that_nobody_knows_is_no_failure(word):
    """Versions of KubeRay add words: those not in our table are unknown, and asked about again."""
    expected = RAY_JOB_STATES.get(word, JobState.UNKNOWN)
    assert object_state(rayjob(word)) is expected


def test_a_rayjob_that_is_complete_may_have_been_stopped():
    """KubeRay calls a stopped job complete."""
    assert object_state(rayjob("Complete", jobStatus="STOPPED")) is JobState.CANCELLED
    assert object_state(rayjob("Complete", jobStatus="SUCCEEDED")) is JobState.SUCCEEDED


def test_the_runs_own_file_comes_first():
    """Exit code, times and node are the script's; a command that failed is not made better by its object."""
    ended = {
        "ending": "exited",
        "reason": "exited with code 3",
        "exit_code": 3,
        "node": "n",
        "started_at": 1,
        "ended_at": 2,
    }
    found = seen(rayjob("Failed", reason="AppFailed"), ended=ended)
    assert (found.state, found.exit_code, found.started_at, found.ended_at) == (JobState.FAILED, 3, 1, 2)


def test_a_run_is_not_over_before_its_object_is():
    """The command has ended, the cluster is still being taken down: the end is told when that is done, or overdue."""
    ended = {"ending": "exited", "reason": "", "exit_code": 0, "node": "n", "started_at": 1, "ended_at": 990}
    assert seen(rayjob("Running"), ended=ended).state is JobState.RUNNING
    assert seen(rayjob("Running"), ended={**ended, "ended_at": 100}).state is JobState.SUCCEEDED


def test_a_suspended_run_is_followed():
    """Kueue took its place away: it waits, although an attempt has ended."""
    ended = {"ending": "preempted", "reason": "", "exit_code": None, "node": "n", "started_at": 1, "ended_at": 2}
    found = seen(rayjob("Suspended"), ended=ended)
    assert found.state is JobState.QUEUED
    assert "ended from outside" in found.reason


def test_an_object_that_is_gone_is_no_failure_at_once():
    """Files on a shared disk may be late; later it has vanished, unless we deleted it."""
    assert seen(None, waited_s=1.0).state is JobState.UNKNOWN
    assert seen(None).state is JobState.VANISHED
    assert seen(None, cancelled_at=500.0).state is JobState.CANCELLED


def test_success_without_a_file_is_no_success():
    """The pod wrote its end where we do not see it: the paths are wrong, and so would every number be."""
    found = seen(rayjob("Complete", jobStatus="SUCCEEDED"))
    assert found.state is JobState.FAILED
    assert "paths" in found.reason
