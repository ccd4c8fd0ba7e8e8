"""Real agents that drive a campaign themselves: over MCP, and with the verbs in their shell."""

import json
import os
import subprocess
import sys
import sysconfig

import pytest
from tests.agents.fake_llm import Call, Say, Script, Shell, serving
from tests.agents.real_agents import settings
from tests.conftest import commit_all

from autoresearch.campaign.campaign import Campaign

pytestmark = pytest.mark.full

PLAYED = {"*baseline*": {"value": [0.5]}, "*": {"value": [0.7]}}
EDIT = Shell("""sed -i 's/"lr": 0.1/"lr": 0.2/' .autoresearch/by-hand/night/2/config.json""")
CHEAT = Shell("echo 'print(\"score: 9\")' > .autoresearch/by-hand/night/2/train.py")
UNDO = Shell("git -C .autoresearch/by-hand/night/2 checkout -q train.py")


def prepare(lab):
    """A campaign with a protected script, approved by a person."""
    lab.write(launcher={"type": "scripted", "script": PLAYED}, scope={"protect": ["train.py"]}, stop="3 experiments")
    Campaign(where=lab.root).approve()


def let_work(lab, argv):
    """Run an agent in the repository until it has said its last word."""
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PWD": str(lab.root)}
    done = subprocess.run(
        argv, cwd=lab.root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def heard(script):
    """Everything the model was told, as text."""
    return json.dumps(script.asked[-1])


WHO = {
    "opencode": "opencode",
    "claude": "claude-code",
    "codex": "codex-mcp-client",
    "gemini": "gemini-cli-mcp-client",
}
SLOW = ("claude", "opencode")
"""Agents that ask the model before the server has answered: until it has, they call in vain."""
SERVER = {"command": sys.executable, "args": ["-m", "autoresearch", "mcp"]}


def with_server(name, url, monkeypatch, home):
    """The command line of an agent that has the server in its configuration, and leave to use it."""
    monkeypatch.setenv("HOME", str(home))
    said = settings(name, url, monkeypatch)
    return [*said["command"], *_SERVED[name](said, monkeypatch, home)]


def _claude(said, monkeypatch, home) -> list[str]:
    monkeypatch.setenv("ENABLE_TOOL_SEARCH", "false")
    servers = json.dumps({"mcpServers": {"autoresearch": SERVER}})
    allowed = ("--strict-mcp-config", "--allowedTools", "mcp__autoresearch,Bash")
    return ["-p", "improve it", "--model", "played", "--mcp-config", servers, *allowed]


def _opencode(said, monkeypatch, home) -> list[str]:
    server = {"type": "local", "command": [SERVER["command"], *SERVER["args"]]}
    config = json.loads(os.environ["OPENCODE_CONFIG_CONTENT"])
    config |= {"mcp": {"autoresearch": server}, "permission": {"*": "allow"}}
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(config))
    return ["run", "-m", "played/played", "improve it"]


def _codex(said, monkeypatch, home) -> list[str]:
    monkeypatch.delenv("CODEX_HOME", raising=False)
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(
        f"[mcp_servers.autoresearch]\ncommand = {json.dumps(SERVER['command'])}\nargs = {json.dumps(SERVER['args'])}\n"
        "required = true\ntool_timeout_sec = 120\n"
    )
    return ["exec", "--skip-git-repo-check", "-s", "danger-full-access", *said["args"], "-m", "played", "improve it"]


def _gemini(said, monkeypatch, home) -> list[str]:
    (home / ".gemini").mkdir()
    config = {"mcpServers": {"autoresearch": SERVER}, "security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home / ".gemini" / "settings.json").write_text(json.dumps(config))
    return ["--approval-mode", "yolo", "--skip-trust", "-m", said["model"], "-p", "improve it"]


_SERVED = {"claude": _claude, "opencode": _opencode, "codex": _codex, "gemini": _gemini}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(_SERVED))
def test_a_real_agent_completes_a_campaign_over_mcp(lab, monkeypatch, tmp_path, name):
    """It is refused when it judges too early and when it edits what measures; then its experiment is run and kept."""
    if not os.environ.get("CI"):
        pytest.importorskip("mcp")
    prepare(lab)
    run = Call("experiment_run", {"index": 2, "wait_s": 100})
    turns = (
        *[Call("experiment_new", {"title": "double the rate", "area": "optimizer"})] * (8 if name in SLOW else 1),
        Call("experiment_judge", {"index": 2}), CHEAT, run, UNDO, EDIT, run, Call("experiment_judge", {"index": 2}), Say("done"),
    )  # fmt: skip
    script = Script(turns)
    with serving(script) as url:
        let_work(lab, with_server(name, url, monkeypatch, tmp_path))
    assert [(row.index, row.status.value, row.metric_value) for row in lab.rows()] == [
        (1, "keep", 0.5),
        (2, "keep", 0.7),
    ]
    assert lab.journal("experiment_opened")[1]["by"] == f"{WHO[name]} over MCP"
    assert "nothing to judge" in heard(script)
    assert "train.py is protected" in heard(script)


TOGETHER = """\
import json, pathlib, time
lr = json.load(open("config.json"))["lr"]
if lr != 0.1:
    place = pathlib.Path({place!r})
    (place / str(lr)).touch()
    while len(list(place.iterdir())) < 2:
        time.sleep(0.02)
print(f"score: {{lr}}")
"""
"""The run of an idea ends when another's has begun: one after the other they never end."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(_SERVED))
def test_a_real_agent_drives_two_experiments_at_once(lab, monkeypatch, tmp_path, name):
    """Both are opened, edited and run over MCP, each run waits for the other's, and both are judged."""
    if not os.environ.get("CI"):
        pytest.importorskip("mcp")
    place = lab.root.with_name("together")
    place.mkdir()
    (lab.root / "train.py").write_text(TOGETHER.format(place=str(place)))
    commit_all(lab.root)
    lab.write(launcher={"type": "local", "parallel": 2}, stop="3 experiments, 2m each")
    Campaign(where=lab.root).approve()
    edits = [f"sed -i 's/0.1/0.{index}/' .autoresearch/by-hand/night/{index}/config.json" for index in (2, 3)]
    runs = [Call("experiment_run", {"index": index, "wait_s": wait}) for index, wait in ((2, 0), (3, 100), (2, 100))]
    turns = (
        *[Call("experiment_new", {"title": "double the rate"})] * (8 if name in SLOW else 1),
        Call("experiment_new", {"title": "triple the rate"}),
        Shell("; ".join(edits)),
        *runs, *[Call("experiment_judge", {"index": index}) for index in (2, 3)], Say("done"),
    )  # fmt: skip
    with serving(Script(turns)) as url:
        let_work(lab, with_server(name, url, monkeypatch, tmp_path))
    assert sorted((row.index, row.metric_value) for row in lab.rows()) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert {one["by"] for one in lab.journal("experiment_opened")[1:]} == {f"{WHO[name]} over MCP"}


@pytest.mark.timeout(300)
def test_a_real_agent_completes_a_campaign_in_its_shell(lab, monkeypatch):
    """Claude Code types the verbs; what it may not do is refused, and its edits of the records change no row."""
    lab.write(launcher={"type": "scripted", "script": PLAYED}, scope={"protect": ["train.py"]}, stop="3 experiments")
    verb = "autoresearch experiment"
    before = Script(
        (Shell(f"{verb} new 'double the rate'"), Shell("autoresearch approve plan"), Say("a person is needed"))
    )
    turns = (
        Shell(f"{verb} new 'double the rate' --area optimizer --json"), Shell(f"{verb} judge 2"), CHEAT,
        Shell(f"{verb} run 2 --json"), UNDO, EDIT, Shell(f"{verb} run 2 --json"), Shell(f"{verb} judge 2"), Say("done"),
    )  # fmt: skip
    script = Script(turns)
    for one in (before, script):
        with serving(one) as url:
            said = settings("claude", url, monkeypatch)
            let_work(lab, [*said["command"], "-p", "improve it", "--model", "played", "--allowedTools", "Bash"])
        if one is before:
            assert lab.journal() == []
            Campaign(where=lab.root).approve()
    assert "only a person may do that" in heard(before)
    assert "no terminal" in heard(before)
    assert [(row.index, row.status.value, row.metric_value) for row in lab.rows()] == [
        (1, "keep", 0.5),
        (2, "keep", 0.7),
    ]
    assert "nothing to judge" in heard(script)
    assert "train.py is protected" in heard(script)
    assert Campaign(where=lab.root).check() == []
