"""Edits of YAML text that leave every other character alone: comments, order, quoting, anchors and blank lines.

The text is parsed only to find where things lie; an edit then replaces, inserts or removes a span of characters.
A caller checks the result by reading it again: what a file *means* is not decided here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from autoresearch.targets.recipe import composition

INDENT = 2
"""Columns by which an inserted section is indented below its key."""


class Unfit(Exception):  # noqa: N818  (not a failure: the caller says what it means)
    """The edit cannot be written at this place; the text says why."""


@dataclass(kw_only=True)
class Node:
    """A value and where it lies: characters `start` to `end`, its anchor and tag included.

    `end` of a block mapping or sequence is not exact in YAML; use `tail`.
    """

    kind: str
    start: int
    end: int
    line: int = 0
    column: int = 0
    flow: bool = False
    style: str | None = None
    anchor: str | None = None
    items: list[tuple["Node", "Node"]] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)

    @property
    def tail(self) -> int:
        """Index behind the last character of the value."""
        if self.kind == "mapping" and not self.flow:
            return self.items[-1][1].tail
        if self.kind == "sequence" and not self.flow:
            return self.children[-1].tail
        return self.end

    def walk(self) -> Iterator["Node"]:
        """This node and everything below it, in the order of the text."""
        yield self
        for key, value in self.items:
            yield from key.walk()
            yield from value.walk()
        for child in self.children:
            yield from child.walk()


def tree(text: str) -> Node | None:
    """The document as nodes with positions; None for an empty one.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    stream = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    for event in stream:
        if isinstance(event, events.DocumentStartEvent):
            root = _node(next(stream), stream)
            return None if root.kind == "scalar" and root.start == root.end else root
    return None


def put(text: str, steps: Sequence[Any], value: Any, spelling: str = "") -> str:
    """The text with `value` at the place that `steps` lead to, sections on the way added where they are missing.

    Args:
        text: The document.
        steps: Keys and list indices, from the top.
        value: A plain value; mappings are written as sections, lists on one line.
        spelling: How the user wrote a scalar; used when it reads back as `value`.

    Raises:
        Unfit: The place is inside a list that is too short, or inside something shared through an anchor.
    """
    root = tree(text)
    if root is None:
        return _ended(text) + _block(steps[0], _nested(steps[1:], value), 0, spelling, _newline(text))
    node, key = root, None
    for depth, step in enumerate(steps):
        if node.kind == "mapping":
            found = _entry(text, node, step)
            if found is None:
                return _insert(text, node, step, _nested(steps[depth + 1 :], value), spelling)
            key, node = found
        elif node.kind == "sequence":
            if not isinstance(step, int) or step >= len(node.children):
                raise Unfit(f"line {node.line} holds a list of {len(node.children)}")
            key, node = None, node.children[step]
        elif node.kind == "alias":
            raise Unfit(f"line {node.line} repeats another section through the anchor {text[node.start : node.end]}")
        else:
            return _replace(text, root, key, node, _nested(steps[depth:], value), spelling)
    return _replace(text, root, key, node, value, spelling)


def remove(text: str, steps: Sequence[Any]) -> str:
    """The text without the entry that `steps` lead to.

    Raises:
        Unfit: The document does not have it (it may come from a parent or through an anchor).
    """
    node, trail = tree(text), []
    for step in steps:
        found = _entry(text, node, step) if node is not None and node.kind == "mapping" else None
        if node is None or found is None:
            raise Unfit("the file itself does not have it")
        trail.append((node, found[0]))
        node = found[1]
    owner, key = trail[-1]
    return _without(text, owner, trail[-2][1] if len(trail) > 1 else None, key)


def scalar(value: Any, *, flow: bool = False, quote: str | None = None, spelling: str = "") -> str:
    """A scalar or list as YAML text on one line that reads back as the same value."""
    if spelling and "\n" not in spelling and reads_as(spelling, value, flow=flow):
        return spelling
    if isinstance(value, Mapping):
        inner = (f"{scalar(key, flow=True)}: {scalar(item, flow=True)}" for key, item in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(scalar(item, flow=True) for item in value) + "]"
    return next(text for text in _spellings(value, quote) if reads_as(text, value, flow=flow))


def _spellings(value: Any, quote: str | None) -> Iterator[str]:
    if isinstance(value, str):
        single = "'" + value.replace("'", "''") + "'"
        double = json.dumps(value, ensure_ascii=not value.isprintable())
        plain = value if value.strip() == value and "\n" not in value else double
        yield {"'": single, '"': double}.get(quote or "", plain)
        yield double
        yield json.dumps(value)
    elif value is None or isinstance(value, bool):
        yield json.dumps(value)
    elif isinstance(value, float):
        yield from (repr(value), {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), f"{value:.17e}"))
    yield str(value)
    yield yaml.safe_dump(value, default_flow_style=True, width=2**31).removesuffix("\n").removesuffix("\n...")


def reads_as(text: str, value: Any, *, flow: bool) -> bool:
    """Whether a piece of YAML, as the value of a key or an item between brackets, is that value."""
    try:
        document = composition.parse(f"[{text}]" if flow else f"k: {text}")
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    return same(document, [value] if flow else {"k": value})


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal in value and type; `1`, `1.0` and `True` differ, NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  (NaN)


def _node(event: Any, stream: Iterator[Any]) -> Node:
    start: Any = event.start_mark
    end: Any = event.end_mark
    node = Node(
        kind="scalar", start=start.index, end=end.index, line=start.line + 1, column=start.column, anchor=event.anchor
    )
    if isinstance(event, events.AliasEvent):
        node.kind = "alias"
    elif isinstance(event, events.ScalarEvent):
        node.style = event.style
    elif isinstance(event, events.MappingStartEvent):
        node.kind, node.flow = "mapping", bool(event.flow_style)
        while not isinstance(inner := next(stream), events.MappingEndEvent):
            node.items.append((_node(inner, stream), _node(next(stream), stream)))
        node.end = _index(inner)
    elif isinstance(event, events.SequenceStartEvent):
        node.kind, node.flow = "sequence", bool(event.flow_style)
        while not isinstance(inner := next(stream), events.SequenceEndEvent):
            node.children.append(_node(inner, stream))
        node.end = _index(inner)
    return node


def _index(event: Any) -> int:
    return int(event.end_mark.index)


def _entry(text: str, mapping: Node, step: Any) -> tuple[Node, Node] | None:
    return next((item for item in mapping.items if same(_key(text, item[0]), step)), None)


def _key(text: str, node: Node) -> Any:
    """What a key reads as; a merge key (`<<`) and a key that is no scalar match no step."""
    source = text[node.start : node.end]
    return composition.parse(source) if node.kind == "scalar" and source != "<<" else node


def _insert(text: str, mapping: Node, key: Any, value: Any, spelling: str) -> str:
    if mapping.flow:
        entry = f"{scalar(key, flow=True)}: {scalar(value, flow=True, spelling=spelling)}"
        at = mapping.items[-1][1].tail if mapping.items else mapping.end - 1
        return text[:at] + (", " if mapping.items else "") + entry + text[at:]
    at = _line_end(text, mapping.tail)
    column = mapping.items[0][0].column
    return _ended(text[:at]) + _block(key, value, column, spelling, _newline(text)) + text[at:]


def _replace(text: str, root: Node, key: Node | None, node: Node, value: Any, spelling: str) -> str:
    if node.anchor and (alias := _first_alias(text, root, node)):
        moved = text[: alias.start] + text[node.start : node.tail] + text[alias.end :]
        return _replace_span(moved, key, node, value, spelling)
    return _replace_span(text, key, node, value, spelling)


def _replace_span(text: str, key: Node | None, node: Node, value: Any, spelling: str) -> str:
    quote = node.style if node.style in {"'", '"'} else None
    new = scalar(value, flow=_inside_flow(text, node), quote=quote, spelling="" if quote else spelling)
    start, tail = node.start, node.tail
    if key is not None and node.kind in {"mapping", "sequence"} and not node.flow:
        start = text.index(":", key.tail) + 1
    if text[start - 1 : start] == ":":
        new = " " + new
    if text[tail - 1 : tail] == "\n" and tail > start:
        new += _newline(text)
    return text[:start] + new + text[tail:]


def _inside_flow(text: str, node: Node) -> bool:
    root = tree(text)
    spans = [one for one in (root.walk() if root else ()) if one.flow]
    return any(one.start < node.start and node.end <= one.end for one in spans)


def _first_alias(text: str, root: Node, anchored: Node) -> Node | None:
    """The first alias that stands for `anchored`; None when nothing repeats it."""
    later = [node for node in root.walk() if node.start > anchored.start and node.anchor == anchored.anchor]
    return later[0] if later and text[later[0].start] == "*" else None


def _without(text: str, owner: Node, above: Node | None, key: Node) -> str:
    index = next(i for i, item in enumerate(owner.items) if item[0] is key)
    tail = owner.items[index][1].tail
    following = owner.items[index + 1][0].start if index + 1 < len(owner.items) else None
    line = text.rfind("\n", 0, key.start) + 1
    if not owner.flow and len(owner.items) == 1 and above is not None:
        colon = text.index(":", above.tail) + 1
        return text[:colon] + " {}" + text[tail:]
    if not owner.flow and not text[line : key.start].strip():
        return text[:line] + text[_line_end(text, tail) :]
    if following is not None:
        return text[: key.start] + text[following:]
    return text[: owner.items[index - 1][1].tail if index else key.start] + text[tail:]


def _block(key: Any, value: Any, column: int, spelling: str, newline: str) -> str:
    pad = " " * column + scalar(key) + ":"
    if isinstance(value, Mapping) and value:
        inner = (_block(name, item, column + INDENT, spelling, newline) for name, item in value.items())
        return pad + newline + "".join(inner)
    return f"{pad} {scalar(value, spelling=spelling)}{newline}"


def _nested(steps: Sequence[Any], value: Any) -> Any:
    for step in reversed(steps):
        value = {step: value}
    return value


def _line_end(text: str, index: int) -> int:
    """Index behind the line break that ends the line in which the value ending at `index` lies."""
    if text[index - 1 : index] == "\n":
        return index
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _newline(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
