"""The benchmark's page and plots, from its results alone."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import CONFIRM, GREEDY

from autoresearch.report.drawing import FAINT, GRID, INK, Dot, Drawing, Line, Shape, Text, svg

DOCS = Path(__file__).parents[2] / "docs"
HEAD = (
    "| policy | found % | ahead of greedy | keeps | false keeps | said - true "
    "| claimed % | wrong % | covers % | ideas |"
)
LINES = {
    GREEDY: "#cf222e",
    "confirm-once": "#bf8700",
    "race to .8": "#8250df",
    "ours: auto": "#0969da",
    "ours: screening": "#1a7f37",
    "ours: sequential": "#57606a",
}
Result = Mapping[str, Any]


def write(results: Result) -> None:
    """Write `docs/benchmarks-verdicts.md` and its plots."""
    cells = results["cells"]
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    (DOCS / "images" / "verdicts-found.svg").write_text(svg(_plot(cells, "found", "true gain found, %", (0, 100))))
    (DOCS / "images" / "verdicts-said.svg").write_text(svg(_plot(cells, "said", "announced - true", (-2, 12))))
    template = Path(__file__).with_name("page.md").read_text()
    filled = template.format(
        campaigns=_campaigns(cells),
        cells=len(cells),
        minutes=f"{results['seconds'] / 60:.0f}",
        confirm=f"{100 * CONFIRM:.0f}",
        greedy_wins=_compared(cells, lambda ahead, error: ahead < -2 * error),
        ours_wins=_compared(cells, lambda ahead, error: ahead > 2 * error),
        null=_null(cells),
        claims=_claims(cells),
        drift=_drift(cells),
        tables="\n".join(table(cell) for cell in cells),
    )
    (DOCS / "benchmarks-verdicts.md").write_text(filled)


def table(result: Result) -> str:
    """A cell as a markdown table."""
    cell = result["cell"]
    title = f"### `{cell['stream']}`, r = {cell['noise']:g}, {cell['runs']} runs, {cell['campaigns']} campaigns"
    rows = (_cells(row) for row in result["rows"])
    return "\n".join((title, "", HEAD, "|---" * 10 + "|", *(f"| {' | '.join(cells)} |" for cells in rows), ""))


def _cells(row: Result) -> Iterable[str]:
    yield row["policy"]
    yield _pair(row["found"], 0)
    yield _pair(row["ahead"], 0) if row["policy"] != GREEDY else "-"
    yield f"{row['keeps']:.1f}"
    yield _pair(row["false_keeps"], 1)
    yield _pair(row["said"], 2)
    for name in ("claimed", "wrong", "covers"):
        yield "-" if row[name] is None else f"{row[name]:.0f}"
    yield f"{row['ideas']:.0f}"


def _pair(pair: Sequence[float] | None, digits: int) -> str:
    return "-" if pair is None or math.isnan(pair[0]) else f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def _campaigns(cells: Sequence[Result]) -> str:
    total = sum(cell["cell"]["campaigns"] * len(cell["rows"]) for cell in cells)
    return f"{total:,}"


def _compared(cells: Sequence[Result], wins: Any) -> str:
    """Cells in which `auto` and plain greedy are told apart, as a list."""
    found = []
    for result in cells:
        row = next(row for row in result["rows"] if row["policy"] == "ours: auto")
        if row["ahead"] and wins(*row["ahead"]):
            cell, told = result["cell"], _pair(row["ahead"], 0)
            found.append(f"- `{cell['stream']}`, r = {cell['noise']:g}, {cell['runs']} runs: {told} points")
    return "\n".join(found) or "- nowhere"


def _null(cells: Sequence[Result]) -> str:
    lines = []
    for result in cells:
        if result["cell"]["stream"] == "null":
            said = [
                f"{row['policy']} {_pair(row['false_keeps'], 1)} (announces {_pair(row['said'], 2)})"
                for row in result["rows"]
            ]
            lines.append(f"- {result['cell']['runs']} runs: {'; '.join(said)}.")
    return "\n".join(lines)


def _claims(cells: Sequence[Result]) -> str:
    """Wrong claims and coverage of our policies over all cells of a stream."""
    lines = [
        "| stream | campaigns | with a claim % | with a wrong claim % | 90 % intervals that cover % |",
        "|---" * 5 + "|",
    ]
    for stream, rows in _ours(cells).items():
        shares = (_share(rows, lambda row, name=name: row[name]) for name in ("claimed", "wrong", "covers"))
        lines.append(f"| {stream} | {sum(weight for weight, _ in rows)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _drift(cells: Sequence[Result]) -> str:
    """How often our policies' reports speak of drift, by stream and policy."""
    lines = ["| stream | policy | drift % | may have drifted % |", "|---" * 4 + "|"]
    for stream, rows in _ours(cells).items():
        for policy in sorted({row["policy"] for _, row in rows if row["drifted"]}):
            mine = [(weight, row) for weight, row in rows if row["policy"] == policy and row["drifted"]]
            told = (_share(mine, lambda row, place=place: row["drifted"][place]) for place in (0, 1))
            lines.append(f"| {stream} | {policy} | {' | '.join(told)} |")
    return "\n".join(lines)


def _ours(cells: Sequence[Result]) -> dict[str, list[tuple[int, Result]]]:
    """Campaigns and row of each of our policies in each cell, by stream."""
    found: dict[str, list[tuple[int, Result]]] = {}
    for cell in cells:
        mine = [(cell["cell"]["campaigns"], row) for row in cell["rows"] if row["claimed"] is not None]
        found.setdefault(cell["cell"]["stream"], []).extend(mine)
    return found


def _share(rows: Sequence[tuple[int, Result]], part: Callable[[Result], float | None]) -> str:
    """Mean over campaigns of a per cent that not every row has."""
    known = [(weight, value) for weight, row in rows if (value := part(row)) is not None]
    total = sum(weight for weight, _ in known)
    return f"{sum(weight * value for weight, value in known) / total:.1f}" if total else "-"


def _plot(cells: Sequence[Result], name: str, title: str, span: tuple[float, float]) -> Drawing:
    """One panel per stream at 100 runs: a number over the noise-to-effect ratio, one line per policy."""
    panels = [s for s in dict.fromkeys(c["cell"]["stream"] for c in cells) if s != "null"]
    width, height = 300, 220
    shapes: list[Shape] = [Text(x=20, y=22, text=f"{title}; 100 runs, over r = noise / mean gain", size=14, bold=True)]
    for place, (policy, colour) in enumerate(LINES.items()):
        shapes += [Dot(x=30 + 150 * place, y=42, radius=5, colour=colour), Text(x=40 + 150 * place, y=46, text=policy)]
    for place, stream in enumerate(panels):
        left, top = 40 + (place % 3) * width, 80 + (place // 3) * height
        shapes += _panel(cells, stream, name, span, left, top)
    return Drawing(3 * width + 30, 70 + height * math.ceil(len(panels) / 3), title, tuple(shapes))


def _panel(
    cells: Sequence[Result], stream: str, name: str, span: tuple[float, float], left: float, top: float
) -> list[Shape]:
    wide, high = 240.0, 150.0
    here = [cell for cell in cells if (cell["cell"]["stream"], cell["cell"]["runs"]) == (stream, 100)]
    noises = sorted({cell["cell"]["noise"] for cell in cells})

    def spot(noise: float, value: float) -> tuple[float, float]:
        across = noises.index(noise) / max(1, len(noises) - 1)
        return left + wide * across, top + high * (1 - (value - span[0]) / (span[1] - span[0]))

    shapes: list[Shape] = [Text(x=left, y=top - 8, text=stream, colour=INK, size=12, bold=True)]
    for part in range(5):
        value = span[0] + (span[1] - span[0]) * part / 4
        y = top + high * (1 - part / 4)
        shapes += [
            Line(((left, y), (left + wide, y)), GRID),
            Text(x=left - 6, y=y + 4, text=f"{value:g}", colour=FAINT, size=10, anchor="end"),
        ]
    shapes += [
        Text(x=spot(n, span[0])[0], y=top + high + 16, text=f"{n:g}", colour=FAINT, size=10, anchor="middle")
        for n in noises
    ]
    for policy, colour in LINES.items():
        points = [(c["cell"]["noise"], _value(c, policy, name)) for c in here]
        places = tuple(spot(n, min(span[1], max(span[0], v))) for n, v in sorted(points) if not math.isnan(v))
        shapes += [Line(places, colour, 2.0), *(Dot(x=x, y=y, radius=2.5, colour=colour) for x, y in places)]
    return shapes


def _value(cell: Result, policy: str, name: str) -> float:
    row = next(row for row in cell["rows"] if row["policy"] == policy)
    return math.nan if row[name] is None else float(row[name][0])
