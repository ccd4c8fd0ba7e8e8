"""Notices to a phone or a chat, by Apprise: what a person would want to be woken for, and little else.

Where to is read from the environment, never from the campaign file: such addresses hold keys. A notice that went out is
noted in a file, so that a resumed campaign sends none twice; when too many come at once the rest is counted, and told
with the next.
"""

import os
from collections import deque
from hashlib import sha256
from statistics import fmean
from typing import Any, ClassVar

from pydantic import Field

from autoresearch.errors import CampaignError
from autoresearch.experiment import events as happened
from autoresearch.experiment.attendance import ResearcherOut
from autoresearch.experiment.events import Event
from autoresearch.experiment.outcome import BASELINE, CALLS, Purpose
from autoresearch.trackers.options import TrackerOptions

_HOUR_S = 3600.0
_LONGEST = 1000


class NoticesOptions(TrackerOptions):
    """Options of notices. Addresses come from the environment, never from here."""

    tracker: ClassVar[str] = "notices"
    package: ClassVar[str | None] = "apprise"

    addresses: str = "AUTORESEARCH_NOTICES"
    """The variable with one or more Apprise addresses, separated by spaces."""

    most_per_hour: int = Field(default=12, ge=1, le=1000)
    """Notices in an hour of the campaign; what waits for a person and the end always go out."""


class NoticesTracker:
    """Sends notices. Options are described in `NoticesOptions`."""

    name = "notices"

    def __init__(self, *, options: dict[str, Any]) -> None:
        self.options = NoticesOptions.parse(options)
        self._campaign, self._metric, self._best = "", "", BASELINE
        self._titles: dict[str, str] = {BASELINE: "the baseline"}
        self._planned: dict[str, happened.RunPlanned] = {}
        self._fresh: dict[str, dict[int, float]] = {}
        self._sent: deque[float] = deque()
        self._left_out = 0

    def call(self, campaign: str, text: str) -> None:
        """Send a line that no event stands for. Raises CampaignError as `tell` does."""
        self._campaign = campaign
        self._send(text[:_LONGEST])

    def recall(self, event: Event) -> None:
        """Take in what was told before."""
        self._notice(event)

    def tell(self, event: Event) -> None:
        """Send a notice where the event is worth one.

        Raises:
            CampaignError: There is no address, or none could be reached; the event comes again later.
        """
        if (said := self._notice(event)) is None:
            return
        text, urgent = said
        mark = f"{event.at!r} {sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}"
        if mark in self._marks():
            return
        if not urgent and self._too_many(event.at):
            self._left_out += 1
            return
        more = f" ({self._left_out} more notices were left out)" if self._left_out else ""
        self._send(f"{text[:_LONGEST]}{more}")
        self._left_out = 0
        self._sent.append(event.at)
        self._mark(mark)

    def _notice(self, event: Event) -> tuple[str, bool] | None:
        """What to say of an event, and whether it is said however much was said before."""
        match event:
            case happened.CampaignStarted():
                self._campaign = event.campaign
                self._metric = event.objective.metric if event.objective else "value"
            case happened.ExperimentCommitted():
                self._titles[event.name] = f"#{event.index} {event.hypothesis.title}"
            case happened.RunPlanned():
                self._planned[event.run_id] = event
            case happened.ExperimentJudged() if event.incumbent:
                self._best = event.incumbent
            case happened.IncumbentDemoted():
                self._best = event.incumbent
                return f"{self._titles.get(event.name, event.name)} is no longer the best: {event.reason}", False
            case happened.RunMeasured():
                return self._confirmed(event)
            case happened.ApprovalAsked():
                return f"waits for you: {event.question}; autoresearch approve {event.request}", True
            case happened.Noted() if CALLS in event.details:
                return event.text, False
            case ResearcherOut():
                return f"researcher {event.researcher} has fallen out: {event.reason}", False
            case happened.CampaignEnded():
                best = f"best: {self._titles.get(self._best, '')} ({self._best}){self._proof()}"
                kept = best if self._best != BASELINE else "nothing was kept over the baseline"
                return f"done: {event.reason}; {kept}", True
            case _:
                pass
        return None

    def _confirmed(self, event: happened.RunMeasured) -> tuple[str, bool] | None:
        """The first number of the best on a fresh seed, which had no part in choosing it."""
        planned, value = self._planned.pop(event.run_id, None), event.measurement.value
        if planned is None or planned.purpose is not Purpose.CONFIRM or value is None:
            return None
        arm = planned.experiment
        fresh = self._fresh.setdefault(arm, {})
        fresh[planned.seed] = value
        if arm == BASELINE or arm != self._best or len(fresh) > 1:
            return None
        named = self._titles.get(arm, arm)
        return f"the best, {named}, gave {self._metric} {value:.4g} on its first fresh seed", False

    def _proof(self) -> str:
        """What the best and the baseline gave on the fresh seeds that both ran; empty where there is none."""
        best, base = self._fresh.get(self._best, {}), self._fresh.get(BASELINE, {})
        common = [seed for seed in best if seed in base and self._best != BASELINE]
        if not common:
            return ""
        ours, theirs = fmean(best[seed] for seed in common), fmean(base[seed] for seed in common)
        seeds = f"{len(common)} fresh seed{'s' * (len(common) > 1)}"
        return f"; {self._metric} {ours:.4g} on {seeds}, the baseline {theirs:.4g}"

    def _too_many(self, now: float) -> bool:
        while self._sent and self._sent[0] <= now - _HOUR_S:
            self._sent.popleft()
        return len(self._sent) >= self.options.most_per_hour

    def _send(self, text: str) -> None:
        import apprise  # noqa: PLC0415 - an optional package, and slow to load

        variable = self.options.addresses
        told = apprise.Apprise()
        wrong = [number for number, one in enumerate(os.environ.get(variable, "").split(), 1) if not told.add(one)]
        if wrong or not len(told):
            why = f"address {wrong[0]} in {variable} is none that Apprise knows" if wrong else f"{variable} is not set"
            raise CampaignError(f"{why}; see https://github.com/caronc/apprise/wiki for what addresses look like")
        plot = self.options.folder.parent.parent / "progress.png"
        attached = str(plot) if text.startswith("done: ") and plot.is_file() else None
        if not told.notify(title=f"autoresearch {self._campaign}", body=text, attach=attached):
            raise CampaignError(f"a notice could not be sent to every address in {variable}")

    def _marks(self) -> set[str]:
        try:
            return set((self.options.folder / "sent").read_text("utf-8").splitlines())
        except FileNotFoundError:
            return set()

    def _mark(self, mark: str) -> None:
        self.options.folder.mkdir(parents=True, exist_ok=True)
        with (self.options.folder / "sent").open("a", encoding="utf-8") as marks:
            marks.write(f"{mark}\n")
