"""The journal proves its own order: every line carries its number and the hash of the line before.

A line that an earlier version wrote has neither; from the first line that has them on, every line must. Who can write
the file can also forge the chain, so a copy in git (`mirror`) is compared with it, and says where the two part.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

_LINK = re.compile(rb'\{"v":\d+,"n":(\d+),"prev":"([0-9a-f]*)"(?:,"was":"([0-9a-f]+)")?')
_HEAD = re.compile(r'\{"v":\d+,')


@dataclass(frozen=True)
class Link:
    """What a line says of its place.

    Attributes:
        number: Its own, from 1.
        before: The hash of the line before.
        was: The hash of a damaged line that it stands for, as `ledger rebuild` sets them aside.
    """

    number: int
    before: str
    was: str = ""


def digest(line: bytes) -> str:
    """A line's hash, without its newline; of one that stands for a damaged line the hash of that."""
    said = link(line)
    return said.was if said and said.was else sha256(line).hexdigest()[:32]


def linked(line: str, number: int, before: str, was: bytes = b"") -> str:
    """A line of the journal with its place in it."""
    head = _HEAD.match(line)
    end = head.end() if head else 1
    instead = f'"was":"{digest(was)}",' if was else ""
    return f'{line[:end]}"n":{number},"prev":"{before}",{instead}{line[end:]}'


def link(line: bytes) -> Link | None:
    """What a line says of its place; None for one of an earlier version, or of another hand."""
    found = _LINK.match(line)
    return Link(int(found[1]), found[2].decode(), (found[3] or b"").decode()) if found else None


def broken(lines: Sequence[bytes], copy: Sequence[bytes] = ()) -> Iterator[tuple[int, str]]:
    """What is wrong with a journal: line number and words, in order.

    Args:
        lines: Its whole lines, without newlines.
        copy: The lines of the copy in git, which may lack the newest.
    """
    told = dict(_against_chain(lines))
    if len(told) > 1 and len(set(told.values())) == 1:
        told = {min(told): f"and {len(told) - 1} more: {told[min(told)]}"}
    if not told:
        told = dict(against_copy(lines, copy))
    yield from sorted(told.items())


def _against_chain(lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    places = {digest(line): number for number, line in enumerate(lines, 1)}
    chained = False
    for number, line in enumerate(lines, 1):
        said = link(line)
        if said is None:
            if chained and line.strip():
                yield number, "was not written by autoresearch: it names no line before it"
            continue
        before = lines[number - 2] if number > 1 else b""
        if not chained and number > 1 and link(before) is None and said.before == digest(before):
            chained = True
            continue
        chained = True
        aside = link(before)
        if said.before != (digest(before) if number > 1 else "") and not (aside and aside.was):
            yield _why(number, said, lines, places)


def _why(number: int, said: Link, lines: Sequence[bytes], places: dict[str, int]) -> tuple[int, str]:
    """What was done to a line that does not follow the one before it."""
    line, before = lines[number - 1], lines[number - 2] if number > 1 else b""
    if (first := lines.index(line) + 1) != number:
        return number, f"is line {first} a second time"
    if before.endswith(b"\r") and said.before == digest(before.removesuffix(b"\r")):
        return number - 1, "has another line end (CRLF) than it was written with"
    if said.before in places:
        where = places[said.before]
        return number, f"belongs behind line {where}: lines were moved, or others put between"
    earlier = link(before)
    missing = said.number - (earlier.number if earlier else number - 1) - 1
    if missing > 0:
        return number, f"has lost the {missing} line(s) that stood before it: they were deleted"
    return max(1, number - 1), "was changed after it had been written"


def against_copy(lines: Sequence[bytes], copy: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """Where a journal first says something else than its copy in git, or ends before it: line number and words."""
    for number, (ours, kept) in enumerate(zip(lines, copy, strict=False), 1):
        said = link(ours)
        if ours != kept and not (said and said.was):
            yield number, "says something else than the copy in git"
            return
    if len(lines) < len(copy):
        yield len(lines), f"is the last, and the copy in git has {len(copy) - len(lines)} more: they were deleted"
