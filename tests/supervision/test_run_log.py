"""A run's log without secrets: nothing known or telling reaches the file, nothing else is changed, floods are bounded."""

import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.secrets.redactor import Redactor
from autoresearch.secrets.shapes import HIDDEN
from autoresearch.supervision.run_log import BoundedLog, CleanLog

SECRET = "s3cret-Value-0815"
TOKEN = "hf_" + "Ab1" * 11


def written(path, pieces, limit=1 << 20):
    log = CleanLog(BoundedLog(path, limit), Redactor([SECRET]))
    for piece in pieces:
        log.write(piece)
    log.close()
    return log.file, path.read_bytes()


@given(cuts=st.lists(st.integers(0, 80), max_size=6))
@settings(max_examples=40, deadline=None)
def test_a_secret_torn_between_two_reads_is_hidden(tmp_path_factory, cuts):
    """However the pipe cuts the stream, neither a known value nor a token of a known shape comes through."""
    text = f"a {SECRET} b\nlogin with {TOKEN}\nend\n".encode()
    places = sorted({0, *cuts, len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    _, data = written(tmp_path_factory.mktemp("log") / "log", pieces)
    assert data == f"a {HIDDEN} b\nlogin with {HIDDEN}\nend\n".encode()


@given(data=st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_bytes_of_any_kind_pass_as_they_are(tmp_path_factory, data):
    """Logs are bytes: what is no UTF-8 and no secret comes out as it went in."""
    path = tmp_path_factory.mktemp("log") / "log"
    assert written(path, [data[:100], data[100:]])[1] == Redactor().clean(
        data.decode("utf-8", "surrogateescape")
    ).encode("utf-8", "surrogateescape")


@pytest.mark.full
@pytest.mark.parametrize("flood", [b"y" * 65536, b"step 12: loss=0.25\n" * 3000])
def test_a_flood_past_the_bound_keeps_head_and_tail(tmp_path, flood):
    """Sixty times its bound: every byte is counted, both ends are real, and no secret slips through at the seams."""
    secret = f"\n{SECRET}\n".encode()
    pieces = [b"first\n", *[flood + secret] * 60, b"last\n"]
    file, data = written(tmp_path / "log", pieces, 65536)
    assert len(data) <= 65536
    assert data.startswith(b"first\n")
    assert data.endswith(b"last\n")
    assert f"[autoresearch: {file.left_out} bytes left out here]".encode() in data
    assert SECRET.encode() not in data


def test_a_progress_bar_shows_while_it_moves(tmp_path):
    """Carriage returns end lines: a bar that never ends its line is in the file all the same."""
    log = CleanLog(BoundedLog(tmp_path / "log", 1 << 20), Redactor([SECRET]))
    log.write(b"\r 10% of it\r 20% of it")
    assert (tmp_path / "log").read_bytes() == b"\r 10% of it\r"
    log.close()


def test_a_line_that_has_not_ended_is_a_sign_of_life(tmp_path):
    """What is held back still moves the file's time, or a run would be taken for stalled."""
    log = CleanLog(BoundedLog(tmp_path / "log", 1 << 20), Redactor())
    os.utime(tmp_path / "log", (1.0, 1.0))
    log.write(b"no end")
    assert (tmp_path / "log").stat().st_mtime > 1.0
    log.close()
