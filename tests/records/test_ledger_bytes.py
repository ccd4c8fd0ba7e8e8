"""What a ledger holds after any interruption, byte for byte: cut rows, other columns, other hands, other encodings."""

from pathlib import Path

import pytest

from autoresearch.errors import LedgerError
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import (
    PLACES,
    Row,
    decode,
    encode,
    header,
    parse_table,
)

HEADER = header()
PLAIN = {"index": "1", "branch": "p/a", "status": "keep", "metric_value": "0.5", "runs": "2"}


def row(name: str = "a", **more_: str) -> Row:
    return decode({**PLAIN, "branch": f"p/{name}", **more_})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "l.tsv")


WHOLE = f"{HEADER}\n{encode(row('a'))}\n{encode(row('b'))}\n".encode()


@pytest.mark.parametrize("cut", [*range(0, len(WHOLE) - 1, 17), len(WHOLE) - 2, len(HEADER), len(HEADER) + 1])
def test_a_row_cut_anywhere_is_completed_by_itself(ledger: Ledger, cut: int):
    """The file is then what it would have been."""
    ledger.path.write_bytes(WHOLE[:cut])
    ledger.append(row("a"))
    assert ledger.append(row("b"))
    assert ledger.path.read_bytes() == WHOLE


@pytest.mark.parametrize("lost", range(1, 8))
def test_a_row_cut_within_its_last_cell_is_known_by_the_rest(ledger: Ledger, lost: int):
    """It looks whole, so only the row itself can tell; another row takes it as it stands."""
    full = row("b", reason="better")
    whole = WHOLE[: WHOLE.index(b"\n1\tp/b") + 1] + encode(full).encode() + b"\n"
    ledger.path.write_bytes(whole[:-lost])
    assert ledger.append(full) is (lost > 1)
    assert ledger.path.read_bytes() == (whole if lost > 1 else whole[:-1])
    ledger.path.write_bytes(whole[:-lost])
    assert not ledger.append(row("b", reason="worse")) or lost == 7
    assert ledger.append(row("c"))
    assert ledger.rows()[-1].branch == "p/c"


@pytest.mark.parametrize("lost", [1, 2, 9])
def test_another_row_goes_below_a_cut_one(ledger: Ledger, lost: int):
    """A line that lacks its newline only is whole; one that lacks more is marked as torn, and its branch is free."""
    ledger.path.write_bytes(WHOLE[:-lost])
    torn = "" if lost == 1 else "\t#torn"
    assert ledger.begun() == "p/b"
    assert ledger.append(row("c"))
    assert ledger.path.read_bytes() == WHOLE[:-lost] + f"{torn}\n{encode(row('c'))}\n".encode()
    assert ledger.append(row("b")) is (lost > 1)


def test_what_is_begun_is_the_line_without_its_end(ledger: Ledger):
    """Nothing where there is no file, or where the last line has ended."""
    assert ledger.begun() == ""
    ledger.path.write_bytes(WHOLE)
    assert ledger.begun() == ""
    ledger.path.write_bytes(WHOLE + b"3\tp/c")
    assert ledger.begun() == "p/c"


def test_branches_are_those_of_whole_lines_that_begin_so(ledger: Ledger):
    """Readable as rows or not; a line that has not ended is none yet."""
    ledger.path.write_bytes(WHOLE + b"9\tp/odd\tx\n9\tq/p/x\tx\n3\tp/c\tx")
    assert ledger.branches("p/") == {"p/a", "p/b", "p/odd"}
    assert ledger.branches("p/b") == {"p/b"}


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_branch_is_written_once_wherever_it_stands(ledger: Ledger, end: bytes):
    """In the last line as in the first; a name that only holds it is another."""
    ledger.path.write_bytes(WHOLE.removesuffix(b"\n") + end)
    assert not ledger.append(row("a"))
    assert not ledger.append(row("b"))
    assert ledger.append(row("bb"))
    assert ledger.append(row(""))
    assert [one.branch for one in ledger.rows()] == ["p/a", "p/b", "p/bb", "p/"]


def test_a_row_with_places_widens_the_file(ledger: Ledger):
    """By those columns that it has, with a backup of the file as it was; the next row has them empty."""
    placed = row("c", **{PLACES[0]: "/big/c"})
    ledger.path.write_bytes(WHOLE)
    ledger.append(placed)
    ledger.append(row("d"))
    text = ledger.path.read_text()
    assert text.startswith(f"{HEADER}\t{PLACES[0]}\n{encode(row('a'))}\n")
    assert text.endswith(f"{encode(row('c'))}\t/big/c\n{encode(row('d'))}\t\n")
    assert [kept.read_bytes() for kept in ledger.path.parent.glob("*.bak-*")] == [WHOLE]
    fresh = Ledger(ledger.path.with_name("fresh.tsv"))
    fresh.append(placed)
    assert fresh.path.read_text() == f"{HEADER}\t{PLACES[0]}\n{encode(row('c'))}\t/big/c\n"


def test_a_file_without_a_header_gets_one(ledger: Ledger):
    """Above its first row, whatever remarks stand before it."""
    narrow = "\t".join(encode(row("a")).split("\t")[:15])
    ledger.path.write_text(f"# mine\n{narrow}\n")
    ledger.append(row("b"))
    assert ledger.path.read_text() == f"# mine\n{HEADER}\n{narrow}\n{encode(row('b'))}\n"
    bare = Ledger(ledger.path.with_name("bare.tsv"))
    bare.path.write_text(f"{narrow}\n")
    bare.append(row("b"))
    assert bare.path.read_text() == f"{HEADER}\n{narrow}\n{encode(row('b'))}\n"


def test_what_is_read_once_is_read_on_from_there(ledger: Ledger):
    """A file that only grew, one that was changed in its middle, and one that was taken away."""
    ledger.path.write_bytes(WHOLE)
    assert [one.branch for one in ledger.rows()] == ["p/a", "p/b"]
    ledger.path.write_bytes(WHOLE + b"bad\n" + encode(row("c")).encode() + b"\n")
    assert ledger.table() == parse_table(ledger.path.read_text())
    ledger.path.write_bytes(WHOLE.replace(b"p/b", b"p/x"))
    assert [one.branch for one in ledger.rows()] == ["p/a", "p/x"]
    assert [one.branch for one in ledger.rows("p/x")] == ["p/x"]
    ledger.path.unlink()
    assert ledger.rows() == ()


def test_a_last_line_that_has_not_ended_is_read_anew(ledger: Ledger):
    """Its end may make another row of it."""
    ledger.path.write_bytes(WHOLE[:-1])
    assert len(ledger.rows()) == 2
    ledger.path.write_bytes(WHOLE[:-1] + b" by hand\n")
    assert ledger.rows()[-1].reason == "by hand"


def test_a_file_of_another_encoding_is_read_and_never_written(ledger: Ledger):
    """As a spreadsheet saves it."""
    ledger.path.write_bytes(WHOLE.decode().encode("utf-16"))
    assert [one.branch for one in ledger.rows()] == ["p/a", "p/b"]
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-8")):
        marked = mark + WHOLE.decode().encode(encoding)
        ledger.path.write_bytes(marked)
        with pytest.raises(LedgerError, match="is not a ledger"):
            ledger.append(row("c"))
        assert ledger.path.read_bytes() == marked


def test_rebuilding_replaces_each_row_where_it_stands(ledger: Ledger):
    """The first of one branch; what is not there comes last, below the last line that says something."""
    ledger.path.write_bytes(WHOLE + b"\n\n")
    kept = ledger.rebuild([row("b", reason="right"), row("c")])
    assert kept is not None
    assert kept.read_bytes() == WHOLE + b"\n\n"
    lines = [HEADER, encode(row("a")), encode(row("b", reason="right")), encode(row("c"))]
    assert ledger.path.read_text() == "\n".join(lines) + "\n"


def test_rebuilding_nothing_makes_a_file_and_no_backup(ledger: Ledger):
    """Of the rows alone; with places where a row has them."""
    assert ledger.rebuild([row("a"), row("b")]) is None
    assert ledger.path.read_bytes() == WHOLE
    ledger.path.write_text("\n \n")
    assert ledger.rebuild([row("a", **{PLACES[1]: "/x"})]) is not None
    assert ledger.path.read_text() == f"{HEADER}\t{PLACES[1]}\n{encode(row('a'))}\t/x\n"
