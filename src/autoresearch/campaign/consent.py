"""A person's word, and the proof that a person gave it: one gate for every verb that speaks in a person's name.

Where agents are about, any process of the account could type `autoresearch approve`. There the word counts when a code,
shown at the controlling terminal and nowhere else, is typed back at it. An agent's processes have no such terminal, and
one they make for themselves (`script`, `expect`) is refused. What was accepted says how it was proved.
"""

import os
import secrets
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from autoresearch.campaign.opening import Opened
from autoresearch.errors import CampaignError
from autoresearch.experiment import events as happened
from autoresearch.machine import processes
from autoresearch.machine.lock import CampaignLock
from autoresearch.ports import plugins

Word = TypeVar(
    "Word",
    happened.ApprovalGiven,
    happened.VerdictOverruled,
    happened.Steered,
    happened.Resumed,
    happened.StopRequested,
)

_TERMINAL = Path("/dev/tty")
_MAKE_TERMINALS = frozenset(
    {"script", "expect", "unbuffer", "socat", "pexpect", "ptyprocess", "dtach", "abduco", "faketty"}
)
_LONGEST = 64


def proved(opened: Opened, word: Word, *, own: bool = False) -> Word:
    """A word with its proof in it; nothing is recorded.

    Args:
        opened: The campaign.
        word: What a person says.
        own: It is said in another name than a person's, as an agent's instruction is, which grants nothing.

    Raises:
        CampaignError: A person has to say it, and nobody proved to be one.
    """
    grants = isinstance(word, happened.ApprovalGiven | happened.VerdictOverruled)
    return word if own and not grants else replace(word, proof=prove(opened, _VERBS[type(word)]))


def record(opened: Opened, word: Word, *, own: bool = False) -> None:
    """Prove a word and write it down; raises as `proved` does, and StorageError."""
    opened.journal.append(proved(opened, word, own=own))


_VERBS: dict[type, str] = {
    happened.ApprovalGiven: "answer for a launch",
    happened.VerdictOverruled: "overrule a verdict",
    happened.Steered: "steer",
    happened.Resumed: "resume",
    happened.StopRequested: "stop",
}


def prove(opened: Opened, verb: str) -> str:
    """How it is known that a person speaks; empty where the campaign lets anyone.

    Raises:
        CampaignError: Nobody proved to be a person.
    """
    if not _asks(opened):
        return ""
    cure = (
        f"to {verb} in {opened.paths.name} takes a person at a terminal of their own: type it there; for unattended "
        "scripts plan the next campaign with: approval: {by: anyone}"
    )
    if maker := next(_own_makers(opened), ""):
        raise CampaignError(f"this terminal was made by {maker}, so nothing was recorded; {cure}")
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise CampaignError(f"there is no terminal here to ask a person at, so nothing was recorded; {cure}") from None
    try:
        return _typed_back(terminal, verb, cure)
    finally:
        os.close(terminal)


def _asks(opened: Opened) -> bool:
    """Whether agents are about, or launches wait for a person; the campaign file may say either way."""
    approval = opened.campaign.approval
    if approval.by != "auto":
        return approval.by == "terminal"
    waits = approval.launch == "ask" or approval.ask_above_gpu_hours is not None
    agents = (
        any(plugins.load("researchers", spec.type).edits for spec in opened.campaign.researcher)
        or opened.paths.proposal.exists()
    )
    return waits or agents


def _own_makers(opened: Opened) -> Iterator[str]:
    """Processes above us that make terminals, or that the campaign itself started."""
    holder = CampaignLock(opened.paths.lock).holder()
    above = processes.process_info(os.getppid())
    while above and above.pid > 1:
        if above.name in _MAKE_TERMINALS:
            yield f"{above.name!r}"
        if holder and above.pid == holder.pid:
            yield "the campaign's own controller"
        above = processes.process_info(above.parent)


def _typed_back(terminal: int, verb: str, cure: str) -> str:
    code = f"{secrets.randbelow(9000) + 1000}"
    termios.tcflush(terminal, termios.TCIFLUSH)
    os.write(terminal, f"To {verb}, type {code}: ".encode())
    if os.read(terminal, _LONGEST).decode(errors="replace").strip() != code:
        raise CampaignError(f"the code was not typed back, so nothing was recorded; {cure}")
    return f"code typed back at {os.ttyname(terminal)}"
