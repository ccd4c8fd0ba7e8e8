"""`autoresearch demo`: a real campaign on the built-in GRPO example.

`autoresearch doctor`: check that this machine and repository are ready for a campaign

`autoresearch skill`: the skill pack for coding agents, installed or shown.

`autoresearch mcp`: serve these commands to agents as tools (Model Context Protocol over stdio).
"""

import argparse
import sys
import tempfile
from pathlib import Path

from autoresearch import extras
from autoresearch.cli import output
from autoresearch.cli.main import campaign_arguments, campaign_of
from autoresearch.cli.steering import work
from autoresearch.errors import PluginError
from autoresearch.report import plain_text

STOP = "13 experiments or 2m total, 20s each"


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
        "verdict": {"policy": args.policy, "worth": 0.02, "max_runs_per_experiment": 3},
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
        output.emit(checks)
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            advice = f"  ({check.advice})" if check.advice else ""
            label = f"{_MARKS[check.state]}  {check.name}"
            output.say(plain_text.entry(label, f"{check.found}{advice}", output.terminal_width(), width + 8))
    return 1 if any(check.state == "fail" for check in checks) else 0


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
