"""The bounded log: whatever is written, in whatever pieces, head and tail survive and nothing goes uncounted."""

import os
import re
import resource
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.supervision.run_log import BoundedLog

LIMIT = 4096
MARK = re.compile(rb"\n\[autoresearch: (\d+) bytes left out here\]\n")


def written(path, pieces):
    log = BoundedLog(path, LIMIT)
    for piece in pieces:
        log.write(piece)
    log.close()
    return log, path.read_bytes()


def test_a_short_log_is_untouched(tmp_path):
    """Below its bound the file is exactly what was written."""
    log, data = written(tmp_path / "log", [b"a\n", b"", b"b" * (LIMIT - 2)])
    assert data == b"a\n" + b"b" * (LIMIT - 2)
    assert (log.written, log.left_out, log.lost) == (LIMIT, 0, 0)


@given(sizes=st.lists(st.integers(0, 3 * LIMIT), max_size=12), seed=st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_head_and_tail_are_kept_and_the_rest_is_counted(tmp_path_factory, sizes, seed):
    """The file never exceeds its bound; head + left out + tail is everything, and both ends are the real ones."""
    stream = bytes((seed + position * position) % 251 for position in range(sum(sizes)))
    cuts = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    pieces = [stream[start:end] for start, end in pairwise(cuts)]
    log, data = written(tmp_path_factory.mktemp("log") / "log", pieces)
    assert len(data) <= LIMIT
    if log.left_out:
        head, count, tail = MARK.split(data)
        assert int(count) == log.left_out
        assert len(head) + log.left_out + len(tail) == len(stream)
        assert len(head) == LIMIT // 16
        assert len(tail) >= LIMIT // 4
        assert stream.startswith(head)
        assert stream.endswith(tail)
    else:
        assert data == stream


def test_a_reader_never_sees_half_a_log(tmp_path):
    """A file opened before the middle was dropped stays whole, and the next look finds the new one."""
    log = BoundedLog(tmp_path / "log", LIMIT)
    log.write(b"x" * LIMIT)
    with (tmp_path / "log").open("rb") as before:
        log.write(b"y")
        assert before.read() == b"x" * LIMIT
    log.close()
    assert (tmp_path / "log").read_bytes().endswith(b"xy")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


FULL_DISK = """
import sys
from itertools import pairwise
from pathlib import Path
from autoresearch.supervision.run_log import BoundedLog
log = BoundedLog(Path(sys.argv[1]), 100_000)
for _ in range(40):
    log.write(b"x" * 10_000)
log.close()
print(log.written, log.lost)
"""


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_what_the_disk_refuses_is_counted_and_forgotten(tmp_path):
    """A disk that takes no more (here: a file size limit) neither blocks nor raises."""
    path = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, check=True, preexec_fn=_small_files
    )
    assert done.stdout.split() == [b"400000", b"380000"]
    assert Path(path).stat().st_size == 20_000


def rewrite(path):
    path.write_bytes(b"score: 9\n")


def insert(path):
    with path.open("r+b") as file:
        file.write(b"score: 9")


def append(path):
    with path.open("ab") as file:
        file.write(b"score: 9\n")


def replace(path):
    path.with_name("x").write_bytes(path.read_bytes())
    path.with_name("x").replace(path)


@pytest.mark.parametrize("done", [rewrite, insert, append, replace, Path.unlink, lambda path: None])
@pytest.mark.parametrize("more", [0, 5000], ids=["as it stands", "and its middle is left out"])
def test_a_log_that_somebody_else_wrote_to_is_known(tmp_path, done, more):
    """Over, into, behind or in place of it. What is written behind is overwritten by what comes, and is no harm then."""
    log = BoundedLog(tmp_path / "run.log", 4096)
    log.write(b"score: 0.5\n" * 100)
    done(tmp_path / "run.log")
    log.write(b"x" * more)
    log.close()
    harmless = ("<lambda>", "append") if more else ("<lambda>",)
    assert log.altered is (done.__name__ not in harmless)
    assert more == 0 or b"9" not in (tmp_path / "run.log").read_bytes().partition(b"[autoresearch")[0] or log.altered


def test_a_log_that_cannot_be_read_back_accuses_nobody(tmp_path):
    """A disk that fails at the end of a run, and bytes that are no text, are not the run's doing."""
    log = BoundedLog(tmp_path / "run.log", 4096)
    log.write(b"score: 0.5\n\xff\xfe\xc3")
    unreadable = os.open(tmp_path / "run.log", os.O_WRONLY)
    os.dup2(unreadable, log._file)
    os.close(unreadable)
    log.close()
    assert not log.altered
