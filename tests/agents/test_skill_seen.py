"""Real agents find the installed skill by themselves: its description is in what their model is asked."""

import json

import pytest
from tests.agents.fake_llm import Script, serving
from tests.agents.test_real_agents import TURNS, settings

from autoresearch.skills import skill_pack

pytestmark = pytest.mark.full


@pytest.mark.parametrize("name", ["claude", "codex", "opencode"])
def test_an_agent_is_told_of_the_skill(bench, monkeypatch, name):
    """Installed into the project for this agent alone, offered by it to the model without a word of ours."""
    skill_pack.install(bench.tree, [name])
    script = Script(TURNS)
    with serving(script) as url:
        said = settings(name, url, monkeypatch)
        if name == "claude":  # as a researcher it must not read what a proposal may have left in the worktree
            said["args"] = ["--setting-sources", "user,project"]
        bench.ask("", **said)
    told = " ".join(json.dumps(body) for body in script.asked)
    assert "Run and drive overnight research campaigns" in told
