"""The state is the journal's replay, and nothing else."""

from dataclasses import replace

import pytest

from autoresearch.errors import LedgerError
from autoresearch.experiment import events as happened
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.ending import Ending, Follows, Who
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Measurement


def opened(index, name, parent="baseline"):
    commit, idea = f"{index:040x}", Hypothesis(title=name, area="optimizer")
    return [
        happened.ExperimentOpened(at=index, index=index, parent=parent, parent_commit="0" * 40),
        happened.ExperimentCommitted(
            at=index, index=index, name=name, branch=f"autoresearch/c/{name}", commit=commit, hypothesis=idea
        ),
    ]


def ran(name, number, value, state=JobState.SUCCEEDED, at=100.0):
    run_id = f"{name}-{number}"
    completion = Completion.DONE if value is not None else Completion.CRASHED
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
            resources=Resources(gpus_per_node=2),
        ),
        happened.RunSubmitted(at + 1, run_id, "job"),
        happened.RunStarted(at + 11, run_id),
        happened.RunEnded(at + 3611, run_id, JobStatus(state=state, exit_code=0)),
        happened.RunMeasured(at + 3612, run_id, Measurement(metric="score", value=value, completion=completion)),
    ]


def test_time_in_the_queue_is_no_time_of_the_run():
    """Ten seconds queued, an hour run on two GPUs."""
    run = fold([*opened(1, "baseline"), *ran("baseline", 1, 0.5)]).runs["baseline-1"]
    assert (run.queued_s, run.wall_s, run.gpu_hours) == (10, 3600, 2)


def test_a_run_that_was_cut_gives_no_value():
    """Past its limit (R98) or cancelled: the number it had by then is not a result."""
    for state in (JobState.TIMED_OUT, JobState.CANCELLED):
        assert fold([*opened(1, "baseline"), *ran("baseline", 1, 0.5, state)]).value_of("baseline") is None


def test_runs_before_a_repair_are_no_evidence():
    """The mended commit counts from its own runs on; the old ones stay on record."""
    events = [*opened(1, "baseline"), *opened(2, "idea"), *ran("idea", 1, None)]
    history = fold(
        [*events, happened.ExperimentRepaired(at=9, name="idea", commit="f" * 40, reason="typo"), *ran("idea", 2, 0.7)]
    )
    assert [run.run_id for run in history.current_runs("idea")] == ["idea-2"]
    assert len(history.runs_of("idea")) == 2
    assert history.value_of("idea") == 0.7
    assert [trial.value for trial in history.trials()] == [0.7]


def test_a_repair_that_changed_nothing_supersedes_nothing():
    """It was tried; the crash stays the evidence."""
    history = fold(
        [
            *opened(1, "baseline"),
            *ran("baseline", 1, 0.5),
            happened.ExperimentRepaired(at=9, name="baseline", commit=f"{1:040x}", reason="no"),
        ]
    )
    assert len(history.current_runs("baseline")) == 1


def test_a_persons_verdict_is_in_force_and_the_policys_stays_on_record():
    """Both can be read; an overruled keep is no longer kept."""
    kept, denied = (
        Verdict(status=Status.KEEP, reason="better"),
        Verdict(status=Status.DISCARD, reason="a leak", by="ada"),
    )
    history = fold([*opened(1, "baseline"), *opened(2, "idea"), happened.ExperimentJudged(at=5, name="idea", verdict=kept, row={}, incumbent="idea"),
                    happened.VerdictOverruled(6, "idea", denied, "ada")])  # fmt: skip
    assert history.experiment("idea").verdict == denied
    assert history.experiment("idea").judged.verdict == kept
    assert history.kept == []


def test_an_abandoned_attempt_gives_its_index_back():
    """No idea was had, so nothing was attempted."""
    history = fold([*opened(1, "baseline"), happened.ExperimentOpened(at=2, index=2, parent="baseline", parent_commit="0" * 40),
                    happened.ExperimentAbandoned(3, 2, "none", exhausted=True)])  # fmt: skip
    assert (history.attempted, history.exhausted) == (1, True)


def test_a_verdict_is_a_reason_to_ask_again():
    """Who had no idea before it may have one now; nobody is asked again while nothing has happened."""
    none = [*opened(1, "baseline"), *opened(2, "idea"), happened.ExperimentOpened(at=3, index=3, parent="baseline", parent_commit="0" * 40),
            happened.ExperimentAbandoned(4, 3, "no more", exhausted=True)]  # fmt: skip
    assert fold([*none, *ran("idea", 1, 0.4)]).exhausted_because == "no more"
    assert not fold(
        [
            *none,
            happened.ExperimentJudged(at=5, name="idea", verdict=Verdict(status=Status.DISCARD, reason="x"), row={}),
        ]
    ).exhausted


def refused(index, source, *breaches: str):
    idea = Hypothesis(title=f"i{index}", source=source)
    return [
        happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40),
        happened.ExperimentCommitted(
            at=index,
            index=index,
            name=f"i{index}",
            branch="b",
            commit=f"{index:040x}",
            hypothesis=idea,
            breaches=breaches,
        ),
    ]


def test_refusals_are_counted_in_a_row_and_by_researcher():
    """A proposal that passes the guards ends the row of its own researcher only."""
    events = [*refused(2, "agent", "x"), *refused(3, "agent", "x"), *refused(4, "file", "y"), *refused(5, "file")]
    assert fold(events).refused == {"agent": 2, "file": 0}


def test_a_keep_or_a_persons_word_ends_a_researchers_rest():
    """What it was told has changed; a discard of somebody else's idea tells it nothing new."""
    events = [*opened(1, "baseline"), *(one for index in (2, 3, 4) for one in refused(index, "agent", "x"))]
    judged = [
        happened.ExperimentJudged(at=9, name="i4", verdict=Verdict(status=status, reason="x"), row={})
        for status in (Status.DISCARD, Status.KEEP)
    ]
    assert fold([*events, judged[0]]).refused["agent"] == 3
    assert fold([*events, judged[1]]).refused == {}
    assert fold([*events, happened.Steered(9, "try the scheduler", "ada")]).refused == {}


def test_a_new_controller_takes_an_old_stop_back_but_not_a_pause():
    """`run` continues a stopped campaign; what was paused stays so until `resume`."""
    history = fold(
        [
            happened.Paused(1, "lunch", "ada"),
            happened.StopRequested(2, "ada"),
            happened.ControllerStarted(at=3, host="h", pid=1, version="0"),
        ]
    )
    assert history.stop is None
    assert history.paused is not None


def test_an_allocation_costs_what_its_runs_did_not_use():
    """Two hours of four GPUs, one of them with a run on two: six idle GPU-hours, and eight in all."""
    held = happened.AllocationEnded(at=8000, job_id="7", nodes=1, gpus=4, started_at=0.0, ended_at=7200.0)
    history = fold([*opened(1, "baseline"), *ran("baseline", 1, 0.5), held])
    assert history.idle() == [(60.0, 6.0)]
    assert history.gpu_hours == pytest.approx(8.0)


def test_a_journal_with_a_line_missing_is_an_error_that_says_so():
    """An event about something no earlier line knows; never a traceback, never a guess."""
    with pytest.raises(LedgerError, match=r"event 1 of the journal \(run_submitted\).*a line is missing before it"):
        fold(ran("baseline", 1, 0.5)[1:])


def lost(number, state=JobState.NODE_FAILED):
    return ran("idea", number, None, state)


@pytest.mark.parametrize("state", [JobState.NODE_FAILED, JobState.PREEMPTED, JobState.VANISHED])
def test_a_run_that_the_machine_lost_is_no_evidence_while_another_fits(state):
    """Twice per arm: what kills the machine a third time may be the idea. The run itself stays on record."""
    events = [*opened(1, "baseline"), *opened(2, "idea"), *lost(1, state), *lost(2, state)]
    history = fold(events)
    assert history.trials(room=True) == ()
    assert len(history.trials()) == 2
    assert len(history.runs_of("idea")) == 2
    assert len(fold([*events, *lost(3, state)]).trials(room=True)) == 1


def excused(number, who, tries):
    *before, measured = ran("idea", number, None, JobState.FAILED)
    ending = Ending(what="x", who=who, evidence="e", source="log", follows=Follows.AGAIN, tries=tries)
    return [*before, replace(measured, ending=ending)]


@pytest.mark.parametrize(("who", "tries"), [(Who.ENVIRONMENT, 2), (Who.OPERATOR, 1), (Who.UNKNOWN, 1)])
def test_a_run_with_an_excuse_is_made_again_as_often_as_its_ending_allows(who, tries):
    """Then the idea is untested: no crash to learn from, no step towards a plateau."""
    events = [*opened(1, "baseline"), *opened(2, "idea")]
    for number in range(1, tries + 1):
        events += excused(number, who, tries)
        assert fold(events).trials(room=True) == ()
    history = fold([*events, *excused(tries + 1, who, tries)])
    (trial,) = history.trials(room=True)
    assert (trial.excused, trial.note) == (True, f"{who}: x: e")
    assert history.untested("idea")
    assert history.ideas()[0].untested


def test_one_failure_of_its_own_is_enough_to_have_been_tested():
    """An idea that crashed after the machine had taken a run away is a crash."""
    events = [*opened(1, "baseline"), *opened(2, "idea"), *excused(1, Who.NODE, 2), *ran("idea", 2, None)]
    history = fold(events)
    assert not history.untested("idea")
    assert [trial.excused for trial in history.trials(room=True)] == [False]


def test_a_run_that_failed_or_was_cancelled_is_not_forgiven():
    """Its own failure speaks of the idea, and a person's or the engine's word ends a run for good."""
    failed = [*opened(1, "baseline"), *opened(2, "idea"), *ran("idea", 1, None, JobState.FAILED)]
    assert len(fold(failed).trials(room=True)) == 1
    cancelled = [*failed[:-2], happened.RunCancelled(3, "idea-1", "stopped by ada"), *lost(1)[-2:]]
    assert len(fold(cancelled).trials(room=True)) == 1
