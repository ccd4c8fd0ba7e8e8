"""The local launcher: the contract, and what is special about one machine."""

import json
import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.launchers.conftest import WAIT, is_named_and_ended

from autoresearch.errors import LauncherError, StorageError
from autoresearch.launchers.local import LocalLauncher
from autoresearch.machine import gpus
from autoresearch.machine.processes import run
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import JobFactory, ProcessContract, settle


@pytest.fixture
def launcher(tmp_path):
    return LocalLauncher({}, tmp_path / "campaign")


class TestContract(ProcessContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda: LocalLauncher({}, tmp_path / "campaign")


def ended(wanted):
    return json.loads(Path(wanted.folder, "exit.json").read_text())


def test_the_plan_can_be_pasted(launcher, tmp_path):
    """The text of a plan, given to a shell, does what the launcher would do."""
    odd = JobFactory(tmp_path / "a 'b'\n$c")
    wanted = odd('echo "$GREETING $AUTORESEARCH_RUN_ID" >&2', name="run 'x'")
    run(["sh"], stdin=launcher.plan(wanted).text.encode())
    assert Path(wanted.log).read_text() == "hello, 'you' $HOME run 'x'\n"


def test_a_misspelt_option_is_answered_with_the_right_one(tmp_path):
    """Unknown options are refused and the nearest valid one is named."""
    with pytest.raises(LauncherError, match="'gpu'; did you mean 'gpus'"):
        LocalLauncher({"gpu": [0]}, tmp_path)


@pytest.mark.parametrize("options", [{"gpus": "all"}, {"grace_s": -1}, {"env": {"A": 1}}, {"gpus": [0.5]}])
def test_a_wrong_value_is_one_clear_line(tmp_path, options):
    """A value of the wrong kind names its option."""
    with pytest.raises(LauncherError, match=f"option {next(iter(options))}"):
        LocalLauncher(options, tmp_path)


def test_many_nodes_are_refused_before_anything_is_sent(launcher, job):
    """One machine cannot be two nodes; the plan already says so."""
    wanted = job()
    two = type(wanted)(**{**vars(wanted), "resources": Resources(nodes=2, gpus_per_node=8)})
    with pytest.raises(LauncherError, match="needs 2 nodes"):
        launcher.plan(two)


def test_a_disk_that_takes_no_more_is_told(launcher, job, tmp_path):
    """A campaign folder that cannot be written is a storage error, and nothing was started."""
    (tmp_path / "campaign").write_text("not a folder")
    with pytest.raises(StorageError, match="run run-1 was not started"):
        launcher.submit(launcher.plan(job()))


def test_gpus_that_do_not_exist_are_refused(tmp_path, job):
    """A run that could never start is refused at once instead of queued for ever."""
    launcher = LocalLauncher({"gpus": [0, 1]}, tmp_path / "campaign")
    with pytest.raises(LauncherError, match="needs 3 GPUs and this machine has 2"):
        launcher.submit(launcher.plan(job(gpus=3)))
    assert launcher.find("run-1") is None


def test_a_command_that_does_not_exist_failed(launcher, job):
    """The reason names the program, as a shell would."""
    wanted = job()
    plan = launcher.plan(type(wanted)(**{**vars(wanted), "argv": ("no-such-program",)}))
    status = settle(launcher, launcher.submit(plan))
    assert (status.state, status.exit_code) == (JobState.FAILED, 127)
    assert "no-such-program: No such file or directory" in status.reason


def test_a_campaign_variable_is_set_and_a_run_may_override_it(tmp_path, job):
    """Options give every run its variables; the job's own win."""
    launcher = LocalLauncher({"env": {"COLOUR": "red", "GREETING": "none"}}, tmp_path / "campaign")
    wanted = job('echo "$COLOUR $GREETING"')
    settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert Path(wanted.log).read_text() == "red hello, 'you' $HOME\n"


def test_a_signal_is_told_from_an_exit_code(launcher, job):
    """A run that was killed by a signal says by which, and that it was not ours."""
    status = settle(launcher, launcher.submit(launcher.plan(job("kill -SEGV $$"))))
    assert (status.state, status.exit_code) == (JobState.FAILED, 128 + signal.SIGSEGV)
    assert "SIGSEGV, which autoresearch did not send" in status.reason


def seen_to(launcher, job_id, wanted):
    """Poll until a status is as wanted; a run that ends before it never will be."""
    while not wanted(status := launcher.states([job_id])[job_id]):
        assert not status.state.ended, status
        time.sleep(0.02)
    return status


def test_what_it_cost_is_measured(launcher, job, go):
    """Processor seconds cover the whole tree, memory its largest moment, times its real length."""
    burn = "import os; x = bytearray(80_000_000)\nwhile not os.path.exists('go'): pass"
    wanted = job(f'({sys.executable} -c "{burn}") & wait', limit_s=600.0)
    job_id = launcher.submit(launcher.plan(wanted))
    seen_to(launcher, job_id, lambda status: (status.cpu_s or 0) > 0.1 and (status.peak_memory_gb or 0) > 0.08)
    go()
    status = settle(launcher, job_id)
    assert status.cpu_s > 0.1
    assert 0.08 < status.peak_memory_gb < 1.0
    assert status.ended_at - status.started_at == pytest.approx(ended(wanted)["wall_s"], abs=0.01)


def test_too_much_memory_ends_a_run(launcher, job):
    """The memory limit holds for the tree and is told apart from a failure."""
    hungry = job(f"{sys.executable} -c 'import time; x = bytearray(200_000_000); time.sleep(300)'", memory_gb=0.1)
    status = settle(launcher, launcher.submit(launcher.plan(hungry)))
    assert status.state is JobState.OUT_OF_MEMORY
    assert "memory limit of 0.1 GB" in status.reason


def test_shared_memory_counts_once(launcher, job, go):
    """Workers that share their parent's pages, as data loaders do, do not break a limit they keep."""
    share = 'import os, time\nx = bytearray(60_000_000)\nfor _ in range(3):\n    os.fork() or time.sleep(300)\nwhile not os.path.exists("go"): time.sleep(0.02)'
    wanted = job(f"{sys.executable} -c '{share}'", memory_gb=0.15, limit_s=600.0)
    job_id = launcher.submit(launcher.plan(wanted))
    seen_to(launcher, job_id, lambda status: (status.peak_memory_gb or 0) > 0.15)
    go()
    status = settle(launcher, job_id)
    assert status.state is JobState.SUCCEEDED
    assert status.peak_memory_gb > 0.15


RACER = """
import json, sys
from pathlib import Path
from autoresearch.run.job import Submission
from autoresearch.launchers.local import LocalLauncher
folder = Path(sys.argv[1])
plan = Submission(**json.loads((folder / "plan.json").read_text()))
launcher = LocalLauncher({}, folder)
(folder / sys.argv[2]).touch()
while len(list(folder.glob("ready*"))) < 4:
    pass
print(launcher.submit(plan))
"""


def test_racing_submissions_start_one_process(tmp_path, launcher, job):
    """Four controllers that submit one run at one moment start it once and all get its id."""
    plan = launcher.plan(job("echo started >> count"))
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(asdict(plan)))
    with ThreadPoolExecutor() as pool:
        racers = [pool.submit(run, [sys.executable, "-c", RACER, str(folder), f"ready-{n}"]) for n in range(4)]
    assert [racer.result().text for racer in racers] == ["run-1"] * 4
    settle(launcher, "run-1")
    assert (tmp_path / "tree" / "count").read_text() == "started\n"


def test_a_crash_before_the_start_is_mended_by_submitting_again(launcher, job, tmp_path):
    """A run that was recorded but not started is not found, is reported as vanished, and can be submitted."""
    plan = launcher.plan(job())
    records = tmp_path / "campaign" / ".runs"
    records.mkdir(parents=True)
    (records / "run-1.json").write_text(json.dumps({"folder": plan.folder, "submitted_at": 1.0}))
    assert launcher.find("run-1") is None
    assert launcher.states(["run-1"])["run-1"].state is JobState.VANISHED
    assert settle(launcher, launcher.submit(plan)).state is JobState.SUCCEEDED


def test_a_run_that_is_just_being_started_is_found(launcher, job, tmp_path):
    """A controller killed while its supervisor starts leaves a run that is found, not one that appears later."""
    wanted = job()
    records = tmp_path / "campaign" / ".runs"
    records.mkdir(parents=True)
    (records / "run-1.json").write_text(json.dumps({"folder": wanted.folder, "submitted_at": time.time()}))
    late = threading.Timer(0.3, Path(wanted.folder, "supervisor.json").touch)
    late.start()
    assert launcher.find("run-1") == "run-1"
    late.join()


def test_a_run_on_another_machine_is_left_alone(launcher, job, tmp_path):
    """On a shared disk, a run that another machine reports on is running, and is to be cancelled there."""
    wanted = job()
    settle(launcher, launcher.submit(launcher.plan(wanted)))
    Path(wanted.folder, "exit.json").unlink()
    state = Path(wanted.folder, "supervisor.json")
    other = {"boot": "other", "node": "other"}
    state.write_text(json.dumps(json.loads(state.read_text()) | other))
    record = tmp_path / "campaign" / ".runs" / "run-1.json"
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "watcher": known["watcher"] | other}))
    assert launcher.states(["run-1"])["run-1"].state is JobState.RUNNING
    with pytest.raises(LauncherError, match="is on other; cancel it there"):
        launcher.cancel("run-1")
    os.utime(state, (1.0, 1.0))
    assert launcher.states(["run-1"])["run-1"].state is JobState.VANISHED


def supervisor_of(job):
    return json.loads(Path(job.folder, "supervisor.json").read_text())["pid"]


def in_state(pid, letters):
    """Wait until a process is in one of these states."""
    until = time.monotonic() + 200
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in letters:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_stopped_supervisor_is_told_and_can_be_passed_over(launcher, job):
    """A run that stops it keeps no limit any more: forced, all of it ends, in the words of whoever forced it."""
    wanted = job("kill -STOP $PPID; trap '' TERM; while :; do sleep 0.02; done")
    job_id = launcher.submit(launcher.plan(wanted))
    status = seen_to(launcher, job_id, lambda status: status.deaf)
    assert (status.deaf, status.paused_since) == ("its supervisor is stopped", None)
    assert launcher.force(job_id, "timed-out", "over time") == ()
    status = settle(launcher, job_id)
    assert (status.state, status.reason) == (JobState.TIMED_OUT, "over time")


def test_a_supervisor_that_is_stopped_again_and_again_is_killed_in_the_end(launcher, job):
    """Whatever the run does to its supervisor, nothing of either is left."""
    wanted = job("trap '' TERM; while :; do kill -STOP $PPID; done")
    job_id = launcher.submit(launcher.plan(wanted))
    seen_to(launcher, job_id, lambda status: status.deaf)
    assert launcher.force(job_id, "timed-out", "over time") == ()
    assert settle(launcher, job_id).state is JobState.TIMED_OUT


def test_a_run_that_ended_behind_the_back_of_its_stopped_supervisor_is_not_paused(launcher, job, go):
    """Nothing is left that could go on, so the second watch may act; once it goes on, the end is told as it was."""
    wanted = job(f"{WAIT}; exit 3")
    job_id = launcher.submit(launcher.plan(wanted))
    state = Path(wanted.folder, "supervisor.json")
    seen_to(launcher, job_id, lambda _: json.loads(state.read_text())["main"])
    os.kill(supervisor_of(wanted), signal.SIGSTOP)
    in_state(supervisor_of(wanted), "T")
    go()
    in_state(json.loads(state.read_text())["main"], "Z")
    status = launcher.states([job_id])[job_id]
    assert (status.state, status.paused_since, status.deaf) == (JobState.RUNNING, None, "its supervisor is stopped")
    os.kill(supervisor_of(wanted), signal.SIGCONT)
    assert settle(launcher, job_id).exit_code == 3


def test_a_cancel_reaches_a_stopped_supervisor(launcher, job):
    """It goes on, and ends its run."""
    wanted = job("sleep 300")
    job_id = launcher.submit(launcher.plan(wanted))
    os.kill(supervisor_of(wanted), signal.SIGSTOP)
    in_state(supervisor_of(wanted), "T")
    launcher.cancel(job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED


@pytest.mark.parametrize("all_of_it", [False, True], ids=["the run alone", "its supervisor as well"])
def test_a_run_that_somebody_stops_is_paused(launcher, job, go, all_of_it):
    """Since then, and until it goes on; it ends by itself, and that time is none of its own."""
    wanted = job(f"echo $$ > pid.new; mv pid.new pid; {WAIT}", limit_s=600.0)
    job_id = launcher.submit(launcher.plan(wanted))
    place = Path(wanted.directory, "pid")
    while not place.exists():
        time.sleep(0.02)
    pids = [int(place.read_text()), *([supervisor_of(wanted)] if all_of_it else [])]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        in_state(pid, "T")
    children = [int(pid) for pid in Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()]
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    assert seen_to(launcher, job_id, lambda status: status.paused_since).paused_since <= time.time()
    for pid in (*children, *pids):
        os.kill(pid, signal.SIGCONT)
    seen_to(launcher, job_id, lambda status: status.paused_since is None)
    go()
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


FORGE = """import json, os, sys, time
folder = os.environ["AUTORESEARCH_RUN_FOLDER"]
end = {"ending": "exited", "exit_code": 0, "reason": "", "node": "", "started_at": 1.0, "ended_at": 2.0, "seal": "x"}
open(folder + "/exit.json", "w").write(sys.argv[1] or json.dumps(end))
open(folder + "/supervisor.json", "w").write('{"pid": [], "sealed": "y"}')
while not os.path.exists("go"): time.sleep(0.02)
sys.exit(3)
"""


@pytest.mark.parametrize("end", ["", "{}", '{"ending": 3}', "no json"])
def test_an_end_that_the_run_wrote_itself_is_not_believed(launcher, job, go, end):
    """It goes on until its supervisor says that it is over, and that tells of the other one."""
    wanted = job(f"{sys.executable} forge.py '{end}'", limit_s=600.0)
    Path(wanted.directory, "forge.py").write_text(FORGE)
    job_id = launcher.submit(launcher.plan(wanted))
    while not Path(wanted.folder, "exit.json").exists():
        time.sleep(0.02)
    seen_to(launcher, job_id, lambda status: status.state is JobState.RUNNING)
    go()
    status = settle(launcher, job_id)
    assert (status.state, status.exit_code) == (JobState.FAILED, 3)
    assert "somebody else than its supervisor wrote it" in status.tampered


def test_a_forged_end_of_a_run_that_kills_its_supervisor_is_told(launcher, job):
    """Nobody has the last word then, and what lies there is no end."""
    kill = f"until test -e {job.root}/runs/run-1/exit.json; do sleep 0.02; done; kill -KILL $PPID"
    wanted = job(f"({kill}) & {sys.executable} forge.py ''")
    Path(wanted.directory, "forge.py").write_text(FORGE)
    job_id = launcher.submit(launcher.plan(wanted))
    seen = settle(launcher, job_id)
    launcher.cancel(job_id)
    assert seen.state is JobState.VANISHED
    assert "somebody else than its supervisor wrote it" in seen.tampered
    assert launcher.leftovers(job_id) == ()


def test_what_wiped_its_environment_and_outlives_its_supervisor_is_found_where_it_stands(launcher, job):
    """A daemon of its own session, with nothing in its environment, in the run's worktree: it is named, and ended."""
    daemon = "env -i setsid sh -c 'sleep 300 & echo $! > daemon.new; mv daemon.new daemon'"
    wanted = job(f"({daemon}) </dev/null >/dev/null 2>&1 & until test -e daemon; do sleep 0.02; done; kill -KILL $PPID")
    is_named_and_ended(launcher, wanted)


def test_a_run_of_another_process_namespace_is_known_by_its_files(launcher, job, monkeypatch):
    """Not seen is not gone: it runs while its lock is held, is asked by a file to end, and does."""
    wanted = job("sleep 300")
    job_id = launcher.submit(launcher.plan(wanted))
    seen_to(launcher, job_id, lambda status: status.state is JobState.RUNNING)
    monkeypatch.setattr("autoresearch.machine.lock_owner.space", lambda: "pid:[1]")
    os.utime(Path(wanted.folder, "supervisor.json"), (1.0, 1.0))
    assert launcher.states([job_id])[job_id].state is JobState.RUNNING
    assert "of another process-id namespace started" in launcher.leftovers(job_id)[-1]
    launcher.cancel(job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED
    assert launcher.leftovers(job_id) == ()


def test_a_run_is_over_when_its_supervisor_has_cleared_up_and_left(launcher, job):
    """Its end is written first, which must not get lost; told is it when nothing of the run stays, files included."""
    wanted = job('cd "$RAY_TMPDIR"; seq 3000 | split -l 1 -a 4; pwd > "$OLDPWD/place"')
    job_id = launcher.submit(launcher.plan(wanted))
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert launcher.leftovers(job_id) == ()
    assert not Path(Path(wanted.directory, "place").read_text().strip()).exists()


def test_who_kept_a_run_is_known_when_it_is_over(launcher, job):
    """It may end between a look at the run and the question whom to wait for: nobody would be woken by nobody."""
    job_id = launcher.submit(launcher.plan(job()))
    settle(launcher, job_id)
    assert launcher.keeper(job_id) is not None


def test_a_run_waits_while_memory_is_short(tmp_path, job):
    """It is queued with the reason, costs nothing of its limit, and can be cancelled; with enough memory it begins."""
    short = LocalLauncher({"min_free_memory_gb": 1e6}, tmp_path / "campaign")
    waiting = short.submit(short.plan(job("touch ran", name="waiting", limit_s=0.1)))
    seen_to(short, waiting, lambda status: status.reason)
    time.sleep(0.2)  # longer than its limit
    status = short.states([waiting])[waiting]
    assert status.state is JobState.QUEUED
    assert re.fullmatch(r"waiting for 1e\+06 GB of free memory, there are \d+\.\d", status.reason)
    short.cancel(waiting)
    status = settle(short, waiting)
    assert (status.state, status.started_at) == (JobState.CANCELLED, None)
    assert not (tmp_path / "tree" / "ran").exists()
    enough = LocalLauncher({"min_free_memory_gb": 0.01}, tmp_path / "campaign")
    assert settle(enough, enough.submit(enough.plan(job(name="begins")))).state is JobState.SUCCEEDED


no_driver = pytest.mark.skipif(gpus.available({}) != (), reason="these GPUs exist only without a driver")


@no_driver
def test_runs_wait_for_gpus_and_never_share_one(tmp_path, job, go):
    """Of two runs for one GPU the second is queued, and starts by itself when the first has ended."""
    index = 900 + os.getpid() % 10_000
    launcher = LocalLauncher({"gpus": [index]}, tmp_path / "campaign")
    first = launcher.submit(launcher.plan(job(WAIT, limit_s=600.0, name="first", gpus=1)))
    seen_to(launcher, first, lambda status: status.state is JobState.RUNNING)
    wanted = job("echo $CUDA_VISIBLE_DEVICES", name="second", gpus=1, limit_s=600.0)
    second = launcher.submit(launcher.plan(wanted))
    queued = seen_to(launcher, second, lambda status: status.reason)
    assert (queued.state, queued.reason) == (JobState.QUEUED, "waiting for 1 free GPUs")
    go()
    assert settle(launcher, first).ended_at <= settle(launcher, second).started_at
    assert Path(wanted.log).read_text() == f"{index}\n"


@no_driver
def test_a_queued_run_can_be_cancelled(tmp_path, job):
    """Cancelling what waits for a GPU ends it without having run."""
    index = 900 + os.getpid() % 10_000
    launcher = LocalLauncher({"gpus": [index]}, tmp_path / "campaign")
    first = launcher.submit(launcher.plan(job("sleep 60", name="first", gpus=1)))
    seen_to(launcher, first, lambda status: status.state is JobState.RUNNING)
    second = launcher.submit(launcher.plan(job("touch ran", name="second", gpus=1)))
    launcher.cancel(second)
    status = settle(launcher, second)
    launcher.cancel(first)
    settle(launcher, first)
    assert (status.state, status.started_at) == (JobState.CANCELLED, None)
    assert not (tmp_path / "tree" / "ran").exists()
