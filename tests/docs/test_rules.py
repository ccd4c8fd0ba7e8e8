"""The page of rules is true as far as a program can check: what it names exists, and what is cited has a row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/design/rules.md"
ROW = re.compile(r"^\| (R\d[^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LEFT = re.compile(r"^- (R\d[^:]*):", re.MULTILINE)
CITATION = re.compile(r"\bR(\d{1,3})(?:-R(\d{1,3}))?\b")
SHOWN = re.compile(r"`([\w/]+\.py)::(\w+)`")

ROWS = ROW.findall(PAGE.read_text())

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


def numbers(text):
    """Every rule that a text cites; both ends of a range and what lies between."""
    return [n for first, last in CITATION.findall(text) for n in range(int(first), int(last or first) + 1)]


def cited():
    """Rule number → the files that cite it, this page left out."""
    found = {}
    for room in ("src", "tests", "docs"):
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {".py", ".yaml", ".md"} and path not in {PAGE, Path(__file__)}:
                for number in numbers(path.read_text()):
                    found.setdefault(number, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_rule_that_is_cited_can_be_looked_up():
    """R113 in a docstring leads to a row or to the closing list."""
    known = {n for text in (*(row[0] for row in ROWS), *LEFT.findall(PAGE.read_text())) for n in numbers(text)}
    assert {number: files for number, files in cited().items() if number not in known} == {}


def test_a_rule_stands_in_one_place():
    """No number has two rows, or a row and an excuse."""
    listed = [n for text in (*(row[0] for row in ROWS), *LEFT.findall(PAGE.read_text())) for n in numbers(text)]
    assert sorted(listed) == sorted(set(listed))


@each_row
def test_every_module_and_test_of_a_row_exists(row):
    """A renamed test or a moved module is noticed."""
    _, _, kept, shown = row
    modules, tests = re.findall(r"`([^`]+)`", kept), SHOWN.findall(shown)
    assert modules
    assert [name for name in modules if not (ROOT / "src/autoresearch" / name).is_file()] == []
    assert tests
    for path, name in tests:
        assert re.search(rf"^ *def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE), f"{path}::{name}"


@each_row
def test_a_rule_is_said_briefly(row):
    """Twenty words; what is not kept comes after them."""
    assert len(row[1].partition("In part:")[0].split()) <= 20
