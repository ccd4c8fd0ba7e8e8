"""The volume for heavy files: which campaign has one, is it there, is it ours, what a run finds on it.

The site is decided before a campaign begins, frozen with its plan, and readied before any work on it. Nothing outside
the campaign's own folder is ever removed: not the shared caches, not another campaign's folder, not another user's
(R210, R211).
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.config import site
from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.site import BREV, PLAIN, Ground, Site
from autoresearch.errors import CampaignError, StorageError
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.machine import disk
from autoresearch.machine.disk import delete
from autoresearch.ports import plugins
from autoresearch.ports.target import Survey
from autoresearch.records.paths import BESIDE, KEPT, KINDS, CampaignPaths, Volume, short
from autoresearch.run.placement import Saves, room
from autoresearch.secrets import environment
from autoresearch.supervision import run_folder

_SMALL = 1 << 20
"""Bytes below which a file of a run is kept in the repository as well."""

_MOST = 4 * _SMALL
"""Bytes kept of one run in all, smallest files first."""


def inspect_volume(checkout: str, volume: str) -> Ground:
    """What is there of a Brev machine."""
    home, disk_ = Path(checkout), Path(volume)
    try:
        there = disk_.is_dir()
        apart = there and home.is_dir() and home.stat().st_dev != disk_.stat().st_dev
        return Ground((home / ".git").exists(), there, apart)
    except OSError:
        return Ground()


def lacking(volume: Volume, least_gb: float, free_gb: Callable[[Path], float] = disk.free_gb) -> str:
    """Why nothing can be begun on a volume, empty when there is room (R190, R208)."""
    if not volume.root.is_dir():
        return f"the volume {volume.root} is gone: mount it again, or bring the files back to where they were"
    free = free_gb(volume.own)
    if free >= least_gb:
        return ""
    return (
        f"the volume {volume.root} has {free:.2f} GB free and site.min_free_gb asks for {least_gb:g}: free some space"
    )


def claim(paths: CampaignPaths, *, fresh: bool) -> None:
    """Make the campaign's folder on the volume ours, and leave a pointer to it in the repository (R203, R204).

    Args:
        paths: Where the campaign's things lie.
        fresh: Whether the campaign has not begun. Then nothing may be there: runs of an earlier campaign of the same
            name would be taken for its own.

    Raises:
        CampaignError: The folder is another campaign's.
        StorageError: The volume takes no more.
    """
    if paths.volume is None:
        return
    ours = {"campaign": paths.name, "repository": str(paths.root)}
    with disk.storage(paths.heavy, "make"):
        paths.heavy.mkdir(parents=True, exist_ok=True)
        run_folder.create(paths.claim, ours)
        others = [entry.name for entry in paths.heavy.iterdir() if entry != paths.claim]
    found = run_folder.read(paths.claim)
    if found != ours or (fresh and others):
        owner = (found or {}).get("repository", "somebody unknown")
        raise CampaignError(
            f"{paths.heavy} holds files of another campaign {paths.name!r} (of {owner}); give this one another name: "
            f"its folder's and under `campaign:` in {paths.campaign_file}"
        )
    assert paths.volume is not None  # noqa: S101 - for the type checker, as above
    pointer = ours | {"files": str(paths.heavy), "caches": str(paths.volume.caches)}
    disk.replace(paths.pointer, json.dumps(pointer, indent=2) + "\n")


def prepare(paths: CampaignPaths, experiment: str, number: int) -> None:
    """Make everything that a run's variables lead to.

    Raises:
        StorageError: The volume takes no more, or a name in /tmp belongs to somebody else.
    """
    if paths.volume is None:
        return
    run, home = paths.run(experiment, number), paths.heavy / experiment
    with disk.storage(run, "make"):
        for folder in dict.fromkeys(paths.volume.cache_variables.values()):
            Path(folder).mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            entry = paths.kind(experiment, kind, number)
            entry.parent.mkdir(parents=True, exist_ok=True)
            if kind in BESIDE:
                entry.mkdir(exist_ok=True)
                continue
            (run / kind).mkdir(parents=True, exist_ok=True)
            lead(entry, Path("..", run.name, kind))
        _shorten(home)


def lead(link: Path, target: Path) -> None:
    """Let a symbolic link lead to `target`, wherever it led before.

    Raises:
        StorageError: The disk takes no more.
    """
    with disk.storage(link, "make"):
        if link.is_symlink() and link.readlink() == target:
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        aside = link.with_name(f".{link.name}.new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(target)
        aside.replace(link)


def _shorten(home: Path) -> None:
    link = short(home)
    try:
        link.symlink_to(home)
    except FileExistsError:
        # /tmp is everybody's, and the name can be guessed.
        if not link.is_symlink() or link.readlink() != home:
            raise StorageError(f"{link} is not the link to {home} that runs need; remove it and go on") from None


def keep(paths: CampaignPaths, experiment: str, number: int) -> None:
    """Copy the small files at the top of a run's folder into the repository, so that they outlive the volume (R212).

    Raises:
        StorageError: The volume cannot be read, or the repository's disk takes no more.
    """
    run, kept = paths.run(experiment, number), paths.evidence(experiment, number)
    if paths.volume is None or not run.is_dir():
        return
    room = _MOST
    with disk.storage(run, "read"):
        found = sorted((file.stat().st_size, file) for file in run.iterdir() if _plain(file))
        for size, file in found:
            room -= size
            if size >= _SMALL or room < 0:
                return
            disk.replace(kept / file.name, file.read_bytes())


def _plain(file: Path) -> bool:
    """Whether it is a file of the run, and not called like one that we keep of every run."""
    return file.is_file() and not file.is_symlink() and not file.name.startswith(".") and file.name not in KEPT


def volume_was_lost(paths: CampaignPaths, runs: Sequence[Path]) -> str:
    """How many of these runs' folders a wiped volume has taken along, in words; empty when none or without a volume."""
    gone = sum(not run.exists() for run in runs) if paths.volume else 0
    if not gone or paths.volume is None:
        return ""
    return (
        f"the files of {gone} of {len(runs)} runs on {paths.volume.root} are gone (logs, checkpoints, artifacts); "
        f"commits, commands, environments and measurements are kept in the repository"
    )


def release(paths: CampaignPaths, experiment: str, number: int, *, well: bool, idle: bool) -> None:
    """Take away what a run that has ended needs no more: its temporary files if it ended well, and the short link.

    Args:
        paths: Where the campaign's things lie.
        experiment: The experiment.
        number: The run in it.
        well: Whether it ended well; otherwise its temporary files may explain why, and stay.
        idle: Whether no other run of the experiment is in flight.
    """
    if paths.volume is None:
        return
    for kind in ("ray", "tmp") if well else ():
        _remove(paths, paths.kind(experiment, kind, number))
    link = short(paths.heavy / experiment)
    with suppress(OSError):
        if idle and link.readlink() == paths.heavy / experiment:
            link.unlink()


def _remove(paths: CampaignPaths, folder: Path) -> None:
    """Delete a folder, if it really lies in the campaign's own."""
    # A container may have left files in it that only root can remove; they are temporary, and the work goes on.
    with suppress(OSError):
        if folder.parent.resolve().is_relative_to(paths.heavy.resolve()):
            delete(folder)


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where a plan's heavy files would go.

    Attributes:
        type: `brev` or `plain`.
        why: The reason.
        files: The campaign's folder on the volume, empty without one.
        caches: The shared caches, empty without a volume.
        reminders: What to add to the secret store.
        saves: What runs save, and what of it is kept, in words; empty where that is not known.
        doubts: Why there may be too little room, for it or at all.
    """

    type: str
    why: str
    files: str = ""
    caches: str = ""
    reminders: tuple[str, ...] = ()
    saves: str = ""
    doubts: tuple[str, ...] = ()


def choose(campaign: CampaignConfig) -> Site:
    """The site of a campaign that has not begun."""
    spec = campaign.site
    kind = campaign.launcher.type
    ground = inspect_volume(spec.checkout, spec.volume)
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


def storage(campaign: CampaignConfig, root: Path, survey: Survey, baseline_runs: int) -> Storage:
    """What a plan says about its heavy files.

    Args:
        campaign: The plan.
        root: The repository.
        survey: What its target says.
        baseline_runs: How many runs its baseline has.
    """
    chosen = choose(campaign)
    decided = campaign.model_copy(update={"site": campaign.site.model_copy(update={"type": chosen.type})})
    paths = with_site(CampaignPaths(root, campaign.campaign), decided)
    told, doubt = _saved(campaign, survey.saves, baseline_runs, paths)
    if paths.volume is None:
        return Storage(type=PLAIN, why=_why(campaign), saves=told, doubts=doubt)
    full = lacking(paths.volume, campaign.site.min_free_gb)
    return Storage(
        type=BREV,
        why=_why(campaign),
        files=str(paths.heavy),
        caches=str(paths.volume.caches),
        reminders=reminders(root, survey.facts.values),
        saves=told,
        doubts=(*doubt, *((f"the campaign would not begin: {full}",) if full else ())),
    )


def _saved(
    campaign: CampaignConfig, saves: Saves | None, baseline_runs: int, paths: CampaignPaths
) -> tuple[str, tuple[str, ...]]:
    """What runs save, in words, and why there may be too little room for it."""
    if saves is None:
        return "", ()
    free, kept = disk.free_gb(paths.heavy), campaign.run.checkpoints == "kept"
    need = saves.needed_gb(campaign.launcher.parallel, baseline_runs)
    told = saves.told(need, free, kept=kept)
    if problem := saves.too_large(campaign.run.min_free_gb, free):
        return told, (f"`run` will refuse to begin: {problem}",)
    if free >= need:
        return told, ()
    waits = f"the baseline's checkpoints and those of runs in flight take about {room(need)}"
    return told, (f"{waits}, and {room(free)} are free: new runs would wait for room",)


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
    if paths.volume and (problem := lacking(paths.volume, campaign.site.min_free_gb)):
        raise StorageError(problem)


def check_room(paths: CampaignPaths, campaign: CampaignConfig, survey: Survey) -> None:
    """Refuse to begin where no run would have room for its checkpoints.

    Raises:
        StorageError: It would not.
    """
    least, free = campaign.run.min_free_gb, disk.free_gb(paths.heavy)
    if survey.saves and (problem := survey.saves.too_large(least, free)):
        raise StorageError(f"{problem}; nothing was begun")


def forget(paths: CampaignPaths, experiment: str, heavy: Iterable[Path]) -> float:
    """Delete what an experiment's runs saved, and return how much that was in GB; what lies elsewhere is left alone.

    Args:
        paths: The campaign's places.
        experiment: Whose runs.
        heavy: Files and folders in their folders.
    """
    gone = 0
    for place, size in _ours(paths, experiment, heavy):
        with suppress(OSError):
            delete(place) if place.is_dir() and not place.is_symlink() else place.unlink()
            gone += size
    return gone / 1e9


def forgettable(paths: CampaignPaths, experiment: str, heavy: Iterable[Path]) -> float:
    """How much `forget` would delete, in GB."""
    return sum(size for _, size in _ours(paths, experiment, heavy)) / 1e9


def _ours(paths: CampaignPaths, experiment: str, heavy: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    own = (paths.heavy / experiment).resolve()
    for place in heavy:
        with suppress(OSError):
            if not place.parent.resolve().is_relative_to(own):
                continue
            yield place, disk.size(place)


def claim_volume(paths: CampaignPaths) -> None:
    """Make the folder on the volume a new campaign's own.

    Raises:
        CampaignError: It is another campaign's.
    """
    claim(paths, fresh=True)


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
    if problem := lacking(paths.volume, 0):
        raise StorageError(problem)
    claim(paths, fresh=False)
    with environment.export_secrets(environment.store(paths.root)):
        yield


def why_no_log(paths: CampaignPaths, entry: Experiment, runs: Sequence[Run], log: Path) -> str:
    """Why there is no log where the newest of an experiment's runs should have one, and what is left of it."""
    if paths.volume and runs and runs[-1].ended:
        kept = paths.experiment(entry.name)
        return f"the log of experiment {entry.index} is gone with the files on {paths.volume.root} ({log}); see {kept}"
    if runs and runs[-1].ended:
        return f"the log of experiment {entry.index} is gone: somebody removed it ({log})"
    return f"experiment {entry.index} has no log yet ({log})"
