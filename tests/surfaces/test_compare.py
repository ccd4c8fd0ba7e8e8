"""`compare`: two campaigns of a repository side by side."""

import json
from dataclasses import replace

from tests.conftest import Lab

from autoresearch.campaign import controller, opening, standing
from autoresearch.report.side_by_side import side_by_side


def report_of(lab, name="night"):
    return controller.report_of(standing.read(opening.open_campaign(lab.root, name)), 2e9)


def test_two_campaigns_stand_beside_each_other_with_what_both_tried(finished):
    """Headlines are the reports' own; an idea of both has both numbers, verdicts and effects."""
    day = Lab(finished.root, name="day")
    day.write(stop="3 experiments")
    assert day.run().returncode == 0
    told = json.loads(finished.cli("compare", "night", "day", "--json").stdout)
    assert told["headlines"] == [report_of(finished).headline, report_of(finished, "day").headline]
    assert told["apart"] == []
    rows = {row.branch.rpartition("/")[2]: row for row in day.rows() if "/day/" in row.branch}
    assert len(told["ideas"]) == len(rows) - 1
    for idea in told["ideas"]:
        assert idea["verdicts"][1] in {str(row.status) for row in rows.values() if row.index == idea["numbers"][1]}
    assert "name two campaigns" in finished.refused("compare", "night", "night", code=2)
    assert "no campaign 'nigth'" in finished.refused("compare", "nigth", "day")


def test_what_is_not_comparable_is_said_first(ended):
    """Another metric or another start, and nothing in common."""
    one = report_of(ended)
    metric = replace(one.objective, metric="loss")
    other = replace(one, campaign="day", objective=metric, base_commit="1234567", entries=one.entries[:1])
    made = side_by_side(one, other)
    assert made.apart[0].startswith("Values cannot be compared as they stand: the metric differs (score, loss)")
    assert "the commit they began on differs" in made.apart[0]
    assert "no idea was tried in both" in made.text()


def test_in_eighty_columns_nothing_is_cut(ended):
    """Every fact is broken below itself instead."""
    one = report_of(ended)
    text = side_by_side(one, replace(one, campaign="day")).text(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_a_name_that_is_wider_than_its_column_is_broken_nowhere(ended):
    """It stands below the table, whole, so that it can be copied."""
    path = "configs/" + "a-very-long-name/" * 3 + "recipe.yaml"
    one = replace(report_of(ended), recipe=path)
    assert path in side_by_side(one, replace(one, campaign="day")).text(80)
