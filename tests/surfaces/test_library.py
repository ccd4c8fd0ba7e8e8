"""`import autoresearch`: the same verbs, values and rules for a script or a notebook."""

import re
import subprocess
import sys
from html import unescape

import pytest

import autoresearch as ar
from autoresearch.config import campaign_file
from autoresearch.git import refs

SAID = {"recipe": "config.json", "target": "command", "command": ("python3", "train.py"), "metric": "score", "direction": "maximize",
        "stop": "5 experiments", "launcher": "local", "worth": 0.02}  # fmt: skip
FLAGS = ("config.json", "--target", "command", "--command", "python3 train.py", "--metric", "score", "--direction", "maximize",
         "--stop", "5 experiments", "--launcher", "local", "--worth", "0.02")  # fmt: skip


def test_every_public_name_is_there_and_no_other():
    """What `__all__` lists can be had, and `dir` shows nothing else."""
    assert [name for name in ar.__all__ if not hasattr(ar, name)] == []
    assert dir(ar) == sorted(ar.__all__)
    with pytest.raises(AttributeError, match="'autoresearch' has no attribute 'plna'"):
        ar.plna  # noqa: B018


def test_importing_costs_as_much_as_a_file():
    """No module beside the version's is loaded for it, none of Python's either."""
    line = "import sys; before = set(sys.modules); import autoresearch; print(sorted(set(sys.modules) - before))"
    done = subprocess.run((sys.executable, "-c", line), capture_output=True, text=True, check=True)
    assert done.stdout == "['autoresearch', 'autoresearch.version']\n"


def test_a_plan_is_the_same_from_a_script_and_from_the_command_line(lab):
    """Same file but for the name, same words but for the name; only looking writes nothing."""
    researcher, more = ["file", {"type": "search", "knobs": 2}], {"verdict.confirm": 0, "run": {"grace": 2.0}}
    plan = ar.plan(repo=lab.root, name="mine", ideas="ideas.yaml", researcher=researcher, settings=more, **SAID)
    done = lab.cli(
        *("plan", *FLAGS, "--name", "thine", "--ideas", "ideas.yaml", "--researcher", "file"),
        *("--set", "researcher=[{type: file, path: ideas.yaml}, {type: search, knobs: 2}]"),
        *("--set", "verdict.confirm=0", "--set", "run={grace: 2.0}"),
    )
    assert done.returncode == 0, done.stderr
    theirs = plan.file.parent.with_name("thine") / "campaign.yaml"
    assert plan.file.read_text().replace("mine", "thine") == theirs.read_text()
    assert str(plan).replace("mine", "thine") == done.stdout.partition("\n\nWritten to")[0]
    assert not ar.plan(repo=lab.root, name="looked", write=False, **SAID).file.exists()


def test_a_list_of_ideas_is_named_from_where_one_stands(lab):
    """In a folder below, a list that lies there is found, and the file names it as from the top."""
    below = lab.root / "deep" / "down"
    below.mkdir(parents=True)
    (below / "own ideas.yaml").write_text("[{title: Up, overrides: [lr=0.2]}]\n")
    found = [ar.plan(repo=below, ideas=name, write=False, **SAID) for name in ("own ideas.yaml", "ideas.yaml")]
    assert [plan.campaign.researcher[0].options()["path"] for plan in found] == [
        "deep/down/own ideas.yaml",
        "ideas.yaml",
    ]
    assert not [told for plan in found for told in plan.warnings if "researcher" in told]


def test_one_word_is_not_taken_for_its_letters(lab):
    """A command or a policy in one string is what it says; an open quote is told."""
    said = {**SAID, "command": "python3 train.py 'two words'"}
    assert ar.plan(repo=lab.root, write=False, **said).campaign.command == ("python3", "train.py", "two words")
    assert len(ar.simulate(noise=1, gain=1, runs=4, campaigns=1, policies="greedy").summaries) == 1
    with pytest.raises(ar.errors.UsageError, match="is not valid shell quoting"):
        ar.plan(repo=lab.root, write=False, **{**SAID, "command": "python3 'train.py"})


def test_a_notebook_shows_the_words_of_a_value(lab):
    """A plan, a status and a comparison are text in a cell, whatever stands in it."""
    plan = ar.plan(repo=lab.root, name="mine", goal="accuracy > 0.9 & <b>fast</b>", **SAID)
    values = (plan, ar.open(plan).status(), ar.simulate(noise=1, gain=1, runs=4, campaigns=1, policies=["greedy"]))
    for value in values:
        shown = value._repr_html_()
        assert (shown[:5], unescape(shown[5:-6]), shown[-6:]) == ("<pre>", str(value), "</pre>")
    assert "0.9 &amp; &lt;b&gt;fast&lt;/b&gt;" in plan._repr_html_()


def test_nothing_runs_before_a_person_has_approved(lab):
    """Neither here nor in a process of its own; no branch and no event."""
    campaign = ar.open(lab.root)
    for begin in (campaign.run, campaign.detach):
        with pytest.raises(ar.errors.CampaignError, match=r"not approved.*campaign\.approve"):
            begin()
    assert (campaign.status().state, refs.branches(lab.root, "autoresearch")) == ("planned", {})


def test_an_approval_is_of_the_plan_that_was_read_and_says_whose_it_is(lab):
    """Not of a file that was edited meanwhile, nor of another campaign's plan; nor is it given twice."""
    read = ar.open(lab.root).plan()
    other = ar.plan(repo=lab.root, name="other", **SAID)
    with pytest.raises(ar.errors.CampaignError, match="the plan shown is of other, not of night"):
        ar.open(lab.root, "night").approve(other)
    campaign = ar.open(read, by="Ada")
    assert campaign.paths().name == "night"
    campaign_file.write(read.file, read.campaign.model_copy(update={"stop": "50 experiments"}))
    with pytest.raises(ar.errors.CampaignError, match="changed while its plan was being read"):
        campaign.approve(read)
    assert campaign.approve(campaign.plan()) == "night"
    with pytest.raises(ar.errors.CampaignError, match="was approved by Ada already"):
        campaign.approve(campaign.plan())


def test_an_opened_campaign_stays_the_same_one(lab):
    """Whatever is planned or worked on later, and it says in one line which one it is."""
    campaign = ar.open(lab.root)
    ar.plan(repo=lab.root, name="later", **SAID)
    assert (campaign.status().campaign, ar.open(lab.root).status().campaign) == ("night", "later")
    assert "name='night'" in repr(campaign)
    assert "clock" not in repr(campaign)


def test_what_an_agent_planned_is_not_approved_unread_by_chance(lab):
    """Being the newest is not being meant: a person says its name, or shows that they have read it."""
    read = ar.plan(repo=lab.root, name="its", write=False, settings={"approval.by": "anyone"}, **SAID)
    ar.Campaign(where=lab.root).write(read, agent="some agent")
    for unread in (lambda: ar.open(lab.root).approve(), lambda: ar.open(lab.root).run(approved_by="Ada")):
        with pytest.raises(ar.errors.CampaignError, match="planned by some agent and has not been reviewed"):
            unread()
    assert ar.open(lab.root).approve(ar.open(lab.root).plan()) == "its"


def test_a_campaign_is_run_and_read(lab):
    """Events as values and as lines; status, verdicts, rows and report say what the command line says."""
    campaign = ar.open(lab.root, by="Ada")
    campaign.approve(campaign.plan())
    lines, events = [], []
    status = campaign.run(events.append, on_line=lines.append, poll_s=0.01)
    assert (status.state, status.keep, status.crash) == ("ended", 1, 1)
    assert status == campaign.status()
    assert str(status) in lab.cli("status").stdout
    assert events[-1].at <= campaign.clock()
    assert any(re.search(r"KEEP    #2 0\.\d+ \+0\.\d+ raise-the-learning-rate", line) for line in lines)
    assert [one.status for one in campaign.verdicts()] == [str(row.status) for row in campaign.rows()]
    assert all(path.exists() for path in campaign.report())


def test_an_approved_campaign_goes_on_without_us(lab):
    """Handed to a process of its own, whose work is seen from here."""
    campaign = ar.open(lab.root)
    campaign.approve(campaign.plan(), by="Ada")
    assert campaign.detach(0.01) > 0
    lab.until(lambda: (campaign.status().state, campaign.status().controller) == ("ended", ""), "the end")
    assert campaign.status().keep == 1


def test_what_a_person_says_is_recorded_in_their_name(lab):
    """Steering and overruling, each with who did it; a word that is no verdict is refused."""
    campaign = ar.open(lab.root, by="Ada")
    campaign.approve(campaign.plan())
    campaign.run(poll_s=0.01)
    campaign.steer("try smaller batches")
    with pytest.raises(ar.errors.UsageError, match="'good' is no verdict; choose one of: keep, discard, crash"):
        campaign.overrule(2, "good", reason="I like it")
    campaign.overrule(2, "discard", reason="the validation set was broken")
    assert campaign.status().steering == ("try smaller batches",)
    assert (campaign.verdicts()[1].by, campaign.verdicts()[1].status) == ("Ada", "discard")
    assert str(campaign.rows()[1].status) == "keep"
