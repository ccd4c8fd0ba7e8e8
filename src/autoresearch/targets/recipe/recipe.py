"""A recipe with its parents and overrides, composed exactly as NeMo-RL composes it.

The rules (NeMo-RL, `nemo_rl/utils/config.py`): `defaults:` names one parent or a list of them, relative to the file
that names them; a child wins over its parents and a later parent over an earlier one; mappings merge, lists and
scalars replace; `_override_: true` in a top-level section drops what the parents say about it; `${...}` stays lazy
until everything is composed. Overrides are hydra's, applied in struct mode, in `overrides.py`.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException, UnsupportedInterpolationType

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe.composition import Layer, first_line

Steps = tuple[Any, ...]
"""A key as the steps that lead to it; a step is a mapping's key or a list's index."""

ALGORITHMS = ("grpo", "ppo", "sft", "dpo", "rm", "distillation", "eval")
"""Top-level sections that say what a recipe does, in the order they are looked for."""

_MISSING = object()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A composed recipe.

    Attributes:
        root: The checkout it was read from.
        path: The recipe file, relative to `root` (absolute when it lies outside).
        lineage: The recipe and its parents, nearest first.
        overrides: Overrides applied on top, as typed.
        layers: Every contribution, the one that wins first.
        config: The composed config, interpolations still lazy; never to be changed.
    """

    root: Path
    path: str
    lineage: tuple[str, ...]
    overrides: tuple[str, ...]
    layers: tuple[Layer, ...] = field(repr=False)
    config: DictConfig = field(repr=False, compare=False)

    def resolved(self) -> dict[str, Any]:
        """The whole config with every interpolation replaced by its value.

        Raises:
            RecipeError: An interpolation has no value; the message names key, file and remedy.
        """
        try:
            plain = OmegaConf.to_container(self.config, resolve=True)
        except (OmegaConfBaseException, RecursionError, TypeError, ZeroDivisionError, ValueError) as error:
            raise RecipeError(self._unresolved(error)) from error
        return plain  # type: ignore[return-value]

    @cached_property
    def values(self) -> dict[str, Any]:
        """Every scalar and list by its dotted key, resolved; what cannot be resolved keeps its `${...}` text."""
        return {dotted(path): value for path, value in self._leaves}

    @cached_property
    def unresolved(self) -> dict[str, str]:
        """Keys whose interpolation has no value here (an unset environment variable, say) and why."""
        found = {}
        for path, value in flatten(OmegaConf.to_container(self.config, resolve=False)):
            if isinstance(value, str) and "${" in value:
                try:
                    _at(self.config, path)
                except (OmegaConfBaseException, RecursionError, TypeError, ZeroDivisionError, ValueError) as error:
                    found[dotted(path)] = self._unresolved(error)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """The resolved value at a dotted key, or `default` when it is absent, null or cannot be resolved."""
        node: Any = self.plain
        for step in key.split("."):
            if isinstance(node, Mapping) and step in node:
                node = node[step]
            elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
                node = node[int(step)]
            else:
                return default
        return default if node is None else node

    def whole(self, key: str, least: int | None = None) -> int | None:
        """The whole number at a dotted key, read as NeMo-RL's own types read it (`8`, `8.0`, `"8"`); None when absent.

        Raises:
            RecipeError: The value is no whole number, or below `least`: NeMo-RL refuses such a recipe when it starts.
        """
        value = self.get(key)
        if value is None or (isinstance(value, str) and "${" in value):
            return None
        number = whole_number(value)
        if number is None or (least is not None and number < least):
            wanted = "a whole number" if least is None else f"a whole number from {least} on"
            raise RecipeError(f"{self.path}: {key} is {value!r} and has to be {wanted}")
        return number

    def has(self, key: str) -> bool:
        """Whether the composed recipe has this dotted key, null included."""
        head, _, last = key.rpartition(".")
        node = self.get(head) if head else self.plain
        return last in node if isinstance(node, Mapping) else self.get(key) is not None

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The config as nested dictionaries, resolved where it can be."""
        try:
            return self.resolved()
        except RecipeError:
            return _lenient(self.config)  # type: ignore[no-any-return]

    @property
    def algorithm(self) -> str:
        """The section that says what is done, one of `ALGORITHMS`; empty for a fragment."""
        return next((name for name in ALGORITHMS if isinstance(self.plain.get(name), dict)), "")

    def origin(self, key: str) -> str:
        """The file or override that a dotted key's value comes from.

        Raises:
            RecipeError: The recipe has no such key.
        """
        steps = tuple(key.split("."))
        for layer in self.layers:
            if _provides(layer.values, steps):
                return layer.source
        raise unknown_key(self, key)

    def origins(self) -> dict[str, str]:
        """Every dotted key of `values` and where it comes from."""
        return {dotted(path): self._source(path) for path, _ in self._leaves}

    @cached_property
    def _leaves(self) -> list[tuple[Steps, Any]]:
        return list(flatten(self.plain))

    def _source(self, path: Steps) -> str:
        return next((layer.source for layer in self.layers if _provides(layer.values, path)), self.path)

    def _unresolved(self, error: Exception) -> str:
        key = str(getattr(error, "full_key", "") or "")
        place = f"{key} (from {self._source(tuple(key.split('.')))})" if key else "an interpolation"
        return f"{self.path}: {place} has no value: {_why(error)}"


def whole_number(value: object) -> int | None:
    """A value as a whole number when pydantic would take it for one, None otherwise."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def flatten(node: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every scalar, list and empty mapping below `node` with the steps to it; lists count as one value."""
    if isinstance(node, Mapping) and (node or not path):
        for key, value in node.items():
            yield from flatten(value, (*path, key))
    else:
        yield path, node


def dotted(path: Steps) -> str:
    """The steps of a path in the recipe's spelling, `a.b.c`."""
    return ".".join(str(step) for step in path)


def jsonable(value: Any) -> Any:
    """`value` with everything that strict JSON cannot hold written as text (NaN, bytes, dates, non-text keys)."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [jsonable(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def unknown_key(recipe: Recipe, key: str) -> RecipeError:
    """The error for a key that a recipe does not have, with the nearest ones that it has."""
    near = nearest(recipe, key)
    hint = f"did you mean {' or '.join(near)}?" if near else "look at `autoresearch recipe show` for its keys."
    return RecipeError(f"{recipe.path}: has no key {key!r}; {hint} To add a new key write +{key}=...")


def nearest(recipe: Recipe, key: str, count: int = 3) -> list[str]:
    """Up to `count` keys of the recipe that are spelt most like `key`."""
    known = {dotted(path[:depth]) for path, _ in recipe._leaves for depth in range(1, len(path) + 1)}  # noqa: SLF001
    last = key.rpartition(".")[2]
    same = sorted((name for name in known if name.rpartition(".")[2] == last), key=lambda name: (name.count("."), name))
    return list(dict.fromkeys([*difflib.get_close_matches(key, sorted(known), count, 0.75), *same]))[:count]


def _provides(values: Any, path: Steps) -> bool:
    """Whether a layer sets the value at `path`, itself, an ancestor that is no mapping, or a part of it."""
    for step in path:
        if not isinstance(values, Mapping):
            return values is not None
        match = next((key for key in (step, *_spellings(values, step)) if key in values), _MISSING)
        if match is _MISSING:
            return False
        values = values[match]
    return True


def _spellings(values: Mapping[Any, Any], step: Any) -> list[Any]:
    return [key for key in values if not isinstance(key, str) and str(key) == str(step)]


def _at(config: DictConfig, path: Steps) -> Any:
    node: Any = config
    for step in path:
        node = node[step]
    return OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig | ListConfig) else node


def _lenient(node: Any) -> Any:
    """A container resolved item by item; an item without a value keeps its text."""
    if isinstance(node, DictConfig):
        return {key: _lenient_item(node, key) for key in node}
    if isinstance(node, ListConfig):
        return [_lenient_item(node, index) for index in range(len(node))]
    return node


def _lenient_item(node: Any, key: Any) -> Any:
    try:
        return _lenient(node[key])
    except (OmegaConfBaseException, RecursionError, TypeError, ZeroDivisionError, ValueError):
        return OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[index]


def _why(error: Exception) -> str:
    text = first_line(error)
    if isinstance(error, UnsupportedInterpolationType):
        return f"{text}; NeMo-RL knows add, mul, div, max and oc.env"
    if isinstance(error, InterpolationKeyError):
        return f"{text}; correct the key, or add it"
    if "Environment variable" in text:
        variable = text.split("'")[1] if "'" in text else "it"
        return f"environment variable {variable} is not set; export {variable}=... and try again"
    if isinstance(error, RecursionError):
        return "interpolations refer to each other in a cycle; give one of them a value"
    return f"{text}; correct its arguments"
