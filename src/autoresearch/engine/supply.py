"""What the researchers of a campaign are told, and what they could propose, known before it begins.

What a researcher is told is bounded, readable by a person, and without raw logs: of a crash the traceback, cleaned.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresearch.config.duration import span
from autoresearch.config.schema import CampaignConfig
from autoresearch.engine.context import Context
from autoresearch.engine.reach import scope_for
from autoresearch.engine.worktrees import survey_of_arm
from autoresearch.errors import AutoresearchError, CampaignError, RecipeError
from autoresearch.experiment import names
from autoresearch.experiment.briefing import next_area, plateaus, telling_curves
from autoresearch.experiment.experiment import Experiment, Run, trial_of
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Brief, Curve, Hypothesis, Level, Tried
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import contents, worktree
from autoresearch.ports import plugins
from autoresearch.ports.metric_source import readings_of
from autoresearch.ports.researcher import Researcher, Supplier, Supply
from autoresearch.ports.target import KnobHolder, ScriptKnob, Survey, Target
from autoresearch.records.paths import Layout
from autoresearch.run.complaint import last_traceback
from autoresearch.run.measurement import Series
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.secrets import environment
from autoresearch.supervision.run_log import end_of
from autoresearch.verdict.evidence import Evidence

_MOST_TOLD, _SHOWN = 5, 3
_ORDER = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
_ON_BASE = ("incumbent", "baseline")


def brief_for(ctx: Context, index: int, parent: str) -> Brief:
    """The brief for one proposal on top of `parent`."""
    survey = survey_of_arm(ctx, parent)
    scope = scope_for(ctx.campaign, survey)
    evidence = Evidence(next_move.board(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook()))
    worn = tuple(found.area for found in plateaus(ctx.history))
    return Brief(
        campaign=ctx.campaign.campaign,
        index=index,
        objective=ctx.survey.objective,
        stop_sentence=ctx.outlook().stop.sentence,
        recipe=ctx.recipe,
        low_risk=not ctx.campaign.stop,
        parent=parent,
        facts=survey.facts,
        symptoms=symptoms_of(ctx.history, parent),
        tried=tried_ideas(ctx),
        noise=evidence.sigma,
        steering=tuple(said.text for said in ctx.history.steering),
        allow=scope.allow,
        protect=scope.protect,
        protect_keys=scope.protect_keys,
        lineage=survey.lineage,
        max_files=scope.max_files,
        max_lines=scope.max_lines,
        repeats=evidence.noise.freedom,
        smallest=evidence.smallest(parent),
        subject=scope.subject,
        worn=worn,
        next_area=next_area(worn) if worn else "",
        origin=ctx.survey.facts.values,
        levels=_levels(ctx.history, parent),
        curves=_curves(ctx, parent),
        running=_running(ctx, parent, survey),
        read_more=_read_more(ctx),
        failure=_failure(ctx, ctx.history.current_runs(parent)),
        beside=_beside(ctx.history, parent),
        target=ctx.campaign.made_of() | {"env": dict(ctx.campaign.run.env), "check": ctx.campaign.run.check},
    )


def _levels(history: History, parent: str) -> tuple[Level, ...]:
    arms = (("baseline", BASELINE), ("the one you start from", parent), ("best so far", history.incumbent))
    known = ((label, arm, history.value_of(arm)) for label, arm in arms if history.baseline)
    return tuple(Level(label, arm, value, history.runs_behind(arm)) for label, arm, value in known if value is not None)


def _curves(ctx: Context, parent: str) -> tuple[Curve, ...]:
    """The telling curves of the parent's newest valid run, each tag once, from the source that is trusted most."""
    folders = [Path(run.planned.folder) for run in ctx.history.current_runs(parent) if run.valid][-1:]
    found: dict[str, Series] = {}
    for source, folder in ((source, folder) for folder in folders for source in ctx.sources.values()):
        for tag, series in readings_of(source, folder).series.items():
            found.setdefault(tag, series)
    own = ctx.survey.objective
    return telling_curves(found, (own.tag, own.metric))


def _running(ctx: Context, parent: str, survey: Survey) -> tuple[str, ...]:
    runs = [run for run in ctx.history.current_runs(parent) if run.valid] or [
        run for run in ctx.history.runs_of(BASELINE) if run.valid
    ]
    resources, launcher = survey.resources, ctx.campaign.launcher
    told = [f"it executes `{ctx.redactor.clean(' '.join(survey.command))}`"] if survey.command else []
    if runs and (walls := [run.wall_s for run in runs if run.wall_s]):
        told.append(f"it takes {span(sum(walls) / len(walls))}, measured over {len(walls)} runs like yours")
    steps = [run.measurement.step for run in runs if run.measurement and run.measurement.step]
    paces = [run.measurement.pace.usual_s for run in runs if run.measurement and run.measurement.pace]
    usual = [pace for pace in paces if pace]
    told += [f"its value is of step {steps[-1]}"] if steps else []
    told += [f"a step takes {sum(usual) / len(usual):.3g} s"] if usual else []
    limit = ctx.limits.per_experiment_timeout
    told += [f"it is ended after {span(limit)}"] if limit else []
    peak = max((run.measurement.peak_memory_gb or 0.0 for run in runs if run.measurement), default=0.0)
    told += [f"its peak memory was {peak:.1f} GB"] if peak else []
    nodes = f"{resources.nodes} nodes of " if resources.nodes > 1 else ""
    told.append(
        f"it has {nodes}{resources.gpus or 'no'} GPUs, by launcher {launcher.type}, {launcher.parallel} at once"
    )
    hosts = dict.fromkeys(run.ended.status.node for run in runs if run.ended and run.ended.status.node)
    return (*told, *([f"last on {', '.join(list(hosts)[:_SHOWN])}"] if hosts else []))


def _beside(history: History, parent: str) -> tuple[str, ...]:
    inside = {*history.lineage(parent), parent}
    return tuple(entry.branch for entry in history.kept if entry.name not in inside)


def _read_more(ctx: Context) -> tuple[str, ...]:
    prefix = names.campaign_prefix(ctx.campaign.campaign)
    base = ctx.history.started.base_commit[:7] if ctx.history.started else ""
    return (
        f"git log --oneline --branches='{prefix}/*'",
        f"git diff {base} {ctx.history.incumbent_branch}" if ctx.history.incumbent != BASELINE else "",
        "git show BRANCH",
    )


def _failure(ctx: Context, runs: Sequence[Run]) -> str:
    """The traceback of a run that ended without a number, cleaned; empty for none."""
    if not runs or not runs[-1].settled or runs[-1].value is not None:
        return ""
    tree = ctx.paths.worktree(runs[-1].planned.experiment)
    try:
        return last_traceback(end_of(Path(runs[-1].planned.log), ctx.redactor), str(tree))
    except OSError:
        return ""


def symptoms_of(history: History, arm: str) -> tuple[Symptom, ...]:
    """Health findings of an arm's runs, each name once, worst first."""
    found: dict[str, Symptom] = {}
    for run in history.runs_of(arm):
        for symptom in run.measurement.symptoms if run.measurement else ():
            found.setdefault(symptom.name, symptom)
    return tuple(sorted(found.values(), key=lambda symptom: _ORDER[symptom.severity]))


def tried_ideas(ctx: Context) -> tuple[Tried, ...]:
    """All earlier experiments, oldest first: who forgets one proposes it again. Of the last crashes, where."""
    history = ctx.history
    tried = list(history.each(_tried))
    fell = [place for place, one in enumerate(tried) if one.status == "crash"][-_SHOWN:]
    for place in fell:
        tried[place] = replace(tried[place], failure=_failure(ctx, history.current_runs(tried[place].name)))
    return tuple(tried)


def _tried(history: History, entry: Experiment) -> Tried | None:
    verdict, committed = entry.verdict, entry.committed
    if committed is None:
        return None
    return Tried(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        overrides=entry.hypothesis.overrides,
        config=committed.config,
        status=_status(history, entry),
        value=history.value_of(entry.name),
        effect=verdict.effect if verdict else None,
        source=entry.hypothesis.source,
        reason=verdict.reason if verdict else "",
        low=verdict.low if verdict else None,
        high=verdict.high if verdict else None,
        files=committed.files,
        runs=history.runs_behind(entry.name),
        rationale=entry.hypothesis.rationale,
        branch=entry.branch,
        partial=_ended_early(history, entry.name),
    )


def _ended_early(history: History, arm: str) -> bool:
    runs = [trial_of(run) for run in history.current_runs(arm) if run.value is not None]
    return bool(runs) and all(trial.partial for trial in runs)


def _status(history: History, entry: Experiment) -> str:
    """The verdict's word; an idea that could not be tested is no crash to learn from."""
    if entry.verdict is None:
        return ""
    return "untested" if history.untested(entry.name) else entry.verdict.status


def supplies(campaign: CampaignConfig, root: Path, survey: Survey) -> tuple[Supply, ...]:
    """What each researcher of the file has for the recipe as it is.

    Raises:
        CampaignError: One has options that it cannot work with, such as a list that is not there.
    """
    return tuple(_supply(campaign, root, survey, place) for place in range(len(campaign.researcher)))


def _supply(campaign: CampaignConfig, root: Path, survey: Survey, place: int) -> Supply:
    spec, scope = campaign.researcher[place], campaign.scope
    options = {"root": str(root), "seed": campaign.run.first_seed, **spec.options()}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            one: Researcher = plugins.make("researchers", spec.type, options=options, folder=Path(folder))
        except CampaignError:
            raise
        except AutoresearchError as error:
            return Supply(f"`run` will refuse it: {error}")
    brief = Brief(
        campaign=campaign.campaign,
        index=2,
        objective=survey.objective,
        facts=survey.facts,
        protect_keys=(*survey.protect_keys, *scope.protect_keys),
        origin=survey.facts.values,
    )
    return one.supply(brief) if isinstance(one, Supplier) else Supply("")


def why_none(campaign: CampaignConfig, found: Sequence[Supply]) -> str:
    """Why no researcher could propose anything, in words; empty when one could, or all is driven by hand."""
    if not found or any(one.most != 0 for one in found):
        return ""
    said = "; ".join(f"{spec.type}: {one.told}" for spec, one in zip(campaign.researcher, found, strict=True))
    return (
        f"nobody could propose anything here ({said}): name ideas with --ideas FILE, knobs with target.knobs or "
        f"target.space for --researcher search, or let `autoresearch init -- COMMAND` find them; --set researcher=[] "
        f"is for what is driven by hand alone"
    )


def told(campaign: CampaignConfig, found: Sequence[Supply]) -> str:
    """Who proposes, in order, with what each has."""
    each = zip(campaign.researcher, found or [Supply("")] * len(campaign.researcher), strict=True)
    return ", then ".join(f"{spec.type} ({one.told})" if one.told else spec.type for spec, one in each)


def with_knobs(campaign: CampaignConfig, root: Path, target: Target) -> CampaignConfig:
    """With what of a script's settings overrides may turn, where its target was told of none: found, not run."""
    finder, known = plugins.knob_finder(), environment.of_repository(root)
    found = target.find_knobs(root) if isinstance(target, KnobHolder) else ()
    seed = finder.seed_of(found)
    kept = [one for one in found if one is not seed and not known.is_secret(one.name, (one.default, *one.choices))]
    if not kept:
        return campaign
    said = {**campaign.target.model_dump(exclude_unset=True), **finder.offered(kept)}
    return CampaignConfig.of({**campaign.model_dump(exclude_unset=True), "target": said}, "plan")


def search_instead(draft: CampaignConfig, root: Path, survey: Survey) -> dict[str, object] | None:
    """A search, where nobody was named and who would be asked has nothing for such a recipe; None where nothing is."""
    space = survey.facts.space or _searchable(survey)
    if not space or not why_none(draft, supplies(draft, root, survey)):
        return None
    return {"type": "search", "knobs": 2, **({} if survey.facts.space else {"space": space})}


def _searchable(survey: Survey) -> dict[str, object]:
    """A space over the keys of a configuration file, as far as their names and values tell one."""
    known = [
        ScriptKnob(name=key, place="key", at=key, kind=type(value).__name__, default=value)
        for key, value in survey.facts.values.items()
        if isinstance(value, bool | int | float)
    ]
    return plugins.knob_finder().space_of(known)


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
