"""The argument tree, the error handler and the exit codes; nothing else.

Exit codes: 0 done, 1 an expected failure told in one line, 2 usage, 3 a bug of ours, 130 interrupted.
"""

import argparse
import importlib
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from autoresearch import __version__
from autoresearch.errors import AutoresearchError

COMMANDS = {
    "demo": "run a true campaign on the built-in GRPO example: no GPU, key or network",
    "doctor": "check this machine and repository, and say what to mend",
    "plan": "look at a recipe, propose a campaign, write its file",
    "run": "start the campaign, or continue it wherever it was",
    "status": "where the campaign stands",
    "watch": "the same, live",
    "pause": "start no further run until `resume`",
    "resume": "let a paused campaign go on",
    "steer": "tell the researchers something",
    "stop": "ask for the end, after the runs in flight or now",
    "approve": "let a launch that waits for you go ahead",
    "deny": "refuse a launch that waits for you",
    "overrule": "change a verdict, with your reason beside it",
    "show": "one experiment with its runs and evidence",
    "log": "the run log of an experiment",
    "diff": "what an experiment changed",
    "ledger": "the table of all attempts; check and rebuild it",
    "report": "write the report and say where it is",
    "recipe": "how a recipe is composed and what its values are",
    "simulate": "try a verdict policy on invented noise before GPUs are spent",
    "session": "the session memory: show it, or checkpoint it now",
}
"""Every command with its line of help; each lives in a module of its name."""


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"autoresearch.cli.{name}")


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The argument tree; only the chosen command's module is imported."""
    top = argparse.ArgumentParser(
        prog="autoresearch",
        description="Overnight research campaigns for RL post-training: a program that keeps the rules.",
        epilog="Start with: autoresearch demo    Documentation: docs/",
    )
    top.add_argument("--version", action="version", version=f"autoresearch {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=f"{line[:1].upper()}{line[1:]}.")
        if name == chosen:
            _module(name).arguments(sub)
    return top


def main(argv: Sequence[str]) -> int:
    """Carry out one command line.

    Returns:
        The exit code, see the module's docstring.
    """
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        args = parser(chosen if chosen in COMMANDS else None).parse_args(list(argv))
        return int(_module(args.command).run(args))
    except AutoresearchError as error:
        sys.stderr.write(f"autoresearch: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nautoresearch: interrupted; nothing is lost, continue with: autoresearch run\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception:  # noqa: BLE001 - the last door: a bug is told as one, with everything needed to mend it
        return _bug(argv)


def _bug(argv: Sequence[str]) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="autoresearch-bug-", suffix=".log", delete=False) as log:
        log.write(f"autoresearch {__version__}\nargv: {list(argv)!r}\n\n{traceback.format_exc()}")
    last = traceback.format_exc().strip().splitlines()[-1]
    sys.stderr.write(
        f"autoresearch: a bug of ours: {last}\n"
        f"The ledger and the journal are whole. Please report it with {Path(log.name)}\n"
    )
    return 3
