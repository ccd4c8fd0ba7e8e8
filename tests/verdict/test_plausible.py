"""Results that cannot be what they look like are neither kept nor proven until a person has looked."""

from dataclasses import replace

import pytest
from tests.verdict.boards import DISCARD, KEEP, board, idea, runs

from autoresearch.experiment.board import Bundle, Measure, PolicySettings, Settle, TakenBack
from autoresearch.experiment.outcome import Purpose, Verdict
from autoresearch.run.integrity import off_curve
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import Standing, claims
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.plausible import HELD, LOOK, bound_of, gated, implausible, told_of_held, vouched_for

UP = Direction.MAXIMIZE


def said(*values: float, **more: object):
    return implausible(Evidence(board(*runs("a", *values, **more), ideas=(idea("a"),))), "a")


def scored(metric, direction=UP, base=(0.5, 0.6, 0.7)):
    return bound_of(Objective("", metric, direction), base)


@pytest.mark.parametrize(("values", "odd"), [
    ((1.1, 1.12), ""),
    ((1.5, 1.5), ""),
    ((1.5, 1.5, 1.6), ""),
    ((1.5, 1.5, 1.5), "3 seeds gave 1.5 to the last digit, and no two of the baseline's 3 runs agree"),
    ((3.55,), ""),
    ((3.57,), "a gain of +2.57 is 50 times the width of the noise (0.0512)"),
])  # fmt: skip
def test_what_is_odd_beside_the_baseline(values, odd):
    """No scatter where the baseline scatters (three seeds), and gains beyond fifty times 2 * 1.28 * 0.02."""
    assert said(*values) == (f"{LOOK}: {odd}" if odd else "")


def test_a_baseline_without_scatter_asks_for_none():
    """A deterministic script is judged as it was: no width of a noise, and no scatter to miss."""
    same = runs("baseline", 1.0, 1.0, 1.0, purpose=Purpose.BASELINE)
    flat = replace(board(ideas=(idea("a"),)), trials=(*same, *runs("a", 9.0, 9.0, 9.0)))
    assert implausible(Evidence(flat), "a") == ""


def test_the_width_is_that_of_the_noisier_of_baseline_and_campaign():
    """A baseline that happened to agree with itself makes no gain too large where other runs scatter."""
    quiet = runs("baseline", 1.0, 1.0001, 0.9999, purpose=Purpose.BASELINE)
    loud = (*runs("b", 1.0, 1.4), *runs("c", 1.1, 0.7))
    seen = replace(board(ideas=(idea("a"), idea("b"), idea("c"))), trials=(*quiet, *loud, *runs("a", 3.0)))
    assert implausible(Evidence(seen), "a") == ""
    assert implausible(Evidence(replace(seen, trials=(*quiet, *runs("a", 3.0)))), "a")


def test_a_large_gain_within_what_is_worth_having_is_left_alone():
    """Twenty times the declared worth is nothing to stop a night for, however small the noise."""
    for worth, odd in ((0.2, False), (0.05, True)):
        seen = board(*runs("a", 4.0), ideas=(idea("a"),), settings=PolicySettings(worth=worth))
        assert bool(implausible(Evidence(seen), "a")) is odd


@pytest.mark.parametrize(("mine", "theirs", "odd"), [
    ((1, 1), (0, 0), ""),
    ((2, 2), (0, 0), "2 of its 5 runs gave no number and are excused by nothing but their own words, 0 of 3 of baseline's"),
    ((2, 2), (2, 0), ""), ((2, 0), (0, 0), ""),
    ((3, 3), (2, 0), "3 of its 6 runs gave no number and are excused by nothing but their own words, 2 of 5 of baseline's"),
])  # fmt: skip
def test_draws_that_were_taken_back_more_often_than_the_parents_are_looked_at(mine, theirs, odd):
    """From the second on, of an idea's own code; settings take nothing back, a sick machine does so from both, and an evaluation saw none of them."""
    gone = (TakenBack("a", *mine), TakenBack("baseline", *theirs))
    for evaluated in (False, True):
        seen = replace(board(*runs("a", 1.1, 1.12, 1.13, evaluated=evaluated), ideas=(idea("a"),)), taken_back=gone)
        assert implausible(Evidence(seen), "a") == (f"{LOOK}: {odd}" if odd else "")
        kept = gated(Settle("a", Verdict(status=KEEP, reason="", runs=3), "a"), seen)
        assert kept.verdict.status is (DISCARD if odd else KEEP)
    vouched = replace(seen, ideas=(replace(idea("a"), vouched=True),))
    assert implausible(Evidence(vouched), "a") == ""


def test_an_evaluation_or_a_person_settles_it():
    """Numbers that the run could not write, and a verdict that a person gave, are past this."""
    assert said(9.0)
    assert not said(9.0, evaluated=True)
    vouched = board(*runs("a", 9.0), ideas=(replace(idea("a"), vouched=True),))
    assert implausible(Evidence(vouched), "a") == ""


@pytest.mark.parametrize(("bound", "expected"), [
    (scored("accuracy"), 1.0), (scored("val:accuracy"), 1.0), (scored("pass@1", base=(40.0, 55.0)), 100.0),
    (scored("score"), None), (scored("accuracy", base=(400.0,)), None), (scored("accuracy", base=()), None),
    (scored("val_loss", Direction.MINIMIZE), 0.0), (scored("loss", Direction.MINIMIZE, (-3.0, 1.0)), None),
    (scored("perplexity", Direction.MINIMIZE), 1.0), (scored("loss"), None), (scored("glossary", Direction.MINIMIZE), None),
    *((scored(name), 1.0) for name in ("acc", "f1", "auc", "auroc", "precision", "recall", "pass", "em", "success")),
    *((scored(name, Direction.MINIMIZE), 0.0) for name in ("error", "err", "mse", "rmse", "mae", "wer", "cer")),
    (scored("ppl", Direction.MINIMIZE), 1.0), (scored("loss", Direction.MINIMIZE, ()), None),
    (scored("accuracy", base=(0.5, 40.0)), 100.0), (scored("accuracy", base=(1.5,)), 100.0), (scored("accuracy", base=(100.0,)), 100.0),
    (scored("accuracy", base=(0.2, 1.0)), 1.0), (scored("accuracy", base=(100.5, 40.0)), None),
])  # fmt: skip
def test_the_end_of_a_scale_is_told_by_the_name(bound, expected):
    """Shares end at 1 or 100, losses at 0 unless the baseline is below it; other names tell nothing."""
    assert bound == expected


def test_the_end_of_its_scale_is_looked_at():
    """A loss of 0 where the baseline had more; a baseline that is there itself makes it ordinary."""
    down = Objective("", "loss", Direction.MINIMIZE)
    seen = replace(board(*runs("a", 0.0), ideas=(idea("a"),)), objective=down)
    assert implausible(Evidence(seen), "a") == f"{LOOK}: loss is 0, the end of its scale"
    there = runs("baseline", 0.0, seed=90)
    assert implausible(Evidence(replace(seen, trials=(*seen.trials, *there))), "a") == ""


def test_draws_are_compared_with_those_of_the_parent_where_it_ran():
    """A parent that lost as many draws excuses its child, also where the baseline lost none."""
    ran = (*runs("p", 1.1, 1.12), *runs("a", 1.2, 1.21))
    for lost, odd in ((2, False), (1, True)):
        gone = (TakenBack("a", 2, 2), TakenBack("p", lost, 0))
        seen = replace(board(*ran, ideas=(idea("p", status=KEEP), idea("a", "p"))), taken_back=gone)
        assert bool(implausible(Evidence(seen), "a")) is odd


def test_a_person_has_to_have_looked_at_all_that_a_merge_adds():
    """One of two ideas that was vouched for says nothing of the other, whichever of them it is."""
    merged = Bundle("double-1", ("a", "b"), "baseline")
    for vouched in ((True, True), (True, False), (False, True)):
        ideas = tuple(replace(idea(name), vouched=by) for name, by in zip("ab", vouched, strict=True))
        seen = board(*runs("double-1", 9.0), ideas=ideas, bundles=(merged,))
        assert bool(implausible(Evidence(seen), "double-1")) is not all(vouched)
        advised = Settle("a", Verdict(status=KEEP, reason="", runs=1), "double-1")
        assert gated(advised, seen).verdict.status is (KEEP if all(vouched) else DISCARD)


def test_a_keep_that_moves_no_incumbent_is_looked_at_too():
    """Its own runs are then what it is kept for."""
    odd = board(*runs("a", 9.0), ideas=(idea("a"),))
    assert gated(Settle("a", Verdict(status=KEEP, reason="", runs=1)), odd).verdict.reason.startswith(LOOK)


CODED = replace(idea("a"), own_code=True)


@pytest.mark.parametrize(("one", "holds", "unverified", "held"), [
    (CODED, True, (True, False), True), (CODED, True, (False, False), False), (CODED, False, (True, True), False),
    (replace(CODED, vouched=True), True, (True, True), False), (idea("a"), True, (True, True), False),
])  # fmt: skip
def test_code_of_an_ideas_own_waits_for_a_person_where_only_its_runs_vouch(one, holds, unverified, held):
    """By the campaign's rule: settings, a person's word and numbers that more than the run vouches for pass."""
    ran = [replace(trial, unverified=by) for trial, by in zip(runs("a", 1.1, 1.12), unverified, strict=True)]
    base = replace(runs("baseline", 1.01, seed=90, purpose=Purpose.BASELINE)[0], unverified=True)
    seen = board(*ran, base, ideas=(one,), settings=PolicySettings(holds=holds))
    verdict = gated(Settle("a", Verdict(status=KEEP, reason="better", runs=2), "a"), seen).verdict
    assert verdict.status is (DISCARD if held else KEEP)
    told = f"{HELD}: it changes code, and 1 of its 2 numbers stand on its own runs' word alone; it would be"
    assert verdict.reason.startswith(told) is held


@pytest.mark.parametrize("more", [{"plumbing": True}, {"purpose": Purpose.CONFIRM}])
def test_runs_that_a_verdict_does_not_rest_on_hold_nothing(more):
    """A small run shows that something works, and fresh seeds come after the verdict."""
    aside = runs("a", 1.12, seed=7, unverified=True, **more)
    seen = board(*runs("a", 1.1), *aside, *runs("a", None), ideas=(CODED,), settings=PolicySettings(holds=True))
    advised = Settle("a", Verdict(status=KEEP, reason="", runs=1), "a")
    assert gated(advised, seen) == advised


def test_code_built_on_held_code_waits_as_well():
    """What a parent's code can write, its child's runs can: settings upon it are no excuse."""
    ideas = (replace(CODED, verdict=Verdict(status=KEEP, reason="", runs=1)), idea("b", "a"))
    base = runs("baseline", 1.01, seed=90, purpose=Purpose.BASELINE, unverified=True)
    seen = board(
        *base, *runs("a", 1.1), *runs("b", 1.2, unverified=True), ideas=ideas, settings=PolicySettings(holds=True)
    )
    assert gated(Settle("b", Verdict(status=KEEP, reason="", runs=1), "b"), seen).verdict.reason.startswith(HELD)


def test_what_waits_for_a_person_is_named_with_what_to_type():
    """One, several, none; other reasons are nobody's business here."""
    (said,) = told_of_held([(3, f"{HELD}: it changes code"), (4, "better")])
    assert said.startswith("#3 waits for a person's word")
    assert "autoresearch overrule 3 keep --reason" in said
    assert told_of_held([(3, HELD), (5, HELD)])[0].startswith("#3, #5 wait for a person's word")
    assert told_of_held([(4, "better")]) == ()
    (odd,) = told_of_held([(6, f"{LOOK}: a gain of 9 widths")])
    assert odd.startswith("#6 waits for a person's look, as the numbers are implausible: look at it, then autoresearch")


@pytest.mark.parametrize(("one", "ran", "believed"), [
    (CODED, {"evaluated": True}, True), (CODED, {}, False), (CODED, {"evaluated": True, "unverified": True}, False),
    (idea("a"), {}, True), (idea("a"), {"unverified": True}, False), (replace(CODED, vouched=True), {}, True),
])  # fmt: skip
def test_what_it_takes_to_vouch_for_numbers(one, ran, believed):
    """Sources that agree will do for settings; where code of an idea's own ran, a program that it could not reach."""
    seen = board(*runs("a", 1.1, None, purpose=Purpose.CONFIRM, **ran), *runs("a", 1.1, seed=7), ideas=(one,))
    assert vouched_for(Evidence(seen), {Purpose.CONFIRM}, {"a", "baseline"}) is believed
    assert vouched_for(Evidence(seen), {Purpose.CONFIRM}, {"baseline"})
    assert vouched_for(Evidence(seen), {Purpose.CONFIRM}, {"a"}) is believed
    failed = runs("a", None, seed=8, purpose=Purpose.CONFIRM, unverified=True)
    assert vouched_for(Evidence(replace(seen, trials=(*seen.trials, *failed))), {Purpose.CONFIRM}, {"a"}) is believed
    taken = replace(seen, taken_back=(TakenBack("a", 1, 1),))
    assert not vouched_for(Evidence(taken), {Purpose.CONFIRM}, {"a"})
    assert vouched_for(Evidence(taken), {Purpose.CONFIRM}, {"baseline"})


def test_one_number_without_a_voucher_is_enough_where_the_baseline_has_them_all():
    """And it says how many of how many."""
    ran = [replace(trial, unverified=by) for trial, by in zip(runs("a", 1.1, 1.12), (True, False), strict=True)]
    held = gated(Settle("a", Verdict(status=KEEP, reason="", runs=2), "a"), board(*ran, ideas=(idea("a"),)))
    assert held.verdict.reason.startswith("unverified: 1 of its 2 numbers stand on the run's own word alone")


def test_a_baseline_of_which_one_number_is_sound_asks_for_nothing():
    """Only where every one of them is could an idea's be."""
    base = [replace(trial, unverified=seed > 0) for seed, trial in enumerate(runs("baseline", 1.0, 1.02, 0.98))]
    seen = replace(board(ideas=(idea("a"),)), trials=(*base, *runs("a", 1.1, unverified=True)))
    advised = Settle("a", Verdict(status=KEEP, reason="", runs=1), "a")
    assert gated(advised, seen) == advised


def test_a_keep_that_cannot_be_is_a_discard_with_the_reason():
    """And so is what a policy says besides: a keep that can be, and a discard, pass."""
    verdict = replace(idea("a", status=KEEP, effect=8.0).verdict, reason="clearly better")
    odd, fine = (board(*runs("a", value), ideas=(idea("a"),)) for value in (9.0, 1.1))
    held = gated(Settle("a", verdict, "a"), odd)
    assert (held.verdict.status, held.incumbent) == (DISCARD, None)
    assert held.verdict.reason.startswith(LOOK)
    assert held.verdict.reason.endswith("otherwise: clearly better")
    assert gated(Settle("a", verdict, "a"), fine) == Settle("a", verdict, "a")
    for other in (Settle("a", replace(verdict, status=DISCARD), None), Measure("a", 7, Purpose.REPEAT)):
        assert gated(other, odd) == other


@pytest.mark.parametrize(("ours", "theirs", "kept"), [
    (False, False, True), (True, True, True), (False, True, True), (True, False, False),
])  # fmt: skip
def test_a_number_that_nothing_vouches_for_is_not_kept_where_there_can_be_one(ours, theirs, kept):
    """Where the baseline's are sound an idea has no excuse for less; where they are not, nobody asks for more."""
    base = runs("baseline", 1.0, 1.02, 0.98, purpose=Purpose.BASELINE, unverified=theirs)
    seen = replace(board(ideas=(idea("a"),)), trials=(*base, *runs("a", 1.1, unverified=ours)))
    advised = Settle("a", Verdict(status=KEEP, reason="clearly better", runs=1), "a")
    held = gated(advised, seen)
    assert held.verdict.status is (KEEP if kept else DISCARD)
    assert kept or held.verdict.reason.startswith("unverified: 1 of its 1 numbers stand on the run's own word alone")
    vouched = replace(seen, ideas=(replace(idea("a"), vouched=True),))
    assert gated(advised, vouched) == advised


@pytest.mark.parametrize(("grips", "evaluated", "holds", "kept"), [
    (("policy.py:3 sets log",), False, True, False), (("policy.py:3 sets log",), True, True, True),
    (("policy.py:3 sets log",), False, False, True), ((), False, True, True),
])  # fmt: skip
def test_code_that_gets_hold_of_what_measures_is_kept_by_an_evaluation_or_a_person_alone(grips, evaluated, holds, kept):
    """Sources that agree are not enough for it, and are for code that does not; `unverified: keep` asks for neither."""
    coded = replace(idea("a"), own_code=True, grips=grips)
    seen = board(*runs("a", 1.1, evaluated=evaluated), ideas=(coded,), settings=PolicySettings(holds=holds))
    advised = Settle("a", Verdict(status=KEEP, reason="clearly better", runs=1), "a")
    held = gated(advised, seen)
    assert held.verdict.status is (KEEP if kept else DISCARD)
    assert kept or held.verdict.reason.startswith(f"{HELD}: its code can make all sources agree (policy.py:3 sets log)")
    assert gated(advised, replace(seen, ideas=(replace(coded, vouched=True),))) == advised


def test_what_looks_proven_and_cannot_be_is_called_implausible():
    """On fresh seeds too: ten runs of one number prove that a number is written down somewhere."""
    kept = idea("a", status=KEEP, effect=0.5)
    fresh = [*runs("a", 1.5, 1.5, 1.5, seed=60, purpose=Purpose.CONFIRM),
             *runs("baseline", 1.01, 1.03, 0.97, seed=60, purpose=Purpose.CONFIRM)]  # fmt: skip
    found = claims(board(*runs("a", 1.5), *fresh, ideas=(kept,), incumbent="a"))
    assert (found.campaign.standing, found.ideas[0].standing) == (Standing.IMPLAUSIBLE, Standing.IMPLAUSIBLE)
    assert "to the last digit" in found.campaign.why
    assert found.false_chance == 0


@pytest.mark.parametrize(("values", "odd"), [
    ([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.9], True),
    ([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5], False),
    ([0.1, 0.4, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.9], False),
    ([0.1, 0.9], False),
    ([0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.1], False),
])  # fmt: skip
def test_the_end_of_a_curve_goes_on_from_it(values, odd):
    """A leap of several of its largest steps, beyond all it covered, in the better direction only."""
    curve = list(enumerate(values))
    assert bool(off_curve(curve, 1.0)) is odd
    assert bool(off_curve([(step, -value) for step, value in curve], -1.0)) is odd
