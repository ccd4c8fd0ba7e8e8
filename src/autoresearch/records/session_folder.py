"""Session memory on disk: `session/<YYYYMMDD_HHMMSS>/`, for a controller or an agent that goes on after a crash."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import lru_cache
from pathlib import Path

from autoresearch.errors import StorageError
from autoresearch.machine import disk
from autoresearch.records import session_memory
from autoresearch.records.session_memory import MemoryState, Stamp, TimelineEntry
from autoresearch.secrets.redactor import Redactor

EVERY_S = 1800.0
"""Seconds after which a checkpoint is due (R167)."""

PAGE = 6000
"""Characters of what a resuming reader is given."""

_IN_ORDER = ("handoff.md", "session_state.md", "timeline.md")
_NAME = re.compile(r"[0-9]{8}_[0-9]{6}")
_NAME_FORMAT = "%Y%m%d_%H%M%S"


def sessions(root: Path) -> tuple[Path, ...]:
    """Session folders below `root`, newest first (R161); empty when there are none."""
    try:
        found = [path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(found, key=lambda path: path.name, reverse=True))


class SessionMemory:
    """One session's four files. Every text passes the redactor before it is shortened or written.

    Attributes:
        folder: The session's folder.
        resumed: Whether it was there before us, so that a recovery should be noted.
    """

    def __init__(self, folder: Path, redactor: Redactor, zone: tzinfo | None = None, *, resumed: bool = False) -> None:
        self.folder, self.resumed = folder, resumed
        self._redactor, self._zone = redactor, zone
        # Most of what a checkpoint says is what the one before it said.
        self._clean = lru_cache(maxsize=1000)(redactor.clean)
        self._last: float | None = None

    @classmethod
    def open(
        cls, root: Path, campaign: str, now: float, redactor: Redactor, zone: tzinfo | None = None
    ) -> "SessionMemory":
        """Resume the newest session of a campaign, or begin one.

        Args:
            root: The folder of all sessions (`Layout.sessions`).
            campaign: Name of the campaign; its session is the one whose `session_state.md` names it.
            now: Unix seconds.
            redactor: Keeps secrets out.
            zone: Time zone of folder names and times, None for the machine's own.

        Raises:
            StorageError: The folder cannot be made or read.
        """
        if (found := cls.find(root, campaign, redactor, zone)) is not None:
            return found
        made = cls(_make(root, now, zone), redactor, zone)
        made._begin(campaign, now)
        return made

    @classmethod
    def find(cls, root: Path, campaign: str, redactor: Redactor, zone: tzinfo | None = None) -> "SessionMemory | None":
        """The newest session of a campaign, None when it has none; nothing is made."""
        for folder in sessions(root):
            if session_memory.header_of(_text(folder / "session_state.md")).get("campaign") == campaign:
                return cls(folder, redactor, zone, resumed=True)
        return None

    def checkpoint(
        self,
        state: MemoryState,
        now: float,
        entry: TimelineEntry | None = None,
        *,
        new_goal: bool = False,
        lasting: bool = True,
    ) -> None:
        """Write down what is true now.

        Files are replaced one by one, the handoff last; the timeline is only ever appended to. The goal written first
        stays (R171): a different one in `state` is kept as something also asked for.

        Args:
            state: What is true now.
            now: Unix seconds.
            entry: What happened since the last checkpoint, for the timeline.
            new_goal: Whether the person has explicitly replaced the goal.
            lasting: Whether to wait for the disk, so that a power cut does not take it.

        Raises:
            StorageError: The disk refused; every file is as it was, or complete.
        """
        clean: MemoryState = session_memory.scrub(state, self._clean)
        before = _text(self.folder / "session_state.md")
        clean = clean if new_goal else _with_goal(clean, session_memory.goal_of(before))
        started = session_memory.header_of(before).get("started") or self._local(now)
        stamp = Stamp(self.folder.name, started, self._local(now))
        if entry is not None:
            self._append(entry, now, lasting=lasting)
        self._replace("files.md", session_memory.files(clean), lasting=lasting, followed=True)
        state_page = session_memory.session_state(clean, stamp)
        self._replace("session_state.md", state_page, lasting=lasting, followed=True)
        self._replace("handoff.md", session_memory.handoff(clean), lasting=lasting)
        self._last = now

    def due(self, now: float) -> bool:
        """Whether half an hour has passed since the last checkpoint; always true before the first of this process."""
        return self._last is None or not 0 <= now - self._last < EVERY_S

    def recover(self) -> str:
        """What a resuming controller or agent should read, in order and on one page: handoff, state, recent timeline.

        Missing or damaged files leave gaps and never raise.
        """
        handed, state, timeline = (_text(self.folder / name) for name in _IN_ORDER)
        return session_memory.recovery_page(handed, state, timeline, PAGE)

    @property
    def goal(self) -> str:
        """The goal that was written first, empty before the first checkpoint."""
        return session_memory.goal_of(_text(self.folder / "session_state.md"))

    def mismatches(self, branch: str, head: str) -> tuple[str, ...]:
        """Where git, as the caller sees it now, disagrees with the notes (R165); one sentence each."""
        return session_memory.mismatches(_text(self.folder / "session_state.md"), branch, head)

    def note_recovery(self, now: float, found: Sequence[str] = ()) -> None:
        """Append that work was taken up again, and what did not agree (R185)."""
        checked = "; ".join(found) or "no mismatch with git found"
        self._append(
            TimelineEntry(
                context="read handoff, state and recent timeline; checked branch and commit against git",
                decision="go on from the latest verified next action",
                result=f"recovered; {checked}",
            ),
            now,
        )

    def _begin(self, campaign: str, now: float) -> None:
        """Mark the session as the campaign's before anything else happens in it."""
        at = self._local(now)
        state = MemoryState(goal="", campaign=campaign)
        self._replace("session_state.md", session_memory.session_state(state, Stamp(self.folder.name, at, at)))

    def _append(self, entry: TimelineEntry, now: float, *, lasting: bool = True) -> None:
        path = self.folder / "timeline.md"
        clean: TimelineEntry = session_memory.scrub(entry, self._clean)
        text = session_memory.timeline_entry(clean, self._local(now))
        last = _last_byte(path)
        # A crash may have torn the last entry: a new one always begins on a line of its own.
        start = session_memory.TIMELINE if not last else "" if last == b"\n" else "\n"
        disk.append(path, (start + text).encode("utf-8", "replace"), "memory.append", lasting=lasting)

    def _replace(self, name: str, text: str, *, lasting: bool = True, followed: bool = False) -> None:
        content = self._redactor.clean(text).encode("utf-8", "replace")
        disk.replace(self.folder / name, content, lasting=lasting, followed=followed)

    def _local(self, now: float) -> str:
        return datetime.fromtimestamp(now, self._zone).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S %z")


def _last_byte(path: Path) -> bytes:
    """What a file ends with, empty when there is nothing in it; a timeline grows all night and is never read whole."""
    with disk.storage(path, "read"):
        try:
            with path.open("rb") as stream:
                stream.seek(max(0, path.stat().st_size - 1))
                return stream.read(1)
        except FileNotFoundError:
            return b""


def _with_goal(state: MemoryState, goal: str) -> MemoryState:
    if not goal or session_memory.same_goal(state.goal, goal):
        return state
    asked = (*state.steering, state.goal) if state.goal and state.goal not in state.steering else state.steering
    return replace(state, goal=goal, steering=asked)


def _make(root: Path, now: float, zone: tzinfo | None) -> Path:
    """A new session folder named after now; when two begin in one second, the later one is named after the next."""
    with disk.storage(root, "make a session folder in"):
        root.mkdir(parents=True, exist_ok=True)
        for later in range(100):
            folder = root / datetime.fromtimestamp(now + later, zone).strftime(_NAME_FORMAT)
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            disk.sync_folder(root)
            return folder
    raise StorageError(f"a hundred sessions of this minute exist in {root}; remove some")


def _text(path: Path) -> str:
    """A file's text, empty when it cannot be read: notes help, they are never a reason to stop."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
