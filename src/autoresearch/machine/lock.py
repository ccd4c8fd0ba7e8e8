"""Two locks: one controller per campaign for hours, one writer per file for milliseconds.

`CampaignLock` is a file that appears by hard link (atomic on NFS too, no lock daemon needed) and says who holds it.
A holder that is provably dead on this machine is replaced without asking; any other only with `take_over`.
`file_lock` is flock on the file itself, with a lock file beside it where the file system has no flock.
"""

import errno
import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self

from autoresearch.errors import HeldError, StorageError
from autoresearch.machine import disk, fault_points
from autoresearch.machine.lock_owner import LockOwner, alive, here, read

PATIENCE_S = 60.0
"""How long a writer waits for the other writers of a file."""

_NO_FLOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


class CampaignLock:
    """The right to control one campaign; held by a file that says by whom.

    Args:
        path: The lock file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: LockOwner | None = None

    def acquire(self, *, take_over: bool = False) -> LockOwner:
        """Take hold of the campaign, replacing a holder that is provably dead on this machine.

        Args:
            take_over: Also replace a holder of whom nothing is known, such as one on another host.

        Raises:
            HeldError: Somebody else holds it; the message says who, where, since when, and what to do.
            StorageError: The lock file cannot be written.
        """
        fault_points.point("lock.acquire.before")
        with disk.storage(self.path, "lock"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._mine = _take(self.path, take_over=take_over)
        fault_points.point("lock.acquire.after")
        return self._mine

    def holder(self) -> LockOwner | None:
        """Who holds the campaign now, None for nobody. It may be dead: see `alive`."""
        return _look(self.path)[0]

    def refresh(self) -> None:
        """Show a sign of life; to be called every minute or so, and before anything that must be done only once.

        Raises:
            HeldError: The lock was taken over by another controller: stop at once, touch nothing.
        """
        mine = self._own()
        with disk.storage(self.path, "refresh the lock"):
            found, token = _look(self.path)
            if token == mine.token:
                os.utime(self.path)
            elif not _appear(self.path, mine):
                raise HeldError(f"the campaign was taken over by {found or 'somebody'}; this controller must stop")

    def release(self) -> None:
        """Let go. Twice is fine; a lock that is not (or no longer) ours, or that a fork inherited, is left alone."""
        mine, self._mine = self._mine, None
        if mine is None or mine.pid != os.getpid():
            return
        fault_points.point("lock.release")
        with disk.storage(self.path, "unlock"), suppress(HeldError), _claim(self.path, mine.token):
            if _look(self.path)[1] == mine.token:
                self.path.unlink()

    def __enter__(self) -> Self:
        if self._mine is None:
            self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _own(self) -> LockOwner:
        if self._mine is None:
            raise HeldError(f"the campaign lock {self.path} is not held by this process; acquire it first")
        return self._mine


@contextmanager
def file_lock(path: Path, patience: float = PATIENCE_S) -> Iterator[None]:
    """Be the only one to write `path` for the length of the block; an empty file is made when it is missing.

    A block that puts a new file in place of `path` must do so as its last act: the lock stays with the old one.

    Raises:
        StorageError: It was not to be had within `patience` seconds, or cannot be made.
    """
    with disk.storage(path, "lock"):
        descriptor = _flocked(path, time.monotonic() + patience)
    if descriptor is None:
        with _lock_file(path, time.monotonic() + patience):
            yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


def _flocked(path: Path, deadline: float) -> int | None:
    """A descriptor that holds the flock of the file that bears the name `path` now; None where there is no flock."""
    while True:
        descriptor, keep = _open(path), False
        try:
            if not _flock(path, descriptor, deadline):
                return None
            keep = _same_file(path, descriptor)
            if keep:
                return descriptor
        finally:
            if not keep:
                os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        disk.sync_folder(path.parent)
        return descriptor


def _flock(path: Path, descriptor: int, deadline: float) -> bool:
    pause = 0.0005
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause = _wait(path, pause, deadline)
        except OSError as error:
            if error.errno in _NO_FLOCK:
                return False
            raise
        else:
            return True


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _lock_file(path: Path, deadline: float) -> Iterator[None]:
    """The same right by a file of its own, for file systems without flock."""
    beside = path.with_name(f".{path.name}.lock")
    pause = 0.001
    while True:
        try:
            with disk.storage(path, "lock"):
                mine = _take(beside, take_over=False)
            break
        except HeldError as error:
            pause = _wait(path, pause, deadline, f" ({error})")
    try:
        yield
    finally:
        if _look(beside)[1] == mine.token:
            beside.unlink()


def _wait(path: Path, pause: float, deadline: float, why: str = "") -> float:
    """Sleep a little and return how long to sleep next time."""
    if time.monotonic() > deadline:
        raise StorageError(f"cannot write {path}: another process keeps it locked{why}; end that process and try again")
    time.sleep(pause)
    return min(pause * 1.5, 0.05)


def _take(path: Path, *, take_over: bool) -> LockOwner:
    """Make the lock file ours, or say who has it."""
    while True:
        mine = here(token=uuid.uuid4().hex, since=time.time())
        if _appear(path, mine):
            return mine
        (found, token), seen = _look(path), _seen(path)
        if not token:
            continue
        lives = alive(found, seen) if found else None
        if lives or (lives is None and not take_over):
            raise HeldError(_who(path, found, seen, lives))
        with _claim(path, token):
            fault_points.point("lock.takeover")
            if _look(path)[1] == token:
                _aside(path, mine).replace(path)
                return mine


@contextmanager
def _claim(path: Path, token: str) -> Iterator[None]:
    """The sole right to end the one holding with this token. A lock like any other: its holder, too, may die."""
    right = path.with_name(f"{path.name}.over-{hashlib.sha256(token.encode()).hexdigest()[:16]}")
    mine = _take(right, take_over=False)
    try:
        yield
    finally:
        if _look(right)[1] == mine.token:
            right.unlink()


def _appear(path: Path, mine: LockOwner) -> bool:
    """Create the lock file with its content in one step; False when there is one already."""
    aside = _aside(path, mine)
    try:
        os.link(aside, path)
    except FileExistsError:
        return aside.stat().st_nlink > 1  # an NFS client that asked twice: the first answer got lost
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return _create(path, mine)
    finally:
        aside.unlink(missing_ok=True)
    return True


def _create(path: Path, mine: LockOwner) -> bool:
    """The same where there are no hard links; for a moment the file is empty, which reads as held by an unknown."""
    try:
        with path.open("x") as sink:
            sink.write(json.dumps(asdict(mine)))
    except FileExistsError:
        return False
    return True


def _aside(path: Path, mine: LockOwner) -> Path:
    aside = path.with_name(f"{path.name}.{mine.token}")
    with aside.open("x") as sink:
        sink.write(json.dumps(asdict(mine)))
        sink.flush()
        os.fsync(sink.fileno())
    return aside


def _look(path: Path) -> tuple[LockOwner | None, str]:
    """Who holds a lock, and the token of this holding: a digest when the file does not say, empty when nobody."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, ""
    try:
        found = read(json.loads(content))
    except (ValueError, TypeError, KeyError):
        return None, hashlib.sha256(content).hexdigest()
    return found, found.token or "none"


def _seen(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _who(path: Path, found: LockOwner | None, seen: float, lives: bool | None) -> str:
    if found is None:
        return f"held by somebody whom its lock {path} does not name; if no controller runs, use --take-over"
    if lives:
        return f"held by {found}, which is at work; watch it, or stop it first (autoresearch stop)"
    ago = max(0, round(time.time() - seen))
    return (
        f"held by {found}, last sign of life {ago} s ago, and whether it still runs cannot be seen from here; "
        f"look there, and if it is gone use --take-over"
    )
