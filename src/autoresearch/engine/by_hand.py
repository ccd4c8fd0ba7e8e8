"""An experiment driven by hand: opened with its own branch and worktree, handed in as one commit, or dropped.

Whoever drives it edits files and says when. Everything else is the campaign's: parent, guards, commit, runs, verdict,
row. Each function can be called again after a crash at any line.
"""

from dataclasses import replace
from pathlib import Path

from autoresearch.engine import branches, chain, guarded_commit, runs
from autoresearch.engine.branches import objections
from autoresearch.engine.context import Context
from autoresearch.engine.supply import brief_for
from autoresearch.errors import CampaignError
from autoresearch.experiment import names
from autoresearch.experiment.briefing import brief_text
from autoresearch.experiment.events import ExperimentCommitted, ExperimentOpened
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import BY_HAND, Hypothesis
from autoresearch.git import commits, contents, refs, submodules, worktree
from autoresearch.machine import disk, fault_points
from autoresearch.scheduling.own_rulings import crash_to_mend


def open_experiment(ctx: Context, idea: Hypothesis, by: str) -> Experiment:
    """Give a hypothesis its index, branch, worktree and brief; an open one of that title is returned as it is.

    Args:
        ctx: The campaign, held.
        idea: What is to be tried; `parent` is `incumbent`, or the name of an arm.
        by: Who opens it.

    Raises:
        CampaignError: Nothing may be begun now, or nothing can be built on that parent.
    """
    idea = chain.without_secrets(ctx, replace(idea, source=BY_HAND))
    again = next((one for one in ctx.history.by_hand if not one.committed and one.hypothesis.title == idea.title), None)
    if again is not None:
        complete(ctx, again)
        return again
    _may_begin(ctx)
    if ctx.history.baseline is None:
        branches.open_baseline(ctx)
    parent = _parent(ctx, idea.parent)
    index = max(ctx.history.experiments) + 1
    name = _free_name(ctx, idea.title)
    branch = names.branch(ctx.campaign.campaign, name)
    commit = ctx.history.arm_commit(parent)
    idea = replace(idea, parent=parent)
    ctx.record(
        ExperimentOpened(
            at=ctx.clock(),
            index=index,
            parent=parent,
            parent_commit=commit,
            by=by,
            name=name,
            branch=branch,
            hypothesis=idea,
        )
    )
    fault_points.point("by_hand.opened")
    entry = ctx.history.experiments[index]
    complete(ctx, entry)
    return entry


def _may_begin(ctx: Context) -> None:
    view = ctx.outlook()
    if view.stop.met:
        raise CampaignError(f"no experiment can be opened: {view.stop.sentence}; see: autoresearch report")
    if not view.may_explore:
        raise CampaignError(
            f"no experiment can be opened: what is left is kept for fresh seeds ({view.stop.sentence}); "
            f"make those runs with: autoresearch run"
        )


def _parent(ctx: Context, wanted: str) -> str:
    if wanted == "incumbent":
        return ctx.history.incumbent
    index = int(wanted) if wanted.isdecimal() else None
    name = ctx.history.experiments[index].name if index in ctx.history.experiments else wanted
    if why := chain.unfit(ctx, name):
        raise CampaignError(f"nothing can be built on {wanted!r}: it {why}; choose another --parent, or leave it out")
    return name


def _free_name(ctx: Context, title: str) -> str:
    """A name nobody has, whose branch is free too."""
    taken = {other.name for other in ctx.history.experiments.values()} | set(ctx.history.bundles)
    while True:
        name = names.slug(title, taken)
        if refs.branch_commit(ctx.paths.root, names.branch(ctx.campaign.campaign, name)) is None:
            return name
        taken.add(name)


def complete(ctx: Context, entry: Experiment) -> None:
    """Make what a crash of ours, or somebody's hand, left missing of an open experiment: branch, worktree, brief."""
    root, tree = ctx.paths.root, ctx.paths.by_hand(entry.index)
    start = entry.opened.parent_commit
    if refs.branch_commit(root, entry.branch) is None:
        refs.create_branch(root, entry.branch, start)
    fault_points.point("by_hand.branch")
    brief = ctx.paths.brief(entry.name)
    if brief.exists() and tree.exists():
        return
    worktree.add(root, tree, start)
    for missing in submodules.populate(root, tree):
        ctx.note(f"the worktree of {entry.name} lacks the submodule {missing}")
    fault_points.point("by_hand.tree")
    told = brief_text(brief_for(ctx, entry.index, entry.opened.parent))
    brief.parent.mkdir(parents=True, exist_ok=True)
    disk.replace(brief, ctx.redactor.clean(told))


# -- handing in -------------------------------------------------------------------------------------------------------


def hand_in(ctx: Context, entry: Experiment) -> bool:
    """Commit what stands in the worktree, once it is within the rules. Returns whether it holds a fix to be taken.

    Raises:
        CampaignError: The guards object, or it was committed already and edited since; nothing is committed.
    """
    tree = ctx.paths.by_hand(entry.index)
    if entry.committed:
        return _mended(ctx, entry, tree)
    complete(ctx, entry)
    event = _examine(ctx, entry, tree)
    if event.breaches:
        told = "; ".join(event.breaches)
        ctx.note(f"experiment {entry.index} ({entry.name}) was not run: {told}")
        raise CampaignError(
            f"experiment {entry.index} is not run: {told}; change {tree} accordingly and run it again, "
            f"or give it up with: autoresearch experiment drop {entry.index} --reason WHY"
        )
    _seal(ctx, event)
    return False


def _mended(ctx: Context, entry: Experiment, tree: Path) -> bool:
    if entry.judged or not tree.exists():
        return False
    worktree.check(ctx.paths.root, tree)
    if not contents.edited_paths(tree, entry.commit):
        return False
    crash = crash_to_mend(ctx.history, ctx.campaign, entry)
    if not crash:
        raise CampaignError(
            f"experiment {entry.index} is committed as {entry.commit[:7]}, and {tree} was edited since; undo that "
            f"(git checkout --detach --force {entry.commit[:7]} there), and open another experiment for the new idea"
        )
    if problems := objections(ctx, entry, tree, crash):
        raise CampaignError(f"the fix of experiment {entry.index} in {tree} is not accepted: {'; '.join(problems)}")
    return True


def _examine(ctx: Context, entry: Experiment, tree: Path) -> ExperimentCommitted:
    """The commit of what stands in the worktree, with everything the guards found; no branch is moved."""
    worktree.check(ctx.paths.root, tree)
    start, idea = entry.opened.parent_commit, entry.hypothesis
    files, unheld = guarded_commit.committable(tree, start)
    message = guarded_commit.commit_message(ctx, entry.name, idea)
    commit = commits.commit_tree_from(tree, start, files, message, commits.identity(ctx.paths.root), entry.opened.at)
    return guarded_commit.record_commit(ctx, entry, entry.name, entry.branch, commit, start, tree, idea, files, unheld)


def _seal(ctx: Context, event: ExperimentCommitted) -> None:
    """Put the branch on the commit, leave the evidence, then let the journal say so."""
    root = ctx.paths.root
    fault_points.point("by_hand.commit")
    head = refs.branch_commit(root, event.branch)
    if head is None:
        refs.create_branch(root, event.branch, event.commit)
    elif head != event.commit:
        if head != event.parent_commit:
            ctx.note(f"branch {event.branch} stood at {head}, which somebody committed; {event.commit[:7]} replaces it")
        refs.advance_branch(root, event.branch, head, event.commit)
    fault_points.point("by_hand.sealed")
    guarded_commit.leave_evidence(ctx, event.name, event.index, event.parent_commit, event.commit, event.hypothesis)
    ctx.record(event)


# -- the end ----------------------------------------------------------------------------------------------------------


def drop(ctx: Context, entry: Experiment, reason: str) -> None:
    """Commit what stands, whatever the guards say of it, and decide that its runs end; `Dropping` does the rest.

    Args:
        ctx: The campaign, held.
        entry: Open by hand, without a verdict.
        reason: Why, for the runs that are ended.
    """
    if not entry.committed:
        complete(ctx, entry)
        _seal(ctx, _examine(ctx, entry, ctx.paths.by_hand(entry.index)))
    fault_points.point("by_hand.dropped")
    for run in ctx.history.runs_of(entry.name):
        if not run.settled and not run.cancelled:
            runs.cancel(ctx, run, reason)


def tidy(ctx: Context, entry: Experiment) -> str:
    """Take the worktree of a judged experiment away; where it lies when it holds more than the branch does."""
    tree = ctx.paths.by_hand(entry.index)
    if not tree.exists():
        return ""
    if contents.edited_paths(tree, entry.commit):
        return str(tree)
    worktree.remove(ctx.paths.root, tree)
    return ""
