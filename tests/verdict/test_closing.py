"""What is kept for fresh seeds, and that their own results do not decide how many there are."""

from dataclasses import replace

import pytest

from autoresearch.experiment.board import Board, Bundle, Done, Idea, Measure, PolicySettings, Propose, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Objective
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import BUILTIN, policy
from autoresearch.verdict.policies.composed import bundle_name
from autoresearch.verdict.policies.reserve import reserve
from autoresearch.verdict.simulated_world import Stream, World
from autoresearch.verdict.simulation import run_campaign


def found(gain: float, *, left: int = 50):
    """A campaign of a hundred runs with a noise of 0.1 that has kept one idea."""
    base = [
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=1 + 0.1 * (n - 1), order=n) for n in range(3)
    ]
    ours = [Trial(arm="a", seed=42 + n, value=1 + gain + 0.1 * (n - 1), order=3 + n) for n in range(3)]
    kept = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.KEEP, reason="", value=1 + gain, effect=gain, low=0.0, high=2 * gain, runs=3),
    )
    settings = PolicySettings(worth=0.1)
    return Board(
        objective=Objective("more", "score"),
        settings=settings,
        ideas=(kept,),
        trials=(*base, *ours),
        bundles=(),
        incumbent="a",
        may_explore=True,
        runs_left=left,
        runs_total=100,
    )


@pytest.mark.parametrize(("gain", "runs"), [(1.0, 4), (0.25, 12), (0.01, 0)])
def test_what_is_kept_for_the_end_is_what_the_proof_needs(gain, runs):
    """A large gain needs two pairs, a smaller one more; what no proof could show gets none."""
    assert reserve(Evidence(found(gain))) == runs


def test_runs_that_can_prove_nothing_go_into_ideas():
    """With nothing kept, or a gain lost in the noise, the last run still tries an idea."""
    nothing = replace(found(1.0, left=1), incumbent="baseline")
    assert isinstance(policy("auto").advise(nothing), Propose)
    assert isinstance(policy("auto").advise(found(0.01, left=1)), Propose)


def test_a_proof_that_has_begun_is_not_broken_off_for_an_idea():
    """One fresh run of the four is made: the three that are left stay with it, however unlucky it was."""
    fresh = Trial(arm="a", seed=90, purpose=Purpose.CONFIRM, value=1.0, order=6)
    now = found(1.0, left=3)
    assert policy("auto").advise(replace(now, trials=(*now.trials, fresh))).purpose is Purpose.CONFIRM


def test_ideas_go_on_until_only_the_proof_fits():
    """With five runs left and four wanted for the end there is one more idea; with four there is none."""
    assert isinstance(policy("auto").advise(found(1.0, left=5)), Propose)
    assert policy("auto").advise(found(1.0, left=4)).purpose is Purpose.CONFIRM


def test_fresh_runs_do_not_decide_how_many_follow():
    """Pairs are counted by what the search saw: a lucky first pair ends no look at the others, an unlucky buys none."""

    def pairs(luck: float) -> int:
        now = replace(found(0.25, left=12), may_explore=False)
        while isinstance(advice := policy("auto").advise(now), Measure):
            value = 1.0 + luck * (advice.arm == "a")
            done = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, value=value, order=len(now.trials))
            now = replace(now, trials=(*now.trials, done), runs_left=now.runs_left - 1)
        assert isinstance(advice, Done)
        return sum(trial.purpose is Purpose.CONFIRM for trial in now.trials)

    assert pairs(5.0) == pairs(0.25) == pairs(-5.0)


def test_a_new_bundle_has_a_name_that_nothing_has():
    """The next number is passed over where a bundle, or an idea of a person, bears it."""
    made = Bundle(name="without-2", ideas=("a",), parent="baseline")
    assert bundle_name(Evidence(replace(found(1.0), bundles=(made,))), "without") == "without-3"
    assert bundle_name(Evidence(replace(found(1.0), bundles=(made,))), "merge") == "merge-2"
    assert bundle_name(Evidence(found(1.0)), "without") == "without-1"


@pytest.mark.parametrize("name", sorted(set(BUILTIN) - {"greedy", "screening"}))
@pytest.mark.parametrize("runs", [None, 60])
def test_where_no_seed_changes_a_number_each_idea_runs_once_and_the_best_once_more(name, runs):
    """Three baseline runs show it; whatever the budget holds, the rest of the seeds would give the same again.

    `auto` makes sure of it at the first idea that it keeps: a baseline at the floor of its metric looks the same.
    """
    world = World(stream=Stream(effects=(1.0, -1.0, 0.0), crash=0.0), noise=0.0, runs=runs, experiments=6)
    night = run_campaign(policy(name), world, seed=3)
    kept = night.keeps if night.keeps > 1 else 0
    made = night.runs - (name in {"auto", "doubles"})
    assert made in (3 + 6 + 1, 3 + 6 + 1 + kept)
    assert night.claimed
    assert not night.false_claim


def test_a_baseline_at_the_floor_does_not_stand_for_what_was_kept():
    """It gives one number whatever the seed; the best one's fresh seed gives another, so its noise is measured on."""
    floor = tuple(Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=0.0, order=n) for n in range(3))
    ours = Trial(arm="a", seed=42, value=0.4, order=3)
    kept = Idea(name="a", parent="baseline", verdict=Verdict(status=Status.KEEP, reason="", effect=0.4, runs=1))
    now = replace(found(1.0, left=12), ideas=(kept,), trials=(*floor, ours), may_explore=False, runs_total=24)
    first = policy("auto").advise(now)
    assert (first.arm, first.purpose) == ("a", Purpose.CONFIRM)
    seen = [Trial(arm="a", seed=first.seed, purpose=Purpose.CONFIRM, value=value, order=4) for value in (0.4, 0.1)]
    same, other = (policy("auto").advise(replace(now, trials=(*now.trials, one))) for one in seen)
    assert (type(same), same.why) == (Done, "a against the baseline: measured, +0.4, the same on each seed")
    assert (other.arm, other.purpose) == ("baseline", Purpose.CONFIRM)


@pytest.mark.parametrize(
    ("base", "again", "most", "looks"),
    [
        ((0.0, 0.0, 0.0), None, 8, 1),
        ((0.0, 0.0, 0.0), 0.4, 8, 0),
        ((0.0, 0.0, 0.0), 0.3, 8, 1),
        ((0.0, 0.0, 0.0), None, 1, 0),
        ((0.0, 0.01, 0.0), None, 8, 0),
    ],
)
def test_noise_is_measured_at_an_incumbent_where_the_baseline_shows_none(base, again, most, looks):
    """The first one runs twice; should the two differ, each one after it does, and none where they are alike."""
    floor = tuple(
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=v, order=n) for n, v in enumerate(base)
    )
    trials = [*floor, Trial(arm="a", seed=42, value=0.4, order=3), Trial(arm="b", seed=42, value=0.8, order=5)]
    if again is not None:
        trials.insert(4, Trial(arm="a", seed=50, purpose=Purpose.ANCHOR, value=again, order=4))
    kept = [Verdict(status=Status.KEEP, reason="", effect=0.4, runs=1) for _ in "ab"]
    ideas = (Idea(name="a", parent="baseline", verdict=kept[0]), Idea(name="b", parent="a", verdict=kept[1]))
    now = replace(
        found(1.0), ideas=ideas, trials=tuple(trials), incumbent="b", settings=PolicySettings(worth=0.1, max_runs=most)
    )
    said = policy("auto").advise(now)
    assert (isinstance(said, Measure) and (said.arm, said.purpose) == ("b", Purpose.ANCHOR)) == bool(looks)
    assert looks or isinstance(said, Propose)


def test_a_kept_change_says_how_far_one_run_goes():
    """No seed matters, the noise of one run is passed, or several runs agree: three different things."""
    base = found(1.0).trials[:3]
    same = tuple(replace(one, value=1.0) for one in base)
    said = []
    for known, values in ((same, (2.0,)), (base, (2.0,)), (base, (2.0, 2.1))):
        runs = tuple(Trial(arm="a", seed=42 + n, value=value, order=3) for n, value in enumerate(values))
        asked = Idea(name="a", parent="baseline", seeds=len(values))
        now = replace(found(1.0), ideas=(asked,), trials=(*known, *runs), incumbent="baseline")
        said.append(policy("sequential").advise(now).verdict.reason.partition(", ")[::2])
    assert said[0] == ("+1 (no scatter) over 1 run", "better, and no seed has changed a number")
    assert said[1][1].endswith("over 1 run, better by more than the noise, on one run")
    assert said[2][1].endswith("over 2 runs, clearly better")
