"""Real agents from the registries, driven headless against a scripted model on this machine."""

import json
import os

import pytest
from tests.agents.fake_llm import Fail, Say, Script, Shell, serving
from tests.agents.real_agents import FROM_PYPI, TURNS, settings

from autoresearch.errors import ResearcherError

pytestmark = pytest.mark.full


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_a_real_agent_proposes_an_edit(bench, monkeypatch, name):
    """Its edit stands in the worktree, its answer is read, its tokens are counted, nothing of it is left."""
    first = TURNS[:1] if name == "qwen" else ()  # its sessions begin with a word of its model's
    with serving(Script((*first, *TURNS))) as url:
        hypothesis = bench.ask("", **settings(name, url, monkeypatch))
    assert (hypothesis.title, hypothesis.area) == ("double the learning rate", "optimizer"), bench.evidence("agent.log")
    assert bench.edited() == ("config.json",)
    call = bench.last_call()
    assert (call["ending"], call["exit_code"]) == ("exited", 0)
    assert call["tokens_in"] >= 200
    assert call["tokens_out"] >= 40


SAID = '{"title": "double the learning rate", "area": "optimizer"}'
EDITS = {
    "mini": (
        Shell("sed -i s/0.1/0.2/ config.json"),
        Shell(f"echo '{SAID}' > $AUTORESEARCH_ANSWER"),
        Shell("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"),
    ),
    "aider": (
        Say(
            f'config.json\n```json\n<<<<<<< SEARCH\n{{"lr": 0.1}}\n=======\n{{"lr": 0.2}}\n>>>>>>> REPLACE\n```\n\n```json\n{SAID}\n```'
        ),
    ),
}


@pytest.mark.parametrize("name", FROM_PYPI)
def test_an_agent_from_pypi_proposes_an_edit(bench, monkeypatch, name):
    """Those that are Python programs, each in an environment of its own: edit, answer and end are read as of the others."""
    more = {"args": ["--edit-format", "diff", "--map-tokens", "0"]} if name == "aider" else {}
    with serving(Script(EDITS[name], bare=name == "aider")) as url:
        hypothesis = bench.ask("", **settings(name, url, monkeypatch) | more)
    assert hypothesis.title == "double the learning rate", bench.evidence("agent.log")
    assert bench.edited() == ("config.json",)
    assert bench.last_call()["ending"] == "exited"


def test_the_whole_brief_reaches_the_model(bench, monkeypatch):
    """What the model is asked holds objective and budget of the campaign."""
    script = Script(TURNS)
    with serving(script) as url:
        bench.ask("", **settings("claude", url, monkeypatch))
    asked = json.dumps(script.asked[0])
    assert "raise the score: maximize `score`" in asked
    assert "3 of 4 attempted" in asked


@pytest.mark.parametrize(
    ("name", "status", "message", "word"),
    [
        ("claude", 401, "invalid x-api-key", "login"),
        ("claude", 400, "Your credit balance is too low to access the API", "quota"),
        ("codex", 401, "Incorrect API key provided", "login"),
        ("codex", 429, "Slow down", "rate-limit"),
        ("claude", 404, "model: played", "model"),
        ("codex", 400, "Your input exceeds the context window of this model.", "context"),
        ("opencode", 404, "The model `played` does not exist", "model"),
        ("qwen", 401, "Incorrect API key provided", "login"),
    ],
)
def test_a_model_that_refuses_the_account_is_a_trouble_not_an_attempt(bench, monkeypatch, name, status, message, word):
    """The person reads which trouble it is; the campaign waits and asks again."""
    with serving(Script(TURNS, Fail(status, message))) as url, pytest.raises(ResearcherError, match=f"(?i){word}"):
        bench.ask("", **settings(name, url, monkeypatch))
    assert bench.edited() == ()


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_a_short_overload_is_waited_out_by_the_agent_itself(bench, monkeypatch, name):
    """One 503 in between: the proposal is as good."""
    with serving(Script(TURNS, Fail(503, "overloaded", times=1))) as url:
        hypothesis = bench.ask("", **settings(name, url, monkeypatch))
    assert hypothesis.title == "double the learning rate"


def test_without_the_sandbox_a_real_agent_works_as_well(bench, monkeypatch):
    """Machines without user namespaces: the same agent, watched instead of confined."""
    with serving(Script(TURNS)) as url:
        hypothesis = bench.ask("", sandbox="none", **settings("claude", url, monkeypatch))
    assert hypothesis.title == "double the learning rate"


def test_a_hung_model_does_not_hold_the_campaign(bench, monkeypatch):
    """The agent runs a command that never ends: it is ended at the limit, and its command with it."""
    mark = f"64{os.getpid()}"
    said = settings("claude", "", monkeypatch)
    with serving(Script((Shell(f"setsid sleep {mark}"), Say("x")))) as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        why = bench.fail("", **(said | {"timeout": 8}))
    assert "still at work after 8 s" in why
    assert bench.alive(mark) == []
