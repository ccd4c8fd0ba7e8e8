"""Is what measures still the commit's, before and after a run? What a run changed voids its number, and is put back."""

from contextlib import suppress
from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.engine.guarded_commit import scope_of, tree_of
from autoresearch.engine.worktrees import checkout, tree_path
from autoresearch.errors import RepositoryError
from autoresearch.experiment.change import FileChange
from autoresearch.git import diffs, seal, worktree
from autoresearch.guards.shadows import loadable, shadows

_MOST = 3


def mend(ctx: Context, arm: str, tree: Path) -> None:
    """Before a run: what somebody else's run did to protected files of a worktree is put back, with a note."""
    commit = ctx.history.arm_commit(arm)
    if found := _altered(ctx, tree, commit):
        try:
            seal.put_back(tree, commit, found)
        except RepositoryError:
            worktree.remove(ctx.paths.root, tree)
            checkout(ctx, arm)
        ctx.note(f"protected files of the worktree of {arm} were not as committed and are put back: {_words(found)}")


def broken(ctx: Context, arm: str) -> str:
    """After a run: what it did to what measures, in words; empty when it did nothing. Protected files are put back.

    A worktree that is gone, as when somebody removed it, tells nothing. What was changed and changed back before the
    end is not seen.
    """
    tree, commit = tree_path(ctx, arm), ctx.history.arm_commit(arm)
    if not tree.exists():
        return ""
    try:
        worktree.check(ctx.paths.root, tree)
    except RepositoryError as error:
        return ctx.redactor.clean(str(error))
    found = _altered(ctx, tree, commit)
    told = [f"{path} was {what} by the run" for path, what in sorted(found.items())]
    told += [f"during the run came {text}" for text in _planted(ctx, tree, commit)]
    if found:
        with suppress(RepositoryError):  # a folder that cannot be written to; the worktree is not used again either way
            seal.put_back(tree, commit, found)
    more = [f"and {len(told) - _MOST} more"] if len(told) > _MOST else []
    return "; ".join((*told[:_MOST], *more))


def _altered(ctx: Context, tree: Path, commit: str) -> dict[str, str]:
    scope = scope_of(ctx)
    held = [
        file
        for file in diffs.files_of(ctx.paths.root, commit)
        if scope.protected.match(file) and not scope.subjects.match(file)
    ]
    return seal.altered(tree, commit, held) if held else {}


def _planted(ctx: Context, tree: Path, commit: str) -> tuple[str, ...]:
    """Modules that a run left where the next one would load them; what else it writes is its own affair."""
    new = [FileChange(path=path) for path in seal.added(tree, commit) if loadable(path)]
    return shadows(new, scope_of(ctx), tree_of(ctx, commit)) if new else ()


def _words(found: dict[str, str]) -> str:
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ", ".join(f"{path} ({what})" for path, what in sorted(found.items())[:_MOST]) + more
