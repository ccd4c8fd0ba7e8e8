"""The benchmark's page and its plot, from its results alone."""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from budgets_page import section

from autoresearch.report.drawing import FAINT, GRID, INK, Dot, Drawing, Line, Shape, Text, svg

DOCS = Path(__file__).parents[2] / "docs"
Results = Mapping[str, Any]
_WIDTH, _ROW, _LEFT, _TOP = 760, 30, 190, 46
_OURS, _PEERS = "#0969da", "#57606a"


def write(results: Results) -> None:
    """Write `docs/benchmarks-search.md` and its plot."""
    tasks = results["tasks"]
    filled = Path(__file__).with_name("page.md").read_text()
    parts = {
        "python": results["python"],
        "cores": results["cores"],
        "load": results["load"],
        "minutes": f"{results['seconds'] / 60:.0f}",
        "repetitions": len(next(iter(tasks.values()))["repetitions"]),
        "runs": results["runs"],
        "seeds": len(next(iter(tasks.values()))["untouched"]),
        "budgets": section(json.loads(Path(__file__).with_name("budgets.json").read_text())),
        "tasks": "\n".join(_task(name, task) for name, task in tasks.items()),
        "summaries": "\n".join(line for name, task in tasks.items() for line in (*_summary(name, task), "")),
        "every": "\n".join(line for name, task in tasks.items() for line in (*_every(name, task), "")),
        "claims": "\n".join(line for name, task in tasks.items() for line in (*_claims(name, task), "")),
    }
    (DOCS / "images" / "search-gain.svg").write_text(svg(_plot(tasks)))
    (DOCS / "benchmarks-search.md").write_text(filled.format(**parts).rstrip() + "\n")


def _task(name: str, task: Results) -> str:
    noise, level = statistics.stdev(task["untouched"]), _mean(task["untouched"])
    lines = [
        f"### {name}",
        "",
        f"{task['title'][0].upper()}{task['title'][1:]}. Metric: {task['metric']}.",
        f"The untouched recipe ends at {level}, with {_number(noise)} between seeds; campaigns were told",
        f"`worth: {task['worth']:g}`.",
        "",
        "| knob | range | recipe |",
        "|---|---|---|",
        *(f"| `{key}` | {_knob(knob)} | {task['recipe'][key]} |" for key, knob in task["space"].items()),
        "",
    ]
    return "\n".join(lines)


def _knob(knob: Any) -> str:
    if isinstance(knob, Mapping):
        return f"{knob['low']:g} to {knob['high']:g}{', logarithmic' if knob['log'] else ''}"
    return f"{knob[0]:g} to {knob[1]:g}" if isinstance(knob[0], float) else ", ".join(map(str, knob))


def _summary(name: str, task: Results) -> Iterator[str]:
    """Means over repetitions; their standard error is that between repetitions."""
    yield f"### {name}: means over repetitions"
    yield ""
    yield "| method | points | said | true | said - true | true gain | ahead of Optuna TPE |"
    yield "|---" * 7 + "|"
    rival = _gains(task, "Optuna TPE")
    for method in _methods(task):
        mine = _ends(task, method)
        gains = _gains(task, method)
        ahead = [one - other for one, other in zip(gains, rival, strict=True)]
        said = [end["said"] for end in mine]
        excess = [end["said"] - statistics.fmean(end["values"]) for end in mine]
        points = f"{statistics.fmean(end['points'] for end in mine):.1f}"
        true = [statistics.fmean(end["values"]) for end in mine]
        told = (points, _mean(said), _mean(true), _mean(excess, "+"), _mean(gains, "+"))
        yield f"| {method} | {' | '.join(told)} | {_mean(ahead, '+') if method != 'Optuna TPE' else '-'} |"
    yield f"| the untouched recipe | 1 | - | {_mean(task['untouched'])} | - | - | - |"


def _every(name: str, task: Results) -> Iterator[str]:
    """One line per method and repetition; standard errors are those of the fresh seeds."""
    yield f"### {name}: every repetition"
    yield ""
    yield "| repetition | method | runs | said | true | true gain | what it ended with |"
    yield "|---" * 7 + "|"
    for number, ends in enumerate(task["repetitions"], start=1):
        for end in ends:
            told = (_number(end["said"]), _mean(end["values"]), _paired(end, task), _changes(end))
            yield f"| {number} | {end['method']} | {end['runs']} | {' | '.join(told)} |"


def _claims(name: str, task: Results) -> Iterator[str]:
    """What the campaigns' reports announce, beside the truth."""
    yield f"### {name}: what our reports announce"
    yield ""
    yield "| repetition | method | announced gain, 90 % interval | standing | true gain |"
    yield "|---" * 5 + "|"
    for number, ends in enumerate(task["repetitions"], start=1):
        for end in ends:
            if end["claim"]:
                effect, low, high = end["claim"]
                interval = f" [{_number(low, '+')}, {_number(high, '+')}]" if low is not None else ""
                told = "not measured" if effect is None else f"{_number(effect, '+')}{interval}"
                yield f"| {number} | {end['method']} | {told} | {end['standing']} | {_paired(end, task)} |"


def _methods(task: Results) -> list[str]:
    return list(dict.fromkeys(end["method"] for ends in task["repetitions"] for end in ends))


def _ends(task: Results, method: str) -> list[Results]:
    return [end for ends in task["repetitions"] for end in ends if end["method"] == method]


def _gains(task: Results, method: str) -> list[float]:
    level = statistics.fmean(task["untouched"])
    return [statistics.fmean(end["values"]) - level for end in _ends(task, method)]


def _paired(end: Results, task: Results) -> str:
    """Gain with its standard error, paired by seed."""
    return _mean([after - before for after, before in zip(end["values"], task["untouched"], strict=True)], "+")


def _mean(values: Sequence[float], sign: str = "") -> str:
    mean = _number(statistics.fmean(values), sign)
    return f"{mean} ± {_number(statistics.stdev(values) / math.sqrt(len(values)))}" if len(values) > 1 else mean


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}" if abs(value) < 2 else f"{value:{sign}.1f}"


def _changes(end: Results) -> str:
    told = (f"`{key.rsplit('.', 1)[-1]}={_short(value)}`" for key, value in sorted(end["changes"].items()))
    return " ".join(told) or "the untouched recipe"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plot(tasks: Mapping[str, Results]) -> Drawing:
    """True gain of every repetition as a dot, their mean as a bar with its standard error, task by task."""
    shapes: list[Shape] = []
    top = _TOP
    for name, task in tasks.items():
        shapes += _panel(name, task, top)
        top += _ROW * (len(_methods(task)) + 1) + _TOP
    return Drawing(_WIDTH, top - 10, "true gain of every repetition", tuple(shapes))


def _panel(name: str, task: Results, top: float) -> Iterator[Shape]:
    methods = _methods(task)
    gains = {method: _gains(task, method) for method in methods}
    every = [gain for each in gains.values() for gain in each]
    low, high = min(0.0, *every), max(0.0, *every)
    room = (high - low) * 0.06 or 1.0

    def at(gain: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 40) * (gain - low + room) / (high - low + 2 * room)

    bottom = top + _ROW * len(methods)
    yield Text(x=16, y=top - 16, text=f"{name}: true gain over the untouched recipe", colour=INK, size=14, bold=True)
    for mark in (high, high / 2, 0.0):
        yield Line(((at(mark), top), (at(mark), bottom)), FAINT if mark == 0 else GRID, 1)
        yield Text(x=at(mark), y=bottom + 16, text=_number(mark, "+"), colour=FAINT, size=11, anchor="middle")
    for row, method in enumerate(methods):
        y, mean = top + _ROW * (row + 0.5), statistics.fmean(gains[method])
        colour = _PEERS if method.startswith("Optuna") else _OURS
        yield Text(x=_LEFT - 12, y=y + 4, text=method, colour=INK, size=12, anchor="end")
        for gain in gains[method]:
            yield Dot(x=at(gain), y=y, radius=3.5, colour=colour, tip=f"{method}: {_number(gain, '+')}", hollow=True)
        error = statistics.stdev(gains[method]) / math.sqrt(len(gains[method])) if len(gains[method]) > 1 else 0.0
        yield Line(((at(mean - error), y), (at(mean + error), y)), colour, 3)
        yield Line(((at(mean), y - 8), (at(mean), y + 8)), colour, 3)
