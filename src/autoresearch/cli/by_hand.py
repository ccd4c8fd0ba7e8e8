"""`autoresearch experiment new|run|judge|drop|list|show`: drive experiments by hand, under the campaign's rules.

`autoresearch reproduce N`: repeat a recorded run (same commit, same seed) and compare the result.

`autoresearch adopt`: make one clean branch of what was kept, and the text of a pull request.

`autoresearch export`: tell a campaign to a tracker afterwards, or put what reproduces a claim into one file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.main import campaign_arguments, campaign_of, experiment_argument, following_arguments
from autoresearch.cli.output import driven_text
from autoresearch.errors import UsageError
from autoresearch.report import plain_text

if TYPE_CHECKING:
    from autoresearch.campaign.afterwards.reproduction import Reproduction
    from autoresearch.campaign.afterwards.result import Adopted
    from autoresearch.campaign.by_hand import ByHand, Onlooker
    from autoresearch.campaign.campaign import Campaign
    from autoresearch.campaign.status import DrivenExperiment
    from autoresearch.experiment.hypothesis import Hypothesis

_POLL_S = 0.5
_NEEDS = {"new": "a title", "run": "a number", "judge": "a number", "drop": "a number", "show": "a number", "list": ""}


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `experiment`."""
    parser.add_argument("action", choices=tuple(_NEEDS), help="what to do")
    parser.add_argument("subject", nargs="?", default="", help="new: one-line title; otherwise the experiment number")
    parser.add_argument("--area", default="code", help="new: first word of the commit subject")
    parser.add_argument("--why", default="", help="new: why it should help")
    parser.add_argument("--expected-effect", type=float, metavar="X", help="new: expected gain, in the metric's unit")
    parser.add_argument("--watch", action="append", default=[], help="new: what to look at afterwards; repeat for more")
    parser.add_argument("--parent", default="incumbent", help="new: experiment to start from (default: the incumbent)")
    parser.add_argument("--reason", default="", help="drop: reason, for its row")
    following_arguments(parser, "run")
    campaign_arguments(parser, json=True)


def run_experiment(args: argparse.Namespace) -> int:
    """Carry out one verb and say what leads on."""
    if bool(args.subject) != bool(_NEEDS[args.action]):
        wanted = _NEEDS[args.action] or "nothing more"
        raise UsageError(f"experiment {args.action} takes {wanted}; see: autoresearch experiment --help")
    from autoresearch.campaign import opening  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args)
    if args.action not in {"list", "show"}:
        opening.bring_back(campaign.where, campaign.name)
    by_hand = campaign.bound().by_hand()
    match args.action:
        case "list":
            from autoresearch.campaign.status import driven_table  # noqa: PLC0415 - `--help` can do without

            found = by_hand.listing()
            output.emit({"experiments": found}) if args.json else output.say(
                driven_table(found, output.terminal_width())
            )
        case "new":
            _say(args, by_hand.open(_idea(args)))
        case "show":
            _say(args, by_hand.one(_number(args)))
        case "run":
            _run(args, campaign, by_hand)
        case _:
            watch = _quiet(args)
            number = _number(args)
            made = by_hand.judge(number, watch) if args.action == "judge" else by_hand.drop(number, args.reason, watch)
            output.emit(made) if args.json else output.say(str(made))
    return 0


def _idea(args: argparse.Namespace) -> Hypothesis:
    from autoresearch.experiment.hypothesis import Hypothesis  # noqa: PLC0415 - `--help` can do without

    return Hypothesis(
        title=args.subject.strip(),
        area=args.area,
        rationale=args.why,
        expected=args.expected_effect,
        watch=tuple(args.watch),
        parent=args.parent,
    )


def _number(args: argparse.Namespace) -> int:
    if not args.subject.isdecimal():
        raise UsageError(f"{args.subject!r} is not an experiment number; see: autoresearch experiment list")
    return int(args.subject)


def _run(args: argparse.Namespace, campaign: Campaign, by_hand: ByHand) -> None:
    from autoresearch.campaign.by_hand import Onlooker  # noqa: PLC0415
    from autoresearch.cli.live_view import LiveView, PlainView  # noqa: PLC0415 - as above

    number = _number(args)
    if args.detach:
        process_id = by_hand.detach(number, args.poll, take_over=args.take_over)
        if args.json:
            output.emit(by_hand.one(number, process_id))
        else:
            output.say(f"running in the background as process {process_id}; follow it with: autoresearch watch")
        return
    if args.json:
        _say(args, by_hand.run(number, _quiet(args), take_over=args.take_over))
        return
    view = PlainView(campaign) if args.plain or not output.on_terminal() else LiveView(campaign)
    with view:
        found = by_hand.run(number, Onlooker(view.tell, view.refresh, args.poll, view.say), take_over=args.take_over)
    output.say()
    _say(args, found)


def _quiet(args: argparse.Namespace) -> Onlooker:
    from autoresearch.campaign.by_hand import Onlooker  # noqa: PLC0415 - as above

    return Onlooker(poll_s=args.poll)


def _say(args: argparse.Namespace, found: DrivenExperiment) -> None:
    output.emit(found) if args.json else output.say(driven_text(found, output.terminal_width()))


def add_reproduce_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `reproduce`."""
    experiment_argument(parser)
    parser.add_argument(
        "--run", type=int, metavar="K", help="which of its runs (default: the first with a metric value)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the submission and change nothing")
    campaign_arguments(parser, json=True)


def run_reproduce(args: argparse.Namespace) -> int:
    """Make the run again, wait for it, and compare; 1 when it is not reproduced."""
    from autoresearch.campaign.afterwards import reproduction  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args).bound()
    index = campaign.number(args.index)
    if args.dry_run:
        output.say(reproduction.rehearse(campaign, index, args.run).text)
        return 0
    made = reproduction.reproduce(campaign, index, args.run, _waiting(quiet=args.json))
    output.emit(made) if args.json else output.say(_text(index, made))
    return 0 if made.agreement.holds else 1


def _waiting(*, quiet: bool) -> Callable[[Path], None]:
    told: set[Path] = set()

    def wait(log: Path) -> None:
        if log not in told and not quiet:
            output.say(f"running; its log is {log}")
            told.add(log)
        time.sleep(_POLL_S)

    return wait


def _text(index: int, made: Reproduction) -> str:
    agreement, found = made.agreement, made.measurement
    rows = [
        ("experiment", f"#{index} {made.experiment} at {made.commit[:7]}"),
        ("run", f"{made.run}, seed {made.seed}"),
        ("recorded", plain_text.number(agreement.recorded) or "no value"),
        ("again", f"{plain_text.number(agreement.again) or 'no value'} ({found.completion})"),
        ("outcome", agreement.sentence),
        ("not as it was", "\n".join(made.drift) or "nothing: platform, Python, packages, variables and command are"),
        ("note", found.note),
        ("files", str(made.folder)),
    ]
    return plain_text.entries(rows, output.terminal_width())


def add_adopt_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `adopt`."""
    parser.add_argument(
        "index",
        nargs="?",
        metavar="N",
        help="number or name of the experiment (default: the best, if fresh seeds agree)",
    )
    parser.add_argument("--test-suite", action="store_true", help="write a test script for NeMo-RL's suite besides")
    campaign_arguments(parser, json=True)


def run_adopt(args: argparse.Namespace) -> int:
    """Make the branch and say how to take it over."""
    from autoresearch.campaign.afterwards import result  # noqa: PLC0415 - as above

    campaign = campaign_of(args).bound()
    index = None if args.index is None else campaign.number(args.index)
    made = result.adopt(campaign, index, test_suite=args.test_suite)
    output.emit(made) if args.json else output.say(_adopted_text(made))
    return 0


def _adopted_text(made: Adopted) -> str:
    fits = f"conflicts with {made.onto} in {', '.join(made.conflicts)}" if made.conflicts else "merges cleanly"
    rows = [
        ("branch", f"{made.branch} at {made.commit[:7]}"),
        ("changes", "\n".join(f"{number}. {title}" for number, title in enumerate(made.changes, start=1))),
        ("in one commit", ", ".join(made.together)),
        ("measured", f"its files are those of {made.measured}, byte for byte"),
        ("standing", made.standing),
        ("unsupported", "\n".join(made.unsupported)),
        (f"onto {made.onto}", fits),
        ("pull request", str(made.text)),
        ("kept beside it", f"the text that was there, as {made.kept.name}" if made.kept else ""),
        ("test script", f"{made.script}; it belongs at {made.script_place}" if made.script else ""),
        ("take it over", f"git merge {made.branch}"),
        ("by hand", made.by_hand),
    ]
    return plain_text.entries(rows, output.terminal_width())


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `export`."""
    parser.add_argument(
        "index",
        nargs="?",
        metavar="N",
        help="bundle: the experiment, by number or name (default: the best's last change)",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="TRACKER", help="tell the whole campaign to a tracker, such as wandb or mlflow")
    what.add_argument("--bundle", type=Path, metavar="FILE", help="write one file with what reproduces a claim")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="to: an option of the tracker; repeat for more"
    )
    campaign_arguments(parser, json=True)


def run_export(args: argparse.Namespace) -> int:
    """Tell the tracker, or write the bundle and say what to do with it."""
    from autoresearch.campaign.afterwards import taking_home  # noqa: PLC0415 - as above

    campaign = campaign_of(args).bound()
    index = None if args.index is None else campaign.number(args.index)
    if args.to:
        if index is not None:
            raise UsageError("a tracker is told the whole campaign; leave the number out")
        told = taking_home.tell(campaign, args.to, taking_home.options_of(args.set))
        text = f"{told.campaign}: {told.events} events told to {told.tracker}; its own files are in {told.folder}"
        output.emit(told) if args.json else output.say(text)
        return 0
    made = taking_home.bundle(campaign, args.bundle, index)
    lines = (f"{made.file}: {made.megabytes:.1f} MB, claim of #{made.index}", "whoever gets it types:", *made.commands)
    output.emit(made) if args.json else output.say("\n  ".join(lines))
    return 0
