"""`autoresearch show N`: one experiment with its runs and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoresearch.cli import output
from autoresearch.cli.arguments import campaign_arguments, session_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from autoresearch.experiment.experiment import Experiment, Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `show`."""
    parser.add_argument("index", type=int, help="experiment number, as in the ledger")
    campaign_arguments(parser, json=True)


def run(args: argparse.Namespace) -> int:
    """Print everything known about one attempt."""
    session = session_of(args)
    entry, runs = session.experiment(args.index), session.runs(args.index)
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
        ("watched", "\n              ".join(entry.judged.watched) if entry.judged else ""),
        ("verdict", f"{verdict.status}: {verdict.reason} (by {verdict.by})" if verdict else "open"),
    ]
    return "\n".join(f"{label + ':':14}{text}" for label, text in rows if text)


def _runs(entry: Experiment, runs: Sequence[Run]) -> str:
    if runs:
        columns = ("run", "purpose", "seed", "state", "minutes", "value", "what happened")
        return output.table(columns, map(_row, runs))
    bundled = entry.verdict is not None and entry.verdict.runs > 0
    return "no run of its own: it was judged by runs of bundles that it was part of" if bundled else "no run yet"


def _row(run: Run) -> tuple[object, ...]:
    found = run.measurement
    told = (found.note or "; ".join(f"{s.name}: {s.evidence}" for s in found.symptoms[:2])) if found else ""
    minutes = "" if run.wall_s is None else f"{run.wall_s / 60:.1f}"
    return (
        run.planned.number, run.planned.purpose, run.planned.seed, found.completion if found else "in flight",
        minutes, output.number(found.value) if found else "", run.cancelled or told,
    )  # fmt: skip
