"""What a campaign may claim, how much it costs, and whether the machine drifted."""

import math
from dataclasses import replace

import pytest

from autoresearch.experiment.board import Board, Bundle, Idea, PolicySettings, TakenBack, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import Standing, claims
from autoresearch.verdict.drift import beside_drift, drift
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import BUILTIN, policy
from autoresearch.verdict.policies.composed import _for_pairs
from autoresearch.verdict.policies.run_costs import cost
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import run_campaign

UP = Objective("more", "val:accuracy")
BASE = tuple(
    Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=v, order=n)
    for n, v in enumerate((1.0, 1.1, 0.9))
)
KEPT = Verdict(status=Status.KEEP, reason="", value=2.0, effect=1.0, low=0.8, high=1.2, runs=1)


def kept(name, parent="baseline"):
    return Idea(name=name, parent=parent, verdict=KEPT)


def fresh(arm, value, purpose=Purpose.CONFIRM):
    wobble = (0.05, -0.05, 0.0)
    return tuple(
        Trial(arm=arm, seed=90 + n, purpose=purpose, value=value + w, order=20 + n) for n, w in enumerate(wobble)
    )


def test_a_gain_on_fresh_seeds_is_proven_and_printed_as_measured():
    """Three fresh pairs far apart prove the idea and the campaign; they chose nothing, so nothing is taken off."""
    trials = (*BASE, Trial(arm="a", seed=42, value=2.0), *fresh("a", 2.0), *fresh("baseline", 1.0))
    found = claims(Board(objective=UP, ideas=(kept("a"),), trials=trials, incumbent="a"))
    assert found.ideas[0].standing is Standing.PROVEN
    assert found.campaign.standing is Standing.PROVEN
    assert found.ideas[0].effect == found.campaign.effect == pytest.approx(1.0)
    assert 0 < found.false_chance < 0.05


@pytest.mark.parametrize("arm", ["a", "baseline"])
def test_what_only_the_runs_themselves_say_is_unverified_and_never_proven(arm):
    """One fresh number of either side that nothing else vouches for is enough; a draw that its code took back, too."""
    trials = (*BASE, Trial(arm="a", seed=42, value=2.0), *fresh("a", 2.0), *fresh("baseline", 1.0))
    board = Board(objective=UP, ideas=(kept("a"),), trials=trials, incumbent="a")
    alone = tuple(replace(run, unverified=run.arm == arm and run.seed == 91) for run in trials)
    for less in (replace(board, trials=alone), replace(board, taken_back=(TakenBack(arm, 1, 1),))):
        found = claims(less)
        assert {found.ideas[0].standing, found.campaign.standing} == {Standing.UNVERIFIED}
        assert (found.campaign.effect, found.false_chance) == (pytest.approx(1.0), 0)
    chosen = tuple(replace(run, unverified=run.seed == 42) for run in trials)
    assert claims(replace(board, trials=chosen)).campaign.standing is Standing.PROVEN


def test_code_of_an_ideas_own_is_proven_by_an_evaluation_or_a_person_alone():
    """Sources that agree are all written by the process that its code runs in; settings write none of them."""
    trials = (*BASE, Trial(arm="a", seed=42, value=2.0), *fresh("a", 2.0), *fresh("baseline", 1.0))
    board = Board(objective=UP, ideas=(replace(kept("a"), own_code=True),), trials=trials, incumbent="a")
    assert claims(board).campaign.standing is Standing.UNVERIFIED
    evaluated = replace(board, trials=tuple(replace(run, evaluated=True) for run in trials))
    looked_at = replace(board, ideas=(replace(board.ideas[0], vouched=True),))
    assert {claims(one).campaign.standing for one in (evaluated, looked_at)} == {Standing.PROVEN}


def test_a_baseline_without_noise_lends_none_to_what_was_kept():
    """All its runs end at the floor of the metric, those of the incumbent scatter: the interval is as wide as they do."""
    flat = tuple(replace(run, value=0.0) for run in (*BASE, *fresh("baseline", 0.0)))
    wild = tuple(replace(run, value=v) for run, v in zip(fresh("a", 0.0), (1.4, 0.2, 0.8), strict=True))
    trials = (*flat, Trial(arm="a", seed=42, value=1.0), *wild)
    whole = claims(Board(objective=UP, ideas=(kept("a"),), trials=trials, incumbent="a")).campaign
    assert whole.effect == pytest.approx(0.8)
    assert whole.low == pytest.approx(0.8 - 2.353 * 0.5 / math.sqrt(3), abs=0.01)


@pytest.mark.parametrize("stream", ["half", "small positive", "collapses"])
def test_printed_intervals_hold_the_truth_on_good_nights_too(stream):
    """Where most ideas help a little, and where runs collapse; of 40 nights a few more than 4 may be off by luck."""
    world = World(stream=STREAMS[stream], noise=1.0, runs=40, settings=PolicySettings(worth=1.0, confirm=0.15))
    nights = [run_campaign(policy("auto"), world, seed) for seed in range(40)]
    whole = [night.covered for night in nights if night.covered is not None]
    assert sum(whole) / len(whole) >= 0.8
    assert 0.84 <= sum(n.singles_covered for n in nights) / sum(n.singles for n in nights) <= 0.98


def test_a_kept_ideas_luck_is_not_held_against_the_next():
    """b ran a little below the lucky a: beside the baseline's runs and c's that says little, so it is not refuted."""
    tried = (Trial(arm="a", seed=42, value=1.6), Trial(arm="b", seed=42, value=1.4), Trial(arm="c", seed=42, value=1.5))
    lost = Verdict(status=Status.DISCARD, reason="", effect=-0.2, low=-0.4, high=-0.1, runs=1)
    ideas = (kept("a"), *(Idea(name=name, parent="a", verdict=lost) for name in "bc"))
    found = claims(Board(objective=UP, ideas=ideas, trials=(*BASE, *tried), incumbent="a"))
    assert [claim.standing for claim in found.ideas] == [Standing.LIKELY, Standing.UNRESOLVED, Standing.UNRESOLVED]
    assert found.ideas[1].effect > -0.2


def test_one_run_far_below_may_have_collapsed():
    """A single ruinous run does not say whether the idea or the run was bad: the interval reaches up to ordinary ideas."""
    lost = Verdict(status=Status.DISCARD, reason="", effect=-9.0, runs=1)
    once = (*BASE, Trial(arm="a", seed=42, value=-8.0))
    (alone,) = claims(Board(objective=UP, ideas=(Idea(name="a", parent="baseline", verdict=lost),), trials=once)).ideas
    twice = (*once, Trial(arm="a", seed=43, value=-8.1))
    (again,) = claims(Board(objective=UP, ideas=(Idea(name="a", parent="baseline", verdict=lost),), trials=twice)).ideas
    assert alone.high > 0 > again.high


def test_runs_that_chose_an_idea_never_prove_it():
    """However good the exploratory run, without fresh seeds an idea is at most likely."""
    found = claims(
        Board(objective=UP, ideas=(kept("a"),), trials=(*BASE, Trial(arm="a", seed=42, value=9.0)), incumbent="a")
    )
    assert found.ideas[0].standing is Standing.LIKELY
    assert found.false_chance == 0


def test_an_idea_is_proven_by_leaving_it_out():
    """Of two kept changes the one whose absence costs is proven, the one whose absence does not is not."""
    trials = (
        *BASE,
        *fresh("b", 2.0),
        *fresh("baseline", 1.0),
        *fresh("without-1", 1.0, Purpose.ABLATE),
        *fresh("without-2", 2.0, Purpose.ABLATE),
    )
    bundles = (Bundle("without-1", ("b",), "baseline"), Bundle("without-2", ("a",), "baseline"))
    board = Board(objective=UP, ideas=(kept("a"), kept("b", "a")), trials=trials, bundles=bundles, incumbent="b")
    standing = {claim.name: claim.standing for claim in claims(board).ideas}
    assert standing["a"] is Standing.PROVEN
    assert standing["b"] is not Standing.PROVEN


def test_a_clear_loss_is_refuted_and_nothing_known_is_unresolved():
    """A discard far below the baseline is refuted; a crash says nothing about the idea."""
    lost = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.DISCARD, reason="", value=0.1, effect=-0.9, low=-1.2, high=-0.6, runs=1),
    )
    failed = Idea(name="b", parent="baseline", verdict=Verdict(status=Status.CRASH, reason=""))
    found = claims(Board(objective=UP, ideas=(lost, failed), trials=(*BASE, Trial(arm="a", seed=42, value=0.1))))
    assert [claim.standing for claim in found.ideas] == [Standing.REFUTED, Standing.UNRESOLVED]


def test_direction_turns_with_the_objective():
    """A lower loss is a positive effect."""
    down = Objective("less", "val:loss", Direction.MINIMIZE)
    trials = (*BASE, *fresh("a", 0.2), *fresh("baseline", 1.0))
    found = claims(Board(objective=down, ideas=(kept("a"),), trials=trials, incumbent="a"))
    assert found.campaign.effect > 0
    assert found.campaign.standing is Standing.PROVEN


def test_drift_shows_on_repeats_of_one_arm():
    """A baseline that climbs through the campaign shows the slope, one that does not shows none."""
    climbing = tuple(Trial(arm="baseline", seed=n, value=n * 0.1 + 0.01 * (n % 2), order=10 * n) for n in range(6))
    found = drift(Board(objective=UP, trials=climbing))
    assert found.shown
    assert found.total == pytest.approx(0.5, abs=0.03)
    steady = tuple(replace(t, value=1.0 + 0.01 * (t.order % 20)) for t in climbing)
    assert not drift(Board(objective=UP, trials=steady)).shown
    assert drift(Board(objective=UP, trials=climbing[:2])) is None


def test_repeats_that_agree_by_chance_show_no_drift():
    """Six runs of the baseline that hug a small trend say little where every idea scatters ten times as much."""
    base = tuple(Trial(arm="baseline", seed=n, value=1 - 0.01 * n, order=10 * n) for n in range(6))
    ideas = tuple(Trial(arm=f"i{n}", seed=s, value=1 + 0.1 * s, order=10 * n + s) for n in range(6) for s in (0, 1))
    assert drift(Board(objective=UP, trials=base)).shown
    assert not drift(Board(objective=UP, trials=(*base, *ideas))).shown


def test_luck_that_wears_off_is_no_drift():
    """Arms repeated for a lucky first run fall back: that is selection, and says nothing about the machine."""
    base = tuple(Trial(arm="baseline", seed=n, value=1.0 + 0.01 * (n % 2), order=20 * n) for n in range(4))
    lucky = tuple(
        Trial(arm=f"i{n}", seed=seed, value=1.5 if seed == 0 else 1.0, order=10 * n + seed)
        for n in range(6)
        for seed in (0, 1)
    )
    assert not drift(Board(objective=UP, trials=(*base, *lucky))).shown
    assert drift(Board(objective=UP, trials=lucky)) is None


@pytest.mark.parametrize(("step", "said"), [(0.05, "good; not corrected for drift, by which"), (0.0, "good")])
def test_a_row_says_that_the_machine_drifted(step, said):
    """Once it is certain, and never otherwise, the reason of a measured verdict names how far the same code moved."""
    base = (Trial(arm="baseline", seed=n, value=1.0 + step * n + 0.001 * (n % 2), order=n) for n in range(8))
    judged = beside_drift(
        Verdict(status=Status.KEEP, reason="good", effect=0.1), Board(objective=UP, trials=tuple(base))
    )
    assert judged.reason.startswith(said)
    assert ("+0.35" in judged.reason) == bool(step)


@pytest.mark.parametrize("name", sorted(BUILTIN))
@pytest.mark.parametrize("experiments", [3, 12])
def test_a_campaign_costs_what_the_plan_said(name, experiments):
    """Simulated campaigns without a run budget spend between the least and the most that were announced."""
    said = cost(policy(name), experiments)
    world = World(runs=None, experiments=experiments, noise=1.5, settings=PolicySettings(worth=1.0))
    for seed in range(4):
        assert said.least <= run_campaign(policy(name), world, seed).runs <= said.most


def test_the_plan_counts_what_leaving_changes_out_may_cost():
    """With a run budget that holds more than the ideas want, a campaign still spends no more than was announced."""
    settings = PolicySettings(worth=1.0)
    said = cost(policy("greedy"), 6, settings, budgeted=True)
    spent = [run_campaign(policy("greedy"), World(runs=90, experiments=6, noise=0.5, settings=settings), seed).runs
             for seed in range(6)]  # fmt: skip
    assert max(spent) <= said.most
    assert max(spent) > cost(policy("greedy"), 6, settings).most


def test_validation_samples_bound_the_noise_from_below():
    """Two lucky equal baseline runs do not make noise zero: their answers differ, problem by problem."""
    one, two = (1.0, 0.0) * 50, (0.0, 1.0) * 50
    trials = (
        Trial(arm="baseline", seed=1, value=0.5, samples=one),
        Trial(arm="baseline", seed=2, value=0.5, samples=two),
    )
    noise = Evidence(Board(objective=UP, trials=trials)).sigma
    assert noise == pytest.approx(0.0711, abs=1e-3)
    assert Evidence(Board(objective=UP, trials=tuple(replace(t, value=5.0) for t in trials))).sigma == 0


def test_validations_of_other_prompts_are_not_paired():
    """As many samples of other prompts say nothing about one validation set; the reported errors stand in."""
    one, two = (1.0, 0.0) * 50, (0.0, 1.0) * 50
    trials = (
        Trial(arm="baseline", seed=1, value=0.5, samples=one, prompts="aime", standard_error=0.05),
        Trial(arm="baseline", seed=2, value=0.5, samples=two, prompts="math", standard_error=0.05),
    )
    assert Evidence(Board(objective=UP, trials=trials)).sigma == pytest.approx(0.05)
    same = tuple(replace(trial, prompts="aime") for trial in trials)
    assert Evidence(Board(objective=UP, trials=same)).sigma == pytest.approx(0.0711, abs=1e-3)


def test_the_smallest_visible_gain_is_where_the_interval_leaves_zero():
    """One run against four of the baseline, noise from those four: t(95 %, 3) times sigma times sqrt(1 + 1/4)."""
    trials = tuple(Trial(arm="baseline", seed=seed, value=value) for seed, value in enumerate((0.1, 0.2, 0.1, 0.2)))
    evidence = Evidence(Board(objective=UP, trials=trials))
    assert evidence.smallest("baseline") == pytest.approx(2.3534 * evidence.sigma * 1.25**0.5, rel=1e-4)
    assert Evidence(Board(objective=UP, trials=trials[:1])).smallest("baseline") is None


def test_a_cost_says_what_it_is_made_of():
    """Baseline, ideas, fresh seeds; with a budget also for leaving out everything that may be kept."""
    assert cost(policy("greedy"), 6).why == "baseline 1, ideas 6 to 6, fresh seeds 0 (nothing kept) to 6"
    assert cost(policy("greedy"), 6, budgeted=True).why == (
        "baseline 1, ideas 6 to 6, fresh seeds 0 (nothing kept) to 24 (everything kept)"
    )


def test_a_stop_rule_caps_what_ideas_may_cost():
    """At what they want it takes nothing, one below it does, and says so; below the least everything is spent."""
    wanted = cost(policy("greedy"), 6)
    assert (wanted.least, wanted.most) == (7, 13)
    assert cost(policy("greedy"), 6, most=13) == wanted
    assert cost(policy("greedy"), 6, most=12) == replace(wanted, most=12, why=f"{wanted.why}; the stop rule allows 12")
    assert cost(policy("greedy"), 6, most=7).least == cost(policy("greedy"), 6, most=7).most == 7


def test_three_pairs_are_the_least_proof():
    """Of three runs that chose, 15 % would be one fresh run; without a budget of runs a proof has six all the same."""
    trials = tuple(Trial(arm="baseline", seed=n, value=float(n), purpose=Purpose.BASELINE) for n in range(3))
    assert _for_pairs(Evidence(Board(objective=UP, trials=trials))) == 6
    assert _for_pairs(Evidence(Board(objective=UP, trials=trials, runs_total=10, runs_left=7))) == 6
