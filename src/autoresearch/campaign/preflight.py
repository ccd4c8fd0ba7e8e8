"""Whether what a run reads is there, before anything is launched (R26)."""

from collections.abc import Collection, Sequence
from pathlib import Path

from autoresearch.config.schema import Campaign
from autoresearch.errors import CampaignError
from autoresearch.git import refs

_SHOWN = 3


def missing(campaign: Campaign, root: Path, inputs: Sequence[str]) -> str:
    """What of a run's inputs is missing, in words; empty when nothing is.

    An absolute path must be on this machine when runs happen here; elsewhere that cannot be known from here. A relative
    one must be committed, for a run sees its worktree and not the checkout.

    Args:
        campaign: Says where runs happen.
        root: The checkout.
        inputs: As a target's survey names them.
    """
    here = campaign.launcher.type == "local"
    absent = [path for path in inputs if Path(path).is_absolute() and here and not Path(path).exists()]
    relative = [path for path in inputs if not Path(path).is_absolute()]
    lost = sorted(set(relative) - refs.tracked(root, relative)) if relative else []
    loose = [path for path in lost if (root / path).exists()]
    nowhere = [*absent, *(path for path in lost if path not in loose)]
    told = [f"{_named(nowhere)} not there"] if nowhere else []
    if loose:
        told.append(
            f"{_named(loose)} in the checkout but not committed, so no experiment's worktree has it: "
            "name it by its absolute path"
        )
    return "; ".join(told)


def check(campaign: Campaign, root: Path, inputs: Sequence[str]) -> None:
    """Refuse to begin without them.

    Raises:
        CampaignError: An input is missing.
    """
    if told := missing(campaign, root, inputs):
        raise CampaignError(f"a run needs files that it would not find: {told}; nothing was launched")


def uncommitted(commit: str, files: Sequence[str], held: Collection[str]) -> str:
    """Files of a recipe that the commit which experiments start from does not hold, in words; empty without any.

    Args:
        commit: Where experiments start.
        files: The files, relative to the root.
        held: Those that the commit holds, of `refs.committed`.
    """
    absent = sorted(set(files).difference(held))
    if not absent:
        return ""
    return f"{_named(absent)} not in commit {commit[:7]}, from which experiments start; commit it first"


def check_recipe(root: Path, commit: str, recipe: str) -> None:
    """Refuse to go on with a recipe that only the checkout has.

    Raises:
        CampaignError: It is not committed.
    """
    files = [recipe] if recipe else []
    if told := uncommitted(commit, files, refs.committed(root, commit, files)):
        raise CampaignError(f"recipe {told}: git add {recipe} && git commit")


def elsewhere(campaign: Campaign, inputs: Sequence[str]) -> str:
    """Absolute inputs that this machine does not have and the nodes of a cluster may; in words, empty without any."""
    if campaign.launcher.type == "local":
        return ""
    absent = [path for path in inputs if Path(path).is_absolute() and not Path(path).exists()]
    them = "it" if len(absent) == 1 else "them"
    return f"{_named(absent)} not on this machine; make sure that the nodes see {them}" if absent else ""


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more} {'is' if len(paths) == 1 else 'are'}"
