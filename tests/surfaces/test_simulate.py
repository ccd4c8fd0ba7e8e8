"""`simulate`: figures that depend on the seed alone."""

from autoresearch.session.simulate import Trial, compare


def test_processes_do_not_change_the_figures():
    """Two processes and one give the same summaries, down to the last digit."""
    trial = Trial(noise=1.0, gain=1.0, runs=12, campaigns=3, policies=("greedy", "screening"), seed=7)
    assert compare(Trial(**{**vars(trial), "processes": 2})) == compare(Trial(**{**vars(trial), "processes": 1}))
