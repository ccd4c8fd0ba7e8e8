"""What of a campaign can go, how large it is, and what never goes: shown first, cleared away only when a person asks.

Ledger, journal, logs, measurements, submissions and commits always stay, so every experiment can be made again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.git import refs, worktree
from autoresearch.machine import disk
from autoresearch.records import volume
from autoresearch.records.paths import PINNED, CampaignPaths

CHECKPOINTS, WORKTREES, BRANCHES, REHEARSALS = CLEARABLE = ("checkpoints", "worktrees", "branches", "rehearsals")
"""What can be cleared away, each on its own request."""


@dataclass(frozen=True, kw_only=True)
class Clearable:
    """One thing that can go.

    Attributes:
        kind: One of `CLEARABLE`.
        name: The experiment or bundle that it is of; for a rehearsal, its folder.
        why: Why it may go.
        gb: How large it is on the disk, in GB.
        places: Files and folders that are deleted; none of a branch.
        branch: The branch that moves to the archive.
        commit: Where it points.
    """

    kind: str
    name: str
    why: str
    gb: float = 0.0
    places: tuple[Path, ...] = ()
    branch: str = ""
    commit: str = ""


def spared(history: History, pinned: Collection[str]) -> dict[str, str]:
    """Arms of which nothing goes, each with the reason; whatever is not settled is among them."""
    undecided = {entry.name: "no verdict yet" for entry in history.experiments.values() if entry.verdict is None}
    flying = {run.planned.experiment: "a run of it is in flight" for run in history.in_flight()}
    return {
        **undecided,
        **flying,
        **dict.fromkeys(pinned, "pinned"),
        history.incumbent: "the best",
        BASELINE: "the baseline",
    }


def pinned(paths: CampaignPaths, history: History) -> frozenset[str]:
    """Arms with a file `pinned` in their folder."""
    arms = (*(entry.name for entry in history.experiments.values()), *history.bundles)
    return frozenset(name for name in arms if (paths.experiment(name) / PINNED).exists())


def clearable(
    paths: CampaignPaths, history: History, weights: Callable[[Path], Iterator[Path]] | None, taken: str = ""
) -> tuple[Clearable, ...]:
    """Everything that can go, largest first.

    Args:
        paths: Where the campaign lies.
        history: The campaign.
        weights: Files and folders in a run's folder that hold weights and no number; None where its target cannot tell.
        taken: The arm that would be adopted, where that is not the best; nothing of it goes. Empty for none.
    """
    stays = spared(history, pinned(paths, history)) | ({taken: "what adopt takes"} if taken else {})
    found = [*(_checkpoints(paths, history, stays, weights) if weights else ()), *_worktrees(paths, history, stays)]
    found += _branches(paths, history, stays)
    return tuple(sorted(found, key=lambda one: (-one.gb, CLEARABLE.index(one.kind), one.name)))


def rehearsal(name: str, places: tuple[Path, ...]) -> Clearable:
    """A rehearsal whose process was killed; it is of no campaign, so nothing of one depends on it."""
    why = "its process was killed, and nobody waits for it"
    return Clearable(kind=REHEARSALS, name=name, why=why, gb=_size(places), places=places)


def _checkpoints(
    paths: CampaignPaths, history: History, stays: Mapping[str, str], weights: Callable[[Path], Iterator[Path]]
) -> Iterator[Clearable]:
    for name in dict.fromkeys(run.planned.experiment for run in history.runs.values()):
        if name in stays:
            continue
        folders = [paths.run(name, run.planned.number) for run in history.runs_of(name) if run.settled]
        if places := tuple(place for folder in folders for place in weights(folder)):
            why = f"{_verdict(history, name)}; numbers and logs stay"
            yield Clearable(kind=CHECKPOINTS, name=name, why=why, gb=_size(places), places=places)


def _worktrees(paths: CampaignPaths, history: History, stays: Mapping[str, str]) -> Iterator[Clearable]:
    for tree in worktree.listing(paths.root, paths.worktrees) if paths.worktrees.exists() else ():
        name = tree.path.name
        busy = stays.get(name) not in {None, "the best", "the baseline", "what adopt takes", "pinned"}
        if busy or tree.locked or (history.ended is None and name not in _settled(history)):
            continue
        why = "git makes it again from its commit"
        yield Clearable(kind=WORKTREES, name=name, why=why, gb=_size([tree.path]), places=(tree.path,))


def _settled(history: History) -> frozenset[str]:
    return frozenset(entry.name for entry in history.judged)


def _branches(paths: CampaignPaths, history: History, stays: Mapping[str, str]) -> Iterator[Clearable]:
    """Those of discarded and crashed ideas, once the campaign is over: while it goes on, their names are in use."""
    if history.ended is None:
        return
    held, there = history.lineage(history.incumbent), refs.branches(paths.root)
    used = refs.checked_out(paths.root)
    for entry in history.judged:
        if entry.name in stays or entry.name in held or entry.branch in used or not _failed(entry):
            continue
        if commit := there.get(entry.branch):
            why = f"{_verdict(history, entry.name)}; it moves to {refs.ARCHIVE}"
            yield Clearable(kind=BRANCHES, name=entry.name, why=why, branch=entry.branch, commit=commit)


def _failed(entry: Experiment) -> bool:
    return entry.verdict is not None and entry.verdict.status is not Status.KEEP


def _verdict(history: History, name: str) -> str:
    if name in history.bundles:
        return "a merge that is not the best"
    verdict = history.experiment(name).verdict
    return (
        "kept, and no longer the best" if verdict and verdict.status is Status.KEEP else str(verdict and verdict.status)
    )


def _size(places: Iterable[Path]) -> float:
    """GB that files take below some places."""
    return sum(map(disk.size, places)) / 1e9


def clear(paths: CampaignPaths, found: Iterable[Clearable]) -> float:
    """Take away what was shown, and return how many GB that were; whatever lies elsewhere is left alone.

    Raises:
        RepositoryError: A branch was moved since, or a worktree is none of ours; what was done before stays done.
    """
    gone, moved = 0.0, {}
    for one in found:
        if one.kind == CHECKPOINTS:
            gone += volume.forget(paths, one.name, one.places)
        elif one.kind == WORKTREES:
            worktree.remove(paths.root, one.places[0])
            gone += one.gb
        else:
            moved[one.branch] = one.commit
    refs.archive(paths.root, moved)
    return gone
