"""Whole GPUs of one machine, through the real bindings and a stand-in for the driver's library."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.launchers.local import LocalLauncher
from autoresearch.machine.processes import run
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import JobFactory, settle

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler for the stand-in driver")

CONTROLLER = """
import json, sys
from pathlib import Path
from autoresearch.run.job import Submission
from autoresearch.errors import LauncherError
from autoresearch.launchers.local import LocalLauncher
folder = Path(sys.argv[1])
plan = Submission(**json.loads((folder / "plan.json").read_text()))
try:
    LocalLauncher(json.loads(sys.argv[2]), folder).submit(plan)
except LauncherError as error:
    print(error)
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """Folder with the stand-in library."""
    folder = tmp_path_factory.mktemp("driver")
    source, library = Path(__file__).with_name("fake_nvml.c"), folder / "libnvidia-ml.so.1"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
    return folder


@pytest.fixture
def gpus(tmp_path):
    """File with the bytes in use on four GPUs."""
    file = tmp_path / "gpus"
    file.write_text("0\n0\n0\n0\n")
    return file


@pytest.fixture
def submit(tmp_path, driver, gpus):
    """Submits a job from a controller of its own that sees four GPUs; returns what it printed."""

    def send(job, options=None, **environ: str) -> str:
        folder = tmp_path / "campaign"
        folder.mkdir(exist_ok=True)
        plan = LocalLauncher(options or {}, folder).plan(job)
        (folder / "plan.json").write_text(json.dumps({**vars(plan), "payload": dict(plan.payload)}))
        env = os.environ | {"LD_LIBRARY_PATH": str(driver), "FAKE_GPUS": str(gpus)} | environ
        return run([sys.executable, "-c", CONTROLLER, str(folder), json.dumps(options or {})], env=env).text

    return send


@pytest.fixture
def launcher(tmp_path):
    return LocalLauncher({}, tmp_path / "campaign")


def shown(job):
    return Path(job.log).read_text().strip()


SHOW = "echo $CUDA_DEVICE_ORDER $CUDA_VISIBLE_DEVICES"


def test_a_busy_gpu_is_left_alone(tmp_path, submit, launcher, gpus):
    """A GPU on which somebody else has memory in use is not handed out."""
    gpus.write_text("5000000000\n0\n2000000000\n0\n")
    job = JobFactory(tmp_path)(SHOW, gpus=2)
    submit(job)
    settle(launcher, "run-1")
    assert shown(job) == "PCI_BUS_ID 1,3"


def test_what_counts_as_busy_is_an_option(tmp_path, submit, launcher, gpus):
    """The threshold is the user's."""
    gpus.write_text("2000000000\n9000000000\n")
    job = JobFactory(tmp_path)(SHOW, gpus=1)
    submit(job, {"max_gpu_memory_used_gb": 3.0})
    settle(launcher, "run-1")
    assert shown(job) == "PCI_BUS_ID 0"


@pytest.mark.parametrize(
    "visible", ["2,3", "GPU-fake-2,GPU-unlike-3", " 3 , 2 ", "GPU-unlike,2,GPU-fake,1", "2,3,-1,0"]
)
def test_only_gpus_we_were_given_are_handed_out(tmp_path, submit, launcher, visible):
    """Inside an allocation, by index or UUID, its GPUs are all there are; after a name that means none CUDA stops."""
    job = JobFactory(tmp_path)(SHOW, gpus=2)
    submit(job, CUDA_VISIBLE_DEVICES=visible)
    settle(launcher, "run-1")
    assert shown(job) == "PCI_BUS_ID 2,3"


def test_a_gpu_that_does_not_answer_is_not_used(tmp_path, submit, launcher):
    """A GPU the driver knows nothing of, one that fell off the bus, is not free; the run waits instead of crashing."""
    submit(JobFactory(tmp_path)(SHOW, gpus=1), {"gpus": [7]})
    assert launcher.states(["run-1"])["run-1"].state is JobState.QUEUED
    launcher.cancel("run-1")
    assert settle(launcher, "run-1").state is JobState.CANCELLED


def test_more_gpus_than_there_are_is_refused(tmp_path, submit, launcher):
    """The message says what was asked for and what there is."""
    said = submit(JobFactory(tmp_path)(SHOW, gpus=8))
    assert said.startswith("run run-1 needs 8 GPUs and this machine has 4;")
    assert launcher.find("run-1") is None


@pytest.mark.parametrize(("visible", "said"), [
    ("GPU-fake", "this machine has 0; lower"), ("0,0", "this machine has 1; lower"), ("", "this machine has 0; lower"),
    ("MIG-5c8-1/0", "names a MIG device (MIG-5c8-1/0)"), ("0,MIG-5c8,1", "this machine has 1; CUDA_VISIBLE_DEVICES"),
])  # fmt: skip
def test_what_names_no_whole_gpu_is_none(tmp_path, submit, visible, said):
    """The beginning of several UUIDs, one GPU twice, nothing; and a part of a GPU is called by its name."""
    assert said in submit(JobFactory(tmp_path)(SHOW, gpus=2), CUDA_VISIBLE_DEVICES=visible)


def test_a_unique_beginning_of_a_uuid_is_enough(tmp_path, submit, launcher):
    """As CUDA reads it."""
    job = JobFactory(tmp_path)(SHOW, gpus=1)
    submit(job, CUDA_VISIBLE_DEVICES="GPU-unl")
    settle(launcher, "run-1")
    assert shown(job) == "PCI_BUS_ID 3"


def test_a_queued_run_starts_when_somebody_else_leaves(tmp_path, submit, launcher, gpus):
    """Nobody has to ask: the waiting run sees the GPU become free."""
    gpus.write_text("5000000000\n")
    submit(JobFactory(tmp_path)(SHOW, gpus=1))
    assert launcher.states(["run-1"])["run-1"].state is JobState.QUEUED
    gpus.write_text("0\n")
    assert settle(launcher, "run-1").state is JobState.SUCCEEDED


def test_peak_gpu_memory_is_the_most_seen(tmp_path, submit, launcher, gpus):
    """While a run holds GPUs, the largest memory in use on any of them is kept."""
    looked = f"rm -f {gpus}.seen; until [ -e {gpus}.seen ]; do sleep 0.02; done"
    submit(JobFactory(tmp_path)(f"echo 7000000000 > {gpus}; {looked}; {looked}; echo 1000 > {gpus}", gpus=1))
    assert settle(launcher, "run-1").peak_gpu_memory_gb == pytest.approx(7.0)
