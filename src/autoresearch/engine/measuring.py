"""What a run says: on its way, by its steps, and when it is over, by its number, or whose doing it was to have none.

What is told of a run under way is told once each: what it says itself, a collapse, a pause.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from autoresearch.engine import evaluation
from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import broken, tree_path, unprobed
from autoresearch.experiment import outcome
from autoresearch.experiment.events import RunMeasured
from autoresearch.experiment.experiment import Run, taken_back
from autoresearch.experiment.history import History
from autoresearch.git import contents, worktree
from autoresearch.guards.reach import held_in
from autoresearch.machine import disk, fault_points
from autoresearch.ports.launcher import Rehearsal
from autoresearch.ports.metric_source import readings_of, sources_of
from autoresearch.ports.target import WORK, Linker, Narrator
from autoresearch.records import volume
from autoresearch.run import collapse
from autoresearch.run.complaint import paths_missed
from autoresearch.run.ending import TRIES, TRIES_NEVER_BEGUN, Account, Ending, Follows, Who, judge
from autoresearch.run.integrity import Finding, off_curve
from autoresearch.run.job import OWN_CACHES, JobState, JobStatus
from autoresearch.run.measurement import Measurement, Pace, Readings, thinned
from autoresearch.run.pace import ProgressClock, reached
from autoresearch.run.post_mortem import Change
from autoresearch.run.printed_result import unlike_baseline
from autoresearch.run.symptom import Symptom
from autoresearch.supervision.run_log import StepLog, end_of, ends_of


def look_at_steps(ctx: Context, run: Run, readings: Mapping[str, Readings], passed_s: float) -> ProgressClock:
    """The run's clock after another look at its series and its log.

    Args:
        ctx: The campaign.
        run: A run that has started.
        readings: What the metric sources find in its folder.
        passed_s: Seconds that it has run since the look before.
    """
    log = ctx.step_logs.setdefault(run.run_id, StepLog(Path(run.planned.log)))
    seen = reached(readings, log.look(), ctx.survey.objective.tag)
    ctx.clocks[run.run_id] = ctx.clocks.get(run.run_id, ProgressClock()).look(seen, passed_s)
    return ctx.clocks[run.run_id]


def pace_of(ctx: Context, run: Run, readings: Mapping[str, Readings]) -> Pace | None:
    """How a run that is over went on; one that was never looked at has had all its steps since it began."""
    if run.wall_s is None:
        return None
    unseen_s = run.wall_s - ctx.clocks[run.run_id].told_s if run.run_id in ctx.clocks else run.wall_s
    clock = look_at_steps(ctx, run, readings, unseen_s)
    ctx.clocks.pop(run.run_id, None)
    ctx.step_logs.pop(run.run_id, None)
    return clock.pace


def note_milestones(ctx: Context, run: Run) -> None:
    """Note every milestone in the log of a run that was not noted yet; a log that cannot be read says nothing."""
    if not isinstance(ctx.target, Narrator):
        return
    try:
        log = ends_of(Path(run.planned.log), ctx.redactor)
    except OSError:
        return
    told = {note.text for note in ctx.history.notes}
    for milestone in ctx.target.milestones(log):
        text = ctx.redactor.clean(f"{run.run_id}: {milestone}")
        if text not in told:
            ctx.note(text)


def note_collapse(ctx: Context, run: Run, found: Sequence[Symptom]) -> None:
    """Note a collapse that shows while a run goes on, once for each run and kind."""
    told = {(note.details["run"], note.details["collapse"]) for note in ctx.history.notes if "collapse" in note.details}
    for one in found:
        if one.name in collapse.NAMES and (run.run_id, one.name) not in told:
            text = f"{run.run_id}: {one.name}: {one.evidence}. {one.advice}"
            ctx.note(text, run=run.run_id, collapse=one.name)


def note_pauses(ctx: Context) -> None:
    """A run that others have stopped is paused, which is no error: both turns are noted, for whoever asks."""
    for run in ctx.history.in_flight():
        status = ctx.statuses.get(run.run_id)
        since = status.paused_since if status else None
        if status is None or (since is not None) == (run.run_id in ctx.paused):
            continue
        text = f"{run.run_id} goes on"
        if since is not None:
            when = time.strftime("%H:%M:%S UTC", time.gmtime(since))
            text = f"{run.run_id} is paused since {when}: somebody has stopped it; its time limit does not count that"
        ctx.note(text, run=run.run_id, paused_since="" if since is None else str(since))


def measure(ctx: Context, run: Run) -> None:
    """Read the number from the run's own files and write it down; first an evaluation looks at it, where one does."""
    found = _read(ctx, run)
    if evaluation.wanted(ctx, run, found):
        if gone := evaluation.missing(ctx, run):
            found = found.void(gone)
        else:
            try:
                evaluation.begin(ctx, run, found)
            except OSError as error:
                if disk.is_full(ctx.paths.root):
                    raise
                found = evaluation.given_up(ctx, found, str(error))
            else:
                return
    else:
        found = evaluation.unasked(ctx, run, found)
    _record(ctx, run, found)


def take_evaluation(ctx: Context, run: Run, status: JobStatus) -> None:
    """Write down what a run said, with what the evaluation that has just ended says of it."""
    _record(ctx, run, evaluation.finish(ctx, run, _read(ctx, run), status))


def _read(ctx: Context, run: Run) -> Measurement:
    ended = ctx.history.runs[run.run_id].ended
    assert ended is not None  # noqa: S101 - `end` recorded it
    status = replace(ended.status, reason=run.cancelled) if run.cancelled else ended.status
    arm, number = run.planned.experiment, run.planned.number
    wrong = status.tampered
    if run.job_id is not None:
        around = ctx.installation.after_run(ctx.history.runs[run.run_id], ctx.paths.environment(arm, number))
        wrong = wrong or broken(ctx, arm, number) or ctx.redactor.clean(around)
    folder, log = Path(run.planned.folder), Path(run.planned.log)
    pace = pace_of(ctx, ctx.history.runs[run.run_id], read_all(ctx, folder))
    found = measure_folder(ctx, folder, log, status, arm, number, wrong=wrong, pace=pace)
    why = "" if run.job_id is None or found.integrity.finding is not Finding.UNVERIFIED else unprobed(ctx, arm, number)
    return replace(found, integrity=replace(found.integrity, reasons=(*found.integrity.reasons, why))) if why else found


def _record(ctx: Context, run: Run, found: Measurement) -> None:
    arm, number = run.planned.experiment, run.planned.number
    ended = ctx.history.runs[run.run_id].ended
    assert ended is not None  # noqa: S101 - `end` recorded it
    status = ended.status
    if found.evaluation is not None or found.integrity.contradicted:
        disk.replace(ctx.paths.measurement(arm, number), json.dumps(asdict(found), indent=2) + "\n")
    note_milestones(ctx, run)
    fault_points.point("run.measured")
    ending = ending_of(ctx, run, found, log_tail(ctx, run))
    ctx.record(RunMeasured(ctx.clock(), run.run_id, found, ending), lasting=False)
    idle = not any(other.planned.experiment == arm for other in ctx.history.in_flight())
    with suppress(OSError):
        disk.delete(Path(run.planned.folder) / OWN_CACHES)
    volume.release(ctx.paths, arm, number, well=status.state is JobState.SUCCEEDED, idle=idle)
    if idle:
        # What was confined, and of which nothing is left, does not get to these files any more.
        confined = isinstance(ctx.launcher, Rehearsal) or status.uncontained == ""
        over = ctx.launcher.here and confined and not ended.leftovers
        (worktree.put_by if over else worktree.remove)(ctx.paths.root, tree_path(ctx, arm))


def measure_folder(
    ctx: Context,
    folder: Path,
    log: Path,
    status: JobStatus,
    label: str,
    number: int,
    *,
    wrong: str = "",
    pace: Pace | None = None,
) -> Measurement:
    """What a run's own files say, kept as `measurement.json` with the evidence of `label` and `number`.

    A run that did something to what measures (`wrong`, in words) has no number.
    """
    found = _clean(ctx, ctx.target.measure(folder, tail_of(ctx, log), _read_anew(ctx, folder), status))
    wrong = wrong or _unlike_baseline(ctx, found, label)
    found = replace(found.void(wrong) if wrong else found, pace=pace)
    if found.value is not None and found.curve and found.value == found.curve[-1][1]:
        found = replace(found, doubt=off_curve(found.curve, ctx.survey.objective.gain(1.0, 0.0)))
    found = replace(found, curve=thinned(found.curve, _MOST_POINTS))
    volume.keep(ctx.paths, label, number)
    disk.clear_way(ctx.paths.measurement(label, number))
    disk.replace(ctx.paths.measurement(label, number), json.dumps(asdict(found), indent=2) + "\n")
    return found


_MOST_POINTS = 1000
"""Of a curve in the records: the value was taken from all that were read."""


def _unlike_baseline(ctx: Context, found: Measurement, label: str) -> str:
    if label == outcome.BASELINE or found.value is None or not found.results:
        return ""
    measured = (run.measurement for run in ctx.history.runs_of(outcome.BASELINE) if run.valid and run.measurement)
    return unlike_baseline(found.results, [line for one in measured for line in one.results])


def _clean(ctx: Context, found: Measurement) -> Measurement:
    symptoms = tuple(replace(symptom, evidence=ctx.redactor.clean(symptom.evidence)) for symptom in found.symptoms)
    results = tuple(
        replace(line, text=ctx.redactor.clean(line.text), first=ctx.redactor.clean(line.first))
        for line in found.results
    )
    told = replace(found.integrity, reasons=tuple(map(ctx.redactor.clean, found.integrity.reasons)))
    return replace(found, note=ctx.redactor.clean(found.note), symptoms=symptoms, results=results, integrity=told)


def read_all(ctx: Context, folder: Path) -> dict[str, Readings]:
    """What every metric source finds in a run's folder, by source name in order of trust."""
    return {name: readings_of(source, folder) for name, source in ctx.sources.items()}


def _read_anew(ctx: Context, folder: Path) -> dict[str, Readings]:
    """The same by sources that have never looked before: a number rests on what lies there when the run is over."""
    return {name: readings_of(source, folder) for name, source in sources_of(ctx.target).items()}


def log_tail(ctx: Context, run: Run) -> str:
    """The end of a run's log, without secrets."""
    return tail_of(ctx, Path(run.planned.log))


def tail_of(ctx: Context, log: Path) -> str:
    """The end of a log, without secrets; empty when there is none."""
    try:
        return end_of(log, ctx.redactor)
    except OSError:
        return ""


def ending_of(ctx: Context, run: Run, found: Measurement, log: str) -> Ending | None:
    """Whose doing it was that a run gave no number; None when it gave one.

    Args:
        ctx: The campaign.
        run: The run, ended and not yet recorded as measured.
        found: What was read of it.
        log: The end of its log, without secrets.
    """
    ended = ctx.history.runs[run.run_id].ended
    if ended is None or replace(run, ended=ended, measurement=found).value is not None:
        return None
    canary = run.planned.purpose is outcome.Purpose.CANARY
    if canary and (found.value is not None or run.cancelled.startswith(outcome.WELL)):
        return None
    if found.evaluation is not None and found.evaluation.problem:
        return Ending(
            what="evaluation", who=Who.ENVIRONMENT, evidence=found.note, source="measurement", follows=Follows.AGAIN,
            tries=TRIES, cure="What the run says of itself is not taken for it.",
        )  # fmt: skip
    if found.integrity.contradicted:
        told = found.integrity.sentence
        return Ending(what="contradicted", who=Who.UNKNOWN, evidence=told, source="measurement")
    arm = run.planned.experiment
    if run.cancelled_by:
        return _by_a_person(run, needed=arm == outcome.BASELINE or arm in ctx.history.bundles)
    commit = ctx.history.arm_commit(arm)
    known = Account(
        status=ended.status,
        completion=found.completion,
        symptoms=found.symptoms,
        log=log,
        change=change_of(ctx.history, arm),
        tree=str(tree_path(ctx, arm)),
        held=held_in(ctx.paths, ctx.campaign, ctx.survey, commit) if ended.status.uncontained == "" else (),
        cancelled=run.cancelled,
        hopeless=run.cancelled.startswith(outcome.WORD),
        refused=run.cancelled.startswith(outcome.NEVER),
        parent=_parents_end(ctx.history, arm),
        usual=_usual(ctx, arm),
        before=_in_own_words(ctx.history, run),
    )
    return _only_in_checkout(ctx, run, judge(known))


def _by_a_person(run: Run, *, needed: bool) -> Ending:
    """What a person had ended says nothing about what was run; what others wait for is run again."""
    return Ending(
        what="cancelled", who=Who.OPERATOR, evidence=run.cancelled, source="controller", follows=Follows.AGAIN,
        tries=TRIES_NEVER_BEGUN if needed else 0,
    )  # fmt: skip


def _only_in_checkout(ctx: Context, run: Run, found: Ending) -> Ending:
    """Names a file that was missed where the user's checkout has it and the commit has not; another run would miss it.

    Without an idea nothing else can be tried, so the baseline is not run again; an idea's end stays what it was.
    """
    arm, below = run.planned.experiment, str(ctx.campaign.target.options().get("directory", ""))
    tree, work = str(tree_path(ctx, arm)), str(Path(run.planned.folder) / WORK)
    paths = paths_missed(found.evidence, tree, work)
    nearer = [os.path.normpath(f"{below}/{path}") for path in paths] if below else []
    here = contents.only_here(ctx.paths.root, ctx.history.arm_commit(arm), [*nearer, *paths])
    if found.source != "log" or not here:
        return found
    path, where = here[0], str(ctx.paths.root / here[0])
    way = f"name it by its absolute path ({where})"
    if isinstance(ctx.target, Linker):
        way = f"have it linked into each run ({ctx.target.linking(path, where)})"
    told = replace(
        found,
        because=f"{path} is in your checkout and not in the commit, so no worktree has it",
        cure=f"If a run reads it: commit it, or {way}. If it writes there: let the script make the folder.",
    )
    return replace(told, who=Who.ENVIRONMENT, follows=Follows.CRASH, tries=0) if arm == outcome.BASELINE else told


def change_of(history: History, arm: str) -> Change:
    """What an arm changed against its parent; empty for the baseline."""
    if arm in history.bundles:
        parts = [change_of(history, idea) for idea in history.bundles[arm].ideas]
        return Change(
            tuple(one for part in parts for one in part.assignments),
            tuple(one for part in parts for one in part.files),
            any(part.own_files for part in parts),
        )
    entry = history.experiment(arm)
    if entry.committed is None or arm == outcome.BASELINE:
        return Change()
    idea, committed = entry.hypothesis, entry.committed
    mended = tuple(file for repair in entry.repairs for file in repair.files)
    only_assigned = bool(idea.overrides) and not idea.patch and len(committed.files) < 2 and not mended
    assigned = Change(tuple(idea.overrides))
    # What it wrote into configuration by itself is known by the keys whose values differ.
    edited = () if only_assigned else set(committed.keys) - {*committed.files, *assigned.keys}
    by_hand = tuple(f"{key}=" for key in sorted(edited))
    return Change((*idea.overrides, *by_hand), (*committed.files, *mended), own_files=not only_assigned)


def _parents_end(history: History, arm: str) -> str:
    made = [run for run in history.runs_of(history.parent_of(arm)) if run.settled]
    return made[-1].ending.what if made and made[-1].ending else ""


def _usual(ctx: Context, arm: str) -> str:
    """The log of the newest run of an arm's parent that gave a number, else of the baseline; empty without any."""
    parent = ctx.history.parent_of(arm)
    made = [run for one in (outcome.BASELINE, parent) if one and one != arm for run in ctx.history.runs_of(one)]
    valid = [run for run in made if run.valid]
    if not valid:
        return ""
    try:
        return ends_of(Path(valid[-1].planned.log), ctx.redactor)
    except OSError:
        return ""


def _in_own_words(history: History, run: Run) -> tuple[str, ...]:
    """What earlier runs of the same code died of that only their own words excuse; an outage excuses them as well."""
    earlier = (one for one in history.current_runs(run.planned.experiment) if one.planned.number < run.planned.number)
    found = taken_back(earlier, history.runs.values())
    return tuple(one.ending.what for one in found if one.ending and one.ending.own_word)
