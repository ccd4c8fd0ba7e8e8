"""The inspector of MCP's makers, as a client: what is offered has schemas that every client reads, in both eras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.campaign.campaign import Campaign

CACHE = Path(os.environ.get("AUTORESEARCH_TEST_CACHE", "/tmp/autoresearch-test-cache"))
BIN = CACHE / "npm" / "mcp-inspector" / "node_modules" / ".bin"

pytestmark = pytest.mark.full


def inspect(lab, era, *words: str):
    """One request to a server of its own; what the inspector printed, and its exit code."""
    if not (BIN / "mcp-inspector").exists() and not os.environ.get("CI"):
        pytest.skip(f"there is no inspector in {BIN}; run tools/agents_up.sh mcp-inspector")
    argv = (str(BIN / "mcp-inspector"), "--cli", sys.executable, "-m", "autoresearch", "mcp")
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(lab.root.parent)}
    done = subprocess.run(
        (*argv, "--protocol-era", era, "--method", *words), cwd=lab.root, env=env, capture_output=True, text=True,
        timeout=280, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_nothing_to_object_to(lab, era):
    """Schemas, an answer, a resource and a refusal; its exit codes say what it makes of each."""
    if not os.environ.get("CI"):
        pytest.importorskip("mcp")
    lab.write()
    Campaign(where=lab.root).approve()
    found, code = inspect(lab, era, "tools/list", "--strict")
    assert ({"status", "ask_person", "experiment_run"} <= {tool["name"] for tool in found["tools"]}, code) == (True, 0)
    answer, code = inspect(lab, era, "tools/call", "--tool-name", "status")
    assert (answer["structuredContent"]["campaign"], code) == ("night", 0)
    page, code = inspect(lab, era, "resources/read", "--uri", "autoresearch://plan")
    assert ("campaign: night" in page["contents"][0]["text"], code) == (True, 0)
    refused, code = inspect(lab, era, "tools/call", "--tool-name", "stop", "--tool-arg", "campain=night")
    assert ("did you mean 'campaign'?" in refused["content"][0]["text"], code) == (True, 5)
