"""Flags of a script: from what it prints when asked for help, and from the calls and fields that declare them."""

import ast
import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from autoresearch.errors import RecipeError
from autoresearch.ports.target import ScriptKnob
from autoresearch.targets import knobs

_ENTRY = re.compile(r"^[\s\u2502|]{0,8}(-{1,2}[A-Za-z][\w.\-]*.*?)[\s\u2502|]*$")
_FLAG = re.compile(r"(?<![\w-])(--?[A-Za-z][\w.\-]*)")
_DEFAULT = re.compile(r"[\[(](?:type: [^()\[\]]*?, )?default(?:s to|:|=)?\s*:?\s*([^\])]+?)\s*[\])]", re.IGNORECASE)
_FIELD_PARSERS = frozenset(
    {"tyro", "jsonargparse", "simple_parsing", "draccus", "pyrallis", "HfArgumentParser", "TrlParser", "datargs"}
)
_METAVARS = {"FLOAT": "float", "INT": "int", "INTEGER": "int", "TEXT": "str", "STR": "str", "PATH": "str"}
_SAID = {"float": "float", "int": "int", "integer": "int", "str": "str", "text": "str"}
_WORDLESS = frozenset({"show", "help"})
_CHOICES = re.compile(r"\{([^}]*)\}|\[(\w[\w.+-]*(?:\|\w[\w.+-]*)+)\]")
_COLUMN = re.compile(r"-{1,2}[A-Za-z][\w.-]*|<\w+>|[A-Z][A-Z_]+|\[\w[\w.+-]*(?:\|\w[\w.+-]*)+\]")
"""What stands in a column of its own behind a flag and belongs to it: its other spelling, its type, its choices."""


def flags_of(
    told: str, module: ast.Module | None, constants: Mapping[str, object], argv: Sequence[str]
) -> Iterator[ScriptKnob]:
    """Flags of the help text, with what the source says of their types and defaults."""
    declared = {flag: knob for knob in _declared(module, constants) for flag in (knob.at,)}
    helped = {knob.at: knob for knob in _helped(told)}
    for flag in dict.fromkeys((*helped, *(() if told else declared))):
        knob, source = helped.get(flag), declared.get(flag)
        one = _joined(knob, source) if knob and source else knob or source
        if one is not None and one.name not in {"help", "h", "version"}:
            yield _given(one, argv)
    yield from _typed(argv, {*helped, *declared})


def _typed(argv: Sequence[str], known: Container[str]) -> Iterator[ScriptKnob]:
    """Flags with a number that nobody declares, as `--trainer.learning_rate=0.1`: the command itself shows them."""
    for word in argv:
        flag, sign, text = word.partition("=")
        value = read_value(text) if sign else None
        if flag.startswith("--") and flag not in known and isinstance(value, int | float):
            yield ScriptKnob(name=_name(flag), place="flag", at=flag, kind=kind_of(value), default=value)


def is_default(module: ast.Module, name: str) -> bool:
    """Whether a constant is just the default of a flag, so that the flag is the knob."""
    return any(
        one.arg == "default" and isinstance(one.value, ast.Name) and one.value.id == name
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for one in node.keywords
    )


def read_value(text: str) -> object:
    """A value as a help text or a variable spells it; None for none."""
    bare = text.strip().strip("'\"")
    if bare in {"None", "null", "required", ""}:
        return None
    if bare in {"True", "False"}:
        return bare
    for kind in (int, float):
        try:
            number = kind(bare)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return bare


def valued(node: ast.expr | None, constants: Mapping[str, object]) -> Any:
    """What an expression plainly says: a literal, or a constant of the module; None for everything else."""
    if node is None:
        return None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    with suppress(ValueError):
        found = ast.literal_eval(node)
        return found if isinstance(found, bool | int | float | str) else None
    return None


def kind_of(value: object) -> str:
    """The name of a value's type, empty for one that no knob has."""
    if isinstance(value, bool):
        return "bool"
    return next((name for name, kind in (("int", int), ("float", float), ("str", str)) if isinstance(value, kind)), "")


def _joined(knob: ScriptKnob, source: ScriptKnob) -> ScriptKnob:
    return replace(
        knob,
        kind=source.kind or knob.kind,
        default=knob.default if source.default is None else source.default,
        choices=source.choices or knob.choices,
        off=knob.off or source.off,
    )


def _given(knob: ScriptKnob, argv: Sequence[str]) -> ScriptKnob:
    """A flag with the value that the command itself gives it."""
    said, dashed = None, knob.at.replace("_", "-")
    for at, given in enumerate(argv):
        flag = given.partition("=")[0]
        word = knob.at + given[len(flag) :] if flag.startswith("--") and flag.replace("_", "-") == dashed else given
        if word == knob.at and knob.kind == "bool":
            return replace(knob, default=True)
        if word == knob.off and knob.off:
            return replace(knob, default=False)
        if word == knob.at and at + 1 < len(argv):
            said = argv[at + 1]
        if word.startswith(f"{knob.at}="):
            said = word.partition("=")[2]
    if said is None:
        return knob
    try:
        value = knobs.checked(replace(knob, choices=()), said)
    except RecipeError:
        return knob
    return replace(knob, default=value, kind=knob.kind or kind_of(value))


def _helped(told: str) -> Iterator[ScriptKnob]:
    for text in _entries(told):
        head = _head(text)
        flags = [flag for flag in _FLAG.findall(re.sub(_CHOICES, " ", head)) if flag.strip("-")]
        if not flags:
            continue
        long = [flag for flag in flags if flag.startswith("--")] or flags
        off = next((flag for flag in long if flag.startswith("--no-") and f"--{flag[5:]}" in long), "")
        on = next((flag for flag in long if flag != off), long[0])
        choices = _CHOICES.search(head)
        takes = bool(re.search(r"(?:^|[\s=\[])(?:[A-Z<][A-Z0-9_.|>]*\]?|<(?!bool)\w+>)", re.sub(_FLAG, " ", head)))
        word = re.sub(_FLAG, " ", head).strip(" ,=")
        worded = re.fullmatch(r"[a-z][\w.]*(?:\[[\w., ]+\])?", word) is not None and word not in _WORDLESS
        takes = (takes and "<bool>" not in head) or choices is not None or worded
        default = _DEFAULT.search(text)
        metavar = "str" if word == "bool" else _SAID.get(word, "") or _told_kind(head, text)
        knob = ScriptKnob(name=_name(on), place="flag", at=on, kind=metavar, off=off)
        if not takes:
            yield replace(
                knob, kind="bool", default=default is not None and default.group(1).strip().lower() in _yes(on)
            )
            continue
        value = read_value(default.group(1)) if default else None
        options = tuple(map(read_value, re.split(r"[,|]", choices.group(1) or choices.group(2)))) if choices else ()
        options = ("true", "false") if word == "bool" else options
        value = str(value).lower() if set(options) == {"true", "false"} and value is not None else value
        yield replace(knob, default=value, kind=metavar or kind_of(value), choices=tuple(filter(_is_plain, options)))


def _head(text: str) -> str:
    """The flags of an entry with what they take, without what is said of them."""
    columns = re.split(r"\s{2,}|\s(?=[\[(]default)", text)
    behind = next((at for at, one in enumerate(columns[1:], 1) if not _COLUMN.fullmatch(one)), len(columns))
    return " ".join(columns[:behind])


def _told_kind(head: str, text: str) -> str:
    """A type as a help text says it, `--lr FLOAT`, `<float>`, `(type: float)`; empty where it says none."""
    metavar = next((kind for word, kind in _METAVARS.items() if re.search(rf"\b{word}\b", head)), "")
    said = re.search(r"<(\w+)>", head) or re.search(r"\(type: (\w+)", text)
    return metavar or (_SAID.get(said.group(1).lower(), "") if said else "")


def _yes(flag: str) -> set[str]:
    return {"true", flag, flag.lstrip("-")}


def _is_plain(value: object) -> bool:
    return value is not None


def _entries(told: str) -> Iterator[str]:
    """What the help text says of one flag each, wrapped lines joined."""
    entry = ""
    for line in told.splitlines():
        if found := _ENTRY.match(line):
            yield from filter(None, (entry,))
            entry = found.group(1)
        elif entry and line.strip(" \u2502|") and line[:1] in " \t\u2502|":
            entry += "  " + line.strip(" \u2502|")
        else:
            yield from filter(None, (entry,))
            entry = ""
    yield from filter(None, (entry,))


def _name(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _declared(module: ast.Module | None, constants: Mapping[str, object]) -> Iterator[ScriptKnob]:
    """Flags that the source declares: calls of argparse and click, and fields of dataclasses."""
    parsed = module is not None and _parses_fields(module)
    for node in ast.walk(module) if module else ():
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if called and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"add_argument", "option"}:
                yield from _from_call(node, constants)
        elif (
            parsed
            and isinstance(node, ast.ClassDef)
            and any("dataclass" in ast.unparse(one) for one in node.decorator_list)
        ):
            yield from _from_fields(node, constants)


def _parses_fields(module: ast.Module) -> bool:
    """Whether the module makes flags of the fields of classes."""
    named = {
        one.name.partition(".")[0] for node in ast.walk(module) if isinstance(node, ast.Import) for one in node.names
    }
    named |= {str(node.module).partition(".")[0] for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    named |= {one.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for one in node.names}
    return bool(named & _FIELD_PARSERS)


def _from_call(node: ast.Call, constants: Mapping[str, object]) -> Iterator[ScriptKnob]:
    words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    flags = [flag for word in words for flag in re.split(r"\s*/\s*", word) if flag.startswith("-")]
    if not flags:
        return
    said = {one.arg: one.value for one in node.keywords if one.arg}
    at = next((flag for flag in flags if flag.startswith("--")), flags[0])
    default = valued(said.get("default"), constants)
    action = valued(said.get("action"), constants)
    kind = ast.unparse(said["type"]).lower().rpartition(".")[2] if "type" in said else ""
    off = next((flag for flag in flags if flag.startswith("--no-")), "")
    if (
        action in {"store_true", "store_false"}
        or said.get("is_flag")
        or off
        or "BooleanOptionalAction" in ast.dump(node)
    ):
        off = off or (f"--no-{at[2:]}" if "BooleanOptionalAction" in ast.dump(node) else "")
        if action != "store_false":
            yield ScriptKnob(name=_name(at), place="flag", at=at, kind="bool", default=bool(default), off=off)
        return
    choices = said.get("choices")
    options = [valued(one, constants) for one in choices.elts] if isinstance(choices, ast.List | ast.Tuple) else []
    kind = kind if kind in {"float", "int", "str"} else kind_of(default)
    default = float(default) if kind == "float" and isinstance(default, int) else default
    yield ScriptKnob(
        name=_name(at), place="flag", at=at, kind=kind, default=default, choices=tuple(filter(_is_plain, options))
    )


def _from_fields(node: ast.ClassDef, constants: Mapping[str, object]) -> Iterator[ScriptKnob]:
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            kind = ast.unparse(field.annotation)
            inner = field.value
            if isinstance(inner, ast.Call):
                inner = next((one.value for one in inner.keywords if one.arg == "default"), None)
            value = valued(inner, constants)
            kind = kind_of(value) if kind.startswith("Literal[") else kind
            if kind in {"float", "int", "str"}:
                value = float(value) if kind == "float" and isinstance(value, int) else value
                for at in (f"--{field.target.id}", f"--{field.target.id.replace('_', '-')}"):
                    yield ScriptKnob(name=field.target.id, place="flag", at=at, kind=kind, default=value)
