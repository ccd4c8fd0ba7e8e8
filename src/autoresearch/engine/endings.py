"""What a judge of endings is told about a run: the launcher's word, the log, what the idea changed, its parent."""

from dataclasses import replace

from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import tree_path
from autoresearch.experiment import outcome
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.run.ending import TRIES, Account, Ending, Follows, Who, judge
from autoresearch.run.measurement import Measurement
from autoresearch.run.post_mortem import Change


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
    known = Account(
        status=ended.status,
        completion=found.completion,
        symptoms=found.symptoms,
        log=log,
        change=change_of(ctx.history, arm),
        tree=str(tree_path(ctx, arm)),
        cancelled=run.cancelled,
        hopeless=run.cancelled.startswith(outcome.WORD),
        refused=run.cancelled.startswith(outcome.NEVER),
        parent=_parents_end(ctx.history, arm),
    )
    return judge(known)


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
    return Change(tuple(idea.overrides), (*committed.files, *mended), own_files=not only_assigned)


def _parents_end(history: History, arm: str) -> str:
    if arm == outcome.BASELINE:
        return ""
    parent = history.bundles[arm].parent if arm in history.bundles else history.experiment(arm).parent
    made = [run for run in history.runs_of(parent) if run.settled]
    return made[-1].ending.what if made and made[-1].ending else ""
