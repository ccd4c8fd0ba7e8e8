"""A person answers in the form that their client shows: the SDK's own client, a server in a process of its own."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from autoresearch.campaign import consent, opening
from autoresearch.campaign.by_hand import Onlooker
from autoresearch.campaign.campaign import Campaign
from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import Hypothesis

try:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.types import ElicitResult
except ImportError:
    if os.environ.get("CI"):
        raise
    pytest.skip("the MCP SDK is not installed; install it with: pip install -e '.[mcp]'", allow_module_level=True)


class Person:
    """Whoever sits at a client: reads the questions, and fills in the form."""

    def __init__(self) -> None:
        self.read = []
        self.fill = lambda _code: ElicitResult(action="decline")

    async def form(self, _context, params) -> ElicitResult:
        self.read.append(params.message)
        return self.fill(re.search(r"with the code (\d{4})\.$", params.message)[1])


def answers(word, code=None, **more: str):
    return lambda told: ElicitResult(action="accept", content={"answer": word, "code": code or told, **more})


def ask(lab, conversation, person=None, mode="auto"):
    """Have a conversation with a server; `call` answers what `ask_person` said, and whether that was a refusal."""

    async def whole() -> None:
        server = StdioServerParameters(command=sys.executable, args=["-m", "autoresearch", "mcp"], cwd=lab.root)
        shows = person.form if person else None
        async with Client(stdio_client(server), elicitation_callback=shows, mode=mode) as client:

            async def call(**values: object) -> tuple[str, bool]:
                result = await client.call_tool("ask_person", values)
                return result.content[0].text, result.is_error

            await conversation(call)

    asyncio.run(asyncio.wait_for(whole(), 280))


@pytest.fixture
def asked(lab):
    """A campaign whose baseline waits for a person, by the plan that they approved."""

    def begin(**approval: str) -> Any:
        lab.write(approval={"launch": "ask", **approval}, scope={"protect": ["train.py"]}, stop="4 experiments")
        Campaign(where=lab.root).approve(starts=True)
        hand = Campaign(where=lab.root, by="ada").by_hand()
        made = hand.open(Hypothesis(title="double the rate"))
        Path(made.worktree, "config.json").write_text(json.dumps({"lr": 0.2, "wd": 0.0}))

        def leave(event) -> None:
            if event.kind == "approval_asked":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            hand.run(made.index, Onlooker(listen=leave, poll_s=0.01))
        return lab

    return begin


def walk(lab, mode):
    person = Person()

    async def conversation(call) -> None:
        assert "left without an answer (decline)" in (await call())[0]
        person.fill = answers("approve", "0000")
        assert "not typed back, so nothing was recorded" in (await call())[0]
        assert lab.journal("approval_given") == []
        person.fill = answers("deny", reason="too dear")
        told, wrong = await call(campaign="night")
        assert (json.loads(told), wrong) == (
            {"request": "baseline/1", "granted": False, "reason": "too dear", "left": 0},
            False,
        )
        assert "no launch of night waits" in (await call())[0]

    ask(lab, conversation, person, mode)
    (given,) = lab.journal("approval_given")
    assert (given["granted"], given["reason"]) == (False, "too dear")
    assert given["proof"].startswith("code typed back in a form of the client ")
    assert person.read[0].startswith("May baseline/1 of campaign night be started? ")
    assert len(person.read) == 3
    assert person.read[1] != person.read[2], "a code that was missed once is not asked for again"


def test_a_person_answers_in_the_form_of_their_client(asked):
    """By the current protocol: left or answered without the code nothing is recorded, else the word with its proof."""
    walk(asked(by="client"), "auto")


@pytest.mark.full
def test_a_client_of_the_protocol_before_asks_as_well(asked):
    """There the question is a request of the server's own, while the call waits."""
    walk(asked(by="client"), "legacy")


@pytest.mark.full
def test_a_client_that_shows_no_form_is_told_the_command(asked):
    """As ever: nobody is asked, and a person types it at a terminal."""
    lab = asked(by="client")

    async def conversation(call) -> None:
        told, wrong = await call()
        assert wrong
        assert "cannot show a question to a person" in told
        assert told.endswith("autoresearch approve baseline/1 --campaign night")

    ask(lab, conversation)
    assert lab.journal("approval_given") == []


@pytest.mark.full
def test_a_form_counts_where_the_plan_lets_it_only(asked):
    """A client may answer by itself: a campaign that does not say `client` asks at a terminal, and the form at nobody."""
    lab, person = asked(by="auto"), Person()
    person.fill = answers("approve")

    async def conversation(call) -> None:
        told, wrong = await call()
        assert wrong
        assert "takes no answer from a client's form" in told

    ask(lab, conversation, person)
    assert (person.read, lab.journal("approval_given")) == ([], [])


def test_the_gate_itself_asks_what_the_plan_says(asked):
    """Whoever calls it: a form's word is recorded with `client` alone, and a client's word is no word at a terminal."""
    lab = asked(by="terminal")
    opened = opening.open_campaign(lab.root, None)
    with (
        pytest.raises(CampaignError, match="takes no answer from a client's form"),
        consent.answered_in_form(opened, ""),
    ):
        Campaign(where=lab.root).answer(None, granted=True)
    assert lab.journal("approval_given") == []
    assert lab.cli("approve", prefix=("setsid", "-w")).returncode == 1
