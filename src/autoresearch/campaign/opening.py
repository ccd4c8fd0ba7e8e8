"""Opens a campaign: its files, read. What works on one is made by `beginning`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.campaign.plan import as_noted, corrected
from autoresearch.config import campaign_file
from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.errors import CampaignError
from autoresearch.experiment.events import Event, Noted
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History, fold
from autoresearch.git import refs
from autoresearch.machine import disk
from autoresearch.records import finding, mirror, volume
from autoresearch.records.journal import Journal
from autoresearch.records.paths import EXCLUDED, CampaignPaths
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor


@dataclass(frozen=True)
class Opened:
    """A campaign's files, read; nothing is held and nothing is written.

    Attributes:
        paths: Where its things lie.
        campaign: Its file; the frozen one once it has started.
        journal: Its events.
        history: Their replay.
        heard: Bytes of the journal that `history` has taken in.
    """

    paths: CampaignPaths
    campaign: CampaignConfig
    journal: Journal
    history: History
    heard: int

    @property
    def limits(self) -> StopLimits | None:
        """The stop rule in absolute values, None before the start."""
        return StopLimits.load(self.history.limits) if self.history.started else None

    def experiment(self, index: int) -> Experiment:
        """One attempt.

        Raises:
            CampaignError: There is none of that number; the text says which there are.
        """
        found = self.history.experiments.get(index)
        if found is None:
            most = max(self.history.experiments, default=0)
            there = (f"it has 1 to {most}" if most > 1 else "it has only 1") if most else "it has none yet"
            raise CampaignError(f"there is no experiment {index} in {self.paths.name}; {there}")
        return found


def open_campaign(
    where: Path, name: str | None = None, hear: Callable[[Sequence[Event]], None] = lambda _: None
) -> Opened:
    """Read a campaign; without a name the one worked on last.

    Args:
        where: A directory of the repository.
        name: The campaign's name.
        hear: Told the events of its journal, which takes long to read a second time.

    Raises:
        CampaignError: There is none, or none of that name, or its file was edited after it had started.
        LedgerError: Its journal is damaged.
    """
    paths = finding.find(where, name)
    journal = Journal(paths.journal)
    events, heard = journal.tail(0)
    history = fold(events)
    campaign = _frozen(history, paths)
    hear(events)
    return Opened(volume.with_site(paths, campaign), as_begun(history, campaign), journal, history, heard)


def open_to_act(where: Path, name: str | None = None, *, ends: bool = False) -> Opened:
    """Read a campaign for somebody who is about to write into its journal.

    Args:
        where: A directory of the repository.
        name: The campaign's name.
        ends: They only end something, or have it rest: whoever is at work is told of that at any time.

    Raises:
        LedgerError: Its journal is damaged, rewritten or an older one: what a person says of it would be said of
            something else than what happened. The message says what brings back what it lacks.
        CampaignError: As for `open_campaign`.
    """
    opened = open_campaign(where, name)
    if not (ends and finding.at_work(opened.paths)):
        mirror.refuse_doubted(opened.paths)
    return opened


def bring_back(where: Path, name: str | None) -> None:
    """Write a campaign's files anew from their copy in git, where somebody removed them."""
    place = finding.find_layout(where)
    known = finding.names(place)
    lost = (
        name
        if name is not None and name not in known
        else None
        if known
        else next(iter(mirror.names(place.root)), None)
    )
    if lost and mirror.restore(place.campaign(lost)):
        refs.exclude(place.root, EXCLUDED)
        told = "the files of this campaign were gone and were written anew from their copy in git; logs are gone"
        paths = place.campaign(lost)
        since = mirror.unknown(disk.read(paths.journal), mirror.witnesses(paths))
        told += f"; so is what the journal knew of {mirror.listed(tuple(since.values()))}" if since else ""
        Journal(paths.journal).append(Noted(at=time.time(), text=told, details=since))


def _frozen(history: History, paths: CampaignPaths) -> CampaignConfig:
    """The campaign file, or once it has begun the plan in the journal, which the file may not contradict."""
    if history.started is None:
        mirror.refuse_lost(paths)
        written = campaign_file.read(paths.campaign_file)
        if written.campaign != paths.name:
            raise CampaignError(
                f"{paths.campaign_file} calls itself {written.campaign!r}; rename the folder or the campaign"
            )
        return written
    frozen = CampaignConfig.of(dict(history.started.plan), f"journal of {paths.name}")
    if not paths.campaign_file.exists():
        return as_noted(history, frozen)
    written = campaign_file.read(paths.campaign_file)
    priced = {"usd_per_gpu_hour": written.usd_per_gpu_hour}  # what it measures is none the less what was approved
    frozen = corrected(history, frozen, written).model_copy(update=priced)
    if written.model_copy(update={"base": frozen.base, "site": _site_as(written, frozen)}) != frozen:
        raise CampaignError(
            f"{paths.campaign_file} was edited after the campaign had started, and a started plan is frozen; undo the "
            f"edit (the journal's first line holds the plan), or start a new campaign with: autoresearch plan"
        )
    return frozen


def as_begun(history: History, campaign: CampaignConfig) -> CampaignConfig:
    """A direction that was found when the campaign began stays, whatever would be found today."""
    objective = history.started.objective if history.started else None
    if objective is None or campaign.objective.direction != "auto":
        return campaign
    pinned = campaign.objective.model_copy(update={"direction": objective.direction.value})
    return campaign.model_copy(update={"objective": pinned})


def _site_as(written: CampaignConfig, frozen: CampaignConfig) -> SiteConfig:
    """The written site with what `begin_campaign` found out for it."""
    found = {"user": written.site.user or frozen.site.user}
    if written.site.type == "auto":
        found["type"] = frozen.site.type
    return written.site.model_copy(update=found)


def redactor(root: Path) -> Redactor:
    """Knows the secrets of this environment and of the repository's `.env`."""
    return environment.of_repository(root)
