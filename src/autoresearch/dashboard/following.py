"""Campaigns that somebody looks at for long: each is read once, then only what came, and a report is made once for it.

Nothing here writes. Several may look at the same time: each look is one after the other.
"""

import contextlib
import gc
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from autoresearch.campaign import controller, opening, standing
from autoresearch.campaign.opening import Opened
from autoresearch.campaign.status import CampaignStatus
from autoresearch.errors import AutoresearchError, CampaignError, LedgerError
from autoresearch.experiment.events import CampaignStarted, Event, Noted, Resumed
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.records import finding
from autoresearch.records.paths import CampaignPaths, Layout
from autoresearch.report.curves import DrawnCurves, arm_curves
from autoresearch.report.event_lines import Lines
from autoresearch.report.pages import PLOTTED
from autoresearch.report.report import Known, Report

_CHANGE_THE_PLAN = (CampaignStarted, Noted, Resumed)
_LINES = 200
_MOST_CURVES = 8
"""Runs in flight that are drawn: more would be a tangle."""

_LARGEST_PLOT, _LARGEST_TEXT, _LARGEST_HEAD = 8_000_000, 200_000, 20_000

_LONG = 2_000_000
"""Bytes of a journal that takes longer to read than a page may."""

_STALE_S = 60.0
"""A report says what is left of the budget, so it is made again after a while though nothing came."""


@dataclass
class Followed:
    """One campaign, followed.

    Attributes:
        paths: Where it lies.
        clock: Unix time in seconds.
        told: Lines of events so far, also those that `lines` has no more.
    """

    paths: CampaignPaths
    clock: Callable[[], float] = time.time
    told: int = 0
    _opened: Opened | None = None
    _report: Report | None = None
    _known: Known = field(default_factory=Known)
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    _words: Lines = field(default_factory=Lines)
    _live: standing.LiveCurves = field(default_factory=standing.LiveCurves)
    _turn: threading.RLock = field(default_factory=threading.RLock)
    _reading: threading.Thread | None = None

    def grown(self) -> int:
        """Bytes of its journal now, and one more once it was read: a larger number says that something came."""
        done = self._reading is not None and not self._reading.is_alive()
        try:
            return self.paths.journal.stat().st_size + done
        except OSError:
            return 0

    def ready(self, patience_s: float) -> bool:
        """Whether it was read for the first time by the end of a wait of at most so long; the reading goes on.

        A journal that nobody would wait for is not waited for at all.
        """
        if self._reading is None:
            self._reading = threading.Thread(target=self._read, daemon=True)
            self._reading.start()
        self._reading.join(0.0 if self.grown() > _LONG else patience_s)
        return not self._reading.is_alive()

    def _read(self) -> None:
        """Read it; what was read stays as long as the process, so the collector of garbage never looks at it again."""
        gc.disable()
        try:
            with contextlib.suppress(AutoresearchError):  # whoever asks next is told
                self.report()
        finally:
            gc.enable()
            gc.freeze()

    def plot(self) -> bytes:
        """The plot as a controller drew it last; empty where there is none, or something else lies in its place."""
        return _plain_file(self.paths.progress("svg"), _LARGEST_PLOT)

    def beginning(self) -> str:
        """How its report begins as a controller wrote it last, as Markdown; empty where there is none."""
        return _plain_file(self.paths.report, _LARGEST_HEAD).decode("utf-8", "replace").partition(PLOTTED)[0]

    def opened(self) -> Opened:
        """Its files as they are now.

        Raises:
            CampaignError: It is gone, or its file contradicts its journal.
            LedgerError: Its journal is damaged.
        """
        with self._turn:
            known = self._opened
            if known is None or known.history.started is None:
                return self._anew()
            try:
                events, heard = known.journal.tail(known.heard)
            except LedgerError:
                return self._anew()
            if not events:
                return known
            if any(isinstance(event, _CHANGE_THE_PLAN) for event in events):
                return self._anew()
            for event in events:
                known.history.apply(event)
            self._hear(events)
            self._opened, self._report = replace(known, heard=heard), None
            return self._opened

    def status(self) -> CampaignStatus:
        """Where it stands; the very value that the command line shows."""
        with self._turn:
            return standing.status_now(self.opened(), self.clock())

    def report(self) -> Report | None:
        """Its report, as the files of `autoresearch report` have it; None before it has begun."""
        with self._turn:
            opened = self.opened()
            if opened.history.started is None:
                return None
            if self._report is None or self.clock() - self._report.at > _STALE_S:
                self._report = controller.report_of(standing.read(opened), self.clock(), self._known)
            return self._report

    def lines(self) -> tuple[str, ...]:
        """What happened last, a line each, newest last."""
        with self._turn:
            self.opened()
            return tuple(self._lines)

    def experiment(self, index: int) -> tuple[Experiment, tuple[Run, ...]]:
        """One attempt with its runs, oldest first. Raises CampaignError where there is none of that number."""
        with self._turn:
            opened = self.opened()
            entry = opened.experiment(index)
            return entry, tuple(opened.history.runs_of(entry.name))

    def live_curves(self) -> tuple[DrawnCurves, ...]:
        """Of the runs in flight, below the incumbent's, which they are measured by; empty while none has a number."""
        with self._turn:
            opened, running = self.opened(), self.status().running
            history = opened.history
            if running:
                self._live.know(opened)
            numbers = {entry.name: entry.index for entry in history.experiments.values()} if running else {}
            found = [(run, self._live.curve(self.paths.root, run)) for run in running[:_MOST_CURVES]]
            lines = [
                DrawnCurves(label=f"#{numbers.get(run.experiment, 0)} {run.purpose}, seed {run.seed}", runs=(curve,))
                for run, curve in found if curve
            ]  # fmt: skip
            if not lines or not history.baseline:
                return tuple(lines)
            held = [f"#{history.experiment(name).index}" for name in history.lineage(history.incumbent)]
            best = f"incumbent, {' + '.join(held) or '#1'}"
            known = arm_curves(history, history.incumbent, best, reference=True)
            return (known, *lines) if known.runs else tuple(lines)

    def curves_of(self, indices: Sequence[int]) -> tuple[DrawnCurves, ...]:
        """Of experiments: each with the valid runs that its branch has; those without a curve are left out.

        Raises:
            CampaignError: There is none of one of these numbers.
        """
        with self._turn:
            opened = self.opened()
            names = [(index, opened.experiment(index).name) for index in indices]
            found = (arm_curves(opened.history, name, f"#{index}", reference=index == 1) for index, name in names)
            return tuple(one for one in found if one.runs)

    def log_end(self, index: int, most: int) -> tuple[str, int, Path]:
        """The end of an attempt's newest run log, bytes before it, and its path; no text where there is none.

        A run may have put a pipe, or a link to a file of yours, where its log was: that is not read.
        """
        with self._turn:
            opened = self.opened()
            opened.experiment(index)
            path, heavy = standing.log_of(opened, index), opened.paths.heavy
        if not path.parent.resolve().is_relative_to(heavy.resolve()):
            return "", 0, path
        if (stream := _opened(path)) is None:
            return "", 0, path
        with stream:
            begin = max(0, stream.seek(0, os.SEEK_END) - most)
            stream.seek(begin)
            rest = stream.readline(most) if begin else b""
            return stream.read(most).decode("utf-8", "replace"), begin + len(rest), path

    def diff(self, index: int) -> str:
        """What an attempt changed against its parent; empty without a commit."""
        return standing.diff_of(self.opened(), index)

    def brief(self, index: int) -> str:
        """What the author of an attempt was told; empty where that was not written down."""
        entry, _ = self.experiment(index)
        path = self.paths.brief(entry.name)
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def sent(self, index: int) -> tuple[str, str]:
        """The newest run's request as it was sent, and the environment it was sent in; empty where there is none."""
        entry, runs = self.experiment(index)
        if not runs:
            return "", ""
        number = runs[-1].planned.number
        paths = (self.paths.submission(entry.name, number), self.paths.environment(entry.name, number))
        submission, environment = (_plain_file(path, _LARGEST_TEXT).decode("utf-8", "replace") for path in paths)
        return submission, environment

    def _anew(self) -> Opened:
        self._words, self.told, self._live = Lines(), 0, standing.LiveCurves()
        self._lines.clear()
        opened = opening.open_campaign(self.paths.root, self.paths.name, self._hear)
        self._opened, self._report, self._known = opened, None, Known()
        return opened

    def _hear(self, events: Sequence[Event]) -> None:
        fresh = [line for event in events if (line := self._words.line(event))]
        self._lines.extend(fresh)
        self.told += len(fresh)


def _opened(path: Path) -> BinaryIO | None:
    """A regular file, opened; None for anything else, such as a link or a pipe that a run has put there."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    stream = os.fdopen(source, "rb")
    if stat.S_ISREG(os.fstat(source).st_mode):
        return stream
    stream.close()
    return None


def _plain_file(path: Path, most: int) -> bytes:
    if (stream := _opened(path)) is None:
        return b""
    with stream:
        return stream.read(most)


class FollowedCampaigns:
    """The campaigns of a repository, each followed from the first time that somebody asked for it."""

    def __init__(self, where: Path, clock: Callable[[], float] = time.time) -> None:
        """Of the repository that this folder is in. Raises RepositoryError where there is none."""
        self.layout: Layout = finding.find_layout(where)
        self._clock = clock
        self._known: dict[str, Followed] = {}

    def names(self) -> list[str]:
        """Their names, the one worked on last first."""
        return finding.names(self.layout)

    def read_ahead(self) -> None:
        """Read the campaign worked on last, so that its first page need not wait for that."""
        with contextlib.suppress(AutoresearchError):
            for name in self.names()[:1]:
                self.one(name).ready(0.0)

    def one(self, name: str) -> Followed:
        """The campaign of this name.

        Raises:
            CampaignError: There is none.
        """
        if name not in self.names():
            raise CampaignError(f"there is no campaign {name!r} in {self.layout.root}")
        return self._known.setdefault(name, Followed(self.layout.campaign(name), self._clock))
