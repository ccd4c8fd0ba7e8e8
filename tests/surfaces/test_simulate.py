"""`simulate`: figures that depend on the seed alone."""

import math
from dataclasses import replace

import pytest
from tests.report.test_figure import entry, report

from autoresearch.errors import UsageError
from autoresearch.report.policy_comparison import (
    BudgetComparison,
    BudgetSummary,
    SimulationSetup,
    compare,
    compare_budgets,
    setup_after,
)
from autoresearch.verdict.statistics import Figure


def test_processes_do_not_change_the_figures():
    """Two processes and one give the same summaries, down to the last digit."""
    trial = SimulationSetup(noise=1.0, gain=1.0, runs=12, campaigns=3, policies=("greedy", "screening"), seed=7)
    two, one = (compare(replace(trial, processes=processes)) for processes in (2, 1))
    assert two.summaries == one.summaries


@pytest.mark.parametrize(
    "wrong",
    [{"noise": math.inf}, {"noise": -1.0}, {"gain": math.inf}, {"gain": 0.0}, {"worth": 0.0}, {"worth": math.nan},
     {"runs": 0}, {"campaigns": 0}, {"slots": 0}],
)  # fmt: skip
def test_sizes_that_make_no_sense_are_refused(wrong):
    """Before anything is simulated, and by name of what is needed."""
    with pytest.raises(UsageError, match="simulate needs"):
        compare(SimulationSetup(**{"noise": 1.0, "gain": 1.0, "runs": 12, "campaigns": 1, **wrong}))


def budget(runs: int, reached: float) -> BudgetSummary:
    figure, share = Figure(0.0, 0.0, 1), Figure(reached, 0.0, 1)
    return BudgetSummary(policy="auto", runs=runs, gain=figure, proven=share, reached=share, width=figure, false=figure)


@pytest.mark.parametrize(
    ("chances", "runs", "words"),
    [((0.1, 0.6, 1.0), 75, "about 75 runs"), ((0.9, 1.0, 1.0), 12, "at most 12 runs"), ((0.1, 0.2, 0.7), None, "more than 100")],
)  # fmt: skip
def test_how_many_runs_a_proof_takes_is_one_sentence(chances, runs, words):
    """On the line between the two budgets of which the larger is enough; no number beyond what was simulated."""
    setup = SimulationSetup(noise=0.1, gain=0.2)
    found = BudgetComparison(setup, tuple(map(budget, (12, 50, 100), chances)))
    assert found.runs_to_prove("auto") == runs
    assert words in str(found)
    assert "+0.2 or more is proven in 80% of nights" in str(found)


def test_budgets_are_the_campaigns_of_each_size():
    """A budget's true gain is that of `compare` with as many runs; larger ones find more of plenty."""
    setup = SimulationSetup(noise=0.01, gain=0.02, campaigns=8, policies=("greedy",), good=0.5, harmful=0.1)
    few, many = compare_budgets(setup, (10, 30)).budgets
    assert few.gain.mean == pytest.approx(0.02 * compare(replace(setup, runs=10)).summaries[0].gain.mean)
    assert few.gain.mean < many.gain.mean


@pytest.mark.parametrize("wrong", [{"good": -0.1}, {"good": 0.7, "harmful": 0.7}, {"harmful": 1.5}, {"crash": 1.0}])
def test_shares_that_make_no_sense_are_refused(wrong):
    """Shares of a whole are from 0 to 1, and together no more than it."""
    with pytest.raises(UsageError, match="shares"):
        compare(SimulationSetup(noise=1.0, gain=1.0, campaigns=1, **wrong))


def test_ideas_may_be_drawn_from_what_a_campaign_found():
    """Where every idea harms, nothing is gained; where every one gains, all is."""
    setup = SimulationSetup(noise=0.001, gain=0.1, runs=12, campaigns=4, policies=("greedy",), crash=0.0)
    assert compare(replace(setup, effects=(-0.3, -0.2))).summaries[0].gain.mean == 0
    assert compare(replace(setup, effects=(0.1,))).summaries[0].gain.mean > 5


def test_more_nights_like_the_one_that_was_draw_from_what_it_found():
    """Its noise, the share that crashed, and effects with the noise's part of their scatter taken out."""
    effects = (0.4, -0.4, 0.2, -0.2, 0.0, 0.1, -0.1, 0.3)
    lines = [replace(entry(n + 2, values=(0.5,)), effect=effect, runs=1) for n, effect in enumerate(effects)]
    night = replace(report(*lines, replace(entry(10, values=(), status="crash"), runs=0)), noise=0.1)
    found = setup_after(night, runs=24, gain=None)
    assert (found.noise, found.runs, found.crash) == (0.1, 24, pytest.approx(1 / 9))
    assert max(effects) > max(found.effects) > 0.3
    assert sum(found.effects) == pytest.approx(sum(effects))
    assert found.gain == pytest.approx(sum(e for e in found.effects if e > 0) / sum(e > 0 for e in found.effects))


def test_a_night_that_shows_too_little_is_not_drawn_from():
    """Without a noise, or with a handful of ideas."""
    with pytest.raises(UsageError, match="shows no noise, or fewer than 8 ideas"):
        setup_after(report(entry(2)), runs=24)
