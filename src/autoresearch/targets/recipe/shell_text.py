"""Settings in a shell script, read and edited: words such as `trainer.total_epochs=15`, in arrays or behind a command.

The script is not parsed as a shell would: a setting is a word with a dotted key and a plain value. What has a variable
in its value belongs to the script and is left alone. Of two words of one key the later one holds, as it does for Hydra.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from autoresearch.errors import RecipeError

_WORD = re.compile(
    r"""(?<![^\s("'])(\+{0,2})([A-Za-z_]\w*(?:\.\w+)+)=("(?:[^"\\$`\n])*"|'[^'\n]*'|[^\s"'\\()$`;&|<>]+)(?=["'\s\\)]|$)"""
)
_PLAIN = re.compile(r"[\w./:+@%,-]+")


class _Setting(NamedTuple):
    key: str
    value: str
    start: int
    end: int


def read_text(text: str) -> dict[str, Any]:
    """Settings as nested keys, with values as YAML reads them."""
    document: dict[str, Any] = {}
    for one in _settings(text):
        place: Any = document
        *above, last = one.key.split(".")
        for step in above:
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if isinstance(place, dict) and not isinstance(place.get(last), dict):
            place[last] = _value(one.value)
    return document


def edit_text(text: str, overrides: Sequence[str]) -> str:
    """The text with overrides applied in order: `key=value` with a key that the script sets to a plain value.

    Raises:
        RecipeError: One cannot be read, or the script has no such setting.
    """
    for override in overrides:
        key, sign, said = override.partition("=")
        found = [one for one in _settings(text) if one.key == key.lstrip("+")]
        if not sign or not found:
            raise RecipeError(f"{override!r}: write it as key=value with a key that the script sets to a plain value")
        if "'" in said or "\n" in said:
            raise RecipeError(f"{override!r}: the value is nothing that stands in one word of a shell script")
        one = found[-1]
        if _value(one.value) != _value(said):
            written = said if _PLAIN.fullmatch(said) else f"'{said}'"
            text = text[: one.start] + written + text[one.end :]
    return text


def _settings(text: str) -> Iterator[_Setting]:
    at = 0
    for line in text.splitlines(keepends=True):
        code = _without_comment(line)
        for found in _WORD.finditer(code):
            yield _Setting(found.group(2), found.group(3).strip("\"'"), at + found.start(3), at + found.end(3))
        at += len(line)


def _without_comment(line: str) -> str:
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number) and "_" not in text:
            return number
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
