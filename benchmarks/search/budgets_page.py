"""The section of the benchmark's page that `budgets.py` measures."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OURS, RIVAL = "search", "Optuna TPE"
_TASKS = {"cartpole": 1, "grpo": 3}
"""Tasks of our own, and the digits of their gains."""
Found = Mapping[str, Mapping[str, Mapping[str, float]]]


def section(found: Found) -> str:
    """Means, what is ahead of TPE, and ranks."""
    places = [key.rsplit(" ", 1) for key in found]
    groups = {"tables": [key for key, (name, _) in zip(found, places, strict=True) if name not in _TASKS]}
    groups |= {task: [f"{name} {number}" for name, number in places if name == task] for task in _TASKS}
    return "\n".join(line for name, keys in groups.items() if keys for line in (*_group(found, name, keys), ""))


def _group(found: Found, name: str, keys: Sequence[str]) -> Iterator[str]:
    methods = sorted({method for key in keys for method in found[key]}, key=lambda one: (one != OURS, one))
    budgets = list(found[keys[0]][OURS])
    digits = _TASKS.get(name, 1)
    many = (
        f"{len({key.rsplit(' ', 1)[0] for key in keys})} tables"
        if name == "tables"
        else f"{len(keys)} repetition{'s' * (len(keys) > 1)}"
    )
    yield f"### {name}: 20, 40 and 80 runs, {many}"
    yield ""
    heads = [*(f"gain, {n} runs" for n in budgets), *(f"ahead of TPE, {n}" for n in budgets), "mean rank"]
    yield f"| method | {' | '.join(heads)} |"
    yield "|---" * (1 + len(heads)) + "|"
    ranks = _ranks(found, keys, methods, budgets)
    for method in methods:
        gains = {n: [found[key][method][n] for key in keys] for n in budgets}
        rival = {n: [found[key][RIVAL][n] for key in keys] for n in budgets}
        cells = [_mean(gains[n], digits) for n in budgets]
        ahead = [[a - b for a, b in zip(gains[n], rival[n], strict=True)] for n in budgets]
        cells += ["-" if method == RIVAL else _mean(one, digits, "+") for one in ahead]
        yield f"| {method} | {' | '.join(cells)} | {ranks[method]:.1f} |"


def _ranks(found: Found, keys: Sequence[str], methods: Sequence[str], budgets: Sequence[str]) -> Mapping[str, float]:
    """1 for the largest gain, the mean of their places for equal ones; over all places and budgets."""
    of: dict[str, list[float]] = {method: [] for method in methods}
    for key in keys:
        for n in budgets:
            ends = {method: found[key][method][n] for method in methods}
            for method, gain in ends.items():
                better = sum(other > gain for other in ends.values())
                of[method].append(better + (sum(other == gain for other in ends.values()) + 1) / 2)
    return {method: statistics.fmean(ranks) for method, ranks in of.items()}


def _mean(values: Sequence[float], digits: int, sign: Any = "") -> str:
    error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.{digits}f}{error}"
