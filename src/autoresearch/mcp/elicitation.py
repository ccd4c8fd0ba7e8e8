"""What only a person may say, asked of them in their client's own form (MCP's elicitation), past the model.

The protocol lets a client answer by itself, and any program may be one. So the answer counts only where the campaign
file says so (`approval.by: client`), only for launches, and with a code from the question typed back: a client that
accepts whatever it is asked fails that. The plan, which opts in, is approved at a terminal.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from autoresearch.campaign import consent, opening
from autoresearch.campaign.campaign import Campaign
from autoresearch.errors import CampaignError
from autoresearch.mcp.answers import plainly

_LONGEST_REASON = 2000


class Form(BaseModel):
    """What a person fills in."""

    answer: Literal["approve", "deny"] = Field(description="approve: the run is started; deny: it never is")
    code: str = Field(description="the four digits of the question")
    reason: str = Field(default="", max_length=_LONGEST_REASON, description="why, for the record")


@dataclass(frozen=True)
class LaunchAsked:
    """A launch that waits, as it is asked about and as it is answered.

    Attributes:
        campaign: Whose.
        request: Its name.
        question: What would be started, and what it takes.
    """

    campaign: Campaign
    request: str
    question: str


@dataclass(frozen=True)
class Reply:
    """What a person said.

    Attributes:
        request: The launch.
        granted: Whether it may start.
        reason: Why, in their words.
        left: How many more launches wait.
    """

    request: str
    granted: bool
    reason: str
    left: int


class Codes:
    """A code for every question, the same while it is asked and another one after an answer."""

    def __init__(self) -> None:
        """With a key of this process's own."""
        self._key = secrets.token_bytes(32)
        self._answers = 0

    def code(self, request: str) -> str:
        """Four digits that stand in the question and nowhere else."""
        made = hmac.digest(self._key, f"{self._answers} {request}".encode(), hashlib.sha256)
        return f"{int.from_bytes(made[:8]) % 9000 + 1000}"

    def typed_back(self, request: str, typed: str) -> bool:
        """Whether that is it; either way the next question has another."""
        right = hmac.compare_digest(self.code(request).encode(), typed.strip().encode())
        self._answers += 1
        return right


def person_asker(find: Callable[[str | None], Campaign], clean: Callable[[str], str]) -> Callable[..., Any]:
    """The tool that has a person asked.

    Args:
        find: The campaign of a name.
        clean: Takes secrets out of a text.
    """
    codes = Codes()

    def waiting(ctx: Context, campaign: str | None) -> LaunchAsked:
        found = find(campaign).bound()
        opened = opening.open_campaign(found.where, found.name)
        asked = [ask for key, ask in opened.history.approvals.items() if key not in opened.history.answers]
        if not asked:
            raise CampaignError(f"no launch of {opened.paths.name} waits for a person")
        words = (
            f"a person answers at a terminal: autoresearch approve {asked[0].request} --campaign {opened.paths.name}"
        )
        if why := consent.why_no_form(opened) or _why_no_form(ctx):
            raise CampaignError(f"{why}; {words}")
        return LaunchAsked(found, asked[0].request, clean(asked[0].question))

    async def question(waits: Annotated[LaunchAsked, Resolve(plainly(waiting, clean, ToolError))]) -> Elicit[Form]:
        what = f"May {waits.request} of campaign {waits.campaign.name} be started? {waits.question}."
        return Elicit(f"{what} Answer with the code {codes.code(waits.request)}.", Form)

    def ask_person(
        ctx: Context,
        waits: Annotated[LaunchAsked, Resolve(plainly(waiting, clean, ToolError))],
        answer: Annotated[ElicitationResult[Form], Resolve(question)],
        campaign: Annotated[  # noqa: ARG001 - by it `waiting` knows whose launch is meant
            str | None, Field(description="campaign name; default: the most recent one")
        ] = None,
    ) -> Reply:
        """Have the person at the client asked about the launch that waits longest; the answer is theirs, not yours."""
        if not isinstance(answer, AcceptedElicitation):
            raise CampaignError(f"the question was left without an answer ({answer.action}), so nothing was recorded")
        said = answer.data
        if not codes.typed_back(waits.request, said.code):
            raise CampaignError("the code of the question was not typed back, so nothing was recorded")
        opened = opening.open_campaign(waits.campaign.where, waits.campaign.name)
        granted = said.answer == "approve"
        with consent.answered_in_form(opened, clean(client_name(ctx))):
            waits.campaign.answer(waits.request, granted=granted, reason=said.reason)
        return Reply(waits.request, granted, clean(said.reason), len(waits.campaign.status().waiting))

    return ask_person


def client_name(ctx: Context) -> str:
    """What the client calls itself, on one line."""
    params = ctx.request_context.session.client_params
    return " ".join(params.client_info.name.split())[:60] if params else ""


def _why_no_form(ctx: Context) -> str:
    """Why the client cannot show a question; empty where it can."""
    can = ctx.client_capabilities and ctx.client_capabilities.elicitation
    if can and (can.form is not None or can.url is None):
        return ""
    return f"{client_name(ctx) or 'this client'} cannot show a question to a person"
