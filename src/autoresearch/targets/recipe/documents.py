"""YAML files as NeMo-RL reads them: omegaconf's dialect of YAML, parsed by libyaml where it can be.

Omegaconf's own loader is the reference: it refuses duplicate keys, reads `1e-6` as a number and a date as text. The
same rules are put on the C parser, which is about eight times faster. What the C parser refuses is read once more by
the reference, and so is what the C parser is known to read otherwise (`_read_apart`), so that a verdict (and its words)
is always the one upstream would give.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from autoresearch.errors import RecipeError

_Reference: Any = get_yaml_loader()
_TEXT_TAG = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
_ODD = re.compile(r"[\t\ufeff!]|[|>][-+0-9]*#")
"""A tab, a byte order mark, a tag, a comment glued to the head of a block: the C parser reads these otherwise."""

_UNFIT = (ValueError, TypeError, LookupError, AttributeError)
"""What constructors let through about a value that does not fit its tag."""


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
