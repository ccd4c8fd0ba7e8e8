"""`autoresearch reproduce N`: repeat a recorded run (same commit, same seed) and compare the result."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of

if TYPE_CHECKING:
    from autoresearch.campaign.again import Reproduction

_POLL_S = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `reproduce`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    parser.add_argument(
        "--run", type=int, metavar="K", help="which of its runs (default: the first with a metric value)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the submission and change nothing")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Make the run again, wait for it, and compare; 1 when it is not reproduced."""
    from autoresearch.campaign import again  # noqa: PLC0415 - `--help` can do without

    session = session_of(args)
    if args.dry_run:
        output.say(again.rehearse(session, args.index, args.run).text)
        return 0
    made = again.reproduce(session, args.index, args.run, _waiting(quiet=args.json))
    output.emit(made) if args.json else output.say(_text(args.index, made))
    return 0 if made.agreement.holds else 1


def _waiting(*, quiet: bool) -> Callable[[Path], None]:
    told: set[Path] = set()

    def wait(log: Path) -> None:
        if log not in told and not quiet:
            output.say(f"running; its log is {log}")
            told.add(log)
        time.sleep(_POLL_S)

    return wait


def _text(index: int, made: "Reproduction") -> str:
    agreement, found = made.agreement, made.measurement
    rows = [
        ("experiment", f"#{index} {made.experiment} at {made.commit[:7]}"),
        ("run", f"{made.run}, seed {made.seed}"),
        ("recorded", output.number(agreement.recorded) or "no value"),
        ("again", f"{output.number(agreement.again) or 'no value'} ({found.completion})"),
        ("outcome", agreement.sentence),
        ("note", found.note),
        ("files", str(made.folder)),
    ]
    return "\n".join(f"{label + ':':14}{text}" for label, text in rows if text)
