"""Progress in words with numbers, where nobody watches a live view."""

import json
import re

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.controller import hold_campaign
from autoresearch.cli.live_view import PlainView
from autoresearch.experiment.events import ExperimentJudged


def progress(told: str) -> list[str]:
    """The lines that say how far the campaign has come, without their time of day."""
    return [line[10:] for line in told.splitlines() if re.match(r"\d\d:\d\d:\d\d  stop condition", line)]


def test_every_verdict_is_followed_by_the_stop_rule_in_numbers(ended):
    """Attempts, latest and best result, branch, and whether the rule is met (R75, R102, R104)."""
    said = progress(ended.told)
    assert said[0] == "stop condition not yet met: 0/4 attempted; no verdict yet"
    assert said[2].startswith(
        "stop condition not yet met: 2/4 attempted; latest: #2 raise-the-learning-rate keep; "
        "best: 0.7 (raise-the-learning-rate, selection runs, unverified); "
        "current branch autoresearch/night/raise-the-learning-rate"
    )
    assert said[-1].startswith("stop condition met: 4/4 attempted; latest: #4 far-too-high crash")


def test_a_resumed_campaign_first_says_where_it_stands(lab):
    """Objective, stop rule, latest result and branch come before the first thing it does (R180)."""
    lab.run(fault="propose.opened=kill")
    first, second, *_ = lab.run().stdout.splitlines()
    assert first.endswith("raise the score: maximize score")
    assert "2/4 attempted; latest: #1 baseline keep; best: 0.5 (baseline)" in second


def test_a_campaign_that_is_run_while_it_is_paused_says_what_it_waits_for(lab, capsys):
    """Else `run` prints where the campaign stands and then nothing, for as long as nobody takes the pause back."""
    lab.run(fault="propose.opened=kill")
    lab.cli("pause", "lunch")
    with hold_campaign(lab.root, None):
        PlainView(Campaign(where=lab.root)).refresh()
    second = capsys.readouterr().out.splitlines()[1]
    assert re.search(r"  paused by \S+: lunch; go on with: autoresearch resume; stop condition not yet met: ", second)


def test_progress_is_printed_also_while_nothing_happens(ended, capsys):
    """A run of an hour is no hour of silence (R103)."""
    view = PlainView(Campaign(where=ended.root), every_s=0.0)
    view.refresh()
    view.refresh()
    assert len(progress(capsys.readouterr().out)) == 2


def test_without_a_look_being_due_nothing_is_repeated(ended, capsys):
    """Between two verdicts the view is quiet; a verdict makes it speak."""
    view = PlainView(Campaign(where=ended.root))
    view.refresh()
    view.refresh()
    judged = next(event for event in ended.journal("experiment_judged"))
    assert judged["name"] == "baseline"
    assert len(progress(capsys.readouterr().out)) == 1
    view.tell(
        ExperimentJudged(
            at=0.0, name="baseline", verdict=Campaign(where=ended.root).experiment(1).judged.verdict, row={}
        )
    )
    view.refresh()
    assert len(progress(capsys.readouterr().out)) == 1


def test_the_default_budget_ends_with_a_question(lab):
    """No stop rule: baseline, three experiments, the best result, and then the person is asked (R14, R93)."""
    lab.write(stop=None)
    told = lab.run().stdout
    assert len(lab.rows()) == 4
    asked = (
        "go on? The best is raise-the-learning-rate; more of this campaign: autoresearch extend '12 experiments'; a further "
        "one: autoresearch plan RECIPE --base autoresearch/night/raise-the-learning-rate"
    )
    assert asked in told
    assert asked in json.loads(lab.cli("status", "--json").stdout)["question"]
    assert asked in (lab.folder / "report.md").read_text()


def test_a_rule_that_was_given_is_not_asked_about(ended):
    """Who said when to stop is not asked for more (R94)."""
    assert "go on?" not in ended.told
    assert json.loads(ended.cli("status", "--json").stdout)["question"] == ""
