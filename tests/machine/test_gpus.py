"""Holding GPUs. No GPU is needed: a hold is a lock, and without a driver there is simply nothing in use."""

import os
import signal
import sys

import pytest

from autoresearch.machine import gpus


@pytest.fixture
def holds(tmp_path):
    taken = [gpus.Hold(tmp_path / "locks") for _ in range(3)]
    yield taken
    for hold in taken:
        hold.release()


def test_a_gpu_has_one_holder(holds):
    """What one holds another does not get, until it is released."""
    first, second, _ = holds
    assert first.take(1, [4, 7], 1.0)
    assert second.take(1, [4, 7], 1.0)
    assert (first.indices, second.indices) == ((4,), (7,))
    first.release()
    second.release()
    assert second.take(2, [4, 7], 1.0)


def test_all_or_nothing(holds):
    """Too few free GPUs are not held while waiting for the rest."""
    first, second, third = holds
    assert first.take(1, [0], 1.0)
    assert not second.take(2, [0, 1], 1.0)
    assert third.take(1, [1], 1.0)


def test_a_large_run_is_not_overtaken_for_ever(holds):
    """Who fails first keeps its turn: smaller runs on the same GPUs wait behind it."""
    first, large, small = holds
    assert first.take(1, [0, 1], 1.0)
    assert not large.take(2, [0, 1], 1.0)
    assert not small.take(1, [0, 1], 1.0)
    first.release()
    assert large.take(2, [0, 1], 1.0)


def test_the_kernel_gives_back_what_a_killed_holder_held(holds, tmp_path):
    """A holder ended by -9 releases its GPUs at once."""
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", HOLDER, str(tmp_path / "locks")])
    while holds[0].take(1, [0], 1.0):
        holds[0].release()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert holds[0].take(1, [0], 1.0)


HOLDER = """
import sys, time
from pathlib import Path
from autoresearch.machine.gpus import Hold
hold = Hold(Path(sys.argv[1]))
while not hold.take(1, [0], 1.0):
    time.sleep(0.001)
time.sleep(60)
"""


@pytest.mark.skipif(gpus.available({}) != (), reason="this machine has GPUs")
def test_without_a_driver_there_are_no_gpus():
    """Nothing raises on a machine without NVIDIA's driver."""
    assert gpus.available({}) == ()
    assert gpus.used_gb([0]) is None
