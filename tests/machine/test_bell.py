"""A wait that ends when a process is gone or a file has grown, and never fails. Waits here are for ever unless it rings."""

import os
import subprocess
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from autoresearch.machine import processes
from autoresearch.machine.bell import Bell

FOR_EVER = 3600.0


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text("one\n")
    return path


@pytest.fixture
def bell(file):
    made = Bell(file)
    yield made
    made.close()


@pytest.fixture
def child():
    """A process that ends once its input does."""
    made = subprocess.Popen(("cat",), stdin=subprocess.PIPE)
    yield made
    made.communicate()


def handles():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def identity(child):
    return child.pid, processes.process_info(child.pid).started


def test_it_rings_once_for_a_process_that_ends(bell, child):
    """Also while it is a zombie that nobody has asked for; after that, the wait is over only when its time is."""
    one = identity(child)
    assert bell.attend([one]) is False
    child.stdin.close()
    assert bell.wait(FOR_EVER, 4)
    assert bell.attend([one]) is False
    assert bell.wait(0.0, 4) is False


def test_a_process_that_is_gone_rings_once_and_one_of_its_id_is_another(bell, child):
    """What ended before it was attended is told at once, also when its id belongs to somebody else by now."""
    pid, started = identity(child)
    assert bell.attend([(pid, started - 1)]) is True
    assert bell.attend([(pid, started - 1)]) is False
    assert bell.wait(0.0, 4) is False


def test_it_rings_when_somebody_writes_to_the_file(bell, file):
    """During the wait or before it; what is known rings no more."""
    with file.open("a") as journal:
        threading.Timer(0.1, lambda: (journal.write("two\n"), journal.flush())).start()
        assert bell.wait(FOR_EVER, 4)
    assert bell.wait(FOR_EVER, 4)
    assert bell.wait(0.0, 8) is False


def test_a_torn_last_line_is_no_news_twice(bell, file):
    """It is never heard as a whole line, so what is known stays behind what is there: no wait may spin on that."""
    file.write_text("one\ntw")
    assert bell.wait(FOR_EVER, 4)
    assert bell.wait(0.0, 4) is False


def test_without_descriptors_it_is_a_poll(file, child, monkeypatch):
    """Nothing rings and nothing fails: the wait is over when its time is; later there may be one again."""
    one = identity(child)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", Mock(side_effect=OSError(24, "Too many open files")))
        bell = Bell(file.parent / "no such file")
        assert bell.attend([one]) is False
        assert bell.wait(0.0, 4) is False
    bell.attend([one])
    child.stdin.close()
    assert bell.wait(FOR_EVER, 4)
    bell.close()


def test_nothing_stays_open(file, child):
    """Who is attended no more is let go of, and a closed bell holds nothing."""
    before = handles()
    bell = Bell(file)
    bell.attend([identity(child)])
    bell.attend([])
    bell.close()
    assert handles() == before
