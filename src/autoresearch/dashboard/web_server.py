"""The dashboard's one process: pages over the campaigns of a repository, and news of them as server-sent events."""

import asyncio
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import CampaignStatus
from autoresearch.dashboard import forms, views
from autoresearch.dashboard.deeds import Grant
from autoresearch.dashboard.following import Followed, FollowedCampaigns
from autoresearch.dashboard.gate import LONGEST_BODY, FrontDoor, Key
from autoresearch.errors import AutoresearchError, CampaignError, UsageError
from autoresearch.mcp.answers import Page, shown
from autoresearch.report import drawing
from autoresearch.secrets.environment import hide

_LOOK_S = 0.5
_BEATS = 30
"""Looks after which a page is made anew though nothing was written down: what runs has grown older."""

_LOOKS_AT_RUNS = 4
"""Looks after which what runs is sent: their curves grow though nothing is written down."""

_PATIENCE_S = 0.3
"""How long a page waits for a campaign that is read for the first time; then it says so and fills by itself."""

_TURN_S = 0.0005
"""How long a thread that reads a journal may keep one waiting that answers a browser."""

_LONGEST_CHOICE = 60

_MOST = 200_000
"""Characters of a diff, a brief or a log that a page shows."""


class Pages:
    """Answers every address.

    Args:
        found: The campaigns.
        grant: What may be done from the browser; None for nothing.
    """

    def __init__(self, found: FollowedCampaigns, grant: Grant | None = None) -> None:
        self._found, self._grant, self._root = found, grant, found.layout.root

    def application(self) -> Starlette:
        """The addresses and what answers them."""
        one = "/campaigns/{name}"
        static = resources.files("autoresearch.dashboard") / "static"
        style = drawing.STYLE + (static / "dashboard.css").read_text("utf-8")
        script = (static / "live.js").read_text("utf-8") + drawing.SCRIPT
        return Starlette(
            routes=[
                Route("/", self._page(self.campaigns)),
                Route("/news", self.news_of_all),
                Route("/static/style.css", lambda _: Response(style, media_type="text/css")),
                Route("/static/live.js", lambda _: Response(script, media_type="text/javascript")),
                Route(one, self._page(self.campaign)),
                Route(f"{one}/news", self.news),
                Route(f"{one}/plot.svg", self.plot),
                Route(f"{one}/compare", self._page(self.compare)),
                Route(f"{one}/experiments/{{index:int}}", self._page(self.experiment)),
                Route(f"{one}/deeds/{{verb}}", self.deed, methods=["POST"]),
            ],
            exception_handlers={404: self._nothing, 405: self._nothing},
        )

    def campaigns(self, _: Request) -> str:
        """All campaigns."""
        names, until = self._found.names(), time.monotonic() + _PATIENCE_S
        for name in names:
            self._found.one(name).ready(0.0)
        return views.campaigns(self._listed(name, until) for name in names)

    def _listed(self, name: str, until: float) -> CampaignStatus | tuple[str, str, str]:
        try:
            if not (found := self._found.one(name)).ready(max(0.0, until - time.monotonic())):
                return name, "being read", "its journal is long; this page fills by itself"
            return found.status()
        except AutoresearchError as error:
            return name, "unreadable", str(error)

    def campaign(self, request: Request) -> str:
        """One campaign."""
        found = self._followed(request)
        if not found.ready(_PATIENCE_S):
            return views.being_read(found.paths.name, found.beginning())
        report, status = found.report(), found.status()
        if report is None:
            return views.planned(status.campaign, Campaign(where=self._root, name=status.campaign).plan().text())
        deeds = self._grant.offered(status) if self._grant else forms.Deeds(allowed=False)
        turn = re.fullmatch("[0-9]{1,6}", request.query_params.get("turn", ""), re.ASCII)
        lines, live = found.lines()[-30:], found.live_curves()
        return views.campaign(status, report, lines, deeds, live, turn=int(turn[0]) if turn else 1)

    def plot(self, request: Request) -> Response:
        """The plot that stands for a campaign while that is read."""
        try:
            drawn = self._followed(request).plot()
        except AutoresearchError as error:
            return self._problem(error)
        return Response(drawn, 200 if drawn else 404, media_type="image/svg+xml")

    def compare(self, request: Request) -> str:
        """Two to five experiments side by side."""
        found, words = self._followed(request), request.query_params.get("numbers", "")[:_LONGEST_CHOICE]
        indices = list(dict.fromkeys(int(word) for word in re.findall(r"[0-9]{1,9}", words, re.ASCII)))
        if not 2 <= len(indices) <= 5:
            raise UsageError("give two to five different numbers of experiments to compare, as in: 3 5 8")
        curves, report = found.curves_of(indices), found.report()
        if report is None:
            raise CampaignError("this campaign has not begun, so there is nothing to compare")
        return views.compared(found.status(), report, indices, curves)

    def experiment(self, request: Request) -> str:
        """One experiment."""
        found, index = self._followed(request), request.path_params["index"]
        entry, runs = found.experiment(index)
        text, before, path = found.log_end(index, _MOST // 4)
        log = Page(self._clean(text), f"{before} bytes before it" if before else "", str(path))
        diff, brief, submission, environment = map(
            self._bounded, (found.diff(index), found.brief(index), *found.sent(index))
        )
        seen = [one for run in runs if run.measurement for one in run.measurement.symptoms]
        beside = views.Beside(
            diff=diff, brief=brief, log=log, submission=submission, environment=environment,
            symptoms=tuple(dict.fromkeys(f"{one.name}: {self._clean(one.evidence)}" for one in seen)),
            curves=found.curves_of(list(dict.fromkeys((1, index)))),
        )  # fmt: skip
        acts = self._grant is not None and self._grant.campaign.name == found.paths.name
        return views.experiment(found.status(), entry, shown(entry, runs), beside, acts=acts)

    async def deed(self, request: Request) -> Response:
        """Carry out what a person asked for."""
        grant, name, verb = self._grant, request.path_params["name"], request.path_params["verb"]
        if grant is None or name != grant.campaign.name:
            told = "This dashboard only shows; start it with: autoresearch dashboard --act --campaign NAME"
            return self._html(views.problem(told), 403)
        body = await request.body()
        try:
            fields = dict(parse_qsl(body[:LONGEST_BODY].decode("utf-8", "replace"), max_num_fields=10))
            said = await run_in_threadpool(grant.do, verb, fields)
        except (AutoresearchError, ValueError) as error:
            return self._html(views.receipt(name, f"Refused: {error}"), 409)
        return self._html(views.receipt(name, said))

    async def news(self, request: Request) -> Response:
        """Says when a campaign has changed."""
        try:
            found = await run_in_threadpool(self._followed, request)
        except AutoresearchError as error:
            return self._problem(error)
        return _stream(found.grown, lambda: self._running(found))

    def _running(self, found: Followed) -> str:
        """What runs, as the page has it; empty while nothing does, or nothing can be read."""
        try:
            report = found.report() if (status := found.status()).running else None
            return self._clean(views.running(status, report, found.live_curves())) if report else ""
        except AutoresearchError:
            return ""

    async def news_of_all(self, _: Request) -> Response:
        """Says when any campaign has changed."""
        return _stream(lambda: tuple(self._found.one(name).grown() for name in self._found.names()))

    def _followed(self, request: Request) -> Followed:
        return self._found.one(request.path_params["name"])

    def _page(self, make: Callable[[Request], str]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                return self._html(make(request))
            except AutoresearchError as error:
                return self._problem(error)

        return answer

    def _problem(self, error: AutoresearchError) -> Response:
        kind = 404 if isinstance(error, CampaignError) else 400 if isinstance(error, UsageError) else 500
        return self._html(views.problem(str(error)), kind)

    def _nothing(self, _: Request, __: Exception) -> Response:
        return self._html(views.problem("There is nothing at this address."), 404)

    def _html(self, text: str, status: int = 200) -> Response:
        return HTMLResponse(self._clean(text), status)

    def _bounded(self, text: str) -> Page:
        """Its beginning, without secrets: they are taken out before what they are written in is escaped."""
        left = len(text) - _MOST
        return Page(self._clean(text[:_MOST]), f"the last {left} characters" if left > 0 else "")

    def _clean(self, text: str) -> str:
        return hide(text, self._root)


def _stream(grown: Callable[[], Any], running: Callable[[], str] = str) -> Response:
    return StreamingResponse(_news(grown, running), media_type="text/event-stream")


async def _news(grown: Callable[[], Any], running: Callable[[], str]) -> AsyncIterator[str]:
    """An event whenever something came, and now and then, and what runs; it ends when whoever listens has gone."""
    known, shown_last = await run_in_threadpool(grown), ""
    yield ": listening\n\n"
    quiet = looks = 0
    while True:
        await asyncio.sleep(_LOOK_S)
        now, looks = await run_in_threadpool(grown), looks + 1
        if looks % _LOOKS_AT_RUNS == 0 and (part := await run_in_threadpool(running)) != shown_last:
            shown_last = part
            lines = "".join(f"data: {line}\n" for line in part.splitlines() or [""])
            yield f"event: running\n{lines}\n"
        quiet = 0 if now != known else quiet + 1
        if now != known or quiet >= _BEATS:
            known, quiet = now, 0
            yield "event: news\ndata: \n\n"


def serve(
    where: Path, *, host: str, port: int, grant: Grant | None, show: Callable[[str], None], key: Key | None = None
) -> None:
    """Answer browsers until interrupted.

    Args:
        where: A folder of the repository.
        host: Address to listen at.
        port: Port to listen at; 0 for a free one.
        grant: What may be done from the browser; None for nothing.
        show: Told the address with the token in it.
        key: What lets a person in; None for a new one.

    Raises:
        UsageError: Nothing can listen there.
    """
    key = key or Key()
    found = FollowedCampaigns(where)
    sys.setswitchinterval(_TURN_S)
    with _listening(host, port) as listener:
        bound = listener.getsockname()[1]
        app = FrontDoor(Pages(found, grant).application(), key, host, bound)
        settings = uvicorn.Config(
            app, log_level="critical", access_log=False, server_header=False, ws="none", lifespan="off",
            timeout_graceful_shutdown=1, limit_concurrency=200, proxy_headers=False,
        )  # fmt: skip
        threading.Thread(target=found.read_ahead, daemon=True).start()
        show(f"http://{f'[{host}]' if ':' in host else host}:{bound}/?token={key.token}")
        uvicorn.Server(settings).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"nothing can listen at {host} port {port} ({error}); give another --port, or 0 for a free one"
        ) from None
