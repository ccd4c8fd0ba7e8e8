"""A trivial crash is mended on the experiment's own branch, by whoever had the idea (R40, R145)."""

from collections.abc import Iterable
from pathlib import Path

from autoresearch.engine.ask import brief_for, collect_notes
from autoresearch.engine.context import Context
from autoresearch.engine.guarded_commit import committable, keep_testimony, scope_of, shadowed
from autoresearch.engine.worktrees import checkout, clean_checkout, tree_path
from autoresearch.errors import RecipeError, ResearcherError
from autoresearch.experiment.events import ExperimentRepaired
from autoresearch.experiment.experiment import Experiment
from autoresearch.git import commits, diffs, refs, worktree
from autoresearch.guards.scope import breaches
from autoresearch.machine import fault_points
from autoresearch.ports.researcher import Mender


def repair(ctx: Context, name: str, crash: str, *, by_hand: bool = False) -> None:
    """Give the experiment's researcher one try, or take a fix made by hand; one that breaks the scope is not taken."""
    entry = ctx.history.experiment(name)
    if (found := _found_again(ctx, entry)) is not None:
        if problems := _problems(ctx, entry, found):
            refs.advance_branch(ctx.paths.root, entry.branch, found, entry.commit)
            _refuse(ctx, entry, problems)
            return
        ctx.record(
            ExperimentRepaired(
                at=ctx.clock(),
                name=name,
                commit=found,
                reason=f"mended: {crash}",
                files=_files(ctx, entry.commit, found),
            )
        )
        return
    tree = ctx.paths.by_hand(entry.index) if by_hand else checkout(ctx, name)
    files: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    if by_hand or _mend(ctx, entry, tree, crash):
        files, unheld = committable(tree, entry.commit)
    keep_testimony(ctx, entry.hypothesis.source, entry.index, ctx.paths.repair(name, _number(entry)))
    if unheld:
        _refuse(ctx, entry, unheld)
        return
    if not files:
        if not by_hand:
            # What a failed try has left there is in nobody's next run.
            worktree.remove(ctx.paths.root, tree_path(ctx, entry.name))
        ctx.record(ExperimentRepaired(at=ctx.clock(), name=name, commit=entry.commit, reason=f"not repaired: {crash}"))
        return
    fixed = _fix(ctx, entry, tree, files, crash)
    if problems := _problems(ctx, entry, fixed):
        _refuse(ctx, entry, problems)
        return
    fault_points.point("repair.commit")
    refs.advance_branch(ctx.paths.root, entry.branch, entry.commit, fixed)
    fault_points.point("repair.record")
    ctx.record(ExperimentRepaired(at=ctx.clock(), name=name, commit=fixed, reason=f"mended: {crash}", files=files))


def _fix(ctx: Context, entry: Experiment, tree: Path, files: tuple[str, ...], crash: str) -> str:
    subject = f"{entry.hypothesis.area}: fix {crash}"
    message = f"{subject}\n\nAutoresearch-Experiment: {ctx.campaign.campaign}/{entry.name}"
    at = entry.opened.at + _number(entry)
    return commits.commit_tree_from(tree, entry.commit, files, message, commits.identity(ctx.paths.root), at)


def objections(ctx: Context, entry: Experiment, tree: Path, crash: str) -> tuple[str, ...]:
    """Why a fix that was made by hand in a worktree would not be taken; empty when it would."""
    files, unheld = committable(tree, entry.commit)
    fixed = _fix(ctx, entry, tree, files, crash)
    return (*unheld, *_problems(ctx, entry, fixed))


def _refuse(ctx: Context, entry: Experiment, problems: Iterable[str]) -> None:
    worktree.remove(
        ctx.paths.root, tree_path(ctx, entry.name)
    )  # the next run is made from the commit, not from the fix
    ctx.record(
        ExperimentRepaired(
            at=ctx.clock(), name=entry.name, commit=entry.commit, reason=f"fix refused: {'; '.join(problems)}"
        )
    )


def _number(entry: Experiment) -> int:
    return len(entry.repairs) + 1


def _problems(ctx: Context, entry: Experiment, commit: str) -> tuple[str, ...]:
    """What a fix may not do, whoever put it on the branch: the same as any edit, protected recipe keys included."""
    changes = diffs.file_changes(ctx.paths.root, entry.parent_commit, commit)
    try:
        with clean_checkout(ctx, commit) as tree:
            values = ctx.survey_of(commit, tree).facts.values
    except RecipeError as error:
        return (f"the recipe is refused: {error}",)
    found = breaches(changes, scope_of(ctx), ctx.survey.facts.values, values)
    return (*found, *shadowed(ctx, entry.parent_commit, changes))


def _found_again(ctx: Context, entry: Experiment) -> str | None:
    """A fix that stands on the branch already: we died before the journal heard of it."""
    head = refs.branch_commit(ctx.paths.root, entry.branch)
    if head in (None, entry.commit) or refs.resolve(ctx.paths.root, f"{head}^") != entry.commit:
        return None
    return head


def _files(ctx: Context, before: str, after: str) -> tuple[str, ...]:
    return tuple(change.path for change in diffs.file_changes(ctx.paths.root, before, after))


def _mend(ctx: Context, entry: Experiment, tree: Path, crash: str) -> bool:
    mender = next((r for r in ctx.researchers if r.name == entry.hypothesis.source and isinstance(r, Mender)), None)
    if mender is None:
        return False
    try:
        return mender.repair(brief_for(ctx, entry.index, entry.name), tree, crash)
    except ResearcherError as error:
        ctx.note(f"researcher {mender.name} could not repair {entry.name}: {error}")
        return False
    finally:
        collect_notes(ctx, mender)
