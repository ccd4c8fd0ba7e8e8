"""What is kept for fresh seeds, and that their own results do not decide how many there are."""

from dataclasses import replace

import pytest

from autoresearch.experiment.board import Board, Bundle, Done, Idea, Measure, PolicySettings, Propose, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Objective
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.composed import bundle_name
from autoresearch.verdict.policies.reserve import reserve


def found(gain: float, *, left: int = 50):
    """A campaign of a hundred runs with a noise of 0.1 that has kept one idea."""
    base = [
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=1 + 0.1 * (n - 1), order=n) for n in range(3)
    ]
    ours = [Trial(arm="a", seed=42 + n, value=1 + gain + 0.1 * (n - 1), order=3 + n) for n in range(3)]
    kept = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.KEEP, reason="", value=1 + gain, effect=gain, low=0.0, high=2 * gain, runs=3),
    )
    settings = PolicySettings(worth=0.1)
    return Board(
        objective=Objective("more", "score"),
        settings=settings,
        ideas=(kept,),
        trials=(*base, *ours),
        bundles=(),
        incumbent="a",
        may_explore=True,
        runs_left=left,
        runs_total=100,
    )


@pytest.mark.parametrize(("gain", "runs"), [(1.0, 4), (0.25, 12), (0.01, 0)])
def test_what_is_kept_for_the_end_is_what_the_proof_needs(gain, runs):
    """A large gain needs two pairs, a smaller one more; what no proof could show gets none."""
    assert reserve(Evidence(found(gain))) == runs


def test_runs_that_can_prove_nothing_go_into_ideas():
    """With nothing kept, or a gain lost in the noise, the last run still tries an idea."""
    nothing = replace(found(1.0, left=1), incumbent="baseline")
    assert isinstance(policy("auto").advise(nothing), Propose)
    assert isinstance(policy("auto").advise(found(0.01, left=1)), Propose)


def test_a_proof_that_has_begun_is_not_broken_off_for_an_idea():
    """One fresh run of the four is made: the three that are left stay with it, however unlucky it was."""
    fresh = Trial(arm="a", seed=90, purpose=Purpose.CONFIRM, value=1.0, order=6)
    now = found(1.0, left=3)
    assert policy("auto").advise(replace(now, trials=(*now.trials, fresh))).purpose is Purpose.CONFIRM


def test_ideas_go_on_until_only_the_proof_fits():
    """With five runs left and four wanted for the end there is one more idea; with four there is none."""
    assert isinstance(policy("auto").advise(found(1.0, left=5)), Propose)
    assert policy("auto").advise(found(1.0, left=4)).purpose is Purpose.CONFIRM


def test_fresh_runs_do_not_decide_how_many_follow():
    """Pairs are counted by what the search saw: a lucky first pair ends no look at the others, an unlucky buys none."""

    def pairs(luck: float) -> int:
        now = replace(found(0.25, left=12), may_explore=False)
        while isinstance(advice := policy("auto").advise(now), Measure):
            value = 1.0 + luck * (advice.arm == "a")
            done = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, value=value, order=len(now.trials))
            now = replace(now, trials=(*now.trials, done), runs_left=now.runs_left - 1)
        assert isinstance(advice, Done)
        return sum(trial.purpose is Purpose.CONFIRM for trial in now.trials)

    assert pairs(5.0) == pairs(0.25) == pairs(-5.0)


def test_a_new_bundle_has_a_name_that_nothing_has():
    """The next number is passed over where a bundle, or an idea of a person, bears it."""
    made = Bundle(name="without-2", ideas=("a",), parent="baseline")
    assert bundle_name(Evidence(replace(found(1.0), bundles=(made,))), "without") == "without-3"
    assert bundle_name(Evidence(replace(found(1.0), bundles=(made,))), "merge") == "merge-2"
    assert bundle_name(Evidence(found(1.0)), "without") == "without-1"
