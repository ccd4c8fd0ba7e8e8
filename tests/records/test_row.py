"""The ledger's lines: what is written reads back, and what others wrote is read as far as it goes."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import LedgerError
from autoresearch.experiment.outcome import Status
from autoresearch.records.cell import clean
from autoresearch.records.row import (
    COLUMNS,
    SHARED,
    Row,
    cells,
    decode,
    encode,
    from_note,
    header,
    more,
    parse_table,
    to_note,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "ledger_v1.tsv"
FULL = {
    "index": "2", "branch": "autoresearch/c/lr", "parent_commit": "abc1234", "commit": "def5678", "recipe": "r.yaml",
    "metric_name": "val:accuracy", "metric_value": "0.742100", "memory_gb": "41.5", "elapsed_min": "58.3",
    "launcher": "slurm", "job_id": "123", "command": "uv run x.py", "log_path": "reports/run.log", "status": "keep",
    "description": "raise the learning rate", "started_at": "2026-11-23T20:00:00Z",
    "finished_at": "2026-11-23T20:58:20Z", "runs": "3", "effect": "0.012000", "effect_low": "0.004000",
    "effect_high": "0.020000", "reason": "gain above noise",
}  # fmt: skip
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
times = st.none() | st.integers(-(10**9), 10**10).map(float)
rows = st.builds(
    Row,
    index=st.integers(0, 10**6),
    branch=st.text(min_size=1).filter(lambda text: clean(text) != ""),
    parent_commit=st.text("0123456789abcdef", max_size=40),
    commit=st.text("0123456789abcdef", max_size=40),
    metric_value=numbers,
    memory_gb=st.floats(0, 1e6),
    elapsed_min=st.floats(0, 1e6),
    started_at=times,
    finished_at=times,
    runs=st.none() | st.integers(0, 100),
    effect=numbers,
    effect_low=numbers,
    effect_high=numbers,
)


def test_the_first_fifteen_columns_are_the_skills():
    """R76 names them and their order; ours only follow."""
    skill = (
        "index branch parent_commit commit recipe metric_name metric_value memory_gb elapsed_min launcher "
        "job_id command log_path status description"
    )
    assert " ".join(COLUMNS[:15]) == " ".join(SHARED) == skill


def test_a_row_has_the_cells_it_was_read_from():
    """Six decimals for the metric, one for memory and minutes, seven characters of a hash, UTC to the second."""
    assert cells(decode(FULL)) == FULL


@pytest.mark.parametrize("name", ["commit", "parent_commit"])
def test_hashes_are_short(name: str):
    """Full hashes are cut to seven characters (R280)."""
    assert cells(decode({**FULL, name: "0123456789" * 4}))[name] == "0123456"


def test_a_crash_is_written_as_zeros_and_read_as_no_value():
    """Zeros in a crash row are no measurement (R87, R277); its minutes are real (R278)."""
    row = decode({**FULL, "status": "crash", "metric_value": "0.000000", "memory_gb": "0.0"})
    assert (row.metric_value, row.elapsed_min) == (None, 58.3)
    assert (cells(row)["metric_value"], cells(row)["memory_gb"]) == ("0.000000", "0.0")


def test_a_zero_of_a_valid_run_is_a_value():
    """An accuracy of nought was measured; only crash rows and rows without a run have none."""
    assert decode({**FULL, "metric_value": "0.000000"}).metric_value == 0.0
    assert decode({**FULL, "status": "discard", "metric_value": "0.000000", "runs": "0"}).metric_value is None


@pytest.mark.parametrize("reason", ["over its memory limit", "launch denied by ada: no"])
def test_a_discard_without_a_measurement_has_no_value(reason: str):
    """What stands in for a number in its column is never read back as one, whatever the reason."""
    row = replace(decode({**FULL, "status": "discard"}), metric_value=None, reason=reason)
    assert cells(row)["metric_value"] == "0.000000"
    assert decode(cells(row)).metric_value is None
    assert from_note(to_note(row)).metric_value is None


def test_a_zero_that_an_earlier_version_wrote_for_nothing_is_no_value():
    """Its discards of ideas that crashed said so by their reason alone."""
    said = {**FULL, "status": "discard", "metric_value": "0.000000", "runs": "1"}
    assert decode({**said, "reason": "the idea itself caused the failure: oom-gpu: x"}).metric_value is None
    assert decode({**said, "reason": "worse than its parent"}).metric_value == 0.0


def test_a_tiny_metric_is_not_rounded_to_a_crash():
    """Six decimals of 3.2e-7 would read as nought."""
    row = decode({**FULL, "metric_value": "3.2e-7"})
    assert decode(cells(row)).metric_value == 3.2e-7


@pytest.mark.parametrize("evil", ["a\tb", "a\nb", "a\r\nb", "a\u2028b", "a\x85b", "a\x0bb", "a\x1eb"])
def test_a_break_never_reaches_a_cell(evil: str):
    """Whatever some program takes for a separator becomes one space."""
    line = encode(decode({**FULL, "description": evil}))
    assert line.split("\t")[COLUMNS.index("description")] == "a b"
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("evil", ["\0", "\x1b", "\x7f", "\u202e", "\ud800", "\ufeff"])
def test_other_control_characters_are_replaced(evil: str):
    """They would rule the reader's terminal, or could not be written as UTF-8."""
    line = encode(decode({**FULL, "description": f"a{evil}b"}))
    assert "a\ufffdb" in line
    line.encode()


@pytest.mark.parametrize("text", ["größer", "学習率を上げる", "👩‍🔬 agrees", "a,b;c", "=SUM(A1)", "'quoted'"])
def test_words_of_any_language_survive(text: str):
    """Unicode is text, joiners of emoji included."""
    assert parse_table(f"{header()}\n{encode(decode({**FULL, 'description': text}))}\n").rows[0].description == text


@given(row=rows, text=st.text(), status=st.sampled_from(Status))
def test_what_is_written_reads_back(row: Row, text: str, status: Status):
    """Writing, reading and writing again gives the same line, for any row; text comes back as it was cleaned."""
    first = Row(**{**vars(row), "description": text, "reason": text, "status": status})
    table = parse_table(f"{header()}\n{encode(first)}\n")
    assert table.problems == ()
    assert encode(table.rows[0]) == encode(first)
    assert table.rows[0].reason == clean(text)


@given(text=st.text() | st.text('\t\n\r"#0.keepbranchstatus \x00\u2028é', max_size=200))
def test_no_text_upsets_the_reader(text: str):
    """Any text gives a table; behind a header as well."""
    parse_table(text)
    parse_table(f"{header()}\n{text}")


@given(cut=st.integers(0, 600))
def test_a_torn_line_spoils_no_other(cut: int):
    """Wherever the writer died, the rows before it are all there, and nothing raises."""
    whole = f"{header()}\n{encode(decode(FULL))}\n"
    line = encode(decode({**FULL, "branch": "autoresearch/c/second"}))
    assert parse_table(whole + line[:cut]).rows[0] == decode(FULL)


def test_a_line_marked_as_torn_is_skipped():
    """It is no row and no problem, and its branch is free to be written."""
    table = parse_table(f"{header()}\n1\tautoresearch/c/a\tab\t#torn\n{encode(decode(FULL))}\n")
    assert [row.branch for row in table.rows] == ["autoresearch/c/lr"]
    assert table.problems == ()
    assert table.branches == {"autoresearch/c/lr"}


def test_text_that_looks_like_a_mark_is_text():
    """A reason `#torn`, a description in quotes and a branch `#1` come back as they were."""
    row = decode({**FULL, "branch": "#1", "description": '"so" it said', "reason": "#torn"})
    assert parse_table(f"{header()}\n{encode(row)}").rows == (row,)


def test_a_file_of_fifteen_columns_reads_without_problems():
    """A person or an agent following the skill writes these; the rest is unknown."""
    line = "\t".join(FULL[name] for name in SHARED)
    table = parse_table("\t".join(SHARED) + f"\n{line}\n")
    assert table.problems == ()
    assert (table.rows[0].metric_value, table.rows[0].runs, table.rows[0].reason) == (0.7421, None, "")


def test_a_spreadsheets_file_reads_as_before():
    """Byte-order mark, CRLF, quotes round cells, tabs in quotes, columns moved, trailing empty rows."""
    names = ["status", "description", *(name for name in COLUMNS if name not in ("status", "description"))]
    quoted = {**FULL, "description": '"says ""hi""\tthere"'}
    text = "\ufeff" + "\t".join(names) + "\r\n" + "\t".join(quoted[name] for name in names) + "\r\n\t\t\t\r\n"
    table = parse_table(text)
    assert table.problems == ()
    assert table.rows == (decode({**FULL, "description": 'says "hi" there'}),)


def test_a_stray_quote_is_text():
    """A quote that opens in one cell and closes in another is no quoting when the number of cells is right."""
    line = encode(decode(FULL)).replace("r.yaml", '"r.yaml').replace("uv run x.py", 'say "x"')
    table = parse_table(f"{header()}\n{line}")
    assert (table.rows[0].recipe, table.rows[0].command, table.problems) == ('"r.yaml', 'say "x"', ())


def test_unknown_columns_are_kept():
    """A column that somebody added is not ours to lose; nor is the second of two of one name."""
    table = parse_table(f"{header()}\tmood\treason\n{encode(decode(FULL))}\tgood\tother\n")
    assert table.rows[0].extra == {"mood": "good", f"reason.{len(COLUMNS) + 1}": "other"}
    assert encode(table.rows[0], table.columns).endswith("\tgood\tother")


def test_a_short_row_counts_and_is_noted():
    """An attempt is an attempt (R96); what is missing is said, with the line as it stands."""
    line = "\t".join(FULL[name] for name in COLUMNS[:14])
    table = parse_table(f"{header()}\n{line}\n")
    assert table.rows[0].branch == "autoresearch/c/lr"
    assert [(p.line, p.raw, p.text) for p in table.problems] == [(2, line, "short row: no description")]


@pytest.mark.parametrize(
    ("column", "cell"), [("metric_value", "0,74"), ("index", "1.5"), ("started_at", "tonight"), ("runs", "many")]
)
def test_a_cell_that_cannot_be_read_is_noted_and_never_guessed(column: str, cell: str):
    """The row counts, the cell is missing, and the problem names both."""
    line = "\t".join({**FULL, column: cell}[name] for name in COLUMNS)
    table = parse_table(f"{header()}\n{line}\n")
    assert len(table.rows) == 1
    assert cell in table.problems[0].text
    assert column in table.problems[0].text


@pytest.mark.parametrize("status", ["kept", "", "running"])
def test_only_three_words_are_a_status(status: str):
    """A line with any other word is no row, but its branch is taken and its text is kept (R90)."""
    line = encode(decode(FULL)).replace("\tkeep\t", f"\t{status}\t")
    table = parse_table(f"{header()}\n{line}\n")
    assert (table.rows, table.branches, table.problems[0].raw) == ((), {"autoresearch/c/lr"}, line)
    with pytest.raises(LedgerError, match="keep, discard, crash"):
        decode({**FULL, "status": status})


def test_a_file_without_a_header_is_read_by_position():
    """Somebody deleted the first line; rows of the skill's shape are still rows."""
    assert parse_table(encode(decode(FULL))).rows == (decode(FULL),)


def test_a_text_that_is_no_ledger_has_no_rows_and_says_so():
    """Nothing is invented from a foreign file."""
    table = parse_table("# Notes\n\nNothing here.\n")
    assert (table.columns, table.rows, len(table.problems)) == ((), (), 1)
    assert parse_table("") == parse_table("\n\n")


def test_reading_on_is_reading_all():
    """A table continued with what was appended equals the table of the whole text."""
    one, two = f"{header()}\n{encode(decode(FULL))}\n", "broken\n" + encode(decode({**FULL, "branch": "b"})) + "\n"
    assert more(parse_table(one), two, 3) == parse_table(one + two)


def test_a_note_holds_the_row():
    """One line of JSON; of several merged lines the last that is ours counts; foreign columns travel too."""
    row = decode({**FULL, "mood": "good"})
    assert from_note(to_note(row)) == row
    assert from_note(f"{to_note(decode({**FULL, 'branch': 'old'}))}\n\n{to_note(row)}\nSigned-off-by: me\n") == row
    assert "\n" not in to_note(row)


@given(text=st.text() | st.dictionaries(st.sampled_from(COLUMNS), st.text()).map(str))
def test_a_foreign_note_is_refused_in_our_words(text: str):
    """Notes are written by anybody; the only failure is ours to name."""
    with pytest.raises(LedgerError):
        from_note(text)


def test_version_one_reads_for_ever():
    """This file was written by the first version of the format; it never changes, and neither may its reading."""
    table = parse_table(GOLDEN.read_text(encoding="utf-8"))
    assert table.problems == ()
    assert [(row.index, row.status.value, row.metric_value) for row in table.rows] == [
        (1, "keep", 0.7012), (2, "keep", 0.7421), (3, "discard", 0.7512), (4, "crash", None), (5, "discard", None),
    ]  # fmt: skip
    assert table.rows[3].description == 'bf16 "everywhere" – größer'
    assert "".join(f"{line}\n" for line in [header(), *map(encode, table.rows)]) == GOLDEN.read_text(encoding="utf-8")
