"""`autoresearch resume`: continue a paused campaign."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `resume`."""
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Take the pause back."""
    session = session_of(args)
    session.resume()
    working = session.status().controller
    output.say("resumed" if working else "resumed; no controller is at work, start one with: autoresearch run")
    return 0
