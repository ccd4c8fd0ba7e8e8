"""`autoresearch deny [REQUEST]`: refuse a pending launch."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `deny`."""
    parser.add_argument(
        "request", nargs="?", help="the launch to refuse, as named by `status` (default: the only pending one)"
    )
    parser.add_argument("--reason", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record the answer; the controller acts on it at its next look."""
    request = session_of(args).answer(args.request, granted=False, reason=args.reason)
    output.say(f"denied {request}")
    return 0
