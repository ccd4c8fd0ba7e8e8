"""One event as one JSON line of the journal, and back."""

from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from autoresearch.errors import LedgerError
from autoresearch.experiment.events import Event

VERSION = 1


@cache
def _adapter() -> TypeAdapter[Any]:
    """Reads and writes events; made when the first one is, for that takes as long as importing everything else."""
    return TypeAdapter(Event, config=ConfigDict(ser_json_inf_nan="constants"))


def dump(event: Event) -> str:
    """The event as one JSON line, without its newline. NaN and infinities are written as JavaScript writes them."""
    try:
        body = _adapter().dump_json(event).decode()
    except PydanticSerializationError:
        plain = _readable(_adapter().dump_python(event))
        body = _adapter().dump_json(_adapter().validate_python(plain)).decode()
    return f'{{"v":{VERSION},{body[1:]}'


def _readable(value: Any) -> Any:
    """What UTF-8 cannot hold (a file name in other bytes, half an emoji) as an escape in ASCII."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_readable(key): _readable(item) for key, item in value.items()}
        case list() | tuple():
            return [_readable(item) for item in value]
        case _:
            return value


def load(line: str) -> Event:
    """Read one journal line.

    Raises:
        LedgerError: It is no JSON object, or no event that this version knows.
    """
    try:
        event: Event = _adapter().validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LedgerError(
            f"not a journal event ({first['msg']}{' at ' + where if where else ''}): {line[:120]!r}"
        ) from None
    return event
