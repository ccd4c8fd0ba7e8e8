"""Experiments that a person or an agent drives by hand: whole campaigns, and what is refused."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import commit_all

from autoresearch.campaign.by_hand import Onlooker
from autoresearch.campaign.campaign import Campaign
from autoresearch.errors import CampaignError, HeldError, RepositoryError, UsageError
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.git.commits import message
from autoresearch.git.refs import resolve
from autoresearch.testing.user_files import Snapshot, difference

TRIVIAL = {"states": ["running", "failed"], "log": "NameError: name 'lr' is not defined\n", "exit_code": 1}
SCRIPT = {
    "*baseline*": {"value": [0.5, 0.51, 0.49]},
    "*flat*": {"value": [0.5]},
    "*typo--1": TRIVIAL,
    "*": {"value": [0.7]},
}
QUICK = Onlooker(poll_s=0.01)


def settings(**more: object):
    launcher = {"type": "scripted", "script": SCRIPT}
    return {"stop": "6 experiments", "scope": {"protect": ["train.py"]}, "launcher": launcher, **more}


def approve(lab, **more: object):
    """A campaign of its own kind, approved."""
    lab.write(**settings(**more))
    Campaign(where=lab.root).approve()


@pytest.fixture
def hands(lab):
    """A laboratory whose plan is approved."""
    approve(lab)
    return lab


def verbs(lab):
    return Campaign(where=lab.root, by="ada").by_hand()


def begin(lab, title, lr=0.2, **more: object):
    """Open an experiment and edit its worktree."""
    made = verbs(lab).open(Hypothesis(title=title, area="optimizer", **more))
    edit(made, lr)
    return made


def edit(made, lr):
    Path(made.worktree, "config.json").write_text(json.dumps({"lr": lr, "wd": 0.0}) + "\n")


def carry(lab, title, lr=0.2):
    made = begin(lab, title, lr)
    verbs(lab).run(made.index, QUICK)
    return verbs(lab).judge(made.index, QUICK)


def git(tree, *words: str):
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    return subprocess.run(
        ("git", *identity, *words), cwd=tree, check=True, capture_output=True, text=True
    ).stdout.strip()


# -- the way of one experiment ------------------------------------------------------------------------------------


def test_an_experiment_goes_from_an_edit_to_a_row(hands):
    """One signed-off commit on its branch, baseline first, the policy's verdict; the user's checkout is untouched."""
    before = Snapshot.take(hands.root)
    judged = carry(hands, "double the rate")
    assert (judged.index, judged.status, judged.by) == (2, "keep", "greedy")
    assert [(row.index, row.status.value, row.metric_value) for row in hands.rows()] == [
        (1, "keep", 0.5),
        (2, "keep", 0.7),
    ]
    text = message(hands.root, resolve(hands.root, judged.branch))
    assert text.startswith("optimizer: double the rate\n")
    assert "Signed-off-by: " in text
    assert difference(before, Snapshot.take(hands.root)) == ()
    kept = {path.name for path in (hands.folder / "double-the-rate").iterdir()}
    assert {"brief.md", "diff.patch", "hypothesis.json", "run-1", "run.log"} <= kept
    assert "double the rate" in (hands.folder / "report.md").read_text()
    assert "double-the-rate" in Campaign(where=hands.root).memory()


def test_the_next_one_starts_from_the_incumbent_unless_told(hands):
    """A kept experiment is the parent of the next; `--parent` names another, by number or name."""
    carry(hands, "double the rate")
    assert begin(hands, "weight decay", 0.3).parent == "double-the-rate"
    assert begin(hands, "from the start", 0.4, parent="1").parent == "baseline"
    with pytest.raises(CampaignError, match="nothing can be built on '99'"):
        begin(hands, "from nowhere", parent="99")


def test_opening_twice_is_opening_once(hands):
    """A caller that does not know whether it was heard asks again: same number, same worktree, its edits untouched."""
    first = begin(hands, "double the rate")
    again = verbs(hands).open(Hypothesis(title="double the rate"))
    assert (again.index, again.worktree) == (first.index, first.worktree)
    assert '"lr": 0.2' in Path(again.worktree, "config.json").read_text()


def test_commits_made_in_the_worktree_are_folded_into_one(hands):
    """What counts are the files: a caller's own commits, amended or not, leave one signed-off commit on the branch."""
    made = begin(hands, "double the rate")
    git(made.worktree, "commit", "-q", "-am", "wip")
    edit(made, 0.25)
    git(made.worktree, "commit", "-q", "-am", "wip 2")
    done = verbs(hands).run(made.index, QUICK)
    assert git(hands.root, "rev-parse", f"{done.branch}^") == resolve(hands.root, "autoresearch/night/baseline")
    assert '"lr": 0.25' in git(hands.root, "show", f"{done.branch}:config.json")


def test_runs_are_made_from_the_commit_and_not_from_the_worktree(lab):
    """Files that git ignores stay where they are edited; what runs is what was committed."""
    (lab.root / ".gitignore").write_text("extra.json\n")
    (lab.root / "train.py").write_text("import os\nprint('score:', 1 if os.path.exists('extra.json') else 0)\n")
    commit_all(lab.root)
    approve(lab, launcher={"type": "local"})
    made = begin(lab, "planted")
    Path(made.worktree, "extra.json").write_text("{}\n")
    assert verbs(lab).run(made.index, QUICK).value == 0


def test_a_trivial_crash_is_mended_in_the_worktree(hands):
    """It is told, waits for a hand, and the fix is a commit of its own on the same branch (R40, R145)."""
    made = begin(hands, "typo")
    crashed = verbs(hands).run(made.index, QUICK)
    assert (crashed.state, crashed.reason) == ("crashed", "NameError: name 'lr' is not defined")
    edit(made, 0.3)
    mended = verbs(hands).run(made.index, QUICK)
    assert (mended.state, mended.runs, mended.value) == ("measured", 2, 0.7)
    assert message(hands.root, mended.commit).startswith("optimizer: fix NameError")


def test_what_is_dropped_leaves_branch_and_row(hands):
    """Every attempt leaves evidence, also one that was never run; the next attempt has the next number."""
    carry(hands, "double the rate")
    made = begin(hands, "a worse idea", 0.3)
    dropped = verbs(hands).drop(made.index, "no time left", QUICK)
    assert (dropped.status, dropped.reason) == ("discard", "dropped by ada: no time left")
    assert [row.index for row in hands.rows()] == [1, 2, 3]
    assert '"lr": 0.3' in git(hands.root, "show", f"{dropped.branch}:config.json")
    assert begin(hands, "the next", 0.4).index == 4


@pytest.mark.full
def test_a_plain_run_leaves_an_open_experiment_alone(lab):
    """Its number is taken, its worktree untouched, status shows it; `experiment run` goes on with it afterwards."""
    approve(lab, stop="3 experiments")
    made = begin(lab, "mine", 0.25)
    assert lab.run().returncode == 0
    assert [row.index for row in lab.rows()] == [1, 3]
    assert [one.index for one in Campaign(where=lab.root).status().by_hand] == [2]
    verbs(lab).run(made.index, QUICK)
    assert verbs(lab).judge(made.index, QUICK).status in {"keep", "discard"}
    assert sorted(row.index for row in lab.rows()) == [1, 2, 3]


def test_a_plain_run_finishes_what_was_handed_in(lab):
    """The caller died after handing in: the campaign adopts the run and its policy judges it."""
    approve(lab, stop="2 experiments")
    begin(lab, "mine", 0.25)
    assert lab.cli("experiment", "run", "2", fault="run.submitted#2=kill").returncode == -9
    assert lab.run().returncode == 0
    assert [(row.index, row.description) for row in lab.rows()] == [(1, "the unmodified recipe"), (2, "mine")]
    assert len(lab.journal("run_planned")) == 2 + sum(
        event["purpose"] == "confirm" for event in lab.journal("run_planned")
    )


def test_a_run_is_followed_in_the_background(hands):
    """The edit is checked here and now; the rest is for a process of its own, and `experiment show` tells of it."""
    made = begin(hands, "double the rate")
    Path(made.worktree, "train.py").write_text("print('score: 9')\n")
    assert "train.py is protected" in hands.refused("experiment", "run", "2", "--detach")
    git(made.worktree, "checkout", "train.py")
    begun = hands.cli("experiment", "run", "2", "--detach", "--json", "--poll", "0.01")
    assert json.loads(begun.stdout)["state"] in {"running", "measured"}
    show = ("experiment", "show", "2")
    hands.until(lambda: "is ready to be judged" in hands.cli(*show).stdout, "the run to be followed")
    assert verbs(hands).one(2).state == "measured"
    assert "autoresearch experiment judge 2" in hands.cli(*show).stdout


def test_a_launch_that_wants_approval_waits_for_a_person(lab):
    """Whoever drives it: the question is in the status, the answer a person's, and a denied idea is not run."""
    approve(lab, approval={"launch": "ask", "by": "anyone"})
    begin(lab, "double the rate")
    asked = []

    def answer(event) -> None:
        if event.kind == "approval_asked":
            asked.extend(Campaign(where=lab.root).status().waiting)
            Campaign(where=lab.root).answer(event.request, granted=event.experiment == "baseline", reason="too costly")

    denied = verbs(lab).run(2, Onlooker(listen=answer, poll_s=0.01))
    assert denied.next == "autoresearch experiment judge 2", "running it again would lead nowhere"
    assert [text.split()[0] for text in asked] == ["baseline/1", "double-the-rate/1"]
    judged = verbs(lab).judge(2, QUICK)
    assert (judged.status, judged.runs) == ("discard", 0)
    assert "too costly" in judged.reason


@pytest.mark.full
def test_what_a_researcher_left_half_made_waits_for_it(lab):
    """The campaign died while one was asked: an experiment by hand goes its way, and a plain run takes that up again."""
    approve(lab, stop="3 experiments")
    assert lab.run(fault="propose.opened=kill").returncode == -9
    judged = carry(lab, "mine", 0.25)
    assert (judged.index, judged.status) == (3, "keep")
    assert [row.index for row in lab.rows()] == [1, 3]
    assert lab.run().returncode == 0
    assert sorted(row.index for row in lab.rows()) == [1, 2, 3]


@pytest.mark.full
def test_a_trivial_crash_waits_for_its_own_hand(hands):
    """Another experiment spends none of its tries: it is told what comes first."""
    crashed = begin(hands, "typo")
    verbs(hands).run(crashed.index, QUICK)
    other = begin(hands, "double the rate", 0.3)
    told = verbs(hands).run(other.index, QUICK)
    assert (told.state, told.runs, told.next) == ("interrupted", 0, "autoresearch experiment run 3")
    assert told.reason.startswith("experiment 2 comes first, which crashed for a trivial reason (NameError")
    assert hands.journal("experiment_repaired") == []
    verbs(hands).drop(crashed.index, "a typo", QUICK)
    assert verbs(hands).run(other.index, QUICK).state == "measured"


# -- refusals -----------------------------------------------------------------------------------------------------


def test_nothing_begins_before_a_person_approved_the_plan(lab):
    """The refusal names the command that a person types; without a terminal that asks for `--yes`."""
    with pytest.raises(CampaignError, match="autoresearch approve plan --campaign night"):
        verbs(lab).open(Hypothesis(title="double the rate"))
    assert "no terminal" in lab.refused("approve", "plan", code=2)
    assert lab.journal() == []


def at_a_terminal(lab, *words: str, answer: str) -> str:
    """What a person reads who types an answer."""
    ours, theirs = os.openpty()
    argv = (sys.executable, "-m", "autoresearch", *words)
    with subprocess.Popen(argv, cwd=lab.root, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                said += piece
    os.close(ours)
    return said.decode()


def test_at_a_terminal_the_plan_is_shown_and_asked_about(lab):
    """Only a yes begins anything: `approve plan` begins the clock, `run` the work too."""
    lab.write(**settings(stop="1 experiment"))
    assert "not approved, nothing was started" in at_a_terminal(lab, "approve", "plan", answer="n")
    assert lab.journal() == []
    said = at_a_terminal(lab, "run", "--plain", answer="y")
    assert "Start this campaign? [y/N]" in said
    assert [row.index for row in lab.rows()] == [1], said


def test_a_yes_is_to_the_plan_that_was_read(lab):
    """Whoever edits the campaign file while a person reads its plan has not had it approved."""
    lab.write(**settings())
    read = Campaign(where=lab.root).plan()
    lab.write(**settings(stop="60 experiments"))
    with pytest.raises(CampaignError, match="was changed while its plan was being read; nothing is approved"):
        Campaign(where=lab.root).approve(read)
    assert lab.journal() == []


def test_what_the_guards_object_to_is_not_committed(hands):
    """Protected, empty, twice the same: one line says what, the worktree stays, nothing is spent."""
    made = begin(hands, "double the rate")
    Path(made.worktree, "train.py").write_text("print('score: 9')\n")
    with pytest.raises(CampaignError, match=r"experiment 2 is not run: train.py is protected"):
        verbs(hands).run(made.index, QUICK)
    assert resolve(hands.root, made.branch) == resolve(hands.root, "autoresearch/night/baseline")
    assert Path(made.worktree, "train.py").read_text() == "print('score: 9')\n"
    git(made.worktree, "checkout", "train.py")
    verbs(hands).run(made.index, QUICK)
    with pytest.raises(CampaignError, match="the change is empty"):
        verbs(hands).run(verbs(hands).open(Hypothesis(title="nothing")).index, QUICK)
    with pytest.raises(CampaignError, match="duplicate: the same code and configuration as #2"):
        verbs(hands).run(begin(hands, "the same", parent="1").index, QUICK)
    assert len(hands.journal("run_planned")) == 2


def test_nothing_is_judged_that_was_not_run(hands):
    """Neither before it was handed in, nor by a caller that cannot wait."""
    made = begin(hands, "double the rate")
    with pytest.raises(CampaignError, match="has not been run, so there is nothing to judge"):
        verbs(hands).judge(made.index, QUICK)
    assert hands.rows() == ()


def test_a_paused_or_stopped_campaign_opens_and_runs_nothing(hands):
    """Only a person's `resume` lets it go on; results that are in may still be judged."""
    made = begin(hands, "double the rate")
    verbs(hands).run(made.index, QUICK)
    other = begin(hands, "half the rate", 0.05)
    Campaign(where=hands.root).pause("lunch")
    assert verbs(hands).one(other.index).next == f"autoresearch resume && autoresearch experiment run {other.index}"
    with pytest.raises(CampaignError, match=r"run it with: autoresearch resume && autoresearch experiment run"):
        verbs(hands).judge(other.index, QUICK)
    with pytest.raises(CampaignError, match=r"was paused by .* \(lunch\).*autoresearch resume"):
        begin(hands, "another")
    assert verbs(hands).judge(made.index, QUICK).status == "keep"
    Campaign(where=hands.root).resume()
    assert begin(hands, "another", 0.3).index == 4


@pytest.mark.full
def test_what_was_stopped_may_be_judged_or_dropped_and_stays_stopped(hands):
    """Neither begins anything, so neither needs a person's `resume`; opening another still does."""
    judged, dropped = begin(hands, "double the rate"), begin(hands, "another", 0.3)

    def stop(event) -> None:
        if event.kind == "run_submitted" and "double" in event.run_id:
            Campaign(where=hands.root).stop("enough")

    verbs(hands).run(judged.index, Onlooker(listen=stop, poll_s=0.01))
    assert verbs(hands).judge(judged.index, QUICK).status == "keep"
    assert verbs(hands).drop(dropped.index, "no time", QUICK).status == "discard"
    assert Campaign(where=hands.root).status().state == "stopped"
    with pytest.raises(CampaignError, match=r"was stopped by .* \(enough\).*autoresearch resume"):
        begin(hands, "one more", 0.4)


def test_it_is_not_called_measured_while_the_policy_wants_another_run(lab):
    """Between two of its runs nobody is there: the state says so, and what leads on is running it."""
    approve(lab, verdict={"policy": "strict", "baseline_runs": 2})
    begin(lab, "double the rate")

    def leave(event) -> None:
        if event.kind == "run_measured" and "double" in event.run_id:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verbs(lab).run(2, Onlooker(listen=leave, poll_s=0.01))
    left = verbs(lab).one(2)
    assert (left.state, left.runs, left.next) == ("interrupted", 1, "autoresearch experiment run 2")
    assert "ended without a word" in left.reason
    assert verbs(lab).run(2, QUICK).state == "measured"


def test_the_stop_rule_counts_what_is_opened_by_hand(hands):
    """Six attempts, the baseline included; the seventh is refused with the rule's own sentence."""
    for number in range(5):
        begin(hands, f"idea {number}", 0.2 + number / 10)
    with pytest.raises(CampaignError, match=r"no experiment can be opened: .*6/6 attempted"):
        begin(hands, "one more")


def test_one_controller_at_a_time(hands):
    """While somebody works on the campaign, whoever else comes is told who."""
    made = begin(hands, "double the rate")

    def disturb(_event) -> None:
        with pytest.raises(HeldError, match=f"process {os.getpid()}|pid {os.getpid()}|{os.getpid()}"):
            begin(hands, "another")
        with pytest.raises(HeldError):
            Campaign(where=hands.root).detach()

    verbs(hands).run(made.index, Onlooker(listen=disturb, poll_s=0.01))
    assert len(verbs(hands).listing()) == 1


def test_what_is_committed_cannot_be_edited_further(hands):
    """The measured code is the committed code: another idea is another experiment."""
    made = begin(hands, "double the rate")
    verbs(hands).run(made.index, QUICK)
    edit(made, 0.4)
    with pytest.raises(CampaignError, match=r"is committed as .* was edited since"):
        verbs(hands).run(made.index, QUICK)
    verbs(hands).judge(made.index, QUICK)
    assert Path(made.worktree).exists(), "edits that nobody committed are never thrown away"


def test_a_worktree_that_leads_elsewhere_is_not_believed(hands):
    """Its `.git` file decides whose configuration git obeys."""
    made = begin(hands, "double the rate")
    Path(made.worktree, ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(RepositoryError, match="no longer the worktree"):
        verbs(hands).run(made.index, QUICK)


def test_experiments_of_the_campaign_itself_are_not_driven(hands):
    """The baseline cannot be run, judged or dropped by a caller."""
    begin(hands, "double the rate")
    for verb in (verbs(hands).run, verbs(hands).judge):
        with pytest.raises(CampaignError, match="is the campaign's own"):
            verb(1, QUICK)
    with pytest.raises(CampaignError, match="there is no experiment 7; opened by hand: 2"):
        verbs(hands).run(7, QUICK)
    with pytest.raises(UsageError, match="needs a reason"):
        verbs(hands).drop(2, " ")


@pytest.mark.parametrize(
    "words",
    [
        {"title": "one\ntwo"},
        {"title": "x" * 201},
        {"title": "fine", "area": "two words"},
        {"title": "fine", "expected": float("nan")},
        {"title": "fine", "rationale": "x" * 4001},
    ],
)
def test_words_that_no_row_can_hold_are_refused(lab, words):
    """A title of one line, an area of one word, a finite number: nothing is opened before they are."""
    with pytest.raises(UsageError):
        verbs(lab).open(Hypothesis(**words))
    assert lab.journal() == []


def test_secrets_in_words_are_kept_nowhere(hands, monkeypatch):
    """Title, reasoning and reasons go into journal, brief, commit and row: without the secret."""
    monkeypatch.setenv("WANDB_API_KEY", "hunter2-7Qx9vLmZp41")
    carry(hands, "double the rate")
    made = begin(hands, "key hunter2-7Qx9vLmZp41", 0.3, rationale="see hunter2-7Qx9vLmZp41")
    verbs(hands).drop(made.index, "hunter2-7Qx9vLmZp41", QUICK)
    found = subprocess.run(("grep", "-rl", "hunter2", "."), cwd=hands.root, capture_output=True, text=True, check=False)
    assert found.stdout == ""
    assert "hunter2" not in git(hands.root, "log", "--all", "--format=%B%D")
