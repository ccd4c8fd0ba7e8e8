"""A drawing as a PNG file, where Pillow is installed."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoresearch.machine import disk
from autoresearch.report.figure import PAPER, Box, Dot, Drawing, Line, Shape, Text

if TYPE_CHECKING:
    from PIL import ImageDraw

_SCALE = 2
"""Pixels per unit of the drawing: sharp on dense screens and in a chat."""

_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png(drawing: Drawing, path: Path) -> Path | None:
    """Write the drawing as a PNG and return its path; None when Pillow is not installed.

    Raises:
        StorageError: The disk refused.
    """
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - an optional part
    except ImportError:
        return None
    image = Image.new("RGB", (drawing.width * _SCALE, drawing.height * _SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        _draw(pen, shape)
    sink = io.BytesIO()
    image.save(sink, "PNG", optimize=True)
    disk.replace(path, sink.getvalue())
    return path


def _draw(pen: "ImageDraw.ImageDraw", shape: Shape) -> None:
    match shape:
        case Line():
            _line(pen, shape)
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


def _line(pen: "ImageDraw.ImageDraw", line: Line) -> None:
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
