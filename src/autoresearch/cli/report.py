"""`autoresearch report`: write the report and print its path."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `report`."""
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Write Markdown, one self-contained HTML page and the plots."""
    files = session_of(args).report()
    output.emit(files) if args.json else output.say("\n".join(map(str, files)))
    return 0
