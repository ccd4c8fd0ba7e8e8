"""What every metric source promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import math
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoresearch.ports.metric_source import MetricSource
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.run.measurement import Readings, Series
from autoresearch.testing.user_files import contents

SourceMaker = Callable[[], MetricSource]
RunWriter = Callable[[Path], None]

HUGE = 256 * 1024 * 1024
"""Bytes of a file that no source may take into memory whole."""

_PATIENCE_S = 60.0
_CUTS = 24
_SECRET = "hf_" + "AbCdEfGh" * 4
_JUNK = b"\xff\xfe\x00{[" + _SECRET.encode() + b",:\xc3\x28\x00\n\x80\x81=;\n" * 50


class MetricSourceContract:
    """What every metric source promises.

    Give it the fixtures `make` (a new source each call) and `write` (puts into a folder what a good run leaves there).
    """

    @pytest.fixture
    def whole(self, tmp_path: Path, write: RunWriter) -> Path:
        """The folder of a run that ended well."""
        folder = tmp_path / "run"
        folder.mkdir()
        write(folder)
        return folder

    def test_it_has_the_shape_of_a_metric_source(self, make: SourceMaker) -> None:
        """Every attribute and method of the port, and it is made with `options=`."""
        assert gaps("metrics", make()) == ()
        assert made_with(type(make()), "options") == ""

    def test_a_whole_run_is_read(self, make: SourceMaker, whole: Path) -> None:
        """There are numbers, in order of their steps."""
        found = make().read(whole)
        assert found.series
        for tag, one in found.series.items():
            assert one == Series.of(tag, one.points())
            assert all(type(step) is int for step in one.steps)
            assert all(type(value) is float for value in one.values)

    def test_numbers_come_with_their_origin(self, make: SourceMaker, whole: Path) -> None:
        """The files they are from are named, relative to the run's folder."""
        files = make().read(whole).files
        assert files
        assert all((whole / file).is_file() for file in files)

    def test_a_folder_without_files_has_no_numbers(self, make: SourceMaker, tmp_path: Path) -> None:
        """A run that wrote nothing yet, and one whose folder is gone, are read without a word."""
        (tmp_path / "empty").mkdir()
        for folder in (tmp_path / "empty", tmp_path / "gone"):
            found = make().read(folder)
            assert (dict(found.series), found.samples, found.files) == ({}, (), ())

    def test_reading_changes_nothing(self, make: SourceMaker, whole: Path) -> None:
        """What a run wrote is evidence."""
        before = contents(whole)
        make().read(whole)
        assert contents(whole) == before

    def test_two_looks_agree(self, make: SourceMaker, whole: Path) -> None:
        """The same files give the same numbers, to the same source and to a new one."""
        source = make()
        first = source.read(whole)
        assert repr(source.read(whole)) == repr(first) == repr(make().read(whole))

    def test_one_source_reads_many_runs(self, make: SourceMaker, whole: Path, tmp_path: Path) -> None:
        """Numbers of one run never show in another: a campaign has one source for all of its runs."""
        source = make()
        first = source.read(whole)
        (tmp_path / "other").mkdir()
        assert not source.read(tmp_path / "other").series
        assert repr(source.read(whole)) == repr(first)

    def test_a_torn_file_gives_no_number_that_was_not_written(self, make: SourceMaker, whole: Path) -> None:
        """Cut anywhere, a file shows only numbers that it held, or a note says what is missing."""
        known = _points(make().read(whole))
        for file, content in _files(make(), whole):
            for torn in _prefixes(content):
                file.write_bytes(torn)
                found = make().read(whole)
                told = found.notes or torn.endswith(b"\n") or not torn
                assert _points(found) <= known or told, f"{file.name} cut at byte {len(torn)}"
            file.write_bytes(content)

    def test_a_growing_file_is_followed(self, make: SourceMaker, whole: Path) -> None:
        """One that has looked at every stage of a file knows what one knows that looks for the first time."""
        for file, content in _files(make(), whole):
            source = make()
            for part in _prefixes(content):
                file.write_bytes(part)
                source.read(whole)
            file.write_bytes(content)
            assert _points(source.read(whole)) == _points(make().read(whole))

    def test_a_file_written_anew_is_read_anew(self, make: SourceMaker, whole: Path) -> None:
        """Nothing of a file that was emptied and written once more is remembered."""
        source = make()
        source.read(whole)
        for file, content in _files(make(), whole):
            _replace(file, content[: len(content) // 2])
        assert _points(source.read(whole)) == _points(make().read(whole))

    def test_a_file_written_over_in_its_place_is_read_anew(self, make: SourceMaker, whole: Path) -> None:
        """Nothing of what it held before is remembered, where it is longer than before and where it is as long."""
        for file, content in _files(make(), whole):
            for new in (content[len(content) // 2 :] * 3, bytes(reversed(content))):
                source = make()
                source.read(whole)
                file.write_bytes(new)
                assert _points(source.read(whole)) == _points(make().read(whole)), file.name
                file.write_bytes(content)

    def test_junk_is_no_number_and_no_error(self, make: SourceMaker, whole: Path) -> None:
        """Bytes that are no text, alone or behind good ones, and half of a letter."""
        for file, content in _files(make(), whole):
            for damaged in (_JUNK, content + _JUNK, content[: len(content) // 2] + _JUNK, b"\xc3", b"\x00"):
                file.write_bytes(damaged)
                assert isinstance(make().read(whole), Readings)
            file.write_bytes(content)

    def test_notes_do_not_repeat_what_a_file_holds(self, make: SourceMaker, whole: Path) -> None:
        """Notes are shown to people and agents, and a damaged file may hold a secret."""
        for file, _ in _files(make(), whole):
            file.write_bytes(_JUNK)
        assert _SECRET not in repr(make().read(whole).notes)

    def test_what_is_no_file_is_passed_over(self, make: SourceMaker, whole: Path) -> None:
        """A folder, a pipe that nobody writes to, and links into nowhere or in a circle, where a file should be."""
        for file, content in _files(make(), whole):
            for put in (Path.mkdir, os.mkfifo, _dangling, _circle):
                file.unlink()
                put(file)
                assert isinstance(_in_time(make(), whole), Readings), put
                file.rmdir() if file.is_dir() else file.unlink()
                file.write_bytes(content)

    def test_a_huge_file_is_not_taken_into_memory(self, make: SourceMaker, whole: Path) -> None:
        """A file of 256 MiB is read in part or not at all, in bounded time and memory."""
        for file, content in _files(make(), whole):
            os.truncate(file, HUGE)
            tracemalloc.start()
            try:
                assert isinstance(_in_time(make(), whole), Readings)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < HUGE // 2, f"{file.name}: {peak // 2**20} MiB"
            file.write_bytes(content)


def _files(source: MetricSource, folder: Path) -> Iterator[tuple[Path, bytes]]:
    yield from [(folder / name, (folder / name).read_bytes()) for name in source.read(folder).files]


def _prefixes(content: bytes) -> Iterator[bytes]:
    """Beginnings of a file, every one of them when it is small, all kinds of places when it is not."""
    step = max(1, len(content) // _CUTS)
    yield from (content[:cut] for cut in sorted({*range(0, len(content), step), len(content) - 1} - {-1}))


def _points(found: Readings) -> set[tuple[str, int, float | None]]:
    pairs = ((tag, step, value) for tag, one in found.series.items() for step, value in one.points())
    return {(tag, step, None if math.isnan(value) else value) for tag, step, value in pairs}


def _replace(file: Path, content: bytes) -> None:
    aside = file.with_name(f"{file.name}.aside")
    aside.write_bytes(content)
    aside.replace(file)


def _dangling(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere"))


def _circle(file: Path) -> None:
    file.symlink_to(file)


def _in_time(source: MetricSource, folder: Path) -> Readings | Exception | None:
    """What a source reads or raises, None when it is still reading after a minute; the tests do not wait for that."""
    found: list[Readings | Exception] = []

    def look() -> None:
        try:
            found.append(source.read(folder))
        except Exception as error:  # noqa: BLE001 - shown by the test that waits
            found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return found[0] if found else None
