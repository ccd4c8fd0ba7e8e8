"""`autoresearch doctor`: check that this machine and repository are ready for a campaign"""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of

_MARKS = {"ok": "ok  ", "note": "-   ", "warn": "WARN", "fail": "FAIL"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `doctor`."""
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Print what was found; exit code 1 when a campaign could not run."""
    checks = session_of(args).doctor()
    if args.json:
        output.emit(checks)
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            advice = f"  ({check.advice})" if check.advice else ""
            output.say(f"{_MARKS[check.state]}  {check.name:{width}}  {check.found}{advice}")
    return 1 if any(check.state == "fail" for check in checks) else 0
