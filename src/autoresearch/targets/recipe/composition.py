"""Recipe files composed: `defaults:` chains, `_override_`, and the merge, with upstream's result.

Most files merge as plain dictionaries, some ten times faster than omegaconf's own merge. Documents in which omegaconf
would do more (a `???` below a value, a container over text that may stand for one) go through its merge.

Each file is read in omegaconf's dialect of YAML, parsed by libyaml where it can be. Omegaconf's own loader is the
reference: it refuses duplicate keys, reads `1e-6` as a number and a date as text. The same rules are put on the C
parser, which is about eight times faster. What the C parser refuses is read once more by the reference, and so is what
the C parser is known to read otherwise (`_read_apart`), so that a verdict (and its words) is always the one upstream
would give.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from autoresearch.errors import RecipeError

_Reference: Any = get_yaml_loader()
_TEXT_TAG = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
_ODD = re.compile(r"[\t\ufeff!]|[|>][-+0-9]*#")
"""A tab, a byte order mark, a tag, a comment glued to the head of a block: the C parser reads these otherwise."""

_UNFIT = (ValueError, TypeError, LookupError, AttributeError)
"""What constructors let through about a value that does not fit its tag."""


@dataclass(frozen=True)
class Layer:
    """One contribution to a recipe: a file, or an override.

    Attributes:
        source: Repository-relative path of the file, or the override as typed.
        values: What it says, without `defaults`; never to be changed.
    """

    source: str
    values: Mapping[Any, Any]


def compose(
    root: Path, file: Path, chain: tuple[Path, ...] = (), *, text: str | None = None
) -> tuple[dict[Any, Any], tuple[Layer, ...]]:
    """A file merged over its parents, and the layers it is made of, the winning one last.

    Args:
        root: The checkout; names are shown relative to it.
        file: The file, absolute.
        chain: Files that led here by their `defaults`.
        text: Content to use in place of the file's own.

    Raises:
        RecipeError: A file is unreadable, a parent is missing, or `defaults` form a cycle.
    """
    name = shown(root, file)
    if file in chain:
        circle = " -> ".join(shown(root, one) for one in (*chain[chain.index(file) :], file))
        raise RecipeError(f"{name}: `defaults` form a cycle ({circle}); take one of them out")
    document = read(file, name) if text is None else mapping(text, name)
    own = {key: value for key, value in document.items() if key != "defaults"}
    if "defaults" not in document or document["defaults"] == "???":
        return dict(document), (Layer(name, document),)
    merged: dict[Any, Any] = {}
    layers: tuple[Layer, ...] = ()
    for parent in _parents(name, document["defaults"]):
        above, more = compose(root, _parent_file(root, file, parent, name), (*chain, file))
        merged, layers = merge_file(name, merged, above), (*layers, *more)
    return merge_file(name, merged, own), (*layers, Layer(name, own))


def _parents(name: str, defaults: Any) -> list[str]:
    if isinstance(defaults, str):
        return [defaults]
    if isinstance(defaults, list | dict) and all(item is not None for item in defaults):
        return [str(item) for item in defaults]
    raise RecipeError(f"{name}: `defaults` is {defaults!r}; give the path of the parent recipe, or a list of paths")


def _parent_file(root: Path, file: Path, parent: str, name: str) -> Path:
    found = (file.parent / parent).resolve()
    if found.is_file():
        return found
    near = difflib.get_close_matches(found.name, [other.name for other in found.parent.glob("*.yaml")], 1)
    hint = f"; did you mean {near[0]}?" if near else "; correct the path, which is relative to the file that names it"
    raise RecipeError(f"{name}: its parent {parent!r} does not exist at {shown(root, found)}{hint}")


def merge_file(name: str, base: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    """`over` on top of `base`, with `_override_` honoured in top-level sections.

    Raises:
        RecipeError: The two do not fit; the message begins with `name`.
    """
    _check_top_level(name, over)
    replaced = _replacing(name, over)
    kept = {key: value for key, value in base.items() if key not in replaced}
    clean = _unmarked(over, replaced)
    if _regular(clean) and _regular(kept) and not _clash(kept, clean):
        return _merge(kept, clean)
    return OmegaConf.to_container(_merge_slowly(name, kept, clean), resolve=False)  # type: ignore[return-value]


def _merge_slowly(name: str, base: dict[Any, Any], over: dict[Any, Any]) -> DictConfig:
    """Omegaconf's own merge, for the rare documents whose merging is more than dictionaries on dictionaries."""
    try:
        return OmegaConf.merge(create(name, base), create(name, over))  # type: ignore[return-value]
    except (OmegaConfBaseException, TypeError, ValueError, AssertionError) as error:
        key = str(getattr(error, "full_key", "") or "a section")
        raise RecipeError(f"{name}: {key} does not fit over its parents: {first_line(error)}") from error


def _check_top_level(name: str, over: Mapping[Any, Any]) -> None:
    """Upstream looks for `_override_` in every section before merging, so `key: ${other}` has to resolve there."""
    lazy = [key for key, value in over.items() if isinstance(value, str) and "${" in value]
    for key in lazy:
        try:
            create(name, over)[key]
        except OmegaConfBaseException as error:
            raise RecipeError(
                f"{name}: top-level {key!r} refers to something this file itself does not have "
                f"({first_line(error)}); NeMo-RL resolves it before parents are merged: write the value out"
            ) from error


def _replacing(name: str, over: Mapping[Any, Any]) -> frozenset[Any]:
    """Sections of a file that are marked to replace what lies below them; a mark may be an interpolation."""
    marks = {
        key: value["_override_"] for key, value in over.items() if isinstance(value, dict) and "_override_" in value
    }
    lazy = {key for key, mark in marks.items() if isinstance(mark, str)}
    config = create(name, over) if lazy else None
    try:
        read = {key: config[key].get("_override_", False) if config and key in lazy else marks[key] for key in marks}
    except OmegaConfBaseException as error:
        raise RecipeError(f"{name}: `_override_` has no value: {first_line(error)}; write true or false") from error
    return frozenset(key for key, mark in read.items() if mark)


def _unmarked(document: Mapping[Any, Any], replacing: frozenset[Any]) -> dict[Any, Any]:
    """A document without the `_override_` marks of its replacing sections."""
    return {
        key: {name: item for name, item in value.items() if name != "_override_"} if key in replacing else value
        for key, value in document.items()
    }


def _merge(base: Mapping[Any, Any], over: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _regular(node: Any) -> bool:
    """Whether a document holds nothing that omegaconf merges in a way of its own: `???` keeps what is below it."""
    if isinstance(node, dict):
        return all(_regular(value) for value in node.values())
    if isinstance(node, list):
        return all(_regular(value) for value in node)
    return bool(node != "???")


def _clash(base: Mapping[Any, Any], over: Mapping[Any, Any]) -> bool:
    """Whether a container of `over` meets another kind of container, or text that may stand for one, in `base`."""
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            if _clash(below, value):
                return True
        elif isinstance(value, dict | list) and isinstance(below, str | dict | list) and type(value) is not type(below):
            return True
    return False


def create(name: str, document: Mapping[Any, Any]) -> DictConfig:
    try:
        return OmegaConf.create(dict(document))
    except (OmegaConfBaseException, ValueError, TypeError, RecursionError) as error:
        key = str(getattr(error, "full_key", "") or "")
        raise RecipeError(f"{name}: {key or 'a value'} cannot be used: {first_line(error)}; fix or quote it") from error


def shown(root: Path, file: Path) -> str:
    """A file's path as it is shown: relative to the checkout when inside it."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def register_resolvers() -> None:
    """The four functions NeMo-RL adds to omegaconf; registered once per process."""
    for name, function in _RESOLVERS.items():
        if not OmegaConf.has_resolver(name):
            OmegaConf.register_new_resolver(name, function)


_RESOLVERS = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "max": lambda a, b: max(a, b),  # noqa: PLW0108  (omegaconf inspects the signature; the builtin has none)
}


class _Loader(yaml.CSafeLoader):
    """The C parser with the rules of omegaconf's loader."""

    yaml_implicit_resolvers = _Reference.yaml_implicit_resolvers
    yaml_constructors = _Reference.yaml_constructors

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != _TEXT_TAG:
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    "while constructing a mapping", node.start_mark, f"found duplicate key {key.value}", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


@lru_cache(maxsize=1024)
def parse(text: str) -> Any:
    """The document in `text` as plain Python values; shared between callers, never to be changed.

    Raises:
        yaml.YAMLError: Omegaconf's own loader refuses it.
        RecursionError: The document is nested too deeply.
    """
    if _read_apart(text):
        return reference(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader with other scalar rules)
    except (yaml.YAMLError, *_UNFIT):
        return reference(text)


def reference(text: str) -> Any:
    """The same by omegaconf's own loader; slow.

    Raises:
        yaml.YAMLError: It is not YAML, or a value does not fit its tag (`!!int x`), which upstream leaves as whatever
            Python says about it.
        RecursionError: The document is nested too deeply.
    """
    try:
        return yaml.load(text, Loader=_Reference)  # noqa: S506
    except _UNFIT as error:
        raise yaml.constructor.ConstructorError(problem=f"a value that cannot be read ({error})") from error


def _read_apart(text: str) -> bool:
    """Whether the two parsers may read a text differently: `?` between brackets besides what `_ODD` finds.

    Found by reading some millions of random texts with both; no other difference was left.
    """
    return bool(_ODD.search(text)) or ("?" in text and ("[" in text or "{" in text))


def read_text(path: Path, shown: str) -> str:
    """The text of a recipe file.

    Args:
        path: Where it is.
        shown: What to call it in an error.

    Raises:
        RecipeError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{shown}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error
    except OSError as error:
        raise RecipeError(f"{shown}: cannot be read ({error.strerror or error}); check the path") from error


def read(path: Path, shown: str) -> dict[Any, Any]:
    """A recipe file as a mapping; an empty file is an empty mapping, as upstream has it.

    Raises:
        RecipeError: Not readable, not YAML, or not a mapping; the message gives file and line.
    """
    return mapping(read_text(path, shown), shown)


def mapping(text: str, shown: str) -> dict[Any, Any]:
    """The text of a recipe as a mapping; `shown` is what an error calls it.

    Raises:
        RecipeError: Not YAML, or not a mapping; the message gives file and line.
    """
    try:
        document = parse(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{shown}{_where(error)}: {_what(error)}") from error
    except RecursionError as error:
        raise RecipeError(f"{shown}: not readable as YAML ({error}); look for deep nesting") from error
    if document is None:
        return {}
    if isinstance(document, dict):
        return document
    raise RecipeError(f"{shown}: is a {type(document).__name__}, not a mapping; a recipe is `key: value` lines")


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark is not None else ""


def _what(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    if problem.startswith("found duplicate key"):
        return f"{problem.removeprefix('found ')!s} in one section; keep one of the two lines"
    return f"not YAML: {problem}; fix that line"
