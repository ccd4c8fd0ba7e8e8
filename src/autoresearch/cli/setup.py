"""`autoresearch demo`: a real campaign on the built-in GRPO example."""

import argparse
import sys
import tempfile
from pathlib import Path

from autoresearch.cli import output
from autoresearch.cli.describe import plan_text
from autoresearch.cli.run import work

STOP = "13 experiments or 2m total, 20s each"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `demo`."""
    parser.add_argument("--dir", type=Path, metavar="DIR", help="create the demo repository here and keep it")
    parser.add_argument("--stop", metavar="WORDS", default=STOP, help=f"stop rule (default: {STOP})")
    parser.add_argument("--policy", default="auto", help="verdict policy")
    parser.add_argument("--parallel", type=int, default=2, help="runs in parallel")
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live view")


def run(args: argparse.Namespace) -> int:
    """Make the repository, plan, run, and say where everything is."""
    from autoresearch.campaign.campaign import Request, Session, demo  # noqa: PLC0415 - `--help` can do without

    folder = args.dir or Path(tempfile.mkdtemp(prefix="autoresearch-demo-")) / "repository"
    made = demo(folder)
    session = Session(made.root)
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
    }
    plan = session.plan(Request(str(made.recipe), args.stop, settings=settings))
    session.write(plan)
    output.say(plan_text(plan, output.terminal_width()))
    output.say()
    code = work(session, plain=args.plain, poll_s=0.2)
    output.say(f"Repository: {made.root}\nExplore it with: autoresearch status, show 2, diff 2, log 2, ledger")
    return code
