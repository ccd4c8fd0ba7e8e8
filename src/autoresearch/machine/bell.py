"""A wait that ends when something happened: a process is gone, somebody has written to a file, or a thread rings.

Nothing here can fail: what cannot be listened to (no descriptor is free, an old kernel, a file system without
notification, a file that was replaced) is not heard, and the wait is over when its time is, as a poll's. Each process
takes a descriptor, so only so many are attended that three of four stay free for everybody else.
"""

import contextlib
import ctypes
import os
import resource
import select
from collections.abc import Collection
from pathlib import Path

from autoresearch.machine import processes

Identity = tuple[int, int]
"""A process by id and start time."""

_MODIFIED = 0x2
_ENOUGH = 1 << 16
_LONGEST_S = 3600.0


class Bell:
    """Rings when one of the processes that are attended is gone, once for each, or when a file has grown.

    Args:
        file: What others append to. It is there, and is not replaced by another meanwhile.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._poll = select.poll()
        self._attended: dict[Identity, int] = {}
        self._gone: set[Identity] = set()
        self._torn = -1
        self._hand = _pipe()
        if self._hand:
            self._poll.register(self._hand[0], select.POLLIN)
        self._changes = _listen(file)
        if self._changes is not None:
            self._poll.register(self._changes, select.POLLIN)

    def close(self) -> None:
        """Listen to nothing any more."""
        self.attend(())
        self._deaf()
        hand, self._hand = self._hand, ()
        if hand:
            self._poll.unregister(hand[0])
        for handle in hand:
            os.close(handle)

    def ring(self) -> None:
        """Ring; may be called from any thread, as long as it is not closed."""
        if self._hand:
            with contextlib.suppress(OSError):  # a full pipe rings all the same
                os.write(self._hand[1], b"!")

    def attend(self, those: Collection[Identity]) -> bool:
        """Listen for the ends of these processes and of no others; whether one was gone before, which rings once."""
        for one in self._attended.keys() - set(those):
            self._leave(one)
        self._gone.intersection_update(those)
        fresh = {one for one in those if one not in self._attended and one not in self._gone}
        room = _most() - len(self._attended)
        for one in sorted(fresh)[: max(0, room)]:
            if (handle := _open(one)) is not None:
                self._attended[one] = handle
                self._poll.register(handle, select.POLLIN)
        late = {one for one in fresh if not _lives(one)}
        for one in late & self._attended.keys():
            self._leave(one)
        self._gone |= late
        return bool(late)

    def wait(self, seconds: float, heard: int) -> bool:
        """Wait for it to ring, so long at most; whether it did.

        Args:
            seconds: How long at most.
            heard: How much of the file is known: more than that rings at once, though not twice for the same.
        """
        self._drain()
        if self._has_grown(heard):
            return True
        rung = {handle for handle, _ in self._poll.poll(min(max(0.0, seconds), _LONGEST_S) * 1000)}
        for one in [one for one, handle in self._attended.items() if handle in rung]:
            self._leave(one)
            self._gone.add(one)
        if self._changes in rung and not self._drain():
            self._deaf()
        if self._hand and self._hand[0] in rung:
            with contextlib.suppress(OSError):
                os.read(self._hand[0], _ENOUGH)
        return bool(rung)

    def _has_grown(self, heard: int) -> bool:
        try:
            size = self._file.stat().st_size
        except OSError:
            return False
        if size in {heard, self._torn}:
            return False
        # A line whose writer died stays beyond what was heard; it is no news twice.
        self._torn = size
        return True

    def _drain(self) -> bool:
        """Forget what was told of the file so far; whether there was anything."""
        if self._changes is None:
            return False
        try:
            return bool(os.read(self._changes, _ENOUGH))
        except OSError:
            return False

    def _leave(self, one: Identity) -> None:
        handle = self._attended.pop(one)
        self._poll.unregister(handle)
        with contextlib.suppress(OSError):
            os.close(handle)

    def _deaf(self) -> None:
        if self._changes is not None:
            self._poll.unregister(self._changes)
            with contextlib.suppress(OSError):
                os.close(self._changes)
            self._changes = None


def _pipe() -> tuple[int, ...]:
    """Two ends that never block; nothing where no descriptor is free."""
    with contextlib.suppress(OSError):
        return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    return ()


def _most() -> int:
    """How many processes may be attended: a quarter of what may be open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most // 4 if most != resource.RLIM_INFINITY else 1 << 16


def _open(one: Identity) -> int | None:
    try:
        return os.pidfd_open(one[0])
    except (AttributeError, OSError):
        return None


def _lives(one: Identity) -> bool:
    found = processes.process_info(one[0])
    return found is not None and found.started == one[1] and not found.dead


def _listen(file: Path) -> int | None:
    """A descriptor that can be read once the file was written to; None where the kernel gives none."""
    library = ctypes.CDLL(None, use_errno=True)
    try:
        handle: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if handle < 0:
            return None
        if library.inotify_add_watch(handle, os.fsencode(file), _MODIFIED) < 0:
            os.close(handle)
            return None
    except AttributeError:
        return None
    return handle
