"""What a search believes is told in bounded words, from everybody's runs, and a partner without a use is dropped."""

from dataclasses import replace

import pytest
from tests.researchers.test_search import brief, campaign, researcher

from autoresearch.experiment.attendance import useless
from autoresearch.experiment.briefing import sections

SPACE = {"a": [0.0, 1.0], "b": [0.0, 1.0], "c": [8, 16, 32]}
START = {"a": 0.5, "b": 0.5, "c": 16}


def score(point):
    """The first knob matters most; the largest `c` has no room."""
    return None if point["c"] == 32 else 4 * (point["a"] - 0.8) ** 2 + 0.1 * (point["b"] - 0.3) ** 2


@pytest.fixture
def tried():
    return campaign(researcher(SPACE), START, score, 12)


def test_a_belief_names_the_best_the_strongest_knob_the_next_point_and_where_memory_ran_out(tried):
    """Four kinds of lines; the predicted gain has an error, and the knob that matters comes first."""
    lost = next(one for one in tried if one.status == "crash")
    tried[tried.index(lost)] = replace(lost, reason="out of memory: CUDA out of memory")
    said = researcher(SPACE).belief(brief(START, tried)).splitlines()
    assert said[1].startswith("- best by the surface: `a=0.")
    moves = [line for line in said if "moves it by" in line]
    assert moves[0].startswith("- `a` moves it by")
    assert any("it would try next `a=" in line and "predicted gain +" in line and "+-" in line for line in said)
    assert f"1 of 13 ideas ran out of memory; #{lost.index} " in said[-1]


def test_what_somebody_else_measured_is_a_point_too(tried):
    """An agent's run at a value that the search never had is the best point of its belief."""
    mine = replace(
        tried[1], name="agents", index=99, config=("a=0.05", "b=0.9"), overrides=(), value=-1.0, source="agent"
    )
    before = researcher(SPACE).belief(brief(START, tried))
    after = researcher(SPACE).belief(brief(START, [*tried, mine]))
    assert "a=0.05" not in before
    assert after.splitlines()[1].startswith("- best by the surface: `a=0.05 b=0.9 c=16`")


def test_a_belief_stands_in_the_brief_and_is_bounded(tried):
    """Under what was learned, at most two thousand characters; over too little nothing is said."""
    assert researcher(SPACE).belief(brief(START, tried[:2])) == ""
    told = sections(replace(brief(START, tried), belief="- x\n" * 5000))["insights"]
    assert "### What a model of all runs expects" in told
    assert len(told) < 2200


@pytest.mark.parametrize(
    ("mine", "others", "dropped"),
    [
        ([False] * 10, [True, False] * 2, True),
        ([False] * 5, [True, True, True, False], True),
        ([False] * 4, [True, False], False),
        ([False] * 9, [True] + [False] * 9, False),
        ([False] * 10, [False] * 10, False),
        ([False] * 9 + [True], [True] * 10, False),
    ],
)
def test_a_partner_without_a_keep_is_dropped_by_the_others_measure_within_ten(mine, others, dropped):
    """Never where the others kept nothing either, nor one with a keep; the reason has the numbers."""
    found = useless({"agent": mine, "search": others})
    assert ("agent" in found) == dropped
    assert (
        not dropped or f"none of its {len(mine)} tested ideas was kept, of the others' {len(others)}" in found["agent"]
    )
