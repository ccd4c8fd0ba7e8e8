"""`extend`: a campaign that goes on with more than its stop rule granted."""

from dataclasses import replace

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.campaign.beginning import make_context
from autoresearch.campaign.opening import open_campaign
from autoresearch.config.stop_rule import Comparison, StopLimits, StopRule, TargetValue
from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.stop_check import Spent, extended

SCORE = Objective("raise the score", "score", Direction.MAXIMIZE, "score")
NOW = 1_000_000.0


def test_an_ended_campaign_goes_on_with_what_it_knows(lab):
    """Two further ideas on the branch that was best, in the same ledger; the baseline is not run again."""
    lab.write(stop="2 experiments")
    lab.run()
    assert len(lab.rows()) == 2
    done = lab.cli("extend", "2 more experiments")
    assert done.returncode == 0, done.stderr
    assert "2/4 attempted" in done.stdout
    assert "go on with: autoresearch run" in done.stdout
    assert "night: idle (more was granted: 2 more experiments)" in lab.cli("status").stdout
    before = len(lab.journal("run_planned"))
    assert lab.run().returncode == 0
    rows = lab.rows()
    assert [row.index for row in rows] == [1, 2, 3, 4]
    assert rows[2].parent_commit == rows[1].commit
    assert "baseline" not in {event["experiment"] for event in lab.journal("run_planned")[before:]}


def test_a_campaign_at_work_hears_of_it(lab):
    """No controller has to be stopped for it: the one at work goes by the new limit from its next move on."""
    lab.write(stop="2 experiments")
    controller = lab.start_stepwise()
    lab.step(controller, lambda: lab.journal("experiment_opened"), "the baseline to be opened")
    assert lab.cli("extend", "1 more idea").returncode == 0
    lab.let_go()
    controller.communicate(timeout=200)
    assert len(lab.rows()) == 3


def test_what_would_not_help_is_refused_and_nothing_is_written(lab):
    """More time for a campaign that its count has ended, and a longer run, which its numbers could not be held against."""
    lab.write(stop="2 experiments")
    lab.run()
    before = lab.journal()
    assert "it would be over all the same: 2/2 attempted" in lab.refused("extend", "4 hours more")
    assert "how long a run may take" in lab.refused("extend", "2 more experiments, 2h each")
    assert "not understood" in lab.refused("extend", "some more")
    assert "nothing is granted by '2': say for example" in lab.refused("extend", "2")
    assert lab.journal() == before


def test_extending_takes_a_person_where_launches_do(lab):
    """An agent with a shell cannot grant itself a budget."""
    lab.write(stop="2 experiments", approval={"by": "terminal"})
    lab.run()
    assert "takes a person at a terminal of their own" in lab.refused("extend", "2 more experiments")


@pytest.mark.parametrize(
    ("more", "field", "want"),
    [
        (StopRule(target_experiment_count=20), "target_experiment_count", 24),
        (StopRule(target_run_count=5), "target_run_count", 17),
        (StopRule(gpu_hours=2.5), "gpu_hours", 7.5),
        (StopRule(total_s=3600), "campaign_deadline", NOW + 7200 + 3600),
        (StopRule(stalled_experiment_count=4), "stalled_experiment_count", 6),
        (StopRule(target=TargetValue(None, Comparison.REACHES, 0.9)), "target_metric",
         TargetValue("score", Comparison.AT_LEAST, 0.9)),
    ],
)  # fmt: skip
def test_what_is_granted_is_added_to_the_limit_or_to_what_was_used(more, field, want):
    """A count on top of 4, runs on top of 12, hours on top of 5, an hour after the end, 4 more without a keep."""
    limits = StopLimits(
        started_at=0.0, target_experiment_count=4, gpu_hours=4.0, campaign_deadline=NOW + 7200, target_run_count=12,
        stalled_experiment_count=3, target_metric=TargetValue("score", Comparison.AT_LEAST, 0.8),
    )  # fmt: skip
    spent = Spent(attempted=3, gpu_hours=5.0 if field == "gpu_hours" else 1.0, runs=10, stalled=2)
    assert getattr(extended(limits, more, spent, SCORE, NOW), field) == want


def test_a_deadline_that_has_passed_is_moved_from_now():
    """`4 hours more` in the morning after are four hours from now, not from last night."""
    limits = StopLimits(started_at=0.0, campaign_deadline=NOW - 9_000)
    assert extended(limits, StopRule(total_s=3600), Spent(), SCORE, NOW).campaign_deadline == NOW + 3600
    with pytest.raises(CampaignError, match="over all the same"):
        extended(limits, StopRule(target_experiment_count=9), Spent(attempted=2), SCORE, NOW)


@pytest.mark.parametrize(
    "more",
    [StopRule(total_s=3600), StopRule(gpu_hours=9.0), StopRule(target=TargetValue(None, Comparison.REACHES, 0.9))],
)
def test_a_grant_takes_nothing_away(more):
    """Hours for a campaign that counts experiments would only be a new end; beside experiments they bound the grant."""
    limits = StopLimits(started_at=0.0, target_experiment_count=40)
    with pytest.raises(CampaignError, match="would only end sooner"):
        extended(limits, more, Spent(attempted=5), SCORE, NOW)
    granted = extended(limits, replace(more, target_experiment_count=2), Spent(attempted=5), SCORE, NOW)
    assert granted.target_experiment_count == 42


@pytest.mark.parametrize("words", ["1 more", "1 more idea", "one more try", "1 further hypothesis", "1 trial"])
def test_what_is_tried_is_granted_as_often_as_is_said(lab, words):
    """The baseline is there already: no word for an idea counts a second one."""
    lab.write(stop="2 experiments")
    lab.run()
    assert "2/3 attempted" in lab.cli("extend", words).stdout


def test_a_grant_of_nothing_is_refused_and_a_pause_outlasts_a_grant(lab):
    """Empty words are not the default rule; who has paused it has not been asked whether it may run."""
    lab.write(stop="2 experiments")
    lab.run()
    assert "it has ended, and nothing starts either when more is granted" in lab.cli("pause", "wait").stdout
    assert "nothing is granted" in lab.refused("extend", "")
    assert "nothing is granted" in lab.refused("extend", "more")
    assert lab.cli("extend", "2 more experiments").returncode == 0
    assert lab.cli("resume").returncode == 0
    assert lab.run().returncode == 0
    assert len(lab.rows()) == 4


def test_a_line_from_another_hand_extends_nothing(lab):
    """The journal has the place of each line; one that autoresearch did not write is nobody's word."""
    lab.write(stop="2 experiments")
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([]))
    commit_all(lab.root)
    lab.run()
    journal = lab.folder / "journal.jsonl"
    with journal.open("a") as sink:
        sink.write('{"v":1,"at":1.0,"by":"Ada","kind":"resumed","words":"9","limits":{"started_at":0.0}}\n')
    assert (
        "in a person's name; it does not count"
        in lab.cli("status", "--json").stdout + lab.cli("report").stdout + (lab.folder / "report.md").read_text()
    )


def test_a_direction_that_was_found_at_the_start_stays(lab):
    """What a metric's name is taken to say may differ in another version; a campaign at work keeps what it began by."""
    lab.write(stop="1 experiment")
    lab.run()
    journal = lab.folder / "journal.jsonl"
    begun = journal.read_text()
    assert begun.count('"direction":"maximize"') == 1
    journal.write_text(begun.replace('"direction":"maximize"', '"direction":"minimize"'))
    for gone in (False, True):
        if gone:
            (lab.folder / "campaign.yaml").unlink()
        made = make_context(open_campaign(lab.root), proposing=False)
        assert made.survey.objective.direction is Direction.MINIMIZE
        assert made.campaign.objective.direction == "minimize"
    assert yaml.safe_load((lab.folder / "campaign.yaml").read_text())["objective"].get("direction", "auto") == "auto"
