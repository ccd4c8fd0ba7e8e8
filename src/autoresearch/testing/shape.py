"""What a port asks of a class's shape: the names it must have and the calls it must take.

An adapter needs no base class, so nothing but the program's refusal, or a suite, tells its author that one is missing.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from autoresearch.ports import plugins


def gaps(room: str, adapter: object) -> tuple[str, ...]:
    """What an adapter lacks of its port, in words; empty when it has the shape.

    Args:
        room: Its kind, a key of `plugins.ROOMS`.
        adapter: One that was made. What the port says of attributes its class has to have: they are read before.
    """
    asked = adapter if plugins.ROOMS[room].plain else type(adapter)
    return (*plugins.lacking(room, asked), *_refused_calls(plugins.port_of(room), adapter))


def made_with(kind: Callable[..., Any], *keywords: str) -> str:
    """Why a class cannot be called with these keywords, empty when it can: adapters are made from a campaign file."""
    try:
        inspect.signature(kind).bind(**dict.fromkeys(keywords))
    except TypeError as error:
        return f"{getattr(kind, '__name__', kind)} cannot be made with {', '.join(keywords) or 'nothing'}: {error}"
    return ""


def _refused_calls(port: type, adapter: object) -> Iterator[str]:
    """Methods that are there but do not take what the program gives them."""
    for name, asked in vars(port).items():
        method = getattr(adapter, name, None)
        if name.startswith("_") or not inspect.isfunction(asked) or not callable(method):
            continue
        parameters = [one for one in inspect.signature(asked).parameters.values() if one.name != "self"]
        plain = [None for one in parameters if one.kind is not one.KEYWORD_ONLY]
        named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
        try:
            inspect.signature(method).bind(*plain, **named)
        except TypeError as error:
            yield f"{name}() cannot be called as {port.__name__} is: {error}"
