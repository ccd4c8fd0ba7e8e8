"""`autoresearch ledger`: the table of all attempts; check it, rebuild it."""

import argparse

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `ledger`."""
    parser.add_argument("action", nargs="?", choices=("show", "check", "rebuild"), default="show")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Show the rows, say what disagrees, or rebuild the file from the journals and notes."""
    session = session_of(args)
    if args.action == "check":
        found = session.check()
        output.emit(found) if args.json else output.say("\n".join(found) or "ledger, journals and notes agree")
        return 1 if found else 0
    if args.action == "rebuild":
        output.say(session.rebuild())
        return 0
    rows = session.ledger()
    if args.json:
        output.emit(rows)
        return 0
    columns = ("#", "branch", "status", "value", "effect", "runs", "minutes", "description", "reason")
    output.say(output.table(columns, [
        (r.index, r.branch, r.status, output.number(r.metric_value), output.number(r.effect, "+.3g"), r.runs,
         f"{r.elapsed_min:.1f}", r.description, r.reason)
        for r in rows
    ]))  # fmt: skip
    return 0
