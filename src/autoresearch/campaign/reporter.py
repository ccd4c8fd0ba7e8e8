"""Keeps what people read up to date while the loop works: session memory, lock heartbeat, report, live view."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoresearch.campaign.session_writer import begin, checkpoint, recovered, remember
from autoresearch.engine.context import Context
from autoresearch.errors import StorageError
from autoresearch.experiment import events as happened
from autoresearch.experiment.events import Event
from autoresearch.machine import atomic
from autoresearch.records import volume
from autoresearch.report import figure, png
from autoresearch.report.html import html
from autoresearch.report.markdown import markdown
from autoresearch.report.report import Report, build

_BEAT_S = 15.0
_REPORT_S = 60.0
_CHANGE_THE_REPORT = (
    happened.ExperimentJudged,
    happened.IncumbentDemoted,
    happened.VerdictOverruled,
    happened.CampaignEnded,
)


@dataclass
class Reporter:
    """Listens to the campaign and writes what changed.

    Attributes:
        ctx: The campaign at work.
        beat: Refreshes the campaign's lock; raises HeldError when it was taken over.
        poll: Redraws a live view.
    """

    ctx: Context
    beat: Callable[[], None] = lambda: None
    poll: Callable[[], None] = lambda: None
    _beaten: float = field(default=0.0)
    _reported: float = field(default=0.0)
    _stale: bool = True

    def start(self) -> None:
        """Begin to listen; the session memory is started first, or recovered when it was there before us."""
        if self.ctx.memory.resumed and self.ctx.memory.goal:
            recovered(self.ctx)
        else:
            begin(self.ctx)
        self.ctx.listeners.append(self.tell)

    def tell(self, event: Event) -> None:
        """Take note of one event."""
        checkpoint(self.ctx, event)
        if isinstance(event, _CHANGE_THE_REPORT):
            self._stale = True
        if isinstance(event, happened.CampaignEnded | happened.ControllerStopped) and self._stale:
            self._write()

    def refresh(self) -> None:
        """Called after every step of the loop; does only what is due."""
        now = time.monotonic()
        if now - self._beaten >= _BEAT_S:
            self.beat()
            self._beaten = now
        if self.ctx.memory.due(self.ctx.clock()):
            remember(self.ctx, "half an hour has passed")
        if self._stale and now - self._reported >= _REPORT_S:
            self._write()
        self.poll()

    def _write(self) -> None:
        self._reported, self._stale = time.monotonic(), False
        try:
            write_report(self.ctx)
        except StorageError as error:
            self.ctx.note(f"the report could not be written: {error}")


def report_of(ctx: Context) -> Report:
    """The report as a value."""
    report = build(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook(), ctx.clock())
    lost = volume.lost(ctx.paths, [Path(run.planned.folder) for run in ctx.history.runs.values() if run.ended])
    return replace(report, attention=(lost, *report.attention)) if lost else report


def write_report(ctx: Context) -> tuple[Path, ...]:
    """Write `report.md`, `report.html`, `progress.svg` and, where Pillow is installed, `progress.png`."""
    report, clean = report_of(ctx), ctx.redactor.clean
    page, folder = ctx.paths.report, ctx.paths.folder
    progress = figure.progress(report)
    texts = {
        page: markdown(report),
        folder / "report.html": html(report),
        folder / "progress.svg": figure.svg(progress),
    }
    for path, text in texts.items():
        atomic.replace(path, clean(text))
    drawn = png.png(progress, folder / "progress.png")
    return (*texts, *([drawn] if drawn else []))
