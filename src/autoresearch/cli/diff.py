"""`autoresearch diff N`: what an experiment changed against its parent."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.common import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `diff`."""
    parser.add_argument("index", type=int, help="number of the experiment in the ledger")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the diff."""
    output.say(session_of(args).diff(args.index).rstrip("\n"))
    return 0
