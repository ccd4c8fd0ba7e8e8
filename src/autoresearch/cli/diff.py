"""`autoresearch diff N`: what an experiment changed against its parent."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `diff`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Print the diff."""
    session = session_of(args)
    text = session.diff(args.index)
    if args.json:
        entry = session.experiment(args.index)
        output.emit({"parent": entry.parent_commit, "commit": entry.commit, "diff": text})
    else:
        output.say(text.rstrip("\n"))
    return 0
