"""`autoresearch log N`: the newest run log of an experiment."""

import argparse
import time

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `log`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    parser.add_argument("-f", "--follow", action="store_true", help="keep printing as it grows, until Ctrl-C")
    parser.add_argument("--path", action="store_true", help="print only the path of the file")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Print the log."""
    path = session_of(args).log(args.index)
    if args.json:
        output.emit({"path": path, "text": path.read_text(encoding="utf-8", errors="replace")})
        return 0
    if args.path:
        output.say(str(path))
        return 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        output.show(stream.read())
        while args.follow:
            output.show(stream.read())
            time.sleep(0.5)
    return 0
