"""What the loop does for one experiment that is driven by hand, from a history made by hand."""

from dataclasses import replace

import pytest
from tests.scheduling.test_next_move import BASELINE, CAMPAIGN, NO_LIMIT, OBJECTIVE, committed, planned, ran

from autoresearch.experiment import events as happened
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Status
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.scheduling import next_move as moves
from autoresearch.scheduling.by_hand import Dropping, Errand
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.policies import policy

TRIVIAL = (Symptom("trivial-code-error", Severity.FATAL, "NameError: lr"),)


def opened(index, name):
    """Opened by hand, not handed in."""
    branch, idea = f"autoresearch/c/{name}", Hypothesis(title=name, source="hand")
    return [
        happened.ExperimentOpened(
            at=index,
            index=index,
            parent="baseline",
            parent_commit="0" * 40,
            by="ada",
            name=name,
            branch=branch,
            hypothesis=idea,
        )
    ]


def driven(index, name):
    """Handed in."""
    return [*opened(index, name), committed(index, name)[1]]


def move(events, chooser, campaign=CAMPAIGN, limits=NO_LIMIT, now=5000.0):
    history = fold(events)
    view = outlook(history, campaign, limits, OBJECTIVE, now, None)
    return chooser(history, campaign, policy(campaign.verdict.policy), OBJECTIVE, view)


def campaign_of(name):
    return CAMPAIGN.model_copy(update={"verdict": CAMPAIGN.verdict.model_copy(update={"policy": name})})


def test_an_experiment_open_by_hand_is_left_alone_and_counted():
    """A plain run asks its researchers for another idea; the attempt counts against the stop rule."""
    events = [*BASELINE, *opened(2, "mine")]
    assert isinstance(move(events, next_move.next_move), moves.Explore)
    limits = replace(NO_LIMIT, target_experiment_count=2)
    assert isinstance(move(events, next_move.next_move, limits=limits), moves.Stop)


def test_the_baseline_runs_first():
    """Handed in before there is a number to compare with: the next run is the baseline's (R53)."""
    found = move([*committed(1, "baseline"), *driven(2, "mine")], Errand(2))
    assert (type(found), found.arm) == (moves.Launch, "baseline")


@pytest.mark.parametrize("name", ["greedy", "sequential", "strict", "screening", "auto"])
def test_every_policy_runs_it_without_asking_for_another_idea(name):
    """Also one that would rather collect ideas for an array."""
    baseline = [event for number in (1, 2, 3) for event in ran("baseline", 0.5 + number / 100, number)]
    events = [*committed(1, "baseline"), *baseline, BASELINE[-1], *driven(2, "mine")]
    assert isinstance(found := move(events, Errand(2), campaign_of(name)), moves.Launch), found
    assert found.arm == "mine"


def test_a_run_ends_where_the_policy_would_judge_and_only_judging_judges():
    """The verdict is the policy's, and a verb of its own."""
    events = [*BASELINE, *driven(2, "mine"), *ran("mine", 0.7, at=5000)]
    assert move(events, Errand(2)) == moves.Stop("experiment 2 is ready to be judged", final=False)
    found = move(events, Errand(2, judge=True))
    assert (found.experiment, found.verdict.status, found.verdict.by) == ("mine", Status.KEEP, "greedy")


def test_nothing_is_judged_without_a_run_or_while_one_is_in_flight():
    """The answer says what the policy wants first."""
    assert "asks for another run of mine" in move([*BASELINE, *driven(2, "mine")], Errand(2, judge=True)).reason
    flying = [*BASELINE, *driven(2, "mine"), *planned("mine", at=5000)]
    assert "has to wait" in move(flying, Errand(2, judge=True)).reason


def test_a_trivial_crash_waits_for_a_hand_and_takes_the_fix_of_that_hand():
    """Mended in its worktree it is repaired; a plain run, which has nobody to ask, does not wait."""
    events = [*BASELINE, *driven(2, "mine"), *ran("mine", None, at=5000, symptoms=TRIVIAL)]
    assert "NameError: lr" in move(events, Errand(2)).reason
    assert move(events, Errand(2, mended=True)) == moves.Repair("mine", "NameError: lr", by_hand=True)
    assert move(events, next_move.next_move) == moves.Repair("mine", "NameError: lr")


def test_an_errand_never_ends_the_campaign():
    """Whatever the reason of a stop: the campaign's end is not a caller's."""
    crashed = [*committed(1, "baseline"), *driven(2, "mine")]
    for number in (1, 2, 3):
        crashed += ran("baseline", None, number, at=10.0 + number)
    verdict = move(crashed, next_move.next_move).verdict
    over = move([*crashed, happened.ExperimentJudged(at=9, name="baseline", verdict=verdict, row={})], Errand(2))
    assert isinstance(over, moves.Stop)
    assert not over.final


def test_what_is_dropped_waits_for_its_runs_and_is_discarded():
    """With what its runs had shown, and in the name of whoever dropped it."""
    events = [*BASELINE, *driven(2, "mine"), *planned("mine", at=5000)]
    drop = Dropping(2, "dropped by ada: a worse idea", "ada")
    assert isinstance(move(events, drop), moves.Wait)
    found = move([*BASELINE, *driven(2, "mine"), *ran("mine", 0.7, at=5000)], drop)
    assert (found.verdict.status, found.verdict.value, found.verdict.by) == (Status.DISCARD, 0.7, "ada")
    assert found.incumbent is None


def test_a_resume_takes_back_a_stop():
    """A person lets a stopped campaign go on without starting a controller."""
    stopped = [*BASELINE, happened.StopRequested(6, "ada")]
    assert fold([*stopped, happened.Resumed(7, "ada")]).stop is None
