"""Verdict policies on invented campaigns, as markdown tables: `python benchmarks/verdicts/run.py [--quick]`.

Every policy meets the same ideas. Gains are in mean true improvements, r is run-to-run noise in the same unit. Found is
the true gain of the final branch in per cent of what a judge who sees the truth would have found at one run per idea.
Peers spend nothing on fresh seeds; ours keep their default share of 15 % for them.
"""

import argparse
import time

from peers import PEERS

from autoresearch.core.board import Policy, PolicySettings
from autoresearch.core.policies import POLICIES, policy
from autoresearch.engine.simulation import STREAMS, Summary, World, simulate

TABLES = ("null", "base", "sparse", "heavy", "builds", "interactions", "drift")
HEAD = (
    "| policy | r | found % | true gain | false keeps | keeps | said - true "
    "| claimed % | false claims % | 90 % covers % | runs |"
)
FIRST_SEED = 100_000


def main() -> None:
    options = _options()
    began = time.monotonic()
    for stream in options.streams:
        for runs in options.budgets:
            print(f"\n### `{stream}`, {runs} runs, {options.campaigns} campaigns\n\n{HEAD}\n{'|---' * 11}|")
            for rival in _rivals(options.policies):
                for noise in (1.0,) if stream == "null" else options.noise:
                    print(_row(rival, stream, runs, noise, options.campaigns), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few campaigns, one budget: about two minutes")
    parser.add_argument("--campaigns", type=int)
    parser.add_argument("--streams", nargs="+", choices=sorted(STREAMS), default=TABLES)
    parser.add_argument("--budgets", nargs="+", type=int)
    parser.add_argument("--noise", nargs="+", type=float)
    parser.add_argument("--policies", nargs="+")
    options = parser.parse_args()
    options.campaigns = options.campaigns or (10 if options.quick else 100)
    options.budgets = options.budgets or ([50] if options.quick else [50, 100, 200])
    options.noise = options.noise or ([0.5, 2.0] if options.quick else [0.25, 0.5, 1.0, 2.0, 4.0])
    return options


def _rivals(names: list[str] | None) -> list[tuple[str, Policy, float]]:
    """Name, policy, share kept for fresh seeds."""
    every = [(peer.name, peer(), 0.0) for peer in PEERS]
    every += [(f"ours: {name}", policy(name), 0.15) for name in sorted(POLICIES)]
    return [rival for rival in every if not names or rival[0].removeprefix("ours: ") in names or rival[0] in names]


def _row(rival: tuple[str, Policy, float], stream: str, runs: int, noise: float, campaigns: int) -> str:
    name, judge, confirm = rival
    world = World(STREAMS[stream], noise, runs, settings=PolicySettings(worth=1.0, confirm=confirm))
    found = simulate(judge, world, campaigns=campaigns, seed=FIRST_SEED)
    said = found.confirmed_minus_true if confirm else found.announced_minus_true
    cells = (name, f"{noise:g}", _share(found), found.gain, found.false_keeps, found.keeps, said)
    shares = (found.claimed, found.false_claims, found.coverage)
    claims = tuple(_percent(share.mean) if confirm else "-" for share in shares)
    return "| " + " | ".join(str(cell) for cell in (*cells, *claims, f"{found.runs.mean:.0f}")) + " |"


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.0f}"  # noqa: PLR0124  (NaN)


def _share(found: Summary) -> str:
    if not found.possible.mean:
        return "-"
    return f"{100 * found.gain.mean / found.possible.mean:.1f}±{100 * found.gain.error / found.possible.mean:.1f}"


if __name__ == "__main__":
    main()
