"""What two ideas in a run are worth: `doubles` beside `auto`, which is the same without them, on the same ideas.

    python benchmarks/verdicts/pairs.py                       # eleven streams, r = 0.25 and 1, 50 runs, 100 campaigns
    python benchmarks/verdicts/pairs.py --runs 24 --noises 0.5,2 --campaigns 200 --streams base,harmful

Whole campaigns through the very policies, proof included. Columns: what `auto` finds in per cent of what could be
found, points by which `doubles` is ahead of it and of plain greedy without proof (± one standard error), and before and
after: ideas tried, campaigns that proved their gain in per cent, false claims in all.
"""

import argparse
from dataclasses import replace

from cells import CONFIRM, share

from autoresearch.experiment.board import PolicySettings
from autoresearch.ports.policy import Policy
from autoresearch.verdict.policies import policy
from autoresearch.verdict.simulated_world import STREAMS, Stream, World
from autoresearch.verdict.simulation import Outcome, run_campaign

HUGE = (8.0, *(0.0,) * 12, *(-0.5, -1.0, -1.5, -2.0, -2.5) * 3, 0.2, 0.2)
KINDS = {name: STREAMS[name] for name in ("base", "spike", "sparse", "half", "normal", "decay", "heavy", "drift", "interactions")}  # fmt: skip  # noqa: E501
KINDS |= {"harmful": Stream(good=0.15, null=0.05), "huge one": Stream(effects=HUGE)}
"""`harmful`: 80 % of ideas harm; `huge one`: one in thirty is worth eight."""


def cell(stream: str, noise: float, runs: int, campaigns: int, first: int) -> str:
    """One line of the table."""
    world = World(stream=KINDS[stream], noise=noise, runs=runs, settings=PolicySettings(worth=1.0, confirm=CONFIRM))
    free = replace(world, settings=PolicySettings(worth=1.0, confirm=0.0))

    def play(judge: Policy, where: World) -> list[Outcome]:
        return [run_campaign(judge, where, first + number) for number in range(campaigns)]

    alone, two = play(policy("auto"), world), play(policy("doubles"), world)
    greedy = play(policy("greedy"), free)
    possible = [one.possible for one in alone]
    found = share([one.gain for one in alone], possible)
    ahead = [share([b.gain - a.gain for a, b in zip(other, two, strict=True)], possible) for other in (alone, greedy)]
    told = [f"{stream}, r = {noise:g}", f"{found[0]:.0f}" if found else "-"]
    told += [f"{one[0]:+.1f} ± {one[1]:.1f}" if one else "-" for one in ahead]
    told.append(" to ".join(f"{sum(one.ideas for one in each) / campaigns:.0f}" for each in (alone, two)))
    told.append(" to ".join(f"{100 * sum(one.proven for one in each) / campaigns:.0f}" for each in (alone, two)))
    told.append(" to ".join(str(sum(one.false_claim for one in each)) for each in (alone, two)))
    return "| " + " | ".join(told) + " |"


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--runs", type=int, default=50)
    ask.add_argument("--campaigns", type=int, default=100)
    ask.add_argument("--noises", default="0.25,1")
    ask.add_argument("--streams", default=",".join(KINDS))
    ask.add_argument("--first", type=int, default=700_000, help="seed of the first campaign")
    said = ask.parse_args()
    print("| stream | `auto` finds % | ahead of it | ahead of greedy | ideas | proven % | false |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for stream in said.streams.split(","):
        for noise in said.noises.split(","):
            print(cell(stream, float(noise), said.runs, said.campaigns, said.first), flush=True)


if __name__ == "__main__":
    main()
