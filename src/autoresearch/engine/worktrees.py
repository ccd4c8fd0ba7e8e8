"""Worktrees of experiments and bundles: made when needed, taken away when idle; branches hold everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import worktree
from autoresearch.ports.target import Survey


def checkout(ctx: Context, arm: str) -> Path:
    """The arm's own worktree, on its branch, made again if it is gone; submodules are filled from the user's."""
    tree = place(ctx, arm)
    commit = ctx.history.arm_commit(arm)
    worktree.add(ctx.paths.root, tree, commit)
    worktree.attach(tree, ctx.history.arm_branch(arm))
    for missing in worktree.populate_submodules(ctx.paths.root, tree):
        ctx.note(f"the worktree of {arm} lacks the submodule {missing}")
    return tree


@contextmanager
def pure(ctx: Context, commit: str) -> Iterator[Path]:
    """A worktree that holds a commit and nothing else, gone again afterwards."""
    tree = ctx.paths.worktree(f".pure-{commit[:12]}")
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, commit)
    try:
        yield tree
    finally:
        worktree.remove(ctx.paths.root, tree)


def survey_of_arm(ctx: Context, arm: str) -> Survey:
    """The recipe of an experiment or bundle as it is committed; the baseline's is that of the base commit.

    Raises:
        RecipeError: The recipe is refused.
    """
    if arm == BASELINE:
        return ctx.survey
    commit = ctx.history.arm_commit(arm)
    if (known := ctx.known_survey(commit)) is not None:
        return known
    with pure(ctx, commit) as tree:
        return ctx.survey_of(commit, tree)


def place(ctx: Context, arm: str) -> Path:
    """Where an arm's worktree lies: an experiment keeps the one its attempt began in."""
    label = arm if arm in ctx.history.bundles else str(ctx.history.experiment(arm).index)
    return ctx.paths.worktree(label)


def tidy(ctx: Context) -> None:
    """Take away every worktree of the campaign; branches hold everything they held."""
    below = ctx.paths.worktree("any").parent
    for tree in worktree.listing(ctx.paths.root, below):
        worktree.remove(ctx.paths.root, tree.path)
    worktree.sweep(below)
