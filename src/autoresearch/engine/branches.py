"""From an idea to a commit on its own branch: baseline, hypothesis, bundle, repair.

Each function can be called again after a crash at any line: commits are made with the time recorded in the journal,
so that the same content gives the same commit, and a proposal is kept on disk before it is committed.
"""

import json
from collections.abc import Generator, Iterable
from dataclasses import asdict
from pathlib import Path

from autoresearch.engine import chain
from autoresearch.engine.chain import (
    Answered,
    Question,
    ask_for_proposal,
    collect_notes,
    is_clean,
    kept_proposal,
    settle_bills,
)
from autoresearch.engine.context import Context
from autoresearch.engine.guarded_commit import (
    commit_message,
    commit_proposal,
    committable,
    fingerprint_of,
    gripped,
    holds_code,
    keep_testimony,
    shadowed,
)
from autoresearch.engine.lines.merging import Conflict, composed, crossed, rebased
from autoresearch.engine.supply import brief_for
from autoresearch.engine.worktrees import (
    checkout,
    clean_checkout,
    half_taken_back,
    scope_of,
    tree_path,
)
from autoresearch.errors import RecipeError, RepositoryError, ResearcherError, crossing
from autoresearch.experiment import change, names
from autoresearch.experiment.events import BundleMade, ExperimentCommitted, ExperimentOpened, ExperimentRepaired
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import commits, diffs, refs, worktree
from autoresearch.git import diffs as diff
from autoresearch.git.call import is_about_room
from autoresearch.guards.scope import breaches
from autoresearch.machine import disk, fault_points
from autoresearch.ports.researcher import Mender


def open_baseline(ctx: Context) -> None:
    """Make the baseline: an empty, signed-off commit on the base commit (R53)."""
    assert ctx.history.started is not None  # noqa: S101 - `begin_campaign` comes before the loop
    base = ctx.history.started.base_commit
    if 1 not in ctx.history.experiments:
        ctx.record(ExperimentOpened(at=ctx.clock(), index=1, parent=BASELINE, parent_commit=base))
    hypothesis = Hypothesis(title="the unmodified recipe", area="baseline", parent=BASELINE, source="engine")
    entry = ctx.history.experiments[1]
    message = commit_message(ctx, BASELINE, hypothesis)
    commit = commits.commit_tree_from(
        ctx.paths.root, base, (), message, commits.identity(ctx.paths.root), entry.opened.at
    )
    branch = names.branch(ctx.campaign.campaign, BASELINE)
    fault_points.point("propose.baseline.branch")
    refs.create_branch(ctx.paths.root, branch, commit)
    fault_points.point("propose.baseline.record")
    fingerprint = fingerprint_of(ctx, commit, ctx.survey)
    ctx.record(
        ExperimentCommitted(
            at=ctx.clock(),
            index=1,
            name=BASELINE,
            branch=branch,
            commit=commit,
            hypothesis=hypothesis,
            parent=BASELINE,
            parent_commit=base,
            fingerprint=fingerprint,
        )
    )
    checkout(ctx, BASELINE)


Attempt = Generator[Question, Answered, None]
"""An attempt on its way to its commit; driven as `chain.ask_for_proposal` is."""


def explore(ctx: Context, parent: str, crosses: str = "") -> int:
    """Open an attempt, for an idea or to put the line `crosses` on the parent; its index."""
    chain.mark_plateaus(ctx)
    chain.drop_useless(ctx)
    index = max(ctx.history.experiments, default=0) + 1
    commit = ctx.history.arm_commit(parent)
    ctx.record(
        ExperimentOpened(at=ctx.clock(), index=index, parent=parent, parent_commit=commit, crosses=crosses),
        lasting=False,
    )
    fault_points.point("propose.opened")
    return index


def attempt(ctx: Context, index: int) -> Attempt:
    """Bring an opened attempt to its commit, from wherever a crash left it, or give it up where nobody has an idea."""
    if index == 1:
        open_baseline(ctx)
        return
    entry = ctx.history.experiments[index]
    tree = ctx.paths.worktree(str(index))
    kept = ctx.paths.attempt(index)
    proposal = kept_proposal(kept)
    if proposal is None or not tree.exists():
        if entry.opened.crosses:
            proposal = crossed(ctx, entry, tree)
        else:
            proposal = yield from ask_for_proposal(ctx, entry, tree)
        if proposal is None:
            worktree.remove(ctx.paths.root, tree)
            return
        disk.replace(kept, json.dumps(asdict(proposal), indent=2) + "\n", lasting=False)  # nor does the edit, yet
    fault_points.point("propose.edited")
    proposal = rebased(ctx, entry, tree, kept, proposal)
    if commit_proposal(ctx, entry, tree, proposal) and is_clean(ctx, proposal.hypothesis):
        worktree.attach(tree, entry.branch, entry.commit)
    else:
        worktree.remove(ctx.paths.root, tree)
    kept.unlink(missing_ok=True)


def bundle(ctx: Context, name: str, ideas: tuple[str, ...], parent: str) -> None:
    """Put each idea's own change on one branch; a conflict or a refused recipe is recorded, not raised."""
    branch = names.branch(ctx.campaign.campaign, name)
    try:
        commit = composed(ctx, name, ideas, ctx.history.arm_commit(parent))
        refs.create_branch(ctx.paths.root, branch, commit)
        worktree.attach(ctx.paths.worktree(name), branch, commit)
    except (Conflict, RepositoryError) as error:
        if is_about_room(error):
            raise
        why = ctx.redactor.clean(str(error))
        ctx.record(
            BundleMade(at=ctx.clock(), name=name, branch="", commit="", ideas=ideas, parent=parent, conflict=why)
        )
        return
    fault_points.point("propose.bundle.record")
    ctx.record(BundleMade(at=ctx.clock(), name=name, branch=branch, commit=commit, ideas=ideas, parent=parent))


def remeasure(ctx: Context, name: str, experiment: str, parent: str) -> None:
    """Make the arm `name` on a branch of its own; why it cannot be made is recorded, not raised."""
    tree, base = ctx.paths.worktree(name), ctx.history.arm_commit(parent)
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, base)
    committed = ctx.history.experiment(experiment).committed
    assert committed is not None  # noqa: S101 - it has a yardstick, so it stands on its branch
    try:
        files = _measuring_part(ctx, tree, committed)
        commit = _commit_measuring_part(ctx, tree, name, base, files, committed)
        ctx.survey_of(commit, tree)
    except (RecipeError, RepositoryError) as error:
        why = ctx.redactor.clean(str(error))
        ctx.record(
            BundleMade(
                at=ctx.clock(),
                name=name,
                branch="",
                commit="",
                ideas=(),
                parent=parent,
                conflict=why,
                yardstick=experiment,
            )
        )
        return
    branch = names.branch(ctx.campaign.campaign, name)
    refs.create_branch(ctx.paths.root, branch, commit)
    worktree.attach(tree, branch, commit)
    fault_points.point("propose.bundle.yardstick")
    ctx.record(
        BundleMade(
            at=ctx.clock(), name=name, branch=branch, commit=commit, ideas=(), parent=parent, yardstick=experiment
        )
    )


def _measuring_part(ctx: Context, tree: Path, committed: ExperimentCommitted) -> tuple[str, ...]:
    """Put the measuring part of an idea into a tree: its files as a diff, its keys as overrides; the files changed."""
    measuring = set(committed.yardstick)
    files = tuple(file for file in committed.files if file in measuring)
    if files:
        others = tuple(file for file in committed.files if file not in measuring)
        diff.apply_patch(tree, diff.diff(ctx.paths.root, committed.parent_commit, committed.commit, exclude=others))
    keys = measuring - set(files)
    overrides = [text for text in committed.hypothesis.overrides if change.names_any((text,), keys)]
    if missed := sorted(key for key in keys if not files and not change.names_any(overrides, {key})):
        raise RecipeError(
            f"{missed[0]} was changed by a diff of the recipe, which cannot be told from the rest of the idea; "
            "propose it as an override"
        )
    return (*files, *(ctx.target.apply(tree, overrides) if overrides else ()))


def _commit_measuring_part(
    ctx: Context, tree: Path, name: str, base: str, files: tuple[str, ...], committed: ExperimentCommitted
) -> str:
    message = f"yardstick: {committed.name}\n\nAutoresearch-Bundle: {ctx.campaign.campaign}/{name}"
    at = ctx.history.experiment(committed.name).opened.at
    return commits.commit_tree_from(tree, base, files, message, commits.identity(ctx.paths.root), at)


def repair(ctx: Context, name: str, crash: str, *, by_hand: bool = False, reduce: bool = False) -> None:
    """Give the experiment's researcher one try, or take a fix made by hand; one that breaks the scope is not taken.

    Args:
        ctx: The campaign.
        name: The experiment.
        crash: What it died of, in words.
        by_hand: The fix lies in the worktree of whoever opened it.
        reduce: It ran out of memory: half of what it enlarged is taken back instead (R146), by us where values say
            what that is, else by its researcher.
    """
    entry = ctx.history.experiment(name)
    if (found := _found_again(ctx, entry)) is not None:
        if problems := _problems(ctx, entry, found):
            refs.advance_branch(ctx.paths.root, entry.branch, found, entry.commit)
            _refuse(ctx, entry, problems)
            return
        again = f"{'reduced' if reduce else 'mended'}: {crash}"
        _record_repair(ctx, name, found, again, _files(ctx, entry.commit, found))
        return
    tree = ctx.paths.by_hand(entry.index) if by_hand else checkout(ctx, name)
    files: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    less = half_taken_back(ctx, entry, tree) if reduce else ()
    if less or by_hand or _mend(ctx, entry, tree, crash):
        files, unheld = committable(tree, entry.commit)
    keep_testimony(ctx, entry.hypothesis.source, entry.index, ctx.paths.repair(name, _number(entry)))
    if unheld:
        _refuse(ctx, entry, unheld)
        return
    if not files:
        if not by_hand:
            # What a failed try has left there is in nobody's next run.
            worktree.remove(ctx.paths.root, tree_path(ctx, entry.name))
        _record_repair(ctx, name, entry.commit, f"not {'reduced' if reduce else 'repaired'}: {crash}")
        return
    reduced_to = f"reduced to {', '.join(less)}" if less else f"reduced by {entry.hypothesis.source}"
    done = f"{reduced_to} after {crash}" if reduce else f"mended: {crash}"
    fixed = _fix(ctx, entry, tree, files, done if reduce else crash)
    if problems := _problems(ctx, entry, fixed):
        _refuse(ctx, entry, problems)
        return
    fault_points.point("repair.commit")
    refs.advance_branch(ctx.paths.root, entry.branch, entry.commit, fixed)
    fault_points.point("repair.record")
    mended = ExperimentRepaired(
        at=ctx.clock(), name=name, commit=fixed, reason=done, files=files,
        own_code=not less and holds_code(ctx, files), grips=gripped(ctx, entry.commit, fixed, files),
    )  # fmt: skip
    ctx.record(mended)


def _record_repair(ctx: Context, name: str, commit: str, reason: str, files: tuple[str, ...] = ()) -> None:
    ctx.record(ExperimentRepaired(at=ctx.clock(), name=name, commit=commit, reason=reason, files=files))


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
    _record_repair(ctx, entry.name, entry.commit, f"fix refused: {'; '.join(problems)}")


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
    return (*found, *shadowed(ctx, entry.parent_commit, commit, changes))


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
    failed: ResearcherError | None = None
    try:
        brief = brief_for(ctx, entry.index, entry.name)
        with crossing(ResearcherError, "it failed"):
            return bool(mender.repair(brief, tree, crash))
    except ResearcherError as error:
        failed = error
        ctx.note(f"researcher {mender.name} could not repair {entry.name}: {error}")
        return False
    finally:
        collect_notes(ctx, mender)
        settle_bills(ctx, mender, entry.index, failed)
