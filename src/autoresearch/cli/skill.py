"""`autoresearch skill`: the skill pack for coding agents, installed or shown."""

import argparse
from pathlib import Path

from autoresearch.cli import output

AGENTS = ("claude", "codex", "gemini", "cursor", "opencode")
"""Those that `session.skill.FOLDERS` knows; named here so that flags are told without loading it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `skill`."""
    parser.add_argument("action", choices=("install", "show"), help="install it where agents find it, or print it")
    parser.add_argument("--agent", action="append", choices=AGENTS, help="for this agent only; repeat for several")
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=Path,
        help="install into a project, for everyone who clones it (default: your home)",
    )


def run(args: argparse.Namespace) -> int:
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
