"""Where a text may be cut, so that its parts can be cleaned one by one: nowhere inside a secret or what tells it.

A text may be cut behind any line, but for few that are read together with the next: a private key, a netrc entry, a
soft line break. A line too long to hold is cut at places that depend on the line alone, never on the pieces in which it
came; `cleaned` cuts a whole text at the same places, so that a log is what its parts are.
"""

import re
from collections.abc import Callable

from autoresearch.secrets.shapes import LONGEST_BLOCK, MOST_LINES, TAIL_LINES

Clean = Callable[[str], str]

LONGEST_LINE = 65536
"""Characters of a line after which it is cut."""

LOOK = 8192
"""Characters behind a cut that are looked at before it is made: more than a secret and its context have."""

_TRIES = 8
_BLANK = re.compile(r"[^\w+/=.%:@\"'\\-]+")
_BLOCK_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}\s*")
_KEY_LINES = re.compile(r"(?:[A-Za-z0-9+/=]*\s+)*+\Z")
_GOES_ON = re.compile(
    r"(?:=\r?\n|\\\r?\n|\blogin[ \t]+\S{1,200}\s{1,64}(?:account[ \t]+\S{1,200}\s{1,64})?|"
    r"\baccount[ \t]+\S{1,200}\s{1,64})\Z"
)
_TORN = re.compile(r"[^\s\"']*")


def cleaned(clean: Clean, text: str) -> list[str]:
    """A whole text, cleaned in as many parts as its long lines ask for."""
    parts, rest, torn = cut_long(clean, text, torn=False)
    return [*parts, without_torn(clean, rest, torn=torn)]


def cut_long(clean: Clean, text: str, *, torn: bool) -> tuple[list[str], str, bool]:
    """Everything up to the last cut in a long line, cleaned; the rest; and whether that begins inside a secret."""
    parts: list[str] = []
    while (line := _long_line(text)) >= 0:
        end = _cut(clean, text[line : line + LONGEST_LINE + LOOK])
        stop = line + (end or LONGEST_LINE)
        parts.append(without_torn(clean, text[:stop], torn=torn))
        torn = not end or (torn and _torn_end(text) >= stop)
        text = text[stop:]
    return parts, text, torn


def without_torn(clean: Clean, text: str, *, torn: bool) -> str:
    """A text, cleaned; of one that begins inside a secret the rest of that is left out."""
    begin = _torn_end(text) if torn else 0
    return clean(text[begin:])


def _torn_end(text: str) -> int:
    """Where a value ends whose beginning stood in the part before."""
    found = _TORN.match(text)
    return found.end() if found else 0


def ready(held: str, open_since: Callable[[str, int], int] = lambda _, end: end) -> int:
    """How much of the held text can go: whole lines, none of which is read together with one to come.

    A carriage return ends a line too: progress bars have no other.

    Args:
        held: The text.
        open_since: Where a line begins in which a secret may have begun that goes on behind a place.
    """
    end = held.rfind("\n") + 1 or held.rfind("\r", 0, len(held) - 1) + 1
    lines = -1
    while end:
        # What stands before as many lines as a key's end can have is no part of it, whatever it looks like.
        lines = end if end == lines else _open_lines(held, end)
        begin = min(_open_block(held, end), lines, _open_words(held, end), open_since(held, end))
        if begin == end:
            break
        end = begin
    return end


def _long_line(text: str) -> int:
    """Where the first line begins that is long enough to be cut; -1 when there is none.

    Lines that are read together are one.
    """
    at, most = 0, LONGEST_LINE + LOOK
    while len(text) - at >= most:
        end = at + most
        while (end := _line_end(text, at, end)) and _goes_on(text, end):
            end -= 2 if text[end - 2 : end] == "\r\n" else 1
        if not end:
            return at
        at = end
    return -1


def _line_end(text: str, at: int, end: int) -> int:
    """Behind the last line end between two places; 0 when there is none."""
    new = text.rfind("\n", at, end)
    return max(new, text.rfind("\r", max(new, at), end)) + 1


def _goes_on(text: str, end: int) -> bool:
    """Whether what a line says goes on in the next."""
    return bool(_GOES_ON.search(text, max(0, end - 512), end))


def _cut(clean: Clean, window: str) -> int:
    """Where a line can be cut that is at least as long as the window; 0 when a secret is everywhere.

    What is cleaned in two parts there is the same as in one.
    """
    whole = clean(window)
    ends = [found.end() for found in _BLANK.finditer(window, LONGEST_LINE // 2, LONGEST_LINE)]
    ends = [*reversed(ends[-_TRIES:]), *range(LONGEST_LINE, LONGEST_LINE // 2, -LONGEST_LINE // 17)]
    return next((end for end in ends if clean(window[:end]) + clean(window[end:]) == whole), 0)


def _open_block(held: str, end: int) -> int:
    """Where a private key begins that may not be over yet; `end` when there is none."""
    for begins, ends, mark in (("-----BEGIN ", "-----END ", "PRIVATE KEY"), ("Private-Lines:", "Private-MAC:", "")):
        begin = held.rfind(begins, 0, end)
        if begin < 0 or mark not in held[begin : begin + 60] or ends in held[begin:end]:
            continue
        first = held.find("\n", begin, end) + 1
        body = held[first:end] if first else ""
        if (mark and end - begin <= LONGEST_BLOCK + 200) or (body.count("\n") <= MOST_LINES and _KEY_LINES.match(body)):
            return begin
    return end


def _open_lines(held: str, end: int) -> int:
    """Where the last lines begin that may be those of a key whose end is to come."""
    for _ in range(TAIL_LINES):
        line = _line_end(held, 0, end - 1)
        if end <= 0 or not _BLOCK_LINE.fullmatch(held, line, end):
            break
        end = line
    return end


def _open_words(held: str, end: int) -> int:
    """Where the last line begins, if what it says goes on in the next."""
    return held.rfind("\n", 0, end - 1) + 1 if _goes_on(held, end) else end
