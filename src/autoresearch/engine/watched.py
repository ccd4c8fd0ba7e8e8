"""Did an idea work for the reason it gave? What its hypothesis said to watch, beside its parent's value."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from autoresearch.engine.context import Context
from autoresearch.engine.runs import read_all
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.run.measurement import Series

_TAG = re.compile(r"[A-Za-z_][\w-]*(?:/[\w.@-]+)+")
_TAIL = 0.2
"""Share of a run's last points that stands for where it ended."""


def watched(ctx: Context, entry: Experiment) -> tuple[str, ...]:
    """One line per watched tag that both sides logged: `train/reward: 0.41, parent 0.38 (reward rises)`."""
    wanted = [(text, tag) for text in entry.hypothesis.watch for tag in _TAG.findall(text)]
    if not wanted or ctx.history.has_yardstick(entry.name):
        return ()
    ours, theirs = _ends(ctx, entry.name), _ends(ctx, entry.parent)
    return tuple(dict.fromkeys(_line(text, tag, ours[tag], theirs.get(tag)) for text, tag in wanted if tag in ours))


def _line(text: str, tag: str, ours: float, theirs: float | None) -> str:
    beside = "" if theirs is None else f", parent {theirs:.4g}"
    said = text.strip()
    return f"{tag}: {ours:.4g}{beside}" + ("" if said == tag else f" ({said})")


def _ends(ctx: Context, arm: str) -> dict[str, float]:
    """Where each tag of an arm ended, averaged over its valid runs."""
    found: dict[str, list[float]] = {}
    for run in ctx.history.current_runs(arm):
        for tag, value in _end_of_run(ctx, run):
            found.setdefault(tag, []).append(value)
    return {tag: fmean(values) for tag, values in found.items()}


def _end_of_run(ctx: Context, run: Run) -> Iterable[tuple[str, float]]:
    if not run.valid:
        return
    seen: set[str] = set()
    for readings in read_all(ctx, Path(run.planned.folder)).values():
        for tag, series in readings.series.items():
            value = _end(series)
            if tag not in seen and value is not None:
                seen.add(tag)
                yield tag, value


def _end(series: Series) -> float | None:
    tail = series.values[-max(1, round(len(series.values) * _TAIL)) :]
    finite = [value for value in tail if math.isfinite(value)]
    return fmean(finite) if finite else None
