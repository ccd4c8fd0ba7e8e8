"""Overrides written into a recipe file with the smallest edit.

The file must mean afterwards what the recipe meant with the overrides on top: that is computed first, and the text is
changed until it does. A change that a file cannot express (deleting what a parent says) is refused, the file untouched.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from autoresearch.errors import RecipeError
from autoresearch.machine import disk
from autoresearch.targets.recipe import composition, yaml_text
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.overrides import apply, parse
from autoresearch.targets.recipe.recipe import Recipe, dotted

ROUNDS = 4
"""Passes over the text. One is enough, save where an anchor carries an edit to places that must stay as they were."""

_GONE = object()


def apply_overrides(path: Path, overrides: Sequence[str], root: Path | None = None) -> bool:
    """Write overrides into a recipe file so that it composes as if they were given on the command line.

    Args:
        path: The recipe file. Keys it inherits are added to it; its parents are never edited.
        overrides: Hydra overrides: `key=value`, `+key=value`, `++key=value`, `~key`.
        root: The checkout, for the names in messages; the file's own folder otherwise.

    Returns:
        Whether the file changed; it does not when it meant the same already.

    Raises:
        RecipeError: An override is wrong, or cannot be expressed in this file; the file is untouched.
        StorageError: The file cannot be written; the old one is intact.
    """
    recipe = load(root or path.parent, path)
    before = composition.read_text(path, recipe.path)
    text = edit_text(recipe, before, apply(recipe, overrides))
    if text == before:
        return False
    disk.replace(path, text)
    return True


def edit_text(recipe: Recipe, text: str, wanted: Recipe) -> str:
    """The text of `recipe`'s own file, changed until it composes to the same as `wanted`.

    Raises:
        RecipeError: It cannot be made to.
    """
    goal, spellings = _plain(wanted), _spellings(wanted.overrides)
    now = recipe
    for _ in range(ROUNDS):
        changes = list(differences(_plain(now), goal))
        if not changes:
            return text
        text = _changed(recipe, text, changes, spellings)
        now = _reread(recipe, text)
    left = next(differences(_plain(now), goal), None)
    if left is None:
        return text
    raise RecipeError(_inexpressible(now, left))


def differences(now: Any, goal: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """What must change to get from one plain config to another: steps to a value, and the value (`GONE` to delete)."""
    if isinstance(now, Mapping) and isinstance(goal, Mapping) and goal:
        yield from (((*steps, key), _GONE) for key in now if key not in goal)
        for key, value in goal.items():
            if key in now:
                yield from differences(now[key], value, (*steps, key))
            else:
                yield (*steps, key), value
    elif not yaml_text.same(now, goal):
        yield steps, goal


def _changed(
    recipe: Recipe, text: str, changes: list[tuple[tuple[Any, ...], Any]], spellings: Mapping[str, str]
) -> str:
    for steps, value in changes:
        try:
            if value is _GONE:
                text = yaml_text.remove(text, steps)
            for place, item in () if value is _GONE else tuple(_finer(_own(text, steps), value, steps)):
                text = yaml_text.put(text, place, item, spellings.get(dotted(place), ""))
        except (yaml_text.Unfit, StopIteration) as why:
            raise RecipeError(_inexpressible(recipe, (steps, value), str(why))) from why
        except yaml.YAMLError as error:
            raise RecipeError(f"{recipe.path}: {dotted(steps)} cannot be edited as text; edit it by hand") from error
    return text


def _own(text: str, steps: tuple[Any, ...]) -> Any:
    """What the file itself says at a place; `_GONE` where it says nothing."""
    node = composition.parse(text)
    for step in steps:
        node = node.get(step, _GONE) if isinstance(node, dict) else _GONE
    return node


def _finer(own: Any, goal: Any, steps: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The changes inside a list that the file spells out, so that its other items stay as they are written."""
    if isinstance(own, list) and isinstance(goal, list) and len(own) == len(goal):
        for index, (one, other) in enumerate(zip(own, goal, strict=True)):
            yield from _finer(one, other, (*steps, index))
    elif isinstance(own, dict) and isinstance(goal, dict) and own.keys() == goal.keys() and steps:
        for key, value in goal.items():
            yield from _finer(own[key], value, (*steps, key))
    elif not yaml_text.same(own, goal):
        yield steps, goal


def _reread(recipe: Recipe, text: str) -> Recipe:
    try:
        return load(recipe.root, recipe.path, text=text)
    except RecipeError as error:
        raise RecipeError(f"{recipe.path}: the edit would break the file ({error}); edit it by hand") from error


def _inexpressible(recipe: Recipe, change: tuple[tuple[Any, ...], Any], why: str = "") -> str:
    steps, value = change
    key = dotted(steps)
    if value is _GONE:
        source = recipe.origin(key) if recipe.has(key) else recipe.path
        return (
            f"{recipe.path}: {key} comes from {source}, and a child recipe cannot delete what a parent says; "
            f"set it to null ({key}=null), or edit {source}"
        )
    shared = f" ({why})" if why else ", because an anchor (&name, *name) shares it with another place"
    return f"{recipe.path}: {key} cannot be changed on its own{shared}; write the shared section out, then try again"


def _spellings(overrides: Sequence[str]) -> dict[str, str]:
    parsed = [parse(text) for text in overrides]
    return {one.key: one.source for one in parsed if one.kind != "delete" and not isinstance(one.value, dict | list)}


def _plain(recipe: Recipe) -> Any:
    return OmegaConf.to_container(recipe.config, resolve=False)
