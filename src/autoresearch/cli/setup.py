"""`autoresearch demo`: a real campaign on the built-in GRPO example.

`autoresearch doctor`: check that this machine and repository are ready for a campaign

`autoresearch init -- COMMAND...`: from somebody's own script to a campaign file, by a rehearsal of it

`autoresearch skill`: the skill pack for coding agents, installed or shown.

`autoresearch mcp`: serve these commands to agents as tools (Model Context Protocol over stdio).
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch import extras
from autoresearch.cli import output
from autoresearch.cli.main import campaign_arguments, campaign_of
from autoresearch.cli.steering import setting, work
from autoresearch.errors import PluginError, UsageError
from autoresearch.report import plain_text

STOP = "9 experiments or 140s total, 20s each"


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `demo`."""
    parser.add_argument("--dir", type=Path, metavar="DIR", help="create the demo repository here and keep it")
    parser.add_argument("--stop", metavar="WORDS", default=STOP, help=f"stop rule (default: {STOP})")
    parser.add_argument("--policy", default="auto", help="verdict policy")
    parser.add_argument("--parallel", type=int, default=2, help="runs in parallel")
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live view")


def run_demo(args: argparse.Namespace) -> int:
    """Make the repository, plan, run, and say where everything is."""
    from autoresearch.campaign.campaign import Campaign  # noqa: PLC0415 - `--help` can do without
    from autoresearch.campaign.controller import person  # noqa: PLC0415
    from autoresearch.campaign.plan import PlanRequest  # noqa: PLC0415 - `--help` can do without
    from autoresearch.examples.demo_repository import create  # noqa: PLC0415

    folder = args.dir or Path(tempfile.mkdtemp(prefix="autoresearch-demo-")) / "repository"
    made = create(folder)
    campaign = Campaign(where=made.root)
    settings = {
        "objective": {"goal": "raise validation accuracy on sums"},
        "target": {"type": "nemo-rl", "minutes": 0.1, "setup_minutes": 0.01},
        "command": (sys.executable, "examples/run_grpo.py"),
        "researcher": (
            {"type": "file", "path": str(made.hypotheses), "share": 3},
            {"type": "playbook", "share": 1},
            {"type": "search", "share": 1, "knobs": 2},
        ),
        "launcher": {"type": "local", "parallel": args.parallel},
        "verdict": {"policy": args.policy, "worth": 0.03, "max_runs_per_experiment": 3},
        "run": {"grace": 1.0},
        "evaluate": {
            "command": (
                *(sys.executable, "examples/run_eval.py", "--config", str(made.recipe)),
                *("--checkpoints", "{folder}/checkpoints", "--step", "{step}", "--seed", "{seed}"),
            ),
            "reads": ("checkpoints/step_*/policy/weights/*",),
            "tolerance": 0.02,
            "minutes": 1.0,
        },
    }
    plan = campaign.draft(PlanRequest(str(made.recipe), args.stop, settings=settings))
    campaign.write(plan)
    output.say(plan.text(output.terminal_width()))
    output.say()
    code = work(campaign, plain=args.plain, poll_s=0.2, approved_by=person())
    output.say(f"Repository: {made.root}\nExplore it with: autoresearch status, show 2, diff 2, log 2, ledger")
    return code


_MARKS = {"ok": "ok  ", "note": "-   ", "warn": "WARN", "fail": "FAIL"}


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `doctor`."""
    campaign_arguments(parser, json=True)


def run_doctor(args: argparse.Namespace) -> int:
    """Print what was found; exit code 1 when a campaign could not run."""
    checks = campaign_of(args).doctor()
    if args.json:
        output.emit({"checks": checks})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            advice = f"  ({check.advice})" if check.advice else ""
            label = f"{_MARKS[check.state]}  {check.name}"
            output.say(plain_text.entry(label, f"{check.found}{advice}", output.terminal_width(), width + 8))
    return 1 if any(check.state == "fail" for check in checks) else 0


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `init`."""
    parser.add_argument("argv", nargs="+", metavar="COMMAND", help="behind `--`: the command as you type it yourself")
    parser.add_argument("--yes", action="store_true", help="rehearse without asking")
    parser.add_argument("--run", action="store_true", help="start the campaign as well, with the same yes")
    parser.add_argument("--minutes", type=_minutes, default=2.0, help="longest time of a rehearsed run (default: 2)")
    parser.add_argument("--metric", help="the number to judge by (default: the likeliest by its name)")
    parser.add_argument("--direction", choices=("maximize", "minimize"), help="whether more or less of it is better")
    parser.add_argument("--stop", metavar="WORDS", help="stop rule (default: 20 experiments or 8h total)")
    parser.add_argument("--goal", help="the goal in your own words")
    parser.add_argument("--worth", type=float, help="the smallest gain you would care about")
    parser.add_argument("--ideas", metavar="FILE", help="a YAML list of hypotheses, in place of the search")
    parser.add_argument("--researcher", action="append", help="who proposes ideas (default: search over the knobs)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any key of the campaign file"
    )
    parser.add_argument("--parallel", type=int, help="runs in parallel (default: 1)")
    named = "campaign name (default: made from the date)"
    parser.add_argument("--name", "--campaign", metavar="NAME", dest="campaign", help=named)
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--plain", action="store_true", help="with --run: plain lines instead of the live view")
    parser.add_argument("--poll", type=float, default=0.5, metavar="S", help="with --run: seconds between two looks")


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text} is no time for a run: give more than 0 and at most 1440 minutes")
    return value


def run_init(args: argparse.Namespace) -> int:
    """Ask, rehearse, show what was found, write the file, and start it where that was asked for."""
    from autoresearch.campaign.controller import person  # noqa: PLC0415 - likewise
    from autoresearch.campaign.own_script import findings, proposal, rehearsal  # noqa: PLC0415 - `--help` can do without
    from autoresearch.ports import plugins  # noqa: PLC0415 - likewise
    from autoresearch.records import finding  # noqa: PLC0415 - likewise

    for kind in args.researcher or ([] if args.ideas else ["search"]):
        plugins.load("researchers", kind)  # what it needs is missed now, not after minutes of rehearsal
    campaign = campaign_of(args)
    campaign.name = None
    if args.campaign:
        finding.refuse_copied(campaign.where, args.campaign)
        finding.refuse_taken(campaign.where, args.campaign)
    if args.stop:
        proposal.check_stop(args.stop, args.metric)  # likewise
    goal = None if args.direction else args.goal
    if args.metric and not output.on_terminal():
        proposal.direction(args.metric, args.direction, goal)  # refused now, not after minutes of rehearsal
    _ask_to_rehearse(args)
    with rehearsal.rehearsing(campaign.where) as stage:
        found = findings.rehearse(stage, args.argv, args.minutes * 60)
        chosen = _metric(found, args.metric)
        output.say(proposal.text(found, chosen, args.direction, output.terminal_width()))
        better = _direction(chosen.name, args.direction or found.way(chosen.name), goal)
        made = proposal.propose(
            found,
            chosen,
            better,
            stop=args.stop,
            name=args.campaign or "",
            goal=args.goal,
            worth=args.worth,
            ideas=args.ideas,
            researcher=args.researcher or (),
            settings=_settings(args),
        )
        output.say(f"noise:      {rehearsal.agreement(made.values)}")
    plan = campaign.draft(made.request)
    path = campaign.write(plan, notes=made.notes)
    output.say(f"\n{plan.text(output.terminal_width())}\n\nWritten to {path}")
    if not args.run:
        output.say("Read it, edit it if you like, then: autoresearch run")
        return 0
    return work(campaign, plain=args.plain, poll_s=args.poll, approved_by=person())


def _settings(args: argparse.Namespace) -> dict[str, object]:
    """Keys of the campaign file by flags; `--set` wins."""
    parallel = {} if args.parallel is None else {"launcher.parallel": args.parallel}
    return {**parallel, **dict(setting(item) for item in args.set)}


def _ask_to_rehearse(args: argparse.Namespace) -> None:
    """The one yes.

    Raises:
        UsageError: Nobody is there, or they say no.
    """
    if args.yes:
        return
    then = f", and then start a campaign of it ({args.stop or '20 experiments or 8h total'})" if args.run else ""
    question = (
        f"Run `{shlex.join(args.argv)}` up to 3 times, at most {args.minutes:g} minutes each, in a worktree{then}?"
    )
    if not output.on_terminal():
        raise UsageError("init runs the command, and there is no terminal to ask at; say yes with --yes")
    if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was run and nothing was written")


def _metric(found: "Findings", said: str | None) -> "FoundNumber":
    """The number to judge by: as said, else the likeliest, else as answered."""
    if said:
        return found.number(said)
    if found.candidates:
        return found.candidates[0]
    from autoresearch.campaign.own_script import proposal  # noqa: PLC0415 - `--help` can do without

    output.say(proposal.text(found, width=output.terminal_width()))
    if not output.on_terminal():
        raise UsageError("no number has a name that is known for a result: say which one with --metric NAME")
    return found.number(input("Which number is the result? ").strip())


def _direction(name: str, said: str | None, goal: str | None) -> "Direction":
    from autoresearch.campaign.own_script import proposal  # noqa: PLC0415 - `--help` can do without

    try:
        return proposal.direction(name, said, goal)
    except UsageError as error:
        if not output.on_terminal():
            raise
        output.say(str(error))
    words = {"more": "maximize", "less": "minimize", "maximize": "maximize", "minimize": "minimize"}
    while (answer := input(f"Is more or less of {name} better? [more/less] ").strip().lower()) not in words:
        output.say(f"{answer!r} is neither; answer more or less")
    return proposal.direction(name, words[answer])


if TYPE_CHECKING:
    from autoresearch.campaign.own_script.findings import Findings
    from autoresearch.campaign.own_script.found_numbers import FoundNumber
    from autoresearch.run.measurement import Direction


AGENTS = ("claude", "codex", "gemini", "cursor", "opencode")
"""Those that `skills.skill_pack.FOLDERS` knows; named here so that flags are told without loading it."""


def add_skill_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `skill`."""
    parser.add_argument("action", choices=("install", "show"), help="install it where agents find it, or print it")
    parser.add_argument("--agent", action="append", choices=AGENTS, help="for this agent only; repeat for several")
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=Path,
        help="install into a project, for everyone who clones it (default: your home)",
    )


def run_skill(args: argparse.Namespace) -> int:
    """Print the pack's front page, or install it and say what was written."""
    from autoresearch.skills import skill_pack  # noqa: PLC0415 - `--help` can do without

    if args.action == "show":
        output.say(skill_pack.pack()["SKILL.md"].decode())
        return 0
    for found in skill_pack.install((args.project or Path.home()).absolute(), args.agent or ()):
        done = f"{len(found.written)} files written" if found.written else "already there"
        output.say(f"{found.folder}: {done}, for {', '.join(found.agents)}")
        for path in found.kept:
            output.say(f"  what was there before: {path}")
    return 0


def add_mcp_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `mcp`."""
    parser.add_argument(
        "--campaign", metavar="NAME", help="campaign for calls that name none (default: the most recent one)"
    )
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")


def run_mcp(args: argparse.Namespace) -> int:
    """Serve one client until it goes away."""
    try:
        from autoresearch.mcp.server import serve  # noqa: PLC0415 - an optional package, and only this command needs it
    except ImportError as error:
        raise PluginError(
            f"the MCP server needs a package that is not installed ({error.name or error}); {extras.advice(error.name)}"
        ) from None
    serve(args.repo.absolute(), args.campaign)
    return 0
