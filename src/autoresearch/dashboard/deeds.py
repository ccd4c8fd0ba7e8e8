"""What a person may ask for from the browser, of one campaign; granted at the terminal where it was started.

Each is a verb of the campaign, with its refusals, and is written down with how it is known that a person said it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autoresearch.campaign import consent, opening
from autoresearch.campaign.afterwards import result
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import CampaignStatus
from autoresearch.dashboard.forms import Deeds
from autoresearch.errors import CampaignError, UsageError

VERBS = ("answer", "steer", "pause", "resume", "stop", "stop-now", "extend", "overrule", "cancel")
_LONGEST = 2000


@dataclass(frozen=True)
class Grant:
    """That a person, proved at the start, may act on a campaign from the browser.

    Attributes:
        campaign: The campaign.
        proof: How it is known that a person is there; empty where the campaign lets anyone.
    """

    campaign: Campaign
    proof: str

    def offered(self, status: CampaignStatus) -> Deeds:
        """What may be asked for now."""
        if status.campaign != self.campaign.name or status.state == "planned":
            return Deeds(allowed=False)
        history = opening.open_campaign(self.campaign.where, self.campaign.name).history
        asked = [(key, ask.question) for key, ask in history.approvals.items() if key not in history.answers]
        flying = tuple(consent.flying(history))
        return Deeds(allowed=True, requests=tuple(asked), working=bool(status.controller), flying=flying)

    def do(self, verb: str, said: Mapping[str, str]) -> str:
        """Carry out one verb; what came of it, in words.

        Raises:
            AutoresearchError: It is refused, as at the command line.
        """
        text = said.get("text", "").strip()
        if len(text) > _LONGEST:
            raise UsageError(f"that is longer than {_LONGEST} characters, so nothing was recorded")
        opened = opening.open_campaign(self.campaign.where, self.campaign.name)
        with consent.vouched(opened, self.proof):
            return self._carried_out(verb, text, said)

    def _carried_out(self, verb: str, text: str, said: Mapping[str, str]) -> str:
        match verb:
            case "answer":
                granted = said.get("granted") == "yes"
                request = self.campaign.answer(said.get("request"), granted=granted, reason=text)
                return f"{'approved' if granted else 'denied'} {request}"
            case "steer":
                return f"{self.campaign.steer(text)}: {text}"
            case "pause":
                return self.campaign.pause(text)
            case "resume":
                self.campaign.resume()
                return (
                    "resumed" if self.campaign.status().controller else "resumed; start a controller: autoresearch run"
                )
            case "extend":
                return result.extend(self.campaign, text).sentence
            case "overrule":
                index, word = said.get("index", ""), said.get("verdict", "")
                if not re.fullmatch("[0-9]{1,9}", index):
                    raise UsageError(f"{index!r} is no number of an experiment, so nothing was recorded")
                then = self.campaign.overrule(int(index), word, reason=text)
                return f"recorded: experiment {index} is {word} by your word: {text}; {then}"
            case "cancel":
                return consent.cancel(self.campaign.where, self.campaign.name, said.get("run", ""), text)
            case "stop" | "stop-now":
                return self._stopped(text, now=verb == "stop-now")
            case _:
                raise UsageError(f"{verb!r} cannot be asked for here; what can: {', '.join(VERBS)}")

    def _stopped(self, text: str, *, now: bool) -> str:
        if not self.campaign.status().controller:
            raise CampaignError(
                "nobody works on this campaign, so there is nothing to stop from here; runs that go on by themselves "
                "are ended at a terminal with: autoresearch stop --now"
            )
        return self.campaign.stop(text, now=now)


def grant(campaign: Campaign) -> Grant:
    """Ask the person at this terminal to prove that they are one, if the campaign wants that.

    Raises:
        CampaignError: It wants that, and nobody proved it.
    """
    campaign.bound()
    opened = opening.open_campaign(campaign.where, campaign.name)
    return Grant(campaign, consent.prove(opened, "act on it from a browser"))
