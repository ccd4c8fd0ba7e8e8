"""`autoresearch pause`: start no further run; runs in flight go on."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.common import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pause`."""
    parser.add_argument("reason", nargs="?", default="", help="why, for the record")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the controller to pause."""
    session_of(args).pause(args.reason)
    output.say("paused: no further run starts, runs in flight go on; continue with: autoresearch resume")
    return 0
