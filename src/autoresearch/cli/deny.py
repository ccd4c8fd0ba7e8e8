"""`autoresearch deny [REQUEST]`: refuse a launch that waits for you."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.common import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `deny`."""
    parser.add_argument("request", nargs="?", help="which launch, as `status` names it (default: the only one waiting)")
    parser.add_argument("--reason", default="", help="why, for the record")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record the answer; the controller acts on it at its next look."""
    request = session_of(args).answer(args.request, granted=False, reason=args.reason)
    output.say(f"denied {request}")
    return 0
