"""Trackers are told what the journal says, each in a thread of its own, so that no campaign ever waits for one.

A thread reads the journal itself, from where its tracker was told last: a slow tracker lags and loses nothing, a broken
one is tried again, one that hangs is left behind when the campaign ends. How many events a tracker was told is kept in
the campaign's folder, so that the next controller goes on there.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from autoresearch.config.schema import CampaignConfig
from autoresearch.engine.context import Context
from autoresearch.errors import AutoresearchError, CampaignError, StorageError
from autoresearch.experiment.events import Event
from autoresearch.machine import disk
from autoresearch.ports import plugins
from autoresearch.ports.tracker import Alerting, Closing, Recalling, Tracker
from autoresearch.records import journal
from autoresearch.records.journal import Journal
from autoresearch.records.paths import CampaignPaths
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor

_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_PATIENCE_S = 10.0


def labels(campaign: CampaignConfig) -> tuple[str, ...]:
    """What each tracker is known by: its name, and a number where there are several of it."""
    kinds = [spec.type for spec in campaign.trackers]
    earlier = [kinds[:place].count(kind) for place, kind in enumerate(kinds)]
    return tuple(f"{kind}-{count + 1}" if count else kind for kind, count in zip(kinds, earlier, strict=True))


def trackers_of(campaign: CampaignConfig, paths: CampaignPaths) -> dict[str, Callable[[], Tracker]]:
    """How to make each tracker, by what it is known by.

    Raises:
        PluginError: There is no tracker of that name.
    """
    return {
        label: _maker(spec.type, {"folder": paths.tracker(label), **spec.options()})
        for label, spec in zip(labels(campaign), campaign.trackers, strict=True)
    }


def _maker(kind: str, options: dict[str, Any]) -> Callable[[], Tracker]:
    plugins.load("trackers", kind)

    def make() -> Tracker:
        tracker: Tracker = plugins.make("trackers", kind, options=options)
        return tracker

    return make


def call(campaign: CampaignConfig, paths: CampaignPaths, text: str) -> None:
    """Call a person by every tracker that can; one that fails or hangs costs the caller a while and nothing else."""

    def attempt(make: Callable[[], Tracker]) -> None:
        with suppress(Exception, SystemExit):
            if isinstance(tracker := make(), Alerting):
                tracker.call(campaign.campaign, environment.of_repository(paths.root).clean(text))

    threads = [
        threading.Thread(target=attempt, args=(make,), daemon=True) for make in trackers_of(campaign, paths).values()
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def tell_all(campaign: CampaignConfig, paths: CampaignPaths, kind: str, options: Mapping[str, Any]) -> tuple[int, Path]:
    """Tell one tracker the whole journal, now; how many events, and where the tracker keeps files of its own.

    Raises:
        CampaignError: It is for what happens now only, or it could not be told.
        PluginError: There is no tracker of that name.
    """
    own = next((spec.options() for spec in campaign.trackers if spec.type == kind), {})
    given = {"folder": paths.tracker(kind), **own, **options}
    tracker, redactor = _maker(kind, given)(), environment.of_repository(paths.root)
    if isinstance(tracker, Alerting):
        raise CampaignError(f"{kind} calls people for what happens now; a campaign cannot be told to it afterwards")
    events = Journal(paths.journal).read()
    try:
        for event in events:
            tracker.tell(without_secrets(event, redactor))
        if isinstance(tracker, Closing):
            tracker.close()
    except AutoresearchError:
        raise
    except (Exception, SystemExit) as error:
        raise CampaignError(
            f"tracker {kind} could not be told: {_said(error)}; what it has shown already stays"
        ) from error
    return len(events), Path(given["folder"])


class Tracking:
    """Tells a campaign's trackers while a controller is at work.

    Args:
        ctx: The campaign at work.
        patience_s: Seconds that a campaign's end waits for those who are behind.
    """

    def __init__(self, ctx: Context, patience_s: float = _PATIENCE_S) -> None:
        self._ctx, self._patience_s = ctx, patience_s
        self._tellers: list[Teller] = []

    def start(self) -> None:
        """Begin to tell; a tracker that cannot be made any more is noted and left out."""
        ctx = self._ctx
        for label, spec in zip(labels(ctx.campaign), ctx.campaign.trackers, strict=True):
            try:
                (made,) = trackers_of(ctx.campaign.model_copy(update={"trackers": (spec,)}), ctx.paths).values()
                tracker = made()
            except AutoresearchError as error:
                ctx.note(f"tracker {label} cannot be had and is told nothing: {error}")
                continue
            teller = Teller(label, tracker, ctx.paths, ctx.redactor)
            self._tellers.append(teller)
            teller.start()
        ctx.listeners.append(self._hear)

    def _hear(self, _: Event) -> None:
        """Something was written down: the threads have to read, and may have something to say of what came before."""
        for teller in self._tellers:
            teller.wake()

    def note(self) -> None:
        """Write down what the trackers' threads have to say."""
        for teller in self._tellers:
            for text in teller.said():
                self._ctx.note(text)

    def before(self, act: Callable[[], None]) -> Callable[[], None]:
        """What writes that down first and then does something else."""

        def noted() -> None:
            self.note()
            act()

        return noted

    def close(self) -> None:
        """Let those who are behind catch up for a while, and leave the others behind."""
        for teller in self._tellers:
            teller.finish()
        until = time.monotonic() + self._patience_s
        for teller in self._tellers:
            teller.join(max(0.0, until - time.monotonic()))
        self.note()
        for teller in self._tellers:
            if teller.is_alive():
                self._ctx.note(
                    f"tracker {teller.label} did not answer in time and has not heard of everything; it is told the "
                    f"rest when the campaign is next worked on"
                )


@contextmanager
def tell_trackers(ctx: Context) -> Iterator["Tracking"]:
    """Trackers are told while the block lasts; it ends when they have heard of everything, or after a while."""
    tracking = Tracking(ctx)
    tracking.start()
    try:
        yield tracking
    finally:
        tracking.close()


class Teller(threading.Thread):
    """Tells one tracker, one event after the other.

    Args:
        label: What the tracker is known by.
        tracker: The tracker.
        paths: Where the journal and the place to remember lie.
        redactor: Takes out secrets before the tracker hears anything.
    """

    def __init__(self, label: str, tracker: Tracker, paths: CampaignPaths, redactor: Redactor) -> None:
        super().__init__(name=f"tracker-{label}", daemon=True)
        self.label = label
        self._tracker, self._redactor = tracker, redactor
        self._journal = Journal(paths.journal)
        self._place = paths.told(label)
        self._told, self._read, self._offset = _remembered(self._place), 0, 0
        self._waiting: list[Event] = []
        self._news, self._over = threading.Event(), threading.Event()
        self._notes: SimpleQueue[str] = SimpleQueue()
        self._failing, self._unkept = False, False

    def wake(self) -> None:
        """There is something new in the journal."""
        self._news.set()

    def finish(self) -> None:
        """Tell what is left and end."""
        self._over.set()
        self._news.set()

    def said(self) -> list[str]:
        """What a person should read, since this was last asked."""
        found = []
        while True:
            try:
                found.append(self._notes.get_nowait())
            except Empty:
                return found

    def run(self) -> None:
        """Tell until there is nothing more to tell and the end was asked for."""
        pause = _PAUSE_S
        while True:
            over = self._over.is_set()
            self._news.clear()
            if self._catch_up():
                pause = _PAUSE_S
                if over:
                    break
                self._news.wait()
            elif over:
                return
            else:
                self._over.wait(pause)
                pause = min(_LONGEST_PAUSE_S, 2 * pause)
        if isinstance(self._tracker, Closing):
            self._attempt(self._tracker.close, "at its end")

    def _catch_up(self) -> bool:
        """Whether the tracker has heard of everything that is in the journal."""
        try:
            events, self._offset = self._journal.tail(self._offset)
        except AutoresearchError as error:
            self._note(f"the journal could not be read for tracker {self.label}: {error}")
            return False
        self._waiting += events
        while self._waiting:
            event, known = self._waiting[0], self._read < self._told
            if not self._attempt(lambda: self._hear(event, known=known), f"of {event.kind}"):  # noqa: B023 - at once
                return False
            del self._waiting[0]
            self._read += 1
            if not known:
                self._told = self._read
                self._remember()
        return True

    def _hear(self, event: Event, *, known: bool) -> None:
        clean = without_secrets(event, self._redactor)
        if not known:
            self._tracker.tell(clean)
        elif isinstance(self._tracker, Recalling):
            self._tracker.recall(clean)

    def _attempt(self, act: Callable[[], None], what: str) -> bool:
        try:
            act()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a tracker may fail in any way without hurting the campaign
            if not self._failing:
                self._note(f"tracker {self.label} could not be told {what} and is tried again: {_said(error)}")
            self._failing = True
            return False
        if self._failing:
            self._note(f"tracker {self.label} is told again")
        self._failing = False
        return True

    def _remember(self) -> None:
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(self._place, json.dumps({"told": self._told}) + "\n")
        except (OSError, StorageError) as error:
            if not self._unkept:
                self._note(f"how far tracker {self.label} was told cannot be kept, it may hear things twice: {error}")
            self._unkept = True

    def _note(self, text: str) -> None:
        self._notes.put(text)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _remembered(place: Path) -> int:
    """Events that a tracker was told by earlier controllers; none where nothing that can be read says so."""
    try:
        told = json.loads(place.read_text("utf-8"))["told"]
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    return told if isinstance(told, int) and told >= 0 else 0


def without_secrets(event: Event, redactor: Redactor) -> Event:
    """The event with every secret in its words taken out."""
    return journal.load(json.dumps(_clean(json.loads(journal.dump(event)), redactor)))


def _clean(value: Any, redactor: Redactor) -> Any:
    match value:
        case str():
            return redactor.clean(value)
        case dict():
            words = {name: item for name, item in value.items() if isinstance(item, str)}
            return {name: _clean(item, redactor) for name, item in {**value, **redactor.clean_mapping(words)}.items()}
        case list():
            return [_clean(item, redactor) for item in value]
        case _:
            return value
