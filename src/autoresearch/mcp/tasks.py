"""Long runs as tasks, by the protocol's extension of that name: a handle at once, and what became of it when asked.

For clients that say with a call that they know tasks; all others follow a run as before. Nothing is kept here: a handle
says which experiment it means, and the journal how that stands, so a server that was started anew answers as well. The
SDK (2.3) has the extension's seams and not the extension.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolRequestParams, CallToolResult, RequestParams, TextContent
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from autoresearch.campaign.campaign import Campaign
from autoresearch.errors import AutoresearchError
from autoresearch.mcp.answers import progress_line

_LONG = "experiment_run"
_POLL_MS = 2000
_DIGITS = 14
"""Of milliseconds of Unix time, for some thousand years: a later one is no date."""
_BEGINS_S = 60.0
"""As long the process that follows a run may take to say so in the records."""


class _Named(RequestParams):
    task_id: str = Field(alias="taskId")


@dataclass(frozen=True)
class Handle:
    """What the id of a task says.

    Attributes:
        campaign: The campaign.
        index: The experiment whose runs are followed.
        began_ms: Since when, in milliseconds of Unix time.
    """

    campaign: str
    index: int
    began_ms: int

    def __str__(self) -> str:
        """As a client gets it."""
        return f"{self.campaign}/{self.index}/{self.began_ms}"

    @classmethod
    def read(cls, text: str) -> "Handle":
        """The handle of an id. Raises ValueError for anything else."""
        campaign, index, began_ms = text.split("/")
        if not (index.isdecimal() and began_ms.isdecimal() and len(began_ms) <= _DIGITS):
            raise ValueError(text[:60])
        return cls(campaign, int(index), int(began_ms))

    def task(self, status: str, now: float, message: str = "") -> dict[str, Any]:
        """What is said of it, in the protocol's words."""
        return {
            "taskId": str(self),
            "status": status,
            "createdAt": _iso(self.began_ms / 1000),
            "lastUpdatedAt": _iso(now),
            "ttlMs": None,
            "pollIntervalMs": _POLL_MS,
            **({"statusMessage": message} if message else {}),
        }


class RunTasks(Extension):
    """`experiment_run` as a task, and `tasks/get`, `tasks/cancel` and `tasks/update` beside it."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, find: Callable[[str | None], Campaign], clean: Callable[[str], str]) -> None:
        """For the campaigns that `find` finds by name, with `clean` to take secrets out of a text."""
        self._find, self._clean = find, clean

    def methods(self) -> Sequence[MethodBinding]:
        """What a client asks of a task."""
        asked = {"tasks/get": self._get, "tasks/cancel": self._acknowledge, "tasks/update": self._acknowledge}
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return tuple(MethodBinding(name, _Named, handler, versions) for name, handler in asked.items())

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """A handle in place of the answer, where a run goes on and the client knows what to do with one."""
        able = ctx.session.client_capabilities
        knows = able is not None and self.identifier in (able.extensions or {})
        given = params.arguments or {}
        if params.name != _LONG or not knows or ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return await call_next(ctx)
        if given.get("wait_s") == 0:  # whoever would not wait wants the answer as it is now
            return await call_next(ctx)
        params.arguments = {**given, "wait_s": 0}
        result = await call_next(ctx)
        said = (result.structured_content or {}) if isinstance(result, CallToolResult) else {}
        if said.get("state") != "running":
            return result
        found = self._find(given.get("campaign"))
        handle = Handle(await asyncio.to_thread(lambda: found.paths().name), said["index"], int(found.clock() * 1000))
        return {"resultType": "task", **handle.task("working", found.clock())}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: _Named) -> HandlerResult:
        return await asyncio.to_thread(self._standing, self._handle(ctx, params))

    async def _acknowledge(self, ctx: ServerRequestContext[Any, Any], params: _Named) -> HandlerResult:
        """Nothing is asked of a client in a task, and no cancelled task ends a run: `experiment_drop` does."""
        self._handle(ctx, params)
        return {}

    def _handle(self, ctx: ServerRequestContext[Any, Any], params: _Named) -> Handle:
        require_client_extension(ctx, self.identifier)
        try:
            handle = Handle.read(params.task_id)
            self._find(handle.campaign).experiment(handle.index)
        except (ValueError, AutoresearchError):
            raise MCPError(code=INVALID_PARAMS, message=f"there is no task {params.task_id[:60]!r}") from None
        return handle

    def _standing(self, handle: Handle) -> dict[str, Any]:
        found = self._find(handle.campaign)
        driven, now = found.by_hand().one(handle.index), found.clock()
        begins = driven.state == "interrupted" and now - handle.began_ms / 1000 < _BEGINS_S
        if driven.state == "running" or begins:
            return handle.task("working", now, self._clean(progress_line(found, handle.index)))
        said = json.loads(self._clean(json.dumps(asdict(driven))))
        answer = CallToolResult(content=[TextContent(text=json.dumps(said, indent=2))], structured_content=said)
        return {
            **handle.task("completed", now),
            "result": answer.model_dump(by_alias=True, mode="json", exclude_none=True),
        }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
