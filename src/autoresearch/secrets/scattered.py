"""Known secrets with something between their characters: over lines, letter by letter, backwards, and so in codes.

Codes are hex, base64 and base32, of the value or of a text around it, and lists of numbers.

Of a text only letters and digits are looked at, as bytes, which costs little; where they stood is worked out when one
was found.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

LEAST = 4
"""Letters and digits that stand before the end of a line for what goes on behind it to be found."""

LEAST_NUMBER = 2
"""The same for a list of numbers, which may stand one a line."""

_SHORTEST, _WIDEST = 10, 40

_LONGEST_LIST = 256
"""Bytes of a value up to which it is looked for as a list of numbers: one of a whole key file is written by nobody."""

_OTHERS = bytes(code for code in range(256) if code > 127 or not chr(code).isalnum())
_ROWS = bytes(32 if code in _OTHERS else 120 for code in range(256))
_BREAKS = (b"\\n", b"\\r", b"\\t")
_KEPT = re.compile(r"\\[nrt]|([A-Za-z0-9])")


class ScatteredValues:
    """Values to look for, whatever stands between their letters and digits.

    Args:
        values: The values; those of few letters and digits, or of digits alone, are left out.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = tuple(value.strip() for value in values)

    @cached_property
    def _needles(self) -> dict[bytes, int]:
        """What is looked for, and how much of each stands before the first end of a line."""
        found: dict[bytes, int] = {}
        for value in self._values:
            if not is_looked_for(value):
                continue
            bare = _bare(value)
            raw = value.encode("utf-8", "surrogateescape")
            spelt = raw.hex().encode()
            found |= dict.fromkeys((bare, bare[::-1], spelt, spelt.upper(), *_inside(raw)), LEAST)
            if len(raw) <= _LONGEST_LIST:
                found |= dict.fromkeys(("".join(map(form, raw)).encode() for form in (str, hex)), LEAST_NUMBER)
        return found

    def spans(self, plain: str, *, lines: bool) -> Iterator[tuple[int, int]]:
        """Where they stand in a text, in order.

        Args:
            plain: The text in ASCII, each character in its place.
            lines: Whether one may go on in the next line.
        """
        if not self._needles:
            return
        bare = _bare(plain)
        looked_for = [*self._needles.items(), *((one, 0) for one in self._in_a_row(plain))]
        hits = sorted((at, at + len(needle), least) for needle, least in looked_for for at in _places(bare, needle))
        if not hits:
            return
        places = [found.start() for found in _KEPT.finditer(plain) if found[1]]
        for first, last, least in hits:
            if _is_one(plain, places[first:last], least if lines else 0):
                yield places[first], places[last - 1] + 1

    @cached_property
    def _turned(self) -> tuple[bytes, ...]:
        """Base64 backwards and base32 in small letters, which are looked for in one piece."""
        raws = (value.encode("utf-8", "surrogateescape") for value in self._values if is_looked_for(value))
        inner = (one for raw in raws for one in _inside(raw))
        return tuple(dict.fromkeys(one.lower() if one.isupper() else one[::-1] for one in inner))

    def _in_a_row(self, plain: str) -> tuple[bytes, ...]:
        """Those of them that a text may hold: one with as many letters and digits in a row. Most have no such."""
        row = b"x" * min(map(len, self._turned), default=0)
        return self._turned if row and row in plain.encode("ascii", "replace").translate(_ROWS) else ()

    def open_since(self, text: str, end: int) -> int:
        """Where the line begins in which one may have begun that goes on behind `end`; `end` when there is none."""
        if not self._needles:
            return end
        longest = max(map(len, self._needles))
        begin = max(0, end - longest * (_WIDEST + 1))
        tail = text[begin:end]
        bare = _bare(tail)[-longest:]
        known = [
            at
            for needle, least in self._needles.items()
            for at in _places(bare, needle[:least])
            if needle.startswith(bare[at:])
        ]
        if not known:
            return end
        places = [found.start() for found in _KEPT.finditer(tail.encode("ascii", "replace").decode()) if found[1]]
        at = begin + places[min(known) - len(bare)]
        return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def is_looked_for(value: str) -> bool:
    """Whether a value has enough of its own to be looked for: as it is, backwards, and in hex."""
    bare = _bare(value)
    return len(bare) >= _SHORTEST and not bare.isdigit()


def _inside(raw: bytes) -> Iterator[bytes]:
    """The letters and digits of base64 and base32 that depend on a value alone, wherever in a text it begins."""
    for encode, bits, period in ((base64.b64encode, 6, 3), (base64.b32encode, 5, 5)):
        for offset in range(period):
            whole = encode(bytes(offset) + raw)
            inner = whole[-(-offset * 8 // bits) : (offset + len(raw)) * 8 // bits].translate(None, _OTHERS)
            yield inner


def _bare(text: str) -> bytes:
    raw = text.encode("ascii", "replace")
    if b"\\" in raw:
        for code in _BREAKS:
            raw = raw.replace(code, b"")
    return raw.translate(None, _OTHERS)


def _places(text: bytes, needle: bytes) -> Iterator[int]:
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1)


def _is_one(plain: str, places: Sequence[int], least: int) -> bool:
    """Whether what stands between is little, and ends no line too early for a stream to have waited for the rest.

    Args:
        plain: The text.
        places: Where its letters and digits stand.
        least: How many of them stand before the first end of a line; 0 where it may not go on in the next.
    """
    for number, (place, later) in enumerate(pairwise(places), 1):
        between = plain[place + 1 : later]
        if len(between) > _WIDEST:
            return False
        if ("\n" in between or "\r" in between) and (not least or number < least):
            return False
    return True
