"""Metric sources of other people, which may break their word."""

from pathlib import Path

import pytest

from autoresearch.errors import StorageError
from autoresearch.ports.metric_source import readings_of
from autoresearch.run.measurement import Readings, Series


class Theirs:
    """Raises what it is made of, or answers it."""

    name = "theirs"

    def __init__(self, end: object) -> None:
        self._end = end

    def read(self, folder: Path) -> Readings:
        del folder
        if isinstance(self._end, BaseException):
            raise self._end
        return self._end  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (KeyError("step"), "it failed: KeyError: 'step'"),
        (SystemExit(3), "it failed: SystemExit: 3"),
        (None, "it answered NoneType instead of readings"),
        ({"accuracy": 0.5}, "it answered dict instead of readings"),
    ],
)
def test_a_source_that_breaks_its_word_has_read_nothing_and_the_row_says_why(tmp_path, end, told):
    """No number, and a note, which is what a row without a value is explained with."""
    assert readings_of(Theirs(end), tmp_path) == Readings(notes=(told,))


def test_what_a_source_reads_is_left_as_it_is(tmp_path):
    """Numbers and notes of its own."""
    found = Readings({"loss": Series.of("loss", [(1, 0.5)])}, notes=("one line was torn",))
    assert readings_of(Theirs(found), tmp_path) is found


def test_a_full_disk_is_no_fault_of_a_source(tmp_path):
    """What is a failure of ours, or of the machine, ends the work as everywhere."""
    with pytest.raises(StorageError):
        readings_of(Theirs(StorageError("full")), tmp_path)
