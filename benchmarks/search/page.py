"""The benchmark's page, from its results alone."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
Results = Mapping[str, Any]


def write(results: Results) -> None:
    """Write `docs/benchmarks-search.md`."""
    ends = [end for repetition in results["repetitions"] for end in repetition]
    filled = Path(__file__).with_name("page.md").read_text()
    parts = {
        "python": results["python"],
        "cores": results["cores"],
        "load": results["load"],
        "minutes": f"{results['seconds'] / 60:.0f}",
        "repetitions": len(results["repetitions"]),
        "experiments": results["experiments"],
        "steps": results["steps"],
        "seeds": len(results["untouched"]),
        "untouched": _mean(results["untouched"]),
        "noise": f"{statistics.stdev(results['untouched']):.3f}",
        "runs": _runs(results["repetitions"]),
        "space": "\n".join(_knob(key, *knob) for key, knob in results["space"].items()),
        "summary": "\n".join(_summary(ends, results["untouched"])),
        "every": "\n".join(_every(results["repetitions"], results["untouched"])),
        "claims": "\n".join(_claims(results["repetitions"], results["untouched"])),
    }
    (DOCS / "benchmarks-search.md").write_text(filled.format(**parts))


def _runs(repetitions: Sequence[Sequence[Results]]) -> str:
    """What the dearer campaign of each repetition spent."""
    counts = sorted({max(end["runs"] for end in ends) for ends in repetitions})
    return f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])


def _knob(key: str, low: float, high: float, log: bool) -> str:
    return f"- `{key}`: {low:g} to {high:g}{', logarithmic' if log else ''}"


def _summary(ends: Sequence[Results], untouched: Sequence[float]) -> Iterator[str]:
    """Means over repetitions; their standard error is that between repetitions."""
    yield "| method | runs each | said | true | said - true | true gain |"
    yield "|---" * 6 + "|"
    for method in dict.fromkeys(end["method"] for end in ends):
        mine = [end for end in ends if end["method"] == method]
        true = [statistics.fmean(end["values"]) for end in mine]
        said = [end["said"] for end in mine]
        excess = [one - other for one, other in zip(said, true, strict=True)]
        gain = [value - statistics.fmean(untouched) for value in true]
        runs = ", ".join(str(end["runs"]) for end in mine)
        shown = (_mean(said), _mean(true), _mean(excess, "+"), _mean(gain, "+"))
        yield f"| {method} | {runs} | {' | '.join(shown)} |"
    yield f"| the untouched recipe | - | - | {_mean(untouched)} | - | - |"


def _every(repetitions: Sequence[Sequence[Results]], untouched: Sequence[float]) -> Iterator[str]:
    """One line per method and repetition; standard errors are those of the fresh seeds."""
    yield "| repetition | method | runs | said | true | said - true | true gain | what it ended with |"
    yield "|---" * 8 + "|"
    for number, ends in enumerate(repetitions, start=1):
        for end in ends:
            excess = _mean([end["said"] - value for value in end["values"]], "+")
            told = (f"{end['said']:.3f}", _mean(end["values"]), excess, _gain(end, untouched), _changes(end))
            yield f"| {number} | {end['method']} | {end['runs']} | {' | '.join(told)} |"


def _claims(repetitions: Sequence[Sequence[Results]], untouched: Sequence[float]) -> Iterator[str]:
    """What the campaigns' reports announce, beside the truth."""
    yield "| repetition | method | announced gain, 90 % interval | standing | true gain |"
    yield "|---" * 5 + "|"
    for number, ends in enumerate(repetitions, start=1):
        for end in ends:
            if end["claim"]:
                effect, low, high = end["claim"]
                told = "not measured" if low is None else f"{effect:+.3f} [{low:+.3f}, {high:+.3f}]"
                yield f"| {number} | {end['method']} | {told} | {end['standing']} | {_gain(end, untouched)} |"


def _gain(end: Results, untouched: Sequence[float]) -> str:
    """Paired by seed."""
    return _mean([after - before for after, before in zip(end["values"], untouched, strict=True)], "+")


def _mean(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.fmean(values):{sign}.3f}"
    return f"{mean} ± {statistics.stdev(values) / math.sqrt(len(values)):.3f}" if len(values) > 1 else mean


def _changes(end: Results) -> str:
    told = (f"`{key.rsplit('.', 1)[-1]}={_short(value)}`" for key, value in sorted(end["changes"].items()))
    return " ".join(told) or "the untouched recipe"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
