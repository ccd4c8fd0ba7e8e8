"""The Kubernetes launcher against an API server double that really runs what is submitted."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.launchers.clusters import until
from tests.launchers.conftest import WAIT

from autoresearch.errors import LauncherError
from autoresearch.launchers.kubernetes.api import _pages
from autoresearch.launchers.kubernetes.launcher import KubernetesLauncher
from autoresearch.launchers.kubernetes.script import checksums
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import ProcessContract, settle

SITE = {"image": "nemo-rl:test", "poll_s": 0, "teardown_s": 200}
needs_double = [pytest.mark.kubernetes, pytest.mark.usefixtures("double")]


class TestPlainJobs(ProcessContract):
    pytestmark = needs_double

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: KubernetesLauncher({**SITE, "kind": "job"}, tmp_path / "campaign")


class TestRayJobs(ProcessContract):
    pytestmark = needs_double

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: KubernetesLauncher({**SITE, "kind": "rayjob"}, tmp_path / "campaign")


@pytest.fixture
def make(tmp_path, double):
    """Makes launchers on one campaign folder; a plain Job is quickest."""
    return lambda **options: KubernetesLauncher({**SITE, "kind": "job", **options}, tmp_path / "campaign")


def state_of(launcher, job_id):
    return launcher.states([job_id])[job_id]


def objects(double, path):
    return double.call("GET", f"{path}?labelSelector=")["items"]


JOBS, RAY = "/apis/batch/v1/namespaces/lab/jobs", "/apis/ray.io/v1/namespaces/lab"


@pytest.mark.kubernetes
def test_one_list_answers_for_any_number_of_runs(make, job, double):
    """Ten runs or one, a poll asks for jobs and pods once, and once for complaints while some have not begun."""
    launcher = make()
    ids = [launcher.submit(launcher.plan(job("sleep 60", name=f"run-{number}"))) for number in range(10)]
    double.trouble("requests")
    assert set(launcher.states(ids)) == set(ids)
    asked = double.trouble("requests")
    assert asked.pop(f"LIST {JOBS}") == 1
    assert sum(asked.values()) <= 2
    [launcher.cancel(job_id) for job_id in ids]


def answers(launcher, job_id):
    with suppress(LauncherError):
        return launcher.states([job_id])


@pytest.mark.kubernetes
@pytest.mark.parametrize("trouble", [("away", {}), ("fail", {"match": "GET .*jobs", "status": 503})])
def test_an_outage_is_an_error_and_then_over(make, job, go, double, trouble):
    """A server that is away or overloaded says nothing of a run: the error is ours to wait out, the run goes on."""
    launcher = make()
    job_id = launcher.submit(launcher.plan(job(WAIT, limit_s=600.0)))
    what, how = trouble
    double.trouble(what, **how)
    with pytest.raises(LauncherError, match="Kubernetes could not list jobs"):
        until(lambda: launcher.states([job_id]) and False)
    (double.folder / "back").touch()
    until(lambda: answers(launcher, job_id))
    go()
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


@pytest.mark.kubernetes
def test_killed_between_server_and_record_the_job_is_adopted(make, job, double):
    """The server has the object and our record does not say so: it is found by its token, and not made twice."""
    launcher = make()
    plan = launcher.plan(job())
    job_id = launcher.submit(plan)
    launcher._records.put(launcher._records.get("run-1")._replace(job_id=None))
    assert make().submit(plan) == job_id
    launcher._records.put(launcher._records.get("run-1")._replace(job_id=None))
    assert make().find("run-1") == job_id
    assert [one["metadata"]["name"] for one in objects(double, JOBS)].count(job_id) == 1
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


@pytest.mark.kubernetes
def test_an_object_of_that_name_that_is_not_ours_is_left_alone(make, job, double):
    """Perhaps of an earlier campaign in the same folder: neither adopted nor deleted, and the message says what to do."""
    launcher = make()
    plan = launcher.plan(job("sleep 60"))
    job_id = launcher.submit(plan)
    theirs = {"metadata": {"annotations": {"autoresearch/token": "another"}}}
    double.call("PATCH", f"{JOBS}/{job_id}", theirs)
    with pytest.raises(LauncherError, match="is not this run's"):
        launcher.cancel(job_id)
    launcher._records.put(launcher._records.get("run-1")._replace(job_id=None))
    with pytest.raises(LauncherError, match="delete it yourself"):
        launcher.submit(plan)
    assert "deletionTimestamp" not in double.call("GET", f"{JOBS}/{job_id}")["metadata"]
    double.call("DELETE", f"{JOBS}/{job_id}")


@pytest.mark.kubernetes
def test_an_image_that_cannot_be_had_ends_the_run_after_a_while(make, job):
    """First it waits and says for what, then it is given up, and nothing of it stays."""
    launcher = make(image="registry.example/missing:1", pull_patience_s=0.5)
    job_id = launcher.submit(launcher.plan(job()))
    waiting = until(lambda: (said := state_of(launcher, job_id)) and said.reason and said)
    assert waiting.state is JobState.QUEUED
    assert "ImagePullBackOff" in waiting.reason
    ended = settle(launcher, job_id)
    assert ended.state is JobState.FAILED
    assert "cannot start: ImagePullBackOff" in ended.reason
    launcher.cancel(job_id)
    assert launcher.leftovers(job_id) == ()


@pytest.mark.kubernetes
def test_what_a_run_refers_to_is_looked_for_without_reading_it(make, job, double):
    """A secret that is missing is named; one that is there reaches the run by reference, and its content not us."""
    launcher = make(secrets={"WANDB_API_KEY": "wandb/api-key"})
    wanted = job('test "$WANDB_API_KEY" = sesame')
    plan = launcher.plan(wanted)
    with pytest.raises(LauncherError, match="no 'wandb' among the secrets of namespace lab"):
        launcher.submit(plan)
    double.create("secrets", metadata={"name": "wandb"}, stringData={"api-key": "sesame"})
    job_id = launcher.submit(plan)
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    written = [path.read_bytes() for path in Path(wanted.folder).iterdir() if path.is_file()]
    assert not any(b"sesame" in text for text in written if b"#!/bin/bash" not in text)


@pytest.mark.kubernetes
@pytest.mark.parametrize(("word", "state"), [("OOMKilled", JobState.OUT_OF_MEMORY), ("Evicted", JobState.PREEMPTED)])
def test_a_pod_that_its_node_ended_says_why(make, job, double, word, state):
    """Too much memory and a node under pressure are no failures of the idea."""
    launcher = make()
    job_id = launcher.submit(launcher.plan(job("sleep 60")))
    until(lambda: state_of(launcher, job_id).state is JobState.RUNNING)
    double.trouble("end", run=job_id, reason=word)
    ended = settle(launcher, job_id)
    assert ended.state is state
    assert word in ended.reason
    assert launcher.leftovers(job_id) == ()


@pytest.mark.kubernetes
def test_an_evicted_run_that_may_go_on_is_followed(make, job, double):
    """The next pod carries it out; what the first one left is kept beside it."""
    launcher = make(requeue=True)
    wanted = job("echo start >> count; [ $(wc -l < count) = 2 ] || sleep 60")
    job_id = launcher.submit(launcher.plan(wanted))
    until((job_tree(wanted) / "count").exists)
    double.trouble("end", run=job_id, reason="Evicted")
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert Path(wanted.folder, "exit.json.attempt-1").exists()


def job_tree(wanted):
    return Path(wanted.directory)


@pytest.mark.kubernetes
@pytest.mark.parametrize(("kind", "path"), [("job", JOBS), ("rayjob", f"{RAY}/rayjobs")])
def test_a_suspended_run_waits_and_goes_on(make, job, double, kind, path):
    """A queueing system takes its place away and gives it back: queued, then running again, then over."""
    launcher = make(kind=kind)
    wanted = job("echo start >> count; [ $(wc -l < count) = 2 ] || sleep 60")
    job_id = launcher.submit(launcher.plan(wanted))
    until(lambda: state_of(launcher, job_id).state is JobState.RUNNING and (job_tree(wanted) / "count").exists())
    double.call("PATCH", f"{path}/{job_id}", {"spec": {"suspend": True}})
    until(lambda: state_of(launcher, job_id).state is JobState.QUEUED)
    double.call("PATCH", f"{path}/{job_id}", {"spec": {"suspend": False}})
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


@pytest.mark.kubernetes
def test_waiting_for_gpus_is_not_running(make, job, double):
    """Queue time is told apart: a run that needs what others hold is queued, and the scheduler's reason is shown."""
    launcher = make()
    first = launcher.submit(launcher.plan(job("sleep 60", name="first", gpus=8)))
    second = launcher.submit(launcher.plan(job(name="second", gpus=8)))
    waiting = until(lambda: (said := state_of(launcher, second)) and "Insufficient" in said.reason and said)
    assert (waiting.state, waiting.started_at) == (JobState.QUEUED, None)
    launcher.cancel(first)
    ended = settle(launcher, second)
    assert ended.state is JobState.SUCCEEDED
    assert ended.node == "node-1"
    assert ended.submitted_at <= ended.started_at <= ended.ended_at


@pytest.fixture
def commit(tmp_path):
    """The worktree as a repository with one commit."""
    tree = tmp_path / "tree"
    (tree / "sub dir").mkdir(parents=True)
    (tree / "sub dir" / "answer\n.txt").write_text("forty-two\n")
    (tree / "link").symlink_to("nowhere")
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x")):
        subprocess.run(("git", *words), cwd=tree, check=True)
    return tree


@pytest.mark.kubernetes
def test_a_pod_that_sees_the_commit_runs_it(make, job, commit):
    """Each file that git tracks is compared by its hash, whatever it is called."""
    assert checksums(commit).startswith("\\")
    launcher = make()
    assert settle(launcher, launcher.submit(launcher.plan(job()))).state is JobState.SUCCEEDED


@pytest.mark.kubernetes
def test_a_pod_that_sees_other_code_does_not_run_it(make, job, commit):
    """One byte differs from the commit: the command is not started, and the reason says so (R244)."""
    next((commit / "sub dir").iterdir()).write_text("forty-three\n")
    launcher = make()
    ended = settle(launcher, launcher.submit(launcher.plan(job("touch started"))))
    assert (ended.state, ended.exit_code) == (JobState.FAILED, 76)
    assert "does not see the commit of the experiment: sub dir/answer" in ended.reason
    assert not (commit / "started").exists()


@pytest.mark.kubernetes
def test_pods_may_see_the_volume_elsewhere(make, job, tmp_path):
    """Folder, log, working directory and arguments are translated; the files come back where we look."""
    (tmp_path / "mnt").symlink_to(tmp_path)
    launcher = make(paths={str(tmp_path): str(tmp_path / "mnt")})
    wanted = job("pwd -L")
    assert settle(launcher, launcher.submit(launcher.plan(wanted))).state is JobState.SUCCEEDED
    assert Path(wanted.log).read_text() == f"{tmp_path}/mnt/tree\n"


@pytest.mark.kubernetes
def test_a_pod_that_does_not_see_our_files_leaves_its_log(make, job, tmp_path):
    """Nothing is mounted where `paths` says: the run fails, and what its pod printed was fetched."""
    launcher = make(paths={str(tmp_path): "/not/mounted"})
    wanted = job()
    ended = settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert (ended.state, ended.exit_code) == (JobState.FAILED, 127)
    assert "/not/mounted" in Path(wanted.log).read_text()


@pytest.mark.kubernetes
def test_a_log_that_is_fetched_is_cleaned(make, job):
    """What looks like a secret in a pod's output is not written down."""
    launcher = make(setup=["printf 'token hf_%s\\n' abcdefghijklmnopqrstuvwxyz0123"])
    wanted = job()
    settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert Path(wanted.folder, "pod.log").read_text().startswith("token [redacted]\n")


@pytest.mark.kubernetes
def test_a_log_that_may_not_be_read_is_no_outage(make, job, double):
    """Permission to run pods is not permission to read their logs: the run ends as it ended."""
    double.trouble("fail", match="/log", status=403, reason="Forbidden")
    launcher = make()
    wanted = job("exit 3")
    assert settle(launcher, launcher.submit(launcher.plan(wanted))).exit_code == 3
    assert not Path(wanted.folder, "pod.log").exists()
    assert Path(wanted.folder, "kubernetes.json").exists()


@pytest.mark.kubernetes
def test_nothing_of_a_rayjob_is_left(make, job, go, double):
    """R253: the RayJob is Complete, and Ray cluster, submitter and pods of its name are gone."""
    launcher = make(kind="rayjob")
    job_id = launcher.submit(launcher.plan(job(WAIT, limit_s=600.0)))
    until(lambda: [one for one in objects(double, f"{RAY}/rayclusters") if one["metadata"]["name"].startswith(job_id)])
    assert any(job_id in held for held in launcher.leftovers(job_id))
    go()
    settle(launcher, job_id)
    assert launcher.leftovers(job_id) == ()
    assert double.call("GET", f"{RAY}/rayjobs/{job_id}")["status"]["jobDeploymentStatus"] == "Complete"
    for path in (f"{RAY}/rayclusters", "/api/v1/namespaces/lab/pods"):
        left = [one for one in objects(double, path) if job_id in one["metadata"]["name"]]
        assert [one["status"]["phase"] for one in left if one["kind"] == "Pod"] == ["Succeeded"] * len(left)


@pytest.mark.kubernetes
def test_a_slow_teardown_holds_up_nobody(make, job, go, double):
    """A Ray cluster that takes its time: the run is not called over before it is gone, and the other is followed."""
    launcher = make(kind="rayjob")
    slow, other = (
        launcher.submit(launcher.plan(job(what, limit_s=600.0, name=name)))
        for what, name in ((WAIT, "slow"), ("sleep 600", "other"))
    )
    held = f"{RAY}/rayclusters/" + until(lambda: next(
        (one["metadata"]["name"] for one in objects(double, f"{RAY}/rayclusters") if one["metadata"]["name"].startswith(slow)),
        "",
    ))  # fmt: skip
    double.call("PATCH", held, {"metadata": {"finalizers": ["test/slow"]}})
    go()
    until(lambda: "going down" in state_of(launcher, slow).reason)
    assert launcher.states([slow, other])[other].state is JobState.RUNNING
    assert "going down" in state_of(launcher, slow).reason
    double.call("PATCH", held, {"metadata": {"finalizers": []}})
    assert settle(launcher, slow).state is JobState.SUCCEEDED
    assert launcher.leftovers(slow) == ()
    launcher.cancel(other)


@pytest.mark.kubernetes
def test_what_does_not_go_is_left_over(make, job, go, double):
    """After `teardown_s` the run is over all the same, and what stays is named."""
    launcher = make(kind="rayjob", teardown_s=0.5)
    job_id = launcher.submit(launcher.plan(job(WAIT, limit_s=600.0)))
    name = until(lambda: [one["metadata"]["name"] for one in objects(double, f"{RAY}/rayclusters")
                          if one["metadata"]["name"].startswith(job_id)])[0]  # fmt: skip
    double.call("PATCH", f"{RAY}/rayclusters/{name}", {"metadata": {"finalizers": ["test/stuck"]}})
    go()
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert f"RayCluster {name}" in launcher.leftovers(job_id)
    double.call("PATCH", f"{RAY}/rayclusters/{name}", {"metadata": {"finalizers": []}})


@pytest.mark.kubernetes
def test_an_object_that_has_expired_is_remembered(make, job, double):
    """The controller was away for longer than the object was kept: its files say how the run ended."""
    launcher = make(ttl_s=0)
    wanted = job("exit 3")
    job_id = launcher.submit(launcher.plan(wanted))
    until(lambda: not [one for one in objects(double, JOBS) if one["metadata"]["name"] == job_id])
    ended = state_of(make(), job_id)
    assert (ended.state, ended.exit_code) == (JobState.FAILED, 3)


def test_a_page_that_has_expired_begins_the_list_again():
    """410 in the middle of a long list: it is asked for once more, whole, and none is missed or doubled."""

    class GoneError(Exception):
        status = 410

    def ask(limit=None, _continue="") -> dict:
        if _continue:
            raise GoneError
        items = [1, 2] if limit else [1, 2, 3]
        return {"items": items, "metadata": {"continue": "next" if limit else ""}}

    assert _pages(ask) == [1, 2, 3]
    assert _pages(lambda **page: {"items": [1], "metadata": SimpleNamespace(get=lambda _: None)}) == [1]


@pytest.mark.kubernetes
def test_kubectl_sees_what_we_made(make, job, double):
    """The real kubectl lists our objects by label and reads the pod's log, as the how-to page tells people to."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: apt-get install kubernetes-client")
    launcher = make(kind="rayjob")
    job_id = launcher.submit(launcher.plan(job("echo the very end")))
    settle(launcher, job_id)

    def ask(*words: str) -> str:
        argv = (kubectl, "--kubeconfig", str(double.kubeconfig), *words)
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout

    assert ask("get", "rayjobs", "-l", f"autoresearch/run={job_id}", "-o", "name") == f"rayjob.ray.io/{job_id}\n"
    assert f"rayjob.ray.io/{job_id}\n" in ask("get", "rayjobs,pods", "-l", "autoresearch/run", "-o", "name")
    assert "the very end" in ask("logs", f"job/{job_id}")
    ask("delete", "rayjob", job_id, "--wait=true", "--timeout=200s")
    assert ask("get", "pods", "-l", f"autoresearch/run={job_id}", "-o", "name") == ""


def test_a_missing_configuration_is_one_clear_line(tmp_path, job, monkeypatch):
    """No kubeconfig and no pod around us: what was tried, and where it failed."""
    pytest.importorskip("kubernetes")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    launcher = KubernetesLauncher(SITE, tmp_path)
    with pytest.raises(LauncherError, match="could not read the kube configuration"):
        launcher.submit(launcher.plan(job()))
