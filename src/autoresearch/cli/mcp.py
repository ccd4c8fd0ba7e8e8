"""`autoresearch mcp`: serve these commands to agents as tools (Model Context Protocol over stdio)."""

import argparse
from pathlib import Path

from autoresearch.errors import PluginError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `mcp`."""
    parser.add_argument(
        "--campaign", metavar="NAME", help="campaign for calls that name none (default: the most recent one)"
    )
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")


def run(args: argparse.Namespace) -> int:
    """Serve one client until it goes away."""
    try:
        from autoresearch.mcp.server import serve  # noqa: PLC0415 - an optional package, and only this command needs it
    except ImportError as error:
        raise PluginError(
            f"the MCP server needs a package that is not installed ({error.name or error}); "
            f"install it with: pip install 'nemo-autoresearch[mcp]'"
        ) from None
    serve(args.repo.absolute(), args.campaign)
    return 0
