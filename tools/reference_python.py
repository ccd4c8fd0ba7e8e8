"""The page of the public Python names, from their signatures and docstrings; `tools/reference.py` writes it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel

import autoresearch

_HEAD = """\
# Python

```python
import autoresearch as ar
```

[A campaign from Python](../tutorial-python.md) shows these at work. All names are typed and loaded when they are first
asked for; nothing prints. Values are frozen. A plan, a status and a comparison are shown in words by `print` and by a
notebook. Failures are classes of `ar.errors`, see [exit codes and failures](exit-codes.md);
`ar.errors.AutoresearchError` is the base of all. `ar.Event` is any event of the [journal](journal.md).

**What is public**: the names of `autoresearch.__all__`, and of them what this page lists. Everything else may change in
any version, also the methods of a campaign that take or return what is not listed here: they are for the command line
and the MCP server. While the version begins with 0, a minor version (0.2 to 0.3) may change a public name, and then the
[changelog](../../CHANGELOG.md) says how; a patch (0.2.0 to 0.2.1) does not. From 1.0 on, a public name goes or changes
its meaning only with a new major version.
"""
_BREAK = "\n\n"
_PLAIN = ("Callable", "False", "None", "Path", "True")
_TOLD_ABOVE = {"Event", "errors", "__version__"}


def page() -> str:
    """The whole page."""
    names = [name for name in autoresearch.__all__ if name not in _TOLD_ABOVE]
    found = {name: getattr(autoresearch, name) for name in names}
    parts = [_HEAD, "## Functions\n"]
    parts += [_function(f"ar.{name}", one, "###") for name, one in found.items() if not isinstance(one, type)]
    parts += [f"## ar.Campaign\n\n{_text(found['Campaign'])}\n"]
    parts += [_function(f"campaign.{name}", one, "###") for name, one in _methods(found["Campaign"])]
    parts += ["## Values\n"]
    parts += [_value(f"ar.{name}", one) for name, one in found.items() if isinstance(one, type) and name != "Campaign"]
    return "\n".join(parts)


def _function(name: str, function: Callable[..., Any], level: str) -> str:
    bare = name.rpartition(".")[2]
    return f"{level} {bare}\n\n```text\n{_signature(name, function)}\n```\n\n{_text(function)}\n"


def _signature(name: str, function: Callable[..., Any]) -> str:
    """As it is written, without `self`; each argument in a line of its own where one line is too short."""
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    node.args.args = [one for one in node.args.args if one.arg != "self"]
    returns = ast.unparse(node.returns).strip("'") if node.returns else ""
    arguments = ast.unparse(node.args)
    line = f"{name}({arguments}) -> {returns}"
    if len(line) <= 100:
        return line
    lines = re.split(r", (?=\w+:|\*)", arguments)
    return "\n".join([f"{name}(", *(f"    {one}," for one in lines), f") -> {returns}"])


def _methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Methods for everybody: those that deal in public names, paths and Python's own types."""
    for name, one in vars(cls).items():
        if inspect.isfunction(one) and not name.startswith("_") and _types(one) <= {*autoresearch.__all__, *_PLAIN}:
            yield name, one


def _types(function: Callable[..., Any]) -> set[str]:
    return set(re.findall(r"\b[A-Z]\w+", _signature("", function)))


def _value(name: str, cls: type) -> str:
    text = f"### {name.removeprefix('ar.')}\n\n{_text(cls)}\n"
    if issubclass(cls, BaseModel):
        text += "\nIts keys are those of the [campaign file](campaign.md).\n"
    elif issubclass(cls, Enum):
        text += f"\nOne of {', '.join(f'`{one.value}`' for one in cls)}.\n"
    elif is_dataclass(cls) and "Attributes:" not in (cls.__doc__ or ""):
        text += f"\nAttributes: {', '.join(f'`{field}`' for field in cls.__dataclass_fields__)}.\n"
    if issubclass(cls, BaseModel):
        return text
    more = [f"- `{shown}`: {' '.join(_text(one).partition(_BREAK)[0].split())}" for shown, one in _members(cls)]
    return text + ("\nBesides:\n\n" + "\n".join(more) + "\n" if more else "")


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    for name, one in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(one, property):
            yield name, one
        elif inspect.isfunction(one):
            yield _signature(name, one), one


def _text(thing: object) -> str:
    """A docstring as Markdown: its sections become lists."""
    parts = []
    for block in (inspect.getdoc(thing) or "").split("\n\n"):
        head, _, rest = block.partition("\n")
        if head in {"Args:", "Attributes:", "Raises:"}:
            parts.append(f"{head.replace('Args', 'Arguments')}\n\n" + "\n".join(_items(rest)))
        elif head == "Returns:":
            parts.append(f"Returns: {' '.join(rest.split())}")
        else:
            parts.append(block)
    return "\n\n".join(parts)


def _items(section: str) -> Iterator[str]:
    for part in re.split(r"\n(?=    \S)", section.rstrip()):
        name, _, text = " ".join(part.split()).partition(": ")
        yield f"- `{name}`: {text}"
