"""The lineage of a campaign as a drawing: the best branch from the baseline down, and beside it what did not go on.

A row of text for each attempt, so that it can be read on a telephone, in print and without colour; what is turned down
is counted where it is much.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoresearch.experiment.outcome import BASELINE
from autoresearch.report.attempts import ReportLine
from autoresearch.report.drawing import COLOURS, INK, MUTED, Dot, Drawing, Line, Shape, Text
from autoresearch.report.plain_text import cut, interval, number
from autoresearch.report.report import Report

WIDTH = 400
_ROW, _INDENT, _LEFT, _TOP = 38, 20, 14, 22
_DEEPEST = 4
_TRUNK, _BESIDE, _DOWN = 40, 8, 3
"""Changes of the best branch that are shown, kept ones beside one of them, and newest ones that were turned down."""
_CHARACTER = 7.0
_WORDS = {"keep": "kept", "discard": "discarded", "crash": "crashed", "open": "open"}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One row of the drawing: an attempt, or how many are not shown."""

    depth: int
    up: int
    """The row that it hangs on, counted from the top; below zero for none."""
    entry: ReportLine | None = None
    words: str = ""


def lineage(report: Report, link: Callable[[int], str] | None = None) -> Drawing:
    """The tree.

    Args:
        report: The campaign.
        link: Where the page of an attempt of this number is; None: nowhere.
    """
    rows = _rows(report)
    shapes: list[Shape] = []
    for place, row in enumerate(rows):
        shapes += _branch(place, row)
    for place, row in enumerate(rows):
        shapes += _attempt(place, row, row.entry is not None and _held(report, row.entry), link)
    return Drawing(WIDTH, _TOP + _ROW * max(1, len(rows)), f"{report.campaign}: lineage", tuple(shapes))


def _rows(report: Report) -> list[_Row]:
    known = {entry.name: entry for entry in report.entries}
    children: dict[str, list[ReportLine]] = defaultdict(list)
    for entry in report.entries:
        if not _held(report, entry):
            children[entry.built_on].append(entry)
    trunk = [known[name] for name in (BASELINE, *report.held) if name in known]
    rows: list[_Row] = []
    up = -1
    left = max(0, len(trunk) - 1 - _TRUNK)
    trunk = [*trunk[:1], *trunk[1 + left :]]
    for entry in trunk:
        above, up = up, len(rows)
        rows.append(_Row(depth=0, up=above, entry=entry))
        if left and entry is trunk[0]:
            rows.append(_Row(depth=1, up=up, words=f"and {left} kept changes between"))
        rows += _beside(children, entry.name, 1, up, len(rows))
    return rows


def _held(report: Report, entry: ReportLine) -> bool:
    return entry.name == BASELINE or entry.name in report.held


def _beside(children: Mapping[str, Sequence[ReportLine]], name: str, depth: int, up: int, begin: int) -> Iterator[_Row]:
    """What was made from an attempt and is not in the best: all that is kept or open, and the newest of the rest."""
    found = children.get(name, ())
    alive = [entry for entry in found if entry.status in {"keep", "open"}]
    down = [entry for entry in found if entry.status not in {"keep", "open"}]
    shown = sorted((*alive[-_BESIDE:], *down[-_DOWN:]), key=lambda entry: entry.index)
    if words := _left_out((*alive[:-_BESIDE], *down[:-_DOWN])):
        yield _Row(depth=depth, up=up, words=words)
        begin += 1
    for entry in shown:
        yield _Row(depth=depth, up=up, entry=entry)
        own = begin
        begin += 1
        if depth < _DEEPEST:
            below = list(_beside(children, entry.name, depth + 1, own, begin))
            begin += len(below)
            yield from below


def _left_out(entries: Iterable[ReportLine]) -> str:
    counts = Counter(entry.status for entry in entries)
    told = ", ".join(f"{counts[status]} {word}" for status, word in _WORDS.items() if counts[status])
    return f"and earlier ones: {told}" if told else ""


def _at(place: int, depth: int) -> tuple[float, float]:
    return _LEFT + depth * _INDENT, _TOP + place * _ROW


def _branch(place: int, row: _Row) -> list[Shape]:
    if row.up < 0:
        return []
    x, y = _at(place, row.depth)
    _, above = _at(row.up, row.depth)
    if row.depth == 0:
        return [Line(((x, above), (x, y)), COLOURS["keep"], 3.0)]
    left = x - _INDENT
    return [Line(((left, above), (left, y), (x, y)), MUTED, 1.0)]


def _attempt(place: int, row: _Row, held: bool, link: Callable[[int], str] | None) -> list[Shape]:
    x, y = _at(place, row.depth)
    room = int((WIDTH - x - 16) / _CHARACTER)
    entry = row.entry
    if entry is None:
        return [Text(x=x + 14, y=y + 4, text=cut(row.words, room), colour=MUTED, size=12)]
    colour, tip = COLOURS[entry.status], f"#{entry.index} {entry.title}: {_told(entry)}. {entry.reason}"
    where = link(entry.index) if link else ""
    mark: list[Shape] = [
        Dot(x=x, y=y, radius=6 if held else 5, colour=colour, tip=tip, hollow=entry.status != "keep" and not held)
    ]
    if entry.status == "crash":
        mark = [Text(x=x, y=y + 5, text="x", colour=colour, size=14, anchor="middle", bold=True)]
    title = cut(f"#{entry.index} {entry.title}", room)
    return [
        *mark,
        Text(
            x=x + 14,
            y=y + 4,
            text=title,
            colour=INK if entry.status in {"keep", "open"} else MUTED,
            size=13,
            bold=held,
            link=where,
        ),
        Text(x=x + 14, y=y + 18, text=_told(entry), colour=MUTED, size=12),
    ]


def _told(entry: ReportLine) -> str:
    """Its verdict and its number in words, as in the table."""
    gain = interval(entry.effect, entry.low, entry.high) or number(entry.value)
    return f"{_WORDS[entry.status]}, {gain}" if gain else _WORDS[entry.status]
