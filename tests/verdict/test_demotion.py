"""An incumbent that its own further runs do not bear out is no longer built upon."""

from dataclasses import replace

import pytest

from autoresearch.experiment import events as happened
from autoresearch.experiment.board import Board, Bundle, Demote, Idea, PolicySettings, Propose, Trial
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Objective
from autoresearch.verdict.claims import Standing, claims
from autoresearch.verdict.policies import policy


def campaign(*anchors: float, **rest: bool):
    """Baseline at 1.0 with a noise of 0.02; `a` was kept at 1.1, and its anchors said what is given."""
    base = [
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=1 + 0.02 * (n - 1), order=n)
        for n in range(3)
    ]
    first = Trial(arm="a", seed=42, value=1.1, order=3)
    more = [
        Trial(arm="a", seed=60 + n, purpose=Purpose.ANCHOR, value=value, order=4 + n) for n, value in enumerate(anchors)
    ]
    kept = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.KEEP, reason="", value=1.1, effect=0.1, low=0.05, high=0.15, runs=1),
        **rest,
    )
    return Board(
        objective=Objective("more", "score"),
        settings=PolicySettings(worth=0.01),
        ideas=(kept,),
        trials=(*base, first, *more),
        bundles=(),
        incumbent="a",
    )


@pytest.mark.parametrize("name", ["sequential", "screening", "auto"])
def test_ideas_go_on_from_the_baseline_when_anchors_expose_a_lucky_incumbent(name):
    """Two anchors far below what got it kept: the next advice takes it back, in words, and then ideas start below it."""
    exposed = campaign(0.9, 0.88)
    advice = policy(name).advise(exposed)
    assert (advice.arm, advice.incumbent) == ("a", "baseline")
    assert "over 3 runs" in advice.why
    assert policy(name).advise(replace(exposed, incumbent=advice.incumbent)).parent == "baseline"


def test_an_incumbent_that_holds_stays():
    """Anchors about where it was kept, or none at all, take nothing back."""
    assert isinstance(policy("sequential").advise(campaign(1.09)), Propose)
    assert isinstance(policy("sequential").advise(campaign()), Propose)


def test_the_runs_that_chose_an_incumbent_never_take_it_back():
    """A bar is lowered by runs that had no part in raising it."""
    chosen = campaign(0.9, 0.88)
    repeats = tuple(replace(t, purpose=Purpose.REPEAT) if t.purpose is Purpose.ANCHOR else t for t in chosen.trials)
    assert not isinstance(policy("sequential").advise(replace(chosen, trials=repeats)), Demote)


def test_what_was_taken_back_is_not_called_likely():
    """The claim of a demoted idea rests on all its runs, not on those that got it kept."""
    exposed = replace(campaign(0.9, 0.88), incumbent="baseline")
    assert claims(exposed).ideas[0].standing is not Standing.LIKELY


def test_a_set_falls_back_to_what_it_was_merged_onto():
    """A bundle's parent is the incumbent before it."""
    board = campaign(1.1)
    both = Bundle("set-1", ("b", "c"), "a")
    kept = tuple(
        Idea(
            name=n,
            parent="a",
            verdict=Verdict(status=Status.KEEP, reason="", value=None, effect=0.05, low=0.0, high=0.1, runs=6),
        )
        for n in "bc"
    )
    runs = (
        *board.trials,
        Trial(arm="set-1", seed=70, purpose=Purpose.SCREEN, value=1.2),
        Trial(arm="set-1", seed=71, purpose=Purpose.ANCHOR, value=0.8),
    )
    now = replace(board, ideas=(*board.ideas, *kept), bundles=(both,), trials=runs, incumbent="set-1")
    advice = policy("sequential").advise(now)
    assert (advice.arm, advice.incumbent) == ("set-1", "a")


def kept(index: int, name: str, parent: str):
    """The events of one kept experiment."""
    idea = Hypothesis(title=name, overrides=("lr=1",))
    verdict = Verdict(status=Status.KEEP, reason="because", value=1.0, runs=1)
    return [
        happened.ExperimentOpened(at=index, index=index, parent=parent, parent_commit="0" * 40),
        happened.ExperimentCommitted(
            at=index, index=index, name=name, branch=f"autoresearch/c/{name}", commit=f"{index:040x}", hypothesis=idea
        ),
        happened.ExperimentJudged(
            at=index, name=name, verdict=verdict, row={}, incumbent=None if name == "baseline" else name
        ),
    ]


LINE = [*kept(1, "baseline", ""), *kept(2, "a", "baseline"), *kept(3, "b", "a"), *kept(4, "c", "b")]


def overruled(name: str, status: Status):
    return happened.VerdictOverruled(9, name, Verdict(status=status, reason="not what we want", by="ada"), "ada")


@pytest.mark.parametrize(("name", "left"), [("c", "b"), ("b", "a"), ("a", "baseline")])
def test_a_person_who_overrules_a_kept_change_takes_all_that_was_built_on_it_with_it(name, left):
    """The incumbent falls back to the newest that does not hold the change; the rows stay as they were."""
    history = fold([*LINE, overruled(name, Status.DISCARD)])
    assert history.incumbent == left
    assert len(history.judged) == 4


def test_overruling_what_the_incumbent_does_not_hold_moves_nothing():
    """A keep of a change elsewhere, or a kept verdict with a better reason, leaves the incumbent."""
    assert fold([*LINE, overruled("b", Status.KEEP)]).incumbent == "c"
    assert fold([*LINE, *kept(5, "d", "baseline"), overruled("c", Status.DISCARD)]).incumbent == "d"


def test_what_was_taken_back_never_returns():
    """After b was demoted to a and a overruled, the baseline is left, not b."""
    demoted = happened.IncumbentDemoted(8, "c", "a", "no better")
    assert fold([*LINE, demoted]).incumbent == "a"
    assert fold([*LINE, demoted, overruled("a", Status.DISCARD)]).incumbent == "baseline"
