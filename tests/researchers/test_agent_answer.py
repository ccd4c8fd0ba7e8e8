"""What an agent answers: read leniently, and harmless whatever it is."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.researchers.agent import answer as agent_answer
from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.adapters import table
from autoresearch.researchers.agent.transcript import Said, Trouble

KINDS = (
    "ended",
    "asked",
    "result",
    "item.completed",
    "turn.completed",
    "turn.failed",
    "error",
    "message",
    "text",
    "step_finish",
)
WORDS = st.recursive(
    st.sampled_from(KINDS) | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_text_is_an_answer_or_none(text):
    """Garbage is None; an answer has a title or says that there is no idea."""
    answer = agent_answer.last_in(text)
    assert answer is None or answer.title or answer.no_idea


@given(
    st.dictionaries(st.sampled_from(["title", "area", "expected", "watch", "overrides", "rationale", "no_idea"]), WORDS)
)
@settings(max_examples=120, deadline=None)
def test_any_values_become_bounded_plain_words(document):
    """Whatever stands under the known keys: one-line title, one-word area, a finite number or none."""
    answer = agent_answer.parse(json.dumps(document))
    if answer is not None:
        assert "\n" not in answer.title
        assert len(answer.title) <= 120
        assert len(answer.area.split()) == 1
        assert answer.expected is None or abs(answer.expected) < float("inf")
        assert len(answer.rationale) <= 4000


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["type", "event", "item", "part", "usage", "error", "result", "stats"]), WORDS),
        max_size=5,
    )
)
@settings(max_examples=100, deadline=None)
def test_any_events_can_be_read(events):
    """No line of any agent's output can raise."""
    text = "\n".join(json.dumps(event) for event in events) + "\n{torn"
    for one in table().values():
        assert isinstance(transcript.read(one.output, text), Said)
    assert isinstance(transcript.acp(text), Said)


def test_a_bomb_of_aliases_is_no_answer():
    """YAML that would unfold to gigabytes is refused unread."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(f"b{i}: &b{i} [*a,*a,*a]" for i in range(9)) + "\ntitle: [*b8]\n"
    assert agent_answer.parse(bomb) is None
    assert agent_answer.parse("[" * 50_000) is None


def test_a_link_or_a_pipe_is_no_answer_and_is_taken_away(tmp_path):
    """The answer's file may lead to a secret, or never end."""
    (tmp_path / "secret").write_text('{"title": "x"}')
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    assert agent_answer.take(tmp_path / "link") is None
    assert agent_answer.take(tmp_path / "pipe") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_the_last_answer_of_a_message_counts():
    """An agent that quotes the example first is not taken by its quotation."""
    text = '```json\n{"title": "example"}\n```\nHere:\n~~~\n{"title": "mine", "expected": "about 1e-2 points"}\n~~~\n'
    answer = agent_answer.last_in(text)
    assert (answer.title, answer.expected) == ("mine", 0.01)


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("API Error: 401 invalid x-api-key", Trouble.LOGIN),
        ("authentication_failed (401), trying again", Trouble.LOGIN),
        ("Not logged in · Please run /login", Trouble.LOGIN),
        ("You exceeded your current quota, please check your plan", Trouble.QUOTA),
        ("Your credit balance is too low", Trouble.QUOTA),
        ("Claude usage limit reached. Your limit will reset at 3am", Trouble.QUOTA),
        ("exceeded retry limit, last status: 429 Too Many Requests", Trouble.RATE),
        ("Overloaded", Trouble.RATE),
        ("connect ECONNREFUSED 127.0.0.1:9", Trouble.RATE),
        ("I'm sorry, I can't help with that.", Trouble.REFUSAL),
        ("the loss is lower now", Trouble.UNKNOWN),
    ],
)
def test_troubles_are_told_by_their_words(words, trouble):
    """Each of the messages that real agents print has its kind."""
    assert transcript.trouble(Said(error=words), "") is trouble


def test_aider_and_mini_are_read_too(tmp_path):
    """Tokens and money from Aider's text and mini-swe-agent's trajectory."""
    aider = transcript.read(
        table()["aider"].output, "Tokens: 2.3k sent, 120 received. Cost: $0.01 message, $0.01 session.\n"
    )
    assert (aider.tokens_in, aider.tokens_out, aider.cost_usd) == (2300, 120, 0.01)
    info = {"exit_status": "LimitsExceeded", "submission": "", "model_stats": {"instance_cost": 0.2, "api_calls": 3}}
    document = {"info": info, "messages": [{"role": "user", "content": "hi"}]}
    (tmp_path / "trajectory.json").write_text(json.dumps(document))
    mini = transcript.read(table()["mini"].output, "", tmp_path)
    assert (mini.cost_usd, mini.turns, mini.error) == (0.2, 3, "LimitsExceeded")
