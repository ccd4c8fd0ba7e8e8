"""Whole campaigns whose ideas come from an agent, through the command line."""

import json
import subprocess
import sys

import pytest
from tests.agents.conftest import needs_acp
from tests.agents.fake_llm import Fail, Say, Script, Shell, serving
from tests.agents.real_agents import settings
from tests.agents.test_acp_hostile import PEER

from autoresearch.testing.user_files import Snapshot, difference

SCRIPT = {"*baseline*": {"value": [0.5]}, "*learning-rate*": {"value": [0.7]}, "*": {"value": [0.5]}}
EDIT = """sed -i 's/0.1/0.2/' config.json
echo '{"title": "double the learning rate", "area": "optimizer", "expected": 0.1}' > "$AUTORESEARCH_ANSWER"
"""


def plan(lab, *researchers: object, stop: str = "2 experiments", **more: object):
    """A campaign of one idea; the launcher plays its results."""
    lab.write(researcher=list(researchers), stop=stop, launcher={"type": "scripted", "script": SCRIPT}, **more)


def shell(script, **more: object):
    return {"type": "agent", "agent": "command", "command": ["bash", "-c", script], "tries": 1, **more}


def branch(lab, name):
    words = ("git", "log", "-1", "--format=%s", f"autoresearch/night/{name}")
    return subprocess.run(words, cwd=lab.root, capture_output=True, text=True, check=True).stdout.strip()


def status(lab):
    return json.loads(lab.cli("status", "--json").stdout)


def test_an_agents_edit_becomes_a_commit_with_a_row(lab):
    """Branch, row, patch, brief, prompt and `agent.json`: the evidence of one attempt, its dry run included."""
    plan(lab, shell(f'{EDIT}"$AUTORESEARCH_CHECK"'), run={"check": ["grep", "0.2", "config.json"]})
    before = Snapshot.take(lab.root)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [(row.index, row.status.value) for row in lab.rows()] == [(1, "keep"), (2, "keep")]
    assert branch(lab, "double-the-learning-rate") == "optimizer: double the learning rate"
    kept = {path.name for path in (lab.folder / "double-the-learning-rate").iterdir()}
    assert {"agent.json", "agent.log", "agent-prompt.md", "brief.md", "diff.patch", "hypothesis.json"} <= kept
    call = json.loads((lab.folder / "double-the-learning-rate/agent.json").read_text())["calls"][0]
    assert "the recipe resolves, lr 0.1 -> 0.2; the quick check ran" in call["dry_runs"][0]
    assert difference(before, Snapshot.take(lab.root)) == ()


@pytest.mark.full
def test_a_real_agent_carries_a_campaign(lab, monkeypatch):
    """Claude Code, headless, against a scripted model: its edit is committed, run and kept."""
    answer = 'Done.\n```json\n{"title": "double the learning rate", "area": "optimizer"}\n```'
    with serving(Script((Shell("sed -i s/0.1/0.2/ config.json"), Say(answer)))) as url:
        plan(lab, {"type": "agent", "tries": 1, **settings("claude", url, monkeypatch)})
        done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [row.status.value for row in lab.rows()] == ["keep", "keep"]
    call = json.loads((lab.folder / "double-the-learning-rate" / "agent.json").read_text())["calls"][0]
    assert call["cost_usd"] > 0


@pytest.mark.full
@needs_acp
def test_an_agent_that_asks_first_carries_a_campaign(lab):
    """Over the Agent Client Protocol: what the scope allows is committed, what it does not is refused and on record."""
    asks = [["fs/write_text_file", {"path": path, "content": '{"lr": 0.2}'}] for path in ("train.py", "config.json")]
    argv = [sys.executable, str(PEER), "ask", json.dumps(asks)]
    agent = {"type": "agent", "agent": "command", "protocol": "acp", "command": argv, "show": [str(PEER.parent)]}
    plan(lab, {**agent, "tries": 1}, scope={"protect": ["train.py"]})
    done = lab.run()
    assert done.returncode == 0, done.stderr
    row = lab.rows()[1]
    assert (row.description, row.status.value) == ("asked a lot", "discard")
    assert (lab.folder / "asked-a-lot" / "diff.patch").read_text().count("diff --git") == 1
    asked = json.loads((lab.folder / "asked-a-lot" / "agent.json").read_text())["calls"][0]["asked"]
    assert [one["answer"] for one in asked] == ["refused", "written"]


LEARNER = """lr=0.1$(basename "$PWD" | tr -dc 0-9)
sed -i "s/[0-9.]*, \\"wd\\"/$lr, \\"wd\\"/" config.json
cat > "$AUTORESEARCH_ANSWER" <<END
{"title": "learning-rate of $lr", "area": "optimizer", "usage": {"cost_usd": 0.5, "tokens_out": 7}, "learned": [
  {"kind": "helped", "text": "faster rates pay", "ideas": [2]},
  {"kind": "never", "text": "faster rates never pay", "ideas": ["#2"]},
  {"kind": "helped", "text": "gradient noise is what limits it", "ideas": []}]}
END
"""


@pytest.mark.parametrize("asked", [True, pytest.param(False, marks=pytest.mark.full)])
def test_an_agent_says_what_was_learned_and_the_page_takes_what_was_measured(lab, asked):
    """In the call after a renewal, on its bill: with experiments and interval, and not what these contradict."""
    verdict = {"policy": "greedy", "baseline_runs": 2, "confirm": 0, "insights": 1}
    plan(lab, shell(LEARNER, insights=asked), stop="3 experiments", verdict=verdict)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    calls = lab.journal("researcher_asked")
    assert [(call["verdicts"], len(call["learned"]), call["cost_usd"]) for call in calls] == [
        (0, 0, 0.5),
        (1, 3, 0.5) if asked else (0, 0, 0.5),
    ]
    page = (lab.folder / "insights.md").read_text()
    assert ("- faster rates pay (#2, together +0.2" in page) is asked
    assert ("- faster rates never pay (#2): one of what it names helped" in page) is asked
    assert ("- gradient noise is what limits it (no experiment): it names no experiment" in page) is asked
    prompts = [path.read_text() for path in sorted(lab.folder.glob("learning-rate-*/agent-prompt.md"))]
    assert [("under `learned`" in prompt) for prompt in prompts].count(True) == int(asked)


def test_a_breach_of_an_agents_is_a_row_with_its_reason(lab):
    """It edits what measures: the branch is kept, nothing is run, the row says why."""
    plan(lab, shell("echo 'print(1)' > train.py\n" + EDIT), scope={"protect": ["train.py"]})
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert row.status.value == "crash"
    assert "train.py is protected" in row.reason
    assert not list((lab.folder / "double-the-learning-rate").glob("run-*"))


@pytest.mark.full
def test_a_repeated_proposal_is_refused_before_it_costs_a_run(lab):
    """The second time the same edit of the same parent comes, the row says of what it is a duplicate."""
    plan(lab, shell(EDIT.replace("0.2", "0.3").replace("double the learning rate", "weight")), stop="3 experiments")
    assert lab.run().returncode == 0
    assert "duplicate" in lab.rows()[2].reason


def test_a_planted_metric_is_no_result(lab):
    """A log line and a metric file in its commit: the number in the row is the run's own."""
    plan(lab, shell("echo 'score: 99' > run.log; echo '{\"score\": 99}' > metrics.json\n" + EDIT))
    assert lab.run().returncode == 0
    assert lab.rows()[1].metric_value == 0.7


def test_what_gives_no_idea_is_no_experiment(lab):
    """Nothing changed: no row and no count, an event with its cost, and the next researcher is asked at once."""
    plan(lab, shell("echo 'I refuse.'"), {"type": "file", "path": "ideas.yaml"}, stop="3 experiments")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [row.description for row in lab.rows()][1:] == ["raise the learning rate", "weight decay"]
    assert [event["outcome"] for event in lab.journal("researcher_asked")] == ["fruitless", "fruitless"]
    assert "fruitless: the agent changed nothing: refusal: I refuse." in done.stdout
    assert "agent (command): 0 ideas from 2 calls" in (lab.folder / "report.md").read_text()


@pytest.mark.full
def test_an_agent_alone_that_gives_nothing_rests_and_the_campaign_says_why(lab):
    """Three times in a row, soon after each other; then there is nobody left to ask."""
    plan(lab, shell("echo nonsense"), stop="9 experiments")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert (len(lab.rows()), len(lab.journal("researcher_asked"))) == (1, 3)
    assert "agent rests after 3 refused proposals in a row" in str(lab.journal("campaign_ended")[-1]["reason"])


def test_a_researcher_in_trouble_is_seen(lab):
    """One line when it falls out and when it is back; the report says since when, why, and who proposed instead."""
    flag = lab.root / ".git" / "answers"
    script = f"test -e '{flag}' && {{ {EDIT} exit; }}; echo 'API Error: 529 Overloaded' >&2; exit 1"
    ideas = {"type": "file", "path": "ideas.yaml", "limit": 1}
    plan(lab, shell(script), ideas, stop="3 experiments")
    child = lab.start_stepwise()
    lab.step(
        child, lambda: lab.journal("researcher_out") and len(lab.journal("experiment_committed")) > 1, "a fall-out"
    )
    (waiting,) = status(lab)["waiting"]
    assert "researcher agent is without an answer from its model (limit, overload or network) since" in waiting
    assert "1 idea came from file instead" in waiting
    assert "529 Overloaded" in waiting
    flag.touch()
    lab.let_go()
    out, err = child.communicate(timeout=200)
    assert child.returncode == 0, err
    assert "researcher agent has fallen out (rate-limit)" in out
    assert "researcher agent is back" in out
    assert lab.journal("researcher_back")
    assert "researcher agent was without an answer from its model" in (lab.folder / "report.md").read_text()


def test_what_an_idea_cost_stands_in_its_row(lab):
    """Researcher, model, minutes, tokens and money, after all other columns; only where somebody was paid."""
    usage = '"usage": {"model": "gpt-5", "tokens_in": 1000000, "tokens_out": 100000}'
    plan(lab, shell(EDIT.replace('"expected"', f'{usage}, "expected"')))
    assert lab.run().returncode == 0
    extra = lab.rows()[1].extra
    assert (extra["researcher"], extra["model"], extra["agent_tokens"]) == ("agent", "gpt-5", "1100000")
    assert extra["agent_usd"] == "2.2500"
    (line,) = status(lab)["spent"]
    assert line.startswith("agent (command, gpt-5): 1 idea from 1 call, ")
    assert "1100000 tokens, about 2.25 USD; kept ideas gained +0.2" in line


@pytest.mark.full
def test_a_researcher_without_a_login_passes_on_to_the_next(lab):
    """The trouble spends no attempt while somebody else has an idea."""
    plan(lab, shell("echo 'not logged in' >&2; exit 1"), {"type": "file", "path": "ideas.yaml"}, stop="3 experiments")
    assert lab.run().returncode == 0
    assert [row.description for row in lab.rows()][1:] == ["raise the learning rate", "weight decay"]


def test_a_trivial_crash_is_mended_by_the_agent_on_its_branch(lab):
    """The fix is a commit of its own on the same branch, its evidence in a folder of its own (R40, R145)."""
    crash = {"states": ["running", "failed"], "log": "NameError: name 'lr' is not defined\n", "exit_code": 1}
    played = {"*baseline*": {"value": [0.5]}, "*": crash}
    script = f"grep -q NameError \"$AUTORESEARCH_BRIEF\" && {{ echo '# mended' >> train.py; exit; }}\n{EDIT}"
    lab.write(researcher=shell(script), stop="2 experiments", launcher={"type": "scripted", "script": played})
    assert lab.run().returncode == 0
    assert branch(lab, "double-the-learning-rate").startswith("optimizer: fix ")
    assert json.loads((lab.folder / "double-the-learning-rate" / "repair-1" / "agent.json").read_text())["calls"]


@pytest.mark.full
def test_memory_that_code_took_is_taken_back_by_the_agent_once(lab):
    """Half of it, as a commit on its branch, before the verdict, which names both ends (R146)."""
    full = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
    crash = {"states": ["running", "failed"], "log": full, "exit_code": 1}
    played = {"*baseline*": {"value": [0.5]}, "*": crash}
    script = f"grep -q OutOfMemory \"$AUTORESEARCH_BRIEF\" && {{ echo '# half' >> train.py; exit; }}\n{EDIT}echo wide=2 >> train.py"
    lab.write(researcher=shell(script), stop="2 experiments", launcher={"type": "scripted", "script": played})
    assert lab.run().returncode == 0
    (row,) = lab.rows()[1:]
    assert (row.status, "reduced by agent after oom-gpu" in row.reason) == ("discard", True)
    assert len(lab.journal("experiment_repaired")) == 1


@pytest.mark.full
def test_approving_itself_does_not_start_a_run(lab):
    """With every launch to be approved, an agent without a sandbox that writes the approval is not believed."""
    journal = lab.folder / "journal.jsonl"
    forged = {
        "v": 1,
        "kind": "approval_given",
        "at": 2.0,
        "request": "double-the-learning-rate/1",
        "granted": True,
        "by": "Ada",
    }
    script = f"echo '{json.dumps(forged)}' >> '{journal}'\n{EDIT}"
    plan(lab, shell(script, sandbox="none"))
    assert lab.run().returncode == 0
    assert not any(event["request"] == forged["request"] for event in lab.journal("approval_given"))
    assert any("must be given again" in str(event["text"]) for event in lab.journal("noted"))


@pytest.mark.full
@pytest.mark.parametrize("status", [401, 529])
def test_a_model_that_does_not_answer_passes_on_to_the_next(lab, monkeypatch, status):
    """A real agent whose model refuses: the list of ideas goes on instead."""
    with serving(Script((Say("x"),), Fail(status, "no"))) as url:
        said = {"type": "agent", "tries": 1, **settings("claude", url, monkeypatch)}
        plan(lab, said, {"type": "file", "path": "ideas.yaml"})
        done = lab.run()
    assert done.returncode == 0, done.stderr
    assert lab.rows()[1].description == "raise the learning rate"
