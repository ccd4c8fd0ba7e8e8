"""A known arm under a new yardstick: its commit with the measuring part of an idea's change, and nothing else of it."""

from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.errors import RecipeError, RepositoryError
from autoresearch.experiment import change, names
from autoresearch.experiment.events import BundleMade, ExperimentCommitted
from autoresearch.git import refs, worktree
from autoresearch.machine import fault_points


def remeasure(ctx: Context, name: str, experiment: str, parent: str) -> None:
    """Make the arm `name` on a branch of its own; why it cannot be made is recorded, not raised."""
    tree, base = ctx.paths.worktree(name), ctx.history.arm_commit(parent)
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, base)
    committed = ctx.history.experiment(experiment).committed
    assert committed is not None  # noqa: S101 - it has a yardstick, so it stands on its branch
    try:
        files = _measuring_part(ctx, tree, committed)
        commit = _commit(ctx, tree, name, base, files, committed)
        ctx.survey_of(commit, tree)
    except (RecipeError, RepositoryError) as error:
        why = ctx.redactor.clean(str(error))
        ctx.record(BundleMade(ctx.clock(), name, "", "", (), parent, why, yardstick=experiment))
        return
    branch = names.branch(ctx.campaign.campaign, name)
    refs.create_branch(ctx.paths.root, branch, commit)
    worktree.attach(tree, branch)
    fault_points.point("propose.bundle.yardstick")
    ctx.record(BundleMade(ctx.clock(), name, branch, commit, (), parent, yardstick=experiment))


def _measuring_part(ctx: Context, tree: Path, committed: ExperimentCommitted) -> tuple[str, ...]:
    """Put the measuring part of an idea into a tree: its files as a diff, its keys as overrides; the files changed."""
    measuring = set(committed.yardstick)
    files = tuple(file for file in committed.files if file in measuring)
    if files:
        others = tuple(file for file in committed.files if file not in measuring)
        refs.apply_patch(tree, refs.diff(ctx.paths.root, committed.parent_commit, committed.commit, exclude=others))
    keys = measuring - set(files)
    overrides = [text for text in committed.hypothesis.overrides if change.names_any((text,), keys)]
    if missed := sorted(key for key in keys if not files and not change.names_any(overrides, {key})):
        raise RecipeError(
            f"{missed[0]} was changed by a diff of the recipe, which cannot be told from the rest of the idea; "
            "propose it as an override"
        )
    return (*files, *(ctx.target.apply(tree, overrides) if overrides else ()))


def _commit(
    ctx: Context, tree: Path, name: str, base: str, files: tuple[str, ...], committed: ExperimentCommitted
) -> str:
    message = f"yardstick: {committed.name}\n\nAutoresearch-Bundle: {ctx.campaign.campaign}/{name}"
    at = ctx.history.experiment(committed.name).opened.at
    return refs.commit_tree_from(tree, base, files, message, refs.identity(ctx.paths.root), at)
