"""What doctor and plan say of the places where runs could happen, on machines made for it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.campaign.preflight import current_context, find_places
from autoresearch.examples.demo_repository import create

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler for a stand-in of NVIDIA's library")
GPU = {"type": "command", "source": {"type": "stdout"}, "config": "config.json", "gpus": 2}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Folder with a stand-in for NVIDIA's library."""
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).parents[1] / "launchers" / "fake_nvml.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", source], check=True)
    return folder


@pytest.fixture
def machine(driver, tmp_path):
    """The environment of a machine with four GPUs, the last of them busy."""
    (tmp_path / "gpus").write_text("0\n0\n0\n70000000000\n")
    return {"LD_LIBRARY_PATH": str(driver), "FAKE_GPUS": str(tmp_path / "gpus")}


def kubeconfig(folder, text):
    """A kubeconfig file."""
    (folder / "config").write_text(text)
    return {"KUBECONFIG": str(folder / "config"), "PATH": "", "HOME": str(folder)}


def test_the_kube_context_is_read_without_kubectl(tmp_path):
    """The first file of several that sets one, as kubectl chooses it."""
    env = kubeconfig(tmp_path, "current-context: prod-east\n")
    assert find_places(env).kubernetes == "prod-east"
    (tmp_path / "first").write_text("contexts: []\n")
    assert (
        find_places(env | {"KUBECONFIG": f"{tmp_path}/first:{tmp_path}/none:{tmp_path}/config"}).kubernetes
        == "prod-east"
    )


def test_without_a_context_there_is_none(tmp_path):
    """No file, an empty one, and a pod, which needs none."""
    nothing = {"PATH": "", "HOME": str(tmp_path)}
    assert find_places(nothing).kubernetes == ""
    assert find_places(kubeconfig(tmp_path, "")).kubernetes == ""
    assert find_places(nothing | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).kubernetes == "in-cluster"


@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.text().map(lambda text: f"current-context: {text}".encode()))
)
def test_no_kubeconfig_upsets_the_look(content):
    """Whatever is in the file: a line to print, or nothing."""
    file = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp", f"kubeconfig-{os.getpid()}")
    try:
        file.write_bytes(content)
        found = current_context(file)
    finally:
        file.unlink()
    assert found.isprintable()


@needs_compiler
def test_doctor_says_what_it_would_recommend_why_and_what_it_would_refuse(lab, machine, tmp_path):
    """R30: GPUs with those that are free, each kind of cluster, and the choice for a CPU and a GPU recipe."""
    env = (
        machine
        | kubeconfig(tmp_path, "current-context: prod-east\n")
        | {"PATH": os.environ["PATH"], "RAY_ADDRESS": "auto"}
    )
    told = lab.cli("doctor", **env).stdout
    assert "4, of which 3 free" in told
    assert "prod-east" in told
    line = next(line for line in told.splitlines() if "an 8-GPU recipe" in line)
    assert "local would be refused: a run needs 8 GPUs and this machine has 4" in line
    assert "RAY_ADDRESS is auto and the launcher needs the dashboard's" in line
    assert "kubernetes" in line


@needs_compiler
def test_plan_says_where_and_that_too_many_at_once_wait(lab, machine):
    """R31: this machine while it has room; what does not fit is told before the night, not found out in it."""
    lab.write(target=GPU, launcher={"type": "local", "parallel": 3})
    done = lab.cli("run", **machine)
    assert "recommended: local, a run needs 2 GPUs and 3are free on this machine" in done.stdout
    assert "launcher.parallel is 3 and the GPUs here are enough for 2 at a time; the others wait" in done.stdout


def test_a_plan_says_what_its_launcher_lacks(lab):
    """Kubernetes needs an image, which nobody can see from here: told with the plan, before anybody approves it."""
    lab.write(launcher={"type": "kubernetes"})
    told = lab.cli("run").stdout.replace("\n", " ")
    assert re.search(r"`run` will refuse the launcher: .*(give an image|package kubernetes)", told)


@needs_compiler
@pytest.mark.parametrize(
    ("gpus", "why"),
    [
        ([3], "this machine has 4, of which launcher.gpus allows 1"),
        ([2, 9], "launcher.gpus names 9, and the GPUs here"),
    ],
)
def test_gpus_that_the_file_does_not_allow_do_not_count(lab, machine, gpus, why):
    """Refused in one line before anything began, with the key that says so."""
    lab.write(target=GPU, launcher={"type": "local", "gpus": gpus})
    assert why in lab.refused("run", "--yes", **machine)
    assert lab.journal() == []


@needs_compiler
def test_allowed_gpus_are_the_ones_a_run_gets(lab, machine):
    """The gate and the launcher agree: what passes one is started by the other."""
    (lab.root / "train.py").write_text(
        "import os\nprint('score: 1')\nprint('on', os.environ['CUDA_VISIBLE_DEVICES'])\n"
    )
    subprocess.run(("git", "commit", "-qam", "gpus"), cwd=lab.root, check=True, env=identity())
    lab.write(target=GPU, launcher={"type": "local", "gpus": [1, 2]}, stop="1 experiment")
    assert lab.run(**machine).returncode == 0
    assert "on 1,2" in (lab.folder / "baseline" / "run-1" / "run.log").read_text()


def identity():
    """A person who commits."""
    who = {"NAME": "Ada", "EMAIL": "ada@example.invalid"}
    return os.environ | {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}


def test_a_gpu_recipe_without_gpus_is_refused_and_can_be_looked_at(lab):
    """R35: no CPU run of it; its submission may be seen, and the refusal says what would do."""
    lab.write(target=GPU, launcher="local")
    line = lab.refused("run", "--yes")
    assert "launcher local is refused: a run needs 2 GPUs and this machine has none" in line
    assert "name another under `launcher:` in the campaign file" in line
    assert "train.py" in lab.cli("run", "--dry-run").stdout


def test_a_plumbing_run_of_a_gpu_recipe_goes_on_without_gpus(tmp_path):
    """R35: a few steps on CPU show whether the pieces fit; they are marked so and take no GPU."""
    made = create(tmp_path / "RL")
    recipe = made.root / "examples/configs/grpo_tiny.yaml"
    recipe.write_text(recipe.read_text().replace("gpus_per_node: 0", "gpus_per_node: 2"))
    subprocess.run(("git", "commit", "-qam", "two GPUs"), cwd=made.root, check=True, env=identity())
    session = Campaign(where=made.root)
    settings = {"target": {"type": "nemo-rl", "steps": 2}, "launcher": {"type": "local"},
                "command": [sys.executable, "examples/run_grpo.py"], "verdict": {"policy": "greedy", "baseline_runs": 1}}  # fmt: skip
    session.write(session.draft(PlanRequest(str(made.recipe), "1 experiment", "night", settings)))
    session.run(approved_by="Ada", poll_s=0.05)
    run = session.runs(1)[0]
    assert (run.planned.plumbing, run.planned.resources.gpus) == (True, 0)
    assert run.ended.status.exit_code == 0, run.ended


def test_an_unclear_place_is_asked_for(lab, tmp_path):
    """R15: Slurm and Ray both here: the plan names them, chooses none, and a run on this machine is refused."""
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RAY_ADDRESS": "http://head:8265"}
    lab.write(target=GPU, launcher="local")
    told = lab.cli("run", **env).stdout
    assert "no recommendation: a run needs 2 GPUs, and several launchers offer them: slurm, ray" in told
    assert "several launchers offer them: slurm, ray" in lab.refused("run", "--yes", **env)
