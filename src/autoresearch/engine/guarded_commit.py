"""One examined commit: what was changed, whether it may be run, and the evidence kept of it.

Before there is a campaign: which listed ideas could not become one.

Commits are made with the time recorded in the journal, so that the same content gives the same commit.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from autoresearch.engine import chain
from autoresearch.engine.chain import Proposal, is_clean
from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import clean_checkout, scope_of, survey_of_arm, tree_of
from autoresearch.errors import CampaignError, RecipeError, RepositoryError, ResearcherError, crossing
from autoresearch.experiment import names
from autoresearch.experiment.change import FileChange, changed_keys
from autoresearch.experiment.events import ExperimentAbandoned, ExperimentCommitted
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import commits, contents, diffs, objects, refs, submodules, worktree
from autoresearch.git.call import is_about_room
from autoresearch.guards import grip
from autoresearch.guards.scope import breaches, is_data, names_code, simplifies, yardstick
from autoresearch.guards.shadows import redirects, shadows
from autoresearch.machine import disk, fault_points
from autoresearch.ports.researcher import Supply, Witness
from autoresearch.ports.target import SETTINGS, Survey, Target
from autoresearch.records.paths import Layout

_MOST_TOLD = 5
_ON_BASE = ("incumbent", "baseline")


def committable(tree: Path, parent: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What an edit left in a worktree: files that a commit can hold, and why each of the others cannot be held."""
    paths = contents.edited_paths(tree, parent)
    unheld = {path: "it is git's own" for path in paths if not commits.can_commit(path)}
    unheld |= {path: "it is longer than could be read, and empty" for path in paths if contents.is_endless(tree / path)}
    told = tuple(f"{path} cannot be part of a commit: {why}" for path, why in unheld.items())
    return tuple(path for path in paths if path not in unheld), told


def commit_proposal(ctx: Context, entry: Experiment, tree: Path, proposal: Proposal) -> bool:
    """Bring a proposal to its commit, its branch and the journal; one that git cannot take is a row without a change.

    What happened since somebody was asked for it may have left nothing to try: then it is given up, False.

    Raises:
        RepositoryError: Git takes nothing at all, whatever the proposal is.
    """
    parent_commit = ctx.history.arm_commit(proposal.hypothesis.parent)
    if why := _overtaken(ctx, entry, tree, proposal, parent_commit):
        ctx.record(ExperimentAbandoned(ctx.clock(), entry.index, why, dropped=True))
        return False
    try:
        event = _branched(ctx, entry, tree, proposal, *committable(tree, parent_commit))
    except RepositoryError as error:
        if is_about_room(error):
            raise
        worktree.remove(ctx.paths.root, tree)
        worktree.add(ctx.paths.root, tree, parent_commit)
        event = _branched(ctx, entry, tree, proposal, (), (ctx.redactor.clean(f"git cannot take the change: {error}"),))
    leave_evidence(ctx, event.name, entry.index, parent_commit, event.commit, proposal.hypothesis)
    fault_points.point("propose.record")
    ctx.record(event, lasting=False)  # what is done with it, a run or a verdict, is
    chain.send_to_rest(ctx, proposal.hypothesis.source, event.breaches)
    return True


def _overtaken(ctx: Context, entry: Experiment, tree: Path, proposal: Proposal, parent_commit: str) -> str:
    """Why an idea is no longer worth a run: what it stands on fell while it was thought of, or an equal one came."""
    parent, since, title = proposal.hypothesis.parent, entry.opened.at, proposal.hypothesis.title
    if any(one.name == parent and one.at > since for one in ctx.history.demotions):
        return f"{title!r} was dropped: {parent}, on which it stands, fell while it was thought of"
    others = [one.committed for one in ctx.history.experiments.values() if one is not entry]
    later = {one.commit: one for one in others if one and one.index > 1 and one.at > since}
    if not later or proposal.refused:
        return ""
    with suppress(RepositoryError):  # what git cannot take is no equal of anything; the commit itself says so
        files, unheld = committable(tree, parent_commit)
        if not files or unheld:
            return ""
        identity = commits.identity(ctx.paths.root)
        commit = commits.commit_tree_from(tree, parent_commit, files, title, identity, entry.opened.at)
        for one in later.values():
            if not objects.changed_paths(ctx.paths.root, commit, one.commit):
                return f"{title!r} was dropped: #{one.index} {one.name}, which came meanwhile, is the same"
    return ""


def _branched(
    ctx: Context, entry: Experiment, tree: Path, proposal: Proposal, files: tuple[str, ...], unheld: tuple[str, ...]
) -> ExperimentCommitted:
    hypothesis = proposal.hypothesis
    name, commit = _named_commit(ctx, entry, tree, hypothesis, files)
    fault_points.point("propose.branch")
    unheld += (proposal.refused,) if proposal.refused else ()
    branch, parent_commit = names.branch(ctx.campaign.campaign, name), ctx.history.arm_commit(hypothesis.parent)
    return record_commit(ctx, entry, name, branch, commit, parent_commit, tree, hypothesis, files, unheld)


def _named_commit(
    ctx: Context, entry: Experiment, tree: Path, hypothesis: Hypothesis, files: tuple[str, ...]
) -> tuple[str, str]:
    """Name and commit of an attempt on a branch of its own.

    A branch that somebody else made, or whose name git does not take, is left alone, and the next name taken.
    """
    parent, identity = ctx.history.arm_commit(hypothesis.parent), commits.identity(ctx.paths.root)
    tally = ctx.history.tally
    taken = tally.names | {other.name for other in tally.open.values()} | set(ctx.history.bundles)
    tries = _NAMES
    while True:
        name = names.slug(hypothesis.title, taken)
        message = commit_message(ctx, name, hypothesis)
        commit = commits.commit_tree_from(tree, parent, files, message, identity, entry.opened.at)
        branch = names.branch(ctx.campaign.campaign, name)
        if _has_room(ctx.paths.experiment(name)):
            fault_points.point("propose.commit")
            try:
                refs.create_branch(ctx.paths.root, branch, commit)
            except RepositoryError as error:
                tries -= not refs.branches(ctx.paths.root, branch)
                if not tries or is_about_room(error):
                    raise
            else:
                return name, commit
        taken.add(name)


def _has_room(folder: Path) -> bool:
    return folder.is_dir() or not os.path.lexists(folder)


_NAMES = 2
"""So many names are tried that git does not take, each for as long as a lock is waited for."""


def record_commit(
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
    changes = diffs.file_changes(ctx.paths.root, parent_commit, commit)
    found = list(unheld)
    after = _survey(ctx, commit, tree if is_clean(ctx, hypothesis) else None, found)
    old, new = survey_of_arm(ctx, hypothesis.parent).facts.values, after.facts.values if after else None
    hypothesis = _borne_out(ctx, hypothesis, simpler=simplifies(changes, after.lineage if after else (), old, new))
    keys = (*files, *(changed_keys(old, new) if new is not None else ()))
    scope = scope_of(ctx)
    found += breaches(changes, scope, old, new)
    found += shadowed(ctx, parent_commit, commit, changes)
    found += [
        f"{path} lies in a submodule: such an edit is part of no commit"
        for path in submodules.edited(ctx.paths.root, tree, parent_commit)
    ]
    if not files and not unheld:
        found.append("the change is empty: the tree equals its parent's")
    fingerprint = fingerprint_of(ctx, commit, after)
    if not unheld and (twin := _twin(ctx, fingerprint, entry.index)):
        found.append(f"duplicate: the same code and configuration as #{twin.index} {twin.name}")
    parent_config = () if hypothesis.parent == BASELINE else _config_of(ctx, hypothesis.parent)
    return ExperimentCommitted(
        at=ctx.clock(), index=entry.index, name=name, branch=branch, commit=commit, hypothesis=hypothesis, files=files,
        complexity=sum(change.added - change.deleted for change in changes), keys=keys, breaches=tuple(found),
        config=(*parent_config, *_written(ctx, hypothesis, old, new), *hypothesis.overrides),
        parent=hypothesis.parent, parent_commit=parent_commit,
        fingerprint=fingerprint, yardstick=yardstick(changes, scope, old, new),
        own_code=names_code(keys, old, new) or (not is_clean(ctx, hypothesis) and holds_code(ctx, files)),
        grips=() if is_clean(ctx, hypothesis) else gripped(ctx, parent_commit, commit, files),
    )  # fmt: skip


def holds_code(ctx: Context, files: Iterable[str]) -> bool:
    """Whether an edit may touch what runs carry out: any file but the settings, and the recipe where that is data."""
    data = {SETTINGS, *(path for path in ctx.survey.lineage if is_data(path))}
    return any(path not in data for path in files)


def _borne_out(ctx: Context, hypothesis: Hypothesis, *, simpler: bool) -> Hypothesis:
    """The hypothesis without a claim to simplify that its commit does not bear out: such a claim decides ties."""
    if simpler or not hypothesis.simplifies:
        return hypothesis
    ctx.note(f"{hypothesis.title!r} claims to simplify, but its commit removes no more than it adds: a tie discards it")
    return replace(hypothesis, simplifies=False)


def gripped(ctx: Context, before: str, after: str, files: Iterable[str]) -> tuple[str, ...]:
    """What changed code gets hold of that measures; see `guards.grip`."""
    scope, found = scope_of(ctx), [f"{file} is a shell script" for file in files if file.endswith(_SHELLS)]
    changed = [file for file in files if file.endswith(".py") and not scope.subjects.match(file)]
    if not changed:
        return tuple(found)
    tree, objective = tree_of(ctx, before), ctx.survey.objective
    guarded = [file for file in sorted(tree.files) if file.endswith(".py") and scope.protected.match(file)]
    wanted = [*(f"{before}:{file}" for file in (*guarded, *changed)), *(f"{after}:{file}" for file in changed)]
    told = [(text or b"").decode("utf-8", "replace") for text in objects.contents_of(ctx.paths.root, wanted)]
    validating = [key.rpartition(":")[2] for key in ctx.survey.facts.values if key.startswith("code.") and ":" in key]
    metric = objective.tag or objective.metric
    known = grip.yardsticks(tree, dict(zip(guarded, told, strict=False)), validating, metric)
    pairs = zip(changed, told[len(guarded) :], told[len(guarded) + len(changed) :], strict=False)
    found += [one for file, old, new in pairs for one in grip.grips(file, old, new, known)]
    return tuple(dict.fromkeys(found))[:_MOST_GRIPS]


_SHELLS = (".sh", ".bash")
_MOST_GRIPS = 20


def shadowed(ctx: Context, parent_commit: str, commit: str, changes: Sequence[FileChange]) -> tuple[str, ...]:
    """What a change would put before, or around, what is protected; see `guards.shadows`."""
    scope = scope_of(ctx)
    led = redirects(diffs.diff(ctx.paths.root, parent_commit, commit), scope)
    return (*shadows(changes, scope, tree_of(ctx, parent_commit)), *led)


def _survey(ctx: Context, commit: str, tree: Path | None, problems: list[str]) -> Survey | None:
    """The recipe of a commit, read in a worktree that holds the commit and nothing else, or in one made for it."""
    try:
        if tree is not None:
            return ctx.survey_of(commit, tree)
        with clean_checkout(ctx, commit) as made:
            return ctx.survey_of(commit, made)
    except RecipeError as error:
        problems.append(f"the recipe is refused: {error}")
        return None


def _written(
    ctx: Context, hypothesis: Hypothesis, old: Mapping[str, object], new: Mapping[str, object] | None
) -> tuple[str, ...]:
    """What an edit set in the recipe without an override, spelled as overrides.

    Who searches numbers then takes its runs for points of the space, and nobody proposes the same once more.
    """
    if new is None or is_clean(ctx, hypothesis):
        return ()
    said = {override.lstrip("+").partition("=")[0] for override in hypothesis.overrides}
    keys = [key for key in changed_keys(old, new) if key not in said and isinstance(new.get(key), int | float | str)]
    values = {key: str(new[key]).lower() if isinstance(new[key], bool) else new[key] for key in keys}
    return tuple(f"{key}={value}" for key, value in values.items())[:_MOST_WRITTEN]


_MOST_WRITTEN = 40


def _config_of(ctx: Context, arm: str) -> tuple[str, ...]:
    if arm in ctx.history.bundles:
        return tuple(key for idea in ctx.history.bundles[arm].ideas for key in _config_of(ctx, idea))
    committed = ctx.history.experiment(arm).committed
    return committed.config if committed else ()


def fingerprint_of(ctx: Context, commit: str, survey: Survey | None) -> str:
    """Equal for two commits with the same resolved recipe and the same code outside the recipe's files."""
    assert ctx.history.started is not None  # noqa: S101 - see open_baseline
    lineage = survey.lineage if survey else ()
    code = diffs.diff(ctx.paths.root, ctx.history.started.base_commit, commit, exclude=lineage)
    values = json.dumps(dict(survey.facts.values), sort_keys=True, default=str) if survey else commit
    return hashlib.sha256(f"{code}\0{values}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _twin(ctx: Context, fingerprint: str, index: int) -> Experiment | None:
    twins = ctx.history.tally.twins.get(fingerprint, {})
    return next((twins[one] for one in sorted(twins) if one != index), None)


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
    disk.replace(ctx.paths.patch(name), diffs.patch(ctx.paths.root, parent_commit, commit), lasting=False)
    disk.replace(ctx.paths.hypothesis(name), json.dumps(asdict(hypothesis), indent=2) + "\n", lasting=False)
    brief = ctx.paths.attempt_brief(index)
    if brief.exists():
        brief.replace(ctx.paths.brief(name))
    keep_testimony(ctx, hypothesis.source, index, ctx.paths.experiment(name))


def keep_testimony(ctx: Context, source: str, index: int, folder: Path) -> None:
    """Move what a researcher left about an attempt beside the experiment's other evidence."""
    for witness in (one for one in ctx.researchers if isinstance(one, Witness) and one.name == source):
        try:
            with crossing(ResearcherError, f"what researcher {source} left about attempt {index} could not be kept"):
                files = sorted(witness.evidence(index).glob("*"))
        except ResearcherError as error:
            ctx.note(ctx.redactor.clean(str(error)))
            continue
        for file in files:
            folder.mkdir(parents=True, exist_ok=True)
            file.replace(folder / file.name)


def refused_ideas(root: Path, commit: str, target: Target, found: Sequence[Supply]) -> tuple[str, ...]:
    """Listed ideas whose overrides cannot be applied to a commit, or are another's; each is tried on a fresh tree.

    Raises:
        CampaignError: None of them can be, and nobody else has any.
    """
    ideas = [
        idea for one in found for idea in one.ideas if idea.overrides and not idea.patch and idea.parent in _ON_BASE
    ]
    if not ideas:
        return ()
    tree = Layout(root).campaign("dry").worktree(f".dry-{os.getpid()}")
    worktree.add(root, tree, commit)
    known: dict[Made, str] = {(): "the baseline, which says so already"}
    try:
        failed = [problem for idea in ideas if (problem := _problem(target, tree, commit, idea, known))]
    finally:
        worktree.remove(root, tree)
    all_ = sum(len(one.ideas) for one in found)
    if len(failed) == all_ and all(one.ideas or one.most == 0 for one in found):
        raise CampaignError(f"none of the {all_} listed ideas can be applied: {failed[0]}")
    return tuple(_shown(failed))


Made = tuple[tuple[str, bytes], ...]
"""Files as an idea's overrides leave them."""


def _problem(target: Target, tree: Path, commit: str, idea: Hypothesis, known: dict[Made, str]) -> str:
    """Why an idea is no experiment of its own, empty where it is one; `known` learns what it makes of the files."""
    try:
        changed = target.apply(tree, idea.overrides)
    except RecipeError as error:
        return str(error)
    made = tuple((path, (tree / path).read_bytes()) for path in sorted(changed))
    new = set(contents.added(tree, commit))
    for path in new:
        (tree / path).unlink()
    contents.put_back(tree, commit, set(changed) - new)
    if made in known:
        return f"{idea.title!r} is a duplicate of {known[made]}"
    known[made] = repr(idea.title)
    return ""


def _shown(failed: Sequence[str]) -> Iterator[str]:
    yield from (f"a listed idea cannot be applied: {problem}" for problem in failed[:_MOST_TOLD])
    if len(failed) > _MOST_TOLD:
        yield f"{len(failed) - _MOST_TOLD} more listed ideas cannot be applied"
