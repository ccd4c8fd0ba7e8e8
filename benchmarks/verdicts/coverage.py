"""How often the intervals that a report prints hold the truth, on streams of all kinds.

    python benchmarks/verdicts/coverage.py                 # all streams, 100 campaigns a cell
    python benchmarks/verdicts/coverage.py --campaigns 20 --policies auto,strict --noises 1 --rho 0.9

Counted are the claims that reports, status and MCP show (`autoresearch.verdict.claims`), not an estimate beside them.
"""

import argparse
from multiprocessing import Pool

from autoresearch.experiment.board import PolicySettings
from autoresearch.verdict.policies import policy
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import Outcome, run_campaign

FIRST_SEED = 5_000
HEAD = "| policy | stream | noise | nights with a claim | covers % | said - true | single claims | covers % | false % |"


def count(cell: tuple[str, str, float, float, int, int]) -> str:
    """One line of the table."""
    name, stream, noise, rho, runs, campaigns = cell
    settings = PolicySettings(worth=1.0, confirm=0.15)
    world = World(stream=STREAMS[stream], noise=noise, rho=rho, runs=runs, settings=settings)
    judge = policy(name)
    nights = [run_campaign(judge, world, FIRST_SEED + number) for number in range(campaigns)]
    told = [night for night in nights if night.confirmed is not None and night.covered is not None]
    singles = sum(night.singles for night in nights)
    cells = (
        name, stream, f"{noise:g}", str(len(told)), _share([bool(night.covered) for night in told]), _off(told),
        str(singles), f"{100 * sum(n.singles_covered for n in nights) / max(1, singles):.0f}",
        _share([night.false_claim for night in nights]),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _share(said: list[bool]) -> str:
    return f"{100 * sum(said) / len(said):.0f}" if said else "-"


def _off(told: list[Outcome]) -> str:
    off = [(night.confirmed or 0.0) - night.gain for night in told]
    centre = sum(off) / max(1, len(off))
    square = sum((one - centre) ** 2 for one in off) / max(1, len(off) - 1)
    return f"{centre:+.2f} ± {(square / max(1, len(off))) ** 0.5:.2f}"


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--campaigns", type=int, default=100)
    ask.add_argument("--runs", type=int, default=50)
    ask.add_argument("--policies", default="auto")
    ask.add_argument("--streams", default=",".join(STREAMS))
    ask.add_argument("--noises", default="0.25,0.5,1,2")
    ask.add_argument("--rho", type=float, default=0.0, help="correlation of runs on one seed")
    said = ask.parse_args()
    cells = [
        (name, stream, float(noise), said.rho, said.runs, said.campaigns)
        for name in said.policies.split(",")
        for stream in said.streams.split(",")
        for noise in said.noises.split(",")
    ]
    print(HEAD)
    print("| --- " * HEAD.count(" | ") + "| --- |")
    with Pool() as pool:
        for line in pool.imap(count, cells):
            print(line, flush=True)


if __name__ == "__main__":
    main()
