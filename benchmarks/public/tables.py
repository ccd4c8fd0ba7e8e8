"""Tables of real runs: configurations by seeds by tenths of the budget, and what is true in them.

A run draws one of the ten seeds that its configuration really had, each time anew, so what is true is known exactly:
the mean over the ten. A run without a number counts as the worst of its table wherever a mean is taken.
"""

import csv
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARTS = 10
"""Looks at a run, evenly over its steps."""


@dataclass(frozen=True, eq=False)
class Table:
    """One environment and algorithm.

    Attributes:
        name: As its authors named it.
        curves: Return after each tenth of the steps, shape (configurations, seeds, PARTS); higher is better.
        configurations: Values of the knobs as they were written; an inactive knob is missing.
    """

    name: str
    curves: Array
    configurations: tuple[Mapping[str, str], ...]

    @cached_property
    def ends(self) -> Array:
        """What a whole run came to, shape (configurations, seeds)."""
        last = self.curves[:, :, -1]
        return np.where(np.isfinite(last), last, np.nanmin(self.curves[:, :, -1]))

    @cached_property
    def truths(self) -> Array:
        """Mean over all seeds of each configuration."""
        return self.ends.mean(1)

    @cached_property
    def start(self) -> int:
        """The median configuration, 0 % of the yardstick: where a campaign begins."""
        return int(np.argsort(self.truths, kind="stable")[len(self.truths) // 2])

    @cached_property
    def reach(self) -> float:
        """From the median configuration to the best: 100 % of the yardstick."""
        return float(self.truths.max() - self.truths[self.start])

    @cached_property
    def deviation(self) -> float:
        """Standard deviation between seeds, in the mean square of the better quarter of the configurations."""
        spread = self.ends.std(1, ddof=1)
        best = self.truths >= np.quantile(self.truths, 0.75)
        return float(np.sqrt(np.mean(spread[best] ** 2)))

    def share(self, place: int, chose: Sequence[int] = ()) -> float:
        """Gain over the median configuration in per cent of the yardstick, by seeds that had no part in choosing."""
        rest = [seed for seed in range(self.ends.shape[1]) if seed not in set(chose)]
        level = self.ends[place, rest].mean() if rest else self.truths[place]
        return 100 * float(level - self.truths[self.start]) / self.reach


@dataclass
class Draws:
    """Runs of a table's configurations, and the seeds that each of them drew."""

    table: Table
    dice: random.Random
    drawn: dict[int, list[int]] = field(default_factory=dict)

    def run(self, place: int, *, chooses: bool = True) -> list[tuple[int, float]]:
        """The curve of one more run, (step, value); seeds that choose are remembered."""
        seed = self.dice.randrange(self.table.curves.shape[1])
        if chooses:
            self.drawn.setdefault(place, []).append(seed)
        return [(part + 1, float(value)) for part, value in enumerate(self.table.curves[place, seed])]

    def share(self, place: int) -> float:
        """True gain of a configuration in per cent of the yardstick."""
        return self.table.share(place, self.drawn.get(place, ()))


def read(path: Path) -> list[Table]:
    """All tables of an archive: `NAME/curve`, `NAME/config` and `NAME/keys` for each, as data/README.md says."""
    found = np.load(path)
    names = sorted({name.split("/")[0] for name in found.files})
    return [_table(name, found[f"{name}/curve"], found[f"{name}/config"], found[f"{name}/keys"]) for name in names]


def _table(name: str, curves: Array, cells: Array, keys: Array) -> Table:
    said = [{str(k): str(v) for k, v in zip(keys, row, strict=True) if str(v)} for row in cells]
    return Table(name, curves.astype(np.float64), tuple(said))


def knobs(table: Table) -> dict[str, dict[str, object]]:
    """A search space that holds every configuration, as a person writes it for the researcher `search`.

    A number whose largest value is more than fifty times its smallest is searched on a logarithmic scale.
    """
    space: dict[str, dict[str, object]] = {}
    for key in dict.fromkeys(key for one in table.configurations for key in one):
        values = sorted({one[key] for one in table.configurations if key in one})
        try:
            numbers = [float(value) for value in values]
        except ValueError:
            space[key] = {"type": "categorical", "choices": values}
            continue
        low, high = min(numbers), max(numbers)
        space[key] = {"type": "float", "low": low, "high": high, "log": low > 0 and high / low > 50}
    return {key: knob for key, knob in space.items() if knob.get("low") != knob.get("high") or knob.get("choices")}


def conditions(table: Table) -> dict[str, tuple[str, str]]:
    """For a knob that is missing in some configurations, the choice that makes it active."""
    found: dict[str, tuple[str, str]] = {}
    everywhere = [key for key in table.configurations[0] if all(key in one for one in table.configurations)]
    for key in {key for one in table.configurations for key in one}.difference(everywhere):
        with_it = [one for one in table.configurations if key in one]
        without = [one for one in table.configurations if key not in one]
        for switch in everywhere:
            on = {one[switch] for one in with_it}
            if len(on) == 1 and not on & {one[switch] for one in without}:
                found[key] = (switch, on.pop())
    return found


def checkout(root: Path) -> list[Table]:
    """Every table of 256 configurations and ten seeds in a checkout of the public repository, branch `experiments`."""
    found = sorted((root / "results_combined" / "sobol").glob("*.csv"))
    if not found:
        raise SystemExit(
            f"{root} holds no results_combined/sobol/*.csv; check out the branch experiments of the repository"
        )
    return [table for path in found if (table := _from_csv(path)) is not None]


def _from_csv(path: Path) -> Table | None:
    """None where a run is missing; the repository holds tables that were never finished."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    runs: dict[tuple[int, int], dict[float, float]] = {}
    said: dict[int, dict[str, str]] = {}
    for row in rows:
        number = int(row.get("run_id") or row["config_id"])
        said[number] = {k.removeprefix("hp_config."): v for k, v in row.items() if k.startswith("hp_config.") and v}
        value = float(row["performance"]) if row["performance"] else math.nan
        runs.setdefault((number, int(row["seed"])), {})[float(row["budget"])] = value
    names, seeds = sorted(said), sorted({seed for _, seed in runs})
    wanted = {(name, seed) for name in names for seed in seeds}
    if (len(names), len(seeds)) != (256, 10) or runs.keys() != wanted or {len(run) for run in runs.values()} != {PARTS}:
        return None
    curves = [[[runs[name, seed][at] for at in sorted(runs[name, seed])] for seed in seeds] for name in names]
    return Table(path.stem, np.array(curves, dtype=np.float64), tuple(said[name] for name in names))
