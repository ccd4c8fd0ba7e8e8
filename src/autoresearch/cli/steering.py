"""`autoresearch approve [REQUEST]`: approve a pending launch; `approve plan`: the plan itself.

`autoresearch deny [REQUEST]`: refuse a pending launch.

`autoresearch overrule N VERDICT --reason TEXT`: change a verdict; recorded in your name with your reason.

`autoresearch pause`: start no more runs; runs in flight continue.

`autoresearch resume`: continue a paused campaign.

`autoresearch steer TEXT`: give the researchers an instruction, in addition to earlier ones.

`autoresearch stop`: end the campaign, after the runs in flight or now.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, campaign_of
from autoresearch.cli.starting import ask

if TYPE_CHECKING:
    import argparse

    from autoresearch.campaign.campaign import Campaign


def add_approve_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `approve`."""
    parser.add_argument(
        "request",
        nargs="?",
        help="the launch to approve, as named by `status`, or `plan` (default: the only pending launch)",
    )
    parser.add_argument("--reason", default="", help="reason, kept in the record")
    parser.add_argument("--yes", action="store_true", help="plan: approve it without asking")
    campaign_arguments(parser)


def run_approve(args: argparse.Namespace) -> int:
    """Record the answer; a controller acts on it at its next look, and experiments may be driven by hand."""
    campaign = campaign_of(args)
    if args.request == "plan":
        return _plan(campaign, yes=args.yes)
    request = campaign.answer(args.request, granted=True, reason=args.reason)
    output.say(f"approved {request}")
    return 0


def _plan(campaign: Campaign, *, yes: bool) -> int:
    shown = ask(campaign, "Approve this plan?") if not yes and campaign.status().state == "planned" else None
    output.say(f"the plan of {campaign.approve(shown)} is approved; its stop rule counts from now")
    return 0


def add_deny_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `deny`."""
    parser.add_argument(
        "request", nargs="?", help="the launch to refuse, as named by `status` (default: the only pending one)"
    )
    parser.add_argument("--reason", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run_deny(args: argparse.Namespace) -> int:
    """Record the answer; the controller acts on it at its next look."""
    request = campaign_of(args).answer(args.request, granted=False, reason=args.reason)
    output.say(f"denied {request}")
    return 0


def add_overrule_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `overrule`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    parser.add_argument("verdict", choices=("keep", "discard", "crash"))
    parser.add_argument("--reason", required=True, help="reason, recorded with the verdict")
    campaign_arguments(parser)


def run_overrule(args: argparse.Namespace) -> int:
    """Record the person's verdict; the ledger's row stays as it was written."""
    campaign_of(args).overrule(args.index, args.verdict, reason=args.reason)
    output.say(f"experiment {args.index} is now {args.verdict}; the ledger keeps the original row, the journal both")
    return 0


def add_pause_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pause`."""
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run_pause(args: argparse.Namespace) -> int:
    """Ask the controller to pause."""
    campaign_of(args).pause(args.reason)
    output.say("paused: no new runs start, runs in flight continue; undo with: autoresearch resume")
    return 0


def add_resume_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `resume`."""
    campaign_arguments(parser)


def run_resume(args: argparse.Namespace) -> int:
    """Take the pause back."""
    campaign = campaign_of(args)
    campaign.resume()
    working = campaign.status().controller
    output.say("resumed" if working else "resumed; no controller is at work, start one with: autoresearch run")
    return 0


def add_steer_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `steer`."""
    parser.add_argument("text", help="what the next proposals should take into account")
    campaign_arguments(parser)


def run_steer(args: argparse.Namespace) -> int:
    """Record the words; the next brief carries them."""
    campaign_of(args).steer(args.text)
    output.say("recorded; the next brief carries it")
    return 0


def add_stop_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `stop`."""
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    parser.add_argument("--now", action="store_true", help="terminate the runs in flight too")
    campaign_arguments(parser)


def run_stop(args: argparse.Namespace) -> int:
    """Ask; `autoresearch run` continues the campaign later."""
    output.say(campaign_of(args).stop(args.reason, now=args.now))
    return 0
