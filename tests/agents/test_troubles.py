"""What an agent's program states is read first, its words last, its model's message never."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.adapters import table
from autoresearch.researchers.agent.transcript import trouble
from autoresearch.researchers.agent.troubles import Trouble, in_words, of_error


def said(name, text):
    """What the agent's entry reads in its output."""
    return transcript.read(table()[name].output, text)


CLAUDE = '{"type":"result","subtype":"success","is_error":true,"api_error_status":%d,"result":"%s"}'
CODEX = '{"type":"turn.failed","error":{"message":"%s"}}'
OPENCODE = '{"type":"error","error":{"name":"%s","data":{"message":"%s","statusCode":%d}}}'


@pytest.mark.parametrize(
    ("read", "line", "kind"),
    [
        ("claude", CLAUDE % (401, "Invalid API key · Fix external API key"), "login"),
        ("claude", CLAUDE % (404, "There's an issue with the selected model (x)."), "model"),
        ("claude", CLAUDE % (400, "Prompt is too long · the request is ~210000 tokens"), "context"),
        ("claude", CLAUDE % (400, "Your credit balance is too low to access the API"), "quota"),
        ("claude", CLAUDE % (429, "API Error: Request rejected (429)"), "rate-limit"),
        ("claude", CLAUDE % (529, "API Error: 529 Overloaded."), "rate-limit"),
        ("codex", CODEX % "unexpected status 401 Unauthorized: Incorrect API key", "login"),
        ("codex", CODEX % "The model `x` does not exist or you do not have access to it.", "model"),
        ("codex", CODEX % "Codex ran out of room in the model's context window.", "context"),
        ("codex", CODEX % "Quota exceeded. Check your plan and billing details.", "quota"),
        ("opencode", OPENCODE % ("APIError", "Incorrect API key provided", 401), "login"),
        ("opencode", OPENCODE % ("APIError", "The model x does not exist", 404), "model"),
        ("opencode", OPENCODE % ("ContextOverflowError", "too much", 400), "context"),
        ("aider", "litellm.RateLimitError: OpenAIException - slow down", "rate-limit"),
    ],
)
def test_a_real_programs_error_is_known_by_what_it_states(read, line, kind):
    """As printed by Claude Code 2.1, Codex 0.16x, OpenCode 1.x and Aider 0.86."""
    assert trouble(said(read, line), "") == kind


WORDS = {
    "login": [
        "OAuth token has been revoked", "Your refresh token was already used", "The security token is expired",
        "This organization has been disabled", "Please run /login", "401 Unauthorized", "Failed to authenticate",
    ],
    "quota": [
        "Your credit balance is too low", "You have exhausted your daily quota", "You've hit your weekly limit",
        "monthly usage limit reached", "fast limit reached", "This request requires more credits",
        "insufficient balance", "You've hit your limit · resets 3pm", "Insufficient credits",
    ],
    "rate-limit": [
        "ThrottlingException: Too many requests", "overloaded_error", "connect ECONNREFUSED", "fetch failed",
        "self-signed certificate in certificate chain", "unable to get local issuer certificate",
        "503 Service Unavailable",
    ],
    "model": ["model not found: x", "The model x does not exist or you do not have access to it", "Unknown model: y"],
    "context": ["prompt is too long", "This model's maximum context length is 8192 tokens", "context window exceeded"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), [(kind, words) for kind, each in WORDS.items() for words in each])
def test_where_nothing_is_stated_the_programs_words_tell(kind, words):
    """What programs print on standard error when they stop."""
    assert in_words(f"starting\n{words}\n") == kind


def test_a_models_message_is_never_a_sign():
    """It speaks of 401 steps, billing and limits; the program states no error."""
    text = "The learning rate limit is reached after 401 steps of the billing dataset; quota exceeded."
    line = json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": text})
    assert trouble(said("claude", line), "") is Trouble.UNKNOWN


@given(st.none() | st.integers(0, 999), st.text(max_size=40), st.text(max_size=200))
def test_any_error_has_at_most_one_kind(status, code, text):
    """Foreign values never upset the reader."""
    assert of_error(status, code, text) in {None, *Trouble}
    assert in_words(text) in {None, *Trouble}


@pytest.mark.parametrize("read", ["claude", "codex", "gemini", "opencode"])
@given(document=st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.dictionaries(
    st.sampled_from(["type", "error", "data", "message", "status", "statusCode", "code", "usage", "result", "part"]),
    inner, max_size=4), max_leaves=8))  # fmt: skip
def test_no_stream_upsets_a_reader(read, document):
    """Lines of any shape: a field of another type than expected counts as not said."""
    for kind in ("result", "error", "assistant", "turn.failed", "step_finish", "init"):
        line = json.dumps({**(document if isinstance(document, dict) else {"error": document}), "type": kind})
        assert isinstance(said(read, line).error, str)
