"""Ledgers and journals as hands, spreadsheets and broken disks leave them: nearly right, and wrong anywhere."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import LedgerError
from autoresearch.experiment.events import Noted
from autoresearch.experiment.history import fold
from autoresearch.records.journal import Journal, dump, load
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import COLUMNS, decode, encode, parse_table

GOLDEN = Path(__file__).parents[1] / "golden"
HEADER, *LINES = (GOLDEN / "ledger_v1.tsv").read_text().splitlines()
EVENTS = (GOLDEN / "journal_v1.jsonl").read_text().splitlines()
NEW = decode({"branch": "autoresearch/c/new", "status": "discard", "index": "9", "description": "ours"})

places = st.integers(0, 10_000)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8) | st.sampled_from(
    ["0,74", "keep", '"', "#torn", "#", "-1", "1e999", "nan", "autoresearch/c/new"]
)
line_edits = st.lists(
    st.tuples(st.sampled_from(["drop", "double", "swap"]), places, places)
    | st.tuples(st.just("cell"), places, st.sampled_from(COLUMNS[:-1]), words),
    max_size=4,
)
looks = st.sets(st.sampled_from(["crlf", "bom", "quoted", "blank lines", "remarks", "no last newline"]))


def edited(lines, edits):
    """The lines after some were dropped, doubled, swapped, or got another cell."""
    found = list(lines)
    for what, where, *more in edits:
        if not found:
            break
        at = where % len(found)
        if what == "drop":
            del found[at]
        elif what == "double":
            found.insert(more[0] % len(found), found[at])
        elif what == "swap":
            to = more[0] % len(found)
            found[at], found[to] = found[to], found[at]
        else:
            cells = found[at].split("\t")
            cells[COLUMNS.index(more[0])] = more[1]
            found[at] = "\t".join(cells)
    return found


def saved(lines, looks):
    """The bytes that an editor or a spreadsheet makes of the lines."""
    lines = [HEADER, *lines]
    if "quoted" in looks:
        lines = ["\t".join('"' + cell.replace('"', '""') + '"' for cell in line.split("\t")) for line in lines]
    if "remarks" in looks:
        lines = [line for pair in zip(lines, ["# seen"] * len(lines), strict=True) for line in pair]
    if "blank lines" in looks:
        lines = [*lines, "", "\t" * 20]
    end = "\r\n" if "crlf" in looks else "\n"
    text = end.join(lines) + ("" if "no last newline" in looks else end)
    return (("\ufeff" if "bom" in looks else "") + text).encode()


@given(looks=looks)
def test_a_ledger_saved_by_another_program_reads_the_same(looks):
    """Line ends, a byte-order mark, quotes, blank lines and remarks say nothing."""
    assert parse_table(saved([line for line in LINES if '"' not in line], looks).decode()).rows == tuple(
        row for row in parse_table("\n".join([HEADER, *LINES])).rows if '"' not in encode(row)
    )


@given(edits=line_edits, looks=looks.map(lambda found: found - {"quoted"}))
@settings(max_examples=80, deadline=None)
def test_a_ledger_edited_by_hand_loses_no_line_in_silence(tmp_path_factory, edits, looks):
    """An untouched row reads as it did, a touched line is a row or a problem; our next row goes below, once."""
    path = tmp_path_factory.mktemp("hand") / "ledger.tsv"
    lines = edited(LINES, edits)
    path.write_bytes(before := saved(lines, looks))
    ledger = Ledger(path)
    table = ledger.table()
    read = iter([encode(row) for row in table.rows])
    assert all(line in read for line in lines if line in LINES), "an untouched row is gone, or stands elsewhere"
    told = len(table.rows) + len({problem.line for problem in table.problems})
    spoken = [line for line in lines if not line.startswith("#") and line.split("\t")[-1] != "#torn"]
    assert told >= len(spoken)
    wrote = ledger.append(NEW)
    assert wrote == (NEW.branch not in table.branches)
    assert path.read_bytes().startswith(before)
    assert not ledger.append(NEW)
    assert ledger.rows()[: len(table.rows)] == table.rows


journal_edits = st.lists(
    st.tuples(st.sampled_from(["drop", "double", "swap"]), places, places)
    | st.tuples(st.just("byte"), places, places, st.integers(0, 255))
    | st.tuples(st.just("cut"), places, places),
    min_size=1,
    max_size=4,
)


def damaged(edits):
    """The golden journal's lines after some were dropped, doubled, swapped, cut, or got a wrong byte."""
    found = [line.encode() for line in EVENTS]
    for what, where, *more in edits:
        if not found:
            break
        at = where % len(found)
        if what in {"drop", "double", "swap"}:
            found = edited(found, [(what, where, *more)])
        elif what == "cut":
            found[at] = found[at][: more[0] % (len(found[at]) + 1)]
        elif found[at] and more[1] not in b"\n":
            place = more[0] % len(found[at])
            found[at] = found[at][:place] + bytes([more[1]]) + found[at][place + 1 :]
    return found


def readable(line):
    """Whether a line is an event."""
    try:
        return bool(load(line.decode()))
    except (LedgerError, UnicodeDecodeError):
        return False


@given(edits=journal_edits)
@settings(max_examples=80, deadline=None)
def test_a_damaged_journal_is_named_by_its_line_and_salvaged_without_loss(tmp_path_factory, edits):
    """The first bad line is the one named; salvage keeps every good line as it was, and the old file beside."""
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    lines = damaged(edits)
    journal.path.write_bytes(before := b"".join(line + b"\n" for line in lines))
    bad = [number for number, line in enumerate(lines, 1) if line.strip() and not readable(line)]
    good = [dump(load(line.decode())) for line in lines if line.strip() and readable(line)]
    try:
        assert list(map(dump, journal.read())) == good
        assert not bad
    except LedgerError as error:
        assert f"line {bad[0]} " in str(error)  # noqa: PT017
    if any(b'"v":1' not in lines[number - 1][:6] for number in bad):
        return  # it may claim to be of a newer version, which salvage leaves alone
    kept = journal.salvage()
    assert (kept is None) == (not bad)
    assert kept is None or kept.read_bytes() == before
    aside = [event for event in journal.read() if isinstance(event, Noted) and "raw" in event.details]
    assert len(aside) == len(bad)
    assert [dump(event) for event in journal.read() if event not in aside] == good


@given(edits=journal_edits)
@settings(max_examples=80, deadline=None)
def test_a_journal_with_lines_missing_or_moved_is_replayed_or_refused(edits):
    """What cannot have happened in that order is a LedgerError with a way out, never a bug."""
    events = [load(line.decode()) for line in damaged(edits) if line.strip() and readable(line)]
    try:
        history = fold(events)
    except LedgerError as error:
        assert "a line is missing before it" in str(error)  # noqa: PT017
    else:
        assert history.attempted == len(history.experiments)
        assert {run.run_id for run in history.in_flight()} <= history.runs.keys()
