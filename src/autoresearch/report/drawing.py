"""Drawings as lists of shapes: one drawing, as SVG and, where Pillow is installed, as PNG.

Coordinates are pixels, x to the right, y downwards, as in SVG. The style is that of the pages they stand on.
"""

import base64
import hashlib
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoresearch.report.plain_text import safe

if TYPE_CHECKING:
    from PIL import ImageDraw

INK, MUTED, FAINT, GRID, PAPER = "#1f2933", "#52606d", "#7b8794", "#e4e7eb", "#ffffff"
COLOURS = {"keep": "#1a7f37", "discard": "#9aa5b1", "crash": "#cf222e", "open": "#bf8700"}
BASELINE_COLOUR = "#0969da"
_FAR = 5.0

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --faint: #616e7c; --line: #e4e7eb; --keep: #1a7f37;
--crash: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --faint: #9aa5b1; --line: #323f4b; --keep: #4ac26b;
--crash: #ff7b72; } body { background: #10161d; } svg { filter: invert(.92) hue-rotate(180deg); } }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--ink);
       max-width: 1080px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.headline { font-size: 1.15rem; margin: .4rem 0 1rem; } .faint { color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
svg.tree { min-width: 0; max-width: 480px; } @media print { svg { break-inside: avoid; filter: none; } }
svg { width: 100%; min-width: 620px; height: auto; border-radius: 6px; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 500; white-space: nowrap; } td.number { font-variant-numeric: tabular-nums;
white-space: nowrap; }
.badge { font-weight: 600; } .keep { color: var(--keep); } .crash { color: var(--crash); }
.discard, .open { color: var(--faint); } code { font-size: .85em; overflow-wrap: anywhere; }
@media screen and (max-width: 640px) {
  .rows, .rows tbody { display: block; } .rows td, .rows th { border: 0; padding: 0; }
  .rows tr { display: flex; flex-wrap: wrap; gap: 0 .9rem; padding: .45rem 0; border-bottom: 1px solid var(--line); }
  .rows td { overflow-wrap: anywhere; max-width: 100%; } .rows td:empty { display: none; }
  .rows td:last-child, .rows .whole { flex-basis: 100%; }
  .rows [data-label]::before { content: attr(data-label) " "; color: var(--faint); font-weight: 400; }
  .rows .head:not(.sorts) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
details { margin: .15rem 0; } summary { cursor: pointer; }
.sort { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th[aria-sort="ascending"] .sort::after { content: " \\2191"; }
th[aria-sort="descending"] .sort::after { content: " \\2193"; }
"""

SCRIPT = """
(() => {
  let chosen = null;
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim(), figure = parseFloat(text);
    return text === "" ? null : Number.isNaN(figure) ? text : figure;
  };
  const sort = (table, column, down) => {
    const rows = [...table.rows].slice(1), sign = down ? -1 : 1;
    rows.sort((one, other) => {
      const [a, b] = [value(one, column), value(other, column)];
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1);
    });
    rows[0]?.parentNode.append(...rows);
    [...table.rows[0].cells].forEach((cell, place) => cell.removeAttribute("aria-sort"));
    table.rows[0].cells[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  document.addEventListener("click", (event) => {
    const cell = event.target.closest?.("button.sort")?.closest("th");
    if (!cell) return;
    chosen = { column: cell.cellIndex, down: cell.getAttribute("aria-sort") === "ascending" };
    sort(cell.closest("table"), chosen.column, chosen.down);
  });
  const part = document.getElementById("attempts");
  if (part) new MutationObserver(() => {
    const table = part.querySelector("table");
    if (chosen && table && !table.querySelector("[aria-sort]")) sort(table, chosen.column, chosen.down);
  }).observe(part, { childList: true });
})();
"""
"""Sorts a table by the column whose heading is pressed, and again when its part of the page was put in place anew."""

SCRIPT_HASH = f"sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}"
"""What a page's content security policy lets run."""


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
    """One line of text; `anchor` is `start`, `middle` or `end`; y is the baseline; `link` is where it leads."""

    x: float
    y: float
    text: str
    colour: str = INK
    size: float = 12
    anchor: str = "start"
    bold: bool = False
    link: str = ""


Shape = Line | Dot | Box | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page, drawn in order."""

    width: int
    height: int
    title: str
    shapes: tuple[Shape, ...]


def ticks(low: float, high: float, about: int = 5) -> Sequence[float]:
    """Round values between two bounds, about as many as asked for."""
    raw = (high - low) / about
    if not raw > 0 or not math.isfinite(raw):
        return ()
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw), 10 * power)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def bounds(values: Sequence[float], kept: Collection[float | None] = ()) -> tuple[float, float]:
    """What is seen: all; without what is so far off, and not kept, that the rest would be one line."""
    ordered = sorted(values)
    first, last = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    near = [one for one in ordered if abs(one - (first + last) / 2) <= _FAR * (last - first) or one in kept] or ordered
    shown = near if ordered[-1] - ordered[0] > _FAR**2 * (near[-1] - near[0]) > 0 else ordered
    return shown[0], shown[-1]


def svg(drawing: Drawing, kind: str = "") -> str:
    """The drawing as a self-contained SVG document; a page's style may know its kind."""
    role = "group" if any(isinstance(one, Text) and one.link for one in drawing.shapes) else "img"
    named = f' class="{kind}"' if kind else ""
    body = "\n".join(_svg(shape) for shape in drawing.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width} {drawing.height}" role="{role}"{named} '
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
            ring = f' stroke="{shape.colour}" stroke-width="1.8"' if shape.hollow else ""
            fill = PAPER if shape.hollow else fill
            return (
                f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius}" fill="{fill}"{ring}>{tip}</circle>'
            )
        case Box():
            tip = f"<title>{safe(shape.tip)}</title>" if shape.tip else ""
            return (
                f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}" '
                f'rx="2" fill="{shape.colour}">{tip}</rect>'
            )
        case Text():
            weight = ' font-weight="600"' if shape.bold else ""
            told = (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size}" fill="{shape.colour}" '
                f'text-anchor="{shape.anchor}"{weight}>{safe(shape.text)}</text>'
            )
            return f'<a href="{safe(shape.link)}">{told}</a>' if shape.link else told


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
    image.save(sink, "PNG")
    return sink.getvalue()


def _draw(pen: "ImageDraw.ImageDraw", shape: Shape) -> None:
    match shape:
        case Line():
            _draw_line(pen, shape)
        case Dot() if shape.colour != "none":
            x, y, r = shape.x * _SCALE, shape.y * _SCALE, shape.radius * _SCALE
            pen.ellipse(
                (x - r, y - r, x + r, y + r), fill=PAPER if shape.hollow else shape.colour, outline=shape.colour
            )
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
