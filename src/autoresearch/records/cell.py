"""What a ledger's cell may hold and how it is written: text without breaks, numbers, UTC times.

Numbers and times are read leniently but never guessed: `0,74` is no number.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from autoresearch.experiment.outcome import Status

T = TypeVar("T")

_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_CELL = re.compile(r'(?:"(?:[^"]|"")*"(?=\t)|[^\t]*)\t')
_NOTHING = frozenset({"-", "none", "null", "n/a", "na", "nan"})

_STATUS = {status.value: status for status in Status}


def clean(text: str) -> str:
    """`text` fit for a cell: line breaks and tabs become one space, other control characters U+FFFD."""
    if not text.isprintable():
        text = _UNFIT.sub("\ufffd", _BREAKS.sub(" ", text))
    return text.strip()


def split(line: str, wanted: int = 0) -> list[str]:
    """The cells of a line, unquoted and cleaned; their `wanted` number decides what a stray quote means."""
    plain = line.split("\t")
    if '"' in line and len(plain) != wanted:
        plain = [match.removesuffix("\t") for match in _CELL.findall(line + "\t")]
    if '"' in line or not line.replace("\t", " ").isprintable():
        return [clean(unquote(cell)) for cell in plain]
    return [cell.strip() for cell in plain]


def decimal(value: float | None) -> str:
    """Six decimals; an exponent where those would show nothing, or a wall of digits. Empty for no finite number."""
    if value is None or not math.isfinite(value):
        return ""
    tiny_or_huge = value != 0 and not 5e-7 < abs(value) < 1e15
    return f"{value:.6e}" if tiny_or_huge else f"{value + 0.0:.6f}"


def tenths(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "0.0"


def stamp(at: float | None) -> str:
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(round(at), UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""


def quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if cell.startswith(('"', "#")) else cell


def unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') and _QUOTED.fullmatch(cell) else cell


class CellReader:
    """Typed cells out of one row of clean text; what cannot be read is complained about and taken as missing."""

    def __init__(self, said: Mapping[str, str], complaints: list[str]) -> None:
        self._said, self._complaints = said, complaints

    def text(self, name: str) -> str:
        return self._said.get(name, "")

    def number(self, name: str) -> float | None:
        return self._typed(name, _finite, "a number")

    def whole(self, name: str) -> int | None:
        return self._typed(name, _whole, "a whole number")

    def time(self, name: str) -> float | None:
        return self._typed(name, _unix, "an ISO time")

    def status(self) -> Status | None:
        cell = self.text("status")
        found = _STATUS.get(cell.lower())
        if found is None:
            self._complaints.append(f"status is {cell[:40]!r}, not one of {', '.join(Status)}")
        return found

    def _typed(self, name: str, kind: Callable[[str], T], wanted: str) -> T | None:
        cell = self._said.get(name, "")
        if not cell:
            return None
        try:
            return kind(cell)
        except (ValueError, OverflowError):
            if cell.lower() not in _NOTHING:
                self._complaints.append(f"{name} is {cell[:40]!r}, not {wanted}")
            return None


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(cell)
    return value


def _whole(cell: str) -> int:
    value = _finite(cell)
    if value != int(value):
        raise ValueError(cell)
    return int(value)


def _unix(cell: str) -> float:
    at = datetime.fromisoformat(cell)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
