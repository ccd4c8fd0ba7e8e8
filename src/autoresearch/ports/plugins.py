"""Adapters by name: the built-in table of a room merged with its entry points; a clash is an error."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from autoresearch import extras
from autoresearch.errors import PluginError
from autoresearch.ports.target import Inspector

ROOMS = ("targets", "researchers", "launchers", "metrics", "trackers")


@cache
def names(room: str) -> dict[str, str]:
    """Every adapter of a room: its name and the `module:Class` that provides it.

    Raises:
        PluginError: Two packages claim one name.
    """
    table: dict[str, str] = dict(import_module(f"autoresearch.{room}").BUILTIN)
    for point in entry_points(group=f"autoresearch.{room}"):
        if point.name in table:
            raise PluginError(
                f"two {room} are called {point.name!r}: {table[point.name]} and {point.value}; uninstall one of them"
            )
        table[point.name] = point.value
    return table


def load(room: str, name: str) -> Any:
    """The adapter class behind a name.

    Raises:
        PluginError: There is none, or its module cannot be imported.
    """
    table = names(room)
    if name not in table:
        raise PluginError(f"there is no {room.removesuffix('s')} {name!r}; choose one of: {', '.join(sorted(table))}")
    module, _, attribute = table[name].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise PluginError(
            f"{room}: {name!r} needs a package that is not installed ({error.name or error}); "
            f"{extras.advice(error.name)}"
        ) from error


def inspector(target: str) -> Inspector:
    """What a target can say about a single recipe, without loading the rest of it.

    Raises:
        PluginError: The target answers no such questions.
    """
    known: dict[str, str] = import_module("autoresearch.targets").INSPECTORS
    if target not in known:
        raise PluginError(f"target {target!r} answers no questions about single recipes; these do: {', '.join(known)}")
    found: Inspector = cast("Inspector", import_module(known[target]))
    return found
