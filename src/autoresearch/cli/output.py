"""Words and tables for people, JSON for machines. No other module prints."""

import dataclasses
import io
import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_LABEL = 18
"""Characters of the column that labels stand in."""
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


def warn(text: str) -> None:
    """One line of caution, on stderr."""
    sys.stderr.write(f"warning: {text}\n")


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


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """A plain aligned table; the last column is never padded, so that it may be long.

    Args:
        columns: Their headings.
        rows: One cell per column; None is empty.
        width: Longer lines are cut to so many characters; None: never.
    """
    body = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(line[place]) for line in [list(columns), *body]) for place in range(len(columns) - 1)]
    lines = [_line(line, widths) for line in [list(columns), *body]]
    return "\n".join(cut(line, width) for line in lines)


def cut(text: str, most: int | None) -> str:
    """At most so many characters, the last one a sign that more follows; None: all of them."""
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def number(value: float | None, form: str = ".4g") -> str:
    """A number as tables show it, empty for none."""
    return "" if value is None else format(value, form)


def duration(seconds: float | None) -> str:
    """Seconds as `6h12m`, `45m` or `8s`, empty for none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def entry(label: str, text: str, width: int | None = None) -> str:
    """A label and its text in a column of its own, broken to `width` characters; None: one line."""
    return wrapped(text, width, f"{label:{_LABEL}}", " " * _LABEL)


def wrapped(text: str, width: int | None, first: str = "", others: str = "    ") -> str:
    """Text behind an indent, broken to `width` characters between words; None: one line."""
    if width is None or len(first) + len(text) <= width:
        return first + text
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def terminal_width() -> int | None:
    """Characters in a line of the terminal; None when the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def on_terminal() -> bool:
    """Whether a person can be asked and shown a live view."""
    return sys.stdin.isatty() and sys.stdout.isatty()
