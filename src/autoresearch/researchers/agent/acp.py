"""One turn with an agent that speaks the Agent Client Protocol (agentclientprotocol.com, version 1).

`python -m autoresearch.researchers.agent.acp` runs as the main process of a call's cell, outside the sandbox, and
starts the agent as its child, inside. It reads a `Task` from standard input, answers what the agent asks from the
campaign's scope, and prints what happened as JSON lines, which `transcript.acp` reads. The agent has no way into what
is printed here but by the protocol. This is the only module that imports the SDK.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError, connect_to_agent, text_block
from acp.schema import (
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    FileSystemCapabilities,
    Implementation,
    ReadTextFileResponse,
    RequestPermissionResponse,
)

from autoresearch.guards.scope import Permission, Scope, Wish, permission
from autoresearch.machine import processes, sandbox
from autoresearch.machine.processes import CommandError, converse
from autoresearch.version import __version__

_MOST_LINE = 64 << 20
_MOST_TEXT = 64_000
_MOST_CALLS = 1000
_LEAVE_S = 2.0
_NAMED = ("file_path", "filePath", "path", "abs_path", "absolute_path", "notebook_path", "old_path", "new_path")
"""Where agents name files in a tool's input, beside the protocol's own `locations`."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one turn needs.

    Attributes:
        argv: The agent's command line, sandbox included.
        env: Its whole environment.
        tree: The worktree, absolute.
        own: Folders that are the agent's own: for its answer, its home, its temporary files.
        prompt: What it is told.
        scope: Fields of `guards.scope.Limits`.
        until: When the turn is cancelled, as a reading of this machine's monotonic clock in seconds.
        grace_s: Seconds it then has to end it by itself.
        mode: The session mode to set where the agent has it; empty for its own choice.
        max_cost_usd: Money it may report before the turn is cancelled, None for no limit.
        network: Whether it may reach the network.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    tree: str
    own: tuple[str, ...]
    prompt: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    until: float = 0.0
    grace_s: float = 5.0
    mode: str = ""
    max_cost_usd: float | None = None
    network: bool = True

    def text(self) -> str:
        """The task as `main` reads it."""
        return json.dumps(asdict(self))


def main() -> int:
    """Carry out the task on standard input; 0 when the agent ended its turn."""
    task = Task(**json.loads(sys.stdin.buffer.read()))
    # The SDK logs every broken line of the agent's with a traceback; what matters stands in the transcript.
    logging.disable(logging.ERROR)
    return asyncio.run(_Turn(task).run())


class _Turn:
    """One agent, one session, one prompt."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.client = _Client(task)

    async def run(self) -> int:
        """Talk, and leave one `ended` line whatever happens."""
        env = {**self.task.env, processes.RUN_MARK: os.environ.get(processes.RUN_MARK, "")}
        try:
            child, sink, source = await converse(
                self.task.argv, cwd=Path(self.task.tree), env=env, most_line=_MOST_LINE
            )
        except CommandError as error:
            return self._end("failed", str(error))
        try:
            async with asyncio.timeout(self._left()):
                offered: Any = self.client  # the SDK's Protocol has terminals and forms, which we do not offer
                conversation = connect_to_agent(offered, sink, source)
                session = await self._open(conversation)
        except TimeoutError:
            return self._end("time", "it did not open a session in time")
        except (RequestError, ConnectionError, ValueError) as error:
            return self._end("failed", _words(error))
        else:
            return await self._prompt(conversation, session)
        finally:
            sink.close()
            with suppress(TimeoutError, OSError):
                await asyncio.wait_for(child.wait(), _LEAVE_S)

    async def _open(self, agent: Any) -> str:
        """Initialise, open a session, set its mode; returns the session's id."""
        # Reading is not offered: there is no unsaved text here, and Gemini CLI 0.61 takes "not found" for a failure.
        files = FileSystemCapabilities(read_text_file=False, write_text_file=True)
        told = await agent.initialize(
            protocol_version=PROTOCOL_VERSION,
            client_capabilities=ClientCapabilities(fs=files, terminal=False),
            client_info=Implementation(name="autoresearch", version=__version__),
        )
        if told.protocol_version != PROTOCOL_VERSION:
            raise ValueError(f"it speaks version {told.protocol_version} of the protocol, not {PROTOCOL_VERSION}")
        if told.agent_info:
            say("agent", name=told.agent_info.name, version=told.agent_info.version)
        session = await agent.new_session(cwd=self.task.tree, mcp_servers=[])
        modes = [mode.id for mode in session.modes.available_modes] if session.modes else []
        if self.task.mode in modes:
            await agent.set_session_mode(session_id=session.session_id, mode_id=self.task.mode)
        say("session", modes=modes, mode=self.task.mode if self.task.mode in modes else "")
        return str(session.session_id)

    async def _prompt(self, agent: Any, session: str) -> int:
        turn = asyncio.ensure_future(agent.prompt(prompt=[text_block(self.task.prompt)], session_id=session))
        dear = asyncio.ensure_future(self.client.too_dear.wait())
        done, _ = await asyncio.wait({turn, dear}, timeout=self._left(), return_when=asyncio.FIRST_COMPLETED)
        dear.cancel()
        if turn in done:
            return self._ended(turn)
        word = "cost" if dear in done else "time"
        with suppress(RequestError, ConnectionError, TimeoutError):
            await asyncio.wait_for(agent.cancel(session_id=session), self.task.grace_s)
        heard, _ = await asyncio.wait({turn}, timeout=self.task.grace_s)
        turn.cancel()
        return self._end(word, "" if heard else "it did not answer the cancel")

    def _left(self) -> float:
        return max(0.0, self.task.until - time.monotonic())

    def _ended(self, turn: "asyncio.Future[Any]") -> int:
        try:
            response = turn.result()
        except (RequestError, ConnectionError, ValueError) as error:
            return self._end("failed", _words(error))
        if response.usage:
            self.client.usage = response.usage.model_dump(exclude_none=True, include=_COUNTED)
        return self._end(str(response.stop_reason), "")

    def _end(self, stop: str, error: str) -> int:
        self.client.flush()
        say("ended", stop=stop, error=error, usage=self.client.usage, cost_usd=self.client.cost_usd)
        return 1 if stop in {"failed", "cost"} else 0


_COUNTED = {"input_tokens", "output_tokens", "cached_read_tokens", "cached_write_tokens"}


class _Client:
    """Our side of the protocol: what the agent may ask for, and what it tells."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.tree, self.own = Path(task.tree), tuple(map(Path, task.own))
        self.scope = Scope(**{key: _frozen(value) for key, value in task.scope.items()})
        self.too_dear = asyncio.Event()
        self.usage: Mapping[str, int] = {}
        self.cost_usd: float | None = None
        self._calls: dict[str, dict[str, Any]] = {}
        self._words = ""

    async def request_permission(
        self, session_id: str, tool_call: Any, options: list[Any], **_more: Any
    ) -> RequestPermissionResponse:
        """Allow once or reject once, by the options' kinds; never for always."""
        del session_id
        known = self._learn(tool_call)
        answer = self._answer(self._wish(known))
        wanted = ("allow_once",) if answer.granted else ("reject_once", "reject_always")
        chosen = next((option for kind in wanted for option in options if option.kind == kind), None)
        self._tell(known, answer, chosen.kind if chosen else "cancelled")
        if chosen is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen.option_id))

    async def session_update(self, session_id: str, update: Any, **_more: Any) -> None:
        """Keep its words, its tool calls and what they cost."""
        del session_id
        match update.session_update:
            case "agent_message_chunk":
                self._words = (self._words + str(getattr(update.content, "text", "")))[-_MOST_TEXT:]
            case "tool_call" | "tool_call_update":
                self.flush()
                known = self._learn(update)
                if update.session_update == "tool_call" or update.status in {"completed", "failed"}:
                    failure = _shown(update) if update.status == "failed" else ""
                    say("tool", **{key: known.get(key) for key in ("kind", "title", "status")}, failure=failure)
            case "usage_update" if update.cost and update.cost.currency == "USD":
                self.cost_usd = float(update.cost.amount)
                if self.task.max_cost_usd is not None and self.cost_usd > self.task.max_cost_usd:
                    self.too_dear.set()

    async def write_text_file(self, session_id: str, path: str, content: str, **_more: Any) -> None:
        """Write for the agent what it could be allowed to edit."""
        del session_id
        root, inside = self._place(path)
        answer = self._answer(self._wish({"kind": "edit", "paths": [path]}))
        self._tell({"kind": "edit", "title": f"write {path}"}, answer, "written" if answer.granted else "refused")
        if not answer.granted or root is None:
            raise RequestError.invalid_params({"details": answer.why})
        _in_words(sandbox.write_below, root, inside, content)

    async def read_text_file(
        self, session_id: str, path: str, line: int | None = None, limit: int | None = None, **_more: Any
    ) -> ReadTextFileResponse:
        """Read for the agent, below its worktree and its own places only."""
        del session_id
        root, inside = self._place(path)
        if root is None:
            answer = self._answer(self._wish({"kind": "read", "paths": [path]}))
            self._tell({"kind": "read", "title": f"read {path}"}, answer, "refused")
            raise RequestError.invalid_params({"details": answer.why})
        text = _in_words(sandbox.read_below, root, inside)
        if line is not None or limit is not None:
            first = max(0, (line or 1) - 1)
            last = None if limit is None else first + max(0, limit)
            text = "".join(text.splitlines(keepends=True)[first:last])
        return ReadTextFileResponse(content=text)

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """No extension is known."""
        del params
        raise RequestError.method_not_found(method)

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """Nor listened to."""

    def flush(self) -> None:
        """Write down what it has said since its last tool call."""
        if text := self._words.strip():
            say("text", text=text)
        self._words = ""

    def _learn(self, call: Any) -> dict[str, Any]:
        """Everything told so far about a tool call; a later message only says what has changed."""
        known = self._calls.setdefault(str(call.tool_call_id), {})
        if len(self._calls) > _MOST_CALLS:
            del self._calls[next(iter(self._calls))]
        known.update({key: value for key in ("kind", "title", "status") if (value := getattr(call, key, None))})
        if paths := _paths(call):
            known["paths"] = paths
        return known

    def _wish(self, known: Mapping[str, Any]) -> Wish:
        places = {path: self._place(path) for path in known.get("paths", ())}
        return Wish(
            kind=str(known.get("kind") or "other"),
            title=str(known.get("title") or ""),
            paths=tuple(inside for root, inside in places.values() if root == self.tree and inside != "."),
            own=any(root not in {None, self.tree} for root, _ in places.values()),
            outside=tuple(path for path, (root, _) in places.items() if root is None),
        )

    def _answer(self, wish: Wish) -> Permission:
        return permission(wish, self.scope, network=self.task.network)

    def _place(self, path: str) -> tuple[Path | None, str]:
        """The folder of ours that a path lies in, and the path there."""
        for root in (self.tree, *self.own):
            if (inside := sandbox.relative(root, path)) is not None:
                return root, inside
        return None, ""

    def _tell(self, known: Mapping[str, Any], answer: Permission, given: str) -> None:
        what = f"{known.get('kind') or 'other'}: {known.get('title') or ''}"[:500]
        say("asked", what=what, answer=given, why=answer.why)


def say(event: str, **details: object) -> None:
    """One line of the transcript."""
    sys.stdout.write(json.dumps({"event": event, **details}) + "\n")
    sys.stdout.flush()


def _paths(call: Any) -> list[str]:
    """Every file a tool call names: locations, differences, and what its input calls a path."""
    named = [location.path for location in getattr(call, "locations", None) or ()]
    named += [item.path for item in getattr(call, "content", None) or () if getattr(item, "type", "") == "diff"]
    given = getattr(call, "raw_input", None)
    if isinstance(given, dict):
        named += [value for key in _NAMED if isinstance(value := given.get(key), str)]
        changes = given.get("changes")
        named += list(changes) if isinstance(changes, dict) else []
    return [path for path in dict.fromkeys(map(str, named)) if path]


def _shown(call: Any) -> str:
    """The texts that a tool call shows."""
    texts = (getattr(getattr(item, "content", None), "text", "") for item in call.content or ())
    return "\n".join(filter(None, texts))[:1000]


def _in_words(act: Any, *arguments: object) -> Any:
    try:
        return act(*arguments)
    except FileNotFoundError as error:
        raise RequestError.resource_not_found(str(error)) from None
    except (OSError, ValueError) as error:
        raise RequestError.invalid_params({"details": str(error)}) from None


def _words(error: BaseException) -> str:
    data = getattr(error, "data", None)
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    return f"{error}{f': {details}' if details else ''}"[:2000]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
