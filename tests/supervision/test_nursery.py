"""Where supervisors are born: what a run inherits, and that none is lost or doubled whatever becomes of the nursery."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from autoresearch.machine import processes
from autoresearch.machine.processes import run
from autoresearch.supervision import nursery, run_folder

STAY = "echo started >> count; until [ -e go ]; do sleep 0.02; done"


def until(fact, patience_s=200.0):
    """Wait until something is so."""
    latest = time.monotonic() + patience_s
    while not (found := fact()):
        assert time.monotonic() < latest
        time.sleep(0.01)
    return found


def ended(folder):
    return until(lambda: run_folder.read(folder / run_folder.EXIT))


def gone(pid):
    """Whether nothing but an exit status is left of a process."""
    found = processes.process_info(pid)
    return found is None or found.dead


@pytest.fixture
def keeper():
    """The process id of a nursery that has just begun."""
    nursery.NURSERY.close()
    hears, say = os.pipe()
    nursery.NURSERY.ask(b"nothing", say)
    os.close(say)
    assert os.read(hears, 1000)  # that this makes no sense
    os.close(hears)
    return nursery.NURSERY._keeper.pid


def test_a_supervisor_is_born_in_the_nursery_and_found_by_its_mark(spec, tmp_path, keeper):
    """It is nobody's child here, says who it is, and its mark is the run's folder, as if it had been started with it."""
    spec(STAY)
    said = nursery.supervise("run-1", tmp_path)
    born = psutil.Process(said["pid"])
    assert born.cmdline() == psutil.Process(keeper).cmdline()
    assert born.ppid() not in {keeper, os.getpid()}
    assert processes.carries(born.pid, processes.SUPERVISOR_MARK, str(tmp_path))
    (tmp_path / "go").touch()
    assert ended(tmp_path)["pid"] == said["pid"]


def test_a_run_gets_what_its_submitter_has_at_that_moment(spec, tmp_path, keeper, monkeypatch):
    """Variables set and taken away since the nursery began, file mode and limits; of its line nothing."""
    monkeypatch.setenv("FRESH", "a=b\n")
    monkeypatch.delenv("HOME")
    spec('printf "%s${HOME-none} $(umask) $(ulimit -c) " "$FRESH"; ls -l /proc/self/fd | grep -c socket')
    before, limit = os.umask(0o027), resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limit[1]))
    try:
        nursery.supervise("run-1", tmp_path)
    finally:
        os.umask(before)
        resource.setrlimit(resource.RLIMIT_CORE, limit)
    ended(tmp_path)
    assert (tmp_path / "run.log").read_text() == "a=b\nnone 0027 0 0\n"


def test_a_nursery_that_was_killed_is_made_anew(spec, tmp_path, keeper):
    """The next run knows nothing of it."""
    os.kill(keeper, signal.SIGKILL)
    until(lambda: gone(keeper))
    spec("true")
    nursery.supervise("run-1", tmp_path)
    assert nursery.NURSERY._keeper.pid != keeper
    assert ended(tmp_path)["exit_code"] == 0


def test_a_nursery_stopped_over_a_request_loses_and_doubles_nothing(spec, tmp_path, keeper):
    """The run begins without it; what it bears when it goes on finds the run taken, and leaves."""
    spec(STAY)
    os.kill(keeper, signal.SIGSTOP)
    env = {**os.environ, processes.SUPERVISOR_MARK: str(tmp_path)}
    hears, say = os.pipe()
    asked = "\0".join([str(tmp_path / run_folder.SPEC), *(f"{name}={value}" for name, value in env.items())])
    socket.send_fds(nursery.NURSERY._line, [asked.encode()], [say])
    os.close(say)
    said = nursery.supervise("run-1", tmp_path)
    os.kill(keeper, signal.SIGCONT)
    with os.fdopen(hears) as late:
        assert late.read() == "ok"  # and nobody
    (tmp_path / "go").touch()
    assert ended(tmp_path)["pid"] == said["pid"]
    assert (tmp_path / "count").read_text() == "started\n"


def test_a_spec_that_makes_no_sense_is_refused(tmp_path):
    """Who asked hears that nothing was started, and why."""
    (tmp_path / run_folder.SPEC).write_text('{"run_id": "x"}')
    with pytest.raises(nursery.LauncherError, match=r"supervisor of run run-1 could not be started.*argv"):
        nursery.supervise("run-1", tmp_path)


CONTROLLER = """
import os, sys, threading, time
from pathlib import Path
from autoresearch.supervision import nursery
folders = [Path(name) for name in sys.argv[1:]]
asked = [threading.Thread(target=nursery.supervise, args=("run-1", folder)) for folder in folders]
for one in asked:
    one.start()
while any(one.is_alive() for one in asked):
    if not (pid := os.fork()):
        os._exit(nursery.NURSERY._line is not None)
    if os.waitpid(pid, 0)[1]:
        os._exit(1)
if not (heir := os.fork()):
    time.sleep(600)
print(nursery.NURSERY._keeper.pid, heir, flush=True)
time.sleep(600)
"""
"""Three threads ask for a run each while the process forks all the time; then it and a fork of it stay."""


def test_runs_outlive_nursery_and_controller_and_it_outlives_neither(spec, tmp_path):
    """Killed outright, a controller leaves its runs with their supervisors and no nursery, whatever else it had forked."""
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        spec(STAY, folder=str(folder), directory=str(folder), log=str(folder / "run.log"))
    argv = [sys.executable, "-W", "ignore", "-c", CONTROLLER, *map(str, folders)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as controller:
        keeper, heir = map(int, controller.stdout.readline().split())
        controller.kill()
    until(lambda: gone(keeper))
    os.kill(heir, signal.SIGKILL)
    for folder in folders:
        (folder / "go").touch()
        assert ended(folder)["exit_code"] == 0
        assert (folder / "count").read_text() == "started\n"


STOPPED = """
import os, signal
from autoresearch.supervision import nursery
hears, say = os.pipe()
nursery.NURSERY.ask(b"nothing", say)
os.read(hears, 1000)
print(nursery.NURSERY._keeper.pid, flush=True)
os.kill(nursery.NURSERY._keeper.pid, signal.SIGSTOP)
"""


def test_a_nursery_that_somebody_has_stopped_leaves_with_its_process():
    """Nothing is left behind, also where it could not hear that it may go."""
    keeper = int(run([sys.executable, "-W", "ignore", "-c", STOPPED]).text)
    until(lambda: gone(keeper))


def test_a_nursery_has_loaded_what_supervision_needs_and_nothing_else():
    """What it loads is in the memory of every supervisor, and the first run waits for it."""
    listing = "import sys, autoresearch.supervision.nursery; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in run([sys.executable, "-c", listing]).text.split()}
    assert not loaded & {"asyncio", "hydra", "omegaconf", "psutil", "pydantic", "pynvml", "rich", "ruamel", "yaml"}
