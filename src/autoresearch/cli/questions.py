"""`autoresearch recipe show|metric|budget|health RECIPE [OVERRIDES...]`: inspect one recipe.

`autoresearch simulate`: run simulated campaigns through the policies that judge real ones.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from autoresearch.cli import output
from autoresearch.cli.main import list_installed
from autoresearch.errors import UsageError
from autoresearch.report import plain_text


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `recipe`."""
    parser.add_argument("action", choices=("show", "metric", "budget", "health"), help="what to show")
    parser.add_argument("recipe", help="the recipe (YAML)")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides on top of it")
    parser.add_argument("--resolved", action="store_true", help="show: the whole resolved config")
    parser.add_argument("--run", metavar="DIR", type=Path, help="health: folder of a run's logs and checkpoints")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the checkout (default: here)")


def run_recipe(args: argparse.Namespace) -> int:
    """Print the answer."""
    from autoresearch.ports import plugins  # noqa: PLC0415 - `--help` can do without

    inspection = plugins.inspector("nemo-rl")
    if args.action == "show":
        found = inspection.show(args.repo, args.recipe, args.overrides, resolved=args.resolved)
        output.say(_dump(found) if args.json else _tree(found) if args.resolved else _lineage(found))
        return 0
    if args.action == "health":
        found = inspection.health(args.repo, args.recipe, args.overrides, _run(args))
        output.emit(found) if args.json else output.say(_health(found))
        return 0
    ask = inspection.metric if args.action == "metric" else inspection.budget
    found = ask(args.repo, args.recipe, args.overrides)
    output.emit(found) if args.json else output.say(_lines(found))
    return 0


def _run(args: argparse.Namespace) -> Path:
    if args.run is None:
        raise UsageError("recipe health reads a run: give the folder of its logs and checkpoints with --run DIR")
    return Path(args.run)


def _health(found: dict[str, Any]) -> str:
    lines = [
        f"{one['severity']}: {one['name']} ({one['fault']})\n  {one['evidence']}\n  try: {one['advice']}"
        for one in found["symptoms"]
    ]
    return "\n\n".join([_lines({**found, "symptoms": ()}), *(lines or ["no symptom found"])])


def _dump(found: Any) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False)


def _tree(found: Any) -> str:
    import yaml  # noqa: PLC0415

    return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=110)).rstrip("\n")


def _lineage(found: dict[str, Any]) -> str:
    values = found["values"].items()
    rows = [(key, json.dumps(entry["value"], ensure_ascii=False), entry["from"]) for key, entry in values]
    head = f"{found['algorithm']} recipe: " + " <- ".join(found["lineage"])
    unresolved = [f"cannot be resolved: {key}: {why}" for key, why in found["unresolved"].items()]
    return "\n".join([head, "", plain_text.table(("key", "value", "from"), _shortened(rows)), *unresolved])


def _shortened(rows: list[tuple[str, str, str]], width: int = 60) -> list[tuple[str, str, str]]:
    return [(key, value if len(value) <= width else value[: width - 1] + "…", origin) for key, value, origin in rows]


def _lines(found: dict[str, Any]) -> str:
    told = {key: value for key, value in found.items() if value not in ("", None, [], ())}
    return "\n".join(f"{key.replace('_', ' ') + ':':20}{_text(value)}" for key, value in told.items())


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return "\n".join(str(item) for item in value).replace("\n", "\n" + " " * 20)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def add_simulate_arguments(parser: argparse.ArgumentParser) -> None:
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
    list_installed(parser, "policies")


def run_simulate(args: argparse.Namespace) -> int:
    """Print one line per policy; gains in the metric's own unit."""
    from autoresearch.report.policy_comparison import SimulationSetup, compare, plot  # noqa: PLC0415 - `--help` can do without

    trial = SimulationSetup(
        noise=args.noise,
        gain=args.gain,
        runs=args.runs,
        worth=args.worth,
        stream=args.stream,
        policies=tuple(args.policy),
        campaigns=args.campaigns,
        slots=args.parallel,
        seed=args.seed,
    )
    found = compare(trial)
    if args.plot:
        plot(found.summaries, args.gain, args.plot)
    if args.json:
        output.emit(found.summaries)
        return 0
    output.say(str(found))
    if args.plot:
        output.say(f"Drawn to {args.plot}")
    return 0
