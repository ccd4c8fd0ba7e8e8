"""The nrl-k8s launcher: the contract on the API server double, and the real `nrl-k8s` where it is installed."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from autoresearch.errors import LauncherError
from autoresearch.launchers.kubernetes.nrl_k8s import NrlK8sLauncher
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import JobFactory, ProcessContract, settle

GOLDEN = Path(__file__).parents[1] / "golden" / "kubernetes"
TOOL = os.environ.get("AUTORESEARCH_TEST_NRL_K8S") or shutil.which("nrl-k8s") or ""
POD = {"spec": {"containers": [{"name": "ray", "env": []}]}}
INFRA = {
    "image": "registry.example/nemo-rl:2",
    "launch": {"entrypoint": "cd /opt && python train.py | tee log", "env": {"FROM_INFRA": "yes"}},
    "kuberay": {"training": {"name": "mine", "spec": {"headGroupSpec": {"rayStartParams": {}, "template": POD}}}},
}
SITE = {"poll_s": 0, "teardown_s": 20, "tool": ""}

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("double")]
with_tool = pytest.mark.skipif(
    not TOOL, reason="nrl-k8s is not installed: pip install infra/nrl_k8s in a clone of NeMo-RL, and put it on PATH"
)


@pytest.fixture
def infra(tmp_path):
    """An infra file that needs nothing of the cluster."""
    path = tmp_path / "site.infra.yaml"
    path.write_text(yaml.safe_dump(INFRA))
    return path


class TestContract(ProcessContract):
    @pytest.fixture
    def make(self, tmp_path, infra):
        return lambda: NrlK8sLauncher({**SITE, "infra": str(infra)}, tmp_path / "campaign")


def test_the_infra_file_gives_pods_and_variables_and_we_give_the_command(tmp_path, infra, job):
    """`launch.env` reaches the run, `launch.entrypoint` is not what runs."""
    launcher = NrlK8sLauncher({**SITE, "infra": str(infra)}, tmp_path / "campaign")
    wanted = job('echo "$FROM_INFRA"')
    assert settle(launcher, launcher.submit(launcher.plan(wanted))).state is JobState.SUCCEEDED
    assert Path(wanted.log).read_text() == "yes\n"


def test_claims_that_do_not_exist_are_named_before_anything_is_sent(tmp_path, double, job):
    """Claims, secrets and accounts are looked for; what several runs share is never made or deleted by us."""
    launcher = NrlK8sLauncher({**SITE, "infra": str(GOLDEN / "two-racks.infra.yaml")}, tmp_path / "campaign")
    wanted = replace(job(), resources=Resources(nodes=4, gpus_per_node=4))
    with pytest.raises(LauncherError, match="persistentvolumeclaims of namespace lab"):
        launcher.submit(launcher.plan(wanted))
    assert not [asked for asked in double.trouble("requests") if asked.startswith("POST")]


@with_tool
def test_the_real_tool_agrees_with_every_word(tmp_path, double, monkeypatch):
    """`nrl-k8s check` passes and `run --dry-run` shows the object that we made of the same infra file."""
    monkeypatch.setenv("NRL_K8S_USER", "Ada_L.")
    launcher = NrlK8sLauncher({**SITE, "tool": TOOL, "infra": str(GOLDEN / "two-racks.infra.yaml")}, tmp_path)
    odd = JobFactory(tmp_path / "a 'b' ${HOME} \"c\" é")
    plan = launcher.plan(replace(odd(), resources=Resources(nodes=4, gpus_per_node=4)))
    launcher.before_submitting(plan)
    assert Path(plan.folder, "no-recipe.yaml").exists()


@with_tool
def test_a_run_through_the_real_tool(tmp_path, infra, job):
    """Asked first, then submitted, and it runs."""
    launcher = NrlK8sLauncher({**SITE, "tool": TOOL, "infra": str(infra)}, tmp_path / "campaign")
    job_id = launcher.submit(launcher.plan(job()))
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert launcher.leftovers(job_id) == ()


@with_tool
def test_what_the_real_tool_refuses_is_not_sent(tmp_path, infra, job, double):
    """A key that it does not know: its own words reach the person, and nothing reaches the cluster."""
    infra.write_text(yaml.safe_dump({**INFRA, "imagee": "x"}))
    launcher = NrlK8sLauncher({**SITE, "tool": TOOL, "infra": str(infra)}, tmp_path / "campaign")
    with pytest.raises(LauncherError, match=r"(?s)nrl-k8s check refuses the run.*imagee"):
        launcher.submit(launcher.plan(job()))
    assert not [asked for asked in double.trouble("requests") if asked.startswith("POST")]


@with_tool
def test_an_object_that_the_real_tool_would_not_make_is_not_sent(tmp_path, infra, job):
    """Whichever of the two is wrong, a person should look first."""
    launcher = NrlK8sLauncher({**SITE, "tool": TOOL, "infra": str(infra)}, tmp_path / "campaign")
    plan = launcher.plan(job())
    infra.write_text(yaml.safe_dump({**INFRA, "image": "another"}))
    with pytest.raises(LauncherError, match=r"image is 'registry.example/nemo-rl:2' here and 'another' there"):
        launcher.submit(plan)
