"""Plots: well-formed whatever the words and numbers are."""

import itertools
import math
from dataclasses import fields, replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment.history import History
from autoresearch.report import drawing, figure
from autoresearch.report.report import Report, ReportLine, Spend, build
from autoresearch.run.measurement import Objective
from autoresearch.scheduling.stop_check import outlook

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def entry(index=1, title="x", values=(0.5,), status="keep"):
    value = sum(values) / len(values) if values else None
    given = {"index": index, "title": title, "status": status, "value": value, "values": tuple(values)}
    blank = {"str": "", "int": 0, "float": 0.0, "tuple[str, ...]": ()}
    rest = {field.name: blank.get(str(getattr(field.type, "__name__", field.type))) for field in fields(ReportLine)}
    rest |= dict.fromkeys(("overrides", "symptoms"), ())
    return ReportLine(**(rest | given))


def report(*entries: ReportLine, **changes: object) -> Report:
    campaign, objective = CampaignConfig.of({"campaign": "c"}), Objective("more", "score")
    view = outlook(History(), campaign, StopLimits(started_at=0.0), objective, 1.0)
    return replace(build(History(), campaign, objective, view, 1.0), entries=entries, **changes)


def shapes(drawn, kind):
    return [shape for shape in drawn.shapes if isinstance(shape, kind)]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.lists(FLOATS, max_size=4), st.sampled_from(["keep", "discard", "crash", "open"]))
def test_any_title_and_any_numbers_give_well_formed_xml(title, values, status):
    """Control characters, angle brackets, lone surrogates; values of any size."""
    made = report(entry(1, title, values, status), campaign=title)
    root = ET.fromstring(drawing.svg(figure.progress(made)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "nan" not in "".join(
        point for line in root.iter() for point in (line.get("points") or "", line.get("cy") or "")
    )


def test_one_run_that_diverged_does_not_flatten_the_others():
    """It is drawn at the edge with its number; a value that was kept is always inside."""
    rows = [entry(n, values=(n / 10,)) for n in range(1, 8)]
    drawn = figure.progress(report(*rows, entry(8, values=(2e7,), status="discard")))
    heights = [dot.y for dot in shapes(drawn, drawing.Dot) if dot.radius == 5.5]
    assert max(heights) - min(heights[:7]) > 100
    assert "2e+07" in [text.text for text in shapes(drawn, drawing.Text)]
    kept = figure.progress(report(*rows, entry(8, values=(2e7,))))
    heights = [dot.y for dot in shapes(kept, drawing.Dot) if dot.radius == 5.5]
    assert heights[6] - heights[7] > 100


def test_an_empty_campaign_has_a_plot():
    """Before the first run: axes and nothing else."""
    assert "<svg" in drawing.svg(figure.progress(report()))
    assert "<svg" in drawing.svg(figure.spend(report()))


def test_every_single_run_is_shown_beside_the_mean():
    """Three runs are three faint dots and one big one."""
    dots = [dot for dot in shapes(figure.progress(report(entry(values=(0.4, 0.5, 0.6)))), drawing.Dot) if dot.y > 40]
    assert len(dots) == 4


def test_the_staircase_only_rises():
    """A kept attempt that is no better than the level (a tie) does not lower it."""
    made = report(entry(1, values=(0.5,)), entry(2, values=(0.7,)), entry(3, values=(0.6,)))
    (stairs,) = [line for line in shapes(figure.progress(made), drawing.Line) if line.width == 2.0]
    heights = [y for _, y in stairs.points]
    assert heights == sorted(heights, reverse=True)


def test_everything_lies_on_the_page():
    """Fifty attempts with long titles: no shape begins outside."""
    drawn = figure.progress(report(*(entry(n, "a long title " * 5, (n / 50,)) for n in range(1, 51))))
    for text in shapes(drawn, drawing.Text):
        assert 0 <= text.x <= drawn.width
        assert 0 <= text.y <= drawn.height


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (0.501, 0.502), (1e-9, 2e-9), (0, 1e12)])
def test_ticks_are_round_and_few(low, high):
    """About five, evenly spaced, within the bounds."""
    found = drawing.ticks(low, high)
    assert 3 <= len(found) <= 8
    assert all(low <= tick <= high * (1 + 1e-9) for tick in found)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, math.inf), (math.nan, 1)])
def test_bounds_that_span_nothing_have_no_ticks(low, high):
    """Instead of an endless loop."""
    assert list(drawing.ticks(low, high)) == []


def test_spend_is_drawn_to_scale():
    """Twice the minutes, twice the bar."""
    made = report(spend=(Spend("explore", 2, 20.0, 1.0), Spend("confirm", 1, 10.0, 0.5)))
    long, short = shapes(figure.spend(made), drawing.Box)
    assert long.width == pytest.approx(2 * short.width)


def test_an_idea_judged_by_bundles_stands_at_its_effect():
    """It has no run of its own and is no crash: its dot is at its parent's mean plus its effect."""
    alone = replace(entry(1), name="baseline")
    bundled = replace(entry(2, values=(), status="discard"), name="b", parent="baseline", effect=0.25)
    drawn = figure.progress(report(alone, bundled))
    dots = [dot for dot in shapes(drawn, drawing.Dot) if dot.radius == 5.5]
    assert dots[1].y < dots[0].y
    assert not [text for text in shapes(drawn, drawing.Text) if text.text == "x"]


def test_a_label_keeps_clear_of_the_staircase_and_of_the_edge():
    """A kept idea below the best has its name below; one at the right edge ends there; a long name says it is cut."""
    attempts = [entry(n, title="long " * 9, values=(value,)) for n, value in enumerate((0.1, 0.5, 0.4), 1)]
    best, lower = (text for text in shapes(figure.progress(report(*attempts)), drawing.Text) if "long" in text.text)
    dots = [dot for dot in shapes(figure.progress(report(*attempts)), drawing.Dot) if dot.radius == 5.5]
    assert best.y < dots[1].y
    assert lower.y > dots[2].y
    assert (lower.anchor, lower.text[-3:]) == ("end", "...")


def test_labels_of_neighbours_do_not_cover_each_other():
    """Kept ideas side by side at nearly one level have their names in lines of their own."""
    attempts = [entry(n, title=f"idea {n} of a campaign with long names", values=(n / 100,)) for n in range(1, 7)]
    drawn = figure.progress(report(*attempts, entry(20)))
    lines = [text.y for text in shapes(drawn, drawing.Text) if text.text.startswith("idea")]
    assert all(abs(one - other) >= 14 for n, one in enumerate(lines) for other in lines[:n])


def test_no_step_of_the_staircase_goes_through_a_label():
    """One kept idea shortly after another: the riser of the second is where the name of the first would be."""
    steps = ((1, 0.1), (2, 0.3), (3, 0.6), (4, 0.2), (5, 0.8))
    drawn = figure.progress(
        report(*(entry(n, title=f"idea {n} with a long name", values=(v,)) for n, v in steps), entry(20))
    )
    risers = next(line for line in shapes(drawn, drawing.Line) if line.width == 2.0).points
    names = [text for text in shapes(drawn, drawing.Text) if text.text.startswith("idea")]
    assert len(names) == 4
    for text in names:
        left = text.x - 6 * len(text.text) if text.anchor == "end" else text.x
        for (x, y0), (x1, y1) in itertools.pairwise(risers):
            through = x == x1 and left < x < left + 6 * len(text.text)
            assert not (through and min(y0, y1) < text.y < max(y0, y1)), text.text
