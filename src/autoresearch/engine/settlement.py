"""From a verdict to its row, its note and its place in the report.

Did an idea work for the reason it gave? What its hypothesis said to watch, beside its parent's value.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from autoresearch.engine import worktrees
from autoresearch.engine.context import Context
from autoresearch.engine.measuring import log_tail, read_all
from autoresearch.errors import RepositoryError
from autoresearch.experiment import names
from autoresearch.experiment.attendance import cells_of
from autoresearch.experiment.events import ExperimentJudged
from autoresearch.experiment.experiment import Experiment, Run, integrity_of, told_of_draws
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Status, Verdict
from autoresearch.git.call import is_about_room
from autoresearch.machine import fault_points
from autoresearch.ports.target import Saver
from autoresearch.records import notes, volume
from autoresearch.records.cell import clean
from autoresearch.records.paths import PINNED
from autoresearch.records.row import INTEGRITY, PLACES, Row, cells, decode, to_note
from autoresearch.run.complaint import memory_in_use
from autoresearch.run.measurement import Series
from autoresearch.run.placement import room
from autoresearch.verdict.statistics import mean

_TAG = re.compile(r"[A-Za-z_][\w-]*(?:/[\w.@-]+)+")
_TAIL = 0.2
"""Share of a run's last points that stands for where it ended."""

_AVERAGED = "each number is the mean over the last fifth of a run's points, and over the valid runs"


def watched_values(ctx: Context, entry: Experiment) -> tuple[str, ...]:
    """One line per watched tag that both sides logged: `train/reward: 0.41, parent 0.38 (reward rises)`."""
    wanted = [(text, tag) for text in entry.hypothesis.watch for tag in _TAG.findall(text)]
    if not wanted or ctx.history.has_yardstick(entry.name):
        return ()
    ours, theirs = _ends(ctx, entry.name), _ends(ctx, entry.parent)
    told = dict.fromkeys(_line(text, tag, ours[tag], theirs.get(tag)) for text, tag in wanted if tag in ours)
    return (*told, _AVERAGED) if told else ()


def _line(text: str, tag: str, ours: float, theirs: float | None) -> str:
    beside = "" if theirs is None else f", parent {theirs:.4g}"
    said = text.strip()
    return f"{tag}: {ours:.4g}{beside}" + ("" if said == tag else f" ({said})")


def _ends(ctx: Context, arm: str) -> dict[str, float]:
    """Where each tag of an arm ended, averaged over its valid runs."""
    found: dict[str, list[float]] = {}
    for run in ctx.history.current_runs(arm):
        for tag, value in _end_of_run(ctx, run):
            found.setdefault(tag, []).append(value)
    return {tag: fmean(values) for tag, values in found.items()}


def _end_of_run(ctx: Context, run: Run) -> Iterable[tuple[str, float]]:
    if not run.valid:
        return
    seen: set[str] = set()
    for readings in read_all(ctx, Path(run.planned.folder)).values():
        for tag, series in readings.series.items():
            value = _end(series)
            if tag not in seen and value is not None:
                seen.add(tag)
                yield tag, value


def _end(series: Series) -> float | None:
    tail = series.values[-max(1, round(len(series.values) * _TAIL)) :]
    finite = [value for value in tail if math.isfinite(value)]
    return fmean(finite) if finite else None


def settle(ctx: Context, name: str, verdict: Verdict, incumbent: str | None) -> None:
    """Judge for good: journal first, then the ledger's row, then the note on the commit. Each can be repeated."""
    entry = ctx.history.experiment(name)
    row = row_for(ctx, entry, verdict)
    ctx.record(
        ExperimentJudged(
            at=ctx.clock(),
            name=name,
            verdict=verdict,
            row=cells(row),
            incumbent=incumbent,
            watched=watched_values(ctx, entry),
        )
    )
    fault_points.point("settle.judged")
    publish(ctx, entry, row)
    worktrees.leave(ctx, entry)
    forget_saves(ctx, name)


def forget_saves(ctx: Context, name: str) -> None:
    """Delete what a discarded or crashed idea saved, where the plan says so, and note how much that is.

    Numbers, logs and settings stay. So does all of an idea that somebody pinned, is measured again or is the incumbent.
    """
    entry, target = ctx.history.experiment(name), ctx.target
    dropped = entry.judged is not None and entry.judged.verdict.status is not Status.KEEP
    if ctx.campaign.run.checkpoints != "kept" or not dropped or name in {BASELINE, ctx.history.incumbent}:
        return
    busy = any(run.planned.experiment == name for run in ctx.history.in_flight())
    if busy or not isinstance(target, Saver) or (ctx.paths.experiment(name) / PINNED).exists():
        return
    runs = [ctx.paths.run(name, run.planned.number) for run in ctx.history.runs_of(name)]
    heavy = [path for folder in runs for path in target.weights(folder)]
    if not (size := volume.forgettable(ctx.paths, name, heavy)):
        return
    # Noted first: who dies between deletes them when it goes on.
    told = f"{name}: its checkpoints are deleted, {room(size)}, numbers and logs stay (run.checkpoints: kept)"
    if all(note.text != told for note in ctx.history.notes):
        ctx.note(told)
    volume.forget(ctx.paths, name, heavy)


def publish(ctx: Context, entry: Experiment, row: Row | None = None) -> None:
    """Make sure that the ledger and the notes show what the journal says of a judged experiment.

    Args:
        ctx: The campaign.
        entry: The judged experiment.
        row: Its row, when it has just been made; otherwise the journal's.
    """
    row = row or _row_of(entry)
    ctx.ledger.append(row)
    fault_points.point("settle.row")
    try:
        notes.write(ctx.paths.root, entry.commit, to_note(row))
    except RepositoryError as error:
        if is_about_room(error):
            raise
        # The journal has it: whoever takes the campaign up again, or `ledger rebuild`, writes it.
        ctx.note(f"the git note on {entry.name} could not be written: {error}")
    fault_points.point("settle.noted")


def publish_missing(ctx: Context) -> None:
    """Publish what the journal has judged and ledger or notes do not show; they are read once, however many rows.

    What should have been deleted goes as well, also where somebody has taken a pin away since.
    """
    rows, noted = ctx.ledger.branches(names.campaign_prefix(ctx.campaign.campaign)), notes.all(ctx.paths.root)
    missing = [entry for entry in ctx.history.judged if clean(entry.branch) not in rows or not _noted(entry, noted)]
    # A half-written last row is completed before another is put below it, which would end it as it is.
    begun = ctx.ledger.begun()
    for entry in sorted(missing, key=lambda entry: clean(entry.branch) != begun):
        publish(ctx, entry)
    for entry in ctx.history.judged:
        forget_saves(ctx, entry.name)


def _noted(entry: Experiment, texts: Mapping[str, str]) -> bool:
    return texts.get(entry.commit, "").rstrip("\n") == to_note(_row_of(entry))


def _row_of(entry: Experiment) -> Row:
    assert entry.judged is not None  # noqa: S101 - the caller chose judged ones
    return decode(entry.judged.row)


def row_for(ctx: Context, entry: Experiment, verdict: Verdict) -> Row:
    """The ledger's line for an experiment (R76-R92)."""
    runs, crashed = _runs_behind(ctx.history, entry.name), verdict.status is Status.CRASH
    value, reason = _value(ctx.history, entry, verdict, runs)
    reduced = (one.reason for one in entry.repairs if one.reason.startswith("reduced"))
    reason = "; ".join(filter(None, [reason, *reduced, told_of_draws(runs), *_taken_by_persons(runs)]))
    return Row(
        index=entry.index,
        branch=entry.branch,
        parent_commit=entry.parent_commit,
        commit=entry.commit,
        recipe=ctx.recipe or "none",
        metric_name=ctx.survey.objective.metric,
        metric_value=None if crashed else value,
        memory_gb=_stated_memory(ctx, runs) if crashed else _peak_memory(runs),
        elapsed_min=sum((run.wall_s or 0.0) * _share(ctx.history, run) for run in runs) / 60,
        launcher=ctx.launcher.name,
        job_id=_job_ids(ctx, runs),
        command=ctx.redactor.clean(runs[0].planned.command) if runs else "none",
        log_path=ctx.paths.relative(_log(ctx, entry, runs)),
        status=verdict.status,
        description=ctx.redactor.clean(entry.hypothesis.title),
        started_at=entry.opened.at,
        finished_at=ctx.clock(),
        runs=verdict.runs or len(runs),
        effect=verdict.effect,
        effect_low=verdict.low,
        effect_high=verdict.high,
        reason=ctx.redactor.clean(reason),
        extra={
            **_heavy(ctx, entry.name),
            **({INTEGRITY: word} if (word := integrity_of(runs)) else {}),
            **cells_of(ctx.history.attendance.asked, entry.index, entry.opened.at),
        },
    )


def _taken_by_persons(runs: Sequence[Run]) -> Iterable[str]:
    """Each run that a person had ended, beside those that count: who looks at the numbers knows which are missing."""
    taken = [run for run in runs if run.cancelled_by and run.value is None]
    return (f"run {run.planned.number} was {run.cancelled}" for run in taken) if len(taken) < len(runs) else ()


def _runs_behind(history: History, name: str) -> list[Run]:
    """An experiment's own runs; without one those of the bundles that hold it, oldest first."""
    held = (bundle for bundle in history.bundles.values() if name in bundle.ideas and not bundle.yardstick)
    return history.runs_of(name) or [run for bundle in held for run in history.runs_of(bundle.name)]


def _share(history: History, run: Run) -> float:
    """How much of a run's time an experiment is charged with: a bundle's is divided among its ideas."""
    bundle = history.bundles.get(run.planned.experiment)
    return 1 / len(bundle.ideas) if bundle else 1.0


def _value(history: History, entry: Experiment, verdict: Verdict, runs: Sequence[Run]) -> tuple[float | None, str]:
    """The metric of a row and the reason beside it; an idea that ran in bundles alone has the mean of those."""
    values = [value for run in runs if (value := run.value) is not None]
    if verdict.value is not None or not values or history.runs_of(entry.name):
        return verdict.value, verdict.reason
    told = f"{verdict.reason}; the value is the mean of the {len(values)} bundles that hold it"
    return mean(values), told


def _log(ctx: Context, entry: Experiment, runs: Sequence[Run]) -> Path:
    """The newest log, or the experiment's folder when no run of it was ever begun."""
    newest = ctx.paths.latest_log(runs[-1].planned.experiment) if runs else None
    return newest if newest and os.path.lexists(newest) else ctx.paths.experiment(entry.name)


def _heavy(ctx: Context, name: str) -> dict[str, str]:
    """Where on a volume the experiment's heavy files are (R202); no such columns without a volume."""
    if ctx.paths.volume is None:
        return {}
    places = (ctx.paths.kind(name, "checkpoints"), ctx.paths.kind(name, "artifacts"), ctx.paths.volume.caches)
    return dict(zip(PLACES, map(str, places), strict=True))


def _stated_memory(ctx: Context, runs: list[Run]) -> float:
    """What runs that the GPU's memory was too small for say they had in use, or a monitor saw; 0 for other crashes."""
    fell = [run for run in runs if run.ending and run.ending.what == "oom-gpu"]
    return max([_peak_memory(fell), *(memory_in_use(log_tail(ctx, run)) for run in fell)])


def _peak_memory(runs: list[Run]) -> float:
    return max((run.measurement.peak_memory_gb or 0.0 for run in runs if run.measurement), default=0.0)


def _job_ids(ctx: Context, runs: list[Run]) -> str:
    """R84: the scheduler's ids, `none` for local runs."""
    ids = [run.job_id for run in runs if run.job_id] if not ctx.launcher.here else []
    return ",".join(ids) or "none"
