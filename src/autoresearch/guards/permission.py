"""May an agent do what it asks for? The campaign's scope, applied to one request before it is carried out.

An answer spares work that the guards would refuse later; it takes nothing from them. What an agent does without asking,
above all by shell commands, is held by its sandbox, and the commit is examined whatever was asked and answered.
"""

from dataclasses import dataclass

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Limits, breaches

_EDITS = frozenset({"edit", "delete", "move"})
_LOOKS = frozenset({"read", "search", "think"})


@dataclass(frozen=True)
class Wish:
    """What an agent asks to be allowed.

    Attributes:
        kind: What it would do, in the words of the Agent Client Protocol's `ToolKind`; anything else is `other`.
        title: Its own words about it.
        paths: Files of the worktree it names, relative to it.
        own: Whether it names files in places of its own (home, temporary folder, answer).
        outside: Files it names that are neither.
    """

    kind: str
    title: str = ""
    paths: tuple[str, ...] = ()
    own: bool = False
    outside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Permission:
    """The answer to a wish, and why in words."""

    granted: bool
    why: str


def permission(wish: Wish, limits: Limits, *, network: bool) -> Permission:
    """Answer a wish.

    Args:
        wish: What is asked for.
        limits: The campaign's scope with the target's own protection.
        network: Whether the agent may reach the network.
    """
    if wish.kind == "execute":
        return Permission(True, "a command runs within the bounds that hold every agent")
    if wish.outside:
        return Permission(False, f"{wish.outside[0]} is outside the worktree")
    if wish.kind in _EDITS:
        return _edit(wish, limits)
    if wish.kind in _LOOKS:
        return Permission(True, "it only looks")
    if wish.kind == "fetch":
        return Permission(network, "the network is open to it" if network else "the network is closed to it")
    return Permission(False, f"nothing in the campaign allows {wish.kind!r}")


def _edit(wish: Wish, limits: Limits) -> Permission:
    if not wish.paths and not wish.own:
        return Permission(False, "it does not say which file")
    found = breaches((FileChange(path) for path in wish.paths), limits)
    return Permission(not found, found[0] if found else "within the scope")
