"""`autoresearch status`: where the campaign stands."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of
from autoresearch.cli.describe import status_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `status`."""
    campaign_arguments(parser, json=True)
    parser.add_argument("--last", type=int, default=8, help="how many verdicts to show")


def run(args: argparse.Namespace) -> int:
    """Print the status."""
    status = session_of(args).status()
    output.emit(status) if args.json else output.say(status_text(status, args.last, output.terminal_width()))
    return 0
