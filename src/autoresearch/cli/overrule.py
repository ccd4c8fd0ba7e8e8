"""`autoresearch overrule N VERDICT --reason TEXT`: change a verdict; recorded in your name with your reason."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `overrule`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    parser.add_argument("verdict", choices=("keep", "discard", "crash"))
    parser.add_argument("--reason", required=True, help="reason, recorded with the verdict")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record the person's verdict; the ledger's row stays as it was written."""
    session_of(args).overrule(args.index, args.verdict, args.reason)
    output.say(f"experiment {args.index} is now {args.verdict}; the ledger keeps the original row, the journal both")
    return 0
