"""What an idea with a yardstick of its own needs next, from histories made by hand."""

import json
from pathlib import Path

import pytest

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment import events as happened
from autoresearch.experiment.board import Measure, Settle
from autoresearch.experiment.change import FileChange
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.guards.scope import Scope, yardstick
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Measurement, Objective
from autoresearch.scheduling.yardstick import Remeasure, advise
from autoresearch.verdict.policies import policy

OBJECTIVE = Objective("more", "score")
CAMPAIGN = CampaignConfig.of({"campaign": "c", "verdict": {"policy": "greedy"}})


def committed(index, name, **more: object):
    opened = happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40)
    idea = Hypothesis(title=name, overrides=("exam=2", "lr=1"))
    branch = f"autoresearch/c/{name}"
    return [
        opened,
        happened.ExperimentCommitted(
            at=index, index=index, name=name, branch=branch, commit=f"{index:040x}", hypothesis=idea, **more
        ),
    ]


def ran(arm, value, seed=42):
    run_id = f"{arm}-{seed}"
    found = Measurement(metric="score", value=value, completion=Completion.DONE, note="" if value else "it broke")
    return [
        happened.RunPlanned(
            at=10.0,
            run_id=run_id,
            experiment=arm,
            number=1,
            seed=seed,
            purpose=Purpose.EXPLORE,
            launcher="x",
            command="c",
            folder="/f",
            log="/f/run.log",
            resources=Resources(),
        ),
        happened.RunEnded(20.0, run_id, JobStatus(state=JobState.SUCCEEDED, exit_code=0)),
        happened.RunMeasured(20.0, run_id, found),
    ]


KEYS = ("config.yaml", "exam", "lr")
START = [
    *committed(1, "baseline"),
    *ran("baseline", 0.5),
    happened.ExperimentJudged(
        at=30.0, name="baseline", verdict=Verdict(status=Status.KEEP, reason="baseline", value=0.5), row={}
    ),
]
IDEA = committed(2, "idea", keys=KEYS, files=("config.yaml",), yardstick=("exam",), parent="baseline")
ARM = happened.BundleMade(
    at=40.0, name="yardstick-2-parent", branch="b", commit="2" * 40, ideas=(), parent="baseline", yardstick="idea"
)


def need(*events: object, runs_left=None):
    return advise(fold([*START, *events]), CAMPAIGN, policy("greedy"), OBJECTIVE, runs_left)


def test_first_the_parent_gets_the_yardstick_then_both_run_on_one_seed():
    """The idea goes first, for it may crash; its reference runs on the seed that both then share."""
    assert need(*IDEA) == Remeasure("yardstick-2-parent", "idea", "baseline")
    first, second = need(*IDEA, ARM), need(*IDEA, ARM, *ran("idea", 2.0))
    assert isinstance(first, Measure)
    assert isinstance(second, Measure)
    assert (first.arm, first.seed, second.arm, second.seed) == ("idea", 42, "yardstick-2-parent", 42)


def test_the_effect_is_against_what_was_measured_again():
    """Not against the baseline's old number; and the idea is no incumbent, whatever it gained."""
    found = need(*IDEA, ARM, *ran("idea", 2.0), *ran("yardstick-2-parent", 1.5))
    assert isinstance(found, Settle)
    assert (found.verdict.status, found.verdict.effect, found.incumbent) == (Status.DISCARD, 0.5, None)
    assert "baseline measures 1.5 with it" in found.verdict.reason


def test_its_effect_and_interval_are_those_of_scipy():
    """Three seeds of either side; `tools/golden_numbers.py` works the numbers out of the same runs."""
    rows = json.loads((Path(__file__).parents[1] / "golden" / "verdict_numbers.json").read_text())["boards"]
    row = next(row for row in rows if row["name"] == "measured again with an idea's yardstick")
    runs = [event for arm, seed, value, *_ in row["board"]["runs"] for event in ran(arm, value, seed)]
    three = CampaignConfig.of({"campaign": "c", "verdict": {"policy": "sequential"}})
    seeds = [event for seed in (43, 44) for event in ran("baseline", 0.5, seed)]
    found = advise(fold([*START, *seeds, *IDEA, ARM, *runs]), three, policy("sequential"), OBJECTIVE, None)
    ((_, wanted),) = row["asked"]
    for name, number in (("effect", "gain"), ("low", "low"), ("high", "high")):
        assert getattr(found.verdict, name) == pytest.approx(wanted[number], rel=1e-5)


@pytest.mark.parametrize("broken", ["idea", "yardstick-2-parent"])
def test_a_side_without_a_number_ends_it(broken):
    """Nothing can be compared, and the row says which side failed and why."""
    values = {"idea": 2.0, "yardstick-2-parent": 1.5, broken: None}
    found = need(*IDEA, ARM, *(event for arm, value in values.items() for event in ran(arm, value)))
    assert isinstance(found, Settle)
    assert found.verdict.status is Status.CRASH
    assert f"a run of {broken} gave no metric: it broke" in found.verdict.reason


def test_a_budget_that_is_spent_ends_it():
    """With a run on one side only nothing can be said."""
    found = need(*IDEA, ARM, *ran("idea", 2.0), runs_left=0)
    assert isinstance(found, Settle)
    assert "the run budget ended before it and its references were measured" in found.verdict.reason


def test_a_policy_sees_neither_the_idea_nor_what_was_measured_again():
    """Their numbers compare with none of the others."""
    history = fold([*START, *IDEA, ARM, *ran("idea", 2.0), *ran("yardstick-2-parent", 1.5)])
    assert history.ideas() == ()
    assert history.board_bundles() == ()
    assert [trial.arm for trial in history.trials()] == ["baseline"]


def test_the_yardstick_is_what_is_protected_and_named_as_the_subject():
    """A protected key that is no subject is a breach, not a yardstick; a free one is neither."""
    limits = Scope(protect=("exam.py",), protect_keys=("exam.**", "seed"), subject=("exam.*", "exam.py"))
    before, after = {"exam.size": 1, "seed": 1, "lr": 1}, {"exam.size": 2, "seed": 2, "lr": 2}
    assert yardstick([FileChange(path="exam.py"), FileChange(path="train.py")], limits, before, after) == (
        "exam.py",
        "exam.size",
    )
