"""`autoresearch stop`: end the campaign, after the runs in flight or now."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `stop`."""
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    parser.add_argument("--now", action="store_true", help="terminate the runs in flight too")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask; `autoresearch run` continues the campaign later."""
    output.say(session_of(args).stop(args.reason, now=args.now))
    return 0
