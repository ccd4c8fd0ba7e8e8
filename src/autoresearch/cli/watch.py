"""`autoresearch watch`: the status, updated until the campaign ends or Ctrl-C."""

import argparse
import time

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of
from autoresearch.cli.describe import status_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `watch`."""
    campaign_arguments(parser)
    parser.add_argument("--interval", type=float, default=2.0, metavar="S", help="seconds between two updates")


def run(args: argparse.Namespace) -> int:
    """Redraw until there is nothing more to see; on a pipe print the status once."""
    from autoresearch.cli.live import LiveView  # noqa: PLC0415 - `--help` can do without

    session = session_of(args)
    if output.on_terminal():
        with LiveView(session) as view:
            while session.status().controller:
                view.refresh()
                time.sleep(args.interval)
    output.say(status_text(session.status(), width=output.terminal_width()))
    return 0
