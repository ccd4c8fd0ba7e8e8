"""Lengths of time in words: read exactly, printed exactly or to the minute."""

import math
import re
from decimal import Decimal

NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"

_UNITS = {
    "w": (604800, "w|wks?|weeks?"),
    "d": (86400, "d|days?"),
    "h": (3600, "h|hrs?|hours?"),
    "m": (60, "m|mins?|minutes?"),
    "s": (1, "s|secs?|seconds?"),
}

DURATION = r" ?".join(rf"(?:{NUMBER}[ -]?(?:{words})(?![a-z]))?" for _, words in _UNITS.values())
"""Matches `1h30m`, `2 days`, `1 hr 30 min`, largest unit first; also matches nothing, so look before you match."""

_PART = re.compile("|".join(rf"({NUMBER})[ -]?(?P<{unit}>{words})(?![a-z])" for unit, (_, words) in _UNITS.items()))


def seconds(words: str) -> float:
    """The length of time that a match of `DURATION` means, in seconds, exact to the millisecond."""
    total = Decimal(0)
    for part in _PART.finditer(words):
        number = next(group for group in part.groups() if group)
        total += Decimal(number) * _UNITS[part.lastgroup or "s"][0]
    return float(round(total, 3))


def exact(length_s: float) -> str:
    """A length of time that `seconds` reads back unchanged, e.g. `1d2h`, `1h30m`, `2.5s`."""
    left = round(Decimal(str(length_s)), 3)
    said = []
    for unit in ("d", "h", "m"):
        whole, left = divmod(left, _UNITS[unit][0])
        said += [f"{whole}{unit}"] if whole else []
    rest = f"{left.normalize():f}"
    return "".join(said + ([f"{rest}s"] if left or not said else []))


def span(length_s: float) -> str:
    """A length of time for people: `45s`, `45m`, `6h12m`, `2d03h`; what is smaller is cut off."""
    if not math.isfinite(length_s):
        return "an unknown time"
    whole = max(0, int(length_s))
    if whole < 60:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 60:
        return f"{minutes}m"
    return f"{hours}h{minutes % 60:02d}m" if hours < 24 else f"{hours // 24}d{hours % 24:02d}h"
