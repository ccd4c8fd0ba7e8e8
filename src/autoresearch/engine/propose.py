"""From an idea to a commit on its own branch: baseline, hypothesis, bundle.

Each function can be called again after a crash at any line: commits are made with the time recorded in the journal,
so that the same content gives the same commit, and a proposal is kept on disk before it is committed.
"""

import json
from dataclasses import asdict

from autoresearch.engine import ask
from autoresearch.engine.ask import ask_for_proposal, is_clean, kept_proposal
from autoresearch.engine.context import Context
from autoresearch.engine.guarded_commit import commit_message, commit_proposal, fingerprint_of
from autoresearch.engine.worktrees import checkout
from autoresearch.experiment import names
from autoresearch.experiment.events import ExperimentCommitted, ExperimentOpened
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import commits, refs, worktree
from autoresearch.machine import atomic, fault_points


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


def explore(ctx: Context, parent: str) -> bool:
    """Open an attempt and bring it to its commit; False when no researcher has an idea."""
    ask.mark_plateaus(ctx)
    index = max(ctx.history.experiments, default=0) + 1
    ctx.record(
        ExperimentOpened(at=ctx.clock(), index=index, parent=parent, parent_commit=ctx.history.arm_commit(parent))
    )
    fault_points.point("propose.opened")
    return reopen(ctx, index)


def reopen(ctx: Context, index: int) -> bool:
    """Bring an opened attempt to its commit, from wherever a crash left it; False when no researcher has an idea."""
    if index == 1:
        open_baseline(ctx)
        return True
    entry = ctx.history.experiments[index]
    tree = ctx.paths.worktree(str(index))
    kept = ctx.paths.attempt(index)
    proposal = kept_proposal(kept)
    if proposal is None or not tree.exists():
        proposal = ask_for_proposal(ctx, entry, tree)
        if proposal is None:
            worktree.remove(ctx.paths.root, tree)
            return False
        atomic.replace(kept, json.dumps(asdict(proposal), indent=2) + "\n")
    fault_points.point("propose.edited")
    commit_proposal(ctx, entry, tree, proposal)
    kept.unlink(missing_ok=True)
    if is_clean(ctx, proposal.hypothesis):
        worktree.attach(tree, entry.branch)
    else:
        worktree.remove(ctx.paths.root, tree)
    return True
