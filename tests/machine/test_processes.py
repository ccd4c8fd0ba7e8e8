"""Looking at processes: identity, descent and marks."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.machine import processes

NAMED = "import ctypes, sys; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0); print(); input()"


@pytest.fixture
def child():
    with subprocess.Popen(["sleep", "60"], env={"A_MARK": "a value", processes.RUN_MARK: "/run/1"}) as process:
        yield process
        process.kill()


def test_a_look_agrees_with_psutil(child):
    """Parent, name and start time are what an independent reader finds."""
    process, other = processes.process_info(child.pid), psutil.Process(child.pid)
    assert (process.parent, process.name, process.dead) == (os.getpid(), "sleep", False)
    assert process.started / os.sysconf("SC_CLK_TCK") + psutil.boot_time() == pytest.approx(other.create_time(), abs=1)


def test_memory_and_time_are_measured_in_bytes_and_seconds():
    """For a process at rest, ourselves, an independent reader finds the same."""
    process, other = processes.process_info(os.getpid()), psutil.Process()
    assert process.rss == pytest.approx(other.memory_info().rss, rel=0.2)
    assert process.cpu_s == pytest.approx(sum(other.cpu_times()[:4]), abs=0.5)
    assert processes.proportional_bytes([process]) < 1.2 * process.rss


HALF = "import ctypes, threading; threading.Thread(target=input).start(); print(); ctypes.CDLL(None).syscall(60, 0)"


def test_a_process_whose_first_thread_has_ended_lives_and_has_memory():
    """The kernel calls it a zombie without memory, while its other threads work on."""
    argv = [sys.executable, "-Su", "-c", HALF]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        while (seen := processes.process_info(process.pid)).state != "Z":
            pass
        process.kill()
    assert not seen.dead
    assert seen.rss > 1 << 20
    assert not processes.alive(process.pid, seen.started)


@pytest.mark.parametrize("name", ["a b", ") S 1 (", "(((", "\n", "é"])
def test_a_process_may_call_itself_anything(name):
    """Names with spaces, parentheses and line breaks do not shift the other fields."""
    argv = [sys.executable, "-S", "-c", NAMED, name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        seen = processes.process_info(process.pid)
        process.kill()
    assert (seen.name, seen.parent) == (name, os.getpid())


def test_an_id_with_another_start_is_another_process(child):
    """A reused process id is not taken for the process that had it, and is not signalled."""
    process = processes.process_info(child.pid)
    assert processes.alive(process.pid, process.started)
    assert not processes.alive(process.pid, process.started + 1)
    assert not processes.signal_tree(process._replace(started=process.started + 1), signal.SIGKILL)
    assert child.poll() is None


def test_a_zombie_is_not_alive(child):
    """What only waits to be collected does not count as left over."""
    process = processes.process_info(child.pid)
    assert processes.signal_tree(process, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.alive(process.pid, process.started)
    assert processes.belonging("/run/1", (), {child.pid: processes.process_info(child.pid)}) == []


def test_a_process_carries_its_mark(child):
    """The mark is the whole value of the variable, not a part of it."""
    assert processes.carries(child.pid, "A_MARK", "a value")
    assert not processes.carries(child.pid, "A_MARK", "a val")
    assert not processes.carries(child.pid, "MARK", "a value")


def test_a_run_is_found_by_its_folder_only(child):
    """Two campaigns may use one run id; their folders differ."""
    table = processes.everyone()
    assert [process.pid for process in processes.belonging("/run/1", (), table)] == [child.pid]
    assert processes.belonging("/run/10", (), table) == []


def test_our_children_are_known_to_the_kernel(child):
    """The kernel's own list of children holds the one just started."""
    assert child.pid in processes.own_children()


@given(parents=st.dictionaries(st.integers(2, 30), st.integers(1, 30), max_size=25))
def test_descent_is_complete_and_ends(parents):
    """Every process whose chain of parents leads to the root is found once, even if a torn look shows a circle."""
    table = {pid: processes.Process(pid, parent, "x", "S", 0, 0.0, 0) for pid, parent in parents.items()}
    found = [process.pid for process in processes.descendants([1], table)]
    assert len(found) == len(set(found))
    assert set(found) == {pid for pid in parents if _leads_to_root(pid, parents)}


def _leads_to_root(pid, parents) -> bool:
    seen = set()
    while pid in parents and pid not in seen and pid != 1:
        seen.add(pid)
        pid = parents[pid]
    return pid == 1
