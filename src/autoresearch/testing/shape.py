"""What a port asks of a class's shape: the names it must have and the calls it must take.

An adapter needs no base class, so nothing but a suite tells its author that an attribute is missing.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

_PLAIN = (bool, int, float, str)
"""Kinds of attribute whose value is looked at as well."""


def gaps(adapter: object, port: type) -> tuple[str, ...]:
    """What an adapter lacks of a port, one sentence each; empty when it has the shape.

    Args:
        adapter: An instance.
        port: A Protocol of `autoresearch.ports`.
    """
    return (*_attributes(adapter, port), *_methods(adapter, port))


def made_with(kind: Callable[..., Any], *keywords: str) -> str:
    """Why a class cannot be called with these keywords, empty when it can: adapters are made from a campaign file."""
    try:
        inspect.signature(kind).bind(**dict.fromkeys(keywords))
    except TypeError as error:
        return f"{getattr(kind, '__name__', kind)} cannot be made with {', '.join(keywords) or 'nothing'}: {error}"
    return ""


def _attributes(adapter: object, port: type) -> Iterator[str]:
    """An attribute belongs to the class, for it is read before one is made; a property to what was made."""
    wanted: list[tuple[object, str, Any]] = [(type(adapter), name, kind) for name, kind in get_type_hints(port).items()]
    wanted += [(adapter, name, kind) for name, kind in _properties(port).items()]
    for owner, name, kind in wanted:
        value = getattr(owner, name, None)
        if value is None:
            yield f"{type(adapter).__name__} has no attribute {name!r}, which {port.__name__} asks for"
        elif kind in _PLAIN and type(value) is not kind:
            yield f"{type(adapter).__name__}.{name} is {value!r}, not of type {kind.__name__}"


def _properties(port: type) -> dict[str, Any]:
    asked = {name: value.fget for name, value in _own(port) if isinstance(value, property) and value.fget}
    return {name: get_type_hints(getter).get("return") for name, getter in asked.items()}


def _methods(adapter: object, port: type) -> Iterator[str]:
    for name, asked in [(name, value) for name, value in _own(port) if inspect.isfunction(value)]:
        method = getattr(adapter, name, None)
        if not callable(method):
            yield f"{type(adapter).__name__} has no method {name}(), which {port.__name__} asks for"
            continue
        parameters = [one for one in inspect.signature(asked).parameters.values() if one.name != "self"]
        plain = [None for one in parameters if one.kind is not one.KEYWORD_ONLY]
        named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
        try:
            inspect.signature(method).bind(*plain, **named)
        except TypeError as error:
            yield f"{type(adapter).__name__}.{name}() cannot be called as {port.__name__} is: {error}"


def _own(port: type) -> Iterator[tuple[str, Any]]:
    """What a port and the ports that it extends define themselves."""
    for parent in reversed(port.__mro__):
        yield from ((name, value) for name, value in vars(parent).items() if not name.startswith("_"))
