"""Faults that the tests are tried with: which there are, and that what the page says of them is still true."""

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/design/mutants.md"


@pytest.fixture(scope="module")
def tool():
    """The modules of the tool, which lie beside each other and not in a package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        yield importlib.import_module("mutants"), importlib.import_module("mutations")
    finally:
        sys.path.remove(str(ROOT / "tools"))


TEXT = '''
LONGEST = 7
WORDS = ("a", "b")
SHAPE = re.compile(r"(?:ab|cd){2,}")


@cache(3)
def fits(count: int, most: int = 1) -> bool:
    """Never 3."""
    if count < most and not WORDS:
        return True
    return min(count, 2) + most > 0
'''
FAULTS = [
    "<module>: 7 -> 8", "<module>: 7 -> 6", "<module>: 'a' -> no such entry", "<module>: 'b' -> no such entry",
    "<module>: (?:[ab|] -> dropped", "<module>: (?:ab[|cd] -> dropped", "<module>: (?:ab|cd){2,} -> (?:ab|cd){3,}",
    "fits: 1 -> 2", "fits: 1 -> 0", "fits: if count < most and (not WORDS) -> if not",
    "fits: if count < most and (not WORDS): return True -> nothing", "fits: count < most and (not WORDS) -> count < most or not WORDS",
    "fits: count < most -> count <= most", "fits: count < most -> count > most", "fits: not WORDS -> WORDS",
    "fits: return True -> return None", "fits: True -> False", "fits: return min(count, 2) + most > 0 -> return None",
    "fits: min(count, 2) + most > 0 -> min(count, 2) + most >= 0", "fits: min(count, 2) + most > 0 -> min(count, 2) + most < 0",
    "fits: min(count, 2) + most -> min(count, 2) - most", "fits: min(count, 2) -> max(count, 2)", "fits: 2 -> 3", "fits: 2 -> 1",
    "fits: 0 -> 1",
]  # fmt: skip


def test_a_slip_of_every_kind_is_made(tool):
    """Comparisons, operators, bounds, signs, conditions, results, entries, alternatives; no annotation, no docstring."""
    _, mutations = tool
    assert [mutant.key.removeprefix("x ") for mutant in mutations.faults("x", TEXT)] == FAULTS


def test_every_group_names_modules_and_tests_that_are_there(tool):
    """And its sample is the same every time."""
    mutants, _ = tool
    for group in mutants.table()[0]:
        assert all((ROOT / test).is_file() for test in group.tests), group
        sample = group.sample(mutants.SEED, 20)
        assert sample == group.sample(mutants.SEED, 20) != group.sample(mutants.SEED + 1, 20)


def test_the_page_shows_every_group_and_leaves_no_survivor_unexplained(tool):
    """Nine in ten are noticed in each; what is not has its reason."""
    mutants, _ = tool
    page = PAGE.read_text()
    shares = dict(re.findall(r"^\| (\w+) \|.*\| (\d+)% \| \d+ \|$", page, re.MULTILINE))
    assert list(shares) == [group.name for group in mutants.table()[0]]
    assert all(int(share) >= 90 for share in shares.values())
    assert "Not explained" not in page
