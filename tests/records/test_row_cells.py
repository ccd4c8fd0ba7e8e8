"""Every format and every bound of a ledger's cells and lines has a row: what it says, and what is one beyond it."""

import re

import pytest

from autoresearch.errors import LedgerError
from autoresearch.experiment.outcome import Status
from autoresearch.records.cell import clean, decimal, quote, split, stamp, tenths, unquote
from autoresearch.records.row import (
    COLUMNS,
    PLACES,
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

INF, NAN = float("inf"), float("nan")
PLAIN = {"index": "1", "branch": "p/a", "status": "keep", "metric_value": "0.5", "runs": "2"}


def row(name: str = "a", **more_: str) -> Row:
    return decode({**PLAIN, "branch": f"p/{name}", **more_})


def said(text: str, column: str) -> object:
    return getattr(decode({**PLAIN, column: text}), column)


@pytest.mark.parametrize(("value", "cell"), [
    (None, ""), (INF, ""), (-INF, ""), (NAN, ""), (0.0, "0.000000"), (-0.0, "0.000000"), (0.5, "0.500000"), (-1.25, "-1.250000"),
    (5.01e-7, "0.000001"), (5e-7, "5.000000e-07"), (-5.01e-7, "-0.000001"), (-5e-7, "-5.000000e-07"),
    (999999999999999.0, "999999999999999.000000"), (1e15, "1.000000e+15"), (-1e15, "-1.000000e+15"),
])  # fmt: skip
def test_a_number_has_six_decimals_where_they_show_it(value, cell):
    """Below half of the last one, and from a thousand billions on, an exponent."""
    assert decimal(value) == cell


@pytest.mark.parametrize(
    ("value", "cell"), [(0.0, "0.0"), (41.54, "41.5"), (41.56, "41.6"), (INF, "0.0"), (NAN, "0.0")]
)
def test_memory_and_minutes_have_one_decimal(value, cell):
    """What is not known is nought."""
    assert tenths(value) == cell


@pytest.mark.parametrize(("at", "cell"), [
    (None, ""), (0.0, "1970-01-01T00:00:00Z"), (1.4, "1970-01-01T00:00:01Z"), (1.6, "1970-01-01T00:00:02Z"), (1e20, ""), (INF, ""), (NAN, ""),
])  # fmt: skip
def test_a_time_is_written_to_the_second(at, cell):
    """In UTC; nothing where the calendar has no such day."""
    assert stamp(at) == cell


@pytest.mark.parametrize(("text", "time"), [
    ("1970-01-01T00:00:10Z", 10.0), ("1970-01-01T00:00:10", 10.0), ("1970-01-01T02:00:10+02:00", 10.0), ("1970-01-02", 86400.0), ("", None),
])  # fmt: skip
def test_a_time_without_a_zone_is_utc(text, time):
    """And one with a zone is the moment that it means."""
    assert said(text, "started_at") == time


@pytest.mark.parametrize(("text", "number"), [("0.5", 0.5), ("1e-3", 0.001), ("-2", -2.0), ("", None), *((w, None) for w in (
    "-", "none", "NONE", "null", "n/a", "NA", "nan", "NaN"))])  # fmt: skip
def test_a_cell_may_say_that_it_says_nothing(text, number):
    """In any of these words, and without a complaint."""
    assert said(text, "effect") == number


@pytest.mark.parametrize(("column", "text", "wanted"), [
    ("effect", "0,74", "a number"), ("effect", "inf", "a number"), ("runs", "1.5", "a whole number"), ("runs", "x", "a whole number"),
    ("runs", "1e999", "a whole number"), ("finished_at", "noon", "an ISO time"), ("effect", "nothing", "a number"),
])  # fmt: skip
def test_a_cell_that_cannot_be_read_names_its_column_and_its_text(column, text, wanted):
    """Cut at forty characters, as the rest of the line is there to see."""
    with pytest.raises(LedgerError, match=f"{column} is '{text}', not {wanted}"):
        said(text, column)
    with pytest.raises(LedgerError, match=f"{column} is '{'x' * 40}', not"):
        said("x" * 41, column)
    assert said("3.0", "runs") == 3


@pytest.mark.parametrize(("text", "cell"), [
    ("a\tb", "a b"), ("a \t\r\n b", "a   b"), ("  a ", "a"), ("a\x07b", "a\ufffdb"), ("a\x07\x07b", "a\ufffd\ufffdb"), ("", ""), ("é", "é"), ("a\x1cb", "a b"),
])  # fmt: skip
def test_text_keeps_to_its_cell(text, cell):
    """A run of breaks is one blank, any other control character a mark."""
    assert clean(text) == cell


@pytest.mark.parametrize(
    ("text", "cell"), [('"a"', '"""a"""'), ("#a", '"#a"'), ('a"b', 'a"b'), ("a#b", "a#b"), ("", "")]
)
def test_only_a_cell_that_begins_like_a_mark_is_quoted(text, cell):
    """And what was quoted reads back."""
    assert (quote(text), unquote(cell)) == (cell, text)


@pytest.mark.parametrize(("line", "wanted", "found"), [
    ('"a\tb"\tc', 2, ["a b", "c"]), ('"a\tb"\tc', 3, ['"a', 'b"', "c"]), ('a\t"b"\t', 3, ["a", "b", ""]), ('"a""b"\tc', 2, ['a"b', "c"]),
    ('"a"x\tb', 1, ['"a"x', "b"]), (" a \t b ", 2, ["a", "b"]), ("a\t\t", 3, ["a", "", ""]), ("a\x07\tb", 2, ["a\ufffd", "b"]), ('"a"', 1, ["a"]),
])  # fmt: skip
def test_a_line_is_split_as_its_number_of_cells_says(line, wanted, found):
    """Quotes hold a tab together only where the plain count is wrong."""
    assert split(line, wanted) == found


@pytest.mark.parametrize(
    ("status", "runs", "value"),
    [("keep", "2", 0.5), ("discard", "", 0.5), ("discard", "0", None), ("crash", "2", None), ("keep", "1", 0.5)],
)
def test_only_a_verdict_on_runs_has_a_metric(status, runs, value):
    """As it is read, and as it is written."""
    read = decode({**PLAIN, "status": status, "runs": runs})
    assert read.metric_value == value
    again = Row(**{**vars(read), "metric_value": 0.5})
    assert cells(again)["metric_value"] == ("0.000000" if value is None else "0.500000")


def test_a_row_that_says_little_has_the_least_of_everything():
    """Branch and status are what makes a row."""
    read = decode({"branch": "b", "status": "KEEP"})
    assert (read.index, read.memory_gb, read.elapsed_min, read.job_id, read.runs, read.status) == (
        0,
        0.0,
        0.0,
        "none",
        None,
        Status.KEEP,
    )
    assert (read.metric_value, read.effect, read.started_at, read.reason, dict(read.extra)) == (
        None,
        None,
        None,
        "",
        {},
    )
    assert cells(Row(**{**vars(read), "job_id": " "}))["job_id"] == "none"
    assert (cells(read)["runs"], cells(row())["runs"], cells(read)["index"]) == ("", "2", "0")
    with pytest.raises(LedgerError, match="no branch"):
        decode({"status": "keep"})
    with pytest.raises(LedgerError, match=f"status is '{'x' * 40}', not one of keep, discard, crash"):
        decode({"branch": "b", "status": "x" * 41})
    with pytest.raises(LedgerError) as refused:
        decode({"branch": "b", "status": "x", "reason": "y" * 500})
    assert len(str(refused.value)) < 400


def test_a_hash_has_seven_characters_as_read_and_as_written():
    """Of both commits."""
    read = decode({**PLAIN, "commit": "0123456789", "parent_commit": "abcdef0123"})
    assert (read.commit, read.parent_commit) == ("0123456", "abcdef0")
    long = Row(**{**vars(read), "commit": "0123456789", "parent_commit": "abcdef0123"})
    assert (cells(long)["commit"], cells(long)["parent_commit"]) == ("0123456", "abcdef0")


def test_foreign_cells_are_kept_and_never_take_the_place_of_ours():
    """Also in a note."""
    read = decode({**PLAIN, "mood": "good", "reason": "ours"})
    assert dict(read.extra) == {"mood": "good"}
    odd = Row(**{**vars(read), "extra": {"reason": "theirs", "mood": "bad"}})
    assert (cells(odd)["reason"], cells(odd)["mood"]) == ("ours", "bad")
    assert encode(read, ("mood", "branch", "nothing")) == "good\tp/a\t"
    assert from_note(to_note(read)) == read


HEADER = header()


@pytest.mark.parametrize("line", [
    "\ufeff" + HEADER, HEADER.upper(), "#" + HEADER, HEADER.replace("_", " ").title(), " status \t branch ", "# a remark\n\n" + HEADER,
])  # fmt: skip
def test_a_header_is_known_by_branch_and_status(line):
    """In any case, with blanks for underscores, behind a mark, after remarks and blank lines."""
    table = parse_table(f"{line}\nx\n")
    assert {"branch", "status"} <= set(table.columns)
    assert table.problems[0].line == line.count("\n") + 2


@pytest.mark.parametrize(("count", "known"), [(13, False), (14, True), (15, True), (22, True), (23, False)])
def test_a_file_without_a_header_is_read_by_position_where_it_has_our_shape(count, known):
    """From the status on, and no more cells than we have columns."""
    found = [*encode(row()).split("\t"), "more"][:count]
    table = parse_table("\t".join(found) + "\n")
    assert (table.columns == COLUMNS[:count]) is known
    assert [one.branch for one in table.rows] == (["p/a"] if known else [])
    assert parse_table("# remark\n" + "\t".join(found)).columns == (COLUMNS[:count] if known else ())
    found[13:14] = ["maybe"] * (count > 13)
    assert parse_table("\t".join(found)).columns == ()


def test_a_text_that_is_no_ledger_is_one_problem():
    """The line that should have been a header, and what it lacks."""
    (problem,) = parse_table("first\nsecond\n").problems
    assert (problem.line, problem.raw, problem.text) == (1, "first", "no header with the columns `branch` and `status`")
    assert parse_table("# only\n\n# remarks\n").problems == ()


@pytest.mark.parametrize(("line", "told"), [
    ("p/a", "short row: no status|status is"), ("1\tp/a", "short row"), ("x\ty\tz\textra", "cells under"),
])  # fmt: skip
def test_a_line_with_the_wrong_number_of_cells_is_told(line, told):
    """Too few of the skill's columns, or text beyond the last one; empty cells beyond it are nothing."""
    table = parse_table(f"branch\tstatus\trecipe\n{line}\n")
    assert any(re.search(told, problem.text) for problem in table.problems)
    assert parse_table("branch\tstatus\np/a\tkeep\t\t\n").problems == ()
    assert parse_table("branch\tstatus\np/a\tkeep\tx\n").problems[0].text == "3 cells under 2 columns"
    assert parse_table("branch\tstatus\treason\np/a\tkeep\n").problems == ()


def test_a_line_that_says_nothing_is_passed_over_and_counted():
    """Blank, a remark, or torn; the next problem has its own line's number."""
    table = parse_table("branch\tstatus\n\n# x\np/a\tkeep\np/b\t#torn  \n \t \n\tkeep\n")
    assert ([one.branch for one in table.rows], table.branches) == (["p/a"], {"p/a"})
    assert [(problem.line, problem.text) for problem in table.problems] == [(7, "no branch")]


def test_reading_on_numbers_the_lines_of_the_whole_file():
    """Problems of both parts, branches of both."""
    first = parse_table("branch\tstatus\np/a\tkeep\nbad\n")
    whole = more(first, "p/b\tkeep\nworse\n", 4)
    assert whole == parse_table("branch\tstatus\np/a\tkeep\nbad\np/b\tkeep\nworse\n")
    assert [problem.line for problem in whole.problems] == [3, 3, 5, 5]


@pytest.mark.parametrize("names", ["branch\tstatus\tx\tx\tx", "branch\tstatus\tX\tx\tx"])
def test_columns_of_one_name_are_told_apart_by_their_place(names):
    """The first one keeps the name."""
    assert parse_table(f"{names}\n").columns == ("branch", "status", "x", "x.3", "x.4")


def test_the_last_note_that_is_ours_counts():
    """Lines of others are passed over; a foreign text is told by its beginning."""
    old, new = to_note(row("old")), to_note(row("new"))
    assert from_note(f'{old}\n{new}\n[1]\n{{"a": 1}}\nplain').branch == "p/new"
    assert '"v":1,' in new
    assert "größer" in to_note(row(description="größer"))
    with pytest.raises(LedgerError, match=f"not a result of an experiment: '{'x' * 120}'$"):
        from_note("x" * 121)


def test_the_columns_stand_in_this_order():
    """They are a format that others read: the skill's fifteen, ours, then places."""
    assert " ".join(COLUMNS[15:]) == "started_at finished_at runs effect effect_low effect_high reason"
    assert (COLUMNS[:15], PLACES) == (SHARED, ("checkpoint_path", "artifacts_path", "cache_root"))
