"""`next_move`: what to do next, from a history made by hand."""

from dataclasses import replace

import pytest

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.errors import PluginError
from autoresearch.experiment import events as happened
from autoresearch.experiment.board import Demote, Measure, Settle
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Measurement, Objective
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.scheduling import next_move as moves
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.policies import policy

OBJECTIVE = Objective("more", "score")
CAMPAIGN = CampaignConfig.of({"campaign": "c", "verdict": {"policy": "greedy", "baseline_runs": 1}})
NO_LIMIT = StopLimits(started_at=0.0)


def committed(index, name):
    idea = Hypothesis(title=name, area="optimizer")
    opened = happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40)
    return [
        opened,
        happened.ExperimentCommitted(
            at=index, index=index, name=name, branch=f"autoresearch/c/{name}", commit=f"{index:040x}", hypothesis=idea
        ),
    ]


def planned(name, number=1, at=10.0, gpus=0):
    run_id = f"{name}-{number}"
    resources = Resources(gpus_per_node=gpus)
    return [
        happened.RunPlanned(
            at=at,
            run_id=run_id,
            experiment=name,
            number=number,
            seed=42,
            purpose=Purpose.EXPLORE,
            launcher="x",
            command="c",
            folder="/f",
            log="/f/run.log",
            resources=resources,
        ),
        happened.RunSubmitted(at, run_id, "job"),
        happened.RunStarted(at, run_id),
    ]


def ran(name, value, number=1, at=10.0, took=3600.0, gpus=0, symptoms=()):
    run_id, status = f"{name}-{number}", JobStatus(state=JobState.SUCCEEDED, exit_code=0)
    found = Measurement(metric="score", value=value, completion=Completion.DONE, symptoms=symptoms)
    return [
        *planned(name, number, at, gpus),
        happened.RunEnded(at + took, run_id, status),
        happened.RunMeasured(at + took, run_id, found),
    ]


JUDGED = happened.ExperimentJudged(
    at=5000, name="baseline", verdict=Verdict(status=Status.KEEP, reason="baseline", value=0.5), row={}
)
BASELINE = [*committed(1, "baseline"), *ran("baseline", 0.5), JUDGED]


def move(events, campaign=CAMPAIGN, limits=NO_LIMIT, now=5000.0, expected_s=None, **asking: object):
    """What is next after these events, with what is `asking` just now."""
    history = fold(events)
    view = replace(outlook(history, campaign, limits, OBJECTIVE, now, expected_s), **asking)
    return next_move.next_move(history, campaign, policy(campaign.verdict.policy), OBJECTIVE, view)


def test_the_baseline_comes_first_and_alone():
    """Branch, run, row: no idea before the baseline has its row (R53, R55)."""
    assert move([]) == moves.OpenBaseline()
    events = committed(1, "baseline")
    launch = move(events)
    assert (launch.arm, launch.purpose) == ("baseline", Purpose.BASELINE)
    assert isinstance(move([*events, *planned("baseline")]), moves.Wait)
    assert move([*events, *ran("baseline", 0.5)]).experiment == "baseline"
    assert isinstance(move(BASELINE), moves.Explore)


def test_a_baseline_without_a_number_is_a_crash_and_the_end():
    """It is tried again, but not for ever; nothing can be compared with it, so no idea is opened."""
    events, number = committed(1, "baseline"), 0
    while isinstance(move(events), moves.Launch):
        number += 1
        assert number < 5
        events += ran("baseline", None, number, at=10.0 + number)
    judge = move(events)
    assert judge.verdict.status is Status.CRASH
    assert isinstance(
        move([*events, happened.ExperimentJudged(at=9, name="baseline", verdict=judge.verdict, row={})]), moves.Stop
    )


def test_an_attempt_left_open_by_a_crash_is_finished_first():
    """It has its index; asking for a new idea would leave a gap."""
    assert move(
        [*BASELINE, happened.ExperimentOpened(at=6, index=2, parent="baseline", parent_commit="0" * 40)]
    ) == moves.Reopen(2)


def test_a_paused_campaign_judges_but_starts_nothing():
    """Results that are in get their rows; the next run waits for `resume`."""
    paused = happened.Paused(6, "lunch", "ada")
    assert move([*BASELINE, paused]).why == move([paused]).why == "paused by ada: lunch"
    waiting = [*BASELINE, *committed(2, "idea"), *ran("idea", 0.7, at=5000), paused]
    assert isinstance(move(waiting), moves.Judge)
    assert isinstance(move([*BASELINE, paused, happened.Resumed(7, "ada")]), moves.Explore)


def test_stop_waits_for_runs_in_flight_and_stop_now_ends_them():
    """And a stop by a person is not the campaign's end."""
    flying = [*BASELINE, *committed(2, "idea"), *planned("idea", at=5000)]
    assert isinstance(move([*flying, happened.StopRequested(6, "ada")]), moves.Wait)
    assert isinstance(move([*flying, happened.StopRequested(6, "ada", now=True)]), moves.CancelAll)
    assert move([*BASELINE, happened.StopRequested(6, "ada", reason="enough")]) == moves.Stop(
        "stopped by ada: enough", final=False
    )


def test_the_count_includes_the_baseline_and_ends_the_campaign():
    """R96: failed attempts and the baseline count; with the last one judged there is nothing left to open."""
    events = [*BASELINE, *committed(2, "idea"), *ran("idea", 0.4, at=5000),
              happened.ExperimentJudged(at=9000, name="idea", verdict=Verdict(status=Status.DISCARD, reason="worse", value=0.4), row={})]  # fmt: skip
    over = move(events, limits=replace(NO_LIMIT, target_experiment_count=2), now=9000)
    assert isinstance(over, moves.Stop)
    assert over.final
    assert "2/2 attempted" in over.reason
    assert isinstance(move(events, limits=replace(NO_LIMIT, target_experiment_count=3), now=9000), moves.Explore)


@pytest.mark.parametrize(("left_s", "kind"), [(2 * 3600, moves.Explore), (3599, moves.Stop), (-1, moves.Stop)])
def test_a_run_that_cannot_fit_before_the_deadline_is_not_started(left_s, kind):
    """R100: judged by what runs took; one second short is too short."""
    limits = replace(NO_LIMIT, campaign_deadline=5000 + left_s)
    assert isinstance(move(BASELINE, limits=limits), kind)


def test_an_end_before_the_stop_rule_is_met_says_that_no_run_fits():
    """Seconds are left and no number is reached: without the reason it would read as an end for nothing."""
    history = fold(BASELINE)
    view = replace(outlook(history, CAMPAIGN, NO_LIMIT, OBJECTIVE, 5000), runs_left=0, may_explore=False)
    over = next_move.next_move(history, CAMPAIGN, policy("greedy"), OBJECTIVE, view)
    assert isinstance(over, moves.Stop)
    assert "no further run fits the budget: stop condition not yet met" in over.reason


def test_with_a_cap_per_run_the_whole_cap_must_fit():
    """A run that usually takes an hour may take two: with 90 minutes left none is started."""
    limits = replace(NO_LIMIT, campaign_deadline=5000 + 5400, per_experiment_timeout=7200)
    assert isinstance(move(BASELINE, limits=limits), moves.Stop)


def test_no_baseline_is_started_after_the_deadline():
    """Also when nobody knows how long a run takes: its row says that it was never run."""
    judge = move(committed(1, "baseline"), limits=replace(NO_LIMIT, campaign_deadline=4000))
    assert judge.verdict.reason == "the baseline has no valid run: it was never run"


def test_gpu_hours_are_not_overspent():
    """An hour on eight GPUs does not fit into the four GPU-hours that are left."""
    events = [*committed(1, "baseline"), *ran("baseline", 0.5, gpus=8), JUDGED]
    assert isinstance(move(events, limits=replace(NO_LIMIT, gpu_hours=12)), moves.Stop)


def test_slots_are_filled_and_not_overfilled():
    """With two slots a second idea is opened beside the first, a third waits."""
    two = CampaignConfig.of({**CAMPAIGN.model_dump(), "launcher": {"type": "local", "parallel": 2}})
    one = [*BASELINE, *committed(2, "idea"), *planned("idea", at=5000)]
    assert isinstance(move(one), moves.Wait)
    assert isinstance(move(one, two), moves.Explore)
    assert isinstance(move([*one, *committed(3, "other"), *planned("other", at=5000)], two), moves.Wait)


def test_a_trivial_crash_is_mended_once_before_it_is_judged():
    """R145: a typo is not the idea's fault; the second time it is."""
    typo = Symptom("trivial-error", Severity.FATAL, "NameError: lr", fault="code")
    events = [*BASELINE, *committed(2, "idea"), *ran("idea", None, at=5000, symptoms=(typo,))]
    assert move(events) == moves.Repair("idea", "NameError: lr")
    mended = [*events, happened.ExperimentRepaired(at=9, name="idea", commit="f" * 40, reason="typo")]
    assert isinstance(move(mended), moves.Launch)
    assert not isinstance(move([*mended, *ran("idea", None, 2, at=9000, symptoms=(typo,))]), moves.Repair)


class TakesBack:
    """A policy that has one thing to say."""

    name = "takes back"

    def baseline_runs(self, settings):
        return 1

    def advise(self, board):
        return Demote(board.incumbent, "baseline", "no better")


def test_taking_an_incumbent_back_is_carried_out_at_once():
    """A demotion needs no slot and no budget: it is the next move whatever is in flight."""
    history = fold([*BASELINE, *planned("baseline", 2)])
    view = outlook(history, CAMPAIGN, NO_LIMIT, OBJECTIVE, 5000.0, None)
    assert next_move.next_move(history, CAMPAIGN, TakesBack(), OBJECTIVE, view) == moves.StepBack(
        "baseline", "baseline", "no better"
    )


class Stubborn:
    """A policy of another package that always says the same."""

    name, version = "stubborn", 1

    def __init__(self, advice) -> None:
        self.advice = advice

    def baseline_runs(self, settings):
        return 1

    def advise(self, board):
        return self.advice


VERDICT = Verdict(status=Status.KEEP, reason="mine")


@pytest.mark.parametrize(
    ("advice", "told"),
    [
        (None, "answered None, which is no advice"),
        (Measure("nobody", 42, Purpose.EXPLORE), "speaks of 'nobody'"),
        (Settle("idea", VERDICT, incumbent="nobody"), "speaks of 'nobody'"),
        (Settle("idea", VERDICT), "settles idea once more with the verdict that it has"),
    ],
)
def test_advice_that_leads_nowhere_names_the_policy(advice, told):
    """A package's policy cannot send the campaign in circles, or to an arm that there is not."""
    judged = [
        happened.ExperimentJudged(at=50.0, name=name, verdict=VERDICT, row={}, incumbent=None)
        for name in ("baseline", "idea")
    ]
    events = [*committed(1, "baseline"), *ran("baseline", 0.5), *committed(2, "idea"), *ran("idea", 0.6), *judged]
    history = fold(events)
    view = outlook(history, CAMPAIGN, NO_LIMIT, OBJECTIVE, 5000.0, None)
    with pytest.raises(PluginError, match=told):
        moves.next_move(history, CAMPAIGN, Stubborn(advice), OBJECTIVE, view)


def test_ideas_are_asked_for_ahead_of_free_slots_and_no_further():
    """One slot in use: as many as may be thought of ahead, those that wait for a slot counted; none without leave."""
    events = [*BASELINE, *committed(2, "one"), *planned("one", at=5000.0)]
    assert isinstance(move(events), moves.Wait)
    assert isinstance(move(events, ahead=2), moves.Explore)
    assert isinstance(move(events, ahead=2, asked=frozenset({3})), moves.Explore)
    assert isinstance(move(events, ahead=2, asked=frozenset({3, 4})), moves.Wait)
    ready = [*events, *committed(3, "two")]
    assert isinstance(move(ready, ahead=2), moves.Explore)
    assert isinstance(move([*ready, *committed(4, "three")], ahead=2), moves.Wait)
    assert isinstance(move(events, ahead=2, asked=frozenset({3}), busy=True), moves.Wait)


def test_there_is_no_end_while_somebody_thinks_but_one_that_makes_it_pointless():
    """The last attempts that were asked for are waited for; when time is up those who think are ended."""
    opened = happened.ExperimentOpened(at=5000.0, index=2, parent="baseline", parent_commit="0" * 40)
    events, asked = [*BASELINE, opened], frozenset({2})
    assert isinstance(move(events, limits=replace(NO_LIMIT, target_experiment_count=2), asked=asked), moves.Wait)
    assert isinstance(move(events, limits=replace(NO_LIMIT, campaign_deadline=4000.0), asked=asked), moves.Unask)
    assert isinstance(move([*events, happened.StopRequested(5001.0, "Ada", now=True)], asked=asked), moves.Unask)
    assert isinstance(move([*events, happened.StopRequested(5001.0, "Ada")], asked=asked), moves.Wait)
