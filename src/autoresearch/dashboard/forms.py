"""What may be asked for from the browser, as forms: each is a verb of the campaign, and none is a GET that changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from autoresearch.campaign.status import CampaignStatus
from autoresearch.report.plain_text import safe


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What may be done from the browser.

    Attributes:
        allowed: Whether anything may.
        requests: Names of the launches that wait for an answer, with their questions.
        working: Whether a controller is at work.
        flying: Names of the runs that can be cancelled.
    """

    allowed: bool
    requests: tuple[tuple[str, str], ...] = ()
    working: bool = False
    flying: tuple[str, ...] = ()


def home(campaign: str) -> str:
    """Where a campaign's page is."""
    return f"/campaigns/{quote(campaign, safe='')}"


def answers(there: str, deeds: Deeds) -> str:
    """For the launches that wait."""
    if not deeds.allowed:
        return ""
    return "".join(
        f'<form method="post" action="{there}/deeds/answer"><p>{safe(question)} '
        f'<input type="hidden" name="request" value="{safe(request)}">'
        f'<button name="granted" value="yes">approve {safe(request)}</button> '
        '<button name="granted" value="no">deny</button></p></form>'
        for request, question in deeds.requests
    )


def acting(there: str, deeds: Deeds, status: CampaignStatus) -> str:
    """Forms for what a person may ask for now."""
    if not deeds.allowed:
        return ""
    steer = _form(there, "steer", "steer", "what the next proposals should take into account")
    pause, resume = _form(there, "pause", "pause", ""), _form(there, "resume", "resume", "")
    halt = _form(there, "stop", "stop after the runs in flight", "") + _form(there, "stop-now", "stop now", "")
    more = _form(there, "extend", "grant more", "20 more experiments, or 4 hours more")
    found = [steer, resume if status.state in {"paused", "stopping", "stopped"} else pause if deeds.working else ""]
    one = _cancelling(there, deeds.flying) if deeds.flying else ""
    return f"<h2>Act</h2>{''.join([*found, one, halt if deeds.working else '', more])}"


def _cancelling(there: str, flying: Iterable[str]) -> str:
    options = "".join(f"<option>{safe(name)}</option>" for name in flying)
    return (
        f'<form method="post" action="{there}/deeds/cancel"><select name="run" aria-label="the run to end">{options}'
        '</select> <input name="text" required maxlength="2000" aria-label="why this run is ended" '
        'placeholder="why; its row will say so"> <button>cancel this run</button></form>'
    )


def _form(there: str, verb: str, label: str, asks: str) -> str:
    words = f'<input name="text" required maxlength="2000" aria-label="{asks}" placeholder="{asks}"> ' if asks else ""
    return f'<form method="post" action="{there}/deeds/{verb}">{words}<button>{label}</button></form>'


def choice(there: str) -> str:
    """For what is to be compared."""
    asks = "two to five numbers, as in: 3 5 8"
    return (
        f'<form method="get" action="{there}/compare"><input name="numbers" required maxlength="40" '
        f'aria-label="{asks}" placeholder="{asks}"> <button>compare</button></form>'
    )


def overruling(there: str, index: int, status: str) -> str:
    """For another verdict on an experiment."""
    options = "".join(f"<option>{word}</option>" for word in ("keep", "discard", "crash") if word != status)
    return (
        f'<h2>Overrule</h2><form method="post" action="{there}/deeds/overrule">'
        f'<input type="hidden" name="index" value="{index}">'
        f'<select name="verdict" aria-label="the verdict that you give">{options}</select> '
        '<input name="text" required maxlength="2000" aria-label="why" placeholder="why; it is recorded as yours"> '
        "<button>overrule</button></form>"
    )
