"""The tree of attempts, and curves drawn together."""

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

from tests.report.test_figure import entry, report, shapes

from autoresearch.report import curves, drawing, figure
from autoresearch.report.curves import DrawnCurves
from autoresearch.report.lineage import lineage
from autoresearch.verdict.claims import Claim, Standing


def made(index, status="keep", on="baseline", title=""):
    """An attempt that was built on another."""
    name = f"idea-{index}" if index > 1 else "baseline"
    return replace(entry(index, title or name, status=status), name=name, built_on=on if index > 1 else "")


def texts(drawn):
    return [text.text for text in shapes(drawn, drawing.Text)]


def test_the_best_stands_in_one_line_and_the_others_hang_on_what_they_were_made_from():
    """The thick line leads down the members of the best; who was built on one of them is indented below it."""
    rows = [made(1), made(2), made(3, "discard", "idea-2"), made(4, on="idea-2"), made(5, "crash", "idea-4")]
    drawn = lineage(report(*rows, held=("idea-2", "idea-4")))
    places = {text.text: text.x for text in shapes(drawn, drawing.Text) if text.text.startswith("#")}
    assert list(places) == ["#1 baseline", "#2 idea-2", "#3 idea-3", "#4 idea-4", "#5 idea-5"]
    assert places["#2 idea-2"] == places["#4 idea-4"] < places["#3 idea-3"]
    assert len([line for line in shapes(drawn, drawing.Line) if line.width == 3.0]) == 2


def test_verdicts_are_words_and_shapes_not_colours_alone():
    """In print and for who sees no red, a crash is a cross and a discard a ring."""
    drawn = lineage(report(made(1), made(2, "discard"), made(3, "crash")))
    assert {"kept, 0.5", "discarded, 0.5", "crashed, 0.5", "x"} <= set(texts(drawn))
    assert [dot.hollow for dot in shapes(drawn, drawing.Dot)] == [False, True]


def test_a_crowd_is_counted():
    """Ten thousand attempts give a tree that one can read; nothing is left out without being said."""
    rows = [made(1), *(made(n, "discard") for n in range(2, 10_001))]
    drawn = lineage(report(*rows))
    assert drawn.height < 300
    assert "and earlier ones: 9996 discarded" in texts(drawn)


def test_a_long_stack_shows_its_beginning_and_its_end():
    """Of a hundred kept changes the newest forty stand there, and how many lie between."""
    rows = [made(1), *(made(n, on=f"idea-{n - 1}" if n > 2 else "baseline") for n in range(2, 102))]
    drawn = lineage(report(*rows, held=tuple(one.name for one in rows[1:])))
    assert "and 60 kept changes between" in texts(drawn)
    assert texts(drawn)[-2] == "#101 idea-101"


def test_a_title_in_the_tree_is_text_and_leads_to_its_page():
    """Whatever an agent called its idea."""
    drawn = drawing.svg(lineage(report(made(1), made(2, title="<script>&")), lambda index: f"/n/{index}"))
    root = ET.fromstring(drawn)
    assert [link.get("href") for link in root.iter("{http://www.w3.org/2000/svg}a")] == ["/n/1", "/n/2"]
    assert "<script>" not in drawn


def test_the_mean_is_taken_at_steps_that_all_runs_have():
    """A run that ended early does not pull the mean of the others."""
    one = DrawnCurves(label="x", runs=(((1, 0.0), (2, 1.0), (3, 9.0)), ((1, 1.0), (2, 0.0))))
    assert one.mean == ((1, 0.5), (2, 0.5))


def test_curves_are_compared_up_to_the_step_that_all_have_reached():
    """The sentence below the plot names it."""
    base = DrawnCurves(label="baseline", runs=(((10, 0.1), (20, 0.2)),), reference=True)
    best = DrawnCurves(label="best", runs=(((10, 0.3), (20, 0.4), (30, 0.5)),))
    assert "Compare up to step 20, which all reached." in curves.told((base, best))
    drawn = curves.drawing("two", "score", (base, best))
    assert [line.dashed for line in shapes(drawn, drawing.Line) if line.width == 2.2] == [True, True, False, False]
    assert ET.fromstring(drawing.svg(drawn)).get("role") == "img"


def test_names_of_curves_do_not_cover_each_other():
    """Five runs that end at the same value are five lines of text on the page."""
    drawn = curves.drawing(
        "five", "score", [DrawnCurves(label=f"#{n}", runs=(((1, 0.5), (2, 0.5)),)) for n in range(5)]
    )
    heights = sorted(text.y for text in shapes(drawn, drawing.Text) if "#" in text.text)
    assert all(later - earlier >= 15 for earlier, later in pairwise(heights))
    assert heights[-1] <= drawn.height
    values = sorted(text.y for text in shapes(drawn, drawing.Text) if text.text == "0.5" and text.anchor == "start")
    assert len(values) == 5
    assert all(later - earlier >= 15 for earlier, later in pairwise(values))


def test_the_longest_name_of_a_curve_ends_on_the_page():
    """Bold letters of 15 pixels are at most 9.8 wide on average; a narrow screen shows 390 of 620 pixels of 920."""
    found = DrawnCurves(label="best, #2 + #5 + #17 + #21, 12 runs", runs=(((1, 0.5), (2, -1.2345e-05)),))
    (name,) = (text for text in shapes(curves.drawing("one", "score", [found]), drawing.Text) if "best" in text.text)
    assert name.x + 9.8 * len(name.text) <= 920 * 390 / 620


def test_claims_are_drawn_with_their_intervals_the_largest_first():
    """A dot for each idea with a number, a line for what it may be, and the zero that it is measured by."""
    entries = [
        replace(made(n), claim=Claim(name=f"idea-{n}", standing=Standing.LIKELY, effect=n / 10, low=0.0, high=n / 5))
        for n in (1, 2, 3)
    ]
    drawn = figure.intervals(report(*entries))
    dots = shapes(drawn, drawing.Dot)
    assert [dot.y for dot in dots] == sorted(dot.y for dot in dots)
    assert [dot.x for dot in dots] == sorted((dot.x for dot in dots), reverse=True)
    assert len([line for line in shapes(drawn, drawing.Line) if line.width == 2.2]) == 3
    assert figure.intervals(report(replace(made(1), claim=None))) is None
