"""One campaign, three kinds of places: the ledger says the same wherever the runs were."""

import pytest
from tests.conftest import commit_all
from tests.launchers.clusters import RAY_SUB

pytestmark = pytest.mark.full

TRAIN = """\
import json, sys
config = json.load(open("config.json"))
if config["lr"] > 1:
    sys.exit("RuntimeError: lr is too high")
print("score:", 0.5 + config["lr"] - config["wd"])
"""


def campaign(lab, launcher):
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    lab.write(launcher=launcher, verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    return lab


@pytest.fixture(scope="module")
def at_home(make_lab):
    """The campaign on this machine."""
    lab = campaign(make_lab(), {"type": "local"})
    assert lab.run().returncode == 0
    return lab.said()


@pytest.mark.slurm
def test_slurm_gives_the_same_ledger(lab, slurm, at_home):
    """Only launcher, job id and times differ."""
    done = campaign(lab, {"type": "slurm", "poll_s": 0.2}).run()
    assert done.returncode == 0, done.stderr
    assert lab.said() == at_home
    assert {row.launcher for row in lab.rows()} == {"slurm"}
    assert all(row.job_id.isdigit() for row in lab.rows())


@pytest.mark.slurm
def test_killed_on_slurm_it_goes_on_with_the_same_jobs(lab, slurm, at_home):
    """Killed after the scheduler had the job and before the journal said so: adopted, not submitted again."""
    campaign(lab, {"type": "slurm", "poll_s": 0.2})
    assert lab.run(fault="run.submitted#2=kill").returncode == -9
    assert lab.run().returncode == 0
    assert lab.said() == at_home
    assert [event["adopted"] for event in lab.journal("run_submitted")] == [False, True, False, False]


@pytest.mark.slurm
def test_a_warm_allocation_gives_the_same_ledger(lab, slurm, at_home, no_pyxis):
    """Each run a Ray cluster in a container. Killed in the middle, it goes on in the same allocation, gives it back at
    the end, and tells what it cost.
    """
    (lab.root / "ray.sub").write_text(RAY_SUB)
    held = {"allocation": {"nodes": 2, "time": "10m", "idle": "5m"}, "style": "ray.sub", "container": "image"}
    campaign(lab, {"type": "slurm", "poll_s": 0.2, **held})
    assert lab.run(fault="run.submitted#2=kill").returncode == -9
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert lab.said() == at_home
    assert [event["adopted"] for event in lab.journal("run_submitted")] == [False, True, False, False]
    (held,) = lab.journal("allocation_ended")
    assert {row.job_id.split(".")[0] for row in lab.rows()} == {held["job_id"]}
    assert slurm.do("squeue", "-h", "-j", held["job_id"], "-t", "all", "-o", "%T").strip() == "CANCELLED"
    assert "idle in warm allocations" in (lab.folder / "report.md").read_text()
    assert "--container-image=image" in no_pyxis.read_text()


@pytest.mark.ray
def test_ray_gives_the_same_ledger(lab, ray_address, at_home):
    """Killed in the middle here too: the live job is adopted, and the ledger is the same."""
    campaign(lab, {"type": "ray", "poll_s": 0.2, "address": ray_address})
    assert lab.run(fault="run.submitted#2=kill").returncode == -9
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert lab.said() == at_home
    assert {row.launcher for row in lab.rows()} == {"ray"}


KUBERNETES = [
    {"type": "kubernetes", "kind": "job", "image": "nemo-rl:test"},
    {"type": "kubernetes", "kind": "rayjob", "image": "nemo-rl:test"},
    {"type": "nrl-k8s", "infra": "site.infra.yaml", "tool": ""},
]
INFRA = """\
image: nemo-rl:test
kuberay:
  training:
    name: ${user:}-site
    spec: {headGroupSpec: {rayStartParams: {}, template: {spec: {containers: [{name: ray-head}]}}}}
"""


@pytest.mark.kubernetes
@pytest.mark.parametrize("launcher", KUBERNETES, ids=lambda one: one.get("kind", one["type"]))
def test_kubernetes_gives_the_same_ledger(lab, double, at_home, launcher):
    """On a double of the API server: killed in the middle, the live job is adopted, and the ledger is the same."""
    (lab.root / "site.infra.yaml").write_text(INFRA)
    campaign(lab, {**launcher, "poll_s": 0.2, "teardown_s": 30})
    assert lab.run(fault="run.submitted#2=kill").returncode == -9
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert lab.said() == at_home
    assert {row.launcher for row in lab.rows()} == {launcher["type"]}
    assert [event["adopted"] for event in lab.journal("run_submitted")] == [False, True, False, False]
    left = double.call("GET", "/api/v1/namespaces/lab/pods")["items"]
    alive = [pod for pod in left if pod["status"]["phase"] in ("Pending", "Running")]
    assert not [pod for pod in alive if "night" in pod["metadata"]["name"]]
