"""Runs that reach for their supervisor, are stopped by others, or cannot be seen by the next controller."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from tests.conftest import WORK, Lab, commit_all

from autoresearch.machine import processes

pytestmark = pytest.mark.full

SCRIPT = """\
import json, os, pathlib, signal, sys, time
rate = json.load(open("config.json"))["lr"]
gate = pathlib.Path(os.environ["GATE"])
if rate != 0.1:
    gate.with_name("new").write_text(str(os.getpid()))
    gate.with_name("new").rename(gate.with_name("pid"))
while rate == 0.2 and not gate.exists():
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(0.02)
while rate == 0.3 and not gate.exists():
    time.sleep(0.02)
print("score:", rate)
"""


@pytest.fixture
def night(lab):
    """Makes a campaign with one idea, whose run stops its supervisor (0.2) or waits for the gate (0.3)."""

    def make(rate: float, stop: str) -> Lab:
        (lab.root / "train.py").write_text(SCRIPT)
        (lab.root / "ideas.yaml").write_text(f"- {{title: idea, area: optimizer, overrides: [lr={rate}]}}\n")
        commit_all(lab.root)
        run = {"env": {"GATE": str(lab.gate)}, "grace": 0.5}
        verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
        lab.write(launcher={"type": "local"}, run=run, stop=stop, verdict=verdict)
        return lab

    return make


def begun(lab):
    """The process of the idea's run, once it runs. Its log says nothing while the supervisor, who writes it, is stopped."""
    note = lab.gate.with_name("pid")
    lab.until(note.exists, "the idea's run works")
    return int(note.read_text())


def gone(pid):
    """Whether nothing of a process works any more; its parent may not have asked for its exit code yet."""
    found = processes.process_info(pid)
    return found is None or found.dead


def test_a_run_that_stops_its_supervisor_is_over_in_time(night):
    """The controller keeps the limit, the row says why, and nothing is left."""
    lab = night(0.2, "2 experiments, 2s each")
    done = lab.run()
    assert done.returncode == 0
    row = lab.rows()[1]
    assert (row.status, row.metric_value) == ("crash", None)
    assert "timed out: still running after 2 s; its supervisor is stopped, so the controller ended it" in row.reason
    assert gone(begun(lab))


def test_stop_now_ends_a_run_that_stops_its_supervisor(night):
    """Without any limit."""
    lab = night(0.2, "2 experiments")
    with lab.start() as controller:
        pid = begun(lab)
        assert lab.cli("stop", "--now").returncode == 0
        controller.communicate(timeout=200)
    assert gone(pid)


def test_a_stopped_run_is_shown_as_paused_and_ends_by_itself(night):
    """While somebody has stopped it and until it goes on, also for whoever asks elsewhere."""
    lab = night(0.3, "2 experiments, 1h each")
    with lab.start() as controller:
        pid = begun(lab)
        os.kill(pid, signal.SIGSTOP)
        lab.until(lambda: "paused since " in lab.cli("status").stdout, "the pause is shown")
        os.kill(pid, signal.SIGCONT)
        lab.until(lambda: "running" in lab.cli("status").stdout.split("state", 1)[-1], "it goes on")
        lab.gate.touch()
        controller.communicate(timeout=200)
    assert [row.status for row in lab.rows()] == ["keep", "keep"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="namespaces need root and util-linux")
def test_a_run_in_flight_is_adopted_from_another_process_namespace(night):
    """It is neither taken for gone nor made twice."""
    lab = night(0.3, "2 experiments, 1h each")
    with lab.start() as controller:
        begun(lab)
        controller.kill()
    apart = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "autoresearch", *WORK, "--take-over")
    with subprocess.Popen(apart, cwd=lab.root, env=lab.environ("", {}), stdout=-1, stderr=-1, text=True) as second:
        lab.until(lambda: len(lab.journal("controller_started")) == 2, "the second controller works")
        lab.until(lambda: second.poll() is None and lab.cli("status").stdout.count("running"), "it follows the run")
        lab.gate.touch()
        said = second.communicate(timeout=200)
    assert second.returncode == 0, said
    assert [event["experiment"] for event in lab.journal("run_planned")] == ["baseline", "idea"]
    assert [row.status for row in lab.rows()] == ["keep", "keep"]
