"""Measure what archives, restarts, crossings and earned shares are worth, beside hill climbing and its kin.

`python benchmarks/lineages/run.py [--campaigns N] [--runs N]`: every method gets the same landscapes, agents and runs.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from landscape import HILL, Agent, Land, Method, Rules, Truth, best_of, islands, lines

from autoresearch.verdict.policies.greedy import greedy
from autoresearch.verdict.policies.sequential import sequential

METHODS: dict[str, tuple[Method, str]] = {
    "hill climbing (`parents: best`)": (lines(HILL), "sequential"),
    "hill climbing, greedy verdicts": (lines(HILL), "greedy"),
    "`parents: archive`": (lines(Rules(parents="archive")), "sequential"),
    "`restart_after: 6`": (lines(Rules(restart_after=6)), "sequential"),
    "`cross_after: 6`": (lines(Rules(cross_after=6)), "sequential"),
    "all three": (lines(Rules(parents="archive", restart_after=6, cross_after=6)), "sequential"),
    "best of 4 single lines": (best_of(4), "sequential"),
    "4 islands": (islands(4), "sequential"),
}
LANDS = {"smooth": Land(), "rugged": Land(rugged=1.0, pairs=0.2), "very rugged": Land(rugged=2.0, pairs=0.4)}
SKILLS, NOISES = (0.5,), (0.3, 1.0)
TEAM = (Agent(0.7, 0.3), Agent(0.4, 0.3), Agent(0.0, 0.3))
ASKED: dict[str, tuple[Rules, tuple[Agent, ...]]] = {
    "`ask: shares`, equal": (Rules(), TEAM),
    "`ask: gain`": (Rules(ask="gain"), TEAM),
    "`ask: gain`, floor 0.05": (Rules(ask="gain", floor=0.05), TEAM),
    "the best of them alone": (Rules(), TEAM[:1]),
}


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=60)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    said = parser.parse_args(words)
    with Pool(said.workers) as pool:
        cells = [(land, skill, noise) for land in LANDS for skill in SKILLS for noise in NOISES]
        print("| landscape | skill | noise |", " | ".join(METHODS), "|")
        print("| --- " * (3 + len(METHODS)) + "|")
        for cell in cells:
            jobs = [(*cell, seed, said.runs) for seed in range(said.campaigns)]
            print(
                "| {} | {} | {} |".format(*cell), " | ".join(_row(pool.map(play, jobs, chunksize=4))), "|", flush=True
            )
        print("\n| landscape | noise |", " | ".join(ASKED), "|")
        print("| --- " * (2 + len(ASKED)) + "|")
        for land, noise in [("smooth", 0.3), ("smooth", 1.0), ("rugged", 1.0)]:
            jobs = [(land, 0.0, noise, seed, said.runs) for seed in range(said.campaigns)]
            print(f"| {land} | {noise} |", " | ".join(_row(pool.map(ask, jobs, chunksize=4))), "|", flush=True)


def play(job: tuple[str, float, float, int, int]) -> list[float]:
    """What each method comes to in one campaign."""
    land, skill, noise, seed, runs = job
    truth, agents = Truth(land=LANDS[land], seed=seed), (Agent(skill),)
    judges = {"sequential": sequential, "greedy": greedy}
    return [method(truth, judges[by](), runs, noise, seed, agents) for method, by in METHODS.values()]


def ask(job: tuple[str, float, float, int, int]) -> list[float]:
    """What each way of asking three agents comes to in one campaign."""
    land, _, noise, seed, runs = job
    truth = Truth(land=LANDS[land], seed=seed)
    return [lines(rules)(truth, sequential(), runs, noise, seed, team) for rules, team in ASKED.values()]


def _row(found: list[list[float]]) -> list[str]:
    """Means; for all but the first, how much more than the first in the same campaigns, each with a standard error."""
    told = []
    for place, each in enumerate(zip(*found, strict=True)):
        values = each if not place else [one[place] - one[0] for one in found]
        error = statistics.stdev(values) / len(values) ** 0.5
        told.append(f"{statistics.mean(values):{'+' if place else ''}.2f} ± {error:.2f}")
    return told


if __name__ == "__main__":
    main()
