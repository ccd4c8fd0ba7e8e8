"""The attempts of a report, a line each, and the areas that they belong to."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from autoresearch.experiment.experiment import Experiment, integrity_of
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.report import costs
from autoresearch.verdict.claims import Claim, Claims


@dataclass(frozen=True, kw_only=True)
class ReportLine:
    """One experiment in the report.

    Attributes:
        index: Number of the attempt.
        name: Its name.
        title: Its hypothesis.
        area: Its area.
        source: Who proposed it.
        status: `keep`, `discard`, `crash`, or `open`.
        value: The metric as it was judged, as in the ledger; while it is open, the mean over its valid runs.
        values: The metric of each valid run, in order.
        effect: Measured gain against its parent when it was judged, in the better direction.
        low, high: Ends of its 90 % interval.
        runs: Runs the verdict rests on.
        fresh: Runs of its own on fresh seeds, which had no part in it.
        reason: The verdict in words.
        claim: What may be claimed of it in the end, None for the baseline and for open ones.
        overrides: Its overrides.
        branch, commit: Its branch, and its commit in short.
        parent: What it was made from.
        built_on: The newest experiment in that, `baseline` where there is none; empty for the baseline.
        overruled: Which person changed its verdict, from what to what and why; empty where nobody did.
        minutes: Wall-clock minutes of all its runs.
        symptoms: Health findings, `name: evidence`.
        watched: What the hypothesis said to watch, beside its parent's value.
        log: Its newest run log.
        integrity: Whether its numbers may be believed: `sound`, `unverified` or `contradicted`; empty without any.
    """

    index: int
    name: str
    title: str
    area: str
    source: str
    status: str
    value: float | None
    values: tuple[float, ...]
    effect: float | None
    low: float | None
    high: float | None
    runs: int
    reason: str
    claim: Claim | None
    overrides: tuple[str, ...]
    branch: str
    commit: str
    parent: str
    minutes: float
    symptoms: tuple[str, ...]
    watched: tuple[str, ...]
    log: str
    integrity: str = ""
    fresh: int = 0
    built_on: str = ""
    overruled: str = ""


@dataclass(frozen=True, kw_only=True)
class Area:
    """What an area of ideas gave."""

    name: str
    attempts: int
    keep: int
    discard: int
    crash: int
    best: float | None
    minutes: float


Made = dict[int, tuple[ReportLine, Claim | None, ReportLine]]
"""Of the last report, by index: what follows from an attempt alone, its claim, and both together."""


def attempts(history: History, found: Claims, last: Made) -> tuple[ReportLine, ...]:
    """Every attempt by index; one that nothing has happened to is the very line of the last report.

    Args:
        history: The campaign.
        found: What may be claimed.
        last: What was made for the report before; filled here.
    """
    claimed = {claim.name: claim for claim in found.ideas}
    lines = {line.index: line for line in history.each(_line)}
    merged = {idea for bundle in history.bundles.values() if len(bundle.ideas) == 1 for idea in bundle.ideas}
    entries = []
    for index in sorted(history.experiments):
        line = lines[index] if lines[index].name not in merged else _line(history, history.experiments[index])
        claim = claimed.get(line.name)
        known = last.get(index)
        if known is None or known[0] is not line or known[1] != claim:
            known = last[index] = line, claim, replace(line, claim=claim) if claim else line
        entries.append(known[2])
    return tuple(entries)


def _line(history: History, entry: Experiment) -> ReportLine:
    """What follows from an attempt, its own runs and, where it was merged before it was judged, that bundle's."""
    verdict, runs, arm = entry.verdict, history.runs_of(entry.name), _judged_arm(history, entry)
    values = tuple(run.value for run in history.runs_of(arm) if run.value is not None)
    symptoms = {s.name: s.evidence for run in runs if run.measurement for s in run.measurement.symptoms}
    return ReportLine(
        index=entry.index, name=entry.name,
        title=entry.hypothesis.title, area=entry.hypothesis.area, source=entry.hypothesis.source,
        status=str(verdict.status) if verdict else "open",
        value=verdict.value if verdict and verdict.value is not None else history.value_of(arm),
        values=values,
        effect=verdict.effect if verdict else None,
        low=verdict.low if verdict else None, high=verdict.high if verdict else None,
        runs=entry.row_runs if verdict else len(runs),
        reason=verdict.reason if verdict else "",
        claim=None,
        overrides=entry.hypothesis.overrides,
        branch=entry.branch, commit=entry.commit[:7], parent=entry.parent,
        minutes=costs.minutes(runs),
        symptoms=tuple(f"{name}: {evidence}" for name, evidence in symptoms.items()),
        watched=entry.judged.watched if entry.judged else (),
        log=runs[-1].planned.log if runs else "",
        integrity=integrity_of(history.runs_of(arm) or runs),
        fresh=len(history.fresh_values(entry.name)),
        built_on=next(iter(history.lineage(entry.parent)[-1:]), BASELINE) if entry.name != BASELINE else "",
        overruled=_overruled(entry),
    )  # fmt: skip


def _overruled(entry: Experiment) -> str:
    if not entry.overruled or not entry.judged:
        return ""
    said, before = entry.overruled, entry.judged.verdict
    return f"{said.by} overruled {before.status} ({before.reason}): {said.verdict.status}, {said.verdict.reason}"


def _judged_arm(history: History, entry: Experiment) -> str:
    """Whose runs stand for an attempt: its own, or those of its merge with what was kept meanwhile."""
    alone = (bundle for bundle in history.bundles.values() if bundle.ideas == (entry.name,))
    merges = [bundle.name for bundle in alone if bundle.parent not in {BASELINE, entry.parent}]
    won = entry.judged.incumbent if entry.judged else None
    merged = won if won in history.bundles else next(reversed(merges), entry.name)
    return merged if history.runs_of(entry.name) and history.value_of(merged) is not None else entry.name


def areas(entries: Iterable[ReportLine]) -> tuple[Area, ...]:
    """What each area gave, the one with most attempts first."""
    groups: dict[str, list[ReportLine]] = {}
    for entry in entries:
        if entry.commit and entry.name != BASELINE:
            groups.setdefault(entry.area, []).append(entry)
    found = [_area(name, own) for name, own in groups.items()]
    return tuple(sorted(found, key=lambda area: (-area.attempts, area.name)))


def _area(name: str, entries: list[ReportLine]) -> Area:
    counts = Counter(entry.status for entry in entries)
    effects = [entry.effect for entry in entries if entry.effect is not None]
    return Area(
        name=name, attempts=len(entries), keep=counts[Status.KEEP], discard=counts[Status.DISCARD],
        crash=counts[Status.CRASH], best=max(effects, default=None), minutes=sum(entry.minutes for entry in entries),
    )  # fmt: skip
