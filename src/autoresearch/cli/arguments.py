"""Arguments that several commands share.

What a command works with is imported when it runs: a command that only tells its flags does not wait for it.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoresearch.campaign.campaign import Campaign


def campaign_arguments(parser: argparse.ArgumentParser, *, json: bool = False) -> None:
    """`--campaign`, `--repo` and, for reading commands, `--json`."""
    parser.add_argument("--campaign", metavar="NAME", help="campaign name (default: the most recent one)")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    if json:
        parser.add_argument("--json", action="store_true", help="print machine-readable JSON")


def following_arguments(parser: argparse.ArgumentParser, verb: str = "") -> None:
    """Flags of whatever follows runs; `verb` is what they belong to where a command has several."""
    of = f"{verb}: " if verb else ""
    parser.add_argument("--detach", action="store_true", help=f"{of}continue in the background, even after logout")
    parser.add_argument("--plain", action="store_true", help=f"{of}plain lines instead of the live view")
    poll_argument(parser)
    parser.add_argument(
        "--take-over", action="store_true", help=f"{of}take over from a controller on another, dead host"
    )


def poll_argument(parser: argparse.ArgumentParser) -> None:
    """`--poll`: how long to wait between two looks."""
    told = "seconds between two checks of the jobs"
    parser.add_argument("--poll", type=_seconds, default=0.5, metavar="S", help=told)


def list_installed(parser: argparse.ArgumentParser, *rooms: str) -> None:
    """Say below the flags which names may be given: those of the program and of installed packages."""
    from autoresearch.ports import plugins  # noqa: PLC0415 - most commands name no adapter

    lines = [f"  {room:<13}{', '.join(sorted(plugins.names(room)))}" for room in rooms]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["installed:", *lines])


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a valid interval: give 0 to 3600 seconds")
    return value


def campaign_of(args: argparse.Namespace) -> "Campaign":
    """The campaign a command line means."""
    from autoresearch.campaign.campaign import Campaign  # noqa: PLC0415 - see above

    return Campaign(where=args.repo.absolute(), name=args.campaign)
