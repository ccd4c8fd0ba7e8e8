"""A log's lines cleaned and turned into series."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.run.log_patterns import Grammar, scan, unclear
from autoresearch.run.symptom import MAX_LINE, clean, excerpt


def test_decoration_goes_and_text_stays():
    """Colours, actor prefixes, overwritten progress and control characters go; indentation and symbols stay."""
    assert clean("\x1b[36m(Worker[0] pid=12, ip=10.0.0.1)\x1b[0m   • Loss: \x1b[1m0.5\x1b[0m\r\n") == "  • Loss: 0.5"
    assert clean(" 10%|#\r 20%|##\rdone\r") == "done"
    assert clean("a\x00b\x07c") == "abc"
    assert clean("  📊 Training Results:") == "  📊 Training Results:"
    assert clean("x (Worker pid=3) y") == "x (Worker pid=3) y"


@settings(deadline=None)
@given(st.text())
def test_cleaning_is_bounded_and_settles(line):
    """Any line becomes one printable line of bounded length, and cleaning twice changes nothing more."""
    once = clean(line)
    assert len(once) <= MAX_LINE
    assert "\x1b" not in once
    assert "\r" not in once


def test_an_excerpt_is_short_and_readable():
    """At most ten lines of two hundred characters, blank ones left out."""
    text = "\n\n".join(f"\x1b[31mline {i}\x1b[0m " + "x" * 500 for i in range(50))
    lines = excerpt(text).split("\n")
    assert len(lines) == 10
    assert all(len(line) == 200 and line.endswith("...") for line in lines)
    assert lines[-1].startswith("line 49 ")


def test_sections_name_tags():
    """A heading names the set its numbers belong to; a heading without a name ends that."""
    grammar = Grammar(
        values={"validation{section}/loss": re.compile(r"loss ([\d.]+)")},
        section=re.compile(r"results(?: for (\w+))?:"),
    )
    found = scan(["results for hard:", "loss 1", "results:", "loss 2", "results for easy:", "loss 3"], grammar)
    assert {tag: series.values for tag, series in found.items()} == {
        "validation-hard/loss": (1.0,),
        "validation/loss": (2.0,),
        "validation-easy/loss": (3.0,),
    }


@settings(deadline=None)
@given(st.lists(st.text()))
def test_any_lines_can_be_scanned(lines):
    """No text breaks a scan, also when step patterns catch words and enormous numbers."""
    grammar = Grammar(
        values={"x": re.compile("(.)")}, step=re.compile(r"(\w+)"), anchor=re.compile(r"at (.*)"), restarts=True
    )
    scan([*lines, "9" * 400, "at 1e400", "at 7"], grammar)


@pytest.mark.parametrize(
    ("line", "two"),
    [
        ('{"step": 3, "train": {"loss": 0.5}, "eval": {"loss": 0.9}}', True),
        ("[train] loss=0.5 [val] loss=0.9", True),
        ("train loss: 0.5, val loss: 0.9", True),
        ("loss: 0.9 (best loss: 0.7)", False),
        ("loss: 0.9, and once more loss: 0.90", False),
        ("loss: 0.9 val_loss: 0.7", False),
    ],
)
def test_a_line_that_gives_a_metric_twice_gives_none(line, two):
    """Nobody knows which of them is meant; what has a name of its own is another metric."""
    assert ("more than once, 0.5 and 0.9" in unclear("loss", f"loss: 1.0\n{line}\n")) is two


@pytest.mark.parametrize("text", ["1,234.5", "0,83", "1_234.5", "12'000", "1\u202f234"])
def test_a_pattern_that_takes_the_beginning_of_a_number_takes_none(text):
    """A pattern of one's own as well: `score: ([0-9.]+)` never makes 1 of it. One that goes on behind says what it means."""
    loose, strict = re.compile(r"score: ([0-9.]+)"), re.compile(r"score: ([0-9.]+),")
    assert scan([f"score: {text}"], Grammar(values={"score": loose})) == {}
    assert scan(["score: 12,0.5"], Grammar(values={"score": strict}))["score"].values == (12.0,)
