"""A person's word, and the proof that a person gave it: one gate for every verb that speaks in a person's name.

Any process of the account could type `autoresearch approve`. The word counts when a code, shown at the controlling
terminal and nowhere else, is typed back at it. An agent's processes have no such terminal, and one they make for
themselves (`script`, `expect`) is refused. What was accepted says how it was proved. What grants something (a launch, a
verdict, a plan, more budget) is asked for always, the rest where agents are about; a campaign file may let anyone.

A code can be read by whoever made the terminal. A passphrase, chosen when the campaign is planned, cannot: the campaign
file holds a seal made of it, by a function that is slow to try (scrypt, RFC 7914).
"""

import hashlib
import hmac
import os
import secrets
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from autoresearch.campaign.controller import person
from autoresearch.campaign.opening import Opened, open_to_act, redactor
from autoresearch.errors import CampaignError, UsageError
from autoresearch.experiment import events as happened
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.machine import processes
from autoresearch.machine.lock import CampaignLock
from autoresearch.ports import plugins
from autoresearch.records import finding

Word = TypeVar(
    "Word",
    happened.ApprovalGiven,
    happened.VerdictOverruled,
    happened.Steered,
    happened.Resumed,
    happened.StopRequested,
    happened.RunCancelled,
)

_VOUCHED: ContextVar[Mapping[Path, str]] = ContextVar("vouched", default=MappingProxyType({}))
_TERMINAL = Path("/dev/tty")
_MAKE_TERMINALS = frozenset(
    {"script", "expect", "unbuffer", "socat", "pexpect", "ptyprocess", "dtach", "abduco", "faketty"}
)
_LONGEST = 64
_LONGEST_PASSPHRASE = 1024


def proved(opened: Opened, word: Word, *, own: bool = False) -> Word:
    """A word with its proof in it; nothing is recorded.

    Args:
        opened: The campaign.
        word: What a person says.
        own: It is said in another name than a person's, as an agent's instruction is, which grants nothing.

    Raises:
        CampaignError: A person has to say it, and nobody proved to be one.
    """
    more = isinstance(word, happened.Resumed) and bool(word.limits)
    grants = more or isinstance(word, happened.ApprovalGiven | happened.VerdictOverruled | happened.RunCancelled)
    verb = "grant more" if more else _VERBS[type(word)]
    return word if own and not grants else replace(word, proof=prove(opened, verb, grants=grants))


def record(opened: Opened, word: Word, *, own: bool = False) -> None:
    """Prove a word and write it down; raises as `proved` does, and StorageError."""
    opened.journal.append(proved(opened, word, own=own))


def overrule(opened: Opened, index: int, verdict: str, reason: str, who: str, now: float) -> str:
    """Record another verdict than the policy's; what that does to the best so far, in words.

    Raises:
        UsageError: It is no verdict, or there is no reason.
        CampaignError: It has no verdict yet, or no person was proved to say so.
    """
    if verdict not in list(Status):
        raise UsageError(f"{verdict!r} is no verdict; choose one of: {', '.join(Status)}")
    if not reason.strip():
        raise UsageError("overruling a verdict needs a reason: --reason '...'")
    history, entry = opened.history, opened.experiment(index)
    if entry.verdict is None:
        raise CampaignError(f"experiment {index} has no verdict yet; wait for it")
    said = replace(entry.verdict, status=Status(verdict), reason=reason, by=who)
    word = happened.VerdictOverruled(now, entry.name, said, who, built_upon=verdict == Status.KEEP)
    before = history.incumbent
    record(opened, word)
    history.apply(word)
    if history.incumbent != before:
        return f"the best so far is now {history.incumbent}, it was {before}"
    if verdict != Status.KEEP or entry.name in history.lineage(before):
        return f"the best so far is {before}, as before"
    return (
        f"the best so far is {before}, as before: {entry.name} grew from {entry.parent}, and nothing merges the two by "
        f"itself; to have them tried together, propose its change once more"
    )


def flying(history: History) -> dict[str, Run]:
    """Runs that a person can have ended, by the words that mean them: `<experiment>/<number>`, as in `baseline/1`."""
    found = (run for run in history.in_flight() if run.ended is None and not run.cancelled)
    return {f"{run.planned.experiment}/{run.planned.number}": run for run in found}


def cancel(where: Path, name: str | None, words: str, reason: str = "") -> str:
    """Have one run in flight ended; what comes of it, in words.

    Its row says who cancelled it. An idea's own run is not made again, and is nobody's failure; the baseline's and
    those of merged ideas are, for others wait for them.

    Args:
        where: A folder of the repository.
        name: The campaign; None for the one worked on last.
        words: The run, as in `baseline/1` or `7/2`; the experiment alone will do where it has one in flight.
        reason: Why, for the record.

    Raises:
        CampaignError: No such run is in flight, or no person was proved to say so.
    """
    opened = open_to_act(where, name, ends=True)
    run_name, run = _meant(opened, words.strip())
    who = person()
    told = redactor(opened.paths.root).clean(f"cancelled by {who}: {reason.strip() or 'no reason given'}")
    record(opened, happened.RunCancelled(at=time.time(), run_id=run.run_id, reason=told, by=who))
    again = run.planned.experiment == BASELINE or run.planned.experiment in opened.history.bundles
    then = "it is run again, for others wait for it" if again else "it is not made again, and its idea is not blamed"
    if finding.at_work(opened.paths):
        return f"{run_name} is being ended: {then}"
    return (
        f"recorded; nobody works on {opened.paths.name}, so {run_name} is ended by the next: autoresearch run ({then})"
    )


def _meant(opened: Opened, words: str) -> tuple[str, Run]:
    there, (arm, _, number) = flying(opened.history), words.partition("/")
    arm = opened.experiment(int(arm)).name if arm.isdecimal() and arm.isascii() else arm
    meant = [(name, run) for name, run in there.items() if run.planned.experiment == arm]
    found = [one for one in meant if number in {"", str(one[1].planned.number)}]
    if len(found) != 1:
        raise CampaignError(f"which run is {words[:80]!r}? in flight: {', '.join(there) or 'none'}")
    return found[0]


_VERBS: dict[type, str] = {
    happened.ApprovalGiven: "answer for a launch",
    happened.VerdictOverruled: "overrule a verdict",
    happened.Steered: "steer",
    happened.Resumed: "resume",
    happened.StopRequested: "stop",
    happened.RunCancelled: "cancel a run",
}


def prove(opened: Opened, verb: str, *, grants: bool = True, starts: bool = False) -> str:
    """How it is known that a person speaks; empty where the campaign lets anyone.

    Args:
        opened: The campaign.
        verb: What they want to do.
        grants: It gives what nobody else may give: a launch, a verdict, a plan, more budget.
        starts: It is said with the command that starts the campaign: there only a seal is asked for.

    Raises:
        CampaignError: Nobody proved to be a person.
    """
    if known := _VOUCHED.get().get(opened.paths.journal):
        return known
    if seal := opened.campaign.approval.seal:
        return _unsealed(seal, verb, opened.paths.name)
    if starts or not _asks(opened, grants):
        return ""
    cure = (
        f"to {verb} in {opened.paths.name} takes a person at a terminal of their own: type it there; for unattended "
        "scripts plan the next campaign with: approval: {by: anyone}"
    )
    if maker := next(_own_makers(opened), ""):
        raise CampaignError(f"this terminal was made by {maker}, so nothing was recorded; {cure}")
    with _own_terminal(cure) as terminal:
        return _typed_back(terminal, verb, cure)


@contextmanager
def vouched(opened: Opened, proof: str) -> Iterator[None]:
    """Words said in the block are a person's who proved it before: their browser holds what only they were shown.

    Args:
        opened: The campaign that they proved it for.
        proof: How it was known, as `prove` has said.
    """
    before = _VOUCHED.set({opened.paths.journal: proof and f"{proof}, for a browser"})
    try:
        yield
    finally:
        _VOUCHED.reset(before)


def why_no_form(opened: Opened) -> str:
    """Why an answer in the form of an MCP client is no person's word here; empty where the campaign file lets it be.

    Any program can be a client, and a client may answer by itself: so a person says beforehand, in the plan that they
    approve at a terminal, that they trust theirs. One that the campaign itself started is never theirs.
    """
    if (by := opened.campaign.approval.by) != "client":
        return f"campaign {opened.paths.name} takes no answer from a client's form (approval: {{by: {by}}})"
    maker = next(_own_makers(opened), "")
    return f"this client was started by {maker}" if maker else ""


@contextmanager
def answered_in_form(opened: Opened, client: str) -> Iterator[None]:
    """Words said in the block were filled in by a person, in the form that their client shows.

    Args:
        opened: The campaign.
        client: What the client calls itself.

    Raises:
        CampaignError: The campaign file does not let that count.
    """
    if why := why_no_form(opened):
        raise CampaignError(f"{why}, so nothing was recorded")
    before = _VOUCHED.set({opened.paths.journal: f"code typed back in a form of the client {client!r}"})
    try:
        yield
    finally:
        _VOUCHED.reset(before)


def show_alone(text: str) -> None:
    """Show a line at the controlling terminal and nowhere else. Raises CampaignError where there is none."""
    with _own_terminal("it is shown at a terminal only") as terminal:
        os.write(terminal, f"{text}\n".encode())


@contextmanager
def _own_terminal(cure: str) -> Iterator[int]:
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise CampaignError(f"there is no terminal here to ask a person at, so nothing was recorded; {cure}") from None
    try:
        yield terminal
    finally:
        os.close(terminal)


def _asks(opened: Opened, grants: bool) -> bool:
    """Whether something is granted, agents are about, or launches wait for a person; the file may say either way."""
    approval = opened.campaign.approval
    if approval.by != "auto":
        return approval.by in {"terminal", "client"}
    waits = grants or approval.launch == "ask" or approval.ask_above_gpu_hours is not None
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


def new_seal() -> str:
    """A seal for the campaign file, of a passphrase that is typed twice at the terminal and kept nowhere.

    Raises:
        CampaignError: No terminal, nothing typed, or two different things.
    """
    cure = "a passphrase is typed at a terminal, twice the same"
    with _own_terminal(cure) as terminal:
        first = _typed_unseen(terminal, "A passphrase for whoever approves and steers: ")
        if not first or first != _typed_unseen(terminal, "The same again: "):
            raise CampaignError(f"there is no passphrase, and nothing was planned; {cure}")
    return _seal(first, secrets.token_bytes(16))


def _unsealed(seal: str, verb: str, name: str) -> str:
    cure = f"to {verb} in {name} takes the passphrase that was chosen when it was planned"
    with _own_terminal(cure) as terminal:
        typed = _typed_unseen(terminal, f"To {verb}, type the passphrase: ")
        if not hmac.compare_digest(_seal(typed, bytes.fromhex(seal.split("-")[1])), seal):
            raise CampaignError(f"that is not the passphrase, so nothing was recorded; {cure}")
        return f"passphrase typed at {os.ttyname(terminal)}"


def _seal(passphrase: bytes, salt: bytes) -> str:
    made = hashlib.scrypt(passphrase, salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)
    return f"scrypt-{salt.hex()}-{made.hex()}"


def _typed_unseen(terminal: int, prompt: str) -> bytes:
    """A line typed at a terminal that does not show it; without the white space about it."""
    before = termios.tcgetattr(terminal)
    unseen = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSAFLUSH, unseen)
    try:
        os.write(terminal, prompt.encode())
        return os.read(terminal, _LONGEST_PASSPHRASE).strip()
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        os.write(terminal, b"\n")
