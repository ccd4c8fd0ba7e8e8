"""Where real agents lie and how each is pointed at the scripted model, by what a person could set too."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from tests.agents.fake_llm import Say, Shell

_HOME = Path(os.environ.get("AUTORESEARCH_TEST_CACHE", "/tmp/autoresearch-test-cache"))
CACHE = _HOME / "npm"
ANSWER = 'Done.\n```json\n{"title": "double the learning rate", "area": "optimizer", "expected": 0.02}\n```\n'
TURNS = (Shell("sed -i s/0.1/0.2/ config.json"), Say(ANSWER))
FROM_PYPI = ("mini", "aider")
"""Agents in Python environments of their own; others than these are named by AUTORESEARCH_TEST_MINI, ..._AIDER."""


def settings(name, url, monkeypatch, protocol="cli"):
    """Options of the `agent` researcher for a real agent whose model is the scripted one at `url`."""
    said = {"agent": name, "protocol": protocol, "command": [_program(name, protocol)], "timeout": 120}
    return said | _POINTED[name](url, monkeypatch, protocol)


def codex_home(home, url) -> dict[str, object]:
    """Over the Agent Client Protocol Codex takes its provider from a prepared home only."""
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(
        f'model = "played"\nmodel_provider = "played"\n[model_providers.played]\nname = "played"\n'
        f'base_url = "{url}/v1"\nenv_key = "PLAYED_KEY"\nwire_api = "responses"\n'
    )
    return {"home": str(home)}


def _program(name, protocol) -> str:
    if name in FROM_PYPI:
        found = Path(os.environ.get(f"AUTORESEARCH_TEST_{name.upper()}") or _HOME / "pypi" / name / "bin" / name)
        if not found.exists():  # CI too goes without Aider where it has no Python that Aider takes
            pytest.skip(f"there is no {found}; run tools/agents_up.sh {name}")
        return str(found)
    own = {"claude": "claude-agent-acp", "codex": "codex-acp"} if protocol == "acp" else {}
    package = own.get(name, name)
    program = CACHE / package / "node_modules" / ".bin" / package
    may_lack = not os.environ.get("CI") or package in {"codex-acp", "qwen"}  # CI does not fetch their 457 and 200 MB
    if not program.exists() and may_lack:
        pytest.skip(f"{package} is not installed in {CACHE}; run tools/agents_up.sh {package}")
    return str(program)


def _claude(url, monkeypatch, protocol) -> dict[str, object]:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-played")
    monkeypatch.setenv("CLAUDE_CODE_MAX_RETRIES", "1")
    return {"env_allow": ["CLAUDE_CODE_MAX_RETRIES"], "model": "" if protocol == "acp" else "played"}


def _codex(url, monkeypatch, protocol) -> dict[str, object]:
    monkeypatch.setenv("PLAYED_KEY", "x")
    provider = f'{{name="played",base_url="{url}/v1",env_key="PLAYED_KEY",wire_api="responses",request_max_retries=1}}'
    if protocol == "acp":
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        return {"env_allow": ["PLAYED_KEY"]}
    words = ["-c", "model_provider=played", "-c", f"model_providers.played={provider}"]
    return {"args": words, "env_allow": ["PLAYED_KEY"], "model": "played"}


def _gemini(url, monkeypatch, protocol) -> dict[str, object]:
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
    return {"model": "gemini-2.5-pro"}


def _opencode(url, monkeypatch, protocol) -> dict[str, object]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "played",
        "options": {"baseURL": f"{url}/v1", "apiKey": "x"},
        "models": {"played": {"name": "played"}},
    }
    config = {"provider": {"played": provider}, "model": "played/played", "small_model": "played/played"}
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(config))
    return {"model": "" if protocol == "acp" else "played/played"}


def _litellm(url, monkeypatch, protocol) -> dict[str, object]:
    monkeypatch.setenv("OPENAI_API_BASE", f"{url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    return {"model": "openai/played"}


def _qwen(url, monkeypatch, protocol) -> dict[str, object]:
    """No entry of ours: the one that the page on adding an agent shows."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "add-an-agent.md").read_text()
    shown = yaml.safe_load(re.search(r"```yaml\n(researcher:.*?)```", page, re.DOTALL)[1])["researcher"]
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    return {"entry": shown["entry"], "model": "played"}


_POINTED = {
    "qwen": _qwen,
    "claude": _claude, "codex": _codex, "gemini": _gemini, "opencode": _opencode, "mini": _litellm, "aider": _litellm,
}  # fmt: skip
