"""Every verb through the real command line, on a campaign that was really run."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.config import campaign_file

PLAN = ("plan", "--target", "command", "--command", "python3 train.py", "--metric", "score", "--direction", "maximize",
        "--stop", "5 experiments", "--set", "target.source.type=stdout", "--launcher", "local", "--ideas", "ideas.yaml",
        "--set", "target.config=config.json")  # fmt: skip


def test_plan_tells_everything_a_person_approves(lab):
    """Repository, own changes, metric with direction, command, launcher, stop rule; then where the file is."""
    (lab.root / "train.py").write_text("print('mine')\n")
    told = lab.cli(*PLAN, "--name", "second").stdout
    for part in (str(lab.root), "on main", "1 unstaged", "maximize score", "python3 train.py", "local, 1 at a time", "5 attempts",
                 "autoresearch/second/", "file"):  # fmt: skip
        assert part in told
    path = lab.folder.parent / "second" / "campaign.yaml"
    assert f"Written to {path}" in told
    made = campaign_file.read(path)
    assert (made.stop, made.objective.metric, made.launcher.type) == ("5 experiments", "score", "local")


def test_plan_as_json_is_the_same_plan(lab):
    """One document with the campaign file, the survey and the path."""
    told = json.loads(lab.cli(*PLAN, "--json").stdout)
    assert told["objective"]["metric"] == "score"
    assert told["campaign"]["stop"] == "5 experiments"
    assert campaign_file.read(lab.root / told["file"]).model_dump(mode="json") == told["campaign"]


def test_a_dry_run_shows_the_submission_and_writes_nothing(lab):
    """The exact command; no file, worktree or branch appears."""
    shutil.rmtree(lab.root / "reports")
    before = sorted(path for path in lab.root.rglob("*") if ".git/" not in str(path) and path.name != ".git")
    told = lab.cli(*PLAN, "--dry-run").stdout
    assert "python3 train.py" in told.rpartition("first submission")[2]
    after = sorted(path for path in lab.root.rglob("*") if ".git/" not in str(path) and path.name != ".git")
    assert [path for path in after if path not in before and path.is_file()] == []


@pytest.mark.parametrize(
    "words", [("status",), ("show", "2"), ("ledger",), ("ledger", "check"), ("report",), ("doctor",)]
)
def test_every_json_document_is_strict_json(ended, words):
    """Machines read the same values that people see, and in which form they come."""
    document = json.loads(ended.cli(*words, "--json").stdout, parse_constant=pytest.fail)
    text = json.dumps(document)
    assert document["schema_version"] == 2
    if words in {("status",), ("ledger",), ("show", "2")}:
        assert "raise the learning rate" in text
        assert "0.7" in text


def test_status_says_in_text_what_it_says_in_json(ended):
    """Counts, best, incumbent and every verdict."""
    told, document = ended.cli("status").stdout, json.loads(ended.cli("status", "--json").stdout)
    assert f"{document['keep']} kept, {document['discard']} discarded, {document['crash']} crashed" in told
    assert (
        f"best {document['best']:.4g} ({document['incumbent']}, {document['best_fresh']} fresh seeds, unverified)"
        in told
    )
    assert all(one["title"] in told and one["status"] in told for one in document["verdicts"])


def test_show_log_and_diff_tell_of_one_experiment(ended):
    """Its runs with what happened, the newest log as it was written, the change against its parent."""
    assert "RuntimeError: lr is too high" in ended.cli("show", "4").stdout
    assert ended.cli("log", "4").stdout == "RuntimeError: lr is too high\n"
    assert '+{"lr": 0.2, "wd": 0.0}' in ended.cli("diff", "2").stdout
    assert ended.cli("diff", "1").stdout.strip() == ""


def test_an_experiment_is_named_by_its_number_or_its_name(ended):
    """`show baseline` is what people type; a misspelt name is answered with the nearest."""
    assert ended.cli("show", "baseline").stdout == ended.cli("show", "1").stdout
    assert ended.cli("diff", "raise-the-learning-rate").stdout == ended.cli("diff", "2").stdout
    assert "no experiment 'basline' in night; did you mean baseline?" in ended.refused("log", "basline")


def test_the_ledger_shows_the_rows_of_the_campaign_that_was_named(finished):
    """Without a name all of the repository's, with one those of its own; an unknown one is refused."""
    line = finished.ledger.read_text().splitlines()[1]
    with finished.ledger.open("a") as ledger:
        ledger.write(line.replace("autoresearch/night/baseline", "autoresearch/other/baseline") + "\n")
    assert "autoresearch/other/baseline" in finished.cli("ledger").stdout
    assert "autoresearch/other/baseline" not in finished.cli("ledger", "--campaign", "night").stdout
    assert "there is no campaign 'nosuch'" in finished.refused("ledger", "--campaign", "nosuch")


def test_status_report_and_ledger_count_the_runs_of_a_crash_alike(ended):
    """A crash rests on no number, and its row says how many runs were made: so do the other two."""
    crash = ended.rows()[3]
    assert (str(crash.status), crash.runs) == ("crash", 1)
    assert json.loads(ended.cli("status", "--json").stdout)["verdicts"][3]["runs"] == 1
    row = next(line for line in (ended.folder / "report.md").read_text().splitlines() if line.startswith("| 4 |"))
    assert row.split("|")[5].strip() == "1"


def test_a_steer_reaches_the_next_brief_and_a_pause_waits_for_resume(lab):
    """Said while the campaign rests; carried by every brief after it."""
    lab.write(stop="2 experiments")
    lab.run(fault="propose.opened=kill")
    assert "recorded" in lab.cli("steer", "smaller [bold]batches[/]").stdout
    assert "paused" in lab.cli("pause", "lunch").stdout
    assert "paused by" in lab.cli("status").stdout
    assert "resumed" in lab.cli("resume").stdout
    assert lab.run().returncode == 0
    assert "smaller [bold]batches[/]" in (lab.folder / "raise-the-learning-rate" / "brief.md").read_text()


def test_a_steer_of_an_ended_campaign_says_that_no_brief_follows(lab):
    """What is said then waits for somebody who grants more."""
    lab.write(stop="1 experiments")
    lab.run()
    said = lab.cli("steer", "smaller").stdout
    assert "the campaign has ended, so no brief follows until it is granted more: autoresearch extend" in said


def test_a_paused_controller_starts_nothing_until_resume(lab):
    """The run in flight goes on and is measured; the next one waits for the word."""
    lab.local(stop="2 experiments")
    controller = lab.start()
    lab.until(lab.pids, "the first job")
    lab.cli("pause", "lunch")
    lab.gate.touch()
    lab.until(lambda: lab.journal("run_measured"), "its measurement")
    assert "night: paused" in lab.cli("status").stdout
    assert len(lab.journal("run_planned")) == 1
    lab.cli("resume")
    controller.communicate(timeout=200)
    assert [row.index for row in lab.rows()] == [1, 2]


def test_a_campaign_that_was_paused_and_then_stopped_says_why_it_stopped(lab):
    """The later word, not the pause's; the pause holds on, and is said again once the campaign is run anew."""
    lab.local(stop="2 experiments")
    controller = lab.start()
    lab.until(lab.pids, "the first job")
    lab.cli("pause", "lunch")
    lab.cli("stop", "--now", "enough")
    controller.communicate(timeout=200)
    assert "night: stopped (enough)" in lab.cli("status").stdout


def test_a_person_overrules_with_a_reason_that_is_theirs(finished):
    """The ledger keeps the original row, status and report show the person's verdict, and nothing builds on it."""
    rows = finished.ledger.read_text()
    assert json.loads(finished.cli("status", "--json").stdout)["incumbent"] != "baseline"
    said = finished.cli("overrule", "2", "discard", "--reason", "it leaks the answers").stdout
    assert "the best so far is now baseline, it was raise-the" in said
    assert finished.ledger.read_text() == rows
    status = json.loads(finished.cli("status", "--json").stdout)
    assert status["verdicts"][1]["status"] == "discard"
    assert status["incumbent"] == "baseline"
    assert status["verdicts"][1]["reason"] == "it leaks the answers"
    finished.cli("report")
    assert "it leaks the answers" in (finished.folder / "report.md").read_text()


def test_an_idea_kept_by_word_that_grew_beside_the_best_joins_nothing_and_that_is_said(finished):
    """Its number was never measured on top of the best: it is built upon by nobody until it is proposed once more."""
    finished.cli("overrule", "2", "discard", "--reason", "a look at it")
    said = finished.cli("overrule", "3", "keep", "--reason", "worth it").stdout
    assert "baseline, as before: weight-decay grew from raise-the-learning-rate, and nothing merges the two" in said


def test_the_report_is_written_anew_and_says_where(finished):
    """Markdown, one HTML page and the plot."""
    (finished.folder / "report.html").unlink()
    paths = finished.cli("report").stdout.split("\n")
    assert str(finished.folder / "report.html") in paths
    assert "<svg" in (finished.folder / "report.html").read_text()


def test_the_session_memory_can_be_shown_and_written(finished):
    """One page with the goal and where it stands; a checkpoint says which folder."""
    assert "raise the score" in finished.cli("session").stdout
    folder = finished.cli("session", "checkpoint").stdout.strip()
    assert "checkpoint asked for" in (finished.root / folder / "timeline.md").read_text()


def test_run_ends_with_the_campaign_that_it_began_with(lab):
    """Another one that is touched meanwhile is then the one worked on last, and still not the one that was run."""
    lab.write(campaign="other")
    other = lab.folder.parent / "other"
    other.mkdir()
    (lab.folder / "campaign.yaml").rename(other / "campaign.yaml")
    lab.write(stop="1 experiment")
    os.utime(other / "campaign.yaml", (0, 0))
    controller = lab.start_stepwise()
    lab.step(controller, lambda: lab.journal("run_measured"), "the baseline's number")
    os.utime(other / "campaign.yaml", (4e9, 4e9))
    lab.let_go()
    told, _ = controller.communicate(timeout=200)
    assert "night: ended" in told
    assert f"Report: {lab.folder}" in told
    assert "other" not in told


def test_a_title_cannot_steer_the_terminal(lab):
    """Escape sequences and markup in what an agent wrote are shown, not obeyed."""
    title = "wipe \x1b[2J [red]all[/red]"
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": title, "overrides": ["lr=0.3"]}]))
    lab.write(stop="2 experiments")
    told = lab.run().stdout + lab.cli("status").stdout + lab.cli("show", "2").stdout + lab.cli("ledger").stdout
    assert "\x1b" not in told
    assert "[red]all[/red]" in told


def test_a_diff_of_a_file_with_two_characters_at_its_line_ends_applies_as_it_is_shown(lab):
    """A carriage return that ends a line is a part of the file; alone it could overwrite what was shown."""
    patch = "--- /dev/null\n+++ b/notes.txt\n@@ -0,0 +1,2 @@\n+one\r\n+t\rwo\r\n"
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "notes", "patch": patch}]))
    lab.write(stop="2 experiments")
    lab.run()
    argv = [sys.executable, "-m", "autoresearch", "diff", "2"]
    shown = subprocess.run(argv, cwd=lab.root, check=True, stdout=subprocess.PIPE).stdout
    assert b"\n+one\r\n+t\xef\xbf\xbdwo\r\n" in shown


def test_plan_says_what_a_stop_rule_counts_and_when_it_ends(lab):
    """N ideas are N besides the baseline; a time of day has its date, and how far off it is."""
    words = (*PLAN[: PLAN.index("--stop")], "--set", "target.config=config.json")
    days = [datetime.now(UTC).astimezone() + timedelta(days=1)]
    told = " ".join(lab.cli(*words, "--stop", "20 ideas or until tomorrow 8 am", "--dry-run").stdout.split())
    days.append(datetime.now(UTC).astimezone() + timedelta(days=1))
    assert "21 attempts: the baseline and 20 ideas; until tomorrow 08:00 (" in told
    assert any(re.search(rf"{day:%a %Y-%m-%d 08:00} \S+, in [0-9dhms]+ if it starts now", told) for day in days)
    assert "today 00:00, which has passed" in lab.refused(*words, "--stop", "until today 00:00")


@pytest.mark.parametrize(("more", "said"), [
    (("--set", "run.early_kill=race"), "also an idea's first run from 20% of its steps on"),
    (("--set", "run.early_kill=false"), "early ends: none: every run goes on to its last step"),
    ((), "early ends: a run that cannot recover (NaN loss), or is hopelessly behind"),
    (("--worth", "0.02"), "worth having: a gain of 0.02 in score"),
    ((), "worth having: not said (--worth)"),
    (("--policy", "doubles"), "doubles: the stop rule counts ideas, so no two share a run"),
    (("--policy", "doubles", "--stop", "60 runs"), "doubles: auto, and once 8 ideas have run alone, two ideas in a run"),
    (("--stop", "12 runs"), "12 runs (as many as the stop rule allows: baseline 3, ideas and fresh seeds 9)"),
])  # fmt: skip
def test_plan_says_what_of_its_settings_will_happen(lab, more, said):
    """Race, what is worth having, doubles, and as many runs as there can be: read before a night is spent."""
    assert said in " ".join(lab.cli(*PLAN, *more, "--dry-run").stdout.split())


BROKEN = [
    {"title": "slower", "overrides": ["lr=0.01"]}, {"title": "misspelt", "overrides": ["lrr=0.2"]}, {"title": "slower still", "overrides": ["lr=0.01"]},
    {"title": "as it is", "overrides": ["lr={}"]},
]  # fmt: skip


@pytest.mark.parametrize("form", ["config.json", "config.yaml"])
def test_plan_names_listed_ideas_that_could_never_run(lab, form):
    """One line each: a key that is not there, with the nearest one; what the baseline says already; an idea twice."""
    rate = json.loads((lab.root / "config.json").read_text())["lr"]
    (lab.root / "config.yaml").write_text(f"lr: {rate}\n")
    ideas = [{**one, "overrides": [said.format(rate) for said in one["overrides"]]} for one in BROKEN]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    told = " ".join(lab.cli(*PLAN, "--set", f"target.config={form}", "--dry-run").stdout.split())
    assert re.search(r"listed idea cannot be applied: .{0,80}\bkey 'lrr'.{0,40}; did you mean '?lr\b", told)
    assert "'slower still' is a duplicate of 'slower'" in told
    assert "'as it is' is a duplicate of the baseline" in told
    assert told.count("listed idea cannot be applied") == 3


def test_a_misspelt_place_in_a_command_is_refused_by_the_plan(lab):
    """The run's and the evaluation's alike, with what was meant."""
    words = [word.replace("train.py", "train.py {sede}") for word in PLAN]
    assert "the command has {sede}, which nothing would fill in; did you mean {seed}?" in lab.refused(*words)
    evaluate = ("--set", "evaluate.command=[python3, train.py, '{foldr}']")
    assert "evaluate.command has {foldr}, which nothing would fill in; did you mean {folder}?" in lab.refused(
        *PLAN, *evaluate
    )
