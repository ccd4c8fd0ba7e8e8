"""Words, numbers and tables as plain text, for a terminal, a notebook and a log alike."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

_LABEL = 18
"""Characters of the column that labels stand in."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """A plain aligned table; the last column is never padded, so that it may be long.

    Args:
        columns: Their headings.
        rows: One cell per column; None is empty, line breaks are spaces.
        width: Longer lines are cut to so many characters; None: never.
    """
    body = [["" if cell is None else " ".join(str(cell).splitlines()) for cell in row] for row in rows]
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


def clock(at: float) -> str:
    """A time of day, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


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


def as_html(text: str) -> str:
    """Plain text as a notebook shows it: as it is."""
    return f"<pre>{escape(text)}</pre>"
