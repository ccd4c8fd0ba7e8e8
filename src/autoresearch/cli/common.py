"""Arguments that several commands share."""

import argparse
from pathlib import Path

from autoresearch.session import Session


def campaign_arguments(parser: argparse.ArgumentParser, *, json: bool = False) -> None:
    """`--campaign`, `--repo` and, for reading commands, `--json`."""
    parser.add_argument("--campaign", metavar="NAME", help="which campaign (default: the one worked on last)")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    if json:
        parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def session_of(args: argparse.Namespace) -> Session:
    """The session a command line means."""
    return Session(args.repo.absolute(), args.campaign)
