"""`autoresearch pause`: start no more runs; runs in flight continue."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pause`."""
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the controller to pause."""
    session_of(args).pause(args.reason)
    output.say("paused: no new runs start, runs in flight continue; undo with: autoresearch resume")
    return 0
