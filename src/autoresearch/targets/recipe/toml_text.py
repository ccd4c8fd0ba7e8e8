"""Edits of a TOML text that leave every other byte alone: one value of one key is replaced where it stands.

The place is found line by line and the result is parsed again: an edit that changes anything but the key it is meant
for is refused, so the search for the place need not know all of TOML.
"""

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

import yaml

from autoresearch.errors import RecipeError

_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")
_VALUE = re.compile(
    r"(\s*([\w\-.\"' ]+?)\s*=\s*)(\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\]]*\]|[^#\n]*?)(\s*(?:#.*)?\r?\n?)$"
)


def edit_text(text: str, overrides: Sequence[str]) -> str:
    """The text with overrides applied in order: `key=value` with a dotted key that exists.

    Raises:
        RecipeError: One cannot be read, or its key does not stand on a line of its own.
    """
    for override in overrides:
        text = _applied(text, override)
    return text


def _applied(text: str, override: str) -> str:
    key, sign, said = override.partition("=")
    steps = key.split(".")
    goal = tomllib.loads(text)
    place: Any = goal
    for step in steps[:-1]:
        place = place.get(step) if isinstance(place, dict) else None
    if not sign or not isinstance(place, dict) or steps[-1] not in place:
        raise RecipeError(f"{override!r}: write it as key=value with a key that the configuration file has")
    value = _value(said, place[steps[-1]])
    if _same(place[steps[-1]], value):
        return text
    place[steps[-1]] = value
    for edited in _candidates(text, steps, _written(value, override)):
        if _same(_parsed(edited), goal):
            return edited
    raise RecipeError(
        f"{override!r}: the key does not stand on a line of its own in the configuration file; use a patch"
    )


def _candidates(text: str, steps: Sequence[str], written: str) -> list[str]:
    """The text with the value replaced on every line that may be the key's."""
    lines, table, found = text.splitlines(keepends=True), "", []
    for at, line in enumerate(lines):
        if opened := _TABLE.match(line):
            table = _bare(opened.group(1))
        elif (said := _VALUE.match(line)) and ".".join(filter(None, (table, _bare(said.group(2))))) == ".".join(steps):
            found.append("".join((*lines[:at], said.group(1), written, said.group(4), *lines[at + 1 :])))
    return found


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _value(said: str, now: object) -> Any:
    bare = said.strip()
    for kind in (int, float):
        try:
            number = kind(bare)
        except ValueError:
            continue
        return float(number) if isinstance(now, float) else number
    try:
        return yaml.safe_load(bare)
    except yaml.YAMLError:
        return bare


def _written(value: Any, override: str) -> str:
    if isinstance(value, bool | str | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    raise RecipeError(f"{override!r}: the value is nothing that stands on one line of TOML")


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same kind: TOML tells 1, 1.0 and true apart."""
    return repr(one) == repr(other)
