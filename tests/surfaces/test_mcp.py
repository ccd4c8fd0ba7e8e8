"""The MCP server through a real client: `speak` starts a process of its own and talks over its standard input and output.

What a tool answers does not depend on the way there: `ask` has server and client in one process, without one to start.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from autoresearch.campaign.by_hand import Onlooker
from autoresearch.campaign.campaign import Campaign
from autoresearch.experiment.events import RunMeasured
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.mcp.answers import MOST, cut, head, newest_rows, tail

try:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.shared.exceptions import MCPError
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("the MCP SDK is not installed; install it with: pip install -e '.[mcp]'", allow_module_level=True)

from autoresearch.mcp.server import server

SECRET = "hunter2-7Qx9vLmZp41"
SCRIPT = {"*baseline*": {"value": [0.5]}, "*": {"value": [0.7], "log": f"key {SECRET}\nscore: 0.7\n"}}
LOOKING = {"status", "experiment_list", "ledger", "show", "log", "diff", "session_show"}
TOOLS = {
    "plan",
    "ask_person",
    "experiment_new",
    "experiment_run",
    "experiment_judge",
    "experiment_drop",
    "report",
    "steer",
    "pause",
    "stop",
}


class Caller:
    """An agent's side: calls tools, keeps what it is told of progress."""

    def __init__(self, client) -> None:
        self.client = client
        self.told = []

    async def __call__(self, name, /, **values: object) -> Any:
        """The structured answer of a tool that succeeds."""
        result = await self.client.call_tool(name, values, progress_callback=self.hear)
        assert not result.is_error, result.content[0].text
        assert (
            json.loads(json.dumps(result.structured_content), parse_constant=pytest.fail) == result.structured_content
        )
        return result.structured_content.get("result", result.structured_content)

    async def hear(self, progress, total, message) -> None:
        self.told.append(message)

    async def refused(self, name, /, **values: object) -> str:
        """What a tool says that refuses: one line, no traceback."""
        result = await self.client.call_tool(name, values)
        text = result.content[0].text
        assert result.is_error, text
        assert "Traceback" not in text
        return text


def speak(lab, conversation, *words: str):
    """Start a server, have the conversation, end it."""
    argv = ["-m", "autoresearch", "mcp", *words]
    env = {"WANDB_API_KEY": SECRET}
    return talk(
        stdio_client(StdioServerParameters(command=sys.executable, args=argv, cwd=lab.root, env=env)), conversation
    )


def ask(lab, conversation):
    """Have the conversation with a server in this process."""
    return talk(server(lab.root, None), conversation)


def talk(partner, conversation):
    """Connect a client, have the conversation, close it."""

    async def whole() -> Any:
        async with Client(partner) as client:
            return await conversation(Caller(client))

    return asyncio.run(asyncio.wait_for(whole(), 280))


@pytest.fixture
def approved(lab):
    """A campaign whose plan a person has approved."""
    lab.write(launcher={"type": "scripted", "script": SCRIPT}, scope={"protect": ["train.py"]}, stop="4 experiments")
    Campaign(where=lab.root).approve()
    return lab


def edit(made, lr=0.2):
    plant(made, "config.json", json.dumps({"lr": lr, "wd": 0.0}))


def plant(made, name, content):
    """Put a file, or a link to a path, into an experiment's worktree."""
    place = Path(made["worktree"], name)
    place.symlink_to(content) if isinstance(content, Path) else place.write_text(content)


def run(lab):
    """Run the second experiment without an agent, in this process."""
    Campaign(where=lab.root).by_hand().run(2, Onlooker(poll_s=0.01))


async def until(found, patience_s=200):
    """Wait for something to become true."""
    for _ in range(patience_s * 20):
        if found():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"waited {patience_s} s in vain")


def test_what_is_offered_grants_nothing(lab):
    """Every tool says what it does to the world; none approves, overrules, resumes or writes a record."""

    async def conversation(call) -> None:
        tools = {tool.name: tool for tool in (await call.client.list_tools()).tools}
        assert set(tools) == LOOKING | TOOLS
        assert {name for name, tool in tools.items() if tool.annotations.read_only_hint} == LOOKING
        assert {name for name, tool in tools.items() if tool.annotations.destructive_hint} == {
            "experiment_drop",
            "stop",
        }
        assert all(tool.description and tool.output_schema and tool.annotations.title for tool in tools.values())
        for name in ("approve", "overrule", "resume", "deny"):
            assert "Unknown tool" in await call.refused(name)
        assert "autoresearch approve" not in call.client.instructions

    ask(lab, conversation)


def test_an_experiment_goes_from_a_tool_call_to_a_verdict(approved):
    """Open, edit, run with progress, judge: typed answers, and the caller's own name in the journal."""

    async def conversation(call) -> None:
        made = await call("experiment_new", title="double the rate", area="optimizer", expected_effect=0.1)
        assert made == await call("experiment_new", title="double the rate")
        edit(made)
        ran = await call("experiment_run", index=2, wait_s=60)
        assert (ran["state"], ran["runs"], ran["value"]) == ("measured", 1, 0.7)
        judged = await call("experiment_judge", index=2)
        assert (judged["status"], judged["by"]) == ("keep", "greedy")
        assert judged == await call("experiment_judge", index=2)
        assert [row["status"] for row in await call("ledger")] == ["keep", "keep"]
        assert (await call("show", index=2))["runs"][0]["value"] == 0.7
        assert '+{"lr": 0.2' in (await call("diff", index=2))["text"]
        assert "double the rate" in (await call("report"))["text"]
        assert "double-the-rate" in (await call("session_show"))["text"]

    speak(approved, conversation)
    assert approved.journal("experiment_opened")[1]["by"].endswith("over MCP")
    assert [row.index for row in approved.rows()] == [1, 2]


@pytest.mark.full
def test_progress_is_told_while_a_run_is_followed(lab):
    """A line whenever something changes: which run, on which seed, the metric so far."""
    lab.local(stop="2 experiments")
    Campaign(where=lab.root).approve()

    async def conversation(call) -> None:
        edit(await call("experiment_new", title="double the rate"))
        following = asyncio.create_task(call("experiment_run", index=2, wait_s=100))
        await until(lambda: any("baseline run, seed 42, running, score 0." in text for text in call.told))
        lab.gate.touch()
        assert (await following)["state"] == "measured"

    speak(lab, conversation)


@pytest.mark.full
def test_a_cancelled_call_and_a_closed_client_end_no_run(lab):
    """The runs belong to a process of their own: whoever comes next follows the same one."""
    lab.local(stop="2 experiments")
    Campaign(where=lab.root).approve()

    async def conversation(call) -> None:
        edit(await call("experiment_new", title="double the rate"))
        following = asyncio.create_task(call("experiment_run", index=2, wait_s=100))
        await until(lambda: call.told and lab.pids())
        following.cancel()
        assert (await call("experiment_run", index=2, wait_s=0))["state"] == "running"
        assert "2/2 attempted" in await call.refused("experiment_new", title="another")

    async def later(call) -> None:
        assert (await call("status"))["state"] == "running"
        lab.gate.touch()
        assert (await call("experiment_run", index=2, wait_s=100))["state"] == "measured"

    speak(lab, conversation)
    speak(lab, later)
    assert len(lab.journal("run_planned")) == 2


def test_what_a_tool_does_not_take_is_refused(approved):
    """Nothing is done for a misspelt argument; what is wrong is one line without an address."""

    async def conversation(call) -> None:
        assert "did you mean 'campaign'?" in await call.refused("stop", campain="typo")
        assert "it takes: campaign" in await call.refused("status", x=1)
        for values in ({"index": "two"}, {"index": 0}, {}):
            told = await call.refused("experiment_run", **values)
            assert told.startswith("experiment_run: index: ")
            assert "http" not in told
            assert "\n" not in told
        assert "U+202E" in await call.refused("experiment_new", title="raise \u202ethe rate")

    ask(approved, conversation)
    assert approved.journal("stop_requested") == []


def test_what_is_offered_is_short(approved):
    """Definitions of the tools stay below 16000 characters, about 4000 tokens; unknown arguments are not among them."""

    async def conversation(call) -> None:
        tools = (await call.client.list_tools()).tools
        assert len(json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in tools])) < 16_000
        assert all(tool.input_schema["additionalProperties"] is False for tool in tools)
        told = await call.client.read_resource("autoresearch://plan")
        assert "campaign: night" in told.contents[0].text
        assert '"name": "baseline"' in (await call.client.read_resource("autoresearch://experiment/1")).contents[0].text

    edit(Campaign(where=approved.root).by_hand().open(Hypothesis(title="x")).__dict__)
    ask(approved, conversation)


def test_a_hostile_caller_is_refused_in_one_line(lab):
    """Run before approval, approve itself, judge without a run, leave the scope, edit the records: each says why not."""
    lab.write(launcher={"type": "scripted", "script": SCRIPT}, scope={"protect": ["train.py"]})

    async def before(call) -> None:
        told = await call.refused("experiment_new", title="x")
        assert "only a person may do that, with: autoresearch approve plan --campaign night" in told
        assert "decided by a person" in await call.refused("plan", settings={"approval": {"plan": "auto"}})

    async def after(call) -> None:
        made = await call("experiment_new", title="double the rate")
        assert "nothing to judge" in await call.refused("experiment_judge", index=2)
        plant(made, "train.py", "print('score: 9')\n")
        assert "train.py is protected" in await call.refused("experiment_run", index=2)
        plant(made, "ledger", lab.ledger)
        assert "symbolic link" in await call.refused("experiment_run", index=2)
        assert "is the campaign's own" in await call.refused("experiment_judge", index=1)
        assert "there is no experiment 9" in await call.refused("show", index=9)
        await call("pause", reason="enough")
        assert "a person lets it go on with: autoresearch resume" in await call.refused("experiment_new", title="more")

    ask(lab, before)
    Campaign(where=lab.root).approve()
    ask(lab, after)
    assert lab.rows() == ()
    assert lab.journal("run_planned") == []


def test_records_are_resources(approved):
    """Ledger, report, session and briefs can be read by address; what is not there is said in one line."""

    async def conversation(call) -> Any:
        edit(await call("experiment_new", title="double the rate"))
        run(approved)
        await call("experiment_judge", index=2)
        listed = {str(one.uri) for one in (await call.client.list_resources()).resources}
        assert listed == {f"autoresearch://{name}" for name in ("ledger", "report", "session", "plan", "plot")}
        texts = {
            uri: (await call.client.read_resource(uri)).contents[0].text for uri in (*listed, "autoresearch://brief/2")
        }
        with pytest.raises(MCPError, match="there is no experiment 7"):
            await call.client.read_resource("autoresearch://brief/7")
        return texts

    texts = ask(approved, conversation)
    assert texts["autoresearch://ledger"] == approved.ledger.read_text()
    assert texts["autoresearch://brief/2"].startswith("# Brief for attempt 2")
    assert "double the rate" in texts["autoresearch://report"]
    assert "raise the score" in texts["autoresearch://session"]


def test_no_answer_holds_a_secret(approved, monkeypatch):
    """Logs, diffs and refusals leave without it, whoever put it there."""
    monkeypatch.setenv("WANDB_API_KEY", SECRET)

    async def conversation(call) -> Any:
        made = await call("experiment_new", title=f"use {SECRET}")
        edit(made, SECRET)
        run(approved)
        said = [await call(name, index=2) for name in ("log", "diff", "show", "experiment_judge")]
        said += [
            await call("status"),
            await call("ledger"),
            await call.refused("experiment_drop", index=2, reason=SECRET),
        ]
        return json.dumps(said)

    assert SECRET not in ask(approved, conversation)


@pytest.mark.full
def test_a_controller_that_died_between_two_runs_is_followed_by_another(lab):
    """One run is in and the policy wants more: judging is refused, and running goes on instead of doing nothing."""
    lab.write(launcher={"type": "scripted", "script": SCRIPT}, verdict={"policy": "strict", "baseline_runs": 2})
    Campaign(where=lab.root).approve()

    def leave(event) -> None:
        if isinstance(event, RunMeasured) and "double" in event.run_id:
            raise KeyboardInterrupt

    async def conversation(call) -> None:
        edit(await call("experiment_new", title="double the rate"))
        with pytest.raises(KeyboardInterrupt):
            Campaign(where=lab.root).by_hand().run(2, Onlooker(listen=leave, poll_s=0.01))
        assert "asks for another run" in await call.refused("experiment_judge", index=2)
        await call("experiment_run", index=2, wait_s=60)
        assert (await call("experiment_judge", index=2))["runs"] > 1

    speak(lab, conversation)


@pytest.mark.full
def test_a_process_that_dies_early_is_not_called_running(lab):
    """Its run goes on without it: the answer says that nobody follows it, and calling again does."""
    lab.local()
    Campaign(where=lab.root).approve()

    async def conversation(call) -> None:
        edit(await call("experiment_new", title="double the rate"))
        following = asyncio.create_task(call("experiment_run", index=2, wait_s=60))
        await asyncio.to_thread(lab.until, lambda: lab.journal("run_started"), "the baseline's run to start")
        os.kill(lab.journal("controller_started")[-1]["pid"], signal.SIGKILL)
        left = await following
        assert (left["state"], left["next"]) == ("interrupted", "autoresearch experiment run 2")
        assert "ended without a word" in left["reason"]
        lab.gate.touch()
        assert (await call("experiment_run", index=2, wait_s=60))["state"] == "measured"

    speak(lab, conversation)


@pytest.mark.full
def test_calls_that_come_side_by_side_wait_for_each_other(approved):
    """Agents call several tools at once: none is told that its own server holds the campaign, and to stop that."""

    async def conversation(call) -> None:
        made = await asyncio.gather(*(call("experiment_new", title=f"idea {number}") for number in range(3)))
        assert sorted(one["index"] for one in made) == [2, 3, 4]
        dropped = await asyncio.gather(
            *(call.refused("experiment_drop", index=number, reason="x") for number in (2, 3))
        )
        assert all("the baseline's row comes first" in text for text in dropped)

    speak(approved, conversation)


@pytest.mark.full
def test_two_experiments_run_at_once(lab):
    """While one goes on, the next is opened, edited, run and dropped; the first is judged afterwards."""
    lab.local(parallel=2, stop="6 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    lab.gate.touch()
    Campaign(where=lab.root).approve()

    async def conversation(call) -> None:
        edit(await call("experiment_new", title="first"))
        await call("experiment_run", index=2, wait_s=200)
        lab.gate.unlink()
        for number in (3, 4):
            edit(await call("experiment_new", title=f"number {number}"), lr=number)
            assert (await call("experiment_run", index=number, wait_s=1))["state"] == "running"
        await asyncio.to_thread(lab.until, lambda: len(lab.pids()) == 4, "two runs at once")
        assert (await call("experiment_judge", index=2))["index"] == 2
        assert (await call("experiment_drop", index=4, reason="enough"))["status"] == "discard"
        lab.gate.touch()
        assert (await call("experiment_run", index=3, wait_s=200))["state"] != "running"

    speak(lab, conversation)


def test_resources_are_bounded():
    """A table keeps its head and its newest rows, a text its beginning and a word on what was left out."""
    table = "index\tbranch\n" + "".join(f"{number}\tautoresearch/night/{number}\n" for number in range(10_000))
    rows = newest_rows(table).splitlines()
    assert (rows[0], rows[-1]) == ("index\tbranch", "9999\tautoresearch/night/9999")
    assert len("\n".join(rows)) < MOST
    assert newest_rows("") == ""
    told = cut(head("x" * (MOST + 7), "/there/report.md"))
    assert told.endswith("[left out: the last 7 characters; all of it: /there/report.md]\n")
    assert cut(head("short")) == "short"


@pytest.mark.full
def test_outside_a_repository_the_reason_is_told(lab):
    """An agent that started the server in the wrong folder learns that, in one line."""

    async def conversation(call) -> Any:
        return await call.refused("status")

    assert "is not inside a git repository" in speak(lab, conversation, "--repo", str(lab.root.parent))


def test_of_a_long_log_only_the_end_is_read(tmp_path):
    """Whole lines, then characters, are left out from the beginning; one endless line is not."""
    log = tmp_path / "run.log"
    log.write_text("".join(f"line {number}\n" for number in range(200_000)))
    page = tail(log, 2, str.upper)
    assert (page.text, page.path) == ("LINE 199998\nLINE 199999\n", str(log))
    assert page.cut.startswith(f"about {log.stat().st_size - 24} characters")
    log.write_text("x" * 3_000_000)
    assert set(tail(log, 2, str).text) == {"x"}


@pytest.mark.full
def test_a_damaged_journal_is_one_line(approved):
    """What is wrong with the records is told to an agent as to a person."""
    journal = approved.folder / "journal.jsonl"
    journal.write_text("garbage\n" + journal.read_text())

    async def conversation(call) -> Any:
        return await call.refused("status")

    assert "garbage" in speak(approved, conversation)


def test_a_plan_is_shown_or_written_and_never_approved(lab):
    """The answer says what a person types, and a yes for whatever was planned last is none to what an agent planned."""
    settings = {"target": {"type": "command", "source": {"type": "stdout"}}, "command": ["python3", "train.py"],
                "objective": {"metric": "score", "direction": "maximize"}, "researcher": []}  # fmt: skip

    async def conversation(call) -> Any:
        shown = await call("plan", name="second", stop="3 experiments", settings=settings)
        assert shown["file"] == ""
        assert "nothing was written" in shown["approve"]
        written = await call("plan", name="second", stop="3 experiments", settings=settings, write=True)
        assert written["approve"].endswith("autoresearch approve plan --campaign second")
        assert "exists already" in await call.refused("plan", name="second", settings=settings, write=True)
        return written

    file = Path(ask(lab, conversation)["file"])
    assert file.parent.name == "second"
    assert not (file.parent / "journal.jsonl").exists()
    for words in (("run", "--yes"), ("run", "--yes", "--detach"), ("approve", "plan", "--yes")):
        assert "over MCP and has not been reviewed" in lab.refused(*words)
    assert not (file.parent / "journal.jsonl").exists()
    done = lab.cli("approve", "plan", "--yes", "--campaign", "second", prefix=("setsid", "-w"))
    assert (done.returncode, "a person at a terminal" in done.stderr) == (1, True)
