"""One run, one result: which lines give it, and when two of them are one too many."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.log_patterns import Grammar, Scan, nearest
from autoresearch.run.printed_result import (
    Manner,
    ResultLines,
    conflict_words,
    manner_of,
    result_of,
    unlike_baseline,
)


def read(*lines: str):
    found = ResultLines("score")
    for line in lines:
        found.feed(line)
    return found


@pytest.mark.parametrize(("line", "manner"), [
    ("score: 0.83", Manner.BARE), ("  score=0.83", Manner.BARE), ('{"score": 0.83}', Manner.BARE),
    ("2026-01-02 03:04:05,678 INFO score: 0.83", Manner.BARE), ("score: 83.5%", Manner.BARE),
    ("final score: 0.83", Manner.LABELLED), ("score=0.83 (best)", Manner.LABELLED),
    ("step 20 score=0.83", Manner.PROGRESS), ("3/20 score: 0.83", Manner.PROGRESS),
    ("score: 0.83 loss: 0.2", Manner.PROGRESS), ('{"step": 4, "score": 0.83}', Manner.PROGRESS),
])  # fmt: skip
def test_how_a_line_gives_the_result(line, manner):
    """Alone on its line, with words around it, or with a step or other numbers beside it."""
    assert manner_of("score", line) is manner


@pytest.mark.parametrize("lines", [
    ("score: 0.83",),
    ("score: 0.83", "score: 0.83"),
    ("score: 0.83", "score: 0.8300", "score: 0.8312"),
    ("score: 0.1", "score: 0.2", "score: 0.3", "score: 0.2"),
    ("step 1", "score: 0.1", "step 2", "score: 0.2"),
    ("epoch 1/2 score=0.1", "epoch 2/2 score=0.4", "score: 0.45"),
    ("score: 0.1", "epoch 1 score=0.3", "epoch 2 score=0.4"),
    ("best score: 0.84", "score: 0.83"),
    ("score: 0.83", "the paper reports score: 0.99 for this"),
    ("score: 0.83", "paper score: 0.99"),
    ("10%|# | score=0.1", "20%|## | score=0.2", "done"),
])  # fmt: skip
def test_one_result_or_a_curve_is_no_conflict(lines):
    """Repeated, rounded, printed at steps, as a series, labelled beside a bare one, or in a sentence."""
    assert read(*lines).conflict is None


@pytest.mark.parametrize(("lines", "pair"), [
    (("score: 0.61", "score: 0.903"), ("score: 0.61", "score: 0.903")),
    (("score: 0.903", "more text", "score: 0.61"), ("score: 0.903", "score: 0.61")),
    (("epoch 1 score=0.1", "epoch 2 score=0.4", "score: 0.41", "score: 0.9"), ("score: 0.41", "score: 0.9")),
    (("epoch 1 score=0.1", "score: 0.41", "epoch 2 score=0.9"), ("score: 0.41", "epoch 2 score=0.9")),
    (("score: 0.61", '{"score": 0.9}'), ("score: 0.61", '{"score": 0.9}')),
    (("best score: 0.8", "final score: 0.7"), ("best score: 0.8", "final score: 0.7")),
    (("step 1", "score: 0.1", "step 2", "score: 0.2", "score: 0.9"), ("score: 0.2", "score: 0.9")),
    (("score: 0.61", "score: 0.7", '{"score": 0.9}'), ("score: 0.7", '{"score": 0.9}')),
])  # fmt: skip
def test_two_results_are_none(lines, pair):
    """Whatever the first said: both lines are named, so that a person sees which was the program's."""
    assert read(*lines).conflict == pair


def test_labelled_lines_are_no_points_of_a_curve_beside_bare_ones():
    """`best score: 0.9` above `score: 0.8` does not make a curve of two points; alone it is the result."""
    scan = Scan(Grammar(values={"score": ResultLines("score")._pattern}, result="score"))
    scan.feed("best score: 0.9")
    assert scan.series()["score"].points() == ((1, 0.9),)
    scan.feed("score: 0.8")
    assert scan.series()["score"].points() == ((1, 0.8),)


@pytest.mark.parametrize(("baseline", "own", "said"), [
    (["score: 0.5"], ["score: 0.6"], ""),
    (["score: 0.5"], ["score: 0.6", "score: 0.7", "score: 0.9"], "'score: 0.6', and later 'score: 0.9'"),
    (["score: 0.5"], ["final result score=0.6"], ""),
    (["score=0.5 loss=2.0"], ["score=0.6 loss=1.5", "score: 0.9"], "'score=0.6 loss=1.5', and later 'score: 0.9'"),
    (["score=0.5 loss=2.0"], ["score=0.6 loss=1.5", "score: 0.6"], ""),
    (["epoch 1 score=0.5", "epoch 2 score=0.6"], ["epoch 1 score=0.5", "epoch 2 score=0.7", "epoch 3 score=0.8"], ""),
    (["epoch 1 score=0.1", "score: 0.1"], ["epoch 1 score=0.1", "epoch 2 score=0.2", "score: 0.2"], ""),
    (["epoch 1 score=0.0", "epoch 2 score=0.0"], ["epoch 1 score=0.0", "epoch 2 score=0.3"], ""),
    (["epoch 9 score=0.5"], ["epoch 8 score=0.6", "epoch 9 score=0.9"], "'epoch 8 score=0.6', and later 'epoch 9 score"),
    (["epoch 1 score=0.1", "score: 0.1"], ["score: 0.5", "epoch 1 score=0.6", "epoch 2 score=0.9"], "later 'epoch 2"),
    (["epoch 1 score=0.1", "score: 0.1"], ["epoch 1 score=0.1", "score: 0.5", "score: 0.5", "epoch 9 score=0.9"], "'epoch 9"),
    (["score: 0.5"], ["score: 0.5", *(f"{form}: 1 score: 0.9" for form in "abcdefgh")], "and later 'h: 1 score: 0.9'"),
    (["score: 0.1", "epoch 1 score=0.2"], ["score: 0.1", "epoch 1 score=0.2", "epoch 2 score=0.9"], ""),
    ([], ["score: 0.6", "score: 0.7"], ""),
])  # fmt: skip
def test_a_run_prints_as_the_baseline_does(baseline, own, said):
    """One result stays one, and a form that the baseline lacks is none beside one that it has."""
    assert said in unlike_baseline(read(*own).lines, read(*baseline).lines)
    assert bool(said) == bool(unlike_baseline(read(*own).lines, read(*baseline).lines))


@pytest.mark.parametrize(("baseline", "own", "units"), [
    ("score: 700us", "score: 1.56ms", ("'ms'", "'us'")),
    ("score: 700 us", "score: 1.56 ms", ("'ms'", "'us'")),
    ("score: 700us", "final latency score: 1.56 ms per call", ("'ms'", "'us'")),
    ("score: 900 MB", "score: 1.5 GiB", ("'GiB'", "'MB'")),
    ("score: 0.4994", "score: 49.94 %", ("percent (%)", "no unit")),
    ("score: 49.94%", "score: 0.4994", ("no unit", "percent (%)")),
    ("epoch 1 score=900us", "epoch 1 score=1.1ms", ("'ms'", "'us'")),
    ("score: 5 us", "score: 3 seconds", ("'s'", "'us'")),
    ("score: 0.5", "score: 0.50001", ()), ("score: 0.5", "final score: 0.6", ()), ("score: 3s", "score: 2.5 sec", ()),
    ("score: 12 us", "score: 11.5 \u00b5s (best)", ()), ("score: 0.5 loss: 2", "score: 0.6 s: 2", ()),
    ("score: 0.5", "score: 0.6 on the held-out split", ()), ("score: 40 tok/s", "score: 45.1 tok/s", ()),
])  # fmt: skip
def test_a_number_in_another_unit_than_the_baselines_is_none(baseline, own, units):
    """`1.56ms` is no more than `700us`; more digits, another word before it and another spelling stay allowed."""
    said = unlike_baseline(read(own).lines, read(baseline).lines)
    assert bool(said) is bool(units)
    assert all(unit in said for unit in units)
    assert not unlike_baseline(read(own).lines, [replace(one, unit=None) for one in read(baseline).lines])


@pytest.mark.parametrize(("lines", "units"), [
    (("score: 0.9ms", "score: 0.9us"), ("'ms'", "'us'")), (("score: 0.4994", "score: 49.94 %"), ("no unit", "percent")),
    (("epoch 1 score=900us", "epoch 2 score=1.1ms"), ("'us'", "'ms'")),
    (("epoch 1 score=900us", "score: 1.1ms"), ("'us'", "'ms'")),
    (("epoch 1 score=2.1", "score: 2.1 s"), ()), (("best score: 3ms", "score: 2 s"), ()),
])  # fmt: skip
def test_one_result_is_in_one_unit(lines, units):
    """The lines of one result say one unit; a step that says none is no other."""
    pair = read(*lines).conflict
    assert bool(pair) is bool(units)
    assert all(unit in conflict_words("score", pair) for unit in units)


@given(st.lists(st.text(max_size=60) | st.floats().map(lambda x: f"score: {x}"), max_size=30))
def test_no_output_upsets_it(lines):
    """Whatever is printed: bounded memory, two quotes that were printed, or none."""
    found = read(*lines)
    assert len(found.lines) <= 8
    assert found.conflict is None or len(set(found.conflict)) == 2


@pytest.mark.parametrize(("log", "found"), [
    ("loading\nscore: 0.5\n", (0.5, "")),
    ("score: 0.5\nscore: 0.9\n", (None, "two results: 'score: 0.5', and later 'score: 0.9'")),
    ("score: 0.9\nk3y score: 0.5\n", (0.5, "")),
    ("k3y score: 0.5\nk3y score: 0.9\n", (None, "two results: 'score: 0.5', and later 'score: 0.9'")),
    ("a k3y score: 0.5\na k3y score: 0.9\n", (None, "two results: 'a score: 0.5', and later 'a score: 0.9'")),
    ("accuracy: 0.4\n", (0.4, "")),
    ("score: nan\n", (None, "it printed no line such as 'score: 0.5'")),
    ("", (None, "it printed no line such as 'score: 0.5'")),
])  # fmt: skip
def test_what_an_evaluation_printed(log, found):
    """One result under one of its names; lines that bear the key count alone."""
    assert result_of(log, ("score", "accuracy"), "k3y") == found


@pytest.mark.parametrize(("line", "pattern"), [
    ("Score: 0.83", r"Score:\s+"),
    ("eval/score 0.9", r"score\s+"),
    ("| score | 0.83 |", r"score\s+\|\s+"),
    ("test score = 0.83", r"score\s+=\s+"),
    ("scored 0.83", None),
    ("the paper reports a score: 0.99", None),
    ("score is high", None),
])  # fmt: skip
def test_the_nearest_line_is_named_with_a_pattern_that_takes_it(line, pattern):
    """Another case, another place, a table: the hint's own pattern reads the number."""
    said = nearest("val/score", f"start\n{line}\nend\n")
    assert bool(said) is (pattern is not None)
    if pattern is not None:
        assert f"the nearest line is {line!r}" in said
        assert f"'{pattern}([-+.eE0-9]+)'" in said
        assert re.search(f"{pattern}([-+.eE0-9]+)", line).group(1) in {"0.83", "0.9"}


@pytest.mark.parametrize("line", ["Score: \u22120.4994", "| score | \u2013 .5 |", "score = \uff0d3"])
def test_a_sign_that_is_no_minus_is_never_swallowed(line):
    """No pattern is offered that would read a loss as a gain; the character is named."""
    said = nearest("val/score", f"start\n{line}\n")
    assert line in said
    assert "is no minus sign; print '-' where one is meant" in said
    assert "would take it" not in said


def test_the_pattern_of_the_nearest_line_keeps_the_sign():
    """What follows the hint reads what was printed."""
    said = nearest("val/score", "Score: -0.4994\n")
    found = re.search(r"score: '(.*)'\}\}", said)
    assert float(re.search(found.group(1), "Score: -0.4994").group(1)) == -0.4994
