"""Two ideas in one run: when they are asked for, and what becomes of both."""

import math
from dataclasses import replace

import pytest
from tests.verdict.boards import CRASH, DISCARD, KEEP, board, idea, runs

from autoresearch.experiment.board import Board, Bundle, Combine, Idea, Measure, PolicySettings, Propose, Settle, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.verdict.claims import claims
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.doubles import RunWorth, drawn_in, expected, worth_of_runs
from autoresearch.verdict.policies.sequential import ETA, ordinary_gain
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
    assert first.verdict.reason.startswith("a and b in one run gave no metric; a run of a fresh idea")
    noted = replace(crashed, trials=(*crashed.trials[:-1], replace(crashed.trials[-1], note="out of memory")))
    assert "in one run gave no metric (out of memory); a run" in advice(noted).verdict.reason
    second = advice(replace(crashed, ideas=(*PAST, replace(A, verdict=first.verdict), B)))
    assert (second.idea, second.verdict) == ("b", first.verdict)


MOVED = Bundle("double-2", ("a", "b"), "c")


@pytest.mark.parametrize(("double", "ran", "said"), [
    (replace(MOVED, conflict="both touch train.py"), (), "not on top of the incumbent: both touch train.py"),
    (MOVED, runs("double-2", None, note="out of memory"), "not on top of the incumbent: out of memory"),
])  # fmt: skip
def test_a_double_that_won_and_cannot_stand_on_the_new_best_is_dropped(double, ran, said):
    """While it ran another became the best: it is merged upon that, and what comes of it there decides."""
    won = (*runs("double-1", 1.3), *runs("c", 1.14), *ran)
    ideas = (idea("c", status=KEEP, effect=0.14), A, B)
    found = advice(after_pilot(*won, ideas=ideas, bundles=(DOUBLE, double), incumbent="c"))
    assert (found.idea, found.verdict.status, found.incumbent) == ("a", DISCARD, None)
    assert found.verdict.reason == f"better with b, but {said}"


@pytest.mark.parametrize(("left", "made"), [(1, Combine), (0, Settle)])
def test_a_double_that_beat_a_former_best_is_tried_on_the_present_one(left, made):
    """With a run to spare it is merged upon it; without one it is dropped, and the row says why."""
    won = (*runs("double-1", 1.3), *runs("c", 1.14))
    ideas = (idea("c", status=KEEP, effect=0.14), A, B)
    told = {"bundles": (DOUBLE,), "incumbent": "c", "runs_left": left, "settings": PolicySettings(worth=0.1, confirm=0)}
    found = advice(after_pilot(*won, ideas=ideas, **told))
    assert type(found) is made
    assert made is Combine or found.verdict.reason.endswith("better than baseline, and no run is left to try it on c")


def test_the_last_run_is_for_two_and_without_one_nobody_waits():
    """A second idea is waited for while a run of both fits; then the first is told that it was never run."""
    settings = PolicySettings(worth=0.1, confirm=0)
    assert type(advice(after_pilot(ideas=(A,), runs_left=1, settings=settings))) is Propose
    assert advice(after_pilot(ideas=(A,), runs_left=0, settings=settings)).idea == "a"


def test_a_double_is_judged_against_the_best_that_it_was_merged_upon():
    """Not against the baseline, which it also has the other's gain over; the row says against what."""
    won = (*runs("c", 1.14), *runs("double-1", 1.15))
    ideas = (idea("c", status=KEEP, effect=0.14), A, B)
    found = advice(after_pilot(*won, ideas=ideas, bundles=(replace(DOUBLE, parent="c"),), incumbent="c"))
    assert found.idea == "a"
    assert found.verdict.effect < 0.02
    assert "against c, " in found.verdict.reason
    plain = advice(after_pilot(*runs("double-1", 1.2), ideas=(A, B), bundles=(DOUBLE,)))
    assert " against " not in plain.verdict.reason


@pytest.mark.parametrize(("crashed", "ran", "counted"), [
    (idea("x", status=CRASH), runs("x", None), 9), (replace(idea("x", status=CRASH), broken="refused"), (), 9),
    (replace(idea("x", status=CRASH), untested=True), (), 8),
])  # fmt: skip
def test_an_idea_that_crashed_counts_among_singles_where_it_is_its_own_doing(crashed, ran, counted):
    """Refused or failed in its run: the chance of that is paid by doubles twice. One of which nothing is known is none."""
    assert worth_of_runs(Evidence(after_pilot(*ran, ideas=(crashed,)))).ideas == counted


def test_an_idea_that_ran_in_a_double_says_nothing_of_singles():
    """Its effect is that of two."""
    two = (idea("x", status=KEEP, effect=0.3), idea("y", status=KEEP, effect=0.3))
    double = Bundle("double-1", ("x", "y"), "baseline")
    assert worth_of_runs(Evidence(after_pilot(*runs("double-1", 1.3), ideas=two, bundles=(double,)))).ideas == 8


def test_what_the_next_run_is_told_against_are_the_runs_of_the_best():
    """Three of the baseline make an effect less unsure than one: the error is sigma * sqrt(1 + 1 / 3)."""
    seen = Evidence(after_pilot())
    error = seen.sigma * math.sqrt(4 / 3)
    alone = (*((0.001 * n, 1) for n in range(7)), (0.14, 1))
    assert worth_of_runs(seen) == expected(alone, seen.sigma, error, ETA * ordinary_gain(seen) / seen.belief(error))


def test_ideas_that_all_crashed_promise_nothing():
    """Neither alone nor two at a time."""
    assert expected(((None, 1),) * 8, 0.1, 0.1, 0.1) == RunWorth(0.0, 0.0)


def test_effects_are_drawn_in_to_the_scatter_that_noise_leaves():
    """1 and 0 scatter by 0.5; noise makes 2 * 0.4 ** 2 = 0.32 of it; the root of 0.18 / 0.5 is 0.6."""
    assert drawn_in([(1.0, 1), (0.0, 1)], 0.4) == pytest.approx([0.8, 0.2])
    assert drawn_in([(1.0, 1), (0.0, 1), (2.0, 1)], 0.4) == pytest.approx(
        [1.0, 1 - math.sqrt(0.68), 1 + math.sqrt(0.68)]
    )
    assert drawn_in([(1.0, 1)], 0.4) == [1.0]


@pytest.mark.parametrize(("effect", "ran", "large"), [
    (0.17, runs("x", 1.17), True), (0.14, runs("x", 1.14), False),
    (0.30, (), False), (0.34, (), True),
])  # fmt: skip
def test_ideas_run_alone_while_gains_are_large(effect, ran, large):
    """Above one and a half times the gain worth having, in the mean of what was kept lately; a double's gain is two's."""
    last = tuple(idea(f"q{n}", status=DISCARD, effect=0.001) for n in range(7))
    now = after_pilot(*ran, ideas=(idea("x", status=KEEP, effect=effect), *last))
    assert ("while gains are above 1.5 times" in advice(now).why) is large


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
