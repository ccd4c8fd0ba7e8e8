"""Curves of the metric over steps, drawn together: of the best, of the baseline, of runs that go on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.report.drawing import (
    BASELINE_COLOUR,
    COLOURS,
    GRID,
    MUTED,
    Dot,
    Drawing,
    Line,
    Shape,
    Text,
    bounds,
    ticks,
)
from autoresearch.report.plain_text import cut
from autoresearch.verdict.arms import counted

Points = tuple[tuple[int, float], ...]

PALETTE = (COLOURS["keep"], "#8250df", COLOURS["open"], COLOURS["crash"], "#1b7c83")
_MOST = 12
"""Runs of one name that are drawn singly."""
_ROOM = 72
"""Pixels at the right for the values that the curves end with."""
_VALUE_LINE, _NAME_LINE, _NAME = 15, 22, 58


@dataclass(frozen=True, kw_only=True)
class DrawnCurves:
    """The runs of one arm, or one run.

    Attributes:
        label: What they are called.
        runs: The metric of each as (step, value), steps ascending.
        reference: Whether the others are measured by it; it is dashed.
        counted: Whether the steps only count the values.
    """

    label: str
    runs: tuple[Points, ...]
    reference: bool = False
    counted: bool = False

    @property
    def mean(self) -> Points:
        """The mean at every step that all its runs have."""
        maps = [dict(run) for run in self.runs]
        steps = sorted(set.intersection(*map(set, maps))) if maps else []
        return tuple((step, sum(one[step] for one in maps) / len(maps)) for step in steps)


def arm_curves(history: History, arm: str, label: str, *, reference: bool = False) -> DrawnCurves:
    """The curves of an arm's valid runs, as its branch now stands.

    Args:
        history: The campaign.
        arm: The experiment or bundle.
        label: What to call it; the number of its runs is added.
        reference: Whether others are measured by it.
    """
    found = [run.measurement for run in history.current_runs(arm) if run.valid and run.measurement]
    lines = tuple(made for one in found if len(made := _finite(one.curve)) > 1)
    return DrawnCurves(
        label=f"{label}, {counted(len(lines))}", runs=lines, reference=reference, counted=any(m.counted for m in found)
    )


def best_and_baseline(history: History) -> tuple[DrawnCurves, ...]:
    """Of the baseline and the best so far; empty without a curve of the baseline."""
    if not history.baseline:
        return ()
    found = [arm_curves(history, BASELINE, "baseline", reference=True)]
    if history.incumbent != BASELINE:
        held = " + ".join(f"#{history.experiment(name).index}" for name in history.lineage(history.incumbent))
        found.append(arm_curves(history, history.incumbent, f"best, {held}"))
    return tuple(found) if all(one.runs for one in found) else ()


def told(found: Sequence[DrawnCurves]) -> str:
    """Up to which step they can be compared, in a sentence; empty where nothing is compared."""
    ends = [max(step for step, _ in one.mean) for one in found if one.mean]
    if len(found) < 2 or len(ends) < len(found):
        return ""
    unit = "value" if any(one.counted for one in found) else "step"
    return (
        f"Bold: the mean of the runs at each {unit} that all of them have; thin: single runs, also those that "
        f"verdicts rest on. Compare up to {unit} {min(ends)}, which all reached."
    )


def drawing(title: str, metric: str, found: Sequence[DrawnCurves], width: int = 920, height: int = 300) -> Drawing:
    """All of them over steps, each with the value that it ends with, and below the plot with its name.

    Names stand below because a narrow screen shows the left part of a drawing.

    Args:
        title: What the drawing shows, for who cannot see it.
        metric: Name of the metric.
        found: What to draw, in this order.
        width: Pixels.
        height: Pixels.
    """
    plane = _plane(found, width, height)
    unit = "value" if any(one.counted for one in found) else "step"
    shapes: list[Shape] = [Text(x=plane.left, y=20, text=metric, colour=MUTED), *_grid(plane, unit)]
    colours = [BASELINE_COLOUR if one.reference else "" for one in found]
    free = iter(PALETTE * (1 + len(found) // len(PALETTE)))
    ends: list[Text] = []
    for place, (one, fixed) in enumerate(zip(found, colours, strict=True)):
        colour = fixed or next(free)
        shapes += [*_lines(plane, one, colour), *_name(plane, one, colour, height + 10 + place * _NAME_LINE)]
        ends += _end(plane, one, colour)
    return Drawing(width, height + 8 + len(found) * _NAME_LINE, title, (*shapes, *_apart(ends, plane)))


@dataclass(frozen=True, kw_only=True)
class _Plane:
    """Where steps and values lie on the page."""

    left: float
    right: float
    top: float
    bottom: float
    first: float
    last: float
    low: float
    high: float

    def at(self, step: float, value: float) -> tuple[float, float]:
        x = self.left + (self.right - self.left) * (step - self.first) / (self.last - self.first)
        part = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return x, self.bottom - (self.bottom - self.top) * part


def _plane(found: Sequence[DrawnCurves], width: int, height: int) -> _Plane:
    points = [point for one in found for run in one.runs for point in run]
    steps, values = [step for step, _ in points] or [0], [value for _, value in points] or [0.0, 1.0]
    low, high = bounds(values, [one.mean[-1][1] for one in found if one.mean])
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    first, last = min(steps), max(steps)
    return _Plane(
        left=64, right=width - _ROOM, top=32, bottom=height - 44, first=first, last=last if last > first else first + 1,
        low=low - margin, high=high + margin,
    )  # fmt: skip


def _grid(plane: _Plane, unit: str) -> list[Shape]:
    shapes: list[Shape] = []
    for value in ticks(plane.low, plane.high, 4):
        _, y = plane.at(plane.first, value)
        shapes.append(Line(((plane.left, y), (plane.right, y)), GRID))
        shapes.append(Text(x=plane.left - 8, y=y + 4, text=f"{value:.4g}", colour=MUTED, size=11, anchor="end"))
    for step in ticks(plane.first, plane.last, 6):
        x, _ = plane.at(step, plane.low)
        shapes.append(Text(x=x, y=plane.bottom + 18, text=f"{step:.6g}", colour=MUTED, size=11, anchor="middle"))
    middle = (plane.left + plane.right) / 2
    return [*shapes, Text(x=middle, y=plane.bottom + 36, text=unit, colour=MUTED, anchor="middle")]


def _lines(plane: _Plane, one: DrawnCurves, colour: str) -> list[Shape]:
    mean = one.mean
    thin = one.runs[:_MOST] if len(one.runs) > 1 else ()
    shapes: list[Shape] = [Line(tuple(plane.at(*point) for point in run), colour, 0.6) for run in thin if len(run) > 1]
    points = tuple(plane.at(*point) for point in mean)
    if len(points) > 1:
        shapes.append(Line(points, colour, 2.2, dashed=one.reference))
    if points and not one.reference:
        shapes.append(Dot(x=points[-1][0], y=points[-1][1], radius=4, colour=colour, tip=_value(one)))
    return shapes


def _name(plane: _Plane, one: DrawnCurves, colour: str, y: float) -> list[Shape]:
    if not one.mean:
        return []
    label = cut(f"{one.mean[-1][1]:.4g}  {one.label}", _NAME)
    sample = Line(((plane.left, y - 5), (plane.left + 36, y - 5)), colour, 2.2, dashed=one.reference)
    return [sample, Text(x=plane.left + 46, y=y, text=label, colour=colour, size=15, bold=not one.reference)]


def _end(plane: _Plane, one: DrawnCurves, colour: str) -> list[Text]:
    if not one.mean:
        return []
    _, y = plane.at(*one.mean[-1])
    value = f"{one.mean[-1][1]:.4g}"
    return [Text(x=plane.right + 10, y=y + 4, text=value, colour=colour, size=12, bold=not one.reference)]


def _apart(names: Sequence[Text], plane: _Plane) -> list[Text]:
    """The values from top to bottom, none over another, all on the page."""
    placed: list[Text] = []
    for name in sorted(names, key=lambda one: one.y):
        placed.append(replace(name, y=max(name.y, placed[-1].y + _VALUE_LINE) if placed else name.y))
    over = placed[-1].y - (plane.bottom + 30) if placed else 0.0
    return [replace(name, y=name.y - max(0.0, over)) for name in placed]


def _value(one: DrawnCurves) -> str:
    step, value = one.mean[-1]
    return f"{one.label}: {value:.4g} at {step}"


def _finite(curve: Points) -> Points:
    return tuple((step, value) for step, value in curve if math.isfinite(value))
