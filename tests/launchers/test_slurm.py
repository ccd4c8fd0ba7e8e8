"""The Slurm launcher on a real Slurm of three nodes: the contract, every end of a job, adoption, outages."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.launchers.clusters import reach
from tests.launchers.conftest import WAIT

from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.run.ending import Account, Who, judge
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import ProcessContract, settle

pytestmark = [pytest.mark.full, pytest.mark.slurm, pytest.mark.usefixtures("slurm")]


@pytest.fixture
def make(tmp_path):
    def maker(**options: object) -> SlurmLauncher:
        return SlurmLauncher({"poll_s": 0, **options}, tmp_path / "campaign")

    return maker


class TestContract(ProcessContract):
    """A plain batch job for each run."""


def test_a_finished_run_tells_all_that_is_known(submit, job):
    """Queue time and run time apart, node, exit code, reason, memory and processor time."""
    launcher, job_id = submit(job("sleep 0.3; exit 3"))
    status = settle(launcher, job_id)
    assert status.node in {"n1", "n2", "n3"}
    assert status.submitted_at - 1 <= status.started_at <= status.ended_at
    assert 0.3 <= status.ended_at - status.started_at < 60
    assert (status.exit_code, status.reason) == (3, "exited with code 3")
    assert 0 < status.peak_memory_gb < 1


def test_the_limit_holds_to_the_second(submit, job):
    """Slurm counts minutes and looks now and then; our limit is kept by the supervisor inside the job."""
    launcher, job_id = submit(job("trap '' TERM; sleep 60; sleep 60", limit_s=1.0, grace_s=0.5))
    status = settle(launcher, job_id)
    assert status.state is JobState.TIMED_OUT
    assert 1.0 <= status.ended_at - status.started_at < 30.0  # Slurm's own unit is the minute


def test_a_waiting_job_is_queued_and_can_be_cancelled(submit, job, slurm):
    """A job that nothing has been started of yet is queued, with Slurm's reason, and ends as cancelled."""
    launcher, job_id = submit(job(), extra=["--hold"])
    status = launcher.states([job_id])[job_id]
    assert (status.state, status.started_at) == (JobState.QUEUED, None)
    assert "JobHeldUser" in status.reason
    launcher.cancel(job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED


def test_cancelled_by_somebody_else(submit, job, slurm):
    """An administrator's scancel is a cancelled run, not a failed one."""
    launcher, job_id = submit(job("sleep 60"))
    reach(launcher, job_id, JobState.RUNNING)
    slurm.do("scancel", job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED


def test_preempted_by_a_job_of_higher_priority(submit, make, job, slurm):
    """A run that lost its node to another is preempted."""
    launcher, low = submit(job("sleep 60"), partition="low", nodelist="n3", extra=["--exclusive"])
    reach(launcher, low, JobState.RUNNING)
    high = make(partition="high", nodelist="n3", extra=["--exclusive"])
    high.submit(high.plan(job(name="high")))
    status = settle(launcher, low)
    assert (status.state, launcher.leftovers(low)) == (JobState.PREEMPTED, ())


def test_more_memory_than_slurm_allows(submit, job, slurm):
    """What the kernel kills within Slurm's memory limit is out of memory."""
    if not slurm.cgroup:
        pytest.skip("Slurm enforces memory here only with cgroup v1 and its memory controller")
    hungry = f"exec {sys.executable} -c 'x = bytearray(400_000_000); print(len(x))'"
    launcher, job_id = submit(job(hungry), extra=["--mem=120M"])
    assert settle(launcher, job_id).state is JobState.OUT_OF_MEMORY


@pytest.mark.disturbs
def test_a_failed_node(submit, job, slurm):
    """A run on a node that fails ends as that, and is not silently started again (no requeue by default)."""
    launcher, job_id = submit(job("sleep 60"), nodelist="n2")
    reach(launcher, job_id, JobState.RUNNING)
    slurm.do("scontrol", "update", "nodename=n2", "state=down", "reason=drill")
    try:
        assert settle(launcher, job_id).state is JobState.NODE_FAILED
    finally:
        slurm.resume("n2")
    assert launcher.leftovers(job_id) == ()


@pytest.mark.timeout(600)
def test_a_requeued_run_is_followed(submit, job, slurm):
    """With `requeue`, a run that goes back to the queue is queued again, starts again, and ends once.

    Slurm lets two minutes pass before the second start; told to hurry, it may send the new job the signal for the old.
    """
    wanted = job('echo "$SLURM_RESTART_COUNT" >> "$HOME_OF_RUN/starts"; [ -n "$SLURM_RESTART_COUNT" ] || sleep 60')
    wanted = type(wanted)(**{**vars(wanted), "env": {"HOME_OF_RUN": wanted.folder}})
    launcher, job_id = submit(wanted, requeue=True)
    reach(launcher, job_id, JobState.RUNNING)
    while not Path(wanted.folder, "starts").exists():
        time.sleep(0.05)
    slurm.do("scontrol", "requeue", job_id)
    assert "requeued 1 times" in reach(launcher, job_id, JobState.QUEUED).reason
    assert settle(launcher, job_id, patience_s=500).state is JobState.SUCCEEDED
    assert Path(wanted.folder, "starts").read_text() == "\n1\n"


def test_over_slurms_own_limit(submit, job, slurm):
    """Where only Slurm knows a limit, its end is a time-out too."""
    launcher, job_id = submit(job("sleep 300", limit_s=None))
    slurm.do("scontrol", "update", f"jobid={job_id}", "timelimit=1")
    assert settle(launcher, job_id, patience_s=150).state is JobState.TIMED_OUT


CONTROLLER = """
import sys; from pathlib import Path
from autoresearch.launchers.slurm.launcher import SlurmLauncher; from autoresearch.testing import JobFactory
root = Path(sys.argv[1]); launcher = SlurmLauncher({"poll_s": 0}, root / "campaign")
launcher.submit(launcher.plan(JobFactory(root)("echo started >> count; sleep 1")))
"""


@pytest.mark.parametrize("sbatch", [
    '"$real" "$@"; code=$?; [ -e dead ] || { touch dead; kill -9 $PPID; }; exit $code',
    '[ -e dead ] && exec "$real" "$@"; touch dead; kill -9 $PPID',
], ids=["after sbatch", "before sbatch"])  # fmt: skip
def test_killed_around_sbatch(make, job, on_path, sbatch):
    """The controller dies with only a record written, the job submitted or not: found by its token, or submitted."""
    wanted = job("echo started >> count; sleep 1")
    on_path("sbatch", sbatch.replace("dead", str(job.root / "dead")))
    died = subprocess.run((sys.executable, "-c", CONTROLLER, str(job.root)), capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list((job.root / "campaign" / ".slurm").glob("*.json"))) == 1
    found = make().find("run-1")
    assert bool(found) == sbatch.startswith('"$real"')
    job_id = make().submit(make().plan(wanted))
    assert job_id == (found or job_id)
    assert settle(make(), job_id).state is JobState.SUCCEEDED
    assert (job.root / "tree" / "count").read_text() == "started\n"


@pytest.mark.disturbs
def test_an_outage_is_not_a_failure(submit, job, go, slurm):
    """While slurmctld is away nothing is concluded, the run goes on, and afterwards its end is known."""
    launcher, job_id = submit(job(f"{WAIT}; echo done > finished", limit_s=600.0))
    reach(launcher, job_id, JobState.RUNNING)
    slurm.stop_controller()
    try:
        with pytest.raises(LauncherError, match="Slurm could not be reached to ask"):
            launcher.states([job_id])
        go()
        while not Path(job.root, "tree", "finished").exists():
            time.sleep(0.05)
    finally:
        slurm.start_controller()
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert launcher.leftovers(job_id) == ()


def test_what_the_queue_forgets_the_accounts_know(submit, job, slurm, on_path):
    """A job that has left the queue without an exit file is looked up with one sacct."""
    if not slurm.accounting:
        pytest.skip("no accounting: slurmdbd and mariadb-server are not installed")
    launcher, job_id = submit(job("exit 3"))
    settle(launcher, job_id)
    Path(job.root, "runs", "run-1", "exit.json").unlink()
    on_path("squeue", f'"$real" "$@" | grep -v "^{job_id} "; exit 0')
    assert reach(launcher, job_id, JobState.FAILED).exit_code == 3


def test_without_accounting_an_unexplained_end_is_vanished(submit, job, slurm, on_path, monkeypatch, tmp_path):
    """On a site that keeps no accounts, what the queue forgot and no file explains has vanished, after a while."""
    launcher, job_id = submit(job("exit 0"))
    settle(launcher, job_id)
    bare = slurm.conf.with_name("bare.conf")
    bare.write_text("\n".join(line for line in slurm.conf.read_text().splitlines() if "AccountingStorage" not in line))
    monkeypatch.setenv("SLURM_CONF", str(bare))
    on_path("squeue", "exit 0")
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    Path(job.root, "runs", "run-1", "exit.json").unlink()
    assert launcher.states([job_id])[job_id].state is JobState.UNKNOWN
    assert launcher._accounts.kept is False


def test_a_node_without_our_python_says_so(submit, job):
    """The reason names what is missing and the option that mends it."""
    launcher, job_id = submit(job(), python="/nowhere/python3")
    status = settle(launcher, job_id)
    assert (status.state, status.exit_code) == (JobState.FAILED, 127)
    assert "has no /nowhere/python3; set the launcher's option python" in status.reason
    assert "launch failed" in status.reason


def test_a_set_up_that_fails_is_a_failed_launch(submit, job):
    """A line of `setup` ends the job before the run: its words are the reason, and the run never began."""
    launcher, job_id = submit(job(), setup=["echo 'no module named cuda'; exit 3"])
    status = settle(launcher, job_id)
    assert (status.state, status.exit_code) == (JobState.FAILED, 3)
    assert "its script said: no module named cuda; its command was never reached: the launch failed" in status.reason


def test_a_job_that_ends_well_without_its_run_is_no_success(submit, job):
    """Slurm says COMPLETED, 0:0; what the run would have left is not there."""
    launcher, job_id = submit(job(), setup=["exit 0"])
    status = settle(launcher, job_id)
    assert status.state is JobState.FAILED
    assert judge(Account(status=status)).who in {Who.ENVIRONMENT, Who.NODE}


def test_a_refusal_of_sbatch_is_passed_on(submit, job):
    """What Slurm says about a partition that does not exist reaches the person."""
    with pytest.raises(LauncherError, match="invalid partition"):
        submit(job(), partition="nosuch")


def test_variables_of_a_surrounding_job_do_no_harm(submit, job, monkeypatch):
    """Run from inside a job, the variables of that job do not change ours."""
    monkeypatch.setenv("SBATCH_PARTITION", "nosuch")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "7")
    launcher, job_id = submit(job("exit 0"))
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


RAY_SUB = """#!/bin/bash
logs=$BASE_LOG_DIR/$SLURM_JOB_ID-logs
mkdir -p "$logs"
bash -c "$COMMAND" > "$logs/ray-driver.log" 2>&1
"""


@pytest.mark.parametrize(("script", "limit_s", "state"), [
    ("echo $GREETING; exit 0", 30.0, JobState.SUCCEEDED),
    ("echo $GREETING; exit 4", 30.0, JobState.FAILED),
    ("echo $GREETING; trap '' TERM; sleep 60; sleep 60", 1.0, JobState.TIMED_OUT),
])  # fmt: skip
def test_the_style_ray_sub(submit, job, script, limit_s, state):
    """A script that keeps to ray.sub's variables and log layout is followed like any other run."""
    wanted = job(script, limit_s=limit_s)
    Path(wanted.directory, "ray.sub").write_text(RAY_SUB)
    launcher, job_id = submit(wanted, style="ray.sub", container="image")
    assert settle(launcher, job_id).state is state
    assert "hello" in Path(wanted.log).read_text()
    assert not Path(wanted.log).is_symlink()


def test_five_hundred_jobs_cost_one_question(make, job, on_path, tmp_path):
    """However many runs are in flight, a poll is one squeue and no sacct."""
    launcher = make(extra=["--hold"])
    ids = [launcher.submit(launcher.plan(job(name=f"run-{number}"))) for number in range(500)]
    calls = tmp_path / "calls"
    for name in ("squeue", "sacct", "scontrol"):
        on_path(name, f'echo {name} >> {calls}; exec "$real" "$@"')
    began = time.monotonic()
    states = launcher.states(ids)
    print(f"one poll of 500 jobs: {time.monotonic() - began:.3f} s")
    assert {status.state for status in states.values()} == {JobState.QUEUED}
    assert (len(states), calls.read_text()) == (500, "squeue\n")
    subprocess.run(("scancel", *ids), check=True)


def test_the_scheduler_is_not_asked_more_often_than_allowed(make, job, on_path, tmp_path):
    """Within `poll_s` a second look costs no question."""
    launcher = make(poll_s=60)
    job_id = launcher.submit(launcher.plan(job("sleep 5")))
    calls = tmp_path / "calls"
    on_path("squeue", f'echo squeue >> {calls}; exec "$real" "$@"')
    for _ in range(5):
        launcher.states([job_id])
    assert calls.read_text() == "squeue\n"
    launcher.cancel(job_id)


def test_the_script_stays_in_the_runs_folder(submit, job):
    """What was submitted can be read afterwards, word for word."""
    wanted = job()
    launcher, _ = submit(wanted)
    assert Path(wanted.folder, "job.sh").read_text() == launcher.plan(wanted).text
    assert json.loads(Path(wanted.folder, "spec.json").read_text())["run_id"] == "run-1"


@pytest.mark.parametrize(
    ("options", "limit_s", "said"),
    [
        ({"partition": "short"}, 600.0, "say 'each' 30s or less in the stop rule"),
        ({"partition": "short"}, 30.0, ""),
        ({"partition": "short,debug"}, 600.0, ""),
        ({}, 10 * 86400.0, ""),
        ({"partition": "short", "allocation": {"time": "10m"}}, 60.0, "lower the launcher's option allocation.time"),
        ({"allocation": {"time": "10m"}}, 600.0, "raise the launcher's option allocation.time"),
    ],
)
def test_what_a_partition_is_too_short_for_is_said_beforehand(make, options, limit_s, said):
    """With the length that would do; `short` lets a job run for two minutes."""
    told = make(**options).too_long(limit_s, 30.0, Resources())
    assert (said in told, bool(told)) == (True, bool(said))


def test_a_limit_above_the_partitions_is_refused_before_the_night(lab, slurm):
    """`run` begins nothing: no row and no job, and the sentence has both lengths."""
    lab.write(launcher={"type": "slurm", "partition": "short"}, stop="3 experiments, 10m each")
    done = lab.run()
    told = "partition short lets a job run for 2m at most and a run of 10m asks for 12m, its end included"
    assert (done.returncode != 0, told in done.stderr, lab.rows()) == (True, True, ())


@pytest.mark.disturbs
def test_a_job_cancelled_before_its_script_is_cancelled(submit, job, slurm):
    """In its first second, while the node's Prolog goes on: nothing of the launch failed."""
    slow = slurm.folder / "slow-nodes"
    slow.write_text("n2\n")
    try:
        launcher, job_id = submit(job("sleep 60"), nodelist="n2")
        while slurm.do("squeue", "-h", "-j", job_id, "-o", "%T %r").strip() != "RUNNING Prolog":
            time.sleep(0.05)
        slurm.do("scancel", job_id)
    finally:
        slow.unlink()
    status = settle(launcher, job_id)
    assert (status.state, "launch failed" in status.reason) == (JobState.CANCELLED, False)


def suspend(launcher, slurm, job_id):
    """Suspends a running job and waits until the launcher shows it."""
    reach(launcher, job_id, JobState.RUNNING)
    slurm.do("scontrol", "suspend", job_id)
    while (since := launcher.states([job_id])[job_id].paused_since) is None:
        time.sleep(0.05)
    return since


def test_a_suspended_job_is_paused_and_its_limit_waits(submit, job, go, slurm):
    """Paused since the first look that showed it, past its limit by the clock on the wall, and well when it goes on."""
    launcher, job_id = submit(job(WAIT, limit_s=20.0))
    since = suspend(launcher, slurm, job_id)
    while time.time() < since + 22:
        status = launcher.states([job_id])[job_id]
        assert (status.state, status.paused_since) == (JobState.RUNNING, since)
        time.sleep(0.2)
    go()
    slurm.do("scontrol", "resume", job_id)
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


def test_preempted_after_a_pause_is_preempted(submit, job, slurm):
    """A pause that is over changes nothing of how it ends."""
    launcher, job_id = submit(job("sleep 900", limit_s=800.0), partition="low", nodelist="n3", extra=["--exclusive"])
    suspend(launcher, slurm, job_id)
    slurm.do("scontrol", "resume", job_id)
    reach(launcher, job_id, JobState.RUNNING)
    slurm.do("sbatch", "--wait", "-p", "high", "-w", "n3", "--exclusive", "-o", "/dev/null", "--wrap", "true")
    assert settle(launcher, job_id).state is JobState.PREEMPTED


def test_cancelled_while_suspended_is_cancelled(submit, job, slurm):
    """Slurm wakes it to end it, and says who."""
    launcher, job_id = submit(job("sleep 120", limit_s=100.0))
    suspend(launcher, slurm, job_id)
    slurm.do("scancel", job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED
