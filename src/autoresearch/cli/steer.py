"""`autoresearch steer TEXT`: give the researchers an instruction, in addition to earlier ones."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `steer`."""
    parser.add_argument("text", help="what the next proposals should take into account")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record the words; the next brief carries them."""
    session_of(args).steer(args.text)
    output.say("recorded; the next brief carries it")
    return 0
