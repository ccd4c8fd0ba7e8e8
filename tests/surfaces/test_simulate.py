"""`simulate`: figures that depend on the seed alone."""

import math
from dataclasses import replace

import pytest

from autoresearch.errors import UsageError
from autoresearch.report.policy_comparison import SimulationSetup, compare


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
