"""What every policy does alike, at every bound: flat changes, gains that are not clear, ideas without numbers."""

from dataclasses import replace

import pytest
from tests.verdict.boards import BASE, CRASH, DISCARD, DOWN, KEEP, UP, board, runs

from autoresearch.experiment.board import Board, Idea, PolicySettings, Trial
from autoresearch.verdict import shared_rules as rules
from autoresearch.verdict.arms import Arm, Effect
from autoresearch.verdict.evidence import Evidence


@pytest.mark.parametrize(("effect", "worth", "kept"), [
    (Effect(-0.02, 0.02, 200, 1), None, True), (Effect(-0.0201, 0.02, 200, 1), None, False), (Effect(-0.01, 0.1, 200, 1), 0.01, True),
    (Effect(-0.0101, 0.1, 200, 1), 0.01, False), (Effect(-0.127, 0.1, 0, 1), 9.0, True), (Effect(-0.129, 0.1, 0, 1), 9.0, False),
    (Effect(0.5, 0.1, 0, 1), None, True), (Effect(0.0, None, 0, 1), None, True), (Effect(-0.001, None, 0, 1), None, False), (Effect(0.0, 0.1, 0, 1), -1.0, True),
])  # fmt: skip
def test_a_flat_change_is_excused_where_it_simplifies_or_is_needed(effect, worth, kept):
    """Within 1.28 standard errors, and within the worth or one standard error; any other change never."""
    here = Evidence(board(settings=PolicySettings(worth=worth)))
    assert bool(rules.excuse(here, Idea(name="a", parent="baseline", simplifies=True), effect)) is kept
    assert bool(rules.excuse(here, Idea(name="a", parent="baseline", unlocks=True), effect)) is kept
    assert rules.excuse(here, Idea(name="a", parent="baseline"), effect) == ""
    if kept:
        assert (
            rules.excuse(here, Idea(name="a", parent="baseline", simplifies=True, unlocks=True), effect)
            == "no difference, but simpler"
        )
        assert (
            rules.excuse(here, Idea(name="a", parent="baseline", unlocks=True), effect)
            == "no difference, but later ideas need it"
        )


@pytest.mark.parametrize(("trials", "complexity", "effect", "told"), [
    (runs("a", 1.1), 51, Effect(0.02, 0.02, 0, 1), "51 more lines and keys without a clear benefit"), (runs("a", 1.1), 50, Effect(0.02, 0.02, 0, 1), ""),
    (runs("a", 1.1), 51, Effect(0.0201, 0.02, 0, 1), ""), (runs("a", 1.1), 99, Effect(0.03291, 0.02, 0, 1), ""),
    ((*runs("a", 1.1), *runs("a", None, seed=50)), 0, Effect(0.02, 0.02, 0, 1), "unstable: 1 of 2 runs gave no metric, and the gain is not clear"),
    ((*runs("a", 1.1), *runs("a", None, seed=50)), 0, Effect(0.03291, 0.02, 0, 1), ""), (runs("a", None), 0, Effect(0.02, 0.02, 0, 1), ""),
    (runs("a", 1.0, 1.0, 1.2), 0, Effect(0.02, 0.02, 0, 3), "unstable: its runs scatter over 2.5 times the noise, and the gain is not clear"),
    (runs("a", 1.0, 1.2), 0, Effect(0.02, 0.02, 0, 2), ""),
])  # fmt: skip
def test_a_gain_that_is_not_clear_may_be_objected_to(trials, complexity, effect, told):
    """For being long, for a run that failed, for runs that scatter; at 1.645 standard errors it is clear."""
    here = Evidence(Board(objective=UP, trials=(*BASE, *runs("z", *(1.0, 1.02) * 30), *trials)))
    one = Idea(name="a", parent="baseline", complexity=complexity)
    assert rules.objection(here, one, "a", effect) == told
    assert rules.objection(here, one, "a", replace(effect, gain=0.03291)) == ""


@pytest.mark.parametrize(("values", "unstable"), [
    ((1.0, 1.0, 1.0866), False), ((1.0, 1.0, 1.0867), True), ((1.0, 1.2), False), ((1.0, 1.0, 1.0, 1.0999), False), ((1.0, 1.0, 1.0, 1.1001), True),
    ((1.0,), False), ((0.9, 0.9, 0.9), False),
])  # fmt: skip
def test_runs_scatter_from_two_and_a_half_times_the_noise_on(values, unstable):
    """Three runs at least, by their sample standard deviation about their own mean; a noise of 0.02."""
    arm = Arm(values=dict(enumerate(values)))
    assert rules._scatters(Evidence(board()), arm) is unstable
    assert rules._scatters(Evidence(Board(objective=UP, trials=BASE[:1])), arm) is False


def plain(one: Idea, *trials: Trial):
    return rules.without_numbers(Evidence(board(*trials, ideas=(one,))), one, "me")


def test_ideas_that_no_number_decides_end_by_what_happened():
    """Broken, failed, its own fault, too small to tell, ended early; while a run is to come or may judge, not at all."""
    a = Idea(name="a", parent="baseline")
    weak = Trial(arm="a", seed=1, value=0.5, plumbing=True)
    cases = [
        (replace(a, broken="breach"), (), CRASH, "no run was possible: breach"), (replace(a, broken="bad", fatal=True), (), DISCARD, "no run was possible: bad"),
        (a, (Trial(arm="a", seed=1, note="oom"),), CRASH, "no valid metric in 1 run: oom"), (a, (Trial(arm="a", seed=1), Trial(arm="a", seed=2)), CRASH, "no valid metric in 2 runs"),
        (replace(a, fatal=True), (Trial(arm="a", seed=1, note="oom"),), DISCARD, "the idea itself caused the failure: oom"),
        (a, (weak,), KEEP, "it runs, but the run is too small to judge the idea; the incumbent stays"),
        (a, (Trial(arm="a", seed=1, value=0.5, partial=True, note="time-out"),), DISCARD, "it ended before its last step while the baseline did not: time-out"),
        (a, (Trial(arm="a", seed=1, value=0.5, partial=True), weak), KEEP, "it runs, but the run is too small to judge the idea; the incumbent stays"),
    ]  # fmt: skip
    for one, trials, status, reason in cases:
        found = plain(one, *trials)
        assert (found.status, found.reason, found.by, found.effect) == (status, reason, "me", None)
    for trials in (
        (),
        (Trial(arm="a", seed=1, pending=True), Trial(arm="a", seed=2)),
        (Trial(arm="a", seed=1, value=0.5), Trial(arm="a", seed=2)),
        (Trial(arm="a", seed=1, pending=True), weak),
    ):
        assert plain(a, *trials) is None


def test_what_could_not_be_tested_is_never_held_against_an_idea():
    """No discard and no instability: its runs were taken away."""
    a, gone = Idea(name="a", parent="baseline"), Trial(arm="a", seed=1, note="node: node-failed: n7", excused=True)
    found = plain(replace(a, untested=True, fatal=True), gone)
    assert (found.status, found.reason) == (CRASH, "could not be tested: node: node-failed: n7")
    here = Evidence(Board(objective=UP, trials=(*BASE, *runs("a", 1.1), gone, gone)))
    assert rules.objection(here, a, "a", Effect(0.02, 0.02, 0, 1)) == ""


def test_a_verdict_has_its_evidence():
    """The value in the metric's own direction, the mean of weak runs where there are no others, and how many there were."""
    down = Evidence(
        Board(
            objective=DOWN,
            trials=(
                *BASE,
                *runs("a", 2.0, 4.0),
                Trial(arm="b", seed=1, value=3.0, plumbing=True),
                Trial(arm="b", seed=2, value=5.0, plumbing=True),
            ),
        )
    )
    found = rules.verdict(down, "a", KEEP, "why", Effect(0.2, 0.1, 0, 5), by="me")
    assert (found.value, found.effect, found.runs, found.reason, found.by) == (3.0, 0.2, 5, "why", "me")
    assert (found.low, found.high) == (pytest.approx(0.0355146, abs=1e-6), pytest.approx(0.3644854, abs=1e-6))
    weak, none = rules.verdict(down, "b", KEEP, "", by=""), rules.verdict(down, "c", KEEP, "", by="")
    assert (weak.value, weak.runs, none.value, none.runs) == (4.0, 2, None, 0)
    assert rules.verdict(down, "a", KEEP, "", by="").runs == 2
    never = rules.never_run(down, Idea(name="c", parent="baseline"), "me")
    assert (never.status, never.reason) == (CRASH, "the run budget ended before its first run")
