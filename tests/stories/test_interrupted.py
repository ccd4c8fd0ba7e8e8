"""The controller goes away while real jobs run: they go on, and the next controller adopts them."""

import shutil
import signal

import psutil
import pytest
from tests.conftest import commit_all

from autoresearch.campaign.campaign import Campaign


def living(pids):
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def begun(lab, jobs=1):
    """A controller at work on as many real jobs."""
    controller = lab.start()
    lab.until(lambda: len(lab.pids()) == jobs and len(lab.journal("run_started")) == jobs, f"{jobs} jobs at work")
    return controller


@pytest.mark.parametrize("word", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_an_interrupted_controller_leaves_its_job_and_the_next_adopts_it(lab, word):
    """Ctrl-C and SIGTERM: exit code 130, the job goes on, no second process is started and no row is doubled."""
    lab.local(stop="2 experiments")
    controller = begun(lab)
    controller.send_signal(word)
    told = controller.communicate(timeout=200)[1]
    assert (controller.returncode, told.count("\n")) == (130, 1)
    assert "continue with: autoresearch run" in told
    first = lab.pids()
    assert living(first) == first
    assert "night: interrupted" in lab.cli("status").stdout
    lab.gate.touch()
    assert lab.run().returncode == 0
    assert [row.index for row in lab.rows()] == [1, 2]
    assert [pid for pid in lab.pids() if pid in first] == first
    assert len(lab.pids()) == len(lab.journal("run_planned"))


@pytest.mark.full
def test_a_hangup_under_nohup_ends_nothing(lab):
    """Started with hang-ups ignored, the controller works on when the terminal goes away."""
    lab.local(stop="2 experiments")
    lab.nohup = True
    controller = begun(lab)
    controller.send_signal(signal.SIGHUP)
    lab.gate.touch()
    controller.communicate(timeout=200)
    assert controller.returncode == 0
    assert [row.index for row in lab.rows()] == [1, 2]


@pytest.mark.full
def test_two_jobs_survive_the_death_of_their_controller(lab):
    """`kill -9` while two jobs run: `run` adopts both; each run was started once and ends as one row."""
    lab.local(parallel=2, stop="2 experiments", verdict={"policy": "greedy", "baseline_runs": 2})
    controller = begun(lab, jobs=2)
    controller.kill()
    controller.communicate(timeout=200)
    first = lab.pids()
    assert living(first) == first
    assert "night: interrupted" in lab.cli("status").stdout
    lab.gate.touch()
    assert lab.run().returncode == 0
    runs = [event["run_id"] for event in lab.journal("run_submitted")]
    assert len(runs) == len(set(runs)) == len(lab.pids())
    assert [row.index for row in lab.rows()] == [1, 2]


def test_stop_now_ends_the_job_and_proves_it_gone(lab):
    """The controller ends its runs and itself; what ran is gone, and the campaign can be continued."""
    lab.local(stop="2 experiments")
    controller = begun(lab)
    assert "asked to stop now" in lab.cli("stop", "enough", "--now").stdout
    told = controller.communicate(timeout=200)[0]
    assert controller.returncode == 0
    assert living(lab.pids()) == []
    assert "night: stopped (enough)" in told
    assert [event["leftovers"] for event in lab.journal("run_ended")] == [[]]
    lab.gate.touch()
    assert lab.run().returncode == 0
    assert [row.index for row in lab.rows()] == [1, 2]


def test_what_a_dead_controller_left_is_ended_by_stop_now(lab):
    """Nobody works on the campaign, so the command itself ends the job; without `--now` it says what can be done."""
    lab.local(stop="2 experiments")
    controller = begun(lab)
    controller.kill()
    controller.communicate(timeout=200)
    assert "1 of its runs go on by themselves" in lab.refused("stop")
    assert "1 run in flight was left: ended now, or counted" in lab.cli("stop", "--now").stdout
    assert living(lab.pids()) == []
    assert "there is nothing to stop" in lab.refused("stop", "--now")


def test_a_stopped_campaign_leaves_a_report_of_all_it_did(lab):
    """Stopped half a second after a verdict: the report is not the one written before it."""

    def stop(event) -> None:
        if event.kind == "experiment_judged" and event.name != "baseline":
            Campaign(where=lab.root).stop("enough")

    Campaign(where=lab.root).run(stop, approved_by="ada", poll_s=0.01)
    last = lab.rows()[-1]
    assert last.index == 2
    assert last.description in (lab.folder / "report.md").read_text()


@pytest.mark.full
def test_a_run_lost_to_the_machine_is_made_again(lab):
    """A node fails under an idea: the same seed again, and the idea is judged by what it does."""
    script = {"*weight-decay--1": {"states": ["running", "node-failed"]}, "*": {"value": [0.5]}}
    lab.write(stop="3 experiments", launcher={"type": "scripted", "script": script})
    assert lab.run().returncode == 0
    assert [row.status.value for row in lab.rows()][1:] == ["discard", "discard"], lab.said()
    again = [event for event in lab.journal("run_planned") if "weight-decay" in event["run_id"]]
    assert [event["seed"] for event in again] == [42, 42]


AFTER_THE_GATE = """
import os, pathlib, time
print("pid", os.getpid(), flush=True)
while not pathlib.Path(os.environ["GATE"]).exists():
    time.sleep(0.02)
print("score:", len(open("config.json").read()))
"""


@pytest.mark.full
def test_a_run_whose_code_was_removed_is_made_again(lab):
    """Somebody deletes the worktree under a run, which then fails: its code comes back, and the run too."""
    lab.local(stop="1 experiment")
    (lab.root / "train.py").write_text(AFTER_THE_GATE)
    commit_all(lab.root)
    controller = begun(lab)
    shutil.rmtree(lab.root / ".autoresearch" / "worktrees")
    lab.gate.touch()
    assert "night: ended" in controller.communicate(timeout=200)[0]
    ends = [event["status"] for event in lab.journal("run_ended")]
    assert [status["state"] for status in ends] == ["vanished", "succeeded"]
    assert "was removed while it ran" in ends[0]["reason"]
    assert [(row.index, row.status.value) for row in lab.rows()] == [(1, "keep")]
