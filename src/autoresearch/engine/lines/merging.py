"""Changes put on another commit than they were made for: bundles, lines that are crossed, ideas whose parent moved.

Diffs are merged by git and overrides by key; what does not go together is a `Conflict`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from autoresearch.engine.chain import Proposal, is_clean
from autoresearch.engine.context import Context
from autoresearch.engine.guarded_commit import committable, shadowed
from autoresearch.engine.worktrees import clean_checkout, scope_of, survey_of_arm
from autoresearch.errors import RecipeError, RepositoryError
from autoresearch.experiment import change
from autoresearch.experiment.events import ExperimentAbandoned
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import commits, diffs, objects, worktree
from autoresearch.git.call import is_about_room
from autoresearch.guards.scope import breaches
from autoresearch.machine import disk
from autoresearch.ports.target import SETTINGS
from autoresearch.scheduling.lineages import ON, UNCROSSED


class Conflict(Exception):  # noqa: N818 - an outcome that is recorded, no failure of ours
    """These ideas do not go together; the text says which and why."""


def composed(ctx: Context, name: str, ideas: Sequence[str], base: str) -> str:
    """The bundle's commit: diffs of files first, by git; overrides on top of them, by key."""
    keyed = [idea for idea in ideas if by_overrides(ctx, idea)]
    edited = [idea for idea in ideas if idea not in keyed]
    start = _merged(ctx, name, ideas, base, edited)
    tree = ctx.paths.worktree(name)
    worktree.remove(ctx.paths.root, tree)  # a crash may have left half of the overrides in it
    worktree.add(ctx.paths.root, tree, start)
    try:
        if not keyed:
            ctx.survey_of(start, tree)
            return start
        files = _overridden(ctx, tree, keyed)
        whole = commits.commit_tree_from(tree, start, files, name, commits.identity(ctx.paths.root), 0)
        commit = _commit(ctx, name, ideas, base, f"{whole}^{{tree}}", [*edited, *keyed])
        ctx.survey_of(commit, tree)
    except RecipeError as error:
        raise Conflict(f"the merged recipe is refused: {error}") from error
    return commit


def by_overrides(ctx: Context, idea: str) -> bool:
    """Whether an experiment's commit is its overrides, in the recipe's own file or the settings, and nothing else."""
    entry = ctx.history.experiment(idea)
    hypothesis, committed = entry.hypothesis, entry.committed
    if committed is None or entry.commit != committed.commit or not hypothesis.overrides:
        return False
    return is_clean(ctx, hypothesis) and set(committed.files) <= {SETTINGS, *ctx.survey.lineage[:1]}


def _merged(ctx: Context, name: str, ideas: Sequence[str], base: str, edited: Sequence[str]) -> str:
    start = base
    for number, idea in enumerate(edited, start=1):
        entry = ctx.history.experiment(idea)
        result = diffs.merge_tree(ctx.paths.root, start, entry.commit, base=entry.parent_commit)
        if result.tree is None:
            raise Conflict(f"{idea} conflicts in {', '.join(result.conflicts)}")
        start = _commit(ctx, name, ideas, base, result.tree, edited[:number])
    return start


def _overridden(ctx: Context, tree: Path, ideas: Sequence[str]) -> tuple[str, ...]:
    """Give a tree the overrides of several ideas; returns the files changed."""
    here, files = ctx.target.survey(tree).facts.values, set[str]()
    for idea in ideas:
        entry = ctx.history.experiment(idea)
        before, after = (survey_of_arm(ctx, arm).facts.values for arm in (entry.parent, idea))
        overrides = entry.hypothesis.overrides
        if why := change.clash(here, before, after, overrides):
            raise Conflict(f"{idea} conflicts: {why}")
        files.update(ctx.target.apply(tree, overrides))
        here = change.merged(here, before, after, overrides)
    return tuple(sorted(files))


def _commit(ctx: Context, name: str, ideas: Sequence[str], base: str, tree: str, held: Sequence[str]) -> str:
    """A commit of a merged tree; the same ideas give the same commit again after a crash."""
    at = max(ctx.history.experiment(idea).opened.at for idea in ideas)
    message = f"bundle: {', '.join(ideas)}\n\nAutoresearch-Bundle: {ctx.campaign.campaign}/{name}"
    parents = [base, *(ctx.history.experiment(idea).commit for idea in held)]
    return commits.commit_tree(ctx.paths.root, tree, parents, message, commits.identity(ctx.paths.root), at)


def crossed(ctx: Context, entry: Experiment, tree: Path) -> Proposal | None:
    """The line that an attempt crosses, put on top of its parent; None where they do not go together, which is told."""
    history, base, other = ctx.history, entry.opened.parent, entry.opened.crosses
    ideas = tuple(one for one in history.lineage(other) if one not in history.lineage(base))
    start = history.arm_commit(base)
    try:
        commit = composed(ctx, str(entry.index), ideas, start)
        _refuse_equal(ctx, commit)
        worktree.remove(ctx.paths.root, tree)
        worktree.add(ctx.paths.root, tree, start)
        patch = diffs.diff(ctx.paths.root, start, commit)
        diffs.apply_patch(tree, patch)
    except (Conflict, RepositoryError) as error:
        if is_about_room(error):
            raise
        why = ctx.redactor.clean(f"{other} could not be crossed with {base}: {error}")
        ctx.note(why, **{UNCROSSED: other, ON: base})
        ctx.record(ExperimentAbandoned(ctx.clock(), entry.index, why, dropped=True))
        return None
    first = history.experiment(other).hypothesis
    why = f"{base} and {other} are two lines of this campaign; each was better than what it started from, or nearly"
    title = f"{other} crossed with {base}"
    hypothesis = Hypothesis(
        title=title, area=first.area, patch=patch, parent=base, rationale=why, source="engine", crosses=other
    )
    return Proposal(hypothesis)


def _refuse_equal(ctx: Context, commit: str) -> None:
    for one in ctx.history.experiments.values():
        if one.committed and not objects.changed_paths(ctx.paths.root, commit, one.commit):
            raise Conflict(f"together they are {one.name}")


def rebased(ctx: Context, entry: Experiment, tree: Path, kept: Path, proposal: Proposal) -> Proposal:
    """A proposal on the best as it is now, where a verdict took the best it was made for away while it was thought of.

    Its own change is carried over where that is clean and no guard objects; everything else is left as it is.

    Args:
        ctx: The campaign.
        entry: The attempt.
        tree: Its worktree.
        kept: Where the proposal is kept; written anew once the tree is.
        proposal: What was proposed.
    """
    history, old, new = ctx.history, proposal.hypothesis.parent, ctx.history.incumbent
    if proposal.refused or old in ("", new) or old != entry.opened.parent or _best_at(history, entry.opened.at) != old:
        return proposal
    try:
        commit = _carried(ctx, entry, tree, proposal.hypothesis, new)
    except (Conflict, RecipeError, RepositoryError) as error:
        if is_about_room(error):
            raise
        ctx.note(ctx.redactor.clean(f"{proposal.hypothesis.title!r} cannot be put on {new}, the best by now: {error}"))
        return proposal
    moved = replace(proposal, hypothesis=replace(proposal.hypothesis, parent=new))
    kept.unlink(missing_ok=True)
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, commit)
    disk.replace(kept, json.dumps(asdict(moved), indent=2) + "\n")
    fell = any(one.name == old and one.at > entry.opened.at for one in history.demotions)
    became = f"{old} fell" if fell else f"{new} became the best"
    ctx.note(f"{moved.hypothesis.title!r} was put on {new} instead of {old}: {became} while it was thought of")
    return moved


def _best_at(history: History, at: float) -> str:
    """The arm that was the best at a time."""
    moves = [(one.judged.at, one.judged.incumbent) for one in history.judged if one.judged and one.judged.incumbent]
    moves += [(one.at, one.incumbent) for one in history.demotions]
    return max((move for move in moves if move[0] <= at), default=(0.0, BASELINE))[1]


def _carried(ctx: Context, entry: Experiment, tree: Path, hypothesis: Hypothesis, new: str) -> str:
    """A commit on top of `new` with what a worktree changes against the parent it was made for."""
    root, old = ctx.paths.root, hypothesis.parent
    before, onto = ctx.history.arm_commit(old), ctx.history.arm_commit(new)
    files, unheld = committable(tree, before)
    if unheld or not files:
        raise Conflict("there is nothing in it that a commit can hold")
    own, identity = hypothesis.title, commits.identity(root)
    made = commits.commit_tree_from(tree, before, files, own, identity, entry.opened.at)
    values, there = survey_of_arm(ctx, old).facts.values, survey_of_arm(ctx, new).facts.values
    if hypothesis.overrides and is_clean(ctx, hypothesis):
        after = ctx.survey_of(made, tree).facts.values
        commit = _by_keys(ctx, entry, hypothesis, onto, change.clash(there, values, after, hypothesis.overrides))
    else:
        result = diffs.merge_tree(root, onto, made, base=before)
        if result.tree is None:
            raise Conflict(f"both change {', '.join(result.conflicts)}")
        commit = commits.commit_tree(root, result.tree, [onto], own, identity, entry.opened.at)
    changes = diffs.file_changes(root, onto, commit)
    if not changes:
        raise Conflict("it holds the change already")
    with clean_checkout(ctx, commit) as checked:
        after = ctx.survey_of(commit, checked).facts.values
    if found := (*breaches(changes, scope_of(ctx), there, after), *shadowed(ctx, onto, commit, changes)):
        raise Conflict(found[0])
    return commit


def _by_keys(ctx: Context, entry: Experiment, hypothesis: Hypothesis, onto: str, clash: str) -> str:
    if clash:
        raise Conflict(clash)
    with clean_checkout(ctx, onto) as tree:
        files, identity = ctx.target.apply(tree, hypothesis.overrides), commits.identity(ctx.paths.root)
        return commits.commit_tree_from(tree, onto, files, hypothesis.title, identity, entry.opened.at)
