"""What every agent's entry promises, built in or a person's own, and that one is added by writing it down."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests import plugin_packages
from tests.agents.conftest import EDIT, SECRET

from autoresearch.errors import CampaignError, PluginError
from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Scope, breaches
from autoresearch.researchers.agent import answer as agent_answer
from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.adapters import Call, adapter, entry, instructions, table

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-agent.md"
QWEN = yaml.safe_load(re.search(r"```yaml\n(researcher:.*?)```", PAGE.read_text(), re.DOTALL)[1])["researcher"]
KNOWN = {**table(), QWEN["agent"]: entry(QWEN["agent"], QWEN["entry"])}

MESSAGE = 'I raised the rate limit to 401: quota exceeded, model not found.\n```json\n{"title": "go faster"}\n```'


def _line(**event: object) -> str:
    return json.dumps(event) + "\n"


def _result(text: str) -> str:
    usage = {"input_tokens": 70, "output_tokens": 9}
    return _line(type="result", subtype="success", is_error=False, result=text, usage=usage)


SAYS = {
    "claude": _result,
    "codex": lambda text: (
        _line(type="item.completed", item={"type": "agent_message", "text": text})
        + _line(type="turn.completed", usage={"input_tokens": 70, "output_tokens": 9})
    ),
    "gemini": lambda text: (
        _line(type="message", role="assistant", content=text)
        + _line(type="result", status="success", stats={"input_tokens": 70, "output_tokens": 9})
    ),
    "opencode": lambda text: (
        _line(type="text", part={"text": text}) + _line(type="step_finish", part={"tokens": {"input": 70, "output": 9}})
    ),
    "mini": lambda text: json.dumps({"info": {"exit_status": "Submitted", "submission": text}}),
    "aider": lambda text: f"{text}\nTokens: 70 sent, 9 received.\n",
    "command": lambda text: text,
    "qwen": _result,
}
"""How each prints its last message and what it used."""

FAILS = {
    "claude": _line(type="result", is_error=True, api_error_status=401, result="no"),
    "codex": _line(type="turn.failed", error={"message": "unexpected status 401 Unauthorized: no"}),
    "gemini": _line(type="error", message=json.dumps({"error": {"code": 401, "message": "no"}})),
    "opencode": _line(type="error", error={"name": "APIError", "data": {"message": "no", "statusCode": 401}}),
    "mini": json.dumps({"info": {"exit_status": "AuthenticationError"}}),
    "aider": "litellm.AuthenticationError: no\n",
    "qwen": _line(
        type="result", subtype="error_during_execution", is_error=True, error={"message": "[API Error: 401 no]"}
    ),
}
"""How each states that its login is refused; a `command` states nothing."""


@pytest.fixture(params=sorted(KNOWN))
def name(request):
    return request.param


def read(name, text, folder):
    """What the entry reads, where the agent left it."""
    if KNOWN[name].output.file:
        (folder / KNOWN[name].output.file).write_text(text)
    return transcript.read(KNOWN[name].output, text, folder)


def a_call(tmp_path, **more: object):
    said = {
        "prompt": "do {model} it", "prompt_file": tmp_path / "brief.md", "answer_file": tmp_path / "answer.json",
        "folder": tmp_path, "home": tmp_path / "home", "tree": tmp_path / "tree", "env": {}, "extra": ("--more", "{x}"),
        "command": ("/opt/agent",),
    }  # fmt: skip
    return Call(**(said | more))


@pytest.mark.parametrize("more", [{}, {"model": "m-1", "max_cost_usd": 0.5, "contained": True}])
def test_its_command_line_is_whole(tmp_path, name, more):
    """Program first, no empty word, the person's arguments once, the model where one is chosen, the prompt unread."""
    words = KNOWN[name].command_line(a_call(tmp_path, **more))
    assert words[0] == "/opt/agent"
    assert all(words)
    assert words.count("--more") == words.count("{x}") == 1
    assert ("m-1" in words) == bool(more) or name == "command"
    told = "do {model} it" in words or str(tmp_path / "brief.md") in words
    assert told != KNOWN[name].stdin


def test_its_last_message_and_tokens_are_read(tmp_path, name):
    """The answer in it is found; a `command` says its tokens there."""
    said = read(name, SAYS[name](MESSAGE), tmp_path)
    assert agent_answer.last_in(said.text).title == "go faster"
    assert KNOWN[name].silent or name == "mini" or (said.tokens_in, said.tokens_out) == (70, 9)


def test_what_its_model_wrote_is_no_trouble_and_what_it_states_is(tmp_path, name):
    """A message about limits, logins and quotas changes nothing; an error that the program states does."""
    assert transcript.trouble(read(name, SAYS[name](MESSAGE), tmp_path), "") == "unknown"
    if name in FAILS:
        assert transcript.trouble(read(name, FAILS[name], tmp_path), "") == "login"


def test_what_it_reads_of_a_repository_is_part_of_no_experiment(name):
    """Its own list is refused whichever agent is at work: the next one may be this one."""
    scope = Scope(protect=instructions(name, KNOWN[name].instructions))
    paths = [glob.replace("**", "x").replace("*", "x") for glob in scope.protect]
    assert [path for path in paths if not breaches([FileChange(path=path)], scope)] == []


def test_an_agent_of_a_campaign_file_proposes_and_its_tokens_are_counted(bench, monkeypatch, tmp_path):
    """Twenty lines: it gets its prompt, its variables and no others, and its stream is read by its rules."""
    monkeypatch.setenv("OPENAI_API_KEY", "known")
    monkeypatch.setenv("OTHER", SECRET)
    program = tmp_path / "qwen"
    program.write_text(f'#!/bin/bash\n[ "$OPENAI_API_KEY" = known ] && [ -z "$OTHER" ] || exit 3\n{EDIT}\n'
                       f"cat <<'OUT'\n{_result('done')}OUT\n")  # fmt: skip
    program.chmod(0o755)
    options = {**QWEN, "command": [str(program)], "model": "qwen3-coder", "show": [str(tmp_path)]}
    hypothesis = bench.ask("", **{key: value for key, value in options.items() if key != "type"})
    assert hypothesis.title == "double the learning rate", bench.evidence("agent.log")
    assert (bench.last_call()["tokens_in"], bench.last_call()["model"]) == (70, "qwen3-coder")
    assert bench.made.instructions({"agent": "qwen", "entry": QWEN["entry"]}) == ("**/.qwen/**", "**/qwen.md")


def test_an_agent_of_another_package_has_a_name(tmp_path):
    """An entry point is enough; a name that is taken, or what is no entry, is refused with the package's words."""
    plugin_packages.write(tmp_path, {"agents": {"qwen": "their_adapters:QWEN"}}, f"QWEN = {QWEN['entry']!r}")
    table.cache_clear()
    try:
        with plugin_packages.installed(tmp_path):
            assert adapter("qwen", "cli").program == "qwen"
    finally:
        table.cache_clear()
    (tmp_path / "second").mkdir()
    folder = plugin_packages.write(tmp_path / "second", {"agents": {"codex": "their_adapters:X"}}, "X = {}")
    with plugin_packages.installed(folder), pytest.raises(PluginError, match="one of that name already"):
        table()
    table.cache_clear()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"agent": "claud"}, "there is no agent 'claud'; choose one of: claude"),
        ({"agent": "codex", "entry": QWEN["entry"]}, "'codex' has an entry already"),
        ({"agent": "mini", "protocol": "acp"}, "does not speak the Agent Client Protocol"),
        ({"agent": "q", "entry": {"program": "q", "argv": ["{prompt}"]}, "model": "m"}, "leave `model` out"),
        ({"agent": "q", "entry": {"program": "q", "output": {"rules": [{"match": "("}]}}}, "no regular expression"),
        ({"agent": "q", "entry": {"program": "q", "argvs": []}}, "unknown key 'argvs'"),
        ({"agent": "q", "entry": {"program": "q"}}, "needs `argv` and `output`"),
    ],
)
def test_an_entry_that_is_not_understood_is_refused_in_one_line(bench, options, why):
    """What was written, what would be right."""
    with pytest.raises(CampaignError) as raised:
        bench.researcher("", **options)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
