"""A wait that ends when a process is gone or a file has grown, and never fails. Waits here are for ever unless it rings."""

import os
import resource
import shutil
import subprocess
import sys
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


def test_a_process_named_twice_is_attended_once(bell, child):
    """A handle that nobody knows any more would be readable for ever, and every wait would be over at once."""
    one = identity(child)
    bell.attend([one, one])
    child.stdin.close()
    assert bell.wait(FOR_EVER, 4)
    assert bell.wait(0.0, 4) is False


def test_most_descriptors_stay_free(bell, monkeypatch):
    """Of thousands of runs so many are attended as a quarter of the descriptors allow; the others are polled."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    children = [subprocess.Popen(("cat",), stdin=subprocess.PIPE) for _ in range(4)]
    before = handles()
    those = [identity(one) for one in children]
    assert bell.attend(those) is False
    assert handles() == before + 2
    for one in children:
        one.communicate()
    assert bell.wait(FOR_EVER, 4)
    assert bell.attend(those) is True
    assert bell.attend(those) is False
    assert bell.wait(0.0, 4) is False


def test_a_replaced_file_rings_once_and_is_polled(bell, file):
    """What is written to the new one is no event, but it is seen at the next look, by its length."""
    other = file.with_name("new")
    other.write_text("one\ntwo\n")
    other.replace(file)
    assert bell.wait(FOR_EVER, 4)
    assert bell.wait(0.0, 8) is False
    with file.open("a") as journal:
        journal.write("three\n")
    assert bell.wait(FOR_EVER, 8)
    assert bell.wait(0.0, 8) is False


def test_an_end_of_the_file_that_comes_and_goes_does_not_spin(bell, file):
    """A file that was cut short rings once, and so does one without a name."""
    file.write_text("o")
    assert bell.wait(FOR_EVER, 4)
    assert bell.wait(0.0, 4) is False
    file.unlink()
    bell.wait(0.0, 4)
    assert bell.wait(0.0, 4) is False


@pytest.mark.parametrize("seconds", [float("inf"), 1e20, -1.0])
def test_any_number_of_seconds_is_a_wait(bell, file, seconds):
    """What no timer can hold is cut, so that a wait never fails."""
    with file.open("a") as journal:
        journal.write("two\n")
    bell._torn = file.stat().st_size  # the wait itself has to hear it
    ringing = threading.Timer(0.1, lambda: file.write_text("three, and more\n"))
    ringing.start()
    assert bell.wait(seconds, 4) is (seconds > 0)
    ringing.join()


WITHOUT = """
import pathlib, sys
from autoresearch.machine.bell import Bell
pathlib.Path("/proc/sys/user/max_inotify_instances").write_text("0")
file = pathlib.Path(sys.argv[1])
bell = Bell(file)
print(bell._changes, bell.wait(0.0, 4))
file.write_text("one, two")
print(bell.wait(0.0, 4), bell.wait(0.0, 4))
"""


def test_without_notification_a_file_is_seen_at_the_next_look(file):
    """The kernel's limit of listeners is reached, as on a busy machine; on NFS, too, nobody tells what others write."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run((unshare, "-Ur", "true"), check=False, capture_output=True).returncode:
        pytest.skip("no user namespace of our own can be had here")
    done = subprocess.run(
        (unshare, "-Ur", sys.executable, "-c", WITHOUT, str(file)), check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["None", "False", "True", "False"]
