"""A recipe and its parents, read from a checkout and resolved."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe.composition import compose, create, register_resolvers, shown
from autoresearch.targets.recipe.recipe import Recipe, jsonable


def load(root: Path, recipe: str | Path, overrides: Sequence[str] = (), *, text: str | None = None) -> Recipe:
    """Compose a recipe.

    Args:
        root: The checkout; a relative `recipe` starts here.
        recipe: The recipe file.
        overrides: Hydra overrides, applied in order.
        text: Content to read in place of the recipe file's own, for trying an edit.

    Raises:
        RecipeError: A file, a parent or an override is wrong; one line that names it and says what to do.
    """
    register_resolvers()
    root = root.resolve()
    file = (root / recipe).resolve()
    if not file.is_file():
        raise RecipeError(_no_such_recipe(root, str(recipe), file))
    merged, layers = compose(root, file, text=text)
    config = create(shown(root, file), merged)
    layers = tuple(reversed(layers))
    lineage = tuple(dict.fromkeys(layer.source for layer in layers))
    plain = Recipe(root=root, path=shown(root, file), lineage=lineage, overrides=(), layers=layers, config=config)
    if not overrides:
        return plain
    from autoresearch.targets.recipe.overrides import apply  # noqa: PLC0415  (hydra costs 0.2 s; most calls need none)

    return apply(plain, tuple(overrides))


def show(root: Path, recipe: str | Path, overrides: Sequence[str] = (), *, resolved: bool = False) -> dict[str, Any]:
    """What `autoresearch recipe show` prints, as values that JSON can hold.

    Args:
        root: The checkout.
        recipe: The recipe file.
        overrides: Hydra overrides.
        resolved: The whole resolved config; otherwise lineage, and value and source of every key.

    Returns:
        With `resolved` the config itself. Otherwise `recipe`, `algorithm`, `lineage`, `overrides`,
        `values` (dotted key to `{"value": ..., "from": ...}`) and `unresolved` (dotted key to reason).

    Raises:
        RecipeError: As `load` and, with `resolved`, as `Recipe.resolved`.
    """
    composed = load(root, recipe, overrides)
    if resolved:
        return jsonable(composed.resolved())  # type: ignore[no-any-return]
    sources = composed.origins()
    return {
        "recipe": composed.path,
        "algorithm": composed.algorithm,
        "lineage": list(composed.lineage),
        "overrides": list(composed.overrides),
        "values": {key: {"value": jsonable(value), "from": sources[key]} for key, value in composed.values.items()},
        "unresolved": composed.unresolved,
    }


def _no_such_recipe(root: Path, asked: str, file: Path) -> str:
    if file.is_dir():
        return f"{asked}: is a folder; name one of the recipes in it"
    known = {path.name: shown(root, path) for path in sorted((root / "examples").rglob("*.yaml"))}
    near = difflib.get_close_matches(file.name, known, 2, 0.5)
    hint = f"did you mean {' or '.join(known[name] for name in near)}?" if near else f"paths start at {root}"
    return f"{asked}: there is no such recipe; {hint}"
