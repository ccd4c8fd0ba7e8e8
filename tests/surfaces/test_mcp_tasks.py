"""A long run as a task, by the protocol's extension: the SDK's own client, a server in a process of its own."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from autoresearch.campaign.campaign import Campaign
from autoresearch.experiment.hypothesis import Hypothesis

try:
    from mcp.client.client import Client
    from mcp.client.extension import ClientExtension, ResultClaim
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.shared.exceptions import MCPError
    from mcp.types import CallToolResult, Request, RequestParams, Result
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("the MCP SDK is not installed; install it with: pip install -e '.[mcp]'", allow_module_level=True)

from pydantic import Field

pytestmark = pytest.mark.full


class Named(RequestParams):
    task_id: str = Field(alias="taskId")


class Task(Result):
    """Any of the extension's answers."""

    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str


class Standing(Result):
    """What `tasks/get` answers."""

    status: str
    status_message: str = Field("", alias="statusMessage")
    result: dict[str, Any] | None = None


async def ask(session, method, task_id) -> Any:
    request = Request[Named, str](method=method, params=Named(taskId=task_id))
    return await session.send_request(request, Standing if method == "tasks/get" else Result)


class Follower(ClientExtension):
    """A client that knows tasks: cancels what it got, which ends no run, then asks until it is over."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, release) -> None:
        self.release, self.seen, self.task_id = release, [], ""

    def claims(self) -> tuple[ResultClaim[Any], ...]:
        return (ResultClaim(result_type="task", model=Task, resolve=self.follow),)

    async def follow(self, task, context) -> CallToolResult:
        self.task_id = task.task_id
        await ask(context.session, "tasks/cancel", task.task_id)
        while (now := await ask(context.session, "tasks/get", task.task_id)).status == "working":
            self.seen.append(now.status_message)
            if "running, score" in now.status_message:
                self.release.touch()
            await asyncio.sleep(0.1)
        self.seen.append(now.status)
        return CallToolResult.model_validate(now.result)


def test_a_client_that_knows_tasks_gets_a_handle_and_asks_how_it_stands(lab):
    """The call comes back at once; progress, end and answer are asked for, by a client of another server as well."""
    lab.local(stop="2 experiments")
    Campaign(where=lab.root).approve()
    made = Campaign(where=lab.root, by="ada").by_hand().open(Hypothesis(title="double the rate"))
    Path(made.worktree, "config.json").write_text(json.dumps({"lr": 0.2, "wd": 0.0}))
    server = StdioServerParameters(command=sys.executable, args=["-m", "autoresearch", "mcp"], cwd=lab.root)
    first = Follower(lab.gate)

    async def whole() -> None:
        async with Client(stdio_client(server), extensions=[first]) as client:
            assert Follower.identifier in client.server_capabilities.extensions
            ran = await client.call_tool("experiment_run", {"index": 2})
            assert (ran.structured_content["state"], ran.structured_content["runs"]) == ("measured", 1)
            for name in ("night/9/1", "night/2/99999999999999999999", "night/2/-99999999999999999", "night//", "2"):
                with pytest.raises(MCPError, match=f"there is no task '{name}'"):
                    await ask(client.session, "tasks/get", name)
        async with Client(stdio_client(server), extensions=[Follower(lab.gate)]) as client:
            now = await ask(client.session, "tasks/get", first.task_id)
            assert now.result["structuredContent"]["runs"] == 1
        async with Client(stdio_client(server)) as client:
            plain = await client.call_tool("experiment_run", {"index": 2})
            assert plain.structured_content["state"] == now.result["structuredContent"]["state"] == "measured"

    asyncio.run(asyncio.wait_for(whole(), 280))
    assert first.seen[-1] == "completed"
    assert any("baseline run, seed 42, running, score 0." in text for text in first.seen)
    assert lab.journal("run_cancelled") == []
