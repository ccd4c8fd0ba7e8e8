"""Does a change simplify? A claim that decides a tie (R106) is held against the commit, whoever makes it."""

from collections.abc import Iterable, Mapping

from autoresearch.experiment.change import FileChange, changed_keys


def simplifies(
    changes: Iterable[FileChange],
    recipe: Iterable[str],
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> bool:
    """Whether a commit removes more lines than it adds, or changes the recipe only to turn things off in it.

    Args:
        changes: The commit's files against its parent.
        recipe: The files the recipe consists of.
        before: The resolved recipe at the parent, flattened; None when there is no recipe.
        after: The same at the candidate.
    """
    changes = tuple(changes)
    if sum(change.added - change.deleted for change in changes) < 0:
        return True
    if before is None or after is None or not {change.path for change in changes} <= set(recipe):
        return False
    keys = changed_keys(before, after)
    return all(_off(after.get(key)) for key in keys) and any(not _off(before.get(key)) for key in keys)


def _off(value: object) -> bool:
    """Gone, null, false, zero or empty."""
    return not value or value == "null"
