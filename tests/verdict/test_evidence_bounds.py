"""What runs say, at every bound: which of them count, from when on noise is known, when seeds pair."""

import math
from dataclasses import replace

import pytest
from tests.verdict.boards import BASE, DOWN, INF, KEEP, NAN, UP, board, idea, runs

from autoresearch.experiment.board import Board, Bundle, PolicySettings, Trial
from autoresearch.verdict.arms import Effect, SortedRuns, counted, sort
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import Noise, averages, estimate, sample_errors


@pytest.mark.parametrize(("effect", "z", "low", "high"), [
    (Effect(0.1, None, 0, 1), 0.0, None, None), (Effect(0.1, 0.0, 3, 1), 40.0, 0.1, 0.1), (Effect(-0.1, 0.0, 3, 1), -40.0, -0.1, -0.1),
    (Effect(0.0, 0.0, 3, 1), 0.0, 0.0, 0.0), (Effect(0.2, 0.1, 0, 1), 2.0, 0.0355146, 0.3644854), (Effect(9.0, 0.1, 0, 1), 40.0, 8.8355146, 9.1644854),
    (Effect(-9.0, 0.1, 0, 1), -40.0, -9.1644854, -8.8355146), (Effect(0.2, 0.1, 2, 1), 1.3262718, -0.0919986, 0.4919986),
])  # fmt: skip
def test_an_effect_has_a_deviate_and_an_interval(effect, z, low, high):
    """Without noise neither; with noise of the validation set alone by the normal, else by Student's t."""
    assert (effect.z, effect.low, effect.high) == tuple(
        None if v is None else pytest.approx(v, abs=1e-6) for v in (z, low, high)
    )


def test_an_effect_says_what_it_rests_on():
    """How many runs, whether on common seeds, and whether anything was repeated at all."""
    assert Effect(0.1, None, 0, 1).told() == "+0.1 (noise not measured) over 1 run"
    assert (
        Effect(0.2, 0.1, 2, 3, paired=True).told("bundled run")
        == "+0.2 [-0.092, +0.492] over 3 bundled runs on common seeds"
    )
    assert Effect(0.2, 0.1, 2, 1, paired=True, beyond=True).told().endswith(" over 1 run partly on common seeds")
    assert Effect(0.2, 0.1, 0, 2).told().endswith("over 2 runs (validation noise only; nothing was repeated)")
    assert (counted(0), counted(1), counted(2, "seed")) == ("0 runs", "1 run", "2 seeds")


KINDS = (
    Trial(arm="a", seed=1, pending=True), Trial(arm="a", seed=2, note="oom"), Trial(arm="a", seed=3, value=NAN, note="nan"), Trial(arm="a", seed=4, value=INF, note="inf"),
    Trial(arm="a", seed=5, value=0.5, plumbing=True), Trial(arm="a", seed=6, value=0.6, partial=True), Trial(arm="a", seed=7, value=0.7, standard_error=0.1),
    Trial(arm="a", seed=7, value=9.9, standard_error=0.2), Trial(arm="a", seed=8, value=0.9, standard_error=NAN), Trial(arm="b", seed=7, value=-1.0),
)  # fmt: skip


def test_every_run_is_of_one_kind():
    """Pending, failed, weak or a value; of two on one seed the first; seeds of all of them are used up."""
    found = sort(KINDS, 1.0, partial_judges=False)
    a = found["a"]
    assert (a.pending, a.failed, a.note, a.values, a.runs) == (1, 3, "inf", {7: 0.7, 8: 0.9}, 2)
    assert ([one.seed for one in a.weak], a.tried, a.errors) == ([5, 6], [1, 2, 3, 4, 5, 6, 7, 7, 8], [0.1, 0.2])
    assert (a.level, list(found)) == (pytest.approx(0.8), ["a", "b"])
    assert sort(KINDS, -1.0, partial_judges=True)["a"].values == {6: -0.6, 7: -0.7, 8: -0.9}
    assert sort((), 1.0, partial_judges=True) == {}


@pytest.mark.parametrize(("before", "after"), [
    (KINDS[:4], KINDS), (KINDS, KINDS[:4]), (KINDS, (*KINDS[:-1], replace(KINDS[-1], value=2.0))), (KINDS, (*KINDS[:-1], replace(KINDS[-1], arm="c"))),
    (KINDS, KINDS), (KINDS, (replace(KINDS[0], pending=False, value=3.0), *KINDS[1:])), ((), KINDS),
    (KINDS, (replace(KINDS[0], seed=9), *KINDS[1:-1], replace(KINDS[-1], arm="c"))),
])  # fmt: skip
@pytest.mark.parametrize("terms", [(1.0, True), (1.0, False), (-1.0, True)])
def test_what_was_read_before_changes_no_answer(before, after, terms):
    """A board that grew, shrank, changed a run or an arm, or is looked at the other way round."""
    kept = SortedRuns()
    kept.read(before, 1.0, partial_judges=True)
    found, wanted = kept.read(after, terms[0], partial_judges=terms[1]), sort(after, terms[0], partial_judges=terms[1])
    assert {name: vars(arm) for name, arm in found.items()} == {name: vars(arm) for name, arm in wanted.items()}


def test_a_run_that_ended_early_judges_only_where_no_baseline_reached_its_end():
    """A whole run of the baseline with a finite value makes early ends failures."""
    early = Trial(arm="a", seed=42, value=2.0, partial=True)
    for base, judges in (
        (Trial(arm="baseline", seed=42, value=1.0), False), (Trial(arm="baseline", seed=42, value=1.0, partial=True), True), (Trial(arm="baseline", seed=42, value=NAN), True),
        (Trial(arm="baseline", seed=42, value=1.0, plumbing=True), True), (Trial(arm="baseline", seed=42, pending=True, value=1.0), True), (Trial(arm="b", seed=42, value=1.0), True),
        (Trial(arm="baseline", seed=42), True),
    ):  # fmt: skip
        assert bool(Evidence(Board(objective=UP, trials=(base, early))).arm("a").runs) is judges, base


def test_what_a_board_holds_is_found_by_name():
    """Ideas, bundles, what each was made from and adds, what is open and under way."""
    ideas = (idea("a", status=KEEP), idea("b", "a", KEEP), idea("c", "set-1"))
    here = Evidence(
        board(
            Trial(arm="c", seed=1, pending=True),
            ideas=ideas,
            bundles=(Bundle("set-1", ("a", "b"), "baseline"),),
            incumbent="c",
        )
    )
    assert [here.parent(name) for name in ("a", "b", "c", "set-1", "baseline", "x")] == [
        "baseline",
        "a",
        "set-1",
        "baseline",
        "",
        "",
    ]
    assert [here.adds(name) for name in ("a", "set-1", "x")] == [("a",), ("a", "b"), ()]
    assert (here.lineage("b"), here.held, [one.name for one in here.open]) == (("a", "b"), ("a", "b", "c"), ["c"])
    assert (here.pending, Evidence(board()).pending) == (True, False)
    assert (here.arm("x").runs, here.sign, Evidence(Board(objective=DOWN)).sign) == (0, 1.0, -1.0)


@pytest.mark.parametrize(
    ("own", "other", "seed"), [((), (42, 43), 42), ((42,), (42, 43), 43), ((42, 43), (42, 43), 46), ((99,), (99,), 100)]
)
def test_the_next_seed_pairs_as_long_as_it_can(own, other, seed):
    """Then it is one beyond all that were used; on an empty board the first one of the campaign."""
    trials = [Trial(arm="a", seed=one, value=1.0) for one in own] + [
        Trial(arm="b", seed=one, value=1.0) for one in other
    ]
    here = Evidence(Board(objective=UP, trials=(*trials, Trial(arm="c", seed=45))))
    assert here.next_seed("a", "b") == seed
    assert Evidence(Board(objective=UP, settings=PolicySettings(first_seed=7))).fresh_seed() == 7
    assert (
        Evidence(
            Board(objective=UP, settings=PolicySettings(first_seed=7), trials=(Trial(arm="c", seed=3),))
        ).fresh_seed()
        == 7
    )


def test_noise_needs_two_runs_of_something_and_is_no_less_than_the_validation_sets():
    """One of everything leaves what its runs report, else nothing."""
    one = Trial(arm="a", seed=1, value=1.0, standard_error=0.3)
    assert Evidence(Board(objective=UP, trials=(replace(one, standard_error=None),))).sigma is None
    alone = Evidence(Board(objective=UP, trials=(one, replace(one, arm="baseline", standard_error=0.4))))
    assert (alone.sigma, alone.noise.freedom) == (pytest.approx(math.sqrt(0.125)), 0)
    assert alone.compare("a", "baseline").error == pytest.approx(math.sqrt(0.25))
    assert Evidence(board()).sigma == pytest.approx(0.02)
    assert Evidence(board(one)).sigma == pytest.approx(0.3)
    assert Evidence(board(replace(one, standard_error=0.001))).sigma == pytest.approx(0.02)


@pytest.mark.parametrize(("worth", "scale"), [(0.1, 0.1), (0.0, None), (-1.0, None), (None, None)])
def test_only_a_worth_above_zero_is_one(worth, scale):
    """Else the campaign's own gains have to tell."""
    assert Evidence(board(settings=PolicySettings(worth=worth))).scale == scale


@pytest.mark.parametrize(("effects", "scale"), [
    ((0.1,) * 7, None), ((0.1,) * 8, 0.1), ((0.1,) * 7 + (None,), None), ((-0.1,) * 8, 0.0), ((0.02,) * 8, 0.0), ((0.0,) * 4 + (0.1,) * 4, 0.1),
])  # fmt: skip
def test_eight_judged_ideas_tell_how_large_gains_are(effects, scale):
    """Only gains above zero, their own noise taken out; nothing is left where it is all noise."""
    ideas = tuple(idea(f"i{n}", status=KEEP, effect=effect) for n, effect in enumerate(effects))
    found = Evidence(board(ideas=ideas)).scale
    assert found == (scale if not scale else pytest.approx(math.sqrt(scale * scale - 2 * 0.02**2)))
    assert Evidence(board(ideas=(*ideas, idea("x", status=KEEP, effect=9.0, runs=0)))).scale == found


def test_credit_is_taken_off_one_judged_idea_only():
    """What was never judged, has no effect or no runs, a set of several, or no known noise is as good as its mean."""
    trials = runs("a", 1.1)
    kept = idea("a", status=KEEP, effect=0.1)
    assert Evidence(board(*trials, ideas=(kept,))).credited("a") == pytest.approx(1.0888889 - 0.0138889, abs=2e-2)
    for plain in (idea("a"), idea("a", status=KEEP), idea("a", status=KEEP, effect=0.1, runs=0)):
        assert Evidence(board(*trials, ideas=(plain,))).credited("a") == 1.1
    both = Bundle("set-1", ("a", "b"), "baseline")
    assert (
        Evidence(
            board(*runs("set-1", 1.1), ideas=(kept, idea("b", status=KEEP, effect=0.1)), bundles=(both,))
        ).credited("set-1")
        == 1.1
    )
    assert (
        Evidence(board(*runs("set-1", 1.1), ideas=(kept,), bundles=(Bundle("set-1", ("a",), "baseline"),))).credited(
            "set-1"
        )
        < 1.1
    )
    assert Evidence(Board(objective=UP, ideas=(kept,), trials=(*BASE[:1], *trials))).credited("a") == 1.1
    assert Evidence(board(ideas=(kept,))).credited("a") is None


@pytest.mark.parametrize(("settings", "error", "belief"), [
    (PolicySettings(), 0.0, 1.0), (PolicySettings(), 0.04, 0.5), (PolicySettings(worth=0.01), 0.04, 0.5), (PolicySettings(worth=0.04), 0.08, 0.5),
])  # fmt: skip
def test_belief_is_by_twice_the_noise_or_twice_the_worth(settings, error, belief):
    """Whichever is more; what has no error is believed."""
    assert Evidence(board(settings=settings)).belief(error) == pytest.approx(belief)


def moving(rho: float) -> Board:
    """A baseline and an arm whose common seeds correlate as measured by five pairs, before that is shrunk."""
    base = (0.4, 0.7, 0.5, 0.9, 0.3)
    apart = (1.0, -1.0, 1.0, 1.0, -1.0)
    x = tuple(1 + b + (1 - rho) * a for b, a in zip(base, apart, strict=True))
    return Board(
        objective=UP,
        ideas=(idea("x"), idea("a")),
        trials=(*runs("baseline", *base), *runs("x", *x), *runs("a", 0.9, 1.3)),
    )


def test_common_seeds_pair_from_a_correlation_of_three_tenths_on():
    """Below it, and between arms without a common seed, a comparison is of plain means."""
    close, far = Evidence(moving(0.99)), Evidence(moving(0.3))
    assert close.noise.rho > 0.3 > far.noise.rho
    assert close.compare("a", "baseline").paired
    assert not far.compare("a", "baseline").paired
    assert far.compare("a", "baseline").gain == pytest.approx(1.1 - 0.56)
    apart = replace(moving(0.99), trials=(*moving(0.99).trials[:-2], *runs("a", 0.9, 1.3, seed=90)))
    assert not Evidence(apart).compare("a", "baseline").paired
    assert Evidence(moving(0.99)).compare("never", "baseline") is None
    assert Evidence(moving(0.99)).compare("a", "never") is None


def test_a_comparison_is_held_against_the_credited_level_unless_told_otherwise():
    """A lucky incumbent raises no bar."""
    here = Evidence(
        board(*runs("a", 1.1), *runs("b", 1.1, seed=60), ideas=(idea("a", status=KEEP, effect=0.1), idea("b", "a")))
    )
    assert here.compare("b", "a").gain == pytest.approx(1.1 - here.credited("a")) != 0
    assert here.compare("b", "a", credit=False).gain == 0
    assert here.smallest("baseline") == pytest.approx(2.9199856 * 0.02 * math.sqrt(4 / 3))
    assert here.smallest("never") is None


@pytest.mark.parametrize(("samples", "value", "same"), [
    ((0.0, 1.0) * 4, 0.5, True), ((0.0, 1.0) * 3 + (0.5,), 0.5, False), ((0.0, 1.0) * 4, 0.50049, True), ((0.0, 1.0) * 4, 0.5006, False),
    ((0.0, 1.0) * 4, 0.49951, True), ((0.0, NAN) * 4, 0.5, False), ((0.0, INF) * 4, 0.5, False), ((0.0,) * 8, 0.0, True), ((-1.0,) * 8, -1.0005, True),
])  # fmt: skip
def test_samples_belong_to_the_value_that_is_their_mean(samples, value, same):
    """To a thousandth, of eight samples at least, all of them finite."""
    assert averages(value, samples) is same


def test_runs_pair_by_samples_where_they_have_as_many():
    """Eight at least; successive runs of one arm, and none of another."""
    eight, other, seven = (0.0, 1.0) * 4, (1.0, 0.0) * 4, (0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    assert len(sample_errors([[eight, other, eight]])) == 2
    assert sample_errors([[seven, seven[::-1]], [eight], [eight, seven]]) == []
    assert sample_errors([[eight, other]]) == [pytest.approx(math.sqrt(8 / 7 / 16))]


def test_the_noise_of_a_campaign_is_of_all_its_arms():
    """The correlation only of two arms that both ran, and the root mean square of what runs report."""
    found = estimate(
        {"a": {1: 0.0, 2: 0.2}, "b": {1: 1.0, 2: 1.2}}, [("b", "a"), ("a", "a"), ("a", "x"), ("x", "a")], [0.3, 0.4]
    )
    assert (found.sigma, found.freedom, found.pairs) == (pytest.approx(math.sqrt(0.02)), 2, 1)
    assert (found.rho, found.evaluation) == (pytest.approx(0.99 / 5), pytest.approx(math.sqrt(0.125)))
    assert estimate({"a": {1: 0.0, 2: 1.0}}).evaluation is None
    assert estimate({}) == Noise() == Noise(None, 0, None, 0.0, 0)
