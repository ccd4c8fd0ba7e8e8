"""When the machine is suspected, what is done meanwhile, and what ends it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.scheduling.test_next_move import CAMPAIGN, NO_LIMIT, OBJECTIVE, committed, planned

from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment import events as happened
from autoresearch.experiment.board import Measure, TakenBack
from autoresearch.experiment.history import fold
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.ending import Ending, Follows, Who
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion, Measurement
from autoresearch.scheduling import next_move as moves
from autoresearch.scheduling.exploration import bad_nodes, breaker, came_far_enough, on_its_seed, resting, taken_from
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.policies import policy

NO_GPU = Ending(what="no-gpu", who=Who.ENVIRONMENT, evidence="none", source="log", follows=Follows.AGAIN, tries=2)
ODD = Ending(what="unhandled-error", who=Who.UNKNOWN, evidence="odd", source="log")
KILLED = Ending(what="killed", who=Who.OPERATOR, evidence="KILL", source="supervisor", follows=Follows.AGAIN, tries=1)
KEPT = Verdict(status=Status.KEEP, reason="the unmodified recipe", value=0.5, runs=1)


def ran(name, number, at, ending=None, purpose=Purpose.EXPLORE):
    plan, *begun = planned(name, number, at)
    value = None if ending else 0.5
    state = JobState.FAILED if ending else JobState.SUCCEEDED
    found = Measurement(metric="score", value=value, completion=Completion.CRASHED if ending else Completion.DONE)
    return [
        happened.RunPlanned(**{**vars(plan), "purpose": purpose}),
        *begun,
        happened.RunEnded(at + 1, plan.run_id, JobStatus(state=state)),
        happened.RunMeasured(at + 1, plan.run_id, found, ending),
    ]


BEGIN = [
    *committed(1, "baseline"), *ran("baseline", 1, 10),
    happened.ExperimentJudged(at=12, name="baseline", verdict=KEPT, row={}),
    *committed(2, "a"), *committed(3, "b"), *committed(4, "c"),
]  # fmt: skip


@pytest.mark.parametrize(("ends", "opens"), [
    ([("a", NO_GPU)], False), ([("a", NO_GPU)] * 3, False), ([("a", NO_GPU), ("b", NO_GPU)], True),
    ([("baseline", NO_GPU)] * 2, True), ([("baseline", NO_GPU), ("a", NO_GPU)], True), ([("a", NO_GPU)] * 2 + [("b", NO_GPU)], True),
    ([("a", NO_GPU), ("b", None), ("b", NO_GPU)], False), ([("a", KILLED), ("b", KILLED), ("c", KILLED)], False),
    ([("a", ODD), ("b", ODD)], False), ([("a", ODD), ("b", ODD), ("c", ODD)], True), ([("a", ODD), ("a", ODD), ("a", ODD)], False),
])  # fmt: skip
def test_like_failures_in_a_row_open_it(ends, opens):
    """The machine's cause with two ideas or the incumbent, one nobody explains with three; a number is a good sign."""
    events = [event for at, (name, end) in enumerate(ends) for event in ran(name, at + 2, 20 + 10 * at, end)]
    assert (breaker(fold([*BEGIN, *events])) is not None) is opens


def test_one_idea_under_several_names_does_not_open_it():
    """A merge that holds it and an idea built on it bring its fault along; with the other half alone it is no longer one."""
    merged = happened.BundleMade(
        at=25, name="merge-1", ideas=("a", "b"), parent="baseline", branch="x/m", commit="1" * 40
    )
    own = [*BEGIN, *ran("a", 1, 20, NO_GPU), merged, *ran("merge-1", 1, 30, NO_GPU)]
    assert breaker(fold(own)) is None
    assert breaker(fold([*own, *ran("c", 1, 40, NO_GPU)])) is not None


SICK = [*ran("a", 1, 20, NO_GPU), *ran("b", 1, 30, NO_GPU)]


def move(events, now, limits=NO_LIMIT):
    history = fold(events)
    view = outlook(history, CAMPAIGN, limits, OBJECTIVE, now)
    return moves.next_move(history, CAMPAIGN, policy("greedy"), OBJECTIVE, view)


def test_while_it_is_open_only_the_canary_is_sent_and_ever_more_rarely():
    """At once, then after five seconds, then after ten, from the end of the last one."""
    found = move([*BEGIN, *SICK], 31)
    assert (found.arm, found.seed, found.purpose) == ("baseline", 42, Purpose.CANARY)
    first = [*BEGIN, *SICK, *ran("baseline", 2, 40, NO_GPU, Purpose.CANARY)]
    assert isinstance(move(first, 45.9), moves.Wait)
    assert move(first, 46).purpose is Purpose.CANARY
    second = [*first, *ran("baseline", 3, 50, ODD, Purpose.CANARY)]
    assert isinstance(move(second, 60.9), moves.Wait)
    assert move(second, 61).purpose is Purpose.CANARY


def test_a_canary_that_gives_its_number_closes_it_and_the_idea_is_run_again():
    """Its number judges nothing: the baseline still has one run."""
    events = [*BEGIN, *SICK, *ran("baseline", 2, 40, None, Purpose.CANARY)]
    history = fold(events)
    assert breaker(history) is None
    assert history.runs_behind("baseline") == 1
    found = move(events, 50)
    assert (found.arm, found.purpose) == ("a", Purpose.EXPLORE)


def test_it_says_so_in_one_sentence():
    """With how often and the newest evidence."""
    events = [*BEGIN, *SICK, *ran("baseline", 2, 40, NO_GPU, Purpose.CANARY)]
    told = breaker(fold(events)).sentence
    assert told.startswith("the machine is suspected, no idea is run: 2 runs in a row, and 1 of the incumbent")
    assert told.endswith("environment: no-gpu: none")


LATE = Ending(what="timed-out", who=Who.IDEA, evidence="30 s", source="supervisor")


def test_rows_that_ended_as_the_incumbent_does_since_are_named():
    """They stay as they are, for an attempt has one row and counts; a person is told which to look at again."""
    crash = Verdict(status=Status.CRASH, reason="timed out", value=None, runs=1)
    written = [*ran("a", 1, 20, LATE), happened.ExperimentJudged(at=22, name="a", verdict=crash, row={})]
    events = [*BEGIN, *written, *ran("b", 1, 30, OWN), *ran("baseline", 2, 40, LATE, Purpose.CANARY)]
    assert "In doubt, for the same end: row 2;" in breaker(fold(events)).sentence
    other = [*BEGIN, *written, *ran("b", 1, 30, OWN), *ran("baseline", 2, 40, NO_GPU, Purpose.CANARY)]
    assert "In doubt" not in breaker(fold(other)).sentence


ONE = [*committed(1, "baseline"), *ran("baseline", 1, 10),
       happened.ExperimentJudged(at=12, name="baseline", verdict=KEPT, row={}), *committed(2, "a")]  # fmt: skip
TWICE = Ending(what="unhandled-error", who=Who.UNKNOWN, evidence="odd", source="log", follows=Follows.AGAIN, tries=1)
TAKEN = Ending(what="preempted", who=Who.SITE, evidence="x", source="launcher", follows=Follows.AGAIN, tries=2)
OWN = Ending(what="unhandled-error", who=Who.IDEA, evidence="odd", source="log", doubtful=True)
SLIP = Ending(what="trivial-code-error", who=Who.IDEA, evidence="SyntaxError", source="log")
SURE = [*ran("baseline", 2, 40, None, Purpose.CANARY)]
ILL = [*ran("baseline", 2, 40, ODD, Purpose.CANARY)]


@pytest.mark.parametrize("ends", [[TWICE, TWICE], [TAKEN, TAKEN, TAKEN], [OWN]])
def test_before_a_row_without_a_number_the_machine_is_looked_at(ends):
    """Ends that a sick machine may have made cost a canary first; one that is well lets the row be written."""
    fell = [event for n, end in enumerate(ends, 1) for event in ran("a", n, 20 + 5 * n, end)]
    found = move([*ONE, *fell], 38)
    assert (found.arm, found.purpose) == ("baseline", Purpose.CANARY)
    found = move([*ONE, *fell, *SURE], 42)
    assert (found.experiment, found.verdict.status, found.verdict.value) == ("a", Status.CRASH, None)


def test_a_slip_of_its_own_needs_no_look_at_the_machine():
    """A syntax error in the idea's own code is nobody else's."""
    assert isinstance(move([*ONE, *ran("a", 1, 20, SLIP)], 30), moves.Judge)


@pytest.mark.parametrize("ends", [[TWICE, TWICE], [OWN]])
def test_what_fell_into_an_outage_is_run_again_as_if_it_had_not_been(ends):
    """However it looked; no row says anything of it, and after the third outage it counts."""
    fell = [event for n, end in enumerate(ends, 1) for event in ran("a", n, 20 + 5 * n, end)]
    found = move([*ONE, *fell, *ILL, *ran("baseline", 3, 50, None, Purpose.CANARY)], 60)
    assert (found.arm, found.purpose) == ("a", Purpose.EXPLORE)
    events = [*ONE]
    for turn in range(3):
        at = 100 * turn
        events += [event for n, end in enumerate(ends, 1) for event in ran("a", 10 * turn + n, at + 20 + 5 * n, end)]
        events += ran("baseline", 10 * turn + 2, at + 40, ODD, Purpose.CANARY)
        events += ran("baseline", 10 * turn + 3, at + 50, None, Purpose.CANARY)
    assert isinstance(move(events, 300), moves.Judge)


def test_what_the_budget_left_without_a_run_that_counts_stays_open():
    """It is no crash: neither never run, nor ill-fated when nobody knows whether the machine was well."""
    spent = StopLimits(started_at=0.0, campaign_deadline=60.0, per_experiment_timeout=20.0)
    for fell in (
        [],
        ran("a", 1, 20, NO_GPU),
        [*ran("a", 1, 20, OWN), *ILL],
        [*ran("a", 1, 20, TWICE), *ran("a", 2, 30, TWICE)],
    ):
        found = move([*ONE, *fell], 59, spent)
        assert isinstance(found, moves.Stop)
        assert "1 idea unspent, for no run of theirs counts: a" in found.reason
    assert isinstance(move([*ONE, *ran("a", 1, 20, SLIP)], 59, spent), moves.Judge)


def test_a_run_that_was_taken_away_rests_before_it_is_made_again():
    """Five seconds, then thirty; other ideas go on meanwhile, and a sign that the machine is well ends the rest."""
    first = [*ONE, *ran("a", 1, 20, KILLED)]
    assert isinstance(move(first, 25), moves.Explore)
    assert (move(first, 26).arm, move(first, 26).purpose) == ("a", Purpose.EXPLORE)
    exhausted = [*first, happened.ExperimentOpened(at=21, index=3, parent="baseline", parent_commit="0" * 40),
                 happened.ExperimentAbandoned(21, 3, "no more", exhausted=True)]  # fmt: skip
    found = move(exhausted, 22)
    assert found == moves.Wait("a is run again in 4s: operator: killed: KILL")
    assert resting(fold(first), 25)[0].until == 26
    assert not resting(fold([*first, *SURE]), 25)
    twice = [*first, *ran("a", 2, 30, NO_GPU)]
    assert resting(fold(twice), 35)[0].until == 61


def test_a_canary_is_ended_as_soon_as_it_has_shown_enough():
    """A step, and some seconds more than what fell; without steps it has to outlive that by far."""
    sick = fold([*BEGIN, *SICK])
    assert not came_far_enough(sick, 10.0, 3)
    assert came_far_enough(sick, 17.0, 1).startswith("the machine is well: the incumbent made a step")
    assert not came_far_enough(sick, 100.0, 0)
    assert came_far_enough(sick, 200.0, 0).startswith("the machine is well: the incumbent still ran after 3m")


def run_on(at, node, who=None):
    """A settled run on a node; without `who` it gave a number."""
    ending = who and Ending(what="launch-failed", who=who, evidence="Prolog", source="launcher")
    ended = SimpleNamespace(at=at, status=SimpleNamespace(node=node))
    return SimpleNamespace(settled=True, ended=ended, ending=ending)


@pytest.mark.parametrize(
    ("runs", "left_out"),
    [
        ([run_on(1, "n1", Who.NODE)], []),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n1", Who.NODE)], ["n1"]),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n1"), run_on(3, "n1", Who.NODE)], []),
        ([run_on(1, "n1", Who.NODE), run_on(2, "n2"), run_on(3, "n1", Who.NODE)], ["n1"]),
        ([run_on(1, "n1", Who.IDEA), run_on(2, "n1", Who.IDEA)], []),
        ([run_on(1, "n[1-2]", Who.NODE), run_on(2, "n[1-2]", Who.NODE)], []),
        ([run_on(1, "", Who.NODE), run_on(2, "", Who.NODE)], []),
    ],
)
def test_a_node_is_left_out_after_two_failures_in_a_row(runs, left_out):
    """Only the node's own doing counts, a number on it clears it, and several nodes at once accuse none."""
    assert list(bad_nodes(runs)) == left_out


OWN_WORD = Ending(
    what="no-gpu", who=Who.UNKNOWN, evidence="x", source="log", follows=Follows.AGAIN, tries=2, own_word=True
)


def test_a_run_that_is_made_again_keeps_its_seed():
    """Whatever seed a policy asks for next: the lost draw is owed first, once, and for its own purpose."""
    history = fold([*ONE, *ran("a", 1, 20, OWN_WORD)])
    seed = history.runs_of("a")[0].planned.seed
    asked = Measure("a", seed + 5, Purpose.EXPLORE)
    assert on_its_seed(history, asked) == replace(asked, seed=seed)
    assert on_its_seed(history, replace(asked, purpose=Purpose.CONFIRM)).seed == seed + 5
    assert on_its_seed(fold([*ONE, *ran("a", 1, 20, OWN_WORD), *ran("a", 2, 30)]), asked) == asked
    assert on_its_seed(fold([*ONE, *ran("a", 1, 20, SLIP)]), asked) == asked


def test_what_a_run_took_back_is_counted_also_when_it_was_made_again():
    """By arm, with how many ran an idea's own code; what fell into an outage is not."""
    events = [*ONE, *ran("a", 1, 20, OWN_WORD), *ran("a", 2, 30, OWN_WORD), *ran("a", 3, 40)]
    assert taken_from(fold(events)) == (TakenBack("a", 2, 2),)
    assert taken_from(fold([*ONE, *ran("a", 1, 20, NO_GPU)])) == (TakenBack("a", 1, 0),)
    assert taken_from(fold([*ONE, *ran("a", 1, 20, OWN_WORD), *ILL])) == ()
    assert taken_from(fold([*ONE, *ran("a", 1, 20, TAKEN)])) == ()
