"""Waiting for signals: only what was sent is heard."""

import os
import signal
import threading

import pytest

from autoresearch.supervision import child

ONE, OTHER = signal.SIGUSR1, signal.SIGRTMIN + 3


@pytest.fixture(autouse=True)
def blocked():
    """Both are blocked in this thread, which they are sent to: another one of the process would die of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {ONE, OTHER})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("number", [ONE, OTHER])
def test_a_signal_comes_with_its_sender(number):
    """Its number and the process that sent it; once it was taken, there is none."""
    signal.pthread_kill(threading.get_ident(), number)
    assert child.wait({ONE, OTHER}, 10.0) == (number, os.getpid())
    assert child.wait({ONE, OTHER}, 0.0) is None


def test_what_is_not_asked_for_stays_pending():
    """It is neither heard nor lost."""
    signal.pthread_kill(threading.get_ident(), OTHER)
    assert child.wait({ONE}, 0.0) is None
    assert child.wait({OTHER}, 0.0) == (OTHER, os.getpid())


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.001])
def test_time_that_is_over_is_no_signal(seconds):
    """Also a time before now."""
    assert child.wait({ONE}, seconds) is None


def test_an_endless_wait_ends_with_a_signal():
    """Infinity is what a run without a limit waits for."""
    signal.pthread_kill(threading.get_ident(), ONE)
    assert child.wait({ONE}, float("inf")) == (ONE, os.getpid())
