"""`autoresearch show N`: one experiment with its runs and evidence.

`autoresearch status`: where the campaign stands.

`autoresearch watch`: the status and what happens, live; keys approve, deny, pause, resume and stop.

`autoresearch log N`: the newest run log of an experiment.

`autoresearch diff N`: what an experiment changed against its parent.

`autoresearch ledger`: the table of all attempts; check it, rebuild it.

`autoresearch report`: write the report and print its path.

`autoresearch session`: the session memory, shown or written now.

`autoresearch simulate`: run simulated campaigns through the policies that judge real ones.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.main import campaign_arguments, campaign_of, experiment_argument, list_installed
from autoresearch.errors import UsageError
from autoresearch.report import plain_text
from autoresearch.run.integrity import UNPROBED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from autoresearch.experiment.experiment import Experiment, Run
    from autoresearch.report.report import Report


def add_show_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `show`."""
    experiment_argument(parser)
    campaign_arguments(parser, json=True)


def run_show(args: argparse.Namespace) -> int:
    """Print everything known about one attempt."""
    campaign = campaign_of(args).bound()
    index = campaign.number(args.index)
    entry, runs = campaign.experiment(index), campaign.runs(index)
    if args.json:
        output.emit({"experiment": entry, "runs": runs})
        return 0
    output.say(_text(entry))
    output.say()
    output.say(_runs(entry, runs))
    return 0


def _text(entry: Experiment) -> str:
    idea, verdict = entry.hypothesis, entry.verdict
    rows = [
        ("experiment", f"#{entry.index} {entry.name}"),
        ("hypothesis", f"{idea.area}: {idea.title}"),
        ("why", idea.rationale),
        ("proposed by", idea.source),
        ("overrides", "  ".join(idea.overrides)),
        ("branch", f"{entry.branch} at {entry.commit[:7]}"),
        ("parent", f"{entry.parent} at {entry.parent_commit[:7]}"),
        ("files", ", ".join(entry.committed.files) if entry.committed else ""),
        ("breaches", "; ".join(entry.committed.breaches) if entry.committed else ""),
        ("to watch", "; ".join(idea.watch)),
        ("watched", "\n".join(entry.judged.watched) if entry.judged else ""),
        ("verdict", f"{verdict.status}: {verdict.reason} (by {verdict.by})" if verdict else "open"),
    ]
    return plain_text.entries(rows, output.terminal_width())


def _runs(entry: Experiment, runs: Sequence[Run]) -> str:
    if runs:
        columns = ("run", "purpose", "seed", "state", "minutes", "value", "what happened")
        return plain_text.table(columns, map(_row, runs), output.terminal_width(), folds=True)
    bundled = entry.verdict is not None and entry.verdict.runs > 0
    return "no run of its own: it was judged by runs of bundles that it was part of" if bundled else "no run yet"


def _row(run: Run) -> tuple[object, ...]:
    found = run.measurement
    told = (found.note or "; ".join(f"{s.name}: {s.evidence}" for s in found.symptoms[:2])) if found else ""
    word = str(found.integrity.finding) if found and run.valid else ""
    unseen = [reason for reason in found.integrity.reasons if reason.startswith(UNPROBED)] if found and word else []
    word = ": ".join([word, *unseen])
    if found and found.evaluation and found.evaluation.value is not None:
        word += f", evaluated {plain_text.number(found.evaluation.value)}"
    told = "; ".join(filter(None, (told, word)))
    told = run.ending.sentence if run.ending and run.ending.excused else told
    minutes = "" if run.wall_s is None else f"{run.wall_s / 60:.1f}"
    return (
        run.planned.number, run.planned.purpose, run.planned.seed, found.completion if found else "in flight",
        minutes, plain_text.number(found.value) if found else "", run.cancelled or told,
    )  # fmt: skip


def add_status_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `status`."""
    campaign_arguments(parser, json=True)
    parser.add_argument("--last", type=int, default=8, help="how many verdicts to show")


def run_status(args: argparse.Namespace) -> int:
    """Print the status."""
    status = campaign_of(args).status()
    output.emit(status) if args.json else output.say(status.text(args.last, output.terminal_width()))
    return 0


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `watch`."""
    campaign_arguments(parser)
    parser.add_argument("--interval", type=float, default=2.0, metavar="S", help="seconds between two updates")
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live view and its keys")


def run_watch(args: argparse.Namespace) -> int:
    """Show what happens until nobody works on the campaign; at the end the status."""
    from autoresearch.cli import watching  # noqa: PLC0415 - `--help` can do without

    campaign = campaign_of(args).bound()
    if args.plain or not output.on_terminal() or os.environ.get("TERM", "dumb") == "dumb":
        watching.say_lines(campaign, args.interval)
    else:
        watching.watch(campaign, args.interval)
    output.say(campaign.status().text(width=output.terminal_width()))
    return 0


def add_log_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `log`."""
    experiment_argument(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="keep printing as it grows, until Ctrl-C")
    parser.add_argument("--path", action="store_true", help="print only the path of the file")
    campaign_arguments(parser, json=True)


def run_log(args: argparse.Namespace) -> int:
    """Print the log."""
    campaign = campaign_of(args).bound()
    path = campaign.log(campaign.number(args.index))
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


def add_diff_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `diff`."""
    experiment_argument(parser)
    campaign_arguments(parser, json=True)


def run_diff(args: argparse.Namespace) -> int:
    """Print the diff."""
    campaign = campaign_of(args).bound()
    index = campaign.number(args.index)
    text = campaign.diff(index)
    if args.json:
        entry = campaign.experiment(index)
        output.emit({"parent": entry.parent_commit, "commit": entry.commit, "diff": text})
    else:
        output.say(text.rstrip("\n"))
    return 0


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `ledger`."""
    parser.add_argument("action", nargs="?", choices=("show", "check", "rebuild"), default="show")
    campaign_arguments(parser, json=True, unnamed="the rows of all; check, rebuild: the most recent one")


def run_ledger(args: argparse.Namespace) -> int:
    """Show the rows, say what disagrees, or rebuild the file from the journals and notes."""
    campaign = campaign_of(args)
    if args.action == "check":
        found = campaign.check()
        output.emit({"contradictions": found}) if args.json else output.say(
            "\n".join(found) or "ledger, journals and notes agree"
        )
        return 1 if found else 0
    if args.action == "rebuild":
        output.say(campaign.rebuild())
        return 0
    rows = campaign.ledger() if args.campaign is None else campaign.rows()
    output.emit({"rows": rows}) if args.json else output.say(output.ledger_text(rows, output.terminal_width()))
    return 0


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `report`."""
    campaign_arguments(parser, json=True)


def run_report(args: argparse.Namespace) -> int:
    """Write Markdown, one self-contained HTML page and the plots."""
    files = campaign_of(args).report()
    output.emit({"files": files}) if args.json else output.say("\n".join(map(str, files)))
    return 0


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `session`."""
    parser.add_argument("action", nargs="?", choices=("show", "checkpoint"), default="show")
    campaign_arguments(parser, json=True)


def run_session(args: argparse.Namespace) -> int:
    """Print one bounded page with all that is needed to go on, or write the four files now."""
    campaign = campaign_of(args)
    what, said = ("page", campaign.memory()) if args.action == "show" else ("folder", str(campaign.checkpoint()))
    output.emit({what: said}) if args.json else output.say(said)
    return 0


def add_simulate_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `simulate`."""
    parser.add_argument("--noise", type=float, help="standard deviation between runs of the same code")
    parser.add_argument("--gain", type=float, help="typical size of a true improvement, in the same unit")
    parser.add_argument("--after", metavar="NAME", help="draw noise and ideas from what this campaign found")
    parser.add_argument(
        "--repo", metavar="DIR", type=Path, default=Path(), help="after: the repository (default: here)"
    )
    parser.add_argument("--runs", default="50", help="run budget of a campaign, or several: 12,24,50 (default: 50)")
    parser.add_argument("--worth", type=float, help="the smallest gain you would care about (default: --gain)")
    parser.add_argument("--policy", action="append", default=[], help="compare only these; repeat for several")
    parser.add_argument(
        "--stream", default="base", help="base, null, decay, sparse, heavy, builds, interactions, drift"
    )
    parser.add_argument("--good", type=float, help="share of ideas that are true improvements (default: the stream's)")
    parser.add_argument("--harmful", type=float, help="share of ideas that harm (default: the stream's)")
    parser.add_argument("--campaigns", type=int, default=100, help="simulated campaigns per policy (default: 100)")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="first random seed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the comparison as an SVG")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    list_installed(parser, "policies")


def run_simulate(args: argparse.Namespace) -> int:
    """Print one line per policy, or per budget where there are several; gains in the metric's own unit."""
    from autoresearch.report import policy_comparison  # noqa: PLC0415 - `--help` can do without

    sizes = _sizes(args.runs)
    asked = {
        "noise": args.noise, "gain": args.gain, "runs": sizes[0], "worth": args.worth, "stream": args.stream,
        "policies": tuple(args.policy), "campaigns": args.campaigns, "slots": args.parallel, "seed": args.seed,
        "good": args.good, "harmful": args.harmful,
    }  # fmt: skip
    if args.after:
        trial = policy_comparison.setup_after(_reported(args), **asked)
    elif args.noise is None or args.gain is None:
        raise UsageError("simulate needs --noise and --gain, or --after with the name of a campaign that shows them")
    else:
        trial = policy_comparison.SimulationSetup(**asked)
    if len(sizes) > 1:
        if args.plot:
            raise UsageError("--plot draws policies at one budget; give one number of --runs")
        told = policy_comparison.compare_budgets(trial, sizes)
        proof = {name: told.runs_to_prove(name) for name in told.policies}
        output.emit({"budgets": told.budgets, "runs_to_prove": proof}) if args.json else output.say(str(told))
        return 0
    found = policy_comparison.compare(trial)
    if args.plot:
        policy_comparison.plot(found.summaries, trial.gain, args.plot)
    if args.json:
        output.emit({"summaries": found.summaries})
        return 0
    output.say(str(found))
    if args.plot:
        output.say(f"Drawn to {args.plot}")
    return 0


def _reported(args: argparse.Namespace) -> Report:
    """The report of the campaign to draw from, as a value."""
    from autoresearch.campaign import controller, opening, standing  # noqa: PLC0415 - `--help` can do without
    from autoresearch.campaign.campaign import Campaign  # noqa: PLC0415 - likewise

    campaign = Campaign(where=args.repo.absolute(), name=args.after)
    return controller.report_of(standing.read(opening.open_campaign(campaign.where, campaign.name)), campaign.clock())


def _sizes(text: str) -> tuple[int, ...]:
    """`12,24,50` as numbers.

    Raises:
        UsageError: It is none.
    """
    words = text.split(",")
    if not all(word.strip().isascii() and word.strip().isdigit() for word in words):
        raise UsageError(f"--runs {text!r} is no number of runs, nor several like 12,24,50")
    return tuple(int(word) for word in words)
