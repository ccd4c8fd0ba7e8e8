"""What is said: words for people, JSON for machines. No other module prints."""

import dataclasses
import io
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def speak_anything() -> None:
    """Let a character that this terminal's encoding lacks be written as a code instead of being an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """One line or block for a person; what could steer a terminal (an escape in a title) is made visible."""
    show(f"{text.translate(_CONTROLS)}\n")


def show(text: str) -> None:
    """Text as it is, without a line end of ours: a run's log may have its colours."""
    sys.stdout.write(text)
    sys.stdout.flush()


def emit(value: object) -> None:
    """A value as JSON: dataclasses become objects, NaN and infinities null."""
    say(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def terminal_width() -> int | None:
    """Characters in a line of the terminal; None when the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def on_terminal() -> bool:
    """Whether a person can be asked and shown a live view."""
    return sys.stdin.isatty() and sys.stdout.isatty()
