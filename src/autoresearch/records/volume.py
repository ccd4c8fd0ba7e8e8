"""A volume for heavy files: is it there, is it ours, what a run finds on it, and what is taken away again.

Nothing outside the campaign's own folder is ever removed: not the shared caches, not another campaign's folder, not
another user's (R210, R211).
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from autoresearch.config.site import Ground
from autoresearch.errors import CampaignError, StorageError
from autoresearch.machine import atomic, disk
from autoresearch.machine.disk import delete
from autoresearch.records.paths import BESIDE, KEPT, KINDS, CampaignPaths, Volume, short
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
    with atomic.storage(paths.heavy, "make"):
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
    atomic.replace(paths.pointer, json.dumps(pointer, indent=2) + "\n")


def prepare(paths: CampaignPaths, experiment: str, number: int) -> None:
    """Make everything that a run's variables lead to.

    Raises:
        StorageError: The volume takes no more, or a name in /tmp belongs to somebody else.
    """
    if paths.volume is None:
        return
    run, home = paths.run(experiment, number), paths.heavy / experiment
    with atomic.storage(run, "make"):
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
    with atomic.storage(link, "make"):
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
    with atomic.storage(run, "read"):
        found = sorted((file.stat().st_size, file) for file in run.iterdir() if _plain(file))
        for size, file in found:
            room -= size
            if size >= _SMALL or room < 0:
                return
            atomic.replace(kept / file.name, file.read_bytes())


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
