"""What a person takes home of a campaign: all of it told to a tracker, or in one file what reproduces a claim."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.campaign import opening, tracking
from autoresearch.campaign.campaign import Campaign
from autoresearch.errors import CampaignError, UsageError
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import refs
from autoresearch.machine import disk
from autoresearch.records import mirror, notes


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A campaign that was told to a tracker.

    Attributes:
        campaign: Its name.
        tracker: The tracker.
        events: How many events it was told.
        folder: Where the tracker keeps files of its own.
    """

    campaign: str
    tracker: str
    events: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """What reproduces a claim, in one file.

    Attributes:
        file: A git bundle.
        megabytes: How large it is.
        index: Number of the experiment whose claim it is.
        branches: The branches in it: the baseline, the claim's, and those it is made of.
        commands: What to type where it was brought, in a new folder.
    """

    file: Path
    megabytes: float
    index: int
    branches: tuple[str, ...]
    commands: tuple[str, ...]


def tell(campaign: Campaign, kind: str, options: Mapping[str, Any]) -> Exported:
    """Tell a tracker a whole campaign, whatever its file says of trackers; what it was told before is shown once.

    Args:
        campaign: The campaign.
        kind: Name of the tracker.
        options: Its options; those that the campaign file has for it stand where they are left out.

    Raises:
        CampaignError: The tracker cannot be had, or cannot be told.
    """
    opened = opening.open_campaign(campaign.where, campaign.name)
    told, folder = tracking.tell_all(opened.campaign, opened.paths, kind, options)
    return Exported(campaign=opened.paths.name, tracker=kind, events=told, folder=folder)


def bundle(campaign: Campaign, file: Path, index: int | None = None) -> Bundled:
    """Write a git bundle with what reproduces a claim: branches with their history, records, and what runs ran in.

    Args:
        campaign: The campaign.
        file: The file to write; one that is there is not replaced.
        index: Number of the experiment; None for the last change of the best.

    Raises:
        CampaignError: Nothing was kept, the experiment has no commit, or the file is there.
    """
    opened = opening.open_campaign(campaign.where, campaign.name)
    history, paths = opened.history, opened.paths
    if file.exists():
        raise CampaignError(f"{file} is there already; give the bundle another name")
    arm, number = _claimed(opened, index)
    arms = tuple(dict.fromkeys((BASELINE, *history.lineage(arm), arm)))
    branches = tuple(f"refs/heads/{history.arm_branch(one)}" for one in arms)
    opened.journal.settle()
    mirror.save(paths)
    kept = {run.run_id: disk.read(paths.environment(one, run.planned.number)) for one, run in _runs(history, arms)}
    copied = mirror.keep_evidence(paths, {run_id: content for run_id, content in kept.items() if content})
    others = (f"{mirror.REFS}{paths.name}", copied, *((notes.REF,) if refs.known(paths.root, notes.REF) else ()))
    refs.bundle(paths.root, file.absolute(), (*branches, *others))
    branch = branches[-1].removeprefix("refs/heads/")
    return Bundled(
        file=file,
        megabytes=file.stat().st_size / 1e6,
        index=number,
        branches=tuple(one.removeprefix("refs/heads/") for one in branches),
        commands=(
            "git init -q again && cd again",
            f"git fetch -q {shlex.quote(str(file.absolute()))} 'refs/*:refs/*'",
            f"git checkout -q --detach {branch}",
            f"autoresearch ledger rebuild --campaign {paths.name}",
            f"autoresearch reproduce {number} --campaign {paths.name}",
        ),
    )


def _claimed(opened: opening.Opened, index: int | None) -> tuple[str, int]:
    """The arm that the claim is of, and the number of the experiment to make again."""
    history = opened.history
    if index is not None:
        entry = opened.experiment(index)
        if not entry.commit:
            raise CampaignError(f"experiment {index} has no commit, so nothing of it can be made again")
        return entry.name, index
    held = history.lineage(history.incumbent) if history.baseline else ()
    if not held:
        raise CampaignError(
            "nothing was kept, so there is no claim; name an experiment: autoresearch export N --bundle FILE"
        )
    return history.incumbent, history.experiment(held[-1]).index


def _runs(history: History, arms: tuple[str, ...]) -> list[tuple[str, Any]]:
    return [(arm, run) for arm in arms for run in history.runs_of(arm)]


def options_of(words: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` as options of a tracker. Raises UsageError for a word that is none."""
    found = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given or not name:
            raise UsageError(f"--set {word!r}: write KEY=VALUE, for example --set project=night-runs")
        found[name] = value
    return found
