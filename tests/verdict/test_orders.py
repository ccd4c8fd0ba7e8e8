"""Orders of work with rules made up for the test: what is done next does not depend on how ideas are judged."""

from dataclasses import dataclass, field, replace

import pytest
from tests.verdict.boards import BASE, board, idea, runs

from autoresearch.experiment.board import (
    Board,
    Bundle,
    Combine,
    Demote,
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
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy, run_costs
from autoresearch.verdict.policies.auto import at_first_look, choose
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.greedy import by_one_look
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time
from autoresearch.verdict.policies.screening import many_at_a_time
from autoresearch.verdict.policies.sequential import anchor, anchor_or_second_look, by_credited_gain, where_noise_is
from autoresearch.verdict.policies.strict import within_the_error
from autoresearch.verdict.simulated_world import World
from autoresearch.verdict.simulation import run_campaign

A, B = Idea(name="a", parent="baseline"), Idea(name="b", parent="baseline")
KEPT = Verdict(status=Status.KEEP, reason="", value=1.1, effect=0.1, low=0.05, high=0.15, runs=1)


def always_kept(evidence: Evidence, contest: Contest) -> Ruling | None:
    return Ruling(Status.KEEP, "as ever")


def never_sure(evidence: Evidence, contest: Contest) -> Ruling | None:
    return None


@dataclass
class Asked:
    """A rule that notes what it was asked."""

    contests: list[Contest] = field(default_factory=list)

    def __call__(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        self.contests.append(contest)
        return Ruling(Status.DISCARD, "noted")


def way(rule=never_sure, order=one_at_a_time, **more: object) -> WayOfJudging:
    return WayOfJudging(by="test", order=order, rule=rule, why="an idea, please", **more)


def next_of(shown: Board, rule=never_sure, order=one_at_a_time, **more: object):
    return order(Evidence(shown), way(rule, order, **more))


BOTH = pytest.mark.parametrize("order", [one_at_a_time, many_at_a_time])


@BOTH
def test_a_rule_may_ask_for_runs_up_to_the_most_and_then_it_is_a_discard(order):
    """A rule that is never sure gets the runs that the campaign file allows, on the reference's seeds; then no claim."""
    settings = PolicySettings(max_runs=2)
    one = board(*runs("a", 1.1), ideas=(A,), settings=settings, may_explore=False)
    again = next_of(one, order=order)
    assert (again.arm, again.seed, again.purpose) == ("a", 43, Purpose.REPEAT)
    two = replace(one, trials=(*one.trials, *runs("a", 1.1, seed=43)))
    assert next_of(two, order=order).verdict.reason.endswith("not distinguishable")


@BOTH
def test_what_a_rule_keeps_is_built_upon(order):
    """The kept idea becomes the incumbent, and its row says what the rule said, over what, and by whom."""
    advice = next_of(board(*runs("a", 1.1), ideas=(A,), may_explore=False), always_kept, order)
    assert (advice.idea, advice.incumbent, advice.verdict.by) == ("a", "a", "test")
    assert advice.verdict.reason.startswith("+0.1 [")
    assert advice.verdict.reason.endswith("as ever")


@BOTH
def test_the_rule_is_not_asked_what_numbers_cannot_decide(order):
    """A crash, a breach and a run too small to judge by are settled without it."""
    asked = Asked()
    for one, trials in (
        (A, runs("a", None)),
        (replace(A, broken="it edits the reward"), ()),
        (A, runs("a", 9.0, plumbing=True)),
    ):
        assert isinstance(next_of(board(*trials, ideas=(one,), may_explore=False), asked, order), Settle)
    assert asked.contests == []


def test_ideas_run_in_the_order_of_their_attempts_and_before_a_new_one_is_asked_for():
    """Each gets its first run on a seed of its parent; only then is somebody asked for another."""
    waiting = board(ideas=(A, B))
    assert [next_of(waiting).arm, next_of(waiting).seed, next_of(waiting).purpose] == ["a", 42, Purpose.EXPLORE]
    one = replace(waiting, trials=(*BASE, Trial(arm="a", seed=42, pending=True)))
    assert next_of(one).arm == "b"
    both = replace(one, trials=(*one.trials, Trial(arm="b", seed=42, pending=True)))
    assert next_of(both) == Propose("baseline", "an idea, please", free=True)


def test_a_verdict_that_is_due_comes_before_any_run():
    """A row is written at once, whatever else could be started."""
    assert isinstance(next_of(board(*runs("b", 1.1), ideas=(A, B)), always_kept), Settle)


def test_a_run_for_the_sake_of_others_comes_after_ideas_and_before_new_ones():
    """An anchor waits for open ideas, and is due before somebody is asked for the next."""
    due = Measure("baseline", 99, Purpose.ANCHOR)
    assert next_of(board(ideas=(A,)), aside=lambda _: due).arm == "a"
    assert next_of(board(), aside=lambda _: due) == due


def test_credit_is_taken_off_the_incumbent_only_where_the_way_says_so():
    """The bar is the incumbent's own mean, or that mean less what luck was in it."""
    seen = {}
    for credit in (True, False):
        asked = Asked()
        shown = board(
            *runs("a", 1.1), *runs("b", 1.1, seed=60), ideas=(replace(A, verdict=KEPT), replace(B, parent="a"))
        )
        next_of(replace(shown, incumbent="a"), asked, credit=credit)
        seen[credit] = asked.contests[0].effect.gain
    assert seen[False] == pytest.approx(0.0)
    assert 0.01 < seen[True] < 0.1


def test_an_idea_that_the_incumbent_left_behind_is_judged_on_top_of_it():
    """Good against its own parent, it is merged onto the incumbent, runs there, and only that is kept."""
    moved = board(*runs("a", 1.1), *runs("b", 1.1), ideas=(replace(A, verdict=KEPT), B), incumbent="a")
    merge = next_of(moved, always_kept)
    assert (type(merge), merge.ideas, merge.parent) == (Combine, ("b",), "a")
    made = replace(moved, bundles=(Bundle(merge.name, merge.ideas, merge.parent),))
    assert next_of(made, always_kept).arm == merge.name
    ran = replace(made, trials=(*made.trials, *runs(merge.name, 1.2)))
    assert next_of(ran, always_kept).incumbent == merge.name


def test_nobody_builds_on_what_its_own_further_runs_do_not_bear_out():
    """The incumbent is taken back before the next idea is asked for, and only then."""
    lucky = board(
        *runs("a", 1.1), *runs("a", 0.9, 0.9, seed=60, purpose=Purpose.ANCHOR), ideas=(replace(A, verdict=KEPT),)
    )
    lucky = replace(lucky, incumbent="a")
    assert (type(next_of(lucky)), next_of(lucky).incumbent) == (Demote, "baseline")
    assert next_of(replace(lucky, may_explore=False)) is None


def test_nothing_is_asked_for_that_cannot_be_judged():
    """No idea once the stop rule, the researchers or the runs kept for fresh seeds say no."""
    for no in ({"may_explore": False}, {"no_more_ideas": True}, {"runs_left": 4, "runs_total": 100}):
        kept = board(*runs("a", 1.3), ideas=(replace(A, verdict=KEPT),), incumbent="a", **no)
        assert next_of(kept) is None


def collected(count: int, **more: object) -> Board:
    ideas = tuple(idea(f"i{n}") for n in range(count))
    return board(ideas=ideas, **{"runs_left": 60, "runs_total": 63, **more})


def test_ideas_are_collected_before_they_are_bundled():
    """Ten wait for an eleventh; eleven are merged into the twelve rows of a design, one row after the other."""
    assert next_of(collected(10), order=many_at_a_time).why == "screening: collecting ideas for an array, 10 of 11"
    first = next_of(collected(11), order=many_at_a_time)
    assert (first.name, len(first.ideas), first.parent) == ("screen-1-1", 6, "baseline")


def test_a_bundled_idea_is_not_judged_by_itself():
    """The rule is for ideas that run alone; those of an array are told apart by all its rows."""
    now, asked = collected(3, may_explore=False), Asked()
    for _ in range(40):
        match advice := next_of(now, asked, many_at_a_time):
            case Combine():
                now = replace(now, bundles=(*now.bundles, Bundle(advice.name, advice.ideas, advice.parent)))
            case Measure():
                assert advice.purpose is Purpose.SCREEN
                held = next((b.ideas for b in now.bundles if b.name == advice.arm), ())
                value = 1.0 + sum(0.5 if name == "i0" else -0.2 for name in held)
                more = runs(advice.arm, value, seed=advice.seed, purpose=advice.purpose)
                now = replace(now, trials=(*now.trials, *more))
            case Settle():
                judged = (replace(i, verdict=advice.verdict) if i.name == advice.idea else i for i in now.ideas)
                now = replace(now, ideas=tuple(judged), incumbent=advice.incumbent or now.incumbent)
            case _:
                break
    assert {one.name: one.verdict.status.value for one in now.ideas} == {"i0": "keep", "i1": "discard", "i2": "discard"}
    assert now.incumbent == "set-1"
    assert asked.contests == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_ideas_for_an_array_are_worked_on_one_at_a_time(count):
    """With the same rule, the same aside and the same words."""
    few = collected(count, may_explore=False)
    assert next_of(few, order=many_at_a_time) == next_of(few)


@BOTH
@pytest.mark.parametrize(
    "rule", [always_kept, never_sure, by_one_look, within_the_error, by_credited_gain, at_first_look]
)
def test_any_rule_in_any_order_is_a_policy_that_ends(rule, order):
    """Also pairs that no built-in policy has come to Done within the budget, one run at a time or three."""
    made = Composed(name="test", choose=always(way(rule, order, aside=anchor)))
    for slots in (1, 3):
        assert run_campaign(made, World(runs=40, noise=1.5, slots=slots), 7).runs <= 40


def test_nothing_is_chosen_before_the_baseline_is_done():
    """The way of judging is asked for once its noise is known, and then once for each board."""
    asked: list[Evidence] = []
    made = Composed(name="test", choose=lambda seen: asked.append(seen) or way())
    assert made.advise(replace(board(), trials=BASE[:2])).purpose is Purpose.BASELINE
    assert asked == []
    made.advise(board(ideas=(A, B)))
    assert len(asked) == 1


def test_a_policy_ends_with_fresh_seeds_when_its_order_has_nothing_left():
    """None from an order is the end of exploring: open ideas are waited for, then claims are confirmed."""
    made = Composed(name="test", choose=always(way(order=lambda *_: None)))
    held = board(*runs("a", 1.1), ideas=(replace(A, verdict=KEPT),), incumbent="a")
    assert made.advise(held).purpose is Purpose.CONFIRM
    assert made.advise(replace(held, ideas=(A,), trials=(*held.trials, Trial(arm="a", seed=50, pending=True)))) == Rest(
        "waiting for runs of open ideas"
    )
    assert isinstance(made.advise(board()), Done)


@pytest.mark.parametrize(
    ("trials", "status", "reason"),
    [
        (runs("a", 1.1), Status.DISCARD, "no run is left in the budget to judge it"),
        (runs("a", 1.1, partial=True), Status.DISCARD, "no run is left in the budget to judge it"),
        ((), Status.CRASH, "the run budget ended before a run of it could be judged"),
    ],
)
def test_an_idea_that_no_order_can_bring_on_is_settled_all_the_same(trials, status, reason):
    """Every experiment has a row: a discard where something ran, a crash where nothing did."""
    made = Composed(name="test", choose=always(way(order=lambda *_: None)))
    advice = made.advise(board(*trials, ideas=(A, B)))
    assert (advice.idea, advice.verdict.status, advice.verdict.reason, advice.verdict.by) == (
        "a",
        status,
        reason,
        "test",
    )


@pytest.mark.parametrize(
    ("name", "experiments", "runs"),
    [
        ("greedy", 12, (12, 12)),
        ("strict", 12, (12, 96)),
        ("sequential", 12, (12, 37)),
        ("screening", 2, (2, 10)),
        ("screening", 3, (3, 19)),
        ("screening", 11, (11, 60)),
        ("auto", 14, (14, 79)),
        ("auto", 13, (13, 70)),
    ],
)
def test_a_policy_says_what_its_ideas_cost(name, experiments, runs):
    """At least and at most: one look each, three with anchors, or two arrays and then three looks each."""
    assert policy(name).exploring(experiments, PolicySettings()) == runs


@pytest.mark.parametrize(("name", "most"), [("greedy", 12), ("strict", 24), ("sequential", 24), ("auto", 52)])
def test_no_idea_costs_more_than_the_campaign_file_allows(name, most):
    """Two runs an idea: twelve ideas take 24 at most, and 28 more where they are bundled twice first."""
    assert policy(name).exploring(12, PolicySettings(max_runs=2)) == (12, most)


@pytest.mark.parametrize(
    ("worth", "more", "order", "rule", "aside"),
    [
        (None, {}, one_at_a_time, by_credited_gain, anchor_or_second_look),
        (0.05, {}, one_at_a_time, at_first_look, where_noise_is),
        (0.015, {}, one_at_a_time, at_first_look, anchor_or_second_look),
        (0.01, {}, many_at_a_time, by_credited_gain, anchor_or_second_look),
        (0.01, {"runs_left": 60, "ideas_left": 5}, one_at_a_time, by_credited_gain, anchor_or_second_look),
    ],
)
def test_auto_chooses_by_the_noise_beside_the_gain_worth_having(worth, more, order, rule, aside):
    """A noise of 0.02: unknown gains, quiet, quiet enough for one look, loud, loud but with runs for all."""
    chosen = choose(Evidence(board(settings=PolicySettings(worth=worth), **more)))
    assert (chosen.order, chosen.rule, chosen.aside) == (order, rule, aside)
    assert chosen.why.startswith("auto: ")


def test_auto_finishes_an_array_before_it_changes_its_mind():
    """Where noise turned out quiet, ideas of an array under way are still judged by it."""
    quiet = collected(3, settings=PolicySettings(worth=0.5))
    bundled = replace(quiet, bundles=(Bundle("screen-1-1", ("i0", "i1"), "baseline"),))
    assert choose(Evidence(quiet)).order is one_at_a_time
    assert choose(Evidence(bundled)).order is many_at_a_time


def test_a_policy_without_an_estimate_may_cost_all_that_the_campaign_file_allows():
    """A plan counts every run of every idea for a policy that does not say what it spends."""

    class Silent:
        name = "silent"

        def baseline_runs(self, settings: PolicySettings) -> int:
            return 2

        def advise(self, board: Board) -> Done:
            return Done()

    said = run_costs.cost(Silent(), 5, PolicySettings(max_runs=4, confirm=0.0))
    assert (said.least, said.most) == (7, 22)


@pytest.mark.parametrize(("near", "as_it_stands"), [
    ({}, True), ({"own_code": True}, False), ({"vouched": True}, False),
])  # fmt: skip
def test_what_is_built_on_a_near_miss_is_judged_as_it_stands(near, as_it_stands):
    """Against the best; on what waits for a person, or was turned down, its own change alone is put on the best first."""
    below = replace(idea("near", status=Status.DISCARD, effect=0.0), **near)
    now = board(
        *runs("near", 1.0), *runs("b", 1.3), ideas=(below, idea("b", "near")),
        settings=PolicySettings(holds=True), runs_left=20,
    )  # fmt: skip
    found = policy("greedy").advise(now)
    assert (type(found), found.ideas if isinstance(found, Combine) else found.incumbent) == (
        (Settle, "b") if as_it_stands else (Combine, ("b",))
    )
