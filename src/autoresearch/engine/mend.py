"""What a crash of ours, or a hand that slipped, has left behind is put right before the work goes on."""

from collections.abc import Iterator
from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.errors import RepositoryError
from autoresearch.experiment import names
from autoresearch.git import refs, worktree
from autoresearch.machine import atomic


def mend(ctx: Context) -> None:
    """Remove half-written files and half-removed worktrees, and restore campaign branches that somebody deleted."""
    paths = ctx.paths
    for below in (paths.worktree("any").parent, paths.by_hand(1).parent):
        worktree.sweep(below)
    atomic.sweep((paths.ledger.parent, *_folders(ctx), *paths.sessions.glob("*")))
    restore_branches(ctx)


def restore_branches(ctx: Context) -> None:
    """Every branch the journal knows exists again, with a note for each that was missing (it is kept for ever, R38)."""
    there = refs.branches(ctx.paths.root, names.campaign_prefix(ctx.campaign.campaign))
    for branch, commit in _known(ctx):
        if branch in there:
            continue
        try:
            refs.create_branch(ctx.paths.root, branch, commit)
        except RepositoryError as error:
            ctx.note(f"branch {branch} is gone and cannot be restored: {error}")
        else:
            ctx.note(f"branch {branch} was gone and is restored at {commit[:7]}; campaign branches are never deleted")


def _known(ctx: Context) -> Iterator[tuple[str, str]]:
    for entry in ctx.history.experiments.values():
        if entry.committed:
            yield entry.branch, entry.commit
    for bundle in ctx.history.bundles.values():
        if bundle.branch:
            yield bundle.branch, bundle.commit


def _folders(ctx: Context) -> Iterator[Path]:
    """Folders of the campaign in which we write: its own, one per experiment, one per run."""
    yield ctx.paths.folder
    for depth in ("*", "*/*"):
        yield from ctx.paths.folder.glob(depth)
