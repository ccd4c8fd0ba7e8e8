"""What a person sees while a campaign runs: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import CampaignStatus, RunningRun
from autoresearch.cli import output
from autoresearch.experiment import events as happened
from autoresearch.experiment.events import Event
from autoresearch.report import plain_text
from autoresearch.report.event_lines import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

_REFRESH_S = 1.0
_PROGRESS_S = 600.0
_EVENTS = 200
_MOST_WAITING = 2
"""Launches that wait for a person and researchers that have fallen out that are shown, one a line."""


class PlainView:
    """One line per event, and how far the campaign has come: at the start, after each verdict, every ten minutes."""

    def __init__(self, campaign: Campaign, every_s: float = _PROGRESS_S) -> None:
        """Prepare; nothing is printed before something happens.

        Args:
            campaign: The campaign that is run.
            every_s: Seconds after which it is printed how far the campaign has come though nothing has happened.
        """
        self._campaign, self._every_s = campaign, every_s
        self._due, self._said = True, -math.inf

    def __enter__(self) -> Self:
        """Nothing to set up."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""

    def tell(self, event: Event) -> None:
        """Notice what makes it due to say how far the campaign has come."""
        self._due = self._due or isinstance(event, happened.ExperimentJudged)
        if isinstance(event, happened.ControllerStarted):
            self.refresh()

    def say(self, line: str) -> None:
        """Print what happened."""
        output.say(line)

    def refresh(self) -> None:
        """Print how far the campaign has come, if that is due."""
        now = time.monotonic()
        if not self._due and now - self._said < self._every_s:
            return
        status = self._campaign.status()
        if self._said == -math.inf:
            output.say(f"{clock()}  {status.aim}")
        output.say(f"{clock()}  {status.progress()}")
        self._due, self._said = False, now


class LiveView:
    """Counts, budget, best so far, runs with their curves, last verdicts: redrawn about once a second."""

    def __init__(self, campaign: Campaign) -> None:
        """Prepare; nothing is drawn before the block is entered."""
        from rich.live import Live  # noqa: PLC0415 - a heavy import that plain commands do without

        self._campaign = campaign
        self._recent: deque[str] = deque(maxlen=_EVENTS)
        self._drawn = 0.0
        self._live = Live(auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the view down; what comes after is ordinary output."""
        self._live.__exit__(kind, error, trace)

    def tell(self, event: Event) -> None:
        """Nothing; a line of it is said."""

    def say(self, line: str) -> None:
        """Remember what happened for the tail of the view."""
        self._recent.append(line)

    def refresh(self) -> None:
        """Redraw, at most about once a second."""
        now = time.monotonic()
        if now - self._drawn < _REFRESH_S:
            return
        self._drawn = now
        height = self._live.console.size.height
        self._live.update(view_of(self._campaign, tuple(self._recent), height - 1), refresh=True)


@dataclass(frozen=True)
class CampaignView:
    """The whole view as something rich can draw: it fills the terminal, and what is new is never cut off.

    Attributes:
        status: Where the campaign stands.
        curve: The curve of a run in flight so far.
        recent: What happened, a line each, newest last.
        foot: What stands below, such as keys; a line each.
        height: Lines to fill at most; None: those of the terminal.
    """

    status: CampaignStatus
    curve: Callable[[RunningRun], Sequence[tuple[int, float]]]
    recent: Sequence[str] = ()
    foot: Sequence[str] = ()
    height: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Head, runs in flight, verdicts, events and foot, as much of each as there is room for."""
        status, height = self.status, self.height or console.height
        head, foot = _head(status), [_event(line, whole=True) for line in self.foot]
        left = height - sum(len(console.render_lines(part, options, pad=False)) for part in (head, *foot))
        running = min(len(status.running), max(1, left // 3 - 2))
        left -= 2 + running + (running < len(status.running)) if status.running else 0
        wanted = min(len(status.verdicts), max(1, max(left // 2, left - 1 - len(self.recent)) - 2))
        verdicts = min(wanted, max(0, left - 4))
        left -= verdicts + 2 if verdicts else 0
        yield head
        if status.running:
            yield ""
            yield _running(status, self.curve, running)
        if verdicts:
            yield ""
            yield _verdicts(status, verdicts)
        shown = tuple(self.recent[-(left - 1) :]) if left > 1 else ()
        lines = ["", *shown] if shown else []
        yield from map(_event, (*lines, *[""] * (left - len(lines) if self.foot else 0)))
        yield from foot


def view_of(campaign: Campaign, recent: Sequence[str] = (), height: int | None = None) -> CampaignView:
    """The view of a campaign as it is now."""
    return CampaignView(campaign.status(), campaign.curve, recent, height=height)


def _event(line: str, *, whole: bool = False) -> Text:
    from rich.text import Text  # noqa: PLC0415

    return Text(
        line.translate(output.CONTROLS), style="dim", no_wrap=not whole, overflow="fold" if whole else "ellipsis"
    )


def _head(status: CampaignStatus) -> Text:
    from rich.text import Text  # noqa: PLC0415

    head = Text()
    head.append(status.campaign, style="bold")
    head.append(f"  {status.state}\n", style="yellow" if status.state != "running" else "green")
    head.append(f"{plain_text.cut(status.aim, 160)}\n")
    head.append(f"{status.stop}\n", style="cyan")
    head.append(f"current branch {status.branch}\n" if status.branch else "", style="dim")
    head.append(f"{status.keep} kept", style="green")
    head.append(f", {status.discard} discarded, ")
    head.append(f"{status.crash} crashed", style="red" if status.crash else "")
    head.append(f"   baseline {plain_text.number(status.baseline) or '-'}   best ")
    head.append(f"{plain_text.number(status.best) or '-'}", style="bold")
    head.append(f" ({status.best_from})")
    for line in status.waiting[:_MOST_WAITING]:
        head.append(f"\n{plain_text.cut(line, 160)}", style="yellow")
    return head


def _running(status: CampaignStatus, curve_of: Callable[[RunningRun], Sequence[tuple[int, float]]], rows: int) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("running", "purpose", "seed", "state", "for", status.metric):
        table.add_column(Text(column), no_wrap=column not in {"running", "state"})
    for run in status.running[:rows]:
        curve = curve_of(run)
        latest = f"{curve[-1][1]:.3f} @ {curve[-1][0]}" if curve else ""
        table.add_row(
            _line(run.experiment), run.purpose, str(run.seed), _line(plain_text.cut(run.told, 60)),
            plain_text.duration(run.elapsed_s), f"{sparkline([value for _, value in curve])} {latest}",
        )  # fmt: skip
    if len(status.running) > rows:
        table.add_row(f"and {len(status.running) - rows} more")
    return table


def _line(text: str) -> Text:
    """A cell that gives way where a row does not fit, and stays one line."""
    from rich.text import Text  # noqa: PLC0415

    return Text(text, no_wrap=True, overflow="ellipsis")


def _verdicts(status: CampaignStatus, rows: int) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("#", "verdict", "value", "effect", "runs", "hypothesis"):
        table.add_column(column, no_wrap=column != "hypothesis")
    colours = {"keep": "green", "discard": "", "crash": "red"}
    for one in status.verdicts[-rows:]:
        table.add_row(
            str(one.index), Text(one.status, colours[one.status]), plain_text.number(one.value), Text(one.gain),
            str(one.runs), _line(one.title),
        )  # fmt: skip
    return table


def sparkline(values: list[float], width: int = 16) -> str:
    """The last values as a row of bars, lowest to highest of those shown."""
    shown = [value for value in values[-width:] if value == value]  # noqa: PLR0124 - NaN is not equal to itself
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    bars = "▁▂▃▄▅▆▇█"
    return "".join(bars[int((value - low) / (high - low) * 7) if high > low else 3] for value in shown)
