"""Two ideas in one run: when they are asked for, and what becomes of both."""

from dataclasses import replace

import pytest
from tests.verdict.boards import CRASH, DISCARD, KEEP, board, idea, runs

from autoresearch.experiment.board import Board, Bundle, Combine, Idea, Measure, PolicySettings, Propose, Settle, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.verdict.claims import claims
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.doubles import RunWorth, expected
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import run_campaign

DROPPED = tuple(idea(f"p{n}", status=DISCARD, effect=0.001 * n) for n in range(7))
PAST = (*DROPPED, idea("p7", status=KEEP, effect=0.14))
RAN = tuple(trial for n in range(7) for trial in runs(f"p{n}", 1.0 + 0.001 * n))
A, B = idea("a"), idea("b")
DOUBLE = Bundle("double-1", ("a", "b"), "baseline")


def after_pilot(*trials: Trial, ideas: tuple[Idea, ...] = (), **more: object) -> Board:
    """Eight ideas ran alone, one of them a gain; a gain of 0.1 is worth having."""
    told = {"runs_left": 60, "runs_total": 100, "settings": PolicySettings(worth=0.1), **more}
    return board(*RAN, *runs("p7", 1.14), *trials, ideas=(*PAST, *ideas), **told)


def advice(now):
    return policy("doubles").advise(now)


def test_two_ideas_share_a_run_once_singles_have_shown_that_it_pays():
    """The first waits for a second, the request says both numbers, and the two are merged and run."""
    asked = advice(after_pilot(ideas=(A,)))
    assert isinstance(asked, Propose)
    assert "of one idea is expected to bring" in asked.why
    made = advice(after_pilot(ideas=(A, B)))
    assert (type(made), made.ideas) == (Combine, ("a", "b"))
    ran = advice(after_pilot(ideas=(A, B), bundles=(DOUBLE,)))
    assert (type(ran), ran.arm, ran.purpose) == (Measure, "double-1", Purpose.EXPLORE)


@pytest.mark.parametrize("why", [{"ideas_left": 9}, {"no_more_ideas": True}, {"supply": 120}])
def test_ideas_run_alone_where_they_are_scarce(why):
    """The stop rule counts them, there is no second one, or researchers have fewer than two for each run."""
    now = advice(after_pilot(ideas=(A,), **why))
    assert (type(now), now.arm) == (Measure, "a")


def test_a_double_is_kept_or_dropped_as_one():
    """The second idea has the first one's verdict, and the double is the incumbent."""
    now = after_pilot(*runs("double-1", 1.2), ideas=(A, B), bundles=(DOUBLE,))
    first = advice(now)
    assert (type(first), first.idea, first.incumbent) == (Settle, "a", "double-1")
    later = replace(now, ideas=(*PAST, replace(A, verdict=first.verdict), B), incumbent="double-1")
    second = advice(later)
    assert (second.idea, second.verdict, second.incumbent) == ("b", first.verdict, "double-1")


def test_a_crashed_double_is_dropped():
    """No run is spent on telling which of the two it was: half of such runs crash again. The row says so."""
    crashed = after_pilot(*runs("double-1", None), ideas=(A, B), bundles=(DOUBLE,))
    first = advice(crashed)
    assert (first.idea, first.verdict.status, first.incumbent) == ("a", CRASH, None)
    assert first.verdict.reason.startswith("a and b in one run gave no metric")
    second = advice(replace(crashed, ideas=(*PAST, replace(A, verdict=first.verdict), B)))
    assert (second.idea, second.verdict) == ("b", first.verdict)


def test_a_double_that_the_machine_failed_runs_as_two():
    """Its end says nothing of the ideas, so each is tried alone."""
    lost = (replace(runs("double-1", None)[0], excused=True),)
    assert advice(after_pilot(*lost, ideas=(A, B), bundles=(DOUBLE,))).arm == "a"


def test_a_double_loses_its_luck_and_makes_no_single_claim():
    """Its credited level is below what it measured, and what one of the two gains is not known."""
    won = [idea(name, status=KEEP, effect=0.2) for name in ("a", "b")]
    now = after_pilot(*runs("double-1", 1.2), ideas=won, bundles=(DOUBLE,), incumbent="double-1")
    assert Evidence(now).credited("double-1") < 1.2
    assert [claim.effect for claim in claims(now).ideas[-2:]] == [None, None]


def test_ideas_that_clash_run_alone():
    """Points of one search touch the same knobs: a second one is not waited for."""
    same = [replace(one, keys=frozenset({"lr"})) for one in (A, B)]
    assert advice(after_pilot(ideas=same)).arm == "a"
    failed = tuple(Bundle(f"double-{n}", (f"p{n}", f"p{n + 1}"), "baseline", "clash") for n in (1, 3))
    assert "could not share one" in advice(after_pilot(bundles=failed)).why


def test_what_runs_are_worth_follows_from_single_effects():
    """Half of the ideas gain one, the rest nothing, no noise to speak of: of two in a run twice as much is expected."""
    found = expected(((1.0, 1), (0.0, 1)) * 8, 1e-6, 1e-6, 0.1)
    fine = 1 - 0.5 / 21
    assert found.single == pytest.approx(0.5 * fine)
    assert found.double == pytest.approx(fine**2 * (8 * 8 * 1.0 + 28 * 2.0) / 120)
    mostly_bad = expected(((-1.0, 1), (1.0, 1), (-3.0, 1)) * 4, 1e-6, 1e-6, 0.1)
    assert mostly_bad.single > mostly_bad.double


@pytest.mark.parametrize(("single", "double", "ideas", "clear"), [
    (1.0, 1.4, 8, True), (1.0, 1.25, 8, False), (1.0, 1.25, 24, True), (1.0, 1.1, 900, False), (0.0, 0.0, 32, False),
])  # fmt: skip
def test_two_must_be_ahead_by_a_margin(single, double, ideas, clear):
    """By 0.15 of what one brings, and what eight ideas say counts by half."""
    assert RunWorth(single, double, ideas).clear is clear


def test_where_the_best_ideas_came_first_each_runs_alone():
    """Effects that fall say so; the same ones in another order do not."""
    falling = tuple((effect, 1) for effect in (2.0, 1.8, 1.2, 1.0, 0.4, 0.3, 0.0, 0.0))
    assert expected(falling, 0.1, 0.1, 0.1).fading
    assert not expected(falling[::-1], 0.1, 0.1, 0.1).fading


@pytest.mark.parametrize("slots", [1, 3])
def test_campaigns_end_and_every_idea_has_a_verdict(slots):
    """Also where ideas crash and several runs are under way."""
    outcome = run_campaign(policy("doubles"), World(stream=STREAMS["spike"], noise=0.5, runs=40, slots=slots), 3)
    assert outcome.runs <= 40
    assert outcome.ideas > 32
