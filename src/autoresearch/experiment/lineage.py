"""What an arm is made of: the ideas merged on the way from the baseline to it."""

from collections.abc import Callable


def lineage(arm: str, parent: Callable[[str], str], own: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """The ideas inside `arm`, oldest first.

    Args:
        arm: An experiment, a bundle or the baseline.
        parent: The arm that an arm was made from, empty for the baseline and for strangers.
        own: The ideas that an arm adds to its parent.
    """
    found: list[str] = []
    seen: set[str] = set()
    while arm and arm not in seen:
        seen.add(arm)
        found = [idea for idea in own(arm) if idea not in found] + found
        arm = parent(arm)
    return tuple(found)
