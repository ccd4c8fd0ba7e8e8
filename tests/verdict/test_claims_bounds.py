"""What may be claimed where little is known, whose chances are added up, and what drift is told from."""

import re
from dataclasses import replace

import pytest
from tests.verdict.boards import BASE, CRASH, DISCARD, INF, KEEP, NAN, UP, board, idea, runs

from autoresearch.experiment.board import Board, Bundle, Idea, Trial
from autoresearch.experiment.outcome import Purpose, Verdict
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.claims import (
    Claim,
    Standing,
    _as_wide_as_its_sides,
    _positive,
    claims,
    doubt,
    effect_spread,
    left_out,
)
from autoresearch.verdict.drift import beside_drift, drift
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.posterior import ArmNode, worths
from autoresearch.verdict.power import cannot_prove


def test_nothing_is_claimed_without_noise_or_without_runs():
    """A gain over one run each is told, and goes no further."""
    one = idea("a", status=KEEP, effect=0.5)
    trials = (Trial(arm="baseline", seed=1, value=1.0), Trial(arm="a", seed=1, value=1.5))
    fresh = (
        Trial(arm="baseline", seed=9, purpose=Purpose.CONFIRM, value=1.0),
        Trial(arm="a", seed=9, purpose=Purpose.CONFIRM, value=1.5),
    )
    found = claims(Board(objective=UP, ideas=(one,), trials=(*trials, *fresh[1:]), incumbent="a"))
    assert found.campaign == Claim(name="a", standing=Standing.UNRESOLVED)
    assert claims(Board(objective=UP, ideas=(one,), trials=trials, incumbent="a")).campaign == Claim(
        name="a", standing=Standing.UNRESOLVED
    )
    assert claims(Board(objective=UP, ideas=(one, idea("b")), trials=trials)).campaign is None
    alone = claims(Board(objective=UP, ideas=(one, idea("b")), trials=trials, incumbent="a")).ideas
    assert alone == (Claim(name="a", standing=Standing.UNRESOLVED, effect=0.5, runs=1),)
    assert claims(Board(objective=UP, ideas=(idea("a", status=CRASH),), trials=trials)).ideas == (
        Claim(name="a", standing=Standing.UNRESOLVED),
    )


def test_a_verdicts_own_interval_is_read_back_as_it_was_made():
    """Without runs of its own (an array's idea), with the validation set's noise alone by the normal: (0.7 - 0.3) / 2 / 1.645 is the error, a prior of 0.054 shrinks it."""
    kept = Idea(
        name="a", parent="baseline", verdict=Verdict(status=KEEP, reason="", effect=0.5, low=0.3, high=0.7, runs=1)
    )
    trials = runs("baseline", 1.0, standard_error=0.1)
    (found,) = claims(Board(objective=UP, ideas=(kept,), trials=trials, incumbent="a")).ideas
    assert (found.effect, found.low) == (pytest.approx(0.392535, abs=1e-5), pytest.approx(0.215329, abs=1e-5))


def test_an_incumbent_that_nobody_made_is_claimed_as_one_change():
    """Fresh runs of it count, though no idea is known to be in it."""
    fresh = (
        *runs("x", 1.2, 1.22, seed=90, purpose=Purpose.CONFIRM),
        *runs("baseline", 1.0, 1.02, seed=90, purpose=Purpose.CONFIRM),
    )
    found = claims(board(*fresh, incumbent="x")).campaign
    assert found.effect > 0


def test_equal_runs_make_certain_claims():
    """Where noise is nought a gain is measured, a loss refuted, and so is none: there is nothing to prove."""
    for gain, standing, wrong in (
        (0.5, Standing.MEASURED, 0.0),
        (-0.5, Standing.REFUTED, 1.0),
        (0.0, Standing.REFUTED, 1.0),
    ):
        trials = (
            *runs("baseline", 1.0, 1.0),
            *runs("baseline", 1.0, seed=90, purpose=Purpose.CONFIRM),
            *runs("a", 1.0 + gain, seed=90, purpose=Purpose.CONFIRM),
        )
        found = claims(Board(objective=UP, ideas=(idea("a", status=KEEP, effect=0.5),), trials=trials, incumbent="a"))
        assert (found.campaign.standing, found.campaign.wrong) == (standing, wrong)
        assert found.campaign.unmoved
        assert found.false_chance == 0
    nearly = (
        *runs("baseline", 1.0, 1.0 + 1e-11),
        *(replace(trial, value=1 + (trial.arm == "a") * 0.5) for trial in trials[2:]),
    )
    assert (
        claims(
            Board(objective=UP, ideas=(idea("a", status=KEEP, effect=0.5),), trials=nearly, incumbent="a")
        ).campaign.wrong
        < 1e-4
    )


def test_the_campaigns_claim_counts_beside_several_ideas_and_not_beside_its_only_one():
    """Of one kept idea it is the same claim; the chances of all that are proven are added up."""
    trials = (*BASE, *runs("baseline", 1.0, 1.02, 0.98, seed=90, purpose=Purpose.CONFIRM), *runs("b", 1.1, 1.12, 1.08, seed=90, purpose=Purpose.CONFIRM),
              *runs("without-1", 1.05, 1.07, 1.03, seed=90, purpose=Purpose.ABLATE), *runs("without-2", 1.05, 1.07, 1.03, seed=90, purpose=Purpose.ABLATE))  # fmt: skip
    ideas = (idea("a", status=KEEP, effect=0.05), idea("b", "a", KEEP, 0.05))
    bundles = (Bundle("without-1", ("b",), "baseline"), Bundle("without-2", ("a",), "baseline"))
    found = claims(Board(objective=UP, ideas=ideas, trials=trials, bundles=bundles, incumbent="b"))
    proven = [one.wrong for one in (*found.ideas, found.campaign) if one.standing is Standing.PROVEN]
    assert found.campaign.standing is Standing.PROVEN
    assert len(proven) > 1
    assert found.false_chance == pytest.approx(sum(proven))
    only = claims(
        Board(
            objective=UP,
            ideas=ideas[:1],
            trials=tuple(replace(t, arm="a") if t.arm == "b" else t for t in trials),
            incumbent="a",
        )
    )
    assert only.false_chance == only.campaign.wrong == only.ideas[0].wrong


def test_everything_but_one_is_a_bundle_from_the_baseline_without_a_conflict():
    """With just those ideas; empty when there is none."""
    ideas = tuple(idea(name, parent, KEEP) for name, parent in (("a", "baseline"), ("b", "a"), ("c", "b")))
    for bundle, found in (
        (Bundle("w", ("b", "c"), "baseline"), "w"), (Bundle("w", ("c", "b"), "baseline"), "w"), (Bundle("w", ("b", "c"), "a"), ""),
        (Bundle("w", ("b",), "baseline"), ""), (Bundle("w", ("b", "c"), "baseline", "conflict"), ""),
    ):  # fmt: skip
        assert left_out(Evidence(board(ideas=ideas, bundles=(bundle,), incumbent="c")), "a") == found


def climbing(
    *values: float | None, arm: str = "baseline", purpose: Purpose = Purpose.ANCHOR, gap: int = 10, **more: object
) -> tuple[Trial, ...]:
    return tuple(
        Trial(arm=arm, seed=n, purpose=purpose, value=value, order=gap * n, **more) for n, value in enumerate(values)
    )


UPHILL = climbing(0.50, 0.52, 0.54, 0.561)


def test_drift_needs_three_repeats_at_different_times():
    """Of valid runs of the baseline, or runs of others that chose nothing."""
    assert drift(Board(objective=UP, trials=UPHILL)).repeats == 3
    assert drift(Board(objective=UP, trials=UPHILL[:3])) is None
    assert drift(Board(objective=UP, trials=tuple(replace(t, order=5) for t in UPHILL))) is None
    for spoilt in (
        replace(UPHILL[3], pending=True),
        replace(UPHILL[3], partial=True),
        replace(UPHILL[3], value=NAN),
        replace(UPHILL[3], value=None),
    ):
        assert drift(Board(objective=UP, trials=(*UPHILL[:3], spoilt))) is None
    for purpose, counts in (
        (Purpose.ANCHOR, True),
        (Purpose.CONFIRM, True),
        (Purpose.ABLATE, True),
        (Purpose.EXPLORE, False),
        (Purpose.REPEAT, False),
    ):
        assert (
            drift(Board(objective=UP, trials=climbing(0.50, 0.52, 0.54, 0.561, arm="a", purpose=purpose))) is not None
        ) is counts
    assert drift(Board(objective=UP, trials=climbing(0.50, 0.52, 0.54, 0.561, purpose=Purpose.EXPLORE))) is not None
    twos = [climbing(n, n + 0.1, arm=f"i{n}", gap=30) for n in range(3)]
    assert drift(Board(objective=UP, trials=(*twos[0], *twos[1], *twos[2]))).repeats == 3
    one = Trial(arm="a", seed=9, purpose=Purpose.ANCHOR, value=9.0, order=3)
    assert drift(Board(objective=UP, trials=(*UPHILL, one))) == drift(Board(objective=UP, trials=UPHILL))


def test_drift_is_within_arms_and_told_over_the_whole_campaign():
    """Two arms at different levels share one slope; the total is from the first run to the last of all."""
    high = climbing(1.50, 1.521, 1.54, 1.56, arm="a")
    both = drift(Board(objective=UP, trials=(*UPHILL, *high)))
    assert (both.repeats, both.slope) == (6, pytest.approx(0.00201, abs=1e-6))
    longer = drift(Board(objective=UP, trials=(*UPHILL, Trial(arm="b", seed=1, pending=True, order=90))))
    assert longer.total == pytest.approx(longer.slope * 90)
    assert (longer.low, longer.high) == (pytest.approx(longer.total - (longer.high - longer.total)), longer.high)
    assert drift(
        Board(objective=UP, trials=(*UPHILL, Trial(arm="b", seed=1, pending=True, order=-10)))
    ).total == pytest.approx(longer.slope * 40)


def test_ideas_that_scatter_less_make_no_drift_surer():
    """Their noise is pooled in only where it is more than what the baseline's runs lie off their line."""
    base = climbing(0.50, 0.53, 0.49, 0.54, 0.53)
    quiet = tuple(Trial(arm="i", seed=n, value=1 + 0.0001 * n, order=12 + n) for n in range(3))
    assert drift(Board(objective=UP, trials=(*base, *quiet))) == drift(Board(objective=UP, trials=base))


def test_a_remark_on_drift_is_for_a_verdict_that_has_an_effect():
    """And where drift is certain."""
    steep = climbing(0.50, 0.52, 0.54, 0.56, 0.581, 0.60)
    judged = Verdict(status=KEEP, reason="good", effect=0.1)
    assert beside_drift(judged, Board(objective=UP, trials=steep)).reason == (
        "good; not corrected for drift, by which the same code changed +0.1 so far"
    )
    assert beside_drift(replace(judged, effect=None), Board(objective=UP, trials=steep)).reason == "good"
    assert beside_drift(judged, Board(objective=UP, trials=climbing(0.5, 0.6, 0.5, 0.6, 0.5))).reason == "good"
    assert beside_drift(judged, Board(objective=UP)).reason == "good"


def test_a_gain_of_which_nothing_is_known_is_as_likely_as_not():
    """Where the numbers of a board are too wild for a ratio."""
    assert _positive(Effect(gain=INF, error=INF, freedom=2, runs=1)) == 0.5


def test_an_idea_that_names_itself_as_parent_breaks_no_claim():
    """A campaign file that a hand has changed may hold a circle; what hangs on the baseline is still told."""
    own = idea("a", parent="a", status=DISCARD, effect=-0.5)
    trials = (*runs("baseline", 1.0, 1.1, 0.9), *runs("a", 0.5))
    (found,) = claims(Board(objective=UP, ideas=(own,), trials=trials)).ideas
    assert found.runs == 1


def test_what_common_seeds_share_does_not_widen_a_claim():
    """Fresh seeds that scatter by 0.04, and an effect of 0.08 on each: the pairs differ by next to nothing."""
    luck = [0.0, 0.02, -0.021, 0.013, -0.017, 0.024, -0.02, 0.018, 0.005, -0.012, 0.03, -0.035, 0.04]
    tries = tuple(
        Trial(arm=arm, seed=seed, value=0.6 + gain + by, purpose=Purpose.CONFIRM if seed > 9 else Purpose.EXPLORE)
        for arm, gain in (("baseline", 0.0), ("a", 0.08))
        for seed, by in enumerate(luck)
    )
    kept = idea("a", status=KEEP, effect=0.08)
    whole = claims(Board(objective=UP, ideas=(kept,), trials=tries, incumbent="a")).campaign
    assert (whole.standing, whole.runs) == (Standing.PROVEN, 3)
    assert whole.high - whole.low < 0.06


def test_what_cannot_be_proven_is_told_of_the_runs_that_were_made():
    """Not of those that were allowed; and nothing is told where the gain is larger than that."""
    trials = (*runs("baseline", 1.0, 1.1, 0.9), *runs("a", 1.2, 1.1, 1.3))
    evidence = Evidence(Board(objective=UP, ideas=(idea("a", status=KEEP, effect=0.2),), trials=trials, runs_total=148))
    small, large = (Claim(name="a", standing=Standing.LIKELY, effect=effect) for effect in (0.2, 200.0))
    assert re.match(r" 6 runs cannot prove a gain", cannot_prove(evidence, small))
    assert not cannot_prove(evidence, large)


def test_what_cannot_be_proven_counts_the_fresh_pairs_that_were_made():
    """Three of each in twelve runs, whose share would be one: a headline on 3 fresh seeds speaks of 3 pairs."""
    late = [runs(arm, 1.0, 1.1, 0.9, seed=90, purpose=Purpose.CONFIRM) for arm in ("a", "baseline")]
    trials = (*runs("baseline", 1.0, 1.1, 0.9), *runs("a", 1.2, 1.1, 1.3), *late[0], *late[1])
    board = Board(objective=UP, ideas=(idea("a", status=KEEP, effect=0.2),), trials=trials, incumbent="a")
    evidence = Evidence(board)
    assert cannot_prove(evidence, claims(board).campaign).endswith(" (3 pairs of fresh seeds).")


def by_seed(arm: str, values: dict[int, float]) -> tuple[Trial, ...]:
    """From seed 47 on runs are fresh."""
    return tuple(
        Trial(arm=arm, seed=seed, value=value, order=seed, purpose=Purpose.CONFIRM if seed > 46 else Purpose.EXPLORE)
        for seed, value in values.items()
    )


SEEDED = (
    *by_seed("baseline", {42: 0.8325, 43: 0.8225, 47: 0.8025, 48: 0.845, 49: 0.8525, 50: 0.825}),
    *by_seed("old", {42: 0.835, 43: 0.825, 47: 0.805}),
    *by_seed("one", {42: 0.83}),
)
"""Seeds make the number, by 0.05; what was kept first adds 0.0025 on each."""


def with_new(values: dict[int, float]) -> Board:
    kept = (idea("old", status=KEEP, effect=0.0025), idea("new", parent="old", status=KEEP, effect=0.00142))
    return Board(objective=UP, ideas=kept, trials=(*SEEDED, *by_seed("new", values)), incumbent="new")


def test_no_gain_is_claimed_that_every_pair_denies():
    """It lost on each of four seeds, three of them lucky ones: by means +0.01 and likely, by pairs 0.0033 behind."""
    found = claims(with_new({42: 0.83, 48: 0.84, 49: 0.85, 50: 0.8225}))
    assert (found.ideas[1].standing, found.campaign.standing) == (Standing.UNRESOLVED, Standing.UNRESOLVED)
    assert (found.campaign.effect, found.campaign.runs) == (pytest.approx(-0.01 / 3), 3)


def test_one_pair_that_agrees_leaves_a_claim_to_all_runs():
    """Pairs that say both count by the measured correlation: what lucky seeds add is theirs, and the rest is unclear."""
    found = claims(with_new({42: 0.837, 48: 0.84, 49: 0.8535, 50: 0.8225}))
    new = found.ideas[1]
    assert (new.standing, found.campaign.effect > 0) == (Standing.UNRESOLVED, True)
    assert new.low < 0 < new.high


def test_what_lucky_seeds_add_is_no_gain():
    """Three ideas that add nothing ran on seeds that make 0.2: alone it looks like a gain, beside the baseline not."""
    lucky = {1: 0.0, 2: 0.1, 3: -0.1, 7: 0.2}
    tree = {"root": ArmNode(values=lucky), "a": ArmNode(parent="root", values={7: 0.2})}
    tree |= {name: ArmNode(parent="root", values={7: 0.21}) for name in "bc"}
    apart, together = (worths(tree, 0.1, 0.2, rho)["a"].gain for rho in (0.0, 0.95))
    assert apart > 0.1
    assert abs(together) < 0.02


def test_a_drifts_interval_is_about_its_trend_or_about_what_ideas_scatter():
    """By hand: residuals 0.019 over 3 degrees; runs of one idea that differ by 0.2 add 0.02 with one degree more."""
    climb = climbing(1.0, 1.3, 1.4, 1.8, 1.9, gap=1)
    alone = drift(Board(objective=UP, trials=climb))
    assert (alone.slope, alone.total, alone.low, alone.high) == pytest.approx((0.23, 0.92, 0.6831, 1.1569), abs=1e-4)
    wild = (Trial(arm="a", seed=1, value=1.0, order=5), Trial(arm="a", seed=2, value=1.2, order=6))
    both = drift(Board(objective=UP, trials=(*climb, *wild)))
    assert (both.low, both.high) == pytest.approx((6 * 0.163433, 6 * 0.296567), abs=1e-4)


def test_without_a_prior_nothing_is_taken_off():
    """A prior of half the square of the error takes two thirds off, an endless one nothing."""
    told = Effect(0.3, 0.2, 5, 4, paired=False)
    assert doubt(told, INF)[0].gain == pytest.approx(0.3)
    assert doubt(told, 0.02)[0].gain == pytest.approx(0.1)


def test_against_a_baseline_without_runs_an_idea_is_worth_what_ideas_are():
    """Nothing is measured between them: the posterior is the prior, wide and about the centre."""
    found = worths({"root": ArmNode(), "a": ArmNode(parent="root", values={1: 5.0, 2: 5.0})}, 0.1, 1.0)["a"]
    assert abs(found.gain) < 1e-6
    assert found.error > 0.5


@pytest.mark.parametrize(("values", "said"), [((1.0, 1.0, 1.0), 1), ((1.0, 1.0), 0), ((1.0, 1.0, 1.1), 0)])
def test_three_seeds_of_one_number_say_that_the_seed_does_nothing(values, said):
    """Two may agree by chance where a metric is coarse."""
    told = Evidence(Board(objective=UP, trials=runs("baseline", *values))).seedless
    assert len(told) == said
    assert not said or "on 3 seeds" in told[0]


def test_an_idea_whose_seeds_differ_takes_back_that_the_seed_does_nothing():
    """The baseline has no chance in it, dropout has: its fresh seeds say something."""
    trials = (*runs("baseline", 1.0, 1.0, 1.0), *runs("dropout", 1.1, 0.9))
    assert Evidence(Board(objective=UP, trials=trials)).seedless == ()


def test_a_side_that_was_never_repeated_has_the_campaigns_noise_and_one_degree():
    """By hand: 0.04 / 1 with one degree, and residuals of 0.3 on either side of a mean: 0.18 / 2 with two."""
    told = _as_wide_as_its_sides(Effect(1.0, 0.01, 9, 3, paired=False), [((), 1), ((0.3, -0.3), 2)], 0.2)
    assert (told.error, told.freedom) == (
        pytest.approx((0.04 + 0.045) ** 0.5),
        round(0.085**2 / (0.04**2 + 0.045**2 / 2)),
    )


def test_ideas_are_taken_to_differ_by_half_a_noise_at_least():
    """However little was seen of them: the prior's variance is a quarter of the noise's."""
    flat = [idea(f"i{n}", status=DISCARD, effect=0.0) for n in range(20)]
    evidence = Evidence(board(ideas=tuple(flat)))
    assert effect_spread(evidence) == pytest.approx(0.25 * evidence.sigma**2)
