"""How much of a measured gain is believed."""

import pytest

from autoresearch.experiment.board import Board, Idea, PolicySettings, Settle, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Objective
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import BUILTIN, policy

BASE = tuple(
    Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=v, order=n)
    for n, v in enumerate((1.00, 1.02, 0.98))
)
ONE_RUN = 0.02 * 2**0.5
"""Error of one run against one, at the baseline's noise."""


def seen(*ideas: Idea, worth: float | None = None):
    return Evidence(
        Board(objective=Objective("more", "score"), settings=PolicySettings(worth=worth), ideas=ideas, trials=BASE)
    )


@pytest.mark.parametrize(("worth", "least", "most"), [(None, 0.6, 0.7), (0.02, 0.6, 0.7), (0.2, 0.99, 1.0)])
def test_credit_takes_luck_off_where_there_is_room_for_luck(worth, least, most):
    """With a noise of 0.02 a third is taken off a gain measured once, unless gains of ten noises are expected."""
    assert seen().sigma == pytest.approx(0.02)
    assert least < seen(worth=worth).belief(ONE_RUN) < most


def test_without_a_worth_credit_learns_how_large_gains_are():
    """Eight judged ideas with gains of ten noises tell as much as a declared worth; seven tell nothing yet."""
    gained = Verdict(status=Status.KEEP, reason="", effect=0.2, runs=1)
    judged = [Idea(name=f"idea-{n}", parent="baseline", verdict=gained) for n in range(8)]
    assert seen(*judged).belief(ONE_RUN) > 0.98
    assert seen(*judged[:7]).belief(ONE_RUN) < 0.7


def test_a_kept_arm_is_credited_with_what_is_believed_of_its_gain():
    """The bar of an idea kept on one run lies between the baseline and what that run showed."""
    kept = Idea(name="a", parent="baseline", verdict=Verdict(status=Status.KEEP, reason="", effect=0.06, runs=1))
    trials = (*BASE, Trial(arm="a", seed=42, value=1.06, order=3))
    evidence = Evidence(Board(objective=Objective("more", "score"), ideas=(kept,), trials=trials, incumbent="a"))
    believed = evidence.belief(0.02 * (1 + 1 / 3) ** 0.5)
    assert evidence.credited("a") == pytest.approx(1 + believed * 0.06)


def test_a_gain_over_one_run_is_believed_less():
    """The parent's runs are half of the error: an idea begun from another with one run has the noise of both."""
    judged = [Verdict(status=Status.KEEP, reason="", effect=gain, runs=1) for gain in (0.06, 0.04)]
    ideas = (Idea(name="a", parent="baseline", verdict=judged[0]), Idea(name="b", parent="a", verdict=judged[1]))
    trials = (*BASE, Trial(arm="a", seed=42, value=1.06, order=3), Trial(arm="b", seed=42, value=1.10, order=4))
    evidence = Evidence(Board(objective=Objective("more", "score"), ideas=ideas, trials=trials, incumbent="b"))
    assert evidence.credited("b") == pytest.approx(1.10 - (1 - evidence.belief(ONE_RUN)) * 0.04)


def test_a_gain_of_many_noises_is_not_taken_for_luck():
    """A luck of twenty noises there is not: of such a gain not half a noise is taken off, of a small one a third."""
    evidence = seen()
    assert 0.4 * (1 - evidence.belief(ONE_RUN, 0.4)) < 0.02 / 2
    assert evidence.belief(ONE_RUN, 0.03) == evidence.belief(ONE_RUN) == pytest.approx(2 / 3)


@pytest.mark.parametrize("worth", [None, 0.4])
@pytest.mark.parametrize("gain", [0.03, 0.06, 0.4, 4.0])
@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_what_changes_nothing_is_not_kept_on_its_parents_seed(name, gain, worth):
    """Whatever its parent gained: on a common seed the luck in that gain is in both."""
    kept = Idea(name="a", parent="baseline", verdict=Verdict(status=Status.KEEP, reason="", effect=gain, runs=1))
    jitter = 0 if name == "greedy" else 1e-6
    shown = (("a", 1 + gain), ("b", 1 + gain + jitter))
    trials = (*BASE, *(Trial(arm=arm, seed=42, value=value, order=3) for arm, value in shown))
    board = Board(
        objective=Objective("more", "score"),
        settings=PolicySettings(worth=worth, max_runs=1),
        ideas=(kept, Idea(name="b", parent="a")),
        trials=trials,
        incumbent="a",
        runs_left=20,
        runs_total=25,
    )
    advice = policy(name).advise(board)
    assert isinstance(advice, Settle)
    assert (advice.verdict.status, advice.incumbent) == (Status.DISCARD, None)


def test_seeds_known_to_mean_nothing_make_no_tie():
    """Equal numbers are a coincidence then, and the parent's luck is its own."""
    shown = [(1.0, 1.02, 0.98, 1.01, 0.99), (1.02, 0.98, 1.0, 0.99, 1.01)]
    trials = tuple(
        Trial(arm=arm, seed=42 + n, value=value, order=n)
        for arm, values in zip(("baseline", "x"), shown, strict=True)
        for n, value in enumerate(values)
    )
    kept = Idea(name="a", parent="baseline", verdict=Verdict(status=Status.KEEP, reason="", effect=0.06, runs=1))
    ones = tuple(Trial(arm=arm, seed=42, value=1.06, order=9) for arm in ("a", "b"))
    ideas = (Idea(name="x", parent="baseline"), kept, Idea(name="b", parent="a"))
    evidence = Evidence(Board(objective=Objective("more", "score"), ideas=ideas, trials=(*trials, *ones)))
    assert evidence.noise.pairs == 4
    assert evidence.compare("b", "a").gain > 0
    other = Evidence(Board(objective=Objective("more", "score"), ideas=ideas, trials=(*trials[:5], *ones)))
    assert other.compare("b", "a").gain == 0
