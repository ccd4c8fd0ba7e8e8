"""From a verdict to its row, its note and its place in the report."""

from collections.abc import Mapping

from autoresearch.core import naming
from autoresearch.core.attempt import Experiment, Run
from autoresearch.core.cell import clean
from autoresearch.core.event import ExperimentJudged
from autoresearch.core.experiment import Status, Verdict
from autoresearch.core.record import PLACES, Row, cells, decode, to_note
from autoresearch.engine.context import Context
from autoresearch.engine.watched import watched
from autoresearch.workspace import faults, notes


def settle(ctx: Context, name: str, verdict: Verdict, incumbent: str | None) -> None:
    """Judge for good: journal first, then the ledger's row, then the note on the commit. Each can be repeated."""
    entry = ctx.history.experiment(name)
    row = row_for(ctx, entry, verdict)
    ctx.record(ExperimentJudged(ctx.clock(), name, verdict, cells(row), incumbent, watched(ctx, entry)))
    faults.point("settle.judged")
    publish(ctx, entry)


def publish(ctx: Context, entry: Experiment) -> None:
    """Make sure that the ledger and the notes show what the journal says of a judged experiment."""
    row = _row_of(entry)
    ctx.ledger.append(row)
    faults.point("settle.row")
    notes.write(ctx.paths.root, entry.commit, to_note(row))
    faults.point("settle.noted")


def publish_missing(ctx: Context) -> None:
    """Publish what the journal has judged and ledger or notes do not show; they are read once, however many rows."""
    rows, noted = ctx.ledger.branches(naming.campaign_prefix(ctx.campaign.campaign)), notes.all(ctx.paths.root)
    missing = [entry for entry in ctx.history.judged if clean(entry.branch) not in rows or not _noted(entry, noted)]
    # A half-written last row is completed before another is put below it, which would end it as it is.
    begun = ctx.ledger.begun()
    for entry in sorted(missing, key=lambda entry: clean(entry.branch) != begun):
        publish(ctx, entry)


def _noted(entry: Experiment, texts: Mapping[str, str]) -> bool:
    return texts.get(entry.commit, "").rstrip("\n") == to_note(_row_of(entry))


def _row_of(entry: Experiment) -> Row:
    assert entry.judged is not None  # noqa: S101 - the caller chose judged ones
    return decode(entry.judged.row)


def row_for(ctx: Context, entry: Experiment, verdict: Verdict) -> Row:
    """The ledger's line for an experiment (R76-R92)."""
    runs = ctx.history.runs_of(entry.name)
    first = runs[0] if runs else None
    crashed = verdict.status is Status.CRASH
    return Row(
        index=entry.index,
        branch=entry.branch,
        parent_commit=entry.parent_commit,
        commit=entry.commit,
        recipe=ctx.recipe or "none",
        metric_name=ctx.survey.objective.metric,
        metric_value=None if crashed else verdict.value,
        memory_gb=0.0 if crashed else _peak_memory(runs),
        elapsed_min=sum(run.wall_s or 0.0 for run in runs) / 60,
        launcher=ctx.launcher.name,
        job_id=_job_ids(ctx, runs),
        command=ctx.redactor.clean(first.planned.command) if first else "",
        log_path=ctx.paths.relative(ctx.paths.latest_log(entry.name)),
        status=verdict.status,
        description=ctx.redactor.clean(entry.hypothesis.title),
        started_at=entry.opened.at,
        finished_at=ctx.clock(),
        runs=verdict.runs or len(runs),
        effect=verdict.effect,
        effect_low=verdict.low,
        effect_high=verdict.high,
        reason=ctx.redactor.clean(verdict.reason),
        extra=_heavy(ctx, entry.name),
    )


def _heavy(ctx: Context, name: str) -> dict[str, str]:
    """Where on a volume the experiment's heavy files are (R202); no such columns without a volume."""
    if ctx.paths.volume is None:
        return {}
    places = (ctx.paths.kind(name, "checkpoints"), ctx.paths.kind(name, "artifacts"), ctx.paths.volume.caches)
    return dict(zip(PLACES, map(str, places), strict=True))


def _peak_memory(runs: list[Run]) -> float:
    return max((run.measurement.peak_memory_gb or 0.0 for run in runs if run.measurement), default=0.0)


def _job_ids(ctx: Context, runs: list[Run]) -> str:
    """R84: the scheduler's ids, `none` for local runs."""
    ids = [run.job_id for run in runs if run.job_id] if ctx.launcher.name not in {"local", "scripted"} else []
    return ",".join(ids) or "none"
