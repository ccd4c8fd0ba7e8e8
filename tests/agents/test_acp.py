"""Real agents over the Agent Client Protocol: what they ask is answered from the scope, and recorded."""

import os

import pytest
from tests.agents.conftest import needs_acp
from tests.agents.fake_llm import Fail, Say, Script, Shell, Write, serving
from tests.agents.real_agents import ANSWER, TURNS, codex_home, settings

from autoresearch.errors import FruitlessError, ResearcherError
from autoresearch.experiment.hypothesis import Brief
from autoresearch.run.measurement import Objective

pytestmark = [needs_acp, pytest.mark.full]


def asked(bench):
    """Kind and answer of every request of the last call."""
    return [(one["what"].partition(":")[0], one["answer"]) for one in bench.last_call().get("asked", [])]


def scoped(bench, url, monkeypatch, name, **more: object):
    """Have it propose in a campaign that may only touch `config.json`."""
    researcher = bench.researcher("", **settings(name, url, monkeypatch, "acp") | more)
    brief = Brief(
        campaign="night",
        index=2,
        objective=Objective("raise the score", "score"),
        allow=("config*",),
        protect=("config.key",),
    )
    return researcher.propose(brief, bench.tree)


@pytest.mark.parametrize("name", ["claude", "gemini", "opencode", "codex"])
def test_an_agent_that_asks_is_allowed_what_the_scope_allows(bench, monkeypatch, name):
    """Its command is allowed once, its edit stands, its answer is read; request and answer lie beside the run."""
    with serving(Script(TURNS)) as url:
        home = codex_home(bench.root.parent / "home", url) if name == "codex" else {}
        hypothesis = bench.ask("", **settings(name, url, monkeypatch, "acp") | home)
    assert hypothesis.title == "double the learning rate", bench.evidence("agent.log")
    assert bench.edited() == ("config.json",)
    # Codex works without asking inside our sandbox.
    assert asked(bench) == ([] if name == "codex" else [("execute", "allow_once")])
    assert (bench.last_call()["exit_code"], bench.last_call()["processes_ended"]) == (0, 0)
    assert name == "gemini" or bench.last_call()["tokens_in"] >= 100


@pytest.mark.parametrize("name", ["claude", "gemini"])
def test_an_edit_within_the_scope_is_allowed_and_one_beside_it_is_not(bench, monkeypatch, name):
    """Three files, three requests, three answers; what was rejected is not there, and the agent goes on."""
    files = {"train.py": "evil", "config.key": "evil", "config.more.json": "{}"}
    turns = [Write(f"{bench.tree}/{path}", text) for path, text in files.items()]
    with serving(Script((*turns, Say(ANSWER)))) as url:
        hypothesis = scoped(bench, url, monkeypatch, name, timeout=120, tries=1)
    requests = [answer for answer in asked(bench) if answer[1] != "written"]
    assert requests == [("edit", "reject_once")] * 2 + [("edit", "allow_once")], bench.evidence("agent.log")
    assert bench.edited() == ("config.more.json",)
    assert hypothesis.title == "double the learning rate"


@pytest.mark.parametrize("name", ["claude", "gemini"])
def test_a_turn_that_does_not_end_is_cancelled_and_nothing_of_it_is_left(bench, monkeypatch, name):
    """The agent is asked to stop when its time is up; its command, in a session of its own, is gone as well."""
    mark = f"65{os.getpid()}"
    with (
        serving(Script((Shell(f"setsid sleep {mark}"), Say("x")))) as url,
        pytest.raises(FruitlessError, match="still at work after 15 s"),
    ):
        scoped(bench, url, monkeypatch, name, timeout=15, grace=5)
    assert bench.last_call()["ending"] == "timed-out"
    assert bench.alive(mark) == []


@pytest.mark.parametrize(
    ("name", "status", "message", "word"),
    [("claude", 401, "invalid x-api-key", "login"), ("gemini", 401, "API key not valid", "login")],
)
def test_a_model_that_refuses_the_account_is_a_trouble_here_too(bench, monkeypatch, name, status, message, word):
    """The person reads which trouble it is; no attempt is spent."""
    with (
        serving(Script((Say("x"),), Fail(status, message))) as url,
        pytest.raises(ResearcherError, match=word),
    ):
        scoped(bench, url, monkeypatch, name, timeout=120)
