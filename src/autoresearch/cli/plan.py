"""`autoresearch plan RECIPE`: inspect a recipe, propose a campaign and write its file."""

import argparse
from typing import Any

from autoresearch.cli import output
from autoresearch.cli.arguments import list_installed, session_of
from autoresearch.cli.describe import plan_document
from autoresearch.errors import UsageError


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `plan`; everything else is edited in the file."""
    parser.add_argument("recipe", nargs="?", default="", help="the recipe (YAML) to start from")
    parser.add_argument("--stop", metavar="WORDS", help="stop rule, e.g. '50 experiments or 10h total, 1h each'")
    parser.add_argument("--goal", help="the goal in your own words")
    parser.add_argument("--metric", help="metric to judge by (default: the recipe's own)")
    parser.add_argument(
        "--direction", choices=("maximize", "minimize"), help="whether larger or smaller values are better"
    )
    parser.add_argument("--target", help="what is being trained (default: nemo-rl)")
    parser.add_argument("--command", dest="argv", metavar="CMD", help="training command, as one shell-quoted string")
    parser.add_argument("--launcher", help="where runs happen (default: local)")
    parser.add_argument("--site", choices=("auto", "plain", "brev"), help="where heavy files go (default: auto)")
    parser.add_argument("--parallel", type=int, help="runs in parallel")
    parser.add_argument("--researcher", action="append", help="who proposes ideas; repeat for several, asked in order")
    parser.add_argument("--ideas", metavar="FILE", help="a YAML list of hypotheses, for the `file` researcher")
    parser.add_argument("--policy", help="verdict policy (default: auto)")
    parser.add_argument("--worth", type=float, help="the smallest gain you would care about")
    parser.add_argument("--base", help="commit to start from (default: HEAD)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any key of the campaign file"
    )
    parser.add_argument("--name", dest="campaign", help="campaign name (default: made from date and recipe)")
    parser.add_argument("--repo", metavar="DIR", type=_path, default=_path("."), help="the repository (default: here)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and the first submission, write nothing")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    list_installed(parser, "targets", "launchers", "researchers", "policies", "metrics", "trackers")


def run_plan(args: argparse.Namespace) -> int:
    """Print the plan and write the campaign file."""
    from autoresearch.campaign.plan import PlanRequest  # noqa: PLC0415 - `--help` can do without

    session = session_of(args)
    plan = session.plan(PlanRequest(args.recipe, args.stop, args.campaign or "", settings(args)))
    submission = session.dry_run(plan) if args.dry_run else None
    path = None if args.dry_run else session.write(plan)
    if args.json:
        output.emit(plan_document(plan) | {"file": path, "submission": submission and submission.text})
        return 0
    output.say(plan.text(output.terminal_width()))
    if submission is not None:
        output.say(f"\nThe first submission would be:\n\n{submission.text}")
    else:
        output.say(f"\nWritten to {path}\nEdit it if you like, then: autoresearch run")
    return 0


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The flags as keys of the campaign file."""
    found: dict[str, Any] = {}
    objective = {"goal": args.goal, "metric": args.metric, "direction": args.direction}
    _put(found, "objective", {key: value for key, value in objective.items() if value is not None})
    launcher = {"type": args.launcher, "parallel": args.parallel}
    _put(found, "launcher", {key: value for key, value in launcher.items() if value is not None})
    _put(found, "verdict", {k: v for k, v in {"policy": args.policy, "worth": args.worth}.items() if v is not None})
    _put(found, "site", {"type": args.site} if args.site else None)
    _put(found, "target", args.target)
    _put(found, "base", args.base)
    _put(found, "command", _words(args.argv) if args.argv else None)
    _put(found, "researcher", _researchers(args))
    for item in args.set:
        _set(found, item)
    return found


def _words(command: str) -> tuple[str, ...]:
    import shlex  # noqa: PLC0415 - only this command splits words

    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"--command {command!r} is not valid shell quoting: {error}") from None


def _put(found: dict[str, Any], key: str, value: Any) -> None:
    if value:
        found[key] = value


def _researchers(args: argparse.Namespace) -> list[Any]:
    names = list(args.researcher or [])
    own: dict[str, Any] = {"file": {"path": args.ideas}} if args.ideas else {}
    asked = [*(name for name in own if name not in names), *names]
    return [{"type": name, **own[name]} if name in own else name for name in asked]


def _set(found: dict[str, Any], item: str) -> None:
    """`verdict.confirm=0.2`: a dotted key of the campaign file with a YAML value."""
    key, sign, value = item.partition("=")
    if not sign or not key:
        raise UsageError(f"--set {item!r}: write KEY=VALUE, for example --set verdict.confirm=0.2")
    import yaml  # noqa: PLC0415 - only when asked for

    from autoresearch.config.schema import CampaignConfig  # noqa: PLC0415 - likewise

    *above, last = key.split(".")
    if above == ["target"]:
        found.setdefault("target", {"type": CampaignConfig.model_fields["target"].default.type})
    place = found
    for part in above:
        below = place.setdefault(part, {})
        place[part] = place = below if isinstance(below, dict) else {"type": below}
    if not above and last not in CampaignConfig.model_fields:
        raise UsageError(f"--set {item!r}: the campaign file has no key {last!r}")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--set {item!r}: the value is not valid YAML; put quotes around it if it is text") from None


def _path(text: str) -> Any:
    from pathlib import Path  # noqa: PLC0415 - argparse wants a callable

    return Path(text)
