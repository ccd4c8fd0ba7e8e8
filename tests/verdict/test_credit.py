"""How much of a measured gain is believed."""

import pytest

from autoresearch.experiment.board import Board, Idea, PolicySettings, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Objective
from autoresearch.verdict.evidence import Evidence

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
    judged = [Verdict(status=Status.KEEP, reason="", effect=gain, runs=1) for gain in (0.06, 0.1)]
    ideas = (Idea(name="a", parent="baseline", verdict=judged[0]), Idea(name="b", parent="a", verdict=judged[1]))
    trials = (*BASE, Trial(arm="a", seed=42, value=1.06, order=3), Trial(arm="b", seed=42, value=1.16, order=4))
    evidence = Evidence(Board(objective=Objective("more", "score"), ideas=ideas, trials=trials, incumbent="b"))
    assert evidence.credited("b") == pytest.approx(1.16 - (1 - evidence.belief(ONE_RUN)) * 0.1)
