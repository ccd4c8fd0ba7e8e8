"""True gain against cost, a line per method."""

import math
from collections.abc import Mapping, Sequence

from autoresearch.report.drawing import FAINT, GRID, INK, Dot, Drawing, Line, Shape, Text

_LEFT, _RIGHT, _TOP, _BOTTOM, _WIDTH, _HEIGHT = 60, 500, 40, 330, 760, 380
_COLOURS = ("#0969da", "#1a7f37", "#8250df", "#bf3989", "#9aa5b1", "#57606a", "#bc4c00", "#cf222e")


def drawing(levels: Mapping[tuple[str, int], float], budgets: Sequence[int]) -> Drawing:
    """Mean over all tables of each method at each budget, costs on a logarithmic scale."""
    low = 10 * math.floor(min(levels.values()) / 10)
    high = 10 * math.ceil(max(levels.values()) / 10)

    def x(budget: int) -> float:
        share = math.log(budget / budgets[0]) / math.log(budgets[-1] / budgets[0])
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(gain: float) -> float:
        return _BOTTOM - (gain - low) / (high - low) * (_BOTTOM - _TOP)

    shapes: list[Shape] = [Text(x=_LEFT, y=22, text="true gain, per cent of the yardstick", colour=INK, bold=True)]
    for level in range(low, high + 1, 10):
        shapes.append(Line(((_LEFT, y(level)), (_RIGHT, y(level))), GRID))
        shapes.append(Text(x=_LEFT - 8, y=y(level) + 4, text=str(level), colour=FAINT, anchor="end"))
    shapes += [Text(x=x(b), y=_BOTTOM + 20, text=str(b), colour=FAINT, anchor="middle") for b in budgets]
    shapes.append(
        Text(x=(_LEFT + _RIGHT) / 2, y=_BOTTOM + 42, text="cost in whole runs", colour=FAINT, anchor="middle")
    )
    for number, method in enumerate(dict.fromkeys(name for name, _ in levels)):
        colour = _COLOURS[number % len(_COLOURS)]
        points = tuple((x(b), y(levels[method, b])) for b in budgets if (method, b) in levels)
        shapes.append(Line(points, colour, 2.0, dashed=not method.startswith("ours")))
        shapes += [Dot(x=px, y=py, radius=3, colour=colour) for px, py in points]
        at = _TOP + 16 + 20 * number
        shapes.append(
            Line(((_RIGHT + 20, at - 4), (_RIGHT + 44, at - 4)), colour, 2.0, dashed=not method.startswith("ours"))
        )
        shapes.append(Text(x=_RIGHT + 50, y=at, text=method, colour=INK))
    return Drawing(_WIDTH, _HEIGHT, "True gain against cost on the public tables", tuple(shapes))
