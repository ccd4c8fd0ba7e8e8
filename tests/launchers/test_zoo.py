"""A zoo of misbehaving runs: each ends in time, leaves nothing alive, and its records are right."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoresearch.launchers.local import LocalLauncher
from autoresearch.run.job import Job, JobState, RunSandbox
from autoresearch.testing.launchers import JobFactory, settle

LIMIT_S, GRACE_S = 0.6, 0.4
LONG_S = 600
"""How long an animal would live by itself: what is over before that was ended."""

PREAMBLE = """
import ctypes, os, signal, subprocess, sys, time
Path = __import__("pathlib").Path
def here():
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
here()
"""

ANIMALS = {
    "ignores TERM": "deaf(); time.sleep(600)",
    "sleeps silently": "time.sleep(600)",
    "has deaf children in sessions of their own": """
for _ in range(3):
    if not os.fork():
        os.setsid(); deaf(); here(); time.sleep(600)
time.sleep(600)""",
    "forks twice to lose its parent": """
if not os.fork():
    os.setsid()
    if not os.fork():
        deaf(); here(); time.sleep(600)
    os._exit(0)
time.sleep(600)""",
    "is a crowd": """
deaf()
for _ in range(60):
    if not os.fork():
        here()
        while True:
            os.fork() or os._exit(0)
            os.wait(); time.sleep(0.05)
time.sleep(600)""",
    "is two hundred hoppers": """
deaf()
for _ in range(200):
    if not os.fork():
        os.setsid()
        while True:
            os.fork() and os._exit(0)
time.sleep(600)""",
    "hops from process to process": """
deaf()
os.fork() and time.sleep(600)
while True:
    os.fork() and os._exit(0)
    os.setsid()""",
    "leaves zombies": """
for _ in range(20):
    os.fork() or os._exit(0)
time.sleep(600)""",
    "changes its name and wipes its environment": """
if not os.fork():
    os.setsid(); deaf(); here()
    ctypes.CDLL(None).prctl(15, b"(kthread) 1 Z", 0, 0, 0)
    os.execve("/bin/sleep", ["kworker) S 1 (x", "600"], {})
time.sleep(600)""",
    "closes its outputs": "os.close(1); os.close(2); time.sleep(600)",
    "adopts its own orphans": """
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if not os.fork():
    if not os.fork():
        os.setsid(); deaf(); here(); time.sleep(600)
    os._exit(0)
time.sleep(600)""",
}


@pytest.fixture
def launcher(tmp_path):
    return LocalLauncher({}, tmp_path / "campaign")


@pytest.fixture
def python(tmp_path):
    """Makes a job that runs a Python program."""

    def make(program, **changes: object) -> Job:
        file = tmp_path / "program.py"
        file.write_text(PREAMBLE + program)
        wanted = {"limit_s": LIMIT_S, "grace_s": GRACE_S} | changes
        job = JobFactory(tmp_path)(f"exec {sys.executable} -S {file}", **wanted)
        Path(job.directory, "pids").touch()
        return job

    return make


def alive(wanted):
    """Processes of a run that wrote their id down and still live."""
    pids = [int(line) for line in Path(wanted.directory, "pids").read_text().split()]
    assert pids
    return [pid for pid in pids if _runs(pid)]


def _runs(pid) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(wanted):
    return json.loads(Path(wanted.folder, "exit.json").read_text())


def wait_until(true, patience_s=200.0):
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_that_stops_itself_rests_no_longer_than_it_may_run(launcher, python):
    """It is paused, which costs it no time, and over all the same; how far it had come before decides which limit."""
    wanted = python("os.kill(os.getpid(), signal.SIGSTOP)", limit_s=1.0)
    status = settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert (status.state, status.reason) in {
        (JobState.TIMED_OUT, "timed out: still running after 1 s"),
        (JobState.PREEMPTED, "all of it was stopped for 1 s, as long as it may run"),
    }
    assert launcher.leftovers(wanted.run_id) == ()


WAKES = """
signal.signal(signal.SIGCONT, lambda *_: None)
clock, timer = ctypes.CDLL(None), ctypes.c_void_p()
clock.timer_create(1, (ctypes.c_int * 16)(0, 0, signal.SIGCONT, 0), ctypes.byref(timer))
clock.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 20_000_000, 0, 20_000_000), None)
while True:
    os.kill(os.getpid(), signal.SIGSTOP)
"""
HALVES = """
import threading
threading.Thread(target=time.sleep, args=(600,)).start()
if not os.fork():
    os.kill(os.getpid(), signal.SIGSTOP)
ctypes.CDLL(None).syscall(60, 0)
"""


@pytest.mark.parametrize("program", [WAKES, HALVES], ids=["wakes between two looks", "ends its first thread only"])
def test_a_run_that_only_seems_to_be_stopped_is_charged_its_time(launcher, python, program):
    """What runs between two looks, or in another thread than the first, is at its limit when the clock says so."""
    wanted = python(program, limit_s=2.0)
    status = settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert (status.state, status.reason) == (JobState.TIMED_OUT, "timed out: still running after 2 s")


@pytest.mark.parametrize("animal", ANIMALS)
def test_every_animal_is_back_in_time_and_alone(animal, launcher, python):
    """Whatever a run does to survive its limit, it and all it started are gone long before it would end by itself."""
    limit_s, wanted = LIMIT_S, None
    while wanted is None or not Path(wanted.directory, "pids").read_text():  # on a busy machine it is late
        wanted = python(ANIMALS[animal], limit_s=limit_s, name=f"run-{limit_s:g}")
        status = settle(launcher, launcher.submit(launcher.plan(wanted)))
        assert (status.state, status.reason) == (JobState.TIMED_OUT, f"timed out: still running after {limit_s:g} s")
        assert limit_s <= ended(wanted)["wall_s"] < LONG_S
        assert launcher.leftovers(wanted.run_id) == ()
        limit_s *= 4
    assert alive(wanted) == []


@pytest.mark.full
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
@pytest.mark.parametrize("sandbox", [False, True], ids=["bare", "in a sandbox"])
def test_a_crowd_that_makes_anew_whoever_is_missing_is_gone_when_its_run_is_over(launcher, tmp_path, sandbox):
    """Two hundred processes without environment, each looking after all others: killed one by one they come back."""
    wanted = JobFactory(tmp_path)('exec "$PWD/crowd" 200 100', limit_s=LIMIT_S, grace_s=GRACE_S)
    wanted = replace(wanted, sandbox=RunSandbox() if sandbox else None)
    crowd = Path(wanted.directory, "crowd")
    subprocess.run(("cc", "-O1", "-o", crowd, Path(__file__).with_name("crowd.c")), check=True)
    status = settle(launcher, launcher.submit(launcher.plan(wanted)))
    left = [one for one in psutil.process_iter(["cmdline"]) if str(crowd) in (one.info["cmdline"] or [])]
    assert (status.state, left) == (JobState.TIMED_OUT, [])


def test_a_daemon_left_behind_is_ended_and_noted(launcher, python):
    """Exit code 0 is a success, but what it left running is ended and told."""
    daemon = "if not os.fork():\n    os.setsid(); deaf(); here(); time.sleep(600)\nwhile len(open('pids').readlines()) < 2: time.sleep(0.02)"
    wanted = python(daemon, limit_s=200.0)
    status = settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert (status.state, status.exit_code) == (JobState.SUCCEEDED, 0)
    assert status.reason == "exited with code 0; 1 processes it had left running were ended"
    assert alive(wanted) == []


def test_a_flood_fills_neither_disk_nor_pipe(launcher, python):
    """300 MB as fast as it can: the file stays in its bound, head and tail survive, the rest is counted."""
    flood = """
os.write(1, b"first line\\n")
for _ in range(300):
    os.write(1, (b"x" * 99 + b"\\n") * 10_000)
os.write(1, b"last line\\n")"""
    wanted = python(flood, limit_s=200.0, max_log_bytes=4_000_000)
    assert settle(launcher, launcher.submit(launcher.plan(wanted))).state is JobState.SUCCEEDED
    log = Path(wanted.log).read_bytes()
    assert len(log) <= 4_000_000
    assert log.startswith(b"first line\n")
    assert log.endswith(b"last line\n")
    assert f"[autoresearch: {ended(wanted)['log_left_out']} bytes left out here]".encode() in log
    assert ended(wanted)["log_bytes"] == 300_000_021


def test_a_flood_does_not_delay_the_limit(launcher, python):
    """A run that never stops printing is ended as a silent one is."""
    wanted = python("deaf()\nwhile True:\n    os.write(1, b'y' * 65536)", max_log_bytes=1_000_000)
    status = settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert status.state is JobState.TIMED_OUT
    assert Path(wanted.log).stat().st_size <= 1_000_000


def test_binary_output_is_kept_as_it_is(launcher, python):
    """A log is bytes; nothing is decoded on the way."""
    wanted = python("os.write(1, bytes(range(256)) * 8)", limit_s=200.0)
    settle(launcher, launcher.submit(launcher.plan(wanted)))
    assert Path(wanted.log).read_bytes() == bytes(range(256)) * 8


CONTROLLER = """
import json, sys, time
from pathlib import Path
from autoresearch.run.job import Submission
from autoresearch.launchers.local import LocalLauncher
folder = Path(sys.argv[1])
for plan in sorted(folder.glob("plan-*.json")):
    LocalLauncher({}, folder).submit(Submission(**json.loads(plan.read_text())))
(folder / "submitted").touch()
time.sleep(600)
"""


def test_the_limit_outlives_the_controller(launcher, python, tmp_path):
    """A controller killed with -9 leaves a run that goes on and is adopted, and one that is limited all the same."""
    gate = tmp_path / "gate"
    lasting = f"deaf()\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('alone')"
    waits, limited = python(lasting, limit_s=400.0), python(lasting, limit_s=1.5, name="run-2")
    folder = tmp_path / "campaign"
    folder.mkdir()
    for number, wanted in enumerate((waits, limited)):
        plan = launcher.plan(wanted)
        (folder / f"plan-{number}.json").write_text(json.dumps({**vars(plan), "payload": dict(plan.payload)}))
    with subprocess.Popen([sys.executable, "-c", CONTROLLER, str(folder)]) as controller:
        wait_until((folder / "submitted").exists)
        controller.kill()
    assert launcher.find(waits.run_id) == waits.run_id
    assert launcher.states([waits.run_id])[waits.run_id].state is JobState.RUNNING
    assert settle(launcher, limited.run_id).state is JobState.TIMED_OUT
    gate.touch()
    assert settle(launcher, waits.run_id).state is JobState.SUCCEEDED
    assert Path(waits.log).read_text() == "alone\n"
    assert alive(waits) == []


def test_a_killed_supervisor_is_noticed_and_cleaned_up(launcher, python):
    """With its supervisor killed -9 a run has vanished; what survives is named, and a cancel ends it."""
    program = ANIMALS["changes its name and wipes its environment"].replace(
        "time.sleep(600)", "deaf(); time.sleep(600)"
    )
    wanted = python(program, limit_s=200.0)
    launcher.submit(launcher.plan(wanted))
    state = Path(wanted.folder, "supervisor.json")
    wait_until(lambda: len(json.loads(state.read_text())["tree"]) == 2)
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: launcher.states(["run-1"])["run-1"].state is JobState.VANISHED)
    assert "its supervisor was killed" in launcher.states(["run-1"])["run-1"].reason
    assert len(launcher.leftovers("run-1")) == len(alive(wanted)) == 2
    launcher.cancel("run-1")
    assert launcher.leftovers("run-1") == ()
    assert alive(wanted) == []


def test_a_well_behaved_run_does_not_outlive_its_supervisor(launcher, python):
    """The command is told to end when its supervisor dies: nothing runs without a limit for longer than it insists."""
    wanted = python("print('up', flush=True); time.sleep(600)", limit_s=200.0)
    launcher.submit(launcher.plan(wanted))
    wait_until(lambda: Path(wanted.log).exists() and Path(wanted.log).read_text() == "up\n")
    os.kill(json.loads(Path(wanted.folder, "supervisor.json").read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: alive(wanted) == [])


def test_a_shutdown_is_not_a_failure_of_the_run(launcher, python):
    """A TERM to the supervisor that is not ours ends the run as preempted, cleanly and with its records."""
    wanted = python("print('up', flush=True); time.sleep(600)", limit_s=200.0)
    launcher.submit(launcher.plan(wanted))
    wait_until(lambda: Path(wanted.log).exists() and Path(wanted.log).read_text() == "up\n")
    os.kill(json.loads(Path(wanted.folder, "supervisor.json").read_text())["pid"], signal.SIGTERM)
    status = settle(launcher, "run-1")
    assert status.state is JobState.PREEMPTED
    assert f"SIGTERM from process {os.getpid()}" in status.reason
    assert alive(wanted) == []


def test_a_run_whose_folder_was_deleted_can_still_be_ended(launcher, python):
    """Losing the records does not lose the processes: they carry their mark."""
    wanted = python("deaf(); print('up', flush=True); time.sleep(600)", limit_s=200.0)
    launcher.submit(launcher.plan(wanted))
    wait_until(lambda: Path(wanted.log).exists() and Path(wanted.log).read_text() == "up\n")
    Path(wanted.folder).rename(Path(wanted.folder).with_name("gone"))
    assert launcher.states(["run-1"])["run-1"].state is JobState.VANISHED
    assert len(launcher.leftovers("run-1")) == 2
    launcher.cancel("run-1")
    assert launcher.leftovers("run-1") == ()
    assert alive(wanted) == []


def test_progress_is_visible_while_it_runs(launcher, python):
    """A running job has a state file that is whole at every moment, and status fields that grow."""
    wanted = python("x = bytearray(50_000_000)\nwhile True: pass", limit_s=200.0)
    launcher.submit(launcher.plan(wanted))
    wait_until(lambda: (launcher.states(["run-1"])["run-1"].cpu_s or 0) > 0.3)
    status = launcher.states(["run-1"])["run-1"]
    launcher.cancel("run-1")
    assert status.state is JobState.RUNNING
    assert status.peak_memory_gb > 0.05
    assert settle(launcher, "run-1").state is JobState.CANCELLED
