"""`autoresearch list`: the campaigns of a repository, the one worked on last first.

`autoresearch compare A B`: two campaigns side by side, and the ideas that both tried.

`autoresearch dashboard`: pages in your browser that show the campaigns and stay up to date.

`autoresearch gc`: what takes room and can go; `--remove KIND` clears it away.

`autoresearch help`: all commands, or the flags of one.

`autoresearch completion`: words for your shell, so that it completes commands and flags:
`eval "$(autoresearch completion bash)"` in `~/.bashrc`, the same with `zsh` in `~/.zshrc`,
`autoresearch completion fish | source` for fish.

`autoresearch recipe show|metric|budget|environment|plays|health RECIPE [OVERRIDES...]`: inspect one recipe, without
a campaign.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoresearch import extras
from autoresearch.cli import output
from autoresearch.cli.main import COMMANDS, campaign_arguments, campaign_of, nearest, parser
from autoresearch.errors import AutoresearchError, PluginError, UsageError
from autoresearch.report import plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoresearch.experiment.hypothesis import Brief
    from autoresearch.ports.researcher import Explained, Explainer
    from autoresearch.records.clearance import Clearable

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class ListedCampaign:
    """A campaign in one line.

    Attributes:
        campaign: Its name.
        state: As `status` has it, `unreadable`, or `in git` where nothing but the copy in git is left.
        attempted: Attempts so far; None while nobody can say.
        keep: Kept experiments.
        best: Mean of the metric of the best.
        metric: What it is judged by, why it cannot be read, or how to bring it back.
    """

    campaign: str
    state: str
    attempted: int | None = None
    keep: int | None = None
    best: float | None = None
    metric: str


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `list`."""
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def run_list(args: argparse.Namespace) -> int:
    """One line for each campaign; one that cannot be read says why."""
    from autoresearch.records import finding  # noqa: PLC0415 - `--help` can do without

    args.campaign = None
    campaign = campaign_of(args)
    found = [_listed(args, name) for name in campaign.campaigns()]
    for name in finding.copied(campaign.where):
        cure = f"bring it back with: autoresearch run --campaign {name}"
        found.append(ListedCampaign(campaign=name, state="in git", metric=cure))
    if args.json:
        output.emit({"campaigns": found})
    elif found:
        head = ("campaign", "state", "attempted", "kept", "best", "metric")
        rows = [(c.campaign, c.state, c.attempted, c.keep, plain_text.number(c.best), c.metric) for c in found]
        said = [[("" if cell is None else cell) for cell in row] for row in rows]
        output.say(plain_text.table(head, said, output.terminal_width()))
    else:
        output.say("no campaign yet; begin with: autoresearch init -- COMMAND, or: autoresearch demo")
    return 0


def _listed(args: argparse.Namespace, name: str) -> ListedCampaign:
    try:
        now = campaign_of(argparse.Namespace(repo=args.repo, campaign=name)).status()
    except AutoresearchError as error:
        return ListedCampaign(campaign=name, state="unreadable", metric=str(error))
    return ListedCampaign(
        campaign=name, state=now.state, attempted=now.attempted, keep=now.keep, best=now.best, metric=now.metric
    )


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `compare`."""
    parser.add_argument("first", metavar="A", help="name of a campaign, as `list` has it")
    parser.add_argument("second", metavar="B", help="name of another one")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def run_compare(args: argparse.Namespace) -> int:
    """Print what both reports say, beside each other."""
    from autoresearch.campaign import controller, opening, standing  # noqa: PLC0415 - `--help` can do without
    from autoresearch.report.side_by_side import side_by_side  # noqa: PLC0415 - as above

    if args.first == args.second:
        raise UsageError(f"{args.first} and itself: name two campaigns; see: autoresearch list")
    found = [campaign_of(argparse.Namespace(repo=args.repo, campaign=name)) for name in (args.first, args.second)]
    reports = [
        controller.report_of(standing.read(opening.open_campaign(one.where, one.name)), one.clock()) for one in found
    ]
    made = side_by_side(*reports)
    output.emit(made) if args.json else output.say(made.text(output.terminal_width()))
    return 0


def add_dashboard_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `dashboard`."""
    campaign_arguments(parser, unnamed="the one worked on last; act: what may be acted on")
    parser.add_argument(
        "--act", action="store_true", help="approve, steer, overrule, pause, stop and extend from the browser too"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=8642, help="port to listen at, 0 for a free one (default: 8642)")


def run_dashboard(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; who sees the address that is printed can open the pages."""
    try:
        from autoresearch.dashboard.web_server import serve  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise PluginError(
            f"the dashboard needs a package that is not installed ({error.name or error}); {extras.advice(error.name)}"
        ) from None
    from autoresearch.campaign import consent  # noqa: PLC0415 - `--help` can do without
    from autoresearch.dashboard.deeds import grant  # noqa: PLC0415 - as above

    granted = grant(campaign_of(args)) if args.act else None
    show = consent.show_alone if granted and granted.proof else output.say
    if granted:
        output.say(f"whoever opens this address may act on {granted.campaign.name} in your name:")
    serve(args.repo.absolute(), host=args.host, port=args.port, grant=granted, show=show)
    return 0


def add_gc_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `gc`."""
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        choices=("checkpoints", "worktrees", "branches", "rehearsals"),
        help="clear this away: weights of runs, working trees, killed rehearsals; branches are archived; repeatable",
    )
    campaign_arguments(parser, json=True)


def run_gc(args: argparse.Namespace) -> int:
    """Show what can go; take away only what was named. Killed rehearsals are of the repository, whatever campaign."""
    from autoresearch.campaign import controller, opening  # noqa: PLC0415 - `--help` can do without
    from autoresearch.campaign.own_script import rehearsal  # noqa: PLC0415 - as above
    from autoresearch.run.placement import room  # noqa: PLC0415 - as above

    campaign, kinds = campaign_of(args), set(args.remove)
    found: Sequence[Clearable] = ()
    if not kinds or "rehearsals" in kinds:
        look = rehearsal.clear_rehearsals if kinds else rehearsal.killed_rehearsals
        found = look(campaign.where)
    if kinds:
        gone = sum(one.gb for one in found)
        if others := kinds - {"rehearsals"}:
            cleared, gb = controller.clear(campaign.where, campaign.bound().name, others)
            found, gone = (*cleared, *found), gone + gb
        told = f"{_clearables(found, 'cleared away')}\n{room(gone)}" if found else "nothing of that can go"
        output.emit({"removed": found, "gb": gone}) if args.json else output.say(told)
        return 0
    if campaign.name or campaign.campaigns() or not found:
        found = (*controller.clearable(opening.open_campaign(campaign.where, campaign.bound().name)), *found)
    if args.json:
        output.emit({"clearable": found})
    elif found:
        remove = " ".join(f"--remove {kind}" for kind in dict.fromkeys(one.kind for one in found))
        output.say(f"{_clearables(found, 'can go')}\n{plain_text.wrapped(_STAYS, output.terminal_width(), others='')}")
        remove += f" --campaign {campaign.name}" if campaign.name else ""
        output.say(f"nothing was removed; clear all of it away with: autoresearch gc {remove}")
    else:
        output.say("nothing can go: no weights of settled ideas, idle working tree, ended branch or killed rehearsal")
    return 0


_STAYS = (
    "what stays: ledger, journal, logs, measurements, submissions and every commit, so that `autoresearch reproduce N` "
    "works; and all of the baseline, the best, what `adopt` takes, what is open, and what has a file `pinned` beside it"
)


def _clearables(found: Sequence[Clearable], label: str) -> str:
    from autoresearch.run.placement import room  # noqa: PLC0415 - `--help` can do without

    rows = [(one.kind, one.name, room(one.gb) if one.gb else "", one.why) for one in found]
    return plain_text.table((label, "of", "size", "why"), rows, output.terminal_width(), folds=True)


def add_help_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `help`."""
    parser.add_argument("about", nargs="?", metavar="COMMAND", help="a command; left out, all of them are told")


def run_help(args: argparse.Namespace) -> int:
    """Print what `--help` prints.

    Raises:
        UsageError: There is no such command.
    """
    if args.about is None:
        output.say(parser().format_help().rstrip())
        return 0
    if args.about not in COMMANDS:
        raise UsageError(
            f"there is no command {args.about!r}{nearest(args.about, list(COMMANDS))}; see: autoresearch help"
        )
    output.say(_flags_of(args.about).format_help().rstrip())
    return 0


def add_completion_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print the words for")


def run_completion(args: argparse.Namespace) -> int:
    """Print the words."""
    words = {name: _words(_flags_of(name)) for name in COMMANDS}
    words["help"] += COMMANDS
    output.say(_fish(words) if args.shell == "fish" else _bash(words, zsh=args.shell == "zsh"))
    return 0


def _flags_of(command: str) -> argparse.ArgumentParser:
    tree = parser(command)
    found = next(one for one in tree._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001 - told nowhere else
    chosen: argparse.ArgumentParser = found.choices[command]
    return chosen


def _words(flags: argparse.ArgumentParser) -> list[str]:
    """Flags of a command, and what may stand in the places of its words."""
    words: list[str] = []
    for action in flags._actions:  # noqa: SLF001 - as above
        words += action.option_strings or [str(choice) for choice in action.choices or ()]
    return words


def _bash(words: dict[str, list[str]], *, zsh: bool) -> str:
    cases = "\n".join(f"    {name}) known={shlex.quote(' '.join(flags))} ;;" for name, flags in words.items())
    first = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{first}_autoresearch() {{
  local known verb= word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in {"|".join(words)}) verb="$word"; break ;; esac
  done
  case "$verb" in
    "") known={shlex.quote(" ".join(_words(parser())))} ;;
{cases}
    *) known= ;;
  esac
  COMPREPLY=($(compgen -W "$known" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _autoresearch autoresearch"""


def _fish(words: dict[str, list[str]]) -> str:
    lines = [
        f"complete -c autoresearch -n __fish_use_subcommand -a {name} -d {shlex.quote(COMMANDS[name])}"
        for name in words
    ]
    for name, flags in words.items():
        known = " ".join(flags)
        lines.append(f"complete -c autoresearch -n '__fish_seen_subcommand_from {name}' -a {shlex.quote(known)}")
    return "\n".join(lines)


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `recipe`."""
    actions = ("show", "metric", "budget", "environment", "plays", "health")
    parser.add_argument("action", choices=actions, help="what to show")
    parser.add_argument("recipe", help="the recipe (YAML)")
    parser.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE", help="Hydra overrides on top of it")
    parser.add_argument("--resolved", action="store_true", help="show: the whole resolved config")
    parser.add_argument("--image", action="store_true", help="environment: runs begin in a container image")
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
        found = inspection.health(args.repo, args.recipe, args.overrides, _run_folder(args))
        output.emit(found) if args.json else output.say(_health(found))
        return 0
    if args.action == "plays":
        known = _plays(inspection.brief(args.repo, args.recipe, args.overrides))
        output.emit({"plays": known}) if args.json else output.say(_offered(known))
        return 0
    if args.action == "environment":
        found = inspection.environment(args.repo, args.recipe, args.overrides, image=args.image)
        output.emit(found) if args.json else output.say(_lines(found))
        return 0
    ask = inspection.metric if args.action == "metric" else inspection.budget
    found = ask(args.repo, args.recipe, args.overrides)
    output.emit(found) if args.json else output.say(_lines(found))
    return 0


def _run_folder(args: argparse.Namespace) -> Path:
    if args.run is None:
        raise UsageError("recipe health reads a run: give the folder of its logs and checkpoints with --run DIR")
    return Path(args.run)


def _plays(brief: Brief) -> tuple[Explained, ...]:
    from autoresearch.ports import plugins  # noqa: PLC0415 - `--help` can do without

    playbook: Explainer = plugins.make("researchers", "playbook", options={}, folder=Path())
    return playbook.explain(brief)


def _offered(known: Sequence[Explained]) -> str:
    """Plays that apply with what they would change, those that a symptom has to call, and why the others do not."""
    offered = [one for one in known if not one.why_not and not one.called_by]
    called = [one for one in known if not one.why_not and one.called_by]
    others = [one for one in known if one.why_not]
    parts = (
        (f"{len(offered)} apply", [f"{one.name}: {one.title}\n    {'  '.join(one.changes)}" for one in offered]),
        (f"{len(called)} apply when a symptom calls them",
         [f"{one.name}: {', '.join(one.called_by)}\n    {'  '.join(one.changes)}" for one in called]),
        (f"{len(others)} do not apply", [f"{one.name}: {one.why_not}" for one in others]),
    )  # fmt: skip
    return "\n\n".join("\n  ".join([f"{head}:", *lines]) for head, lines in parts if lines)


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
    told = {key: value for key, value in found.items() if value not in ("", None, [], (), {})}
    return "\n".join(f"{key.replace('_', ' ') + ':':20}{_value(value)}" for key, value in told.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return "\n".join(str(item) for item in value).replace("\n", "\n" + " " * 20)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
