"""Campaigns over ARLBench's published tables, beside other optimisers: `python benchmarks/public [--repeats 2]`.

Everything it needs is in `data/`; it writes `docs/benchmarks-public.md` and its plot. `--data FILE` takes another
archive of the same form, `--full CHECKOUT` a checkout of the public repository (`git clone --branch experiments
https://github.com/automl/arlbench`); both print and leave the page alone.
"""

import argparse
import importlib.util
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean, stdev

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import night
import others
from night import End
from plot import drawing
from tables import Table, checkout, read

from autoresearch.report.drawing import svg
from autoresearch.verdict.policies import policy

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
BUDGETS = (12, 24, 34, 48, 96)
RIVAL = "Optuna TPE, Hyperband"
FIRST_SEED = 40_000

OURS = {
    "ours: auto": ("auto", False, False),
    "ours: auto, race": ("auto", False, True),
    "ours: greedy": ("greedy", False, False),
    "ours: auto, race, search": ("auto", True, True),
}
"""Policy, whether `search` proposes instead of a draw, whether first runs race."""

SLOW = {"ours: auto, race, search": 48}
"""Budgets up to which a method is measured: what a surface takes grows with the third power of what ran."""

OTHERS = {
    "random, best of single runs": lambda *of: others.at_random(*of, seeds=1),
    "random, best of three seeds": lambda *of: others.at_random(*of, seeds=3),
    "Optuna TPE, median pruner": lambda *of: others.tpe(*of, pruner="median"),
    RIVAL: lambda *of: others.tpe(*of, pruner="hyperband"),
}
Ends = Mapping[tuple[str, int], Sequence[Sequence[End]]]
"""What a method ended with at a budget, by table, then by repetition."""


@cache
def tables(source: Path) -> list[Table]:
    """Of an archive, or of a checkout."""
    return checkout(source) if source.is_dir() else read(source)


def one(task: tuple[Path, str, int, int]) -> Mapping[int, End]:
    """A method on a table at all budgets; the same number draws the same for every method."""
    source, method, place, repetition = task
    table, seed = tables(source)[place], FIRST_SEED + repetition
    if method in OTHERS:
        return OTHERS[method](table, seed, BUDGETS)
    name, search, racing = OURS[method]
    wanted = [budget for budget in BUDGETS if budget <= SLOW.get(method, budget)]
    return {n: night.play(policy(name), table, n, seed, search=search, racing=racing) for n in wanted}


def measure(source: Path, repeats: int, processes: int) -> Ends:
    """All methods on all tables."""
    missing = [name for name in OTHERS if "Optuna" in name] if importlib.util.find_spec("optuna") is None else []
    methods = [name for name in (*OURS, *OTHERS) if name not in missing]
    if missing:
        print(f"left out, for Optuna is not installed (pip install optuna): {', '.join(missing)}", flush=True)
    tasks = [
        (source, method, place, repetition)
        for method in methods
        for repetition in range(repeats)
        for place in range(len(tables(source)))
    ]
    found: dict[tuple[str, int], dict[int, list[End]]] = defaultdict(lambda: defaultdict(list))
    with Pool(processes) as pool:
        for (_, method, place, _), ends in zip(tasks, pool.imap(one, tasks), strict=True):
            for budget, end in ends.items():
                found[method, budget][place].append(end)
    return {key: [ends for _, ends in sorted(by.items())] for key, by in found.items()}


def figure(values: Sequence[float], digits: int = 1) -> str:
    """Mean and one standard error."""
    if not values:
        return "-"
    error = f" ± {stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{error}"


def gains(ends: Sequence[Sequence[End]]) -> list[float]:
    """Mean gain on each table."""
    return [fmean(end.gain for end in of) for of in ends]


def rows(found: Ends, cell: str) -> Iterator[str]:
    """A line per method and a column per budget."""
    for method in dict.fromkeys(method for method, _ in found):
        cells = [_cell(found, method, budget, cell) if (method, budget) in found else "-" for budget in BUDGETS]
        if any(text != "-" for text in cells):
            yield f"| {method} | {' | '.join(cells)} |"


def _cell(found: Ends, method: str, budget: int, cell: str) -> str:
    ends = found[method, budget]
    flat = [end for of in ends for end in of]
    if cell == "gain":
        return figure(gains(ends))
    if cell == "behind":
        if method == RIVAL or (RIVAL, budget) not in found:
            return "-"
        return figure([a - b for a, b in zip(gains(ends), gains(found[RIVAL, budget]), strict=True)])
    if cell == "said":
        by_table = [[end.said_minus_true for end in of if end.said_minus_true is not None] for of in ends]
        return figure([fmean(of) for of in by_table if of], 2)
    if cell == "tried":
        return f"{fmean(end.tried for end in flat):.0f}"
    if method not in OURS:
        return "-"
    seen = [end.covered for end in flat if end.covered is not None]
    told = f"{100 * fmean(map(float, seen)):.0f}" if seen else "-"
    parts = [100 * fmean(end.proven for end in flat), 100 * fmean(end.wrong for end in flat)]
    return f"{100 * len(seen) / len(flat):.0f}, {told}, {parts[0]:.0f}, {parts[1]:.0f}"


def published(source: Path) -> Iterator[str]:
    """A line per optimiser of the authors'."""
    told: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for table in tables(source):
        for name, gain, said in others.published(HERE / "data" / "published-runs.npz", table):
            told[name].append((fmean(gain), fmean(said)))
    for name, pairs in told.items():
        cells = (name, figure([gain for gain, _ in pairs]), figure([said for _, said in pairs], 2))
        yield f"| {' | '.join(cells)} |"


def lowest(found: Ends) -> Iterator[str]:
    """For each table, what ours and the rival gain at 48."""
    for place, table in enumerate(tables(HERE / "data" / "tables.npz")):
        cells = [f"{gains(found[method, 48])[place]:.0f}" for method in (*OURS, RIVAL) if (method, 48) in found]
        yield f"| {table.name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the page."""
    ask = argparse.ArgumentParser(
        "python benchmarks/public", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--repeats", type=int, default=2, help="campaigns per method, table and budget (default: 2)")
    ask.add_argument("--processes", type=int, default=2)
    ask.add_argument("--data", type=Path, help="an archive of tables of the form of data/tables.npz")
    ask.add_argument("--full", type=Path, help="a checkout of the public repository, branch experiments")
    said = ask.parse_args()
    source, began = said.full or said.data or HERE / "data" / "tables.npz", time.monotonic()
    found = measure(source, said.repeats, said.processes)
    parts = {cell: "\n".join(rows(found, cell)) for cell in ("gain", "behind", "said", "tried", "claims")}
    if said.full or said.data:
        heads = f"| method | {' | '.join(map(str, BUDGETS))} |\n|---|{'---|' * len(BUDGETS)}"
        print("\n\n".join(f"{cell}\n\n{heads}\n{text}" for cell, text in parts.items()))
        return
    parts |= {"published": "\n".join(published(source)), "single": "\n".join(lowest(found))}
    parts |= {"repeats": str(said.repeats), "minutes": f"{(time.monotonic() - began) / 60:.0f}"}
    (DOCS / "benchmarks-public.md").write_text((HERE / "page.md").read_text().format(**parts))
    levels = {key: fmean(gains(ends)) for key, ends in found.items()}
    (DOCS / "images" / "public-gain.svg").write_text(svg(drawing(levels, BUDGETS)))


if __name__ == "__main__":
    main()
