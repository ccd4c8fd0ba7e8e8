"""Plots of a report: every attempt and the best so far, and what was spent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from autoresearch.experiment.outcome import BASELINE
from autoresearch.report.attempts import ReportLine
from autoresearch.report.drawing import (
    BASELINE_COLOUR,
    COLOURS,
    FAINT,
    GRID,
    Box,
    Dot,
    Drawing,
    Line,
    Shape,
    Text,
    bounds,
    ticks,
)
from autoresearch.report.report import Report
from autoresearch.run.measurement import Direction

_CROWD = 1000
"""Attempts above which a dot that was not kept is small and says nothing: nobody could point at it."""
_GRAIN = 2
"""Places in a pixel that are told apart among small dots; a dot that would cover another is not drawn again."""
_LABEL, _LABEL_WIDTH, _LABEL_LINE = 34, 210, 14
"""Characters of a title that a label has room for, the pixels they may take, and the pixels from line to line."""


_Stair = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Where data lie on the page."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    count: int

    def x(self, index: float) -> float:
        return self.left + (self.right - self.left) * (index - 0.5) / max(1, self.count)

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - self.top) * min(1.0, max(0.0, part))


def progress(report: Report, width: int = 920, height: int = 420) -> Drawing:
    """Every attempt as a dot over its number, every single run faintly, and the incumbent's level as a staircase."""
    levels = _levels(report)
    axes = _axes(report, levels, width, height)
    shapes: list[Shape] = [*_frame(axes, report), *_baseline(axes, report, levels), *_staircase(axes, report, levels)]
    crowd = len(report.entries) > _CROWD
    drawn: set[tuple[str, int, int]] = set()
    for entry in report.entries:
        level = levels.get(entry.index)
        plain = crowd and level is not None and entry.status != "keep"
        if plain and level is not None:
            place = entry.status, round(axes.x(entry.index) * _GRAIN), round(axes.y(level) * _GRAIN)
            if place in drawn:
                continue
            drawn.add(place)
        shapes += _attempt(axes, entry, level, plain=plain)
    shapes += _labels(axes, report, levels)
    return Drawing(width, height, f"{report.campaign}: progress", tuple(shapes))


def _levels(report: Report) -> dict[int, float]:
    """Where attempts stand: at their mean; one judged by bundles alone, at its parent's mean plus its effect."""
    means = {entry.name: entry.value for entry in report.entries}
    sign = 1 if report.objective.direction is Direction.MAXIMIZE else -1
    found: dict[int, float] = {}
    for entry in report.entries:
        base = means.get(entry.parent)
        if entry.value is not None:
            found[entry.index] = entry.value
        elif base is not None and entry.effect is not None:
            found[entry.index] = base + sign * entry.effect
    return found


def _axes(report: Report, levels: Mapping[int, float], width: int, height: int) -> _Axes:
    runs = [value for entry in report.entries for value in entry.values]
    values = [value for value in (*runs, *levels.values()) if math.isfinite(value)] or [0.0, 1.0]
    low, high = bounds(values, {levels.get(one.index) for one in report.entries if one.status == "keep"})
    margin = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    count = max((entry.index for entry in report.entries), default=1)
    return _Axes(
        left=64, right=width - 24, top=56, bottom=height - 46, low=low - margin, high=high + margin, count=count
    )


def _frame(axes: _Axes, report: Report) -> list[Shape]:
    shapes: list[Shape] = [
        Text(x=axes.left, y=24, text=report.campaign, size=15, bold=True),
        Text(x=axes.left, y=42, text=f"{report.objective.metric}, {report.objective.direction}", colour=FAINT),
        Text(x=(axes.left + axes.right) / 2, y=axes.bottom + 36, text="attempt", colour=FAINT, anchor="middle"),
    ]
    for value in ticks(axes.low, axes.high):
        shapes.append(Line(((axes.left, axes.y(value)), (axes.right, axes.y(value))), GRID))
        shapes.append(
            Text(x=axes.left - 8, y=axes.y(value) + 4, text=f"{value:.4g}", colour=FAINT, size=11, anchor="end")
        )
    step = max(1, math.ceil(axes.count / 20))
    shapes += [
        Text(x=axes.x(index), y=axes.bottom + 18, text=str(index), colour=FAINT, size=11, anchor="middle")
        for index in range(1, axes.count + 1, step)
    ]
    return [*shapes, *_legend(axes)]


def _legend(axes: _Axes) -> list[Shape]:
    shapes: list[Shape] = []
    x = axes.right - 4 * 82
    for name in ("keep", "discard", "crash", "open"):
        shapes += [Dot(x=x, y=38, radius=5, colour=COLOURS[name]), Text(x=x + 10, y=42, text=name, colour=FAINT)]
        x += 82
    return shapes


def _baseline(axes: _Axes, report: Report, levels: Mapping[int, float]) -> list[Shape]:
    """The level of the baseline's row, from which the attempts rise or fall."""
    row = next((levels.get(entry.index) for entry in report.entries if entry.name == BASELINE), None)
    if row is None:
        return []
    y = axes.y(row)
    return [
        Line(((axes.left, y), (axes.right, y)), BASELINE_COLOUR, 1.2, dashed=True),
        Text(x=axes.right, y=y - 5, text=f"baseline {row:.4g}", colour=BASELINE_COLOUR, size=11, anchor="end"),
    ]


def _staircase(axes: _Axes, report: Report, levels: Mapping[int, float]) -> list[Shape]:
    """The level of the best kept so far."""
    kept = [entry.index for entry in report.entries if entry.status == "keep" and entry.index in levels]
    points: list[tuple[float, float]] = []
    best: float | None = None
    for index in kept:
        level = levels[index]
        if best is not None and not report.objective.better(level, best):
            continue
        points += [(axes.x(index), axes.y(level if best is None else best)), (axes.x(index), axes.y(level))]
        best = level
    if best is None:
        return []
    return [Line((*points, (axes.right, axes.y(best))), COLOURS["keep"], 2.0)]


def _attempt(axes: _Axes, entry: ReportLine, level: float | None, *, plain: bool = False) -> list[Shape]:
    x, colour = axes.x(entry.index), COLOURS[entry.status]
    tip = f"#{entry.index} {entry.title}: {entry.status}. {entry.reason}"
    if plain and level is not None:
        return [Dot(x=x, y=axes.y(level), radius=2, colour=colour)]
    if level is None:
        return [
            Text(x=x, y=axes.bottom - 4, text="x", colour=colour, size=14, anchor="middle", bold=True),
            Dot(x=x, y=axes.bottom - 9, radius=7, colour="none", tip=tip),
        ]
    runs = [Dot(x=x, y=axes.y(value), radius=2.2, colour=FAINT) for value in entry.values]
    told = Text(x=x + 9, y=axes.y(level) + 4, text=f"{level:.3g}", colour=colour, size=11)
    off = [] if axes.low <= level <= axes.high else [told]
    return [*runs, Dot(x=x, y=axes.y(level), radius=5.5, colour=colour, tip=tip), *off]


def _labels(axes: _Axes, report: Report, levels: Mapping[int, float]) -> list[Text]:
    """Names of kept ideas where there is room: above what raised the staircase, below what did not, clear of it."""
    lines = (line for line in _staircase(axes, report, levels) if isinstance(line, Line))
    stairs = [pair for line in lines for pair in pairwise(line.points)]
    others = [shape for shape in _baseline(axes, report, levels) if isinstance(shape, Text)]
    placed: list[Text] = []
    best: float | None = None
    for entry in report.entries:
        if entry.status != "keep" or entry.index not in levels:
            continue
        level = levels[entry.index]
        rises = best is None or report.objective.better(level, best)
        above = rises == (report.objective.direction is Direction.MAXIMIZE)
        if entry.index > 1:
            text = Text(
                x=axes.x(entry.index), y=axes.y(level), text=_short(entry.title), colour=COLOURS["keep"], size=11
            )
            placed += _beside(axes, text, stairs, [*others, *placed], above=above)
        best = level if rises else best
    return placed


def _beside(axes: _Axes, text: Text, stairs: Sequence[_Stair], placed: Sequence[Text], *, above: bool) -> list[Text]:
    """The text of a dot on the side of it where it is nearest and covers nothing; none where there is no such place."""
    for over in (above, not above):
        found: list[Text] = []
        for shift, anchor in ((9, "start"), (-9, "end")):
            moved = replace(text, x=text.x + shift, y=text.y + (-8 if over else 17), anchor=anchor)
            step = -_LABEL_LINE if over else _LABEL_LINE
            while any(_covers(moved, other) for other in placed) or any(_crosses(moved, stair) for stair in stairs):
                moved = replace(moved, y=moved.y + step)
                if not axes.top - _LABEL_LINE <= moved.y <= axes.bottom:
                    break
            left, right = _extent(moved)
            fits = axes.left <= left and right <= axes.right and axes.top - _LABEL_LINE <= moved.y <= axes.bottom
            found += [moved] if fits else []
        if found:
            return sorted(found, key=lambda one: abs(one.y - text.y))[:1]
    return []


def _crosses(text: Text, stair: _Stair) -> bool:
    """Whether a piece of the staircase goes through a text."""
    (x0, y0), (x1, y1) = stair
    left, right = _extent(text)
    wide = min(x0, x1) < right and left < max(x0, x1) if x0 != x1 else left < x0 < right
    return wide and min(y0, y1) < text.y + 3 and text.y - 11 < max(y0, y1)


def _covers(one: Text, other: Text) -> bool:
    (left, right), (start, end) = _extent(one), _extent(other)
    return abs(one.y - other.y) < _LABEL_LINE and left < end and start < right


def _extent(text: Text) -> tuple[float, float]:
    width = len(text.text) * _LABEL_WIDTH / _LABEL
    return (text.x - width, text.x) if text.anchor == "end" else (text.x, text.x + width)


def _short(title: str) -> str:
    return title if len(title) <= _LABEL else f"{title[: _LABEL - 3].rstrip()}..."


_CLAIMS = 24
"""Ideas whose intervals are drawn; the list below has more."""


def intervals(report: Report, width: int = 920) -> Drawing | None:
    """The gain claimed of each idea with its interval, the largest first; None where nothing has one."""
    known = [(entry, entry.claim) for entry in report.entries if entry.claim and entry.status != "crash"]
    rows = [(entry, one, one.effect) for entry, one in known if one.effect is not None]
    rows = sorted(rows, key=lambda row: -row[2])[:_CLAIMS]
    ends = [end for _, one, effect in rows for end in (one.low, effect, one.high, 0.0) if end is not None]
    if not rows:
        return None
    low, high = bounds(ends, (0.0,))
    left, right, bottom = 64.0, width - 290.0, 16.0 + 26 * len(rows)

    def at(value: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))

    shapes: list[Shape] = [
        Line(((at(0.0), 8.0), (at(0.0), bottom)), FAINT, dashed=True),
        *(
            Text(x=at(value), y=bottom + 18, text=f"{value:+.3g}", colour=FAINT, size=11, anchor="middle")
            for value in ticks(low, high, 5)
        ),
    ]
    for place, (entry, one, effect) in enumerate(rows):
        y, colour = 20.0 + 26 * place, COLOURS["keep"] if entry.status == "keep" else FAINT
        if one.low is not None and one.high is not None:
            shapes.append(Line(((at(one.low), y), (at(one.high), y)), colour, 2.2))
        tip = f"#{entry.index} {entry.title}: {effect:+.3g}, {one.standing}"
        shapes.append(Dot(x=at(effect), y=y, radius=5, colour=colour, tip=tip, hollow=entry.status != "keep"))
        shapes.append(Text(x=left - 8, y=y + 5, text=f"#{entry.index}", colour=colour, size=14, anchor="end"))
        shapes.append(Text(x=right + 12, y=y + 4, text=_short(entry.title), colour=colour))
    return Drawing(width, round(bottom) + 28, "gain over the parent with its 90 % interval, by idea", tuple(shapes))


def spend(report: Report, width: int = 920) -> Drawing:
    """Minutes of runs by purpose, as bars."""
    rows = report.spend
    most = max((row.minutes for row in rows), default=0.0) or 1.0
    shapes: list[Shape] = []
    for place, row in enumerate(rows):
        y = 14 + place * 26
        length = (width - 330) * row.minutes / most
        told = f"{row.minutes:.1f} min, {row.runs} runs" + (f", {row.gpu_hours:.1f} GPU-h" if row.gpu_hours else "")
        shapes += [
            Text(x=100, y=y + 13, text=row.purpose, anchor="end"),
            Box(x=110, y=y, width=max(1.0, length), height=18, colour=BASELINE_COLOUR, tip=told),
            Text(x=118 + length, y=y + 13, text=told, colour=FAINT, size=11),
        ]
    return Drawing(width, 20 + 26 * max(1, len(rows)), "spend by purpose", tuple(shapes))
