"""Whole campaigns through the command line."""

import subprocess

import yaml
from tests.conftest import IDEAS, commit_all

from autoresearch.records.row import SHARED
from autoresearch.testing.user_files import Snapshot, difference


def git(lab, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=lab.root, capture_output=True, text=True, check=True).stdout


def test_a_campaign_runs_to_its_stop_rule_and_leaves_one_row_per_attempt(ended):
    """Baseline first, then every idea, crashes included; the count ends it (R55, R96, R99)."""
    lab = ended
    assert [(row.index, row.status.value) for row in lab.rows()] == [
        (1, "keep"),
        (2, "keep"),
        (3, "discard"),
        (4, "crash"),
    ]
    assert lab.rows()[0].branch == "autoresearch/night/baseline"
    assert "stop condition met: 4/4 attempted" in lab.told


def test_the_ledger_begins_with_the_fifteen_columns_of_the_skill(ended):
    """Any tool that reads NeMo-RL's research ledger reads ours (R76, R77)."""
    lab = ended
    header = (lab.root / "reports" / "auto_research_results.tsv").read_text().splitlines()[0]
    assert header.split("\t")[:15] == list(SHARED)


def test_no_column_of_the_skill_is_empty(ended):
    """Also for a target without a recipe: what was tuned is its configuration file, and a local run has no job id."""
    for line in ended.ledger.read_text().splitlines()[1:]:
        assert all(line.split("\t")[:15])
    assert {(row.recipe, row.job_id) for row in ended.rows()} == {("config.json", "none")}


def test_every_branch_is_kept_with_one_signed_off_commit(ended):
    """Good, weak and crashed ideas alike stay as branches (R38, R43, R44); the baseline's commit is empty (R53)."""
    lab = ended
    branches = git(lab, "branch", "--list", "autoresearch/*", "--format=%(refname:short)").split()
    assert len(branches) == 4
    for branch in branches:
        assert "Signed-off-by:" in git(lab, "log", "-1", "--format=%B", branch)
    assert git(lab, "diff", "--stat", "main", "autoresearch/night/baseline") == ""
    assert git(
        lab, "diff", "--name-only", "autoresearch/night/baseline", "autoresearch/night/raise-the-learning-rate"
    ) == ("config.json\n")


def test_the_users_checkout_is_byte_identical_afterwards(lab):
    """Dirty files that overlap with the experiments, staged work, a stash and untracked files: all as they were."""
    (lab.root / "config.json").write_text('{"lr": 0.3, "wd": 9}\n')
    git(lab, "-c", "user.name=a", "-c", "user.email=b", "stash")
    (lab.root / "config.json").write_text('{"lr": 0.4}\n')
    (lab.root / "train.py").write_text("print('mine')\n")
    git(lab, "add", "train.py")
    (lab.root / "notiz ü.txt").write_text("untracked")
    before = Snapshot.take(lab.root)
    assert lab.run().returncode == 0
    assert difference(before, Snapshot.take(lab.root)) == ()


def test_the_incumbent_is_the_parent_of_the_next_idea(ended):
    """Ideas build on a proven gain (R58), and the row says what it was compared with (R79)."""
    lab = ended
    rows = lab.rows()
    assert rows[2].parent_commit == rows[1].commit
    assert rows[1].parent_commit == rows[0].commit


def test_nothing_of_the_work_is_left_but_evidence(ended):
    """Worktrees and locks are gone when the campaign is over."""
    lab = ended
    assert git(lab, "worktree", "list").count("\n") == 1
    assert not list((lab.root / ".autoresearch" / "locks").glob("*"))


def test_a_finished_campaign_run_again_adds_nothing(finished):
    """`run` on a campaign whose stop rule is met says so and writes no row."""
    lab = finished
    before = lab.said()
    done = lab.run()
    assert done.returncode == 0
    assert "stop condition met" in done.stdout
    assert lab.said() == before


def test_a_researcher_without_further_ideas_ends_the_campaign(lab):
    """With room for ten attempts and three ideas, the campaign ends after the ideas."""
    lab.write(stop="10 experiments")
    assert lab.run().returncode == 0
    assert len(lab.rows()) == 4


def test_a_search_that_finds_nothing_more_ends_before_its_budget(lab):
    """Two verdicts in a row without a keep: the kept one does not count, the crash does, and `status` says it alike."""
    ideas = [*IDEAS, {"title": "never asked for", "overrides": ["lr=0.7"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    lab.write(stop="50 experiments or 2 experiments without a keep")
    assert "2/2 in a row without a keep, 4/50 attempted" in lab.run().stdout
    assert [row.status.value for row in lab.rows()] == ["keep", "keep", "discard", "crash"]
    assert "2/2 in a row without a keep" in lab.cli("status").stdout


def test_a_plan_edited_after_the_start_is_refused(finished):
    """A started plan is frozen: an edit is one clear line and exit code 1, not a silent change of the rules."""
    lab = finished
    lab.write(stop="99 experiments")
    done = lab.run()
    assert done.returncode == 1
    assert "frozen" in done.stderr


def test_a_metric_file_with_many_lines_makes_a_short_journal(lab):
    """The value is the last line's; of the curve the records hold a thousand points at most."""
    (lab.root / "train.py").write_text(
        "import os\nwith open(os.environ['AUTORESEARCH_RUN_FOLDER'] + '/metrics.jsonl', 'w') as file:\n"
        '    for i in range(5000): file.write(f\'{{"step": {i}, "score": {i / 5000}}}\\n\')\n'
    )
    commit_all(lab.root)
    target = {"type": "command", "config": "config.json", "source": "jsonl"}
    lab.write(stop="1 experiments", launcher={"type": "local"}, target=target)
    assert lab.run().returncode == 0
    (event,) = lab.journal("run_measured")
    assert event["measurement"]["value"] == 0.9998
    assert 100 < len(event["measurement"]["curve"]) <= 1000
    assert (lab.folder / "baseline" / "run-1" / "measurement.json").stat().st_size < 100_000
    assert lab.cli("ledger", "check").returncode == 0


def refused_ideas(lab):
    """A campaign whose ideas are rows without a run, for all of them edit what is protected."""
    lab.write(scope={"protect": ["config.json"]})
    return lab.root / ".autoresearch" / "worktrees" / "night" / "2"


def test_the_worktree_of_an_idea_that_never_ran_goes_with_its_row(lab):
    """No run of it ends and takes it away; its branch stays, as all do."""
    tree = refused_ideas(lab)
    controller = lab.start_stepwise()
    lab.step(controller, tree.exists, "the idea's worktree")
    lab.step(controller, lambda: len(lab.rows()) == 2, "the row of the refused idea")
    assert not tree.exists()
    assert git(lab, "rev-parse", "--verify", lab.rows()[1].branch)
    lab.let_go()
    controller.communicate(timeout=200)


def test_a_worktree_that_a_crash_of_ours_left_behind_its_row_goes_at_the_next_start(lab):
    """The row was written and the program was killed: whoever goes on takes the worktree away."""
    tree = refused_ideas(lab)
    lab.run(fault="settle.noted#2=kill")
    assert (len(lab.rows()), tree.exists()) == (2, True)
    controller = lab.start_stepwise()
    lab.step(controller, lambda: len(lab.journal("controller_started")) == 2, "the second start")
    assert not tree.exists()
    lab.let_go()
    controller.communicate(timeout=200)
