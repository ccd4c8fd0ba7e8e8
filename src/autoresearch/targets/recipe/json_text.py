"""Edits of a JSON text that leave every other byte alone: order, indentation, spelling of numbers, line ends.

A file that is parsed and printed again differs in every line, and a change of one key then counts as many: in the
limits of the scope, in what an idea adds and removes, and in a merge with another idea. The place of a value is found
by the parser of the standard library, so that there is one opinion of what JSON is.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from autoresearch.errors import RecipeError

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class _Item:
    """One member of an object, or item of an array: where it begins, which is at its key, and where its value is."""

    key: str | int
    begin: int
    start: int
    end: int


def edit_text(text: str, overrides: Sequence[str]) -> str:
    """The text with overrides applied in order: `key=value`, `+key=value` to add, `~key` to delete.

    Keys are dotted; a number is an item of a list. Values are YAML, in which JSON is contained.

    Args:
        text: A JSON document with an object at its top.
        overrides: What to change.

    Raises:
        RecipeError: One of them cannot be read or does not fit the document.
    """
    for override in overrides:
        text = _applied(text, override)
    return text


def put(text: str, steps: Steps, value: Any, spelled: str = "") -> str:
    """The text with a value at a place, changed as little as that takes.

    Args:
        text: A JSON document.
        steps: Keys and indices from the top; all but the last exist.
        value: What is to stand there.
        spelled: How it is to be written, where that matters (numbers).

    Raises:
        KeyError: There is no such place.
        ValueError: JSON cannot hold the value.
    """
    found = _find(text, steps[:-1], steps[-1])
    if found is None:
        return _added(text, steps, _written(text, value, spelled))
    now = _DECODER.raw_decode(text, found.start)[0]
    if _same(now, value):
        return text
    if isinstance(now, dict) and isinstance(value, dict) and value:
        for gone in now.keys() - value.keys():
            text = remove(text, (*steps, gone))
        for key, inner in value.items():
            text = put(text, (*steps, key), inner)
        return text
    if isinstance(now, list) and isinstance(value, list) and len(now) == len(value):
        for index, inner in enumerate(value):
            text = put(text, (*steps, index), inner)
        return text
    return text[: found.start] + _written(text, value, spelled) + text[found.end :]


def remove(text: str, steps: Steps) -> str:
    """The text without a member of an object, its comma included; one that was written twice goes twice.

    Raises:
        KeyError: There is no such member.
    """
    begin = _place(text, steps[:-1])
    places = [index for index, item in enumerate(_items(text, begin)) if item.key == steps[-1]]
    if not places or text[begin] != "{":
        raise KeyError(steps[-1])
    for index in reversed(places):
        start, end = _span(text, begin, index)
        text = text[:start] + text[end:]
    return text


def _span(text: str, begin: int, index: int) -> tuple[int, int]:
    """What goes with a member: up to the next one; of the last one, from the one before; of the only one, all."""
    items = list(_items(text, begin))
    if index + 1 < len(items):
        return items[index].begin, items[index + 1].begin
    if index:
        return items[index - 1].end, items[index].end
    return begin + 1, _after_space(text, items[index].end)


def _applied(text: str, override: str) -> str:
    key, found, value = override.partition("=")
    delete, added = key.startswith("~"), key.startswith("+")
    names = key.lstrip("+~").split(".")
    if not all(names) or bool(found) is delete:
        raise RecipeError(f"{override!r}: write it as key=value with a key that exists, +key=value to add one, or ~key")
    steps, missing = _steps(json.loads(text), names, override, added=added)
    if word := _no_number(value):
        raise RecipeError(
            f"{override[:200]!r}: JSON has no {word}; give a finite number, or '{word}' in quotes for a text"
        )
    try:
        if delete:
            return remove(text, steps)
        number = _number(value)
        new: Any = yaml.safe_load(value) if number is None else number
        for name in reversed(missing):
            new = {name: new}
        return put(text, steps, new, "" if number is None or missing else value.strip())
    except KeyError as error:
        raise RecipeError(f"{override!r}: the configuration file has no such key; +key=value adds one") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise RecipeError(f"{override[:200]!r}: the value is not understood, or nothing JSON can hold") from error


def _steps(document: Any, names: Sequence[str], override: str, *, added: bool) -> tuple[Steps, Sequence[str]]:
    """The place a key names, and the names below it that do not exist yet: those become sections."""
    steps: Steps = ()
    place = document
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            steps, place = (*steps, int(name)), place[int(name)]
        elif isinstance(place, dict) and name in place:
            steps, place = (*steps, name), place[name]
        elif isinstance(place, dict) and added:
            return (*steps, name), names[depth + 1 :]
        elif last and isinstance(place, dict):
            told = f"{override!r}: there is no key {name!r} in the configuration file{_near(place, name)}"
            raise RecipeError(f"{told}; +key=value adds one")
        else:
            told = f"{override!r}: there is no section {name!r} in the configuration file"
            raise RecipeError(f"{told}{_near(place, name)}")
    return steps, ()


def _near(place: Any, name: str) -> str:
    """The key of a section that was probably meant, as a question; empty where none is near."""
    near = get_close_matches(name, list(place), n=1) if isinstance(place, dict) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _number(value: str) -> int | float | None:
    """A number in JSON's spelling; YAML takes `1e-4` for a text."""
    try:
        found = json.loads(value, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _no_number(value: str) -> str:
    """A bare word for what is no finite number, also inside a list; YAML would take it for a text."""
    try:
        bare = [one.value for one in yaml.parse(value) if isinstance(one, yaml.ScalarEvent) and one.style is None]
    except yaml.YAMLError:
        return ""
    return next((word for word in bare if re.fullmatch(r"[+-]?\.?(nan|inf|infinity)", word, re.IGNORECASE)), "")


def _same(now: Any, value: Any) -> bool:
    """Equal, and of the same kind: JSON tells 1, 1.0 and true apart."""
    return json.dumps(now, sort_keys=True) == json.dumps(value, sort_keys=True)


def _written(text: str, value: Any, spelled: str) -> str:
    written = spelled or json.dumps(value, ensure_ascii=text.isascii(), allow_nan=False)
    written.encode()
    return written


def _added(text: str, steps: Steps, written: str) -> str:
    """A new member behind the last one, laid out as that one is."""
    begin = _place(text, steps[:-1])
    if text[begin] != "{":
        raise KeyError(steps[-1])
    items = list(_items(text, begin))
    name = json.dumps(steps[-1], ensure_ascii=text.isascii())
    if not items:
        return f"{text[: begin + 1]}{name}: {written}{text[begin + 1 :]}"
    last = items[-1]
    before = _after_space(text, items[-2].end) if len(items) > 1 else begin  # a comma or the bracket
    space = text[before + 1 : last.begin]
    colon = text[_DECODER.raw_decode(text, last.begin)[1] : last.start]
    space = space or (" " if colon.endswith(" ") else "")
    return f"{text[: last.end]},{space}{name}{colon}{written}{text[last.end :]}"


def _place(text: str, steps: Steps) -> int:
    """Where the value at a place begins."""
    start = _after_space(text, 0)
    for step in steps:
        start = _item(text, start, step).start
    return start


def _find(text: str, steps: Steps, last: str | int) -> _Item | None:
    """The item at a place; None for a member that an object lacks."""
    begin = _place(text, steps)
    try:
        return _item(text, begin, last)
    except KeyError:
        if text[begin] == "{":
            return None
        raise


def _item(text: str, begin: int, key: str | int) -> _Item:
    found = [item for item in _items(text, begin) if item.key == key and type(item.key) is type(key)]
    if not found:
        raise KeyError(key)
    return found[-1]  # of a key that is written twice, parsers take the last


def _items(text: str, begin: int) -> Iterator[_Item]:
    """Members or items of the object or array that begins at a place; of anything else none."""
    kind = text[begin]
    if kind not in "{[":
        return
    place, index = _after_space(text, begin + 1), 0
    while text[place] not in "}]":
        key: str | int = index
        start = place
        if kind == "{":
            key, after = _DECODER.raw_decode(text, place)
            start = _after_space(text, _after_space(text, after) + 1)
        end = _DECODER.raw_decode(text, start)[1]
        yield _Item(key, place, start, end)
        after = _after_space(text, end)
        place = _after_space(text, after + 1) if text[after] == "," else after
        index += 1


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
