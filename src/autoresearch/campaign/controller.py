"""Holding a campaign: one controller at a time, ended in good order, and in somebody's name."""

import contextlib
import getpass
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from autoresearch.campaign import opening
from autoresearch.campaign.opening import Opened
from autoresearch.errors import HeldError
from autoresearch.machine import process
from autoresearch.machine.lock import CampaignLock
from autoresearch.machine.lock_owner import alive
from autoresearch.records.paths import CampaignPaths


@contextlib.contextmanager
def held(where: Path, name: str | None, *, take_over: bool = False) -> Iterator[tuple[Opened, CampaignLock]]:
    """The campaign, read while nobody else works on it, and the lock that keeps it so.

    Raises:
        HeldError: Another controller is at work on it.
    """
    paths = opening.find(where, name)
    lock = CampaignLock(paths.lock)
    try:
        lock.acquire(take_over=take_over)
    except HeldError as error:
        raise HeldError(f"campaign {paths.name} is {error}") from None
    with lock:
        yield opening.open_campaign(where, paths.name), lock


def at_work(paths: CampaignPaths) -> bool:
    """Whether a controller holds the campaign that is not known to be dead."""
    holder = CampaignLock(paths.lock).holder()
    if holder is None:
        return False
    try:
        seen = paths.lock.stat().st_mtime
    except OSError:
        return False
    return alive(holder, seen) is not False


def person() -> str:
    """Who is at this terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def detach(paths: CampaignPaths, *words: str, poll_s: float) -> int:
    """Start a command that works on the campaign in a process of its own, which survives this terminal; its id."""
    options = ("--plain", "--poll", str(poll_s), "--campaign", paths.name)
    argv = (sys.executable, "-m", "autoresearch", *words, *options)
    return process.start(argv, cwd=paths.root, log=paths.controller_log)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the controller as Ctrl-C does: in good order, runs in flight going on.

    A signal that was ignored when we were started stays so: under `nohup` a hang-up ends nothing. Off the main thread
    signals are somebody else's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
