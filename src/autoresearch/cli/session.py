"""`autoresearch session`: the session memory, shown or written now."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `session`."""
    parser.add_argument("action", nargs="?", choices=("show", "checkpoint"), default="show")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Print one bounded page with all that is needed to go on, or write the four files now."""
    session = session_of(args)
    what, said = ("page", session.memory()) if args.action == "show" else ("folder", str(session.checkpoint()))
    output.emit({what: said}) if args.json else output.say(said)
    return 0
