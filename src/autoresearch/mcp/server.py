"""The verbs as tools of the Model Context Protocol, on standard input and output, for agents that drive a campaign.

What is not here is the point: nothing approves, overrules or resumes. Those are words that a person types, or answers
in a form of the client (`elicitation`).
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import Tool, ToolAnnotations
from pydantic import Field, ValidationError

from autoresearch.campaign import beginning
from autoresearch.campaign.by_hand import ByHand, Onlooker
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.campaign.status import CampaignStatus, DrivenExperiment, Judged
from autoresearch.errors import UsageError
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.mcp.answers import (
    Attempt,
    Page,
    PlanShown,
    Shown,
    attempt,
    cut,
    head,
    newest_rows,
    plainly,
    plan_shown,
    progress_line,
    recent,
    shown,
    tail,
    terse,
)
from autoresearch.mcp.elicitation import client_name, person_asker
from autoresearch.mcp.tasks import RunTasks
from autoresearch.secrets.environment import hide
from autoresearch.version import __version__

_GUIDE = """\
Experiments on a training recipe, under rules that the program keeps. The way of one experiment:
1. status; when the campaign is `planned`, a person has to approve its plan first: say so, and wait.
2. experiment_new with a title: it answers with a worktree and a brief. Read the brief.
3. Edit files in that worktree only. Do not commit: experiment_run makes the one commit.
4. experiment_run: checks the edit, runs the baseline first if there is none, follows the runs. While it answers
   `running` or `interrupted`, call it again. Meanwhile the next one may be opened, edited and run as well.
   A launch that waits for a person: ask_person; where it is refused, tell them the command.
5. experiment_judge: the verdict is the campaign's policy's. Or experiment_drop with a reason.
Numbers come from the runs' own files; nobody can enter one. Never edit ledger, journal or campaign branches."""

_Campaign = Annotated[str | None, Field(description="campaign name; default: the most recent one")]
_Index = Annotated[int, Field(description="number of the experiment", ge=1)]
_POLL_S = 0.5
_ANSWER_S = 1.0  # before the end of a wait, the answer is begun
_LONGEST_LINE = 1000


def serve(where: Path, campaign: str | None) -> None:
    """Answer one client until it goes away.

    Args:
        where: A directory of the repository.
        campaign: The campaign meant when a call names none; None for the one worked on last.
    """
    server(where, campaign).run("stdio")


def server(where: Path, campaign: str | None) -> MCPServer:
    """The tools and resources of one repository."""
    tools = Tools(where, campaign)
    made = _Strict(
        "autoresearch", version=__version__, instructions=_GUIDE, log_level="WARNING", extensions=[tools.tasks()]
    )
    for fn, title, hints in tools.all():
        made.add_tool(
            plainly(fn, tools.clean, ToolError),
            title=title,
            annotations=ToolAnnotations(title=title, **hints),
            structured_output=True,
        )
    for uri, fn, words, kind in tools.pages():
        made.resource(uri, name=fn.__name__, description=words, mime_type=kind)(plainly(fn, tools.clean, ResourceError))
    return made


class _Strict(MCPServer):
    """Refuses arguments that a tool does not have, and is brief about itself and about what is wrong with others.

    The schema of an answer says that it is an object: what it holds is seen in it, and all sixteen would fill a page.
    """

    async def list_tools(self) -> list[Tool]:
        """The tools with what a model needs to call them, below 4000 tokens together."""
        for tool in (found := await super().list_tools()):
            tool.input_schema = {**terse(tool.input_schema), "additionalProperties": False}
            tool.output_schema = {"type": "object"}
        return found

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """As the SDK does, after a look at the arguments' names.

        Raises:
            ToolError: An argument is not one of the tool's, or not what it takes; one line.
        """
        known = list((self._tool_input_schema(name) or {}).get("properties", arguments))
        for strange in (one for one in arguments if one not in known):
            near = get_close_matches(strange, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(known) or 'nothing'}"
            raise ToolError(f"{name} has no argument {strange[:60]!r}, nothing was done; {hint}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(wrong := error.__cause__, ValidationError):
                told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()]
                raise ToolError(f"{name}: {'; '.join(told[:3])}"[:_LONGEST_LINE]) from None
            raise


_LOOKS = {"read_only_hint": True, "destructive_hint": False, "idempotent_hint": True, "open_world_hint": False}
_ADDS = {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": False, "open_world_hint": False}
_SETTLES = {**_ADDS, "idempotent_hint": True}
_RUNS = {**_SETTLES, "open_world_hint": True}
_ENDS = {**_SETTLES, "destructive_hint": True}


class Tools:
    """What an agent may call; each answers a value of its own type."""

    def __init__(self, where: Path, campaign: str | None) -> None:
        """For one repository, and a campaign that is meant when none is named."""
        self._where = where
        self._campaign = campaign
        self._turn = threading.Lock()  # one agent's calls come side by side: each waits for the other's hold

    def all(self) -> tuple[tuple[Callable[..., Any], str, dict[str, bool]], ...]:
        """Every tool with its title and what it does to the world."""
        return (
            (self.plan, "Show or write a campaign plan", _ADDS),
            (person_asker(self._open, self.clean), "Have a person asked about a launch", _RUNS),
            (self.status, "Where the campaign stands", _LOOKS),
            (self.experiment_new, "Open an experiment", _SETTLES),
            (self.experiment_run, "Run an experiment", _RUNS),
            (self.experiment_judge, "Judge an experiment", _SETTLES),
            (self.experiment_drop, "Drop an experiment", _ENDS),
            (self.experiment_list, "Experiments driven by hand", _LOOKS),
            (self.ledger, "The ledger", _LOOKS),
            (self.show, "One experiment", _LOOKS),
            (self.log, "A run's log", _LOOKS),
            (self.diff, "What an experiment changed", _LOOKS),
            (self.report, "Write and read the report", _SETTLES),
            (self.steer, "Steer the researchers", _ADDS),
            (self.pause, "Pause the campaign", _SETTLES),
            (self.stop, "Stop the campaign", _ENDS),
            (self.session_show, "The session memory", _LOOKS),
        )

    def tasks(self) -> RunTasks:
        """What follows long runs for clients that know tasks."""
        return RunTasks(self._open, self.clean)

    def pages(self) -> tuple[tuple[str, Callable[..., str], str, str], ...]:
        """Every resource: its address, what makes it, what it is, its media type."""
        return (
            ("autoresearch://ledger", self.ledger_file, "the newest attempts, as TSV", "text/tab-separated-values"),
            ("autoresearch://report", self.report_page, "report of the campaign worked on last", "text/markdown"),
            ("autoresearch://session", self.session_page, "everything needed to continue", "text/markdown"),
            ("autoresearch://plan", self.plan_page, "the frozen plan of that campaign", "application/yaml"),
            ("autoresearch://plot", self.plot_page, "its progress as a plot", "image/svg+xml"),
            ("autoresearch://brief/{index}", self.brief_page, "the brief of an experiment", "text/markdown"),
            ("autoresearch://experiment/{index}", self.experiment_page, "one experiment, as JSON", "application/json"),
        )

    # -- before -------------------------------------------------------------------------------------------------

    def plan(
        self,
        ctx: Context,
        recipe: Annotated[
            str, Field(description="recipe (YAML) inside the repository; empty for target `command`")
        ] = "",
        stop: Annotated[str | None, Field(description="stop rule, e.g. '20 experiments or 8h total, 1h each'")] = None,
        name: Annotated[str, Field(description="campaign name; empty to have one made")] = "",
        settings: Annotated[
            dict[str, Any] | None,
            Field(description="further keys of the campaign file, nested; approvals are not among them"),
        ] = None,
        write: Annotated[bool, Field(description="write the campaign file, so that a person can approve it")] = False,
    ) -> PlanShown:
        """Show what a campaign on a recipe would be; with `write` also write its file. A person approves it."""
        if "approval" in (settings or {}):
            raise UsageError("what needs approval is decided by a person: leave `approval` out; they edit the file")
        found = Campaign(where=self._where)
        made = found.draft(PlanRequest(recipe, stop, name, settings or {}))
        beginning.refuse_numberless(made, anyway=not write)
        return plan_shown(made, str(found.write(made, _caller(ctx))) if write else "")

    def status(self, campaign: _Campaign = None) -> CampaignStatus:
        """Where the campaign stands: state, budget, best so far, runs in flight, open by hand, the newest verdicts."""
        return recent(self._open(campaign).status())

    # -- driving ------------------------------------------------------------------------------------------------

    def experiment_new(
        self,
        ctx: Context,
        title: Annotated[str, Field(description="the change and its hoped-for effect in one line")],
        area: Annotated[str, Field(description="optimizer, batch, data, reward, code, ...")] = "code",
        why: Annotated[str, Field(description="why it should help")] = "",
        expected_effect: Annotated[float | None, Field(description="expected gain in the metric's unit")] = None,
        watch: Annotated[list[str] | None, Field(description="what will show that it worked for that reason")] = None,
        parent: Annotated[str, Field(description="experiment to start from: a number or a name")] = "incumbent",
        campaign: _Campaign = None,
    ) -> DrivenExperiment:
        """Open an experiment on its own branch and worktree; an open one of the same title is answered as it is.

        Edit the files below `worktree`, then call experiment_run. `brief` says what may be changed and what was tried.
        """
        idea = Hypothesis(
            title=title.strip(),
            area=area,
            rationale=why,
            expected=expected_effect,
            watch=tuple(watch or ()),
            parent=parent,
        )
        with self._turn:
            return self._hand(campaign, ctx).open(idea)

    async def experiment_run(
        self,
        ctx: Context,
        index: _Index,
        wait_s: Annotated[float, Field(description="seconds to follow it before answering", ge=0, le=86_400)] = 50.0,
        campaign: _Campaign = None,
    ) -> DrivenExperiment:
        """Check and commit what was edited, run it (the baseline first), and follow the runs for `wait_s` seconds.

        The runs belong to a process of their own: an answer with state `running`, a cancelled call or a closed client
        ends nothing; call again to go on following. State `crashed`: mend the crash in the worktree and call again.
        State `interrupted`: that process has ended early, see `reason`; call again to go on.
        """
        found, hand = self._open(campaign), self._hand(campaign, ctx)
        process_id = await asyncio.to_thread(self._start, hand, index)
        began, told = time.monotonic(), ""
        left = wait_s - _ANSWER_S
        while time.monotonic() - began < left and await asyncio.to_thread(hand.following, index, process_id):
            text = await asyncio.to_thread(progress_line, found, index)
            if text != told:
                told = text
                await ctx.report_progress(time.monotonic() - began, None, text)
            await asyncio.sleep(_POLL_S)
        return await asyncio.to_thread(hand.one, index, process_id)

    def experiment_judge(self, ctx: Context, index: _Index, campaign: _Campaign = None) -> Judged:
        """Ask the campaign's policy for the verdict; refused while it wants further runs. Twice is fine."""
        with self._turn:
            return self._hand(campaign, ctx).judge(index, Onlooker(poll_s=0.1))

    def experiment_drop(
        self,
        ctx: Context,
        index: _Index,
        reason: Annotated[str, Field(description="why, for its row")],
        campaign: _Campaign = None,
    ) -> Judged:
        """Drop an experiment: its runs end, its branch stays, its row says `discard` with the reason."""
        with self._turn:
            return self._hand(campaign, ctx).drop(index, reason, Onlooker(poll_s=0.1))

    def experiment_list(
        self,
        last: Annotated[int, Field(description="how many of the newest", ge=1, le=200)] = 50,
        campaign: _Campaign = None,
    ) -> tuple[DrivenExperiment, ...]:
        """The newest experiments that were opened by hand, judged ones included; `status` has all that are open."""
        return self._hand(campaign).listing()[-last:]

    # -- reading ------------------------------------------------------------------------------------------------

    def ledger(
        self, last: Annotated[int, Field(description="how many of the newest rows", ge=1, le=500)] = 50
    ) -> tuple[Attempt, ...]:
        """The newest rows of the ledger, all campaigns of the repository, oldest first."""
        return tuple(attempt(row) for row in self._open(None).ledger()[-last:])

    def show(self, index: _Index, campaign: _Campaign = None) -> Shown:
        """One experiment with its hypothesis, what the guards found, its runs and its verdict."""
        found = self._open(campaign)
        return shown(found.experiment(index), found.runs(index))

    def log(
        self,
        index: _Index,
        lines: Annotated[int, Field(description="how many of the last lines", ge=1, le=2000)] = 100,
        campaign: _Campaign = None,
    ) -> Page:
        """The end of an experiment's newest run log."""
        return tail(self._open(campaign).log(index), lines, self.clean)

    def diff(self, index: _Index, campaign: _Campaign = None) -> Page:
        """What an experiment's commit changes against its parent's."""
        return head(self.clean(self._open(campaign).diff(index)))

    def report(self, campaign: _Campaign = None) -> Page:
        """Write the report anew and answer its Markdown: what can be believed, and why."""
        path = self._open(campaign).report()[0]
        return head(self.clean(path.read_text("utf-8")), str(path))

    def session_show(self, campaign: _Campaign = None) -> Page:
        """One bounded page with all that is needed to go on after everything was forgotten."""
        return head(self._open(campaign).memory())

    def steer(self, ctx: Context, text: str, campaign: _Campaign = None) -> CampaignStatus:
        """Add something to what the researchers are told; the objective stays."""
        found = self._open(campaign, ctx)
        found.steer(text)
        return recent(found.status())

    def pause(self, ctx: Context, reason: str = "", campaign: _Campaign = None) -> CampaignStatus:
        """Pause the campaign; runs in flight go on. Only a person can resume."""
        found = self._open(campaign, ctx)
        found.pause(reason)
        return recent(found.status())

    def stop(self, ctx: Context, reason: str = "", now: bool = False, campaign: _Campaign = None) -> CampaignStatus:
        """Ask for the end, after the runs in flight or now. Only a person can let it go on."""
        found = self._open(campaign, ctx)
        found.stop(reason, now=now)
        return recent(found.status())

    def ledger_file(self) -> str:
        """The head of the TSV and its newest rows."""
        path = self._open(None).paths().ledger
        return newest_rows(self.clean(path.read_text("utf-8"))) if path.exists() else ""

    def report_page(self) -> str:
        """The report as it was written last."""
        path = self._open(None).paths().report
        if not path.exists():
            return "no report was written yet\n"
        return cut(head(self.clean(path.read_text("utf-8")), str(path)))

    def plan_page(self) -> str:
        """The campaign file."""
        return self.clean(self._open(None).paths().campaign_file.read_text("utf-8"))

    def plot_page(self) -> str:
        """The plot of the newest report, which is written when there is none."""
        found = self._open(None)
        path = found.paths().progress("svg")
        return self.clean((path if path.exists() else found.report()[2]).read_text("utf-8"))

    def experiment_page(self, index: int) -> str:
        """What `show` answers."""
        return json.dumps(asdict(self.show(index)), indent=2)

    def session_page(self) -> str:
        """The session memory."""
        return self._open(None).memory()

    def brief_page(self, index: int) -> str:
        """The brief of an experiment."""
        found = self._open(None)
        path = found.paths().brief(found.experiment(index).name)
        if not path.exists():
            return "this experiment has no brief\n"
        return cut(head(self.clean(path.read_text("utf-8")), str(path)))

    def clean(self, text: str) -> str:
        """Without secrets, wherever this is called."""
        return hide(text, self._where)

    def _open(self, campaign: str | None, ctx: Context | None = None) -> Campaign:
        return Campaign(where=self._where, name=campaign or self._campaign, by=self.clean(_caller(ctx)) if ctx else "")

    def _hand(self, campaign: str | None, ctx: Context | None = None) -> ByHand:
        return self._open(campaign, ctx).by_hand()

    def _start(self, hand: ByHand, index: int) -> int | None:
        """Have a process of its own follow the experiment's runs, unless one does already; its process id."""
        with self._turn:
            state = hand.one(index).state
            waits = state in {"editing", "interrupted", "crashed"} or (state == "running" and not hand.following(index))
            return hand.detach(index) if waits else None


def _caller(ctx: Context) -> str:
    """In whose name an agent acts: its program's, so that nobody takes it for a person."""
    return f"{client_name(ctx) or 'an agent'} over MCP"
