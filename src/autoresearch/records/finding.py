"""Which campaigns a repository has, where they lie, and whether somebody works on one; nothing of them is read."""

from pathlib import Path

from autoresearch.errors import CampaignError
from autoresearch.git import refs
from autoresearch.machine import turns
from autoresearch.machine.lock import CampaignLock
from autoresearch.machine.lock_owner import alive
from autoresearch.records import mirror
from autoresearch.records.paths import CampaignPaths, Layout


def find_layout(where: Path) -> Layout:
    """The repository a person stands in."""
    return Layout(refs.root(where))


def refuse_taken(where: Path, name: str) -> None:
    """Refuse the name of a campaign that is there: its file is never overwritten.

    Raises:
        CampaignError: It has a file.
    """
    paths = find_layout(where).campaign(name)
    if paths.campaign_file.exists():
        raise CampaignError(f"{paths.campaign_file} exists already; edit it, or give the new one another --name")


def names(where: Layout) -> list[str]:
    """Campaigns of a repository, the one worked on last first; one that has begun needs its file no more."""
    found = [paths for paths in where.folders() if paths.campaign_file.exists() or _holds_plan(paths.journal)]
    return [paths.name for paths in sorted(found, key=_touched, reverse=True)]


def _touched(paths: CampaignPaths) -> tuple[float, str]:
    return ((paths.journal if paths.journal.exists() else paths.campaign_file).stat().st_mtime, paths.name)


def _holds_plan(journal: Path) -> bool:
    if not journal.exists():
        return False
    with journal.open("rb") as source:
        return b'"kind":"campaign_started"' in source.readline()


def find(where: Path, name: str | None = None) -> CampaignPaths:
    """Where a campaign lies, without reading it; without a name the one worked on last.

    Raises:
        CampaignError: There is none, or none of that name.
    """
    place = find_layout(where)
    known = names(place)
    if name is None and not known:
        raise CampaignError(f"no campaign in {place.root} yet; {_how(place, name)}")
    if name is not None and name not in known:
        told = ", ".join(known) or "none"
        raise CampaignError(f"there is no campaign {name!r} in {place.root}; known: {told}{_how(place, name, '; ')}")
    return place.campaign(name or known[0])


def not_begun(paths: CampaignPaths) -> CampaignError:
    """What is said of a campaign that is only planned: how it begins, and how another that has begun is named."""
    others = (name for name in names(Layout(paths.root)) if _holds_plan(Layout(paths.root).campaign(name).journal))
    other = next(others, "")
    beside = f"; one that has begun is named like this: --campaign {other}" if other else ""
    return CampaignError(f"campaign {paths.name} has not started; start it with: autoresearch run{beside}")


def _how(place: Layout, name: str | None, then: str = "") -> str:
    """What to do where there is no campaign: go on with one of which git has a copy, or plan one."""
    copied = [one for one in mirror.names(place.root) if name in (None, one)]
    if copied:
        return (
            f"{then}git has a copy of {copied[0]}; bring its records back with: autoresearch ledger rebuild "
            f"--campaign {copied[0]}, or go on with it: autoresearch run --campaign {copied[0]}"
        )
    return "" if then else "write one with: autoresearch init -- COMMAND, or: autoresearch plan RECIPE"


def copied(where: Path) -> list[str]:
    """Campaigns of which nothing but the copy in git is there, the newest first; `bring_back` writes them anew."""
    place = find_layout(where)
    known = names(place)
    return [name for name in mirror.names(place.root) if name not in known]


def refuse_copied(where: Path, name: str) -> None:
    """Refuse a new campaign the name of one of which git has a copy.

    Raises:
        CampaignError: It has.
    """
    mirror.refuse(find_layout(where).campaign(name))


def at_work(paths: CampaignPaths) -> bool:
    """Whether a controller works on the campaign, or somebody by hand, who is not known to be dead."""
    return bool(turns.hands(paths.turns)) or _held(paths)


def followed(paths: CampaignPaths, index: int) -> bool:
    """Whether a controller, or somebody by hand, follows the runs of an experiment and is not known to be dead."""
    return index in {one.at for one in turns.hands(paths.turns)} or _held(paths)


def _held(paths: CampaignPaths) -> bool:
    holder = CampaignLock(paths.lock).holder()
    if holder is None:
        return False
    try:
        seen = paths.lock.stat().st_mtime
    except OSError:
        return False
    return alive(holder, seen) is not False
