"""Hydra overrides on a recipe: hydra's own grammar and its own application in struct mode, with errors in one line."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override as HydraOverride
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe.composition import Layer
from autoresearch.targets.recipe.recipe import Recipe, nearest, unknown_key


@dataclass(frozen=True)
class Override:
    """One override as typed.

    Attributes:
        text: As typed.
        key: The dotted key it is about.
        kind: `set`, `add`, `force` or `delete`.
        value: The value as hydra reads it; None for a deletion.
        source: The characters behind the first `=`.
    """

    text: str
    key: str
    kind: str
    value: Any
    source: str


def parse(text: str) -> Override:
    """Read one override with hydra's grammar.

    Raises:
        RecipeError: It is not an override, or a sweep over several values.
    """
    parsed = _parse(text)
    kind = "delete" if parsed.is_delete() else "add" if parsed.is_add() else "set"
    kind = "force" if parsed.is_force_add() else kind
    return Override(text, parsed.key_or_group, kind, parsed.value(), text.partition("=")[2])


def apply(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with overrides applied in order; `recipe` itself is left as it was.

    Raises:
        RecipeError: One of them cannot be read or does not fit; the message quotes it.
    """
    config = copy.deepcopy(recipe.config)
    OmegaConf.set_struct(config, True)
    layers = recipe.layers
    for text in overrides:
        parsed = _parse(text)
        try:
            ConfigLoaderImpl._apply_overrides_to_config(overrides=[parsed], cfg=config)  # noqa: SLF001  (as upstream)
        except (HydraException, OmegaConfBaseException, TypeError, ValueError, KeyError, AttributeError) as error:
            raise _refused(replace(recipe, config=config), parse(text), error) from error
        layers = (Layer(text, _nested(parsed)), *layers)
    return replace(recipe, overrides=(*recipe.overrides, *overrides), layers=layers, config=config)


@cache
def _grammar() -> OverridesParser:
    return OverridesParser.create()


def _parse(text: str) -> HydraOverride:
    if "\0" in text:
        raise RecipeError(f"override {text!r}: holds a NUL character; take it out")
    try:
        parsed = _grammar().parse_override(text)
    except (HydraException, ValueError, RecursionError) as error:
        raise RecipeError(f"override {text!r}: {_unreadable(text, error)}") from error
    if not parsed.key_or_group:
        raise RecipeError(f"override {text!r}: names no key; write key=value")
    if parsed.is_sweep_override():
        raise RecipeError(
            f"override {text!r}: lists several values, and a run has one; "
            f"write {parsed.key_or_group}=[...] for a list, or quote text that holds a comma: \"key='a,b'\""
        )
    if parsed.package is not None:
        raise RecipeError(f"override {text!r}: config groups (@) do not exist here; write key=value")
    return parsed


def _unreadable(text: str, error: Exception) -> str:
    if text.startswith("--"):
        return f"looks like a flag; overrides have no dashes: {text.lstrip('-')}"
    if "=" not in text and not text.startswith("~"):
        return "has no value; write key=value, or ~key to delete"
    key, _, value = text.partition("=")
    if "[" in key:
        return "list items are reached with a dot, as in list.0.key=value"
    if not value.startswith(("'", '"', "[", "{")):
        return f"cannot be read ({_line(error)}); quote a value that holds = # , or spaces: \"{key}='...'\""
    return f"cannot be read ({_line(error)}); check its quotes and brackets"


def _refused(recipe: Recipe, override: Override, error: Exception) -> RecipeError:
    """The one clear line for an override that reads well but does not fit the recipe."""
    about = f"override {override.text!r}"
    text = str(error)
    if override.kind == "delete" and "does not exist" in text:
        return RecipeError(f"{about}: there is nothing to delete{_near(recipe, override.key)}")
    if override.kind == "add" and "already at" in text:
        bare = override.text.removeprefix("+")
        return RecipeError(f"{about}: the key exists; write {bare} to change it, or ++{bare} to set it either way")
    if override.kind == "set" and "Could not override" in text:
        return RecipeError(f"{about}: {unknown_key(recipe, _first_unknown(recipe, override.key, override.value))}")
    cause = error.__cause__ or error.__context__ or error
    return RecipeError(f"{about}: does not fit {recipe.path}: {_line(cause)}{_near(recipe, override.key)}")


def _first_unknown(recipe: Recipe, key: str, value: Any) -> str:
    """The key that is really missing: that of the override, or one inside the mapping it gives."""
    if not recipe.has(key) or not isinstance(value, dict):
        return key
    inner = (_first_unknown(recipe, f"{key}.{name}", item) for name, item in value.items())
    return next((name for name in inner if not recipe.has(name)), key)


def _near(recipe: Recipe, key: str) -> str:
    near = [name for name in nearest(recipe, key) if name != key]
    return f"; did you mean {' or '.join(near)}?" if near else "; look at `autoresearch recipe show` for its keys"


def _nested(parsed: HydraOverride) -> dict[str, Any]:
    """The override as a layer: what it provides, as nested mappings."""
    if parsed.is_delete():
        return {}
    *outer, last = parsed.key_or_group.split(".")
    layer: dict[str, Any] = {last: parsed.value()}
    for step in reversed(outer):
        layer = {step: layer}
    return layer


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
