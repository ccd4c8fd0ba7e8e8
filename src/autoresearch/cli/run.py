"""`autoresearch run`: start the campaign, or continue where it stopped."""

import argparse
from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, following_arguments, session_of
from autoresearch.errors import UsageError

if TYPE_CHECKING:
    from autoresearch.campaign.campaign import Campaign
    from autoresearch.campaign.plan import Plan


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `run`."""
    campaign_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="approve the plan without asking")
    parser.add_argument("--dry-run", action="store_true", help="print the first submission and change nothing")
    following_arguments(parser)


def run_run(args: argparse.Namespace) -> int:
    """Show the plan, ask, then work until the stop rule is met."""
    from autoresearch.campaign.controller import person  # noqa: PLC0415 - `--help` can do without

    session = session_of(args)
    if args.dry_run:
        output.say(session.dry_run(session.plan()).text)
        return 0
    if session.status().state == "planned" and (args.detach or not args.yes):
        session.approve(None if args.yes else ask(session, "Start this campaign?"), take_over=args.take_over)
    if args.detach:
        process_id = session.detach(args.poll, take_over=args.take_over)
        output.say(f"running in the background as process {process_id}; follow it with: autoresearch watch")
        return 0
    approved_by = person() if args.yes else ""
    return work(session, plain=args.plain, poll_s=args.poll, approved_by=approved_by, take_over=args.take_over)


def ask(session: "Campaign", question: str) -> "Plan":
    """Show the plan, have a person at this terminal say yes to it, and return it.

    Raises:
        UsageError: Nobody is there, or they say no.
    """
    plan = session.plan()
    output.say(plan.text(output.terminal_width()))
    if plan.campaign.approval.plan == "auto":
        return plan
    if not output.on_terminal():
        raise UsageError("the plan needs approval and there is no terminal to ask at; approve it with --yes")
    if input(f"\n{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("not approved, nothing was started; edit the campaign file and run again")
    return plan


def work(
    session: "Campaign", *, plain: bool = False, poll_s: float = 0.5, approved_by: str = "", take_over: bool = False
) -> int:
    """Run the loop with a view on it, and end with the status."""
    from autoresearch.cli.live import LiveView, PlainView  # noqa: PLC0415 - `--help` can do without

    view = PlainView(session) if plain or not output.on_terminal() else LiveView(session)
    with view:
        status = session.run(
            view.tell, on_look=view.refresh, poll_s=poll_s, approved_by=approved_by, take_over=take_over
        )
    output.say()
    output.say(status.text(last=50, width=output.terminal_width()))
    output.say(f"\nReport: {session.paths().report}")
    return 1 if status.state == "ended" and status.baseline is None else 0
