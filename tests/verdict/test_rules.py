"""What each rule keeps, drops or wants to see again: one contest at a time, without any order of work."""

from dataclasses import replace

import pytest
from tests.verdict.boards import BASE, board, idea, runs

from autoresearch.experiment.board import Idea, PolicySettings
from autoresearch.experiment.outcome import Status
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.auto import at_first_look
from autoresearch.verdict.policies.composed import Contest
from autoresearch.verdict.policies.greedy import by_one_look
from autoresearch.verdict.policies.sequential import by_credited_gain, credited_gain, ordinary_gain
from autoresearch.verdict.policies.strict import allowance, within_the_error

A = Idea(name="a", parent="baseline")
SIMPLER = replace(A, simplifies=True)
THREE_SEEDS = replace(A, seeds=3)
KEEP, DISCARD, AGAIN = Status.KEEP, Status.DISCARD, None


def contest(gain: float, *, error: float | None = 0.02, count: int = 1, last: bool = False, of: Idea = A) -> Contest:
    """The idea against the baseline, with as many degrees of freedom as make Student's t nearly normal."""
    return Contest(of, "a", "baseline", Effect(gain, error, 100, count), last)


def evidence(**more: object) -> Evidence:
    """Three baseline runs with a noise of 0.02 and one run of the idea; nothing limits the runs."""
    return Evidence(board(*runs("a", 1.0), ideas=(A,), **more))


def said(rule, seen: Evidence, found: Contest) -> Status | None:
    ruling = rule(seen, found)
    return None if ruling is None else ruling.status


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (contest(1e-9), KEEP),
        (contest(0.0), DISCARD),
        (contest(-0.001, of=SIMPLER), KEEP),
        (contest(-0.5, of=SIMPLER), DISCARD),
        (contest(9.0, of=THREE_SEEDS, count=2), AGAIN),
        (contest(9.0, of=THREE_SEEDS, count=3), KEEP),
        (contest(9.0, of=THREE_SEEDS, count=2, last=True), KEEP),
    ],
)
def test_greedy_believes_one_look(found, status):
    """However little better is kept, a tie only when simpler; only the seeds that an idea asked for come before."""
    assert said(by_one_look, evidence(), found) is status


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (contest(0.2, count=1), AGAIN),
        (contest(0.2, count=2), KEEP),
        (contest(0.2, count=3), AGAIN),
        (contest(0.2, count=3, last=True), KEEP),
        (contest(0.2, count=4), KEEP),
        (contest(0.0055, count=1), DISCARD),
        (contest(0.0065, count=1), AGAIN),
        (contest(0.015, count=2), DISCARD),
        (contest(0.017, count=2), AGAIN),
        (contest(0.02, count=8), DISCARD),
        (contest(0.2, error=None, count=2), DISCARD),
    ],
)
def test_strict_tests_at_its_looks_and_drops_the_hopeless_between(found, status):
    """Two, four and eight runs are looks; under 0.3, 0.8 and 1.3 standard errors nothing more is spent."""
    assert said(within_the_error, evidence(), found) is status


def test_strict_spends_a_tenth_over_the_whole_campaign():
    """With a budget evenly over its runs, without one 0.1 / (i (i + 1)) to the i-th idea, whose sum stays below 0.1."""
    second = idea("b")
    seen = Evidence(board(ideas=(A, second)))
    assert allowance(Evidence(board(ideas=(A,), runs_total=50)), contest(0.1)) == pytest.approx(0.002)
    assert allowance(seen, contest(0.1)) == pytest.approx(0.05)
    assert allowance(seen, contest(0.1, of=second)) == pytest.approx(0.1 / 6)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (contest(0.0), DISCARD),
        (contest(-0.001, of=SIMPLER), KEEP),
        (contest(-0.001, of=THREE_SEEDS), AGAIN),
        (contest(-0.04, of=THREE_SEEDS), DISCARD),
        (contest(0.01), AGAIN),
        (contest(0.02), KEEP),
        (contest(0.01, count=3), KEEP),
        (contest(0.001, count=3), DISCARD),
        (contest(0.2), KEEP),
        (contest(-0.1, error=None), DISCARD),
        (contest(0.1, error=None), AGAIN),
        (contest(0.1, error=None, last=True), KEEP),
    ],
)
def test_sequential_repeats_what_another_run_could_turn(found, status):
    """What looks worse ends at once, what is far ahead is kept at once, the promising gets three runs and not four."""
    assert said(by_credited_gain, evidence(settings=PolicySettings(worth=0.02)), found) is status


def test_sequential_gives_three_runs_to_all_where_they_cost_nothing():
    """Sixty runs for ten ideas: whatever is neither clearly worse nor 2.5 standard errors ahead is seen again."""
    plenty = evidence(settings=PolicySettings(worth=0.02), runs_left=60, runs_total=64, ideas_left=10)
    found = [said(by_credited_gain, plenty, contest(0.02 * z)) for z in (-1.35, -1.2, 0.1, 2.4, 2.6)]
    assert found == [DISCARD, AGAIN, AGAIN, AGAIN, KEEP]
    exact = replace(contest(0.0), effect=Effect(2.5, 1.0, 0, 1))
    assert said(by_credited_gain, plenty, exact) is KEEP


def test_a_keep_must_be_worth_an_ordinary_run():
    """The bar is what a run has brought so far; a gain counts for the part of it that is no luck."""
    seen = evidence(settings=PolicySettings(worth=0.02))
    assert ordinary_gain(seen) == pytest.approx(2 * 0.02 / (len(BASE) + 1 + 20))
    assert credited_gain(seen, contest(0.03)) == pytest.approx(0.03 * 0.04**2 / (0.04**2 + 0.02**2))
    bar = ordinary_gain(seen) * (0.04**2 + 0.02**2) / 0.04**2
    assert [said(by_credited_gain, seen, contest(bar * part, count=3)) for part in (0.99, 1.01)] == [DISCARD, KEEP]


@pytest.mark.parametrize("gain", [0.001, 0.01, 0.02, 0.03, 0.2])
def test_where_noise_is_quiet_auto_decides_at_the_first_look(gain):
    """What `sequential` would see again is kept or dropped as if that run were the last; seeds asked for are granted."""
    seen = evidence(settings=PolicySettings(worth=0.02))
    assert at_first_look(seen, contest(gain)) == by_credited_gain(seen, contest(gain, last=True))
    assert at_first_look(seen, contest(gain, of=THREE_SEEDS)) is AGAIN


@pytest.mark.parametrize("rule", [by_one_look, within_the_error, by_credited_gain, at_first_look])
def test_every_rule_comes_to_an_end(rule):
    """Where no run can follow there is a verdict, with a reason in one line."""
    for gain in (-1.0, -0.01, 0.0, 0.01, 1.0):
        ruling = rule(evidence(), contest(gain, count=8, last=True))
        assert ruling.status in (KEEP, DISCARD)
        assert ruling.reason
        assert "\n" not in ruling.reason
