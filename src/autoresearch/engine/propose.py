"""From an idea to a commit on its own branch: baseline, hypothesis, bundle.

Each function can be called again after a crash at any line: commits are made with the time recorded in the journal,
so that the same content gives the same commit, and a proposal is kept on disk before it is committed.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import TypeAdapter

from autoresearch.engine import ask
from autoresearch.engine.brief import brief_for, brief_text
from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import checkout, pure, survey_of_arm
from autoresearch.errors import RecipeError, RepositoryError, ResearcherError
from autoresearch.experiment import names
from autoresearch.experiment.change import changed_keys
from autoresearch.experiment.events import ExperimentAbandoned, ExperimentCommitted, ExperimentOpened
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import BY_HAND, Hypothesis
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import refs, worktree
from autoresearch.guards.scope import Limits, breaches, yardstick
from autoresearch.guards.simpler import simplifies
from autoresearch.machine import atomic, fault_points
from autoresearch.ports import Survey


@dataclass(frozen=True)
class Proposal:
    """An idea as it stands in a worktree: the hypothesis, and why it could not be applied, if so."""

    hypothesis: Hypothesis
    refused: str = ""


_PROPOSAL = TypeAdapter(Proposal)


@runtime_checkable
class Witness(Protocol):
    """A researcher whose work leaves something to read: an agent's calls, what they cost, what it tried."""

    def notes(self) -> tuple[str, ...]:
        """What a person should be able to read, since this was last asked."""
        ...

    def evidence(self, index: int) -> Path:
        """The folder of files about an attempt, without secrets; it need not exist."""
        ...


def open_baseline(ctx: Context) -> None:
    """Make the baseline: an empty, signed-off commit on the base commit (R53)."""
    assert ctx.history.started is not None  # noqa: S101 - the session starts a campaign before its loop
    base = ctx.history.started.base_commit
    if 1 not in ctx.history.experiments:
        ctx.record(ExperimentOpened(ctx.clock(), 1, BASELINE, base))
    hypothesis = Hypothesis(title="the unmodified recipe", area="baseline", parent=BASELINE, source="engine")
    entry = ctx.history.experiments[1]
    message = commit_message(ctx, BASELINE, hypothesis)
    commit = refs.commit_tree_from(ctx.paths.root, base, (), message, refs.identity(ctx.paths.root), entry.opened.at)
    branch = names.branch(ctx.campaign.campaign, BASELINE)
    fault_points.point("propose.baseline.branch")
    refs.create_branch(ctx.paths.root, branch, commit)
    fault_points.point("propose.baseline.record")
    fingerprint = _fingerprint(ctx, commit, ctx.survey)
    ctx.record(
        ExperimentCommitted(
            ctx.clock(), 1, BASELINE, branch, commit, hypothesis, parent=BASELINE, parent_commit=base,
            fingerprint=fingerprint,
        )
    )  # fmt: skip
    checkout(ctx, BASELINE)


def explore(ctx: Context, parent: str) -> bool:
    """Open an attempt and bring it to its commit; False when no researcher has an idea."""
    ask.mark_plateaus(ctx)
    index = max(ctx.history.experiments, default=0) + 1
    ctx.record(ExperimentOpened(ctx.clock(), index, parent, ctx.history.arm_commit(parent)))
    fault_points.point("propose.opened")
    return reopen(ctx, index)


def reopen(ctx: Context, index: int) -> bool:
    """Bring an opened attempt to its commit, from wherever a crash left it; False when no researcher has an idea."""
    if index == 1:
        open_baseline(ctx)
        return True
    entry = ctx.history.experiments[index]
    tree = ctx.paths.worktree(str(index))
    kept = ctx.paths.folder / ".attempts" / f"{index}.json"
    proposal = _kept_proposal(kept)
    if proposal is None or not tree.exists():
        proposal = _ask(ctx, entry, tree)
        if proposal is None:
            worktree.remove(ctx.paths.root, tree)
            return False
        atomic.replace(kept, json.dumps(asdict(proposal), indent=2) + "\n")
    fault_points.point("propose.edited")
    _commit(ctx, entry, tree, proposal)
    kept.unlink(missing_ok=True)
    if is_clean(ctx, proposal.hypothesis):
        worktree.attach(tree, entry.branch)
    else:
        worktree.remove(ctx.paths.root, tree)
    return True


def is_clean(ctx: Context, hypothesis: Hypothesis) -> bool:
    """Whether an attempt's worktree holds what its commit holds: an editor or a patch may leave ignored files too."""
    return not hypothesis.patch and not _edits(ctx, hypothesis.source)


def _edits(ctx: Context, source: str) -> bool:
    """Whether a researcher, or a hand, works in the worktree itself and may leave more there than its commit holds."""
    return source == BY_HAND or source in ctx.editors


def committable(tree: Path, parent: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What an edit left in a worktree: files that a commit can hold, and why each of the others cannot be held."""
    paths = worktree.edited(tree, parent)
    files = tuple(path for path in paths if refs.can_commit(path))
    return files, tuple(f"{path} cannot be part of a commit: it is git's own" for path in paths if path not in files)


def _kept_proposal(path: Path) -> Proposal | None:
    try:
        return _PROPOSAL.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _ask(ctx: Context, entry: Experiment, tree: Path) -> Proposal | None:
    """The first idea any researcher has, applied to a fresh worktree of the parent it asks for.

    Without one the attempt is given up: for good when every researcher said that it has no more, for a while when one
    of them could not do its part (no quota, no login).
    """
    troubles: list[str] = []
    pristine = False
    for researcher in ask.in_turn(ctx):
        if not pristine:
            _fresh(ctx, tree, entry.opened.parent_commit)
        pristine = not _edits(ctx, researcher.name)
        brief = brief_for(ctx, entry.index, entry.opened.parent)
        try:
            hypothesis = researcher.propose(brief, tree)
        except ResearcherError as error:
            troubles.append(f"{researcher.name}: {ctx.redactor.clean(str(error))}")
            continue
        finally:
            hear(ctx, researcher)
        if hypothesis is None:
            continue
        hypothesis = without_secrets(ctx, replace(hypothesis, source=hypothesis.source or researcher.name))
        parent = _parent(ctx, hypothesis, entry)
        if ctx.history.arm_commit(parent) != entry.opened.parent_commit:
            _fresh(ctx, tree, ctx.history.arm_commit(parent))
        hypothesis = replace(hypothesis, parent=parent)
        folder = ctx.paths.folder / ".attempts"
        atomic.replace(folder / f"{entry.index}.brief.md", ctx.redactor.clean(brief_text(brief)))
        return Proposal(hypothesis, _apply(ctx, tree, hypothesis))
    why = "; ".join(troubles) or ask.why_nobody(ctx)
    ctx.record(ExperimentAbandoned(ctx.clock(), entry.index, why, exhausted=not troubles))
    return None


def hear(ctx: Context, researcher: object) -> None:
    """Write down what a researcher has to tell about its own work."""
    for text in researcher.notes() if isinstance(researcher, Witness) else ():
        ctx.note(ctx.redactor.clean(text))


def without_secrets(ctx: Context, hypothesis: Hypothesis) -> Hypothesis:
    """A hypothesis with secrets taken out of its words; overrides and patch are what will run, and stay as they are."""
    clean = ctx.redactor.clean
    return replace(
        hypothesis,
        title=clean(hypothesis.title),
        rationale=clean(hypothesis.rationale),
        watch=tuple(clean(item) for item in hypothesis.watch),
    )


def _fresh(ctx: Context, tree: Path, commit: str) -> None:
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, commit)


def _parent(ctx: Context, hypothesis: Hypothesis, entry: Experiment) -> str:
    """The arm a hypothesis starts from; one that cannot be one falls back to the attempt's own, with a note."""
    if hypothesis.parent == "incumbent":
        return entry.opened.parent
    if why := unfit(ctx, hypothesis.parent):
        ctx.note(f"{hypothesis.title!r} asks for parent {hypothesis.parent!r}, which {why}; using its default")
        return entry.opened.parent
    return hypothesis.parent


def unfit(ctx: Context, arm: str) -> str:
    """Why nothing may be built on an arm, empty when it may: guards compare with the parent, so it must be clean."""
    if arm in ctx.history.bundles:
        return "could not be merged" if ctx.history.bundles[arm].conflict else ""
    try:
        committed = ctx.history.experiment(arm).committed
    except KeyError:
        return "does not exist"
    if ctx.history.has_yardstick(arm):
        return "is measured with a yardstick of its own"
    return "was refused" if committed and committed.breaches else ""


def _apply(ctx: Context, tree: Path, hypothesis: Hypothesis) -> str:
    """Write overrides and patch into the tree; why they cannot be applied, empty when they were."""
    try:
        if hypothesis.overrides:
            ctx.target.apply(tree, hypothesis.overrides)
        if hypothesis.patch:
            refs.apply_patch(tree, hypothesis.patch)
    except (RecipeError, RepositoryError) as error:
        return str(error)
    return ""


def _commit(ctx: Context, entry: Experiment, tree: Path, proposal: Proposal) -> None:
    hypothesis = proposal.hypothesis
    parent_commit = ctx.history.arm_commit(hypothesis.parent)
    files, unheld = committable(tree, parent_commit)
    name, commit = _named_commit(ctx, entry, tree, hypothesis, files)
    branch = names.branch(ctx.campaign.campaign, name)
    fault_points.point("propose.commit")
    refs.create_branch(ctx.paths.root, branch, commit)
    fault_points.point("propose.branch")
    unheld += (proposal.refused,) if proposal.refused else ()
    event = examined(ctx, entry, name, branch, commit, parent_commit, tree, hypothesis, files, unheld)
    leave_evidence(ctx, name, entry.index, parent_commit, commit, hypothesis)
    fault_points.point("propose.record")
    ctx.record(event)
    ask.send_to_rest(ctx, hypothesis.source, event.breaches)


def _named_commit(
    ctx: Context, entry: Experiment, tree: Path, hypothesis: Hypothesis, files: tuple[str, ...]
) -> tuple[str, str]:
    """Name and commit of an attempt; a branch that somebody else made is left alone, and the next name taken."""
    parent, identity = ctx.history.arm_commit(hypothesis.parent), refs.identity(ctx.paths.root)
    taken = {other.name for other in ctx.history.experiments.values()} | set(ctx.history.bundles)
    while True:
        name = names.slug(hypothesis.title, taken)
        message = commit_message(ctx, name, hypothesis)
        commit = refs.commit_tree_from(tree, parent, files, message, identity, entry.opened.at)
        branch = names.branch(ctx.campaign.campaign, name)
        if refs.branches(ctx.paths.root, branch) in ({}, {branch: commit}):
            return name, commit
        taken.add(name)


def examined(
    ctx: Context,
    entry: Experiment,
    name: str,
    branch: str,
    commit: str,
    parent_commit: str,
    tree: Path,
    hypothesis: Hypothesis,
    files: tuple[str, ...],
    unheld: tuple[str, ...],
) -> ExperimentCommitted:
    """The commit's event, with everything the guards found in it."""
    changes = refs.file_changes(ctx.paths.root, parent_commit, commit)
    found = list(unheld)
    after = _survey(ctx, commit, tree if is_clean(ctx, hypothesis) else None, found)
    old, new = survey_of_arm(ctx, hypothesis.parent).facts.values, after.facts.values if after else None
    hypothesis = _borne_out(ctx, hypothesis, simpler=simplifies(changes, after.lineage if after else (), old, new))
    keys = (*files, *(changed_keys(old, new) if new is not None else ()))
    scope = scope_of(ctx)
    found += breaches(changes, scope, old, new)
    found += [
        f"{path} lies in a submodule: such an edit is part of no commit"
        for path in worktree.edited_submodules(ctx.paths.root, tree)
    ]
    if not files and not unheld:
        found.append("the change is empty: the tree equals its parent's")
    fingerprint = _fingerprint(ctx, commit, after)
    if twin := _twin(ctx, fingerprint, entry.index):
        found.append(f"duplicate: the same code and configuration as #{twin.index} {twin.name}")
    parent_config = () if hypothesis.parent == BASELINE else _config_of(ctx, hypothesis.parent)
    return ExperimentCommitted(
        ctx.clock(), entry.index, name, branch, commit, hypothesis, files,
        complexity=sum(change.added - change.deleted for change in changes), keys=keys, breaches=tuple(found),
        config=(*parent_config, *hypothesis.overrides), parent=hypothesis.parent, parent_commit=parent_commit,
        fingerprint=fingerprint, yardstick=yardstick(changes, scope, old, new),
    )  # fmt: skip


def _borne_out(ctx: Context, hypothesis: Hypothesis, *, simpler: bool) -> Hypothesis:
    """The hypothesis without a claim to simplify that its commit does not bear out: such a claim decides ties."""
    if simpler or not hypothesis.simplifies:
        return hypothesis
    ctx.note(f"{hypothesis.title!r} claims to simplify, but its commit removes no more than it adds: a tie discards it")
    return replace(hypothesis, simplifies=False)


def scope_of(ctx: Context) -> Limits:
    """The campaign's scope with the target's own protection."""
    scope = ctx.campaign.scope
    return Limits(
        allow=scope.allow,
        protect=(*ctx.survey.protect, *scope.protect),
        protect_keys=(*ctx.survey.protect_keys, *scope.protect_keys),
        subject=scope.subject,
        max_files=scope.max_files,
        max_lines=scope.max_lines,
    )


def _survey(ctx: Context, commit: str, tree: Path | None, problems: list[str]) -> Survey | None:
    """The recipe of a commit, read in a worktree that holds the commit and nothing else, or in one made for it."""
    try:
        if tree is not None:
            return ctx.survey_of(commit, tree)
        with pure(ctx, commit) as made:
            return ctx.survey_of(commit, made)
    except RecipeError as error:
        problems.append(f"the recipe is refused: {error}")
        return None


def _config_of(ctx: Context, arm: str) -> tuple[str, ...]:
    if arm in ctx.history.bundles:
        return tuple(key for idea in ctx.history.bundles[arm].ideas for key in _config_of(ctx, idea))
    committed = ctx.history.experiment(arm).committed
    return committed.config if committed else ()


def _fingerprint(ctx: Context, commit: str, survey: Survey | None) -> str:
    """Equal for two commits with the same resolved recipe and the same code outside the recipe's files."""
    assert ctx.history.started is not None  # noqa: S101 - see open_baseline
    lineage = survey.lineage if survey else ()
    code = refs.diff(ctx.paths.root, ctx.history.started.base_commit, commit, exclude=lineage)
    values = json.dumps(dict(survey.facts.values), sort_keys=True, default=str) if survey else commit
    return hashlib.sha256(f"{code}\0{values}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _twin(ctx: Context, fingerprint: str, index: int) -> Experiment | None:
    for entry in ctx.history.experiments.values():
        if entry.committed and entry.index != index and entry.committed.fingerprint == fingerprint:
            return entry
    return None


def commit_message(ctx: Context, name: str, hypothesis: Hypothesis) -> str:
    """`<area>: <idea>`, the reasoning, and which experiment it is (R45); the sign-off is added by the commit."""
    subject = f"{hypothesis.area}: {hypothesis.title}".replace("\n", " ")
    body = [ctx.redactor.clean(hypothesis.rationale)] if hypothesis.rationale else []
    if hypothesis.overrides:
        body.append("Overrides:\n" + "\n".join(f"  {item}" for item in hypothesis.overrides))
    return "\n\n".join([subject, *body, f"Autoresearch-Experiment: {ctx.campaign.campaign}/{name}"])


def leave_evidence(
    ctx: Context, name: str, index: int, parent_commit: str, commit: str, hypothesis: Hypothesis
) -> None:
    """Patch, hypothesis, brief and whatever its researcher left, in the experiment's own folder."""
    folder = ctx.paths.experiment(name)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.replace(folder / "diff.patch", refs.patch(ctx.paths.root, parent_commit, commit))
    atomic.replace(folder / "hypothesis.json", json.dumps(asdict(hypothesis), indent=2) + "\n")
    brief = ctx.paths.folder / ".attempts" / f"{index}.brief.md"
    if brief.exists():
        brief.replace(folder / "brief.md")
    keep_testimony(ctx, hypothesis.source, index, folder)


def keep_testimony(ctx: Context, source: str, index: int, folder: Path) -> None:
    """Move what a researcher left about an attempt beside the experiment's other evidence."""
    for witness in (one for one in ctx.researchers if isinstance(one, Witness) and one.name == source):
        for file in sorted(witness.evidence(index).glob("*")):
            folder.mkdir(parents=True, exist_ok=True)
            file.replace(folder / file.name)
