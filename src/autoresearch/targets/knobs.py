"""Settings of a script wherever they live, read and turned: flags, arguments, variables, constants, keys of files.

What is turned on the command line or in the environment has no file of its own in the repository. It is written into
`autoresearch.knobs`, a line for each, so that the commit of an idea holds all of the idea and a run can be made again
from the commit alone.
"""

import ast
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.machine import disk
from autoresearch.ports.target import SETTINGS, ScriptKnob
from autoresearch.targets.constants import constants
from autoresearch.targets.recipe import json_text, shell_text, toml_text

PLACES = ("flag", "argument", "env", "constant", "key")
KINDS = ("float", "int", "bool", "str")
_ELSEWHERE = ("flag", "argument", "env")
_SHELL = (".sh", ".bash")
_YES_OR_NO = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def read_knobs(document: Mapping[str, Any]) -> tuple[ScriptKnob, ...]:
    """The knobs that the option `knobs` names.

    Raises:
        CampaignError: One is not understood; the text names it.
    """
    return tuple(_knob(str(name), said) for name, said in document.items())


def _knob(name: str, said: Any) -> ScriptKnob:
    places = [place for place in PLACES if isinstance(said, Mapping) and place in said]
    known = {*PLACES, "file", "type", "default", "choices", "off", "fixed"}
    wrong = sorted(set(said) - known) if isinstance(said, Mapping) else ["its form"]
    if len(places) != 1 or wrong:
        why = f"it has no key {wrong[0]!r}" if wrong and places else f"say one of {', '.join(PLACES)}"
        raise CampaignError(f"target.knobs, {name}: {why}; for example {{flag: --lr, type: float, default: 0.1}}")
    one = ScriptKnob(
        name=name,
        place=places[0],
        at=str(said[places[0]]),
        file=str(said.get("file", "")),
        kind=str(said.get("type", "")),
        default=said.get("default"),
        choices=tuple(said.get("choices", ())),
        off=str(said.get("off", "")),
        fixed=said.get("fixed") is True,
    )
    if one.kind not in {"", *KINDS}:
        raise CampaignError(f"target.knobs, {name}: type is one of {', '.join(KINDS)}, not {one.kind!r}")
    if one.place in {"constant", "key"} and not one.file:
        raise CampaignError(f"target.knobs, {name}: a {one.place} needs `file`, the file that holds it")
    return one


def values(knobs: Iterable[ScriptKnob], tree: Path) -> dict[str, object]:
    """What each knob is set to in a tree; those of which nothing says it are left out.

    Raises:
        RecipeError: A file that holds one cannot be read, or does not hold it.
    """
    turned, found = _turned(tree), dict[str, object]()
    for knob in knobs:
        if knob.place == "constant":
            found[knob.name] = _found(knob, _bytes(tree, knob.file))[0]
        elif knob.place == "key":
            found[knob.name] = _at(read_document(tree, knob.file), knob.at, knob.file)
        elif knob.name in turned:
            found[knob.name] = checked(knob, turned[knob.name])
        elif knob.default is not None:
            found[knob.name] = knob.default
    return found


def turn(knobs: Mapping[str, ScriptKnob], tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
    """Set knobs in a tree, each with the smallest edit; returns the files changed.

    Raises:
        RecipeError: A value does not fit its knob, its place cannot be edited, or it is fixed; nothing is changed then.
    """
    for override in overrides:
        if (knob := knobs[_name(override)]).fixed:
            raise RecipeError(
                f"{override!r} is refused: {knob.name} says which file or folder is read, and with another one the "
                f"number would measure something else; a person may allow it in the campaign file: "
                f"take `fixed` out of target.knobs, {knob.name}"
            )
    edits = {path: _bytes(tree, path) for path in {_home(knobs[_name(one)]) for one in overrides}}
    before = dict(edits)
    for override in overrides:
        knob = knobs[_name(override)]
        path = _home(knob)
        edits[path] = _edited(knob, edits[path], override)
    changed = tuple(sorted(path for path in edits if edits[path] != before[path]))
    for path in changed:
        disk.replace(tree / path, edits[path])
    return changed


def splice(knob: ScriptKnob, tree: Path, seed: int) -> tuple[str, str, str, str]:
    """How a file becomes one with a seed: its path, the bytes before, what stands there, where it goes on.

    Raises:
        RecipeError: The file does not hold the seed where it should.
    """
    before = _bytes(tree, knob.file)
    after = _edited_constant(knob, before, str(seed)) if knob.place == "constant" else _with_key(knob, before, seed)
    shared = min(len(before), len(after))
    start = next((at for at in range(shared) if before[at] != after[at]), shared)
    back = next((at for at in range(shared - start) if before[-1 - at] != after[-1 - at]), shared - start)
    middle = after[start : len(after) - back]
    return knob.file, str(start), middle.decode(), str(len(before) - back + 1)


def _with_key(knob: ScriptKnob, before: bytes, seed: int) -> bytes:
    with TemporaryDirectory(prefix="autoresearch-seed-") as place:
        path = Path(place, Path(knob.file).name)
        path.write_bytes(before)
        edit_document(path.parent, path.name, [f"{knob.at}={seed}"])
        return path.read_bytes()


def arguments(knobs: Sequence[ScriptKnob], tree: Path, argv: Sequence[str]) -> tuple[str, ...]:
    """A command with what was turned of its flags and arguments: in the place where it names them, else at its end."""
    turned, words = _turned(tree), list(argv)
    for knob in knobs:
        if knob.name in turned and knob.place in {"flag", "argument"}:
            value = checked(knob, turned[knob.name])
            words = _with_flag(words, knob, value) if knob.place == "flag" else _with_argument(words, knob, value)
    return tuple(words)


def environment(knobs: Sequence[ScriptKnob], tree: Path) -> dict[str, str]:
    """The variables that were turned."""
    turned = _turned(tree)
    return {
        knob.at: spell(checked(knob, turned[knob.name]))
        for knob in knobs
        if knob.place == "env" and knob.name in turned
    }


def checked(knob: ScriptKnob, text: str) -> object:
    """A value as its knob takes it.

    Raises:
        RecipeError: It does not fit.
    """
    value = _parsed(text)
    kind = knob.kind or _kind_of(knob.default)
    if kind == "str":
        value = text.strip("'\"") if isinstance(value, str) else text
    elif kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = {"float": float, "int": int, "bool": bool, "str": str}.get(kind)
    if fits and (not isinstance(value, fits) or (kind == "int" and isinstance(value, bool))):
        raise RecipeError(f"'{knob.name}={text}': {knob.at} takes {_TOLD[kind]}; correct the value")
    if knob.choices and value not in knob.choices:
        known = ", ".join(map(spell, knob.choices))
        raise RecipeError(f"'{knob.name}={text}': {knob.at} is one of {known}; correct the value")
    return value


_TOLD = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text"}


def spell(value: object) -> str:
    """A value as every reader takes it: floats with a point and a signed exponent (`1.0e-05`), as YAML 1.1 has them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        mantissa, sign, power = f"{value!r}".partition("e")
        signed = power if power[:1] in {"", "-"} else f"+{power.lstrip('+')}"
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{sign}{signed}"
    return "null" if value is None else str(value)


def read_document(tree: Path, path: str) -> dict[str, Any]:
    """A YAML, JSON or TOML file with keys and values at its top, or the settings in a shell script.

    Raises:
        RecipeError: It cannot be read, or holds something else.
    """
    try:
        text = (tree / path).read_text(encoding="utf-8")
        document: Any = parse_document(path, text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path} does not hold keys and values at its top level")
    return document


def parse_document(path: str, text: str) -> Any:
    """What a text says, by the suffix of its file."""
    if path.endswith(".json"):
        return json.loads(text)
    if path.endswith(_SHELL):
        return shell_text.read_text(text)
    return tomllib.loads(text) if path.endswith(".toml") else yaml.load(text, _Loader)  # noqa: S506 - a safe one


class _Loader(yaml.CSafeLoader):
    """YAML 1.1, but for `1e-6`: a number in YAML 1.2, and to who wrote it, though a text in YAML 1.1."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def edit_document(tree: Path, path: str, overrides: Sequence[str]) -> bool:
    """Write overrides into a YAML, JSON, TOML file or shell script with the smallest edit; whether it changed.

    Raises:
        RecipeError: One is wrong, or cannot be expressed in this file; the file is untouched.
    """
    if not path.endswith((".json", ".toml", *_SHELL)):
        # The editor brings the whole recipe language along; a target without overrides does not need it.
        from autoresearch.targets.recipe.edit import apply_overrides  # noqa: PLC0415

        known = dict(flat(read_document(tree, path)))
        return apply_overrides(tree / path, [_respelled(one, known) for one in overrides])
    read_document(tree, path)
    before = (tree / path).read_bytes()
    edits = {".json": json_text.edit_text, ".toml": toml_text.edit_text}
    edit = edits.get(Path(path).suffix, shell_text.edit_text)
    after = edit(before.decode(), overrides).encode()
    if after != before:
        disk.replace(tree / path, after, lasting=False)  # its commit will last
    return after != before


def _respelled(override: str, known: Mapping[str, object]) -> str:
    """What YAML 1.1 or an override takes for a text, and its writer does not, as all readers take it: `1e-3`, `no`."""
    key, _, said = override.partition("=")
    word, before = said.strip(), known.get(key.lstrip("+"))
    if isinstance(before, bool) and word.lower() in _YES_OR_NO:
        return f"{key}={_YES_OR_NO[word.lower()]}"
    if isinstance(before, int | float) and re.fullmatch(r"[-+]?(?:0[0-9]+|\d+(?::\d+)+)", word):
        raise RecipeError(
            f"{override}: YAML 1.1 and 1.2 read {word} differently; write a decimal number, or quote a text"
        )
    bare = re.fullmatch(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+", word)
    return f"{key}={spell(float(word))}" if bare and math.isfinite(float(word)) else override


def _found(knob: ScriptKnob, content: bytes) -> tuple[object, ast.expr]:
    try:
        known = constants(content.decode())
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"{knob.file} cannot be read for {knob.at}: {error}") from error
    if knob.at not in known:
        raise RecipeError(
            f"{knob.file} gives {knob.at} no plain value at its top, once; change it with a patch, or take the knob out"
        )
    return known[knob.at]


def _edited_constant(knob: ScriptKnob, content: bytes, text: str) -> bytes:
    """The module with just the literal replaced; every other byte stays."""
    now, place = _found(knob, content)
    value = checked(replace(knob, kind=knob.kind or _kind_of(now)), text)
    assert place.end_lineno is not None and place.end_col_offset is not None  # noqa: PT018, S101 - parsed from a text
    lines = content.splitlines(keepends=True)  # positions are bytes of a line
    start = sum(map(len, lines[: place.lineno - 1])) + place.col_offset
    end = sum(map(len, lines[: place.end_lineno - 1])) + place.end_col_offset
    if type(now) is type(value) and now == value:
        return content
    edited = content[:start] + repr(value).encode() + content[end:]
    if _found(knob, edited)[0] != value:
        raise RecipeError(f"{knob.file}: {knob.at} cannot be edited as text; change it with a patch")
    return edited


def _edited(knob: ScriptKnob, content: bytes, override: str) -> bytes:
    _, sign, text = override.partition("=")
    if not sign and not override.startswith("~"):
        raise RecipeError(f"{override!r}: write it as key=value")
    if knob.place == "constant":
        return _edited_constant(knob, content, text)
    lines = dict(_lines(content.decode()))
    if sign:
        lines[knob.name] = spell(checked(knob, text))
    else:
        lines.pop(knob.name, None)
    return "".join(f"{name}={value}\n" for name, value in sorted(lines.items())).encode()


def _home(knob: ScriptKnob) -> str:
    return SETTINGS if knob.place in _ELSEWHERE else knob.file


def _name(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _bytes(tree: Path, path: str) -> bytes:
    try:
        return (tree / path).read_bytes()
    except FileNotFoundError:
        if path == SETTINGS:
            return b""
        raise RecipeError(f"there is no file {path} to turn a knob in; correct target.knobs") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error


def _turned(tree: Path) -> dict[str, str]:
    return dict(_lines(_bytes(tree, SETTINGS).decode("utf-8", "replace")))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            yield name.strip(), value.strip()


def _at(document: Any, key: str, file: str) -> object:
    for step in key.split("."):
        if not isinstance(document, Mapping) or step not in document:
            raise RecipeError(f"{file} has no key {key}; correct target.knobs")
        document = document[step]
    found: object = document
    return found


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    return next((name for name, kind in (("int", int), ("float", float), ("str", str)) if isinstance(value, kind)), "")


def _parsed(text: str) -> object:
    """A value as a person writes it: numbers in every spelling that Python takes but for separators, else YAML."""
    bare = text.strip()
    for kind in (int, float):
        try:
            found = kind(bare)
        except ValueError:
            continue
        if "_" not in bare and math.isfinite(found):
            return found
    try:
        value: object = yaml.safe_load(bare)
    except yaml.YAMLError:
        return bare
    return value if isinstance(value, bool | str | list) or value is None else bare


def _with_flag(words: list[str], knob: ScriptKnob, value: object) -> list[str]:
    if isinstance(value, bool) and (knob.kind == "bool" or isinstance(knob.default, bool)):
        kept = [word for word in words if word not in {knob.at, knob.off}]
        if not value and not knob.off and knob.default is True:
            raise RecipeError(f"{knob.at} has no flag that switches it off; name it with `off` in target.knobs")
        return [*kept, *filter(None, [knob.at if value else knob.off])]
    said = spell(value)
    for at, word in enumerate(words):
        if word == knob.at and at + 1 < len(words):
            return [*words[:at], *_pair(knob.at, said), *words[at + 2 :]]
        if word.startswith(f"{knob.at}="):
            return [*words[:at], f"{knob.at}={said}", *words[at + 1 :]]
    return [*words, *_pair(knob.at, said)]


def _pair(flag: str, said: str) -> tuple[str, ...]:
    """A value that begins with a dash would be taken for a flag of its own."""
    return (f"{flag}={said}",) if said.startswith("-") else (flag, said)


def _with_argument(words: list[str], knob: ScriptKnob, value: object) -> list[str]:
    name = re.compile(rf"\+{{0,2}}{re.escape(knob.at)}=")
    said = f"{knob.at}={spell(value)}"
    here = [at for at, word in enumerate(words) if name.match(word)]
    if here:
        return [said if at == here[-1] else word for at, word in enumerate(words)]
    return [*words, said]


def flat(document: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Keys and values of a document, keys below others with dots between."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
