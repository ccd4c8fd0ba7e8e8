"""`autoresearch simulate`: run simulated campaigns through the policies that judge real ones."""

import argparse
from pathlib import Path

from autoresearch.cli import output


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `simulate`."""
    parser.add_argument("--noise", type=float, required=True, help="standard deviation between runs of the same code")
    parser.add_argument(
        "--gain", type=float, required=True, help="typical size of a true improvement, in the same unit"
    )
    parser.add_argument("--runs", type=int, default=50, help="run budget of a campaign (default: 50)")
    parser.add_argument("--worth", type=float, help="the smallest gain you would care about (default: --gain)")
    parser.add_argument("--policy", action="append", default=[], help="compare only these; repeat for several")
    parser.add_argument(
        "--stream", default="base", help="base, null, decay, sparse, heavy, builds, interactions, drift"
    )
    parser.add_argument("--campaigns", type=int, default=100, help="simulated campaigns per policy (default: 100)")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="first random seed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the comparison as an SVG")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per policy; gains in the metric's own unit."""
    from autoresearch.campaign.simulate import Trial, compare, plot  # noqa: PLC0415 - `--help` can do without

    trial = Trial(
        args.noise, args.gain, args.runs, args.worth, args.stream, tuple(args.policy), args.campaigns, args.parallel,
        args.seed,
    )  # fmt: skip
    found = compare(trial)
    if args.plot:
        plot(found, args.gain, args.plot)
    if args.json:
        output.emit(found)
        return 0
    unit = args.gain
    rows = [
        (
            one.policy, f"{one.gain.mean * unit:+.3g} ± {one.gain.error * unit:.2g}",
            f"{one.announced_minus_true.mean * unit:+.3g}", f"{one.keeps.mean:.1f}", f"{one.false_keeps.mean:.1f}",
            f"{one.missed.mean:.1f}", f"{one.false_claims.mean:.1%}", f"{one.runs.mean:.0f}",
        )
        for one in found
    ]  # fmt: skip
    head = ("policy", "true gain", "announced - true", "keeps", "false keeps", "missed", "false claims", "runs")
    output.say(output.table(head, rows))
    output.say(
        f"\n{args.campaigns} campaigns of {args.runs} runs each; noise/gain = {args.noise / unit:.2g}. "
        "False claims: campaigns that call something proven which is not."
    )
    if args.plot:
        output.say(f"Drawn to {args.plot}")
    return 0
