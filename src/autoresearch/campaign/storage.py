"""Which site a campaign has: decided before it begins, frozen with its plan, and readied before any work on it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.config import site
from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.site import BREV, PLAIN, Site
from autoresearch.errors import StorageError
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.ports import plugins
from autoresearch.records import volume
from autoresearch.records.paths import CampaignPaths, Volume
from autoresearch.secrets import environment


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where a plan's heavy files would go.

    Attributes:
        type: `brev` or `plain`.
        why: The reason.
        files: The campaign's folder on the volume, empty without one.
        caches: The shared caches, empty without a volume.
        problem: Why the campaign could not begin, empty when it could.
        reminders: What to add to the secret store.
    """

    type: str
    why: str
    files: str = ""
    caches: str = ""
    problem: str = ""
    reminders: tuple[str, ...] = ()


def choose(campaign: CampaignConfig) -> Site:
    """The site of a campaign that has not begun."""
    spec = campaign.site
    kind = campaign.launcher.type
    ground = volume.inspect_volume(spec.checkout, spec.volume)
    return site.choose(spec, kind, ground, here=plugins.load("launchers", kind).here)


def _why(campaign: CampaignConfig) -> str:
    """Why a campaign has the site it has: what was found rather than the word that `plan` made of it."""
    found = choose(campaign.model_copy(update={"site": campaign.site.model_copy(update={"type": "auto"})}))
    chosen = choose(campaign)
    return found.why if found.type == chosen.type else chosen.why


def site_of_journal(campaign: CampaignConfig) -> SiteConfig:
    """The site as a started plan keeps it: nothing is left to be detected."""
    spec = campaign.site
    return spec.model_copy(update={"type": choose(campaign).type, "user": site.user(spec, os.environ)})


def with_site(paths: CampaignPaths, campaign: CampaignConfig) -> CampaignPaths:
    """The campaign's places, those on its volume included. A plan that leaves the site open has none."""
    spec = campaign.site
    on = Volume(Path(spec.volume), site.user(spec, os.environ)) if spec.type == BREV else None
    return replace(paths, volume=on)


def storage(campaign: CampaignConfig, root: Path, values: Mapping[str, object]) -> Storage:
    """What a plan says about its heavy files."""
    chosen = choose(campaign)
    decided = campaign.model_copy(update={"site": campaign.site.model_copy(update={"type": chosen.type})})
    paths = with_site(CampaignPaths(root, campaign.campaign), decided)
    if paths.volume is None:
        return Storage(type=PLAIN, why=_why(campaign))
    problem = volume.lacking(paths.volume, campaign.site.min_free_gb)
    told = reminders(root, values)
    return Storage(
        type=BREV,
        why=_why(campaign),
        files=str(paths.heavy),
        caches=str(paths.volume.caches),
        problem=problem,
        reminders=told,
    )


def reminders(root: Path, values: Mapping[str, object]) -> tuple[str, ...]:
    """What the secret store lacks for a recipe; names only."""
    store = environment.store(root)
    names = {*environment.read_dotenv(store), *os.environ}
    return site.reminders(values, names, str(store), exists=store.exists())


def check(paths: CampaignPaths, campaign: CampaignConfig) -> None:
    """Refuse to begin on a volume that is gone or nearly full (R190).

    Raises:
        StorageError: It is.
    """
    if paths.volume and (problem := volume.lacking(paths.volume, campaign.site.min_free_gb)):
        raise StorageError(problem)


def claim_volume(paths: CampaignPaths) -> None:
    """Make the folder on the volume a new campaign's own.

    Raises:
        CampaignError: It is another campaign's.
    """
    volume.claim(paths, fresh=True)


@contextmanager
def site_ready(paths: CampaignPaths) -> Iterator[None]:
    """Work on a begun campaign with its volume checked and the secret store exported; without a volume, just work.

    Raises:
        CampaignError: The folder on the volume is another campaign's.
        StorageError: The volume is gone.
    """
    if paths.volume is None:
        yield
        return
    if problem := volume.lacking(paths.volume, 0):
        raise StorageError(problem)
    volume.claim(paths, fresh=False)
    with environment.export_secrets(environment.store(paths.root)):
        yield


def why_no_log(paths: CampaignPaths, entry: Experiment, runs: Sequence[Run], log: Path) -> str:
    """Why there is no log where the newest of an experiment's runs should have one, and what is left of it."""
    if paths.volume and runs and runs[-1].ended:
        kept = paths.experiment(entry.name)
        return f"the log of experiment {entry.index} is gone with the files on {paths.volume.root} ({log}); see {kept}"
    return f"experiment {entry.index} has no log yet ({log})"
