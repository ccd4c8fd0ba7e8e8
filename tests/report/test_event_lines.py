"""Events as lines for a person."""

from dataclasses import replace

from autoresearch.experiment import events as happened
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import Purpose
from autoresearch.report.event_lines import Lines
from autoresearch.run.chosen_value import without_log
from autoresearch.run.job import Resources
from autoresearch.run.measurement import Completion, Measurement
from autoresearch.testing.trackers import a_campaign

PLANNED = happened.RunPlanned(
    at=0.0, run_id="ar-night-raise-the-lr-0fc9", experiment="raise-the-lr", number=2, seed=43, purpose=Purpose.REPEAT, launcher="local", command="train", folder="/f", log="/l",
    resources=Resources(), why="so far +0.1 over 1 run",
)  # fmt: skip
MEASURED = happened.RunMeasured(
    1.0, PLANNED.run_id, Measurement(metric="acc", value=0.25, step=10, completion=Completion.DONE)
)


def test_a_run_keeps_the_name_it_was_planned_with():
    """Its number comes back under the experiment's name, not under the id that launchers need."""
    lines = Lines()
    assert lines.line(PLANNED).endswith("  raise-the-lr run 2 (repeat, seed 43): so far +0.1 over 1 run")
    assert lines.line(MEASURED).endswith("  raise-the-lr run 2: acc = 0.25 at step 10 (done)")


def test_a_number_without_steps_is_told_without_one():
    """Which of the run's values it was is said, where there were several; a step is not pretended."""
    third = replace(MEASURED, measurement=replace(MEASURED.measurement, step=3, counted=True))
    assert Lines().line(third).endswith(": acc = 0.25 (value 3, done)")
    only = replace(MEASURED, measurement=replace(MEASURED.measurement, step=1, counted=True))
    assert Lines().line(only).endswith(": acc = 0.25 (done)")


def test_after_a_restart_runs_and_verdicts_are_called_as_before():
    """Who goes on with a campaign knows its runs by name and its experiments by number from the history."""
    history = History()
    history.apply(PLANNED)
    assert Lines(history).line(MEASURED).endswith("  raise-the-lr run 2: acc = 0.25 at step 10 (done)")
    assert "ar-night-raise-the-lr-0fc9: acc = 0.25" in Lines().line(MEASURED)


def test_a_run_without_a_number_says_why():
    """The reason stands once, not behind the word for it."""
    crashed = Measurement(metric="acc", completion=Completion.CRASHED, note="the run crashed at step 0")
    line = Lines().line(happened.RunMeasured(1.0, "r", crashed))
    assert line.endswith("  r: no valid acc: the run crashed at step 0")


def test_a_bundle_that_could_not_be_made_says_why_behind_its_ideas():
    """Two names in a row would read as one."""
    made = happened.BundleMade(
        at=1.0, name="merge-1", branch="", commit="", ideas=("a-one", "b-two"), parent="baseline"
    )
    assert Lines().line(made).endswith("bundle merge-1 of a-one, b-two")
    why = replace(made, conflict="b-two conflicts in config.json")
    assert Lines().line(why).endswith("bundle merge-1 of a-one, b-two: b-two conflicts in config.json")


def test_the_end_of_a_log_is_told_once():
    """The line of the run has it; the verdict's and the campaign's say the rest."""
    told = "in run-2: no value was found. The log ends: epoch 1 of 2 done"
    assert without_log(told) == "in run-2: no value was found"
    assert without_log("timed out: still running after 20 s.") == "timed out: still running after 20 s."
    judged = replace(next(one for one in a_campaign() if isinstance(one, happened.ExperimentJudged)), name="baseline")
    line = Lines().line(replace(judged, verdict=replace(judged.verdict, reason=told)))
    assert line.endswith("baseline: in run-2: no value was found")
