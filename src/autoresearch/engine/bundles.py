"""Several experiments on one branch: each idea's own change, merged by plumbing."""

from autoresearch.core import naming
from autoresearch.core.event import BundleMade
from autoresearch.engine.context import Context
from autoresearch.errors import RecipeError
from autoresearch.workspace import faults, git, worktree


def bundle(ctx: Context, name: str, ideas: tuple[str, ...], parent: str) -> None:
    """Put each idea's own change on one branch; a conflict or a refused recipe is recorded, not raised."""
    base = ctx.history.arm_commit(parent)
    at = max(ctx.history.experiment(idea).opened.at for idea in ideas) if ideas else ctx.history.last_at
    message = f"bundle: {', '.join(ideas) or 'nothing'}\n\nAutoresearch-Bundle: {ctx.campaign.campaign}/{name}"
    identity = git.identity(ctx.paths.root)
    merged, parents = base, [base]
    for idea in ideas:
        entry = ctx.history.experiment(idea)
        result = git.merge_tree(ctx.paths.root, merged, entry.commit, base=entry.parent_commit)
        if result.tree is None:
            conflict = f"{idea} conflicts in {', '.join(result.conflicts)}"
            ctx.record(BundleMade(ctx.clock(), name, "", "", ideas, parent, conflict))
            return
        parents.append(entry.commit)
        merged = git.commit_tree(ctx.paths.root, result.tree, parents, message, identity, at)
    if refused := _refused(ctx, name, merged):
        ctx.record(BundleMade(ctx.clock(), name, "", "", ideas, parent, refused))
        return
    branch = naming.branch(ctx.campaign.campaign, name)
    git.create_branch(ctx.paths.root, branch, merged)
    faults.point("propose.bundle.record")
    ctx.record(BundleMade(ctx.clock(), name, branch, merged, ideas, parent))


def _refused(ctx: Context, name: str, commit: str) -> str:
    """Why the recipe of a merged commit cannot be run, empty when it can."""
    tree = ctx.paths.worktree(name)
    worktree.add(ctx.paths.root, tree, commit)
    try:
        ctx.survey_of(commit, tree)
    except RecipeError as error:
        return f"the merged recipe is refused: {error}"
    return ""
