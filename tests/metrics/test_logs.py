"""Numbers in standard output."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.metrics.logs import LogSource

ACCURACY = {"patterns": {"accuracy": r"accuracy=([-\w.]+)"}}


def read(folder: Path, text: str | bytes = "", **options: object):
    data = text.encode() if isinstance(text, str) else text
    if data:
        (folder / "run.log").write_bytes(data)
    return LogSource(options={**ACCURACY, **options}).read(folder)


def points(found, tag="accuracy"):
    return found.series[tag].points() if tag in found.series else ()


def test_without_steps_numbers_are_counted(tmp_path):
    """The n-th number belongs to step n."""
    assert points(read(tmp_path, "accuracy=0.5\nnoise\nx accuracy=0.7 y\n")) == ((1, 0.5), (2, 0.7))


def test_with_steps_numbers_belong_to_the_step_above(tmp_path):
    """A step line opens a step; numbers before the first one have no step and are left out."""
    text = "accuracy=0.1\nstep 10\naccuracy=0.5\nstep 20\naccuracy=nan\n"
    found = read(tmp_path, text, step=r"^step (\d+)$")
    assert found.series["accuracy"].steps == (10, 20)
    assert found.series["accuracy"].values[0] == 0.5


def test_a_counter_that_restarts_becomes_global(tmp_path):
    """Steps 1 2 3 1 2 3 of two epochs are 1 to 6; a line with the global step corrects the count."""
    epoch = "".join(f"step {step}\naccuracy={step}\n" for step in (1, 2, 3))
    found = read(tmp_path, epoch * 2, step=r"^step (\d+)$", restarts=True)
    assert found.series["accuracy"].steps == (1, 2, 3, 4, 5, 6)
    resumed = f"validating at 41\naccuracy=0\n{epoch}validating at 103\naccuracy=9\n"
    found = read(tmp_path, resumed, step=r"^step (\d+)$", anchor=r"^validating at (\d+)$", restarts=True)
    assert points(found)[-1] == (103, 9.0)


def test_decoration_is_removed(tmp_path):
    """Colours, Ray's actor prefix, overwritten progress and carriage returns do not hide a number."""
    lines = [
        "\x1b[36m(Worker pid=12, ip=10.0.0.1)\x1b[0m accuracy=0.1",
        "  5%|# | 1/20\r 10%|## | 2/20\raccuracy=0.2\r",
        "\x1b]0;title\x07accuracy=0.3",
        "(Actor[lm-0] pid=7) accuracy=0.4 [repeated 3x across cluster] (Ray deduplicates logs)",
    ]
    anchored = {"accuracy": r"^accuracy=([\d.]+)$"}
    found = LogSource(options={"patterns": anchored}).read(logged(tmp_path, "\n".join(lines[:3]) + "\n"))
    assert [value for _, value in points(found)] == [0.1, 0.2, 0.3]


def logged(folder, text):
    (folder / "run.log").write_bytes(text.encode())
    return folder


def test_a_pattern_that_meets_percent_and_a_fraction_says_so(tmp_path):
    """One of the two is a hundred times the other; a curve in percent alone is one."""
    patterns = {"acc": r"Acc\w*: ([\d.]+)"}
    (tmp_path / "run.log").write_text("Acc: 91.2%\nAccuracy: 0.93\n")
    assert "in two units, percent in 'Acc: 91.2%'" in read(tmp_path, patterns=patterns).clashes["acc"]
    (tmp_path / "run.log").write_text("Acc: 91.2 %\nAcc: 93.0%\n")
    found = read(tmp_path, patterns=patterns)
    assert (found.clashes, [one.unit for one in found.results]) == ({}, ["%"])


def test_foreign_bytes_do_not_hurt(tmp_path):
    """Bytes that are no UTF-8 spoil nothing around them."""
    assert points(read(tmp_path, b"\xff\xfe\x00 accuracy=0.5\n\x80\x81\naccuracy=0.6\n")) == ((1, 0.5), (2, 0.6))


def test_a_torn_last_line_is_left_for_later(tmp_path):
    """0.79 of a line that will read 0.7969 is never taken; the note says that a line was left out."""
    source = LogSource(options=ACCURACY)
    assert points(source.read(logged(tmp_path, "accuracy=0.5\naccuracy=0.79"))) == ((1, 0.5),)
    assert "no newline" in source.read(tmp_path).notes[0]
    assert points(source.read(logged(tmp_path, "accuracy=0.5\naccuracy=0.7969\n"))) == ((1, 0.5), (2, 0.7969))
    assert source.read(tmp_path).notes == ()


def test_a_huge_log_is_read_at_both_ends(tmp_path):
    """Beyond the bound the middle is skipped, which is told; the end, where the result is, is read."""
    text = "accuracy=0.1\n" + "filler line\n" * 2000 + "accuracy=0.9\n"
    found = read(tmp_path, text, max_bytes=1000)
    assert [value for _, value in points(found)] == [0.1, 0.9]
    assert "middle was skipped" in found.notes[0]


def test_only_the_runs_own_log_is_read_unless_told(tmp_path):
    """Logs of workers below the folder are others' business; a glob can name them."""
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "worker.log").write_text("accuracy=0.3\n")
    assert read(tmp_path).files == ()
    assert points(read(tmp_path, path="ray/*.log")) == ((1, 0.3),)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|aa)*b", r"((?:x*y)*)=", r"(\d+\s*)+:", r"([a-z]+)*(\d)", r"(a*){2,}c"]
)
def test_exponential_patterns_are_refused(pattern):
    """A pattern that could run for ever on one line is refused with the reason."""
    with pytest.raises(CampaignError, match="can take for ever"):
        LogSource(options={"patterns": {"x": pattern}})


@pytest.mark.parametrize(
    "pattern", [r"acc[+*(]+=(\d+)", r"(?:val|test) acc: ([\d.]+)", r"\((\d+)\)+", r"(\d{2})+", r"x?(a+)?"]
)
def test_harmless_patterns_are_not(pattern):
    """Classes, escapes, fixed counts and optional groups are fine."""
    LogSource(options={"patterns": {"x": pattern}})


def test_slow_patterns_end(tmp_path):
    """Even a cubic pattern on endless lines gives up after a bounded time."""
    text, started = ("a" * 300 + "\n") * 200, time.monotonic()
    found = read(tmp_path, text, patterns={"x": r".*a.*a.*=(\d+)"}, patience_s=0.2)
    assert "reading stopped after 0.2 s" in found.notes[0]
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs the option 'patterns'"),
        ({"patterns": {"x": "("}}, "not a regular expression"),
        ({"patterns": {"x": "loss"}}, "needs one group"),
        ({**ACCURACY, "stepp": "x"}, "no option 'stepp'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    """The message names the option and the remedy."""
    with pytest.raises(CampaignError, match=message):
        LogSource(options=options)


@settings(max_examples=80, deadline=None)
@given(
    chunks=st.lists(st.sampled_from(["step 1\n", "step 2\n", "accuracy=0.5\n", "accuracy=x\n", "\x1b[1", "\r", "é\n"]))
)
def test_reading_in_pieces_equals_reading_at_once(tmp_path_factory, chunks):
    """However a log grows between looks, the result is that of one look at the end."""
    folder, options = tmp_path_factory.mktemp("log"), {**ACCURACY, "step": r"^step (\d+)", "restarts": True}
    source, text = LogSource(options=options), ""
    for chunk in chunks:
        text += chunk
        source.read(logged(folder, text))
    assert source.read(folder).series == LogSource(options=options).read(folder).series


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_without_failing(tmp_path_factory, data):
    """Whatever a run prints, there are readings."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "run.log").write_bytes(data)
    LogSource(options={**ACCURACY, "step": r"(\d+)"}).read(folder)
