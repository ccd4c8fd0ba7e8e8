"""Plots as lists of shapes: one drawing, as SVG and, where Pillow is installed, as PNG.

Coordinates are pixels, x to the right, y downwards, as in SVG.
"""

import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autoresearch.experiment.outcome import BASELINE
from autoresearch.report.plain_text import safe
from autoresearch.report.report import Report, ReportLine
from autoresearch.run.measurement import Direction

if TYPE_CHECKING:
    from PIL import ImageDraw

INK, FAINT, GRID, PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
COLOURS = {"keep": "#1a7f37", "discard": "#9aa5b1", "crash": "#cf222e", "open": "#bf8700"}
BASELINE_COLOUR = "#0969da"
_FAR = 5.0
_CROWD = 1000
"""Attempts above which a dot that was not kept is small and says nothing: nobody could point at it."""
_LABEL, _LABEL_WIDTH, _LABEL_LINE = 34, 210, 14
"""Characters of a title that a label has room for, the pixels they may take, and the pixels from line to line."""


@dataclass(frozen=True)
class Line:
    """A straight line or, with more points, a path of them."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A filled circle; `tip` is shown when a pointer rests on it."""

    x: float
    y: float
    radius: float
    colour: str
    tip: str = ""
    hollow: bool = False


@dataclass(frozen=True, kw_only=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One line of text; `anchor` is `start`, `middle` or `end`; y is the baseline."""

    x: float
    y: float
    text: str
    colour: str = INK
    size: float = 12
    anchor: str = "start"
    bold: bool = False


Shape = Line | Dot | Box | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page, drawn in order."""

    width: int
    height: int
    title: str
    shapes: tuple[Shape, ...]


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
    for entry in report.entries:
        shapes += _attempt(axes, entry, levels.get(entry.index), plain=crowd and entry.status != "keep")
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
    low, high = _bounds(values, {levels.get(one.index) for one in report.entries if one.status == "keep"})
    margin = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    count = max((entry.index for entry in report.entries), default=1)
    return _Axes(
        left=64, right=width - 24, top=56, bottom=height - 46, low=low - margin, high=high + margin, count=count
    )


def _bounds(values: Sequence[float], kept: Collection[float | None]) -> tuple[float, float]:
    """What is seen: all; without what is so far off, and not kept, that the rest would be one line."""
    ordered = sorted(values)
    first, last = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    near = [one for one in ordered if abs(one - (first + last) / 2) <= _FAR * (last - first) or one in kept] or ordered
    shown = near if ordered[-1] - ordered[0] > _FAR**2 * (near[-1] - near[0]) > 0 else ordered
    return shown[0], shown[-1]


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
    placed: list[Text] = []
    best: float | None = None
    for entry in report.entries:
        if entry.status != "keep" or entry.index not in levels:
            continue
        level = levels[entry.index]
        rises = best is None or report.objective.better(level, best)
        above = rises == (report.objective.direction is Direction.MAXIMIZE)
        if entry.index > 1:
            x, y = axes.x(entry.index), axes.y(level)
            side, anchor = (-9, "end") if x > axes.right - _LABEL_WIDTH else (9, "start")
            text = Text(
                x=x + side,
                y=y + (-8 if above else 17),
                text=_short(entry.title),
                colour=COLOURS["keep"],
                size=11,
                anchor=anchor,
            )
            if moved := _aside(axes, text, placed, -_LABEL_LINE if above else _LABEL_LINE):
                placed.append(moved)
        best = level if rises else best
    return placed


def _aside(axes: _Axes, text: Text, placed: Sequence[Text], step: float) -> Text | None:
    """The text moved up or down until it covers none of the others; None when that leads off the plot."""
    while any(_covers(text, other) for other in placed):
        text = replace(text, y=text.y + step)
    return text if axes.top - _LABEL_LINE <= text.y <= axes.bottom else None


def _covers(one: Text, other: Text) -> bool:
    (left, right), (start, end) = _extent(one), _extent(other)
    return abs(one.y - other.y) < _LABEL_LINE and left < end and start < right


def _extent(text: Text) -> tuple[float, float]:
    width = len(text.text) * _LABEL_WIDTH / _LABEL
    return (text.x - width, text.x) if text.anchor == "end" else (text.x, text.x + width)


def _short(title: str) -> str:
    return title if len(title) <= _LABEL else f"{title[: _LABEL - 3].rstrip()}..."


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


def ticks(low: float, high: float, about: int = 5) -> Sequence[float]:
    """Round values between two bounds, about as many as asked for."""
    raw = (high - low) / about
    if not raw > 0 or not math.isfinite(raw):
        return ()
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw), 10 * power)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def svg(drawing: Drawing) -> str:
    """The drawing as a self-contained SVG document."""
    body = "\n".join(_svg(shape) for shape in drawing.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width} {drawing.height}" role="img" '
        f'width="{drawing.width}" height="{drawing.height}" '
        f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
        f"\n<title>{safe(drawing.title)}</title>\n"
        f'<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def _svg(shape: Shape) -> str:
    match shape:
        case Line():
            dash = ' stroke-dasharray="5 4"' if shape.dashed else ""
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            return (
                f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width}"{dash}/>'
            )
        case Dot():
            fill = "transparent" if shape.colour == "none" else shape.colour
            tip = f"<title>{safe(shape.tip)}</title>" if shape.tip else ""
            return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius}" fill="{fill}">{tip}</circle>'
        case Box():
            tip = f"<title>{safe(shape.tip)}</title>" if shape.tip else ""
            return (
                f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}" '
                f'rx="2" fill="{shape.colour}">{tip}</rect>'
            )
        case Text():
            weight = ' font-weight="600"' if shape.bold else ""
            return (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size}" fill="{shape.colour}" '
                f'text-anchor="{shape.anchor}"{weight}>{safe(shape.text)}</text>'
            )


_SCALE = 2
"""Pixels per unit of the drawing: sharp on dense screens and in a chat."""

_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png(drawing: Drawing) -> bytes:
    """The drawing as a PNG file; empty where Pillow is not installed."""
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - an optional part
    except ImportError:
        return b""
    image = Image.new("RGB", (drawing.width * _SCALE, drawing.height * _SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        _draw(pen, shape)
    sink = io.BytesIO()
    image.save(sink, "PNG", optimize=True)
    return sink.getvalue()


def _draw(pen: "ImageDraw.ImageDraw", shape: Shape) -> None:
    match shape:
        case Line():
            _draw_line(pen, shape)
        case Dot() if shape.colour != "none":
            x, y, r = shape.x * _SCALE, shape.y * _SCALE, shape.radius * _SCALE
            pen.ellipse((x - r, y - r, x + r, y + r), fill=shape.colour)
        case Box():
            x, y = shape.x * _SCALE, shape.y * _SCALE
            pen.rectangle((x, y, x + shape.width * _SCALE, y + shape.height * _SCALE), fill=shape.colour)
        case Text():
            font = _font(shape.size * _SCALE)
            place = (shape.x * _SCALE, shape.y * _SCALE)
            pen.text(place, shape.text, fill=shape.colour, font=font, anchor=_ANCHORS[shape.anchor])
        case _:
            pass


def _draw_line(pen: "ImageDraw.ImageDraw", line: Line) -> None:
    points = [(x * _SCALE, y * _SCALE) for x, y in line.points]
    width = max(1, round(line.width * _SCALE))
    if not line.dashed:
        pen.line(points, fill=line.colour, width=width, joint="curve")
        return
    (x0, y0), (x1, y1) = points[0], points[-1]
    parts = max(1, int(abs(x1 - x0) / (9 * _SCALE)))
    for part in range(parts):
        start, end = part / parts, (part + 0.55) / parts
        pen.line(
            [(x0 + (x1 - x0) * start, y0 + (y1 - y0) * start), (x0 + (x1 - x0) * end, y0 + (y1 - y0) * end)],
            fill=line.colour, width=width,
        )  # fmt: skip


def _font(size: float) -> Any:
    from PIL import ImageFont  # noqa: PLC0415

    return ImageFont.load_default(size)
