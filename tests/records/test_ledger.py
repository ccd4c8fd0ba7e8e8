"""The ledger on disk: no row lost, none doubled, and nothing that others wrote is touched."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import LedgerError, StorageError
from autoresearch.machine import processes
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import COLUMNS, SHARED, Row, decode, encode, header

WRITER = """
import resource, sys
from pathlib import Path
from autoresearch.records.row import decode
from autoresearch.records.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
if len(sys.argv) > 4:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    ledger.append(decode({"index": str(number), "branch": f"p/{number}", "status": "keep", "description": "größer"}))
"""


def row(name: str, **more: str) -> Row:
    return decode(
        {"index": "1", "branch": f"p/{name}", "status": "keep", "metric_value": "0.5", "description": "größer", **more}
    )


def write(path: Path, start: int, stop: int, *limit: int, fault: str = "") -> processes.Completed:
    """Append rows `p/<start>` to `p/<stop - 1>` in a process of its own."""
    argv = [sys.executable, "-c", WRITER, *map(str, (path, start, stop, *limit))]
    return processes.run(argv, env={**os.environ, "AUTORESEARCH_FAULT": fault}, check=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "reports" / "auto_research_results.tsv")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        processes.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)])
    except processes.CommandError as error:
        pytest.skip(f"a full disk needs the right to mount a tmpfs: {str(error).splitlines()[-1].strip()}")
    yield disk
    processes.run(["umount", str(disk)])


def test_a_row_is_written_once(ledger: Ledger):
    """The file begins with the header; a second row of one branch is refused, so a resume cannot double it."""
    assert ledger.append(row("a"))
    assert not ledger.append(row("a", description="again"))
    assert ledger.append(row("b"))
    assert ledger.path.read_text() == f"{header()}\n{encode(row('a'))}\n{encode(row('b'))}\n"


def test_no_file_is_no_rows(ledger: Ledger):
    """Looking at a ledger does not make one."""
    assert ledger.rows() == ()
    assert not ledger.path.exists()


def test_rows_of_one_campaign(ledger: Ledger):
    """All campaigns share the file; a prefix tells them apart."""
    for name in ("one/a", "two/a", "one/b"):
        ledger.append(row(name))
    assert [found.branch for found in ledger.rows("p/one/")] == ["p/one/a", "p/one/b"]


def test_follow_gives_new_rows_only(ledger: Ledger):
    """What a screen needs: rows since the last look, and none for a file that did not change."""
    ledger.append(row("a"))
    first, seen = ledger.follow(0)
    assert (len(first), ledger.follow(seen)) == (1, ((), 1))
    Ledger(ledger.path).append(row("b"))
    assert ledger.follow(seen) == ((row("b"),), 2)


def test_processes_that_write_at_once_lose_and_double_nothing(ledger: Ledger):
    """Three writers, two of whom write the same branches: each branch has one row, whole."""
    spans = [(0, 30), (0, 30), (30, 60)]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda span: write(ledger.path, *span), spans))
    assert [writer.code for writer in done] == [0, 0, 0]
    assert sorted(found.index for found in ledger.rows()) == list(range(60))
    assert ledger.table().problems == ()


def test_a_hand_edit_between_two_rows_stays(ledger: Ledger):
    """A person changes a row and adds a remark; the next row goes below, every byte of theirs stays."""
    ledger.append(row("a"))
    edited = ledger.path.read_text().replace("größer", "bigger") + "# checked by Anna\n\n"
    ledger.path.write_text(edited)
    ledger.append(row("b"))
    assert ledger.path.read_text() == f"{edited}{encode(row('b'))}\n"


@given(cut=st.integers(1, 400), other=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_half_written_row_is_healed_by_the_next(tmp_path_factory: pytest.TempPathFactory, cut: int, other: bool):
    """The same row again completes it; another row goes below it. Both ways each branch has its row once."""
    ledger = Ledger(tmp_path_factory.mktemp("torn") / "ledger.tsv")
    whole = f"{header()}\n{encode(row('a'))}\n{encode(row('b'))}".encode()
    ledger.path.write_bytes(whole[: max(1, len(whole) - cut)])
    names = ["c", "a", "b"] if other else ["a", "b"]
    for name in names:
        ledger.append(row(name))
    assert sorted(found.branch for found in ledger.rows()) == sorted(f"p/{name}" for name in names)
    assert all(found.description == "größer" for found in ledger.rows())


def test_a_dead_writers_foreign_line_is_marked(ledger: Ledger):
    """What cannot be completed is ended and marked; its bytes stay, readers skip it."""
    ledger.append(row("a"))
    before = ledger.path.read_bytes()
    ledger.path.write_bytes(before + b"7\tp/dead\tabc")
    ledger.append(row("b"))
    assert ledger.path.read_bytes() == before + b"7\tp/dead\tabc\t#torn\n" + encode(row("b")).encode() + b"\n"
    assert [found.branch for found in ledger.rows()] == ["p/a", "p/b"]


def test_an_editor_that_drops_the_last_newline_costs_no_row(ledger: Ledger):
    """The last line is whole, it only lacks its newline."""
    ledger.append(row("a"))
    ledger.path.write_text(ledger.path.read_text().rstrip("\n").replace("größer", "by hand"))
    ledger.append(row("b"))
    assert [found.description for found in ledger.rows()] == ["by hand", "größer"]


def test_a_hand_edited_last_line_without_newline_is_no_torn_row(ledger: Ledger):
    """It has all its cells, one of them spoilt by hand: the row still counts, and is not taken for a dead writer's."""
    ledger.append(row("a"))
    edited = ledger.path.read_text().rstrip("\n").replace("\n1\t", "\nfirst\t")
    ledger.path.write_text(edited)
    ledger.append(row("b"))
    assert ledger.path.read_text() == f"{edited}\n{encode(row('b'))}\n"
    assert [found.branch for found in ledger.rows()] == ["p/a", "p/b"]


@pytest.mark.parametrize("fault", ["before#2=kill", "write#2=kill", "write#2=torn", "sync#2=kill", "after#2=kill"])
def test_a_writer_killed_anywhere_is_made_good_by_the_next(ledger: Ledger, fault: str):
    """SIGKILL before, in and after the second row: written again, each row is there once."""
    died = write(ledger.path, 0, 3, fault=f"ledger.append.{fault}")
    assert died.code == -9
    write(ledger.path, 0, 3)
    assert [found.index for found in ledger.rows()] == [0, 1, 2]
    assert "#torn" not in ledger.path.read_text()


@pytest.mark.parametrize("kind", ["enospc", "eio"])
@pytest.mark.parametrize("place", ["write", "sync"])
def test_a_disk_that_refuses_leaves_the_file_as_it_was(ledger: Ledger, place: str, kind: str):
    """Half a row was written when the disk filled: it is taken back, and the error says what to do."""
    write(ledger.path, 0, 1)
    before = ledger.path.read_bytes()
    said = write(ledger.path, 1, 2, fault=f"ledger.append.{place}={kind}")
    assert b"StorageError: cannot append to" in said.stderr
    assert ledger.path.read_bytes() == before


def test_an_interrupted_write_is_done_again(ledger: Ledger):
    """A signal in the middle is no failure."""
    assert write(ledger.path, 0, 1, fault="ledger.append.write=eintr").code == 0
    assert len(ledger.rows()) == 1


def test_a_file_size_limit_is_a_clear_error(ledger: Ledger):
    """The kernel takes a part of the row and refuses the rest; the part is taken back."""
    said = write(ledger.path, 0, 100, 2000)
    assert b"StorageError: cannot append to" in said.stderr
    assert b"File too large" in said.stderr
    assert ledger.path.read_bytes().endswith(b"\n")
    assert [found.index for found in ledger.rows()] == list(range(len(ledger.rows())))


def test_a_full_disk_is_a_clear_error_and_room_makes_it_good(small_disk: Path):
    """A real file system runs full: what was written stays whole; once there is enough disk space again, work goes on."""
    ledger, ballast = Ledger(small_disk / "ledger.tsv"), small_disk / "ballast"
    ledger.append(row("a"))
    ballast.write_bytes(b"x" * 8192)
    with pytest.raises(StorageError, match="No space left"):  # noqa: PT012
        for number in range(1000):
            ledger.append(row(f"filling-{number}"))
    assert ledger.path.read_bytes().endswith(b"\n")
    ballast.unlink()
    assert ledger.append(row("at-last"))
    assert ledger.table().problems == ()


def test_a_file_of_fifteen_columns_is_widened_once_with_a_backup(ledger: Ledger):
    """Our evidence needs our columns; only the header line changes, and the file as it was is kept."""
    ledger.path.parent.mkdir()
    old = "\t".join(SHARED) + "\r\n" + "\t".join(encode(row("a")).split("\t")[:15]) + "\r\n# by hand\r\n"
    ledger.path.write_bytes(old.encode())
    ledger.append(row("b", reason="ours"))
    ledger.append(row("c"))
    lines = ledger.path.read_bytes().decode().splitlines(keepends=True)
    assert lines[0] == "\t".join(COLUMNS) + "\r\n"
    assert lines[1:3] == old.splitlines(keepends=True)[1:]
    assert [(found.branch, found.reason) for found in ledger.rows()] == [("p/a", ""), ("p/b", "ours"), ("p/c", "")]
    assert [kept.read_bytes() for kept in ledger.path.parent.glob("*.bak-*")] == [old.encode()]


def test_a_programs_late_line_into_the_old_file_ends_in_the_backup(ledger: Ledger):
    """An agent had the file open for appending while it was widened: its line is not lost."""
    ledger.path.parent.mkdir()
    ledger.path.write_text("\t".join(SHARED) + "\n" + "\t".join(encode(row("a")).split("\t")[:15]) + "\n")
    with ledger.path.open("a") as late:
        ledger.append(row("b"))
        late.write("late\n")
    assert next(ledger.path.parent.glob("*.bak-*")).read_text().endswith("late\n")


def test_rows_follow_the_files_own_order_of_columns(ledger: Ledger):
    """Somebody moved columns and added one; our cells go where their names stand."""
    names = ["mood", *reversed(COLUMNS)]
    ledger.path.parent.mkdir()
    ledger.path.write_text("\t".join(names) + "\n")
    ledger.append(row("a", reason="r"))
    assert ledger.path.read_text().splitlines()[1].split("\t")[:2] == ["", "r"]
    assert ledger.rows()[0].branch == "p/a"


@pytest.mark.parametrize(
    "content", [b"# Notes\nnot a ledger\n", "index\tbranch\tstatus\n".encode("utf-16"), b"\0" * 50]
)
def test_a_file_that_is_no_ledger_is_left_alone(ledger: Ledger, content: bytes):
    """A wrong path costs nobody a file."""
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(content)
    with pytest.raises(LedgerError, match="is not a ledger"):
        ledger.append(row("a"))
    assert ledger.path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path):
    """A file stands where the folder should be."""
    (tmp_path / "reports").write_text("")
    with pytest.raises(StorageError, match=r"cannot lock .*reports"):
        Ledger(tmp_path / "reports" / "x.tsv").append(row("a"))


def test_rebuilding_touches_only_what_it_is_told(ledger: Ledger):
    """One row replaced, one added, one doubled row left out; other campaigns and remarks stay byte for byte."""
    ledger.append(row("a"))
    ledger.append(row("other"))
    before = ledger.path.read_text() + "# remark\n" + encode(row("a")) + "\n"
    ledger.path.write_text(before)
    kept = ledger.rebuild([row("a", reason="right"), row("new")])
    assert kept is not None
    assert kept.read_text() == before
    a, other, new = (encode(found) for found in (row("a", reason="right"), row("other"), row("new")))
    assert ledger.path.read_text() == f"{header()}\n{a}\n{other}\n# remark\n{new}\n"


def test_rebuilding_what_is_right_changes_nothing(ledger: Ledger):
    """No backup is made for nothing."""
    ledger.append(row("a"))
    assert ledger.rebuild([row("a")]) is None
    assert len(list(ledger.path.parent.iterdir())) == 1
