"""`autoresearch approve [REQUEST]`: approve a pending launch; `approve plan`: the plan itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of
from autoresearch.cli.run import ask

if TYPE_CHECKING:
    import argparse

    from autoresearch.campaign.campaign import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `approve`."""
    parser.add_argument(
        "request",
        nargs="?",
        help="the launch to approve, as named by `status`, or `plan` (default: the only pending launch)",
    )
    parser.add_argument("--reason", default="", help="reason, kept in the record")
    parser.add_argument("--yes", action="store_true", help="plan: approve it without asking")
    campaign_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record the answer; a controller acts on it at its next look, and experiments may be driven by hand."""
    session = session_of(args)
    if args.request == "plan":
        return _plan(session, yes=args.yes)
    request = session.answer(args.request, granted=True, reason=args.reason)
    output.say(f"approved {request}")
    return 0


def _plan(session: Session, *, yes: bool) -> int:
    if yes:
        session.refuse_unread()
    shown = ask(session, "Approve this plan?") if not yes and session.status().state == "planned" else None
    output.say(f"the plan of {session.approve_plan(shown)} is approved; its stop rule counts from now")
    return 0
