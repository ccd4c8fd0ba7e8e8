"""Tables and labelled lines, which fit a terminal where there is one."""

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.report import plain_text


def test_a_long_text_goes_on_below_its_beginning():
    """Labels stay a column of their own."""
    assert plain_text.entry("warning:", "one two three", 27).split("\n") == [
        "warning:          one two",
        " " * 18 + "three",
    ]


@given(words=st.lists(st.text("abc-/.=", min_size=1, max_size=12), min_size=1), width=st.integers(31, 120))
def test_breaking_lines_loses_no_word(words: list[str], width: int):
    """Every word is there in its order, and no line is longer than asked for."""
    lines = plain_text.entry("", " ".join(words), width).split("\n")
    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= width


def test_a_table_is_cut_only_where_a_width_is_given():
    """A file or a pipe gets every character; a cut line says that it is one."""
    rows = [(1, "a" * 30)]
    assert plain_text.table(("#", "why"), rows).endswith("a" * 30)
    assert plain_text.table(("#", "why"), rows, 10).split("\n") == ["#  why", "1  aaaaaa…"]


def test_a_last_column_that_folds_loses_nothing():
    """It goes on below itself, or below the whole line where there is little room beside it."""
    words = "one two three four five six seven eight"
    assert plain_text.table(("#", "why"), [(1, words)], 30, folds=True).split("\n") == [
        "#  why",
        "1  one two three four five six",
        "   seven eight",
    ]
    narrow = plain_text.table(("number", "why"), [("1" * 20, words)], 30, folds=True).split("\n")
    assert narrow[1:] == ["1" * 20, "    one two three four five", "    six seven eight"]


def test_labelled_texts_of_several_lines_keep_their_column():
    """The label stands beside the first line alone; what has no text is left out."""
    assert plain_text.entries([("a", "x\ny"), ("b", "")], column=4) == "a:  x\n    y"


def test_a_cell_of_many_lines_stays_in_its_row():
    """Reasons quote logs and git; a line break among them does not tear the table."""
    assert plain_text.table(("#", "why"), [(1, "no value. The log ends:\nboom"), (2, "fine")]).splitlines() == [
        "#  why",
        "1  no value. The log ends: boom",
        "2  fine",
    ]
