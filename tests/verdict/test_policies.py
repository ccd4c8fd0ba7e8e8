"""Promises every verdict policy keeps, whatever the board."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import PluginError
from autoresearch.experiment.board import (
    Board,
    Bundle,
    Combine,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
    Trial,
)
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import claims
from autoresearch.verdict.drift import drift
from autoresearch.verdict.policies import BUILTIN, policy

NAMES = sorted(BUILTIN)
UP = Objective("more", "val:accuracy")
DOWN = Objective("less", "val:loss", Direction.MINIMIZE)


def runs(arm, *values: float | None, purpose=Purpose.EXPLORE, seed=42, **rest: object):
    return tuple(
        Trial(
            arm=arm,
            seed=seed + n,
            purpose=purpose,
            value=v,
            order=n,
            note="" if v is not None else "out of memory",
            **rest,
        )
        for n, v in enumerate(values)
    )


def board(*ideas: Idea, trials=(), **rest: object):
    base = runs("baseline", 1.00, 1.02, 0.98, purpose=Purpose.BASELINE)
    return Board(objective=UP, ideas=ideas, trials=(*base, *trials), **rest)


names = st.sampled_from(["baseline", "a", "b", "c", "screen-1-1", "screen-1-2", "set-1", "merge-1", "stranger"])
numbers = st.one_of(st.none(), st.floats(allow_nan=False), st.sampled_from([0.0, -1.0, 1e-300, 1e300]))
verdicts = st.builds(
    Verdict,
    status=st.sampled_from(Status),
    reason=st.just("said"),
    effect=st.one_of(st.none(), st.floats(-5, 5)),
    low=st.one_of(st.none(), st.floats(-9, 0)),
    high=st.one_of(st.none(), st.floats(0, 9)),
    runs=st.integers(0, 4),
)
trials = st.builds(
    Trial,
    arm=names,
    seed=st.integers(42, 47),
    purpose=st.sampled_from(Purpose),
    pending=st.booleans(),
    value=numbers,
    standard_error=st.one_of(st.none(), st.floats(0, 1)),
    plumbing=st.booleans(),
    partial=st.booleans(),
    order=st.integers(0, 50),
)
ideas = st.builds(
    Idea,
    name=st.sampled_from(["a", "b", "c"]),
    parent=names,
    verdict=st.one_of(st.none(), verdicts),
    complexity=st.integers(-99, 99),
    simplifies=st.booleans(),
    unlocks=st.booleans(),
    keys=st.frozensets(st.sampled_from(["x", "y"])),
    seeds=st.one_of(st.none(), st.integers(1, 4)),
    broken=st.sampled_from(["", "breach"]),
    fatal=st.booleans(),
)
bundles = st.builds(
    Bundle,
    st.sampled_from(["screen-1-1", "screen-1-2", "set-1", "merge-1"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True).map(tuple),
    names,
    st.sampled_from(["", "both touch x"]),
)
limits = st.builds(
    PolicySettings,
    st.one_of(st.none(), st.floats(-1, 1)),
    st.integers(0, 8),
    st.floats(0, 1),
    st.one_of(st.none(), st.integers(0, 4)),
)
boards = st.builds(
    Board,
    objective=st.sampled_from([UP, DOWN]),
    settings=limits,
    ideas=st.lists(ideas, max_size=4, unique_by=lambda i: i.name).map(tuple),
    trials=st.lists(trials, max_size=14).map(tuple),
    bundles=st.lists(bundles, max_size=4, unique_by=lambda b: b.name).map(tuple),
    incumbent=names,
    may_explore=st.booleans(),
    runs_left=st.one_of(st.none(), st.integers(0, 40)),
    runs_total=st.one_of(st.none(), st.integers(0, 60)),
    no_more_ideas=st.booleans(),
)


@settings(max_examples=120, deadline=None)
@given(boards, st.sampled_from(NAMES))
def test_no_board_breaks_a_policy(any_board, name):
    """Whatever the board, a policy answers, the same twice, and never asks for a run that the budget refuses."""
    advice = policy(name).advise(any_board)
    assert policy(name).advise(any_board) == advice
    if isinstance(advice, Measure):
        assert any_board.runs_left is None or any_board.runs_left > 0
    if isinstance(advice, Settle):
        assert next(i for i in any_board.ideas if i.name == advice.idea).verdict is None
        assert "\n" not in advice.verdict.reason
    if isinstance(advice, Rest):
        assert any(trial.pending for trial in any_board.trials)


@settings(max_examples=80, deadline=None)
@given(boards)
def test_no_board_breaks_the_report(any_board):
    """Claims and drift exist for every board, and a stated chance is a probability."""
    found = claims(any_board)
    assert 0 <= found.false_chance <= 1
    drift(any_board)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(-8, 8)), min_size=1, max_size=4),
    st.sampled_from(NAMES),
    st.sampled_from([-4.0, 0.25, 1024.0]),
)
def test_direction_and_scale_do_not_matter(values, name, scale):
    """Minimising the same numbers turned over and stretched is judged the same."""
    found = [None if v is None else v / 4 for v in values]
    up = board(Idea(name="a", parent="baseline"), trials=runs("a", *found), may_explore=False)
    turned = tuple(replace(t, value=None if t.value is None else -abs(scale) * t.value) for t in up.trials)
    one, two = policy(name).advise(up), policy(name).advise(replace(up, objective=DOWN, trials=turned))
    assert type(one) is type(two)
    if isinstance(one, Settle):
        assert one.verdict.status is two.verdict.status


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_runs_first(name):
    """On an empty board the only thing to do is the baseline, on the campaign's first seed."""
    advice = policy(name).advise(Board(objective=UP, settings=PolicySettings(first_seed=7)))
    assert (advice.arm, advice.seed, advice.purpose) == ("baseline", 7, Purpose.BASELINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_that_crashes_twice_ends_the_campaign(name):
    """One crash of the baseline is retried; after two nothing can be judged, and the reason says why."""
    once = Board(objective=UP, trials=runs("baseline", None, purpose=Purpose.BASELINE))
    assert isinstance(policy(name).advise(once), Measure)
    twice = replace(once, trials=runs("baseline", None, None, purpose=Purpose.BASELINE))
    advice = policy(name).advise(twice)
    assert isinstance(advice, Done)
    assert "out of memory" in advice.why
    told = policy(name).advise(replace(twice, made_again=2))
    assert isinstance(told, Done)
    assert "after 4 runs" in told.why  # those that were made again count too


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("fatal", "status"), [(False, Status.CRASH), (True, Status.DISCARD)])
def test_a_failed_run_is_a_crash_unless_it_shows_the_idea_is_poor(name, fatal, status):
    """No valid metric is a crash (R112); a failure that shows a poor idea is a discard (R111)."""
    advice = policy(name).advise(board(Idea(name="a", parent="baseline", fatal=fatal), trials=runs("a", None)))
    assert advice.verdict.status is status
    assert "out of memory" in advice.verdict.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_plumbing_run_never_discards(name):
    """A run too small to judge by keeps its idea, moves nothing and says so (R113)."""
    advice = policy(name).advise(board(Idea(name="a", parent="baseline"), trials=runs("a", 0.1, plumbing=True)))
    assert advice.verdict.status is Status.KEEP
    assert advice.incumbent is None
    assert "too small" in advice.verdict.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_breach_is_settled_without_a_run(name):
    """An idea that can never run is a crash at once."""
    advice = policy(name).advise(board(Idea(name="a", parent="baseline", broken="it edits the reward")))
    assert advice.verdict.status is Status.CRASH
    assert "edits the reward" in advice.verdict.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_ended_early_while_the_baseline_did_not_is_discarded(name):
    """An overrun is a failure (R98), and its number is not compared."""
    advice = policy(name).advise(board(Idea(name="a", parent="baseline"), trials=runs("a", 9.0, partial=True)))
    assert advice.verdict.status is Status.DISCARD
    assert advice.verdict.effect is None


@pytest.mark.parametrize("name", ["greedy", "sequential", "auto"])
def test_a_clear_gain_moves_the_incumbent(name):
    """Far beyond the noise one run is enough; the row has effect, interval and runs."""
    advice = policy(name).advise(board(Idea(name="a", parent="baseline"), trials=runs("a", 2.0)))
    assert advice.verdict.status is Status.KEEP
    assert advice.incumbent == "a"
    assert advice.verdict.low < advice.verdict.effect < advice.verdict.high
    assert "over 1 run" in advice.verdict.reason


@pytest.mark.parametrize("name", ["greedy", "sequential", "strict", "auto"])
def test_a_flat_but_simpler_change_is_kept(name):
    """A tie goes to the simpler code (R106), and the reason says so; without that claim it is a discard."""
    simpler = policy(name).advise(board(Idea(name="a", parent="baseline", simplifies=True), trials=runs("a", 0.995)))
    assert simpler.verdict.status is Status.KEEP
    assert "simpler" in simpler.verdict.reason
    plain = policy(name).advise(board(Idea(name="a", parent="baseline"), trials=runs("a", 0.995)))
    assert plain.verdict.status is Status.DISCARD


@pytest.mark.parametrize("name", ["greedy", "sequential", "strict", "auto"])
def test_a_flat_change_that_later_ideas_need_is_kept(name):
    """A tie is kept where the idea says that others build on it (R107); a clear loss is not."""
    flat = policy(name).advise(board(Idea(name="a", parent="baseline", unlocks=True), trials=runs("a", 0.995)))
    assert flat.verdict.status is Status.KEEP
    assert "later ideas need it" in flat.verdict.reason
    worse = policy(name).advise(board(Idea(name="a", parent="baseline", unlocks=True), trials=runs("a", 0.0)))
    assert worse.verdict.status is Status.DISCARD


def test_complexity_needs_a_benefit():
    """Many added lines for less than the declared worth are discarded though the number is better (R110)."""
    long = board(
        Idea(name="a", parent="baseline", complexity=80), trials=runs("a", 1.03), settings=PolicySettings(worth=0.5)
    )
    advice = policy("greedy").advise(long)
    assert advice.verdict.status is Status.DISCARD
    assert "without a clear benefit" in advice.verdict.reason


def test_an_unstable_idea_needs_a_clear_gain():
    """One crash among its runs and no clear gain is a discard (R109)."""
    shaky = board(Idea(name="a", parent="baseline", seeds=2), trials=runs("a", None, 1.03, 1.02))
    advice = policy("sequential").advise(shaky)
    assert advice.verdict.status is Status.DISCARD
    assert "unstable" in advice.verdict.reason


def test_promising_ideas_repeat_on_the_incumbents_seeds():
    """A second run uses the baseline's second seed, so that the two pair."""
    close = board(Idea(name="a", parent="baseline"), trials=runs("a", 1.02))
    advice = policy("sequential").advise(close)
    assert (advice.arm, advice.seed, advice.purpose) == ("a", 43, Purpose.REPEAT)


def test_the_interim_line_pairs_seeds_as_the_verdict_will():
    """Where common seeds are known to move together, the reason for a second run says what they say."""
    lifts = (0.0, 0.3, -0.2, 0.5, -0.4)
    base = tuple(
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=1 + lift, order=n)
        for n, lift in enumerate(lifts)
    )
    lost = tuple(Trial(arm="x", seed=42 + n, value=0.5 + lift, order=9 + n) for n, lift in enumerate(lifts))
    done = Idea(
        name="x",
        parent="baseline",
        verdict=Verdict(status=Status.DISCARD, reason="", value=0.5, effect=-0.5, low=-0.6, high=-0.4, runs=5),
    )
    new = Trial(arm="a", seed=43, value=1.5, order=20)
    now = Board(objective=UP, settings=PolicySettings(max_runs=3), ideas=(done, Idea(name="a", parent="baseline")), trials=(*base, *lost, new), runs_left=60,
                runs_total=90, ideas_left=4)  # fmt: skip
    advice = policy("sequential").advise(now)
    assert (advice.arm, advice.purpose) == ("a", Purpose.REPEAT)
    assert "on common seeds" in advice.why


def test_a_candidate_of_an_old_incumbent_is_merged_before_it_counts():
    """When the incumbent moved meanwhile, a good idea is first put on top of it."""
    kept = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.KEEP, reason="", value=2.0, effect=1.0, low=0.9, high=1.1, runs=1),
    )
    moved = board(kept, Idea(name="b", parent="baseline"), trials=(*runs("a", 2.0), *runs("b", 1.9)), incumbent="a")
    advice = policy("greedy").advise(moved)
    assert isinstance(advice, Combine)
    assert (advice.ideas, advice.parent) == (("b",), "a")


def test_what_is_claimed_is_run_on_seeds_that_chose_nothing():
    """At the end incumbent and baseline share fresh seeds, and then the campaign is done."""
    kept = Idea(
        name="a",
        parent="baseline",
        verdict=Verdict(status=Status.KEEP, reason="", value=2.0, effect=1.0, low=0.9, high=1.1, runs=1),
    )
    ended = board(kept, trials=runs("a", 2.0), incumbent="a", may_explore=False)
    first = policy("sequential").advise(ended)
    assert (first.arm, first.purpose) == ("a", Purpose.CONFIRM)
    assert first.seed not in {t.seed for t in ended.trials}
    fresh = [
        Trial(arm=arm, seed=50 + n, purpose=Purpose.CONFIRM, value=2.0 - (arm != "a"))
        for n in range(3)
        for arm in ("a", "baseline")
    ]
    done = policy("sequential").advise(replace(ended, trials=(*ended.trials, *fresh)))
    assert isinstance(done, Done)
    whole = claims(replace(ended, trials=(*ended.trials, *fresh))).campaign
    assert f"proven, {whole.effect:+.3g} [{whole.low:+.3g}, {whole.high:+.3g}] on 3 fresh seeds" in done.why


def test_nothing_kept_is_nothing_to_confirm():
    """Without a keep a campaign ends without spending another run."""
    lost = Idea(name="a", parent="baseline", verdict=Verdict(status=Status.DISCARD, reason=""))
    assert isinstance(policy("auto").advise(board(lost, may_explore=False)), Done)


@pytest.mark.parametrize("name", ["greedy", "sequential", "strict", "auto"])
def test_the_oldest_open_idea_is_measured_before_a_new_one_is_asked_for(name):
    """With one slot or many no idea overtakes another: first runs come in the order of attempts."""
    waiting = board(
        Idea(name="a", parent="baseline"), Idea(name="b", parent="baseline"), Idea(name="c", parent="baseline")
    )
    first = policy(name).advise(waiting)
    assert (first.arm, first.purpose) == ("a", Purpose.EXPLORE)
    busy = replace(waiting, trials=(*waiting.trials, Trial(arm="a", seed=42, pending=True)))
    assert policy(name).advise(busy).arm == "b"


PLENTY = {"settings": PolicySettings(worth=0.02, max_runs=3), "runs_left": 60, "runs_total": 63, "ideas_left": 10}


def test_where_runs_are_plentiful_nothing_promising_is_kept_on_one_run():
    """Sixty runs for ten ideas: a gain of two standard errors gets the baseline's second and third seed first."""
    one = board(Idea(name="a", parent="baseline"), trials=runs("a", 1.06), **PLENTY)
    assert policy("auto").advise(one) == Measure("a", 43, Purpose.REPEAT, policy("auto").advise(one).why)
    two = board(Idea(name="a", parent="baseline"), trials=runs("a", 1.06, 1.05), **PLENTY)
    assert policy("auto").advise(two).seed == 44
    three = board(Idea(name="a", parent="baseline"), trials=runs("a", 1.06, 1.05, 1.07), **PLENTY)
    assert policy("auto").advise(three).verdict.status is Status.KEEP


def test_runs_that_no_idea_wants_leave_every_kept_change_out():
    """At the end of a small campaign each of three kept changes is left out on three fresh seeds."""
    verdict = Verdict(status=Status.KEEP, reason="", value=1.1, effect=0.1, low=0.05, high=0.15, runs=3)
    kept = tuple(Idea(name=n, parent=p, verdict=verdict) for n, p in (("a", "baseline"), ("b", "a"), ("c", "b")))
    now = board(*kept, trials=runs("c", 1.3), incumbent="c", **{**PLENTY, "ideas_left": 0, "may_explore": False})
    while not isinstance(advice := policy("auto").advise(now), Done):
        if isinstance(advice, Combine):
            now = replace(now, bundles=(*now.bundles, Bundle(advice.name, advice.ideas, advice.parent)))
        else:
            done = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, value=1.0, order=len(now.trials))
            now = replace(now, trials=(*now.trials, done), runs_left=now.runs_left - 1)
    ablated = [t.arm for t in now.trials if t.purpose is Purpose.ABLATE]
    assert sorted(ablated) == ["without-a"] * 3 + ["without-b"] * 3 + ["without-c"] * 3


def test_while_a_run_is_pending_there_is_other_work():
    """With slots to fill the policy asks for the next idea instead of resting."""
    waiting = board(Idea(name="a", parent="baseline"), trials=(Trial(arm="a", seed=42, pending=True),))
    assert isinstance(policy("sequential").advise(waiting), Propose)
    assert isinstance(policy("sequential").advise(replace(waiting, may_explore=False)), Rest)


@pytest.mark.parametrize(
    ("worth", "word"), [(0.5, "one run per idea"), (0.02, "one run per idea"), (0.005, "screening")]
)
def test_auto_says_which_way_and_why(worth, word):
    """Noise of 0.02 is quiet beside 0.5, loud beside 0.005; the request for an idea gives both numbers."""
    advice = policy("auto").advise(board(settings=PolicySettings(worth=worth)))
    assert isinstance(advice, Propose)
    assert word in advice.why
    assert word == "screening" or "0.02" in advice.why


def test_an_unknown_policy_is_refused_with_the_known_ones():
    """A misspelt name answers with every valid one."""
    with pytest.raises(PluginError, match="auto, doubles, greedy, screening, sequential, strict"):
        policy("gredy")
