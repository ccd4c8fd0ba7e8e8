"""`autoresearch plan RECIPE`: inspect a recipe, propose a campaign and write its file.

`autoresearch run`: start the campaign, or continue where it stopped.

`autoresearch approve [REQUEST]`: approve a pending launch; `approve plan`: the plan itself.

`autoresearch deny [REQUEST]`: refuse a pending launch.

`autoresearch overrule N VERDICT --reason TEXT`: change a verdict; recorded in your name with your reason.

`autoresearch pause`: start no more runs; runs in flight continue.

`autoresearch resume`: continue a paused campaign.

`autoresearch extend TEXT`: grant a campaign more than its stop rule did.

`autoresearch steer TEXT`: give the researchers an instruction, in addition to earlier ones.

`autoresearch cancel RUN`: end one run; the campaign goes on.

`autoresearch stop`: end the campaign, after the runs in flight or now.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from autoresearch.cli import output
from autoresearch.cli.main import (
    campaign_arguments,
    campaign_of,
    experiment_argument,
    following_arguments,
    list_installed,
)
from autoresearch.cli.output import plan_document
from autoresearch.errors import UsageError


def _sealed(args: argparse.Namespace) -> dict[str, str]:
    from autoresearch.campaign import consent  # noqa: PLC0415 - `--help` can do without

    return {"approval.seal": consent.new_seal()} if args.passphrase else {}


if TYPE_CHECKING:
    from autoresearch.campaign.campaign import Campaign
    from autoresearch.campaign.plan import Plan, PlanRequest


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `plan`; everything else is edited in the file."""
    parser.add_argument("recipe", nargs="?", default="", help="the recipe (YAML) to start from")
    parser.add_argument("--stop", metavar="WORDS", help="stop rule, e.g. '50 experiments or 10h total, 1h each'")
    parser.add_argument("--goal", help="the goal in your own words")
    parser.add_argument("--metric", help="metric to judge by (default: the recipe's own)")
    parser.add_argument(
        "--direction", choices=("maximize", "minimize"), help="whether larger or smaller values are better"
    )
    parser.add_argument("--target", help="what is being trained (default: nemo-rl)")
    parser.add_argument("--command", dest="argv", metavar="CMD", help="training command, as one shell-quoted string")
    parser.add_argument("--launcher", help="where runs happen (default: local)")
    parser.add_argument("--site", choices=("auto", "plain", "brev"), help="where heavy files go (default: auto)")
    parser.add_argument("--parallel", type=int, help="runs in parallel")
    parser.add_argument("--researcher", action="append", help="who proposes ideas; repeat for several, asked in order")
    parser.add_argument("--ideas", metavar="FILE", help="a YAML list of hypotheses, for the `file` researcher")
    parser.add_argument("--policy", help="verdict policy (default: auto)")
    parser.add_argument("--worth", type=float, help="the smallest gain you would care about")
    parser.add_argument("--base", help="commit to start from (default: HEAD)")
    parser.add_argument(
        "--from", dest="follows", metavar="CAMPAIGN", help="go on from its confirmed best, as it was planned"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any key of the campaign file"
    )
    named = "campaign name (default: made from date and recipe)"
    parser.add_argument("--name", "--campaign", metavar="NAME", dest="campaign", help=named)
    parser.add_argument("--repo", metavar="DIR", type=_path, default=_path("."), help="the repository (default: here)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and the first submission, write nothing")
    parser.add_argument(
        "--rehearse", action="store_true", help="run two steps of the recipe first; what they show replaces predictions"
    )
    parser.add_argument("--anyway", action="store_true", help="write a plan whose runs end before their first number")
    parser.add_argument("--schema", action="store_true", help="print the campaign file's JSON Schema, and nothing else")
    parser.add_argument("--passphrase", action="store_true", help="ask for one: who approves and steers must type it")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    list_installed(parser, "targets", "launchers", "researchers", "policies", "metrics", "trackers")


def run_plan(args: argparse.Namespace) -> int:
    """Print the plan and write the campaign file."""
    if args.schema:
        from autoresearch.campaign import planning  # noqa: PLC0415 - `--help` can do without

        output.emit(planning.schema())
        return 0
    from autoresearch.campaign import beginning  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args)
    request = _request(args)
    plan = campaign.draft(request)
    if args.rehearse:
        request = _rehearsed(args, campaign, plan, request)
        plan = campaign.draft(request)
    submission = campaign.dry_run(plan) if args.dry_run else None
    if not args.json:
        output.say(plan.text(output.terminal_width()))
    if not args.dry_run:
        beginning.refuse_numberless(plan, anyway=args.anyway)
    path = None if args.dry_run else campaign.write(plan)
    if args.json:
        output.emit(plan_document(plan) | {"file": path, "submission": submission and submission.text})
        return 0
    if submission is not None:
        output.say(f"\nThe first submission would be:\n\n{submission.text}")
    else:
        output.say(f"\nWritten to {path}\nEdit it if you like, then: autoresearch run")
    return 0


def _rehearsed(args: argparse.Namespace, campaign: Campaign, plan: Plan, request: PlanRequest) -> PlanRequest:
    """Rehearse a plan, say what that showed, and ask for a plan with what was seen in place of predictions."""
    import time  # noqa: PLC0415 - `--help` can do without
    from dataclasses import replace  # noqa: PLC0415 - likewise

    from autoresearch.campaign import by_hand  # noqa: PLC0415 - likewise
    from autoresearch.errors import CampaignError  # noqa: PLC0415 - likewise

    if args.dry_run:
        raise UsageError("--rehearse runs something and --dry-run nothing; leave one of them out")
    found = by_hand.rehearse(plan, campaign.clock, lambda: time.sleep(0.5))
    if not found.well:
        raise CampaignError(f"the rehearsal gave no number, so nothing was written: {found.told}")
    output.say(f"rehearsal: {found.told}\n") if not args.json else None
    known = dict(request.settings)
    for key, value in found.settings(plan.campaign, plan.survey.steps).items():
        known[key] = {**known.get(key, {}), **value} if isinstance(known.get(key), dict) else value
    return replace(request, name=plan.name, settings=known)


def _request(args: argparse.Namespace) -> PlanRequest:
    from autoresearch.campaign.plan import request  # noqa: PLC0415 - `--help` can do without

    return request(
        args.recipe,
        stop=args.stop,
        name=args.campaign or "",
        goal=args.goal,
        metric=args.metric,
        direction=args.direction,
        target=args.target,
        command=args.argv or (),
        launcher=args.launcher,
        parallel=args.parallel,
        site=args.site,
        researcher=args.researcher or (),
        ideas=args.ideas,
        policy=args.policy,
        worth=args.worth,
        base=args.base,
        settings=dict(setting(item) for item in args.set)
        | _sealed(args)
        | ({"follows": args.follows} if args.follows else {}),
    )


def setting(item: str) -> tuple[str, Any]:
    """`verdict.confirm=0.2`: a dotted key of the campaign file with a YAML value."""
    key, sign, value = item.partition("=")
    if not sign or not key:
        raise UsageError(f"--set {item!r}: write KEY=VALUE, for example --set verdict.confirm=0.2")
    import yaml  # noqa: PLC0415 - only when asked for

    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--set {item!r}: the value is not valid YAML; put quotes around it if it is text") from None


def _path(text: str) -> Any:
    from pathlib import Path  # noqa: PLC0415 - argparse wants a callable

    return Path(text)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `run`."""
    campaign_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="approve the plan without asking")
    parser.add_argument("--dry-run", action="store_true", help="print the first submission and change nothing")
    following_arguments(parser)


def run_run(args: argparse.Namespace) -> int:
    """Show the plan, ask, then work until the stop rule is met."""
    from autoresearch.campaign import opening  # noqa: PLC0415 - `--help` can do without
    from autoresearch.campaign.controller import person  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args)
    opening.bring_back(campaign.where, campaign.name)
    campaign.bound()
    if args.dry_run:
        output.say(campaign.dry_run(campaign.plan()).text)
        return 0
    if campaign.status().state == "planned" and (args.detach or not args.yes):
        shown = None if args.yes else ask(campaign, "Start this campaign?")
        campaign.approve(shown, take_over=args.take_over, starts=True)
    if args.detach:
        process_id = campaign.detach(args.poll, take_over=args.take_over)
        output.say(f"running in the background as process {process_id}; follow it with: autoresearch watch")
        return 0
    approved_by = person() if args.yes else ""
    return work(campaign, plain=args.plain, poll_s=args.poll, approved_by=approved_by, take_over=args.take_over)


def ask(campaign: Campaign, question: str) -> Plan:
    """Show the plan, have a person at this terminal say yes to it, and return it.

    Raises:
        UsageError: Nobody is there, or they say no.
    """
    plan = campaign.plan()
    output.say(plan.text(output.terminal_width()))
    if plan.campaign.approval.plan == "auto":
        return plan
    if not output.on_terminal():
        raise UsageError("the plan needs approval and there is no terminal to ask at; approve it with --yes")
    if input(f"\n{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("not approved, nothing was started; edit the campaign file and run again")
    return plan


def work(
    campaign: Campaign, *, plain: bool = False, poll_s: float = 0.5, approved_by: str = "", take_over: bool = False
) -> int:
    """Run the loop with a view on it, and end with the status."""
    from autoresearch.cli.live_view import LiveView, PlainView  # noqa: PLC0415 - `--help` can do without

    view = PlainView(campaign) if plain or not output.on_terminal() else LiveView(campaign)
    with view:
        status = campaign.run(
            view.tell,
            on_line=view.say,
            on_look=view.refresh,
            poll_s=poll_s,
            approved_by=approved_by,
            take_over=take_over,
        )
    output.say()
    output.say(status.text(last=50, width=output.terminal_width()))
    output.say(f"\nReport: {campaign.paths().report}")
    return 1 if status.state == "ended" and status.baseline is None else 0


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
    campaign = campaign_of(args).bound()
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
    experiment_argument(parser)
    parser.add_argument("verdict", choices=("keep", "discard", "crash"))
    parser.add_argument("--reason", required=True, help="reason, recorded with the verdict")
    campaign_arguments(parser)


def run_overrule(args: argparse.Namespace) -> int:
    """Record the person's verdict; the ledger's row stays as it was written."""
    campaign = campaign_of(args).bound()
    index = campaign.number(args.index)
    then = campaign.overrule(index, args.verdict, reason=args.reason)
    output.say(f"experiment {index} is now {args.verdict}; the ledger keeps the original row, the journal both; {then}")
    return 0


def add_pause_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pause`."""
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run_pause(args: argparse.Namespace) -> int:
    """Ask the controller to pause."""
    output.say(f"{campaign_of(args).pause(args.reason)}; undo with: autoresearch resume")
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


def add_extend_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `extend`."""
    parser.add_argument("more", help="what is granted on top, as in a stop rule: '20 more experiments', '4 hours more'")
    campaign_arguments(parser)


def run_extend(args: argparse.Namespace) -> int:
    """Grant more, and say what is left now."""
    from autoresearch.campaign.afterwards import result  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args).bound()
    state = result.extend(campaign, args.more)
    now = campaign.status()
    then = "autoresearch resume" if now.state == "paused" else "" if now.controller else "autoresearch run"
    output.say(f"{state.sentence}; go on with: {then}" if then else state.sentence)
    return 0


def add_steer_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `steer`."""
    parser.add_argument("text", help="what the next proposals should take into account")
    campaign_arguments(parser)


def run_steer(args: argparse.Namespace) -> int:
    """Record the words; the next brief carries them."""
    output.say(campaign_of(args).steer(args.text))
    return 0


def add_cancel_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `cancel`."""
    parser.add_argument("run", help="the run, as in baseline/1 or 7/2; an experiment will do if it has one")
    parser.add_argument("reason", nargs="?", default="", help="reason, kept in the record")
    campaign_arguments(parser)


def run_cancel(args: argparse.Namespace) -> int:
    """Ask; the controller ends it at its next look."""
    from autoresearch.campaign import consent  # noqa: PLC0415 - `--help` can do without

    output.say(consent.cancel((campaign := campaign_of(args)).where, campaign.name, args.run, args.reason))
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
