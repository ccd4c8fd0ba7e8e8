"""Keep rules on public nights: `python benchmarks/nights/run.py [--nights 200]` measures and writes the page.

Everything it needs is in `data/`. `--table FILE` takes another table of the same form (see README.md there).
"""

import argparse
import importlib
import math
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean, stdev

import rules
from replay import Night, Table, play, public_night, read, standing_out

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks-nights.md"
FIRST_SEED = 700_000
RUNS = 50
HIGHER = ("cifar10",)
"""Nights whose metric is better when higher."""

SIGMA = 0.00067
"""Standard deviation of 47 runs of the default of the task of `SAME_TASK`, on the machine of the first."""

SAME_TASK = ("code-agent-seed0", "code-agent-seed1", "h100-mar8")
KINDS = ("early", "late")

Rule = tuple[str, object, float]


def table_of(kind: str, path: Path) -> tuple[Table, float]:
    """The table of one kind of night and the gain worth having in it: three noises of a run."""
    whole = read(path)
    table = whole if kind == "early" else whole.late(60, 120)
    return table, 3 * math.sqrt(fmean(value * value for value in table.deviations[0]))


def every_rule() -> Iterator[Rule]:
    """Those of all files in `rules/`."""
    for found in sorted(pkgutil.iter_modules(rules.__path__), key=lambda module: module.name != "peers"):
        yield from importlib.import_module(f"rules.{found.name}").RULES


def measure(task: tuple[str, str, int, Path]) -> list[Night]:
    """All nights of one rule."""
    kind, name, nights, path = task
    table, worth = table_of(kind, path)
    _, policy, confirm = next(rule for rule in every_rule() if rule[0] == name)
    return [
        play(policy, table, runs=RUNS, confirm=confirm, worth=worth, seed=FIRST_SEED + night) for night in range(nights)
    ]


def row(name: str, nights: Sequence[Night]) -> str:
    """A rule's line of the table."""
    told = [night for night in nights if night.said is not None]
    seen = [night.covered for night in nights if night.covered is not None]
    ours = name.startswith("ours")
    cells = (
        name,
        _figure([100 * night.gain / night.possible for night in nights if night.possible], 1),
        f"{fmean(night.keeps for night in nights):.1f}",
        _figure([float(night.false_keeps) for night in nights], 2),
        _figure([1000 * ((night.said or 0.0) - night.gain) for night in told], 2),
        f"{100 * fmean(night.proven for night in nights):.0f}" if ours else "-",
        _percent(night.proven and night.gain <= 0 for night in nights) if ours else "-",
        _percent(seen) if ours and seen else "-",
    )
    return f"| {' | '.join(cells)} |"


def _percent(said: Iterable[bool]) -> str:
    return f"{100 * fmean(map(float, said)):.0f}"


def _figure(values: Sequence[float], digits: int) -> str:
    if len(values) < 2:
        return "-"
    return f"{fmean(values):.{digits}f} ± {stdev(values) / math.sqrt(len(values)):.{digits}f}"


def public() -> str:
    """How many keeps of each real night stand out of the noise, where it was measured; else of which they would."""
    lines = []
    for path in sorted((HERE / "data").glob("night-*.csv")):
        night = public_night(path, higher=path.stem.removeprefix("night-") in HIGHER)
        half = len(night.gains) // 2
        early, late = night.gains[: len(night.gains) - half], night.gains[len(night.gains) - half :]
        middle = sorted(night.gains)[len(night.gains) // 2] if night.gains else 0.0
        cells = [night.name, str(night.runs), str(len(night.gains)), f"{max(middle, 0.0) / 1.645 / math.sqrt(2):.2g}"]
        parts = (night.gains, early, late)
        told = (
            [f"{standing_out(part, SIGMA)} of {len(part)}" for part in parts] if night.name in SAME_TASK else ["-"] * 3
        )
        cells += told
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Play all rules on both kinds of night and write the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--nights", type=int, default=200, help="nights per rule and kind (default: 200)")
    ask.add_argument("--table", type=Path, default=HERE / "data" / "repeated.txt")
    ask.add_argument("--print", action="store_true", help="print the tables and leave the page alone")
    said = ask.parse_args()
    names = [name for name, _, _ in every_rule()]
    filled: dict[str, str] = {"nights": str(said.nights), "public": public()}
    with Pool(2) as pool:
        for kind in KINDS:
            found = pool.map(measure, [(kind, name, said.nights, said.table) for name in names], chunksize=1)
            filled[kind] = "\n".join(row(name, nights) for name, nights in zip(names, found, strict=True))
            filled[f"{kind}_sigma"] = f"{table_of(kind, said.table)[1] / 3:.2g}"
    page = (HERE / "page.md").read_text().format(**filled)
    print(page) if said.print else PAGE.write_text(page)


if __name__ == "__main__":
    main()
