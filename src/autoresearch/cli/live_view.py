"""What a person sees while a campaign runs: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import CampaignStatus
from autoresearch.cli import output
from autoresearch.experiment import events as happened
from autoresearch.experiment.events import Event
from autoresearch.report import plain_text
from autoresearch.report.event_lines import Lines, clock

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_REFRESH_S = 1.0
_PROGRESS_S = 600.0
_HEAD_LINES = 8
"""Lines above the tables, two of them broken."""
_MOST_WAITING = 2
"""Launches that wait for a person and researchers that have fallen out that are shown, one a line."""
_MOST_RUNNING = 12
"""Runs in flight that are shown, one a line."""


class PlainView:
    """One line per event, and how far the campaign has come: at the start, after each verdict, every ten minutes."""

    def __init__(self, campaign: Campaign, every_s: float = _PROGRESS_S) -> None:
        """Prepare; nothing is printed before something happens.

        Args:
            campaign: The campaign that is run.
            every_s: Seconds after which it is printed how far the campaign has come though nothing has happened.
        """
        self._campaign, self._every_s = campaign, every_s
        self._lines = Lines()
        self._due, self._said = True, -math.inf

    def __enter__(self) -> Self:
        """Nothing to set up."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""

    def tell(self, event: Event) -> None:
        """Print what happened."""
        if text := self._lines.line(event):
            output.say(text)
        self._due = self._due or isinstance(event, happened.ExperimentJudged)
        if isinstance(event, happened.ControllerStarted):
            self.refresh()

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
        self._lines = Lines()
        self._recent: deque[str] = deque(maxlen=6)
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
        """Remember what happened for the tail of the view."""
        if text := self._lines.line(event):
            self._recent.append(text)

    def refresh(self) -> None:
        """Redraw, at most about once a second."""
        now = time.monotonic()
        if now - self._drawn < _REFRESH_S:
            return
        self._drawn = now
        height = self._live.console.size.height
        self._live.update(view(self._campaign, tuple(self._recent), height), refresh=True)


def view(campaign: Campaign, recent: tuple[str, ...] = (), height: int = 60) -> Group:
    """The whole view as something rich can draw, in a terminal of so many lines: what is new is never cut off."""
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    status = campaign.status()
    parts: list[object] = [_head(status), Text()]
    if status.running:
        parts += [_running(campaign, status), Text()]
    head = _HEAD_LINES + min(len(status.waiting), _MOST_WAITING)
    spare = height - head - min(len(status.running), _MOST_RUNNING + 1) - 3
    recent = recent[-max(1, min(len(recent), spare - 4)) :]
    if status.verdicts:
        parts += [_verdicts(status, max(1, min(8, spare - len(recent) - 3))), Text()]
    parts += [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in recent]
    return Group(*parts)  # type: ignore[arg-type]


def _head(status: CampaignStatus) -> object:
    from rich.text import Text  # noqa: PLC0415

    head = Text()
    head.append(status.campaign, style="bold")
    head.append(f"  {status.state}\n", style="yellow" if status.state != "running" else "green")
    head.append(f"{status.aim}\n")
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


def _running(campaign: Campaign, status: CampaignStatus) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("running", "purpose", "seed", "state", "for", status.metric):
        table.add_column(Text(column), no_wrap=column not in {"running", "state"})
    for run in status.running[:_MOST_RUNNING]:
        curve = campaign.curve(run)
        latest = f"{curve[-1][1]:.3f} @ {curve[-1][0]}" if curve else ""
        table.add_row(
            _line(run.experiment), run.purpose, str(run.seed), _line(plain_text.cut(run.told, 60)),
            plain_text.duration(run.elapsed_s), f"{sparkline([value for _, value in curve])} {latest}",
        )  # fmt: skip
    if len(status.running) > _MOST_RUNNING:
        table.add_row(f"and {len(status.running) - _MOST_RUNNING} more")
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
    colours = {"keep": "green", "discard": "white", "crash": "red"}
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
