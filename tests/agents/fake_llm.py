"""A model that plays a script, behind the wire protocols real agents speak; on loopback, standard library only.

```text
POST /v1/messages                      Anthropic Messages         Claude Code
POST /v1/chat/completions              OpenAI chat completions    OpenCode, mini-swe-agent, Aider
POST /v1/responses                     OpenAI Responses           Codex
POST /v1beta/models/M:generateContent  Google generateContent     Gemini CLI
```

Answers come whole or as server-sent events, as the request asks. Which line of the script is due is read from the
request itself, the number of assistant turns in it: a session that is retried or resumed goes on at the right place.
"""

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Body = Mapping[str, Any]
Event = tuple[str, Body | str]


@dataclass(frozen=True)
class Say:
    """End the turn with a text."""

    text: str


@dataclass(frozen=True)
class Shell:
    """Have the agent run a shell command, with whichever shell tool it offers."""

    command: str


@dataclass(frozen=True)
class Write:
    """Have the agent write a file, with whichever tool for that it offers."""

    path: str
    text: str


@dataclass(frozen=True)
class Call:
    """Have the agent call a tool of an MCP server, by the end of its name; or wait for the server to offer it."""

    tool: str
    values: Body = field(default_factory=dict)


@dataclass
class Fail:
    """Answer the next `times` requests with an error, then give way to the script."""

    status: int
    message: str
    times: int = 1_000_000


Line = Say | Shell | Write | Call
_NUMBERS = itertools.count(1)
"""For the calls of tools: an agent takes two calls of one number for one."""


@dataclass
class Script:
    """What the model says, turn by turn, and what it was asked."""

    turns: Sequence[Line]
    fail: Fail | None = None
    bare: bool = False
    """The agent offers no tools in any request: the script is for those without."""
    asked: list[Body] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, body: Body, turn: int, tools: Mapping[str, Body]) -> Line | Fail:
        """The line for a request; one without tools (a title, a summary) gets a word."""
        with self.lock:
            self.asked.append(body)
            if self.fail and self.fail.times > 0:
                self.fail.times -= 1
                return self.fail
        return self.turns[min(turn, len(self.turns) - 1)] if tools or self.bare else Say("fine")


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serve a script; yields the address to point an agent at, without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Played", (_Handler,), {"script": script}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._whole({})

    def do_GET(self) -> None:
        model = {"id": "played", "object": "model", "type": "model", "display_name": "played"}
        self._whole({"object": "list", "data": [model], "has_more": False})

    def do_POST(self) -> None:
        body = json.loads(self._received() or b"{}")
        path = self.path.partition("?")[0]
        protocol = next((made for end, made in _PROTOCOLS.items() if path.endswith(end)), None)
        try:
            if protocol is None:
                self._whole({"input_tokens": 10})
                return
            turn, tools = protocol.read(body)
            line = self.script.due(body, turn, tools)
            if isinstance(line, Fail):
                self._whole(protocol.error(line), line.status)
            elif body.get("stream") or path.endswith(":streamGenerateContent"):
                self._stream(protocol.stream(line, tools, str(body.get("model"))))
            else:
                self._whole(protocol.whole(line, tools, str(body.get("model"))))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _received(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _whole(self, document: Body, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Sequence[Event]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for name, data in events:
            head = f"event: {name}\n" if name else ""
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write(f"{head}data: {text}\n\n".encode())
        self.close_connection = True


def tool_call(line: Shell | Write | Call, tools: Mapping[str, Body]) -> tuple[str, Body]:
    """A call of the offered tool that does it: its name and arguments, by its own schema."""
    if isinstance(line, Call):
        found = next((one for one in tools if one.endswith(line.tool)), "")
        return (found, line.values) if found else ("WaitForMcpServers", {})
    if isinstance(line, Write):
        known, said = ("Write", "write", "write_file"), {"content": line.text}
        keys, value = ("file_path", "filePath", "path"), line.path
    else:
        known = ("Bash", "bash", "exec_command", "shell_command", "shell", "run_shell_command")
        keys, value, said = ("command", "cmd"), line.command, {}
    name = next((one for one in known if one in tools), next(iter(tools)))
    schema = tools[name]
    properties = schema.get("properties", {})
    key = next((one for one in keys if one in properties), keys[0])
    listed = properties.get(key, {}).get("type") == "array"
    values: dict[str, Any] = {key: ["bash", "-c", value] if listed else value, **said}
    blank = {"number": 20000, "integer": 20000, "boolean": False, "array": [], "object": {}}
    for needed in schema.get("required", []):
        values.setdefault(needed, blank.get(str(properties.get(needed, {}).get("type")).lower(), "as told"))
    return name, values


class Messages:
    """Anthropic Messages."""

    usage: ClassVar[Body] = {"input_tokens": 100, "output_tokens": 20}

    def read(self, body: Body) -> tuple[int, dict[str, Body]]:
        tools = {one["name"]: one.get("input_schema", {}) for one in body.get("tools") or [] if "name" in one}
        return sum(one["role"] == "assistant" for one in body.get("messages", [])), tools

    def error(self, line: Fail) -> Body:
        kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}.get(
            line.status, "api_error"
        )
        return {"type": "error", "error": {"type": kind, "message": line.message}}

    def whole(self, line: Line, tools: Mapping[str, Body], model: str) -> Body:
        stop = "end_turn"
        block: dict[str, Any] = {"type": "text", "text": getattr(line, "text", "")}
        if not isinstance(line, Say):
            name, values = tool_call(line, tools)
            stop, block = (
                "tool_use",
                {"type": "tool_use", "id": f"toolu_{next(_NUMBERS)}", "name": name, "input": values},
            )
        head = {
            "id": f"msg_{next(_NUMBERS)}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "stop_sequence": None,
        }
        return {**head, "content": [block], "stop_reason": stop, "usage": self.usage}

    def stream(self, line: Line, tools: Mapping[str, Body], model: str) -> list[Event]:
        message = self.whole(line, tools, model)
        block = message["content"][0]
        text = block["type"] == "text"
        delta = {"type": "text_delta", "text": block["text"]} if text else {
            "type": "input_json_delta", "partial_json": json.dumps(block["input"])
        }  # fmt: skip
        events: list[Body] = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {**block, **({"text": ""} if text else {"input": {}})},
            },
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
        return [(event["type"], event) for event in events]


class Chat:
    """OpenAI chat completions."""

    usage: ClassVar[Body] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}

    def read(self, body: Body) -> tuple[int, dict[str, Body]]:
        offered = (one["function"] for one in body.get("tools") or [] if "function" in one)
        tools = {one["name"]: one.get("parameters", {}) for one in offered}
        return sum(one["role"] == "assistant" for one in body.get("messages", [])), tools

    def error(self, line: Fail) -> Body:
        return {"error": {"message": line.message, "type": "error", "code": str(line.status)}}

    def _message(self, line: Line, tools: Mapping[str, Body]) -> tuple[Body, str]:
        if isinstance(line, Say):
            return {"role": "assistant", "content": line.text}, "stop"
        name, values = tool_call(line, tools)
        call = {
            "index": 0,
            "id": f"call_{next(_NUMBERS)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(values)},
        }
        return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"

    def whole(self, line: Line, tools: Mapping[str, Body], model: str) -> Body:
        message, end = self._message(line, tools)
        choice = {"index": 0, "message": message, "finish_reason": end}
        return {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [choice],
            "usage": self.usage,
        }

    def stream(self, line: Line, tools: Mapping[str, Body], model: str) -> list[Event]:
        message, end = self._message(line, tools)
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
        choices = (
            {"index": 0, "delta": message, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": end},
        )
        chunks: list[Event] = [("", {**head, "choices": [choice]}) for choice in choices]
        return [*chunks, ("", {**head, "choices": [], "usage": self.usage}), ("", "[DONE]")]


class Responses:
    """OpenAI Responses; tools come alone or below a namespace, as those of an MCP server do."""

    def read(self, body: Body) -> tuple[int, dict[str, Body]]:
        items = body["input"] if isinstance(body.get("input"), list) else []
        offered = [("", one) for one in body.get("tools") or []]
        offered += [(f"{group['name']}/", one) for _, group in offered for one in group.get("tools", [])]
        tools = {under + one["name"]: one.get("parameters", {}) for under, one in offered if one["type"] == "function"}
        return sum(one.get("type") == "function_call" or one.get("role") == "assistant" for one in items), tools

    def error(self, line: Fail) -> Body:
        return {"error": {"message": line.message, "type": "error", "code": str(line.status)}}

    def whole(self, line: Line, tools: Mapping[str, Body], model: str) -> Body:
        item: dict[str, Any] = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
        if isinstance(line, Say):
            item["content"] = [{"type": "output_text", "text": line.text, "annotations": []}]
        else:
            name, values = tool_call(line, tools)
            under, _, name = name.rpartition("/")
            item = {
                "type": "function_call",
                "id": "f1",
                "call_id": f"call_{next(_NUMBERS)}",
                "name": name,
                **({"namespace": under} if under else {}),
                "arguments": json.dumps(values),
            }
        usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
        head = {"id": "r1", "object": "response", "created_at": 1, "status": "completed", "model": model}
        return {**head, "output": [item], "usage": usage}

    def stream(self, line: Line, tools: Mapping[str, Body], model: str) -> list[Event]:
        response = self.whole(line, tools, model)
        item = response["output"][0]
        events: list[Body] = [
            {
                "type": "response.created",
                "response": {**response, "status": "in_progress", "output": [], "usage": None},
            },
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return [(event["type"], event) for event in events]


class Content:
    """Google generateContent; its stream is the whole answer as one event."""

    def read(self, body: Body) -> tuple[int, dict[str, Body]]:
        declared = [one for group in body.get("tools") or [] for one in group.get("functionDeclarations", [])]
        tools = {one["name"]: one.get("parametersJsonSchema") or one.get("parameters", {}) for one in declared}
        return sum(one.get("role") == "model" for one in body.get("contents", [])), tools

    def error(self, line: Fail) -> Body:
        return {"error": {"code": line.status, "message": line.message, "status": "UNAVAILABLE"}}

    def whole(self, line: Line, tools: Mapping[str, Body], model: str) -> Body:
        if isinstance(line, Say):
            part: Body = {"text": line.text}
        else:
            name, values = tool_call(line, tools)
            part = {"functionCall": {"name": name, "args": values}}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}

    def stream(self, line: Line, tools: Mapping[str, Body], model: str) -> list[Event]:
        return [("", self.whole(line, tools, model))]


_PROTOCOLS: Mapping[str, Messages | Chat | Responses | Content] = {
    ":generateContent": Content(),
    ":streamGenerateContent": Content(),
    "/messages": Messages(),
    "/chat/completions": Chat(),
    "/responses": Responses(),
}
