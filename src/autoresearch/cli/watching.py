"""A campaign that somebody watches: what happens, and keys for the verbs, asked back where they cannot be undone.

A key never stands for a person's proof: where the campaign takes a code or a passphrase, the verb asks for it at the
terminal, as it does when it is typed.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from autoresearch.campaign import consent, opening
from autoresearch.cli import output
from autoresearch.cli.live_view import CampaignView
from autoresearch.dashboard.following import Followed
from autoresearch.errors import AutoresearchError
from autoresearch.report.event_lines import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.live import Live

    from autoresearch.campaign.campaign import Campaign

_KEYS = {
    "a": "approve",
    "d": "deny",
    "p": "pause",
    "r": "resume",
    "c": "cancel",
    "s": "stop",
    "S": "stop now",
    "q": "quit",
}
_MOST = 64


def say_lines(campaign: Campaign, every_s: float) -> None:
    """Where the campaign stands, then each event as a line, until nobody works on it; nobody is asked anything."""
    followed = Followed(campaign.paths())
    status = followed.status()
    if not status.controller:
        return
    seen = followed.told
    output.say(f"{clock()}  {status.progress()}")
    working = True
    while working:
        working = bool(followed.status().controller)
        lines = followed.lines()
        fresh = min(followed.told - seen, len(lines))
        seen = followed.told
        for line in lines[len(lines) - fresh :]:
            output.say(line)
        if working:
            time.sleep(every_s)


def watch(campaign: Campaign, every_s: float) -> None:
    """Draw the campaign on the whole terminal, and do what keys say, until nobody works on it or `q`."""
    from rich.live import Live  # noqa: PLC0415 - a heavy import that plain commands do without

    followed, said = Followed(campaign.paths()), ""
    with Keyboard() as keyboard:
        key = ""
        while key != "q":
            with Live(auto_refresh=False, screen=True, vertical_overflow="crop") as live:
                key = _drawn(live, keyboard, campaign, followed, said, every_s)
            if key != "q":
                with keyboard.lines():
                    said = act(campaign, key)


def _drawn(live: Live, keyboard: Keyboard, campaign: Campaign, followed: Followed, said: str, every_s: float) -> str:
    """Draw until a key is pressed, which is returned, or nobody works on the campaign, which is like `q`."""
    while (status := followed.status()).controller:
        foot = (said, "  ".join(f"{key} {verb}" for key, verb in _KEYS.items()))
        live.update(CampaignView(status, campaign.curve, followed.lines(), tuple(filter(None, foot))), refresh=True)
        if key := keyboard.pressed(every_s):
            return key
    return "q"


class Keyboard:
    """The keys of this terminal, one at a time and without Enter; lines again in between and afterwards."""

    def __init__(self) -> None:
        """Nothing is changed before the block is entered."""
        self._keys = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._keys)

    def __enter__(self) -> Self:
        """Take keys."""
        tty.setcbreak(self._keys)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back as it was."""
        termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    def pressed(self, seconds: float) -> str:
        """The key that was pressed within so many seconds, empty for none; what was pasted is no key."""
        if not select.select([self._keys], [], [], max(0.0, seconds))[0]:
            return ""
        typed = os.read(self._keys, _MOST).decode("utf-8", "replace")
        return typed if typed in _KEYS else "q" if not typed else ""

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Whole lines can be typed in the block."""
        termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._before)
        try:
            yield
        finally:
            tty.setcbreak(self._keys)


def act(campaign: Campaign, key: str) -> str:
    """Do what a key stands for, asking at the terminal first where that cannot be undone; what came of it, in words."""
    try:
        return _done(campaign, key)
    except AutoresearchError as error:
        return str(error)


def _done(campaign: Campaign, key: str) -> str:
    match _KEYS[key]:
        case "approve" | "deny" as verb:
            return _answered(campaign, verb)
        case "pause":
            return f"{campaign.pause()}; r resumes"
        case "resume":
            campaign.resume()
            return "resumed"
        case "cancel":
            return _cancelled(campaign)
        case "stop now":
            flying = len(campaign.status().running)
            asked = f"Stop {campaign.name} now, and end {flying} run{'s' * (flying != 1)} in flight?"
            return campaign.stop(now=True) if _sure(asked) else "not stopped"
        case _:
            asked = f"Stop {campaign.name} after the runs in flight?"
            return campaign.stop() if _sure(asked) else "not stopped"


def _answered(campaign: Campaign, verb: str) -> str:
    history = opening.open_campaign(campaign.where, campaign.name).history
    waiting = [(key, ask.question) for key, ask in history.approvals.items() if key not in history.answers]
    if not waiting:
        return f"no launch waits, so there is nothing to {verb}"
    for number, (request, question) in enumerate(waiting, 1):
        output.say(f"{number}  {request}: {question}")
    request = _chosen(f"{verb.capitalize()} which?", [request for request, _ in waiting])
    if not request or not _sure(f"{verb.capitalize()} {request}?"):
        return "nothing was answered"
    campaign.answer(request, granted=verb == "approve")
    return f"{'approved' if verb == 'approve' else 'denied'} {request}"


def _cancelled(campaign: Campaign) -> str:
    there = list(consent.flying(opening.open_campaign(campaign.where, campaign.name).history))
    if not there:
        return "no run is in flight, so there is none to cancel"
    for number, name in enumerate(there, 1):
        output.say(f"{number}  {name}")
    name = _chosen("Cancel which?", there)
    if not name or not _sure(f"Cancel {name}? Its idea is not blamed, the campaign goes on."):
        return "nothing was cancelled"
    return consent.cancel(campaign.where, campaign.name, name, _typed("Why? "))


def _chosen(question: str, names: list[str]) -> str:
    """The one that was meant, by its number; empty for none."""
    at = "1" if len(names) == 1 else _typed(f"{question} [1-{len(names)}] ")
    numbered = {str(number): name for number, name in enumerate(names, 1)}
    return numbered.get(at, "")


def _sure(question: str) -> bool:
    return _typed(f"{question} [y/N] ").lower() in {"y", "yes"}


def _typed(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""
