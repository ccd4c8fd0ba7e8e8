"""`autoresearch recipe show|metric|budget|health RECIPE [OVERRIDES...]`: inspect one recipe."""

import argparse
import json
from pathlib import Path
from typing import Any

from autoresearch.cli import output
from autoresearch.errors import UsageError
from autoresearch.targets.nemo_rl import inspection


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `recipe`."""
    parser.add_argument("action", choices=("show", "metric", "budget", "health"), help="what to show")
    parser.add_argument("recipe", help="the recipe (YAML)")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides on top of it")
    parser.add_argument("--resolved", action="store_true", help="show: the whole resolved config")
    parser.add_argument("--run", metavar="DIR", type=Path, help="health: folder of a run's logs and checkpoints")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the checkout (default: here)")


def run(args: argparse.Namespace) -> int:
    """Print the answer."""
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
    return "\n".join([head, "", output.table(("key", "value", "from"), _shortened(rows)), *unresolved])


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
