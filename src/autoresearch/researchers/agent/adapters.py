"""The agents we can drive headless, one entry each: command line, login, and how its output is read.

Nothing of the user's environment or home reaches an agent but what its entry names: `variables` by name, `logins` as
copies. Each entry was tried with the real program against a scripted model; versions stand in `transcript`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoresearch.git.call import EMAIL
from autoresearch.guards.custody import HAND
from autoresearch.guards.scope import INSTRUCTIONS
from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.transcript import Said


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an agent.

    Attributes:
        prompt: What it is told.
        prompt_file: The same as a file.
        answer_file: Where it may put its answer.
        folder: A folder of ours that it may write to.
        home: Its home directory.
        tree: The worktree it edits.
        env: Its environment so far.
        model: The model to use; empty for its own choice.
        command: The program and first arguments a person configured; empty for the entry's own.
        extra: Further arguments a person configured.
        max_cost_usd: Money this call may spend, None for no limit.
        contained: Whether a sandbox of ours is around it.
    """

    prompt: str
    prompt_file: Path
    answer_file: Path
    folder: Path
    home: Path
    tree: Path
    env: Mapping[str, str]
    model: str = ""
    command: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    max_cost_usd: float | None = None
    contained: bool = False

    def program(self, *default: str) -> list[str]:
        """How the command line begins."""
        return list(self.command or default)

    def choice(self, option: str) -> list[str]:
        """The model as an option, if one was chosen."""
        return [option, self.model] if self.model else []


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How one agent is driven.

    Attributes:
        program: What must be on PATH.
        argv: Its command line for a call.
        read: What its output says; gets standard output and the call.
        variables: Names of environment variables its login and its way to the model need.
        logins: Files below the user's home that hold its login; copies are laid into its own home.
        env: Variables it always gets.
        settings: Files to write below its home: path and text.
        stdin: Whether it reads its prompt from standard input.
        converses: Whether it speaks the Agent Client Protocol and is talked to by `acp`.
        mode: For such an agent, the session mode it shall work in; empty for its own choice.
        talks: Whether it prints for people: its last line, when it fails, is its program's word for why.
        litter: Globs of what it leaves at the top of its worktree for its own use; deleted after a call.
        model_variable: The environment variable that names its model where its command line has no option for it.
        reads: Globs of files in a repository that it takes settings and instructions from; none of them, nor any other
            agent's, can be part of an experiment.
    """

    program: str
    argv: Callable[[Call], list[str]]
    read: Callable[[str, Call], Said]
    variables: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    settings: Callable[[Call], Mapping[str, str]] = lambda _call: {}
    stdin: bool = False
    converses: bool = False
    mode: Callable[[Call], str] = lambda _call: ""
    model_variable: str = ""
    talks: bool = False
    litter: tuple[str, ...] = ()
    reads: tuple[str, ...] = INSTRUCTIONS["any"]


REACH = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
"""What any agent may need to reach its model from behind a proxy."""

_OPENAI = ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL", "NVIDIA_NIM_API_KEY", "NVIDIA_API_KEY")
_ANTHROPIC = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL")


def _claude(call: Call) -> list[str]:
    cost = [] if call.max_cost_usd is None else ["--max-budget-usd", f"{call.max_cost_usd:.4f}"]
    # The worktree's own settings and servers could have been written by an earlier proposal.
    return [
        *call.program("claude"), "-p", "--output-format", "stream-json", "--verbose", "--no-session-persistence",
        "--permission-mode", "acceptEdits", "--allowedTools", "Bash,Edit,MultiEdit,Write,Read,Glob,Grep,LS,TodoWrite",
        "--setting-sources", "user", "--strict-mcp-config", *cost, *call.choice("--model"), *call.extra,
    ]  # fmt: skip


def _codex(call: Call) -> list[str]:
    # Its own sandbox needs what ours takes away; without ours it stays on.
    sandbox = "danger-full-access" if call.contained else "workspace-write"
    return [
        *call.program("codex"), "exec", "--json", "--ephemeral", "--skip-git-repo-check", "-s", sandbox,
        "-C", str(call.tree), *call.choice("-m"), *call.extra, "-",
    ]  # fmt: skip


def _gemini(call: Call) -> list[str]:
    words = ("-p", call.prompt, "--skip-trust", "--approval-mode", "yolo", "-o", "stream-json")
    return [*call.program("gemini"), *words, *call.choice("-m"), *call.extra]


def _gemini_settings(call: Call) -> dict[str, str]:
    auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}} if call.env.get("GEMINI_API_KEY") else {}
    return {".gemini/settings.json": json.dumps(auth | {"privacy": {"usageStatisticsEnabled": False}})}


def _opencode(call: Call) -> list[str]:
    return [
        *call.program("opencode"),
        "run",
        "--pure",
        "--print-logs",  # on standard error: it tries again for ever, and says so nowhere else
        "--log-level",
        "ERROR",
        "--format",
        "json",
        *call.choice("-m"),
        *call.extra,
        call.prompt,
    ]


def _mini(call: Call) -> list[str]:
    words = ("-y", "--exit-immediately", "-t", call.prompt, "-o", str(call.folder / "trajectory.json"))
    return [*call.program("mini"), *words, *call.choice("-m"), *call.extra]


def _read_mini(stdout: str, call: Call) -> Said:
    try:
        with (call.folder / "trajectory.json").open("rb") as source:
            trajectory = source.read(32 << 20).decode("utf-8", "replace")
    except OSError:
        trajectory = ""
    return transcript.mini(stdout, trajectory)


_AIDER_CONFIG = ".aider.conf.yml"


def _aider(call: Call) -> list[str]:
    return [
        *call.program("aider"), "--message-file", str(call.prompt_file),
        "--chat-history-file", str(call.folder / "aider.chat.md"),
        "--input-history-file", str(call.folder / "aider.input"), "--yes-always", "--no-auto-commits",
        "--no-dirty-commits", "--no-gitignore", "--no-pretty", "--no-stream", "--no-check-update",
        "--no-show-model-warnings", "--config", str(call.home / _AIDER_CONFIG),
        "--analytics-disable", "--no-suggest-shell-commands", *call.choice("--model"), *call.extra,
    ]  # fmt: skip


def _aider_settings(_call: Call) -> dict[str, str]:
    """Without a name in git's own files it would write one into the repository's, which it may not."""
    # With a configuration named it reads no other, such as the repository's.
    return {
        ".gitconfig": f"[user]\n\tname = {HAND}\n\temail = {EMAIL}\n",
        _AIDER_CONFIG: "check-update: false\n",
    }


def _command(call: Call) -> list[str]:
    places = {"brief": call.prompt_file, "answer": call.answer_file, "model": call.model}
    words = [*call.program(), *call.extra]
    for name, place in places.items():
        words = [word.replace(f"{{{name}}}", str(place)) for word in words]
    return words


ADAPTERS: Mapping[str, Adapter] = {
    "claude": Adapter(
        program="claude",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["claude"]),
        argv=_claude,
        read=lambda stdout, _call: transcript.claude(stdout),
        variables=(
            *_ANTHROPIC,
            "CLAUDE_CODE_OAUTH_TOKEN",
            "ANTHROPIC_MODEL",
            "ANTHROPIC_SMALL_FAST_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
            "CLOUD_ML_REGION",
            "ANTHROPIC_VERTEX_PROJECT_ID",
            "AWS_REGION",
            "AWS_BEARER_TOKEN_BEDROCK",
        ),
        logins=(".claude/.credentials.json",),
        # Of itself it tries ten times, for minutes, even where it lacks a login.
        env={
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_MAX_RETRIES": "4",
        },
        stdin=True,
    ),
    "codex": Adapter(
        program="codex",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["codex"]),
        argv=_codex,
        read=lambda stdout, _call: transcript.codex(stdout),
        variables=("OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL"),
        logins=(".codex/auth.json",),
        stdin=True,
    ),
    "gemini": Adapter(
        program="gemini",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["gemini"]),
        argv=_gemini,
        read=lambda stdout, _call: transcript.gemini(stdout),
        variables=(
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GEMINI_BASE_URL",
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_CLOUD_LOCATION",
            "GOOGLE_GENAI_USE_VERTEXAI",
        ),
        logins=(".gemini/oauth_creds.json", ".gemini/google_accounts.json"),
        settings=_gemini_settings,
    ),
    "opencode": Adapter(
        program="opencode",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["opencode"]),
        argv=_opencode,
        read=lambda stdout, _call: transcript.opencode(stdout),
        variables=(
            *_ANTHROPIC,
            *_OPENAI,
            "OPENROUTER_API_KEY",
            "GEMINI_API_KEY",
            "OPENCODE_API_KEY",
            "OPENCODE_CONFIG_CONTENT",
        ),
        logins=(".local/share/opencode/auth.json",),
        env={
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
            "OPENCODE_PERMISSION": '{"bash":"allow","edit":"allow"}',
        },
    ),
    "mini": Adapter(
        program="mini",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["mini"]),
        argv=_mini,
        read=_read_mini,
        talks=True,
        variables=(*_ANTHROPIC, *_OPENAI, "OPENROUTER_API_KEY", "GEMINI_API_KEY"),
        env={
            "MSWEA_CONFIGURED": "true",
            "MSWEA_COST_TRACKING": "ignore_errors",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
    ),
    "aider": Adapter(
        program="aider",
        reads=(*INSTRUCTIONS["any"], *INSTRUCTIONS["aider"]),
        argv=_aider,
        read=lambda stdout, _call: transcript.aider(stdout),
        variables=(*_ANTHROPIC, *_OPENAI, "OPENROUTER_API_KEY", "GEMINI_API_KEY"),
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        settings=_aider_settings,
        talks=True,
        litter=(".aider.tags.cache*",),
    ),
    "command": Adapter(
        program="", argv=_command, read=lambda stdout, _call: transcript.command(stdout), stdin=True, talks=True
    ),
}
"""Every agent by the name a campaign file uses."""


def adapter(agent: str, protocol: str) -> Adapter:
    """How to drive an agent over a protocol, `cli` or `acp`."""
    if protocol == "cli":
        return ADAPTERS[agent]
    return replace(ADAPTERS[agent], **_CONVERSING[agent], converses=True, read=_read_acp, stdin=False, talks=False)


def _read_acp(stdout: str, _call: Call) -> Said:
    return transcript.acp(stdout)


_CONVERSING: Mapping[str, Mapping[str, Any]] = {
    "claude": {
        "program": "claude-agent-acp",
        "argv": lambda call: [*call.program("claude-agent-acp"), *call.extra],
        "model_variable": "ANTHROPIC_MODEL",
    },
    # By itself it starts in a mode where a model of its own answers its requests, and never we. In its others its
    # commands run in a sandbox of its own, which ours leaves no room for, so within ours it needs none.
    "codex": {
        "program": "codex-acp",
        "argv": lambda call: [*call.program("codex-acp"), *call.extra],
        "mode": lambda call: "agent-full-access" if call.contained else "workspace-write",
    },
    "gemini": {
        "program": "gemini",
        "argv": lambda call: [*call.program("gemini"), "--acp", "--skip-trust", *call.choice("-m"), *call.extra],
    },
    "opencode": {
        "program": "opencode",
        "argv": lambda call: [*call.program("opencode"), "acp", *call.extra],
        "env": {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
            "OPENCODE_PERMISSION": '{"bash":"ask","edit":"ask","webfetch":"ask"}',
        },
    },
    "command": {"argv": _command},
}
