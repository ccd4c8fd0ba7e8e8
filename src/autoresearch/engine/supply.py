"""What the researchers of a campaign are told, and what they could propose, known before it begins.

What a researcher is told is bounded, readable by a person, and without raw logs: of a crash the traceback, cleaned.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresearch.config.duration import span
from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.engine.context import Context, first_brief
from autoresearch.engine.worktrees import survey_of_arm
from autoresearch.errors import AutoresearchError, CampaignError
from autoresearch.experiment import names
from autoresearch.experiment.briefing import next_area, plateaus, telling_curves, tried_of
from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History, fold
from autoresearch.experiment.hypothesis import Brief, Curve, Level, Tried
from autoresearch.experiment.insights import Insight, counts
from autoresearch.experiment.insights import text as insights_text
from autoresearch.experiment.outcome import BASELINE
from autoresearch.guards.reach import scope_for
from autoresearch.ports import plugins
from autoresearch.ports.metric_source import readings_of
from autoresearch.ports.researcher import Researcher, Supplier, Supply
from autoresearch.ports.target import KnobHolder, ScriptKnob, Survey, Target
from autoresearch.records.journal import Journal
from autoresearch.records.paths import CampaignPaths, Layout
from autoresearch.run.complaint import last_traceback
from autoresearch.run.measurement import Objective, Series
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.scheduling.predecessor import Predecessor, by_evidence, doubt, learned_from, told_by, told_of
from autoresearch.scheduling.stop_check import outlook
from autoresearch.secrets import environment
from autoresearch.supervision.run_log import end_of
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import Noise

_SHOWN = 3
_REFUSED = "`run` will refuse it"
_ORDER = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def brief_for(ctx: Context, index: int, parent: str) -> Brief:
    """The brief for one proposal on top of `parent`."""
    survey = survey_of_arm(ctx, parent)
    scope = scope_for(ctx.campaign, survey)
    evidence = Evidence(next_move.board(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook()))
    worn = tuple(found.area for found in plateaus(ctx.history))
    brief = Brief(
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
        insights=insights_text(insights_of(ctx)),
        learn=verdicts_to_learn_from(ctx),
        lessons=_lessons(ctx),
        target=ctx.campaign.made_of() | {"env": dict(ctx.campaign.run.env), "check": ctx.campaign.run.check},
    )
    followed = _followed(ctx)
    if followed is None:
        return brief
    told = doubt(evidence.noise, followed)
    ctx.note_once(told, told.partition(":")[0])
    return _with_prior(brief, followed, evidence.noise, evidence.arm(parent).runs)


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
    tried = list(history.each(tried_of))
    fell = [place for place, one in enumerate(tried) if one.status == "crash"][-_SHOWN:]
    for place in fell:
        tried[place] = replace(tried[place], failure=_failure(ctx, history.current_runs(tried[place].name)))
    return tuple(tried)


def insights_of(ctx: Context) -> tuple[Insight, ...]:
    """What the campaign has learned, as of the last renewal: worked out when so many more verdicts are in."""
    history, every = ctx.history, ctx.campaign.verdict.insights
    count = sum(map(counts, history.each(tried_of))) // every if every else 0
    known = (count, len(history.attendance.said))
    if count and ctx.learned[0] != known:
        board = next_move.board(history, ctx.campaign, ctx.survey.objective, ctx.outlook())
        ctx.learned = (known, learned_from(history, board, every, ctx.survey.facts.values))
    return ctx.learned[1] if count else ()


def verdicts_to_learn_from(ctx: Context) -> int:
    """How many there are, where the page of what was learned is due and no agent was asked for its lines; else 0."""
    every, said = ctx.campaign.verdict.insights, ctx.history.attendance.said
    count = sum(map(counts, ctx.history.each(tried_of)))
    return count if every and count // every > (said[-1].verdicts // every if said else 0) else 0


_CONFIRMED, _EARLIER = "confirmed by earlier campaigns", 3
"""How the note begins that keeps what earlier campaigns have confirmed, and how many of them are asked."""

_NUMBER = re.compile(r"(^|=)(?:[-+]?[\d.][\d._]*(?:[eE][-+]?\d+)?|\{(?:seed|folder|overrides)\})$")
_VERSION = re.compile(r"(?<=\D)[\d.]+$")


def _lessons(ctx: Context) -> tuple[str, ...]:
    """What earlier campaigns of the repository have confirmed for this recipe and metric; read once, and noted."""
    known = next((note for note in ctx.history.notes if note.text.startswith(_CONFIRMED)), None)
    if known is not None:
        return tuple(known.details.values())
    if any(entry.judged for entry in ctx.history.experiments.values() if entry.name != BASELINE):
        return ()
    found = by_evidence(filter(None, (_predecessor(ctx, paths) for paths in _earlier(ctx))))
    if found:
        names = {f"line {number}": ctx.redactor.clean(line) for number, line in enumerate(found, start=1)}
        ctx.note(f"{_CONFIRMED}: {len(found)} findings, told in every brief", **names)
    return tuple(found)


def _earlier(ctx: Context) -> list[CampaignPaths]:
    known = [paths for paths in Layout(ctx.paths.root).folders() if paths.name != ctx.paths.name]
    dated = [(paths.journal.stat().st_mtime, paths.name, paths) for paths in known if paths.journal.is_file()]
    return [paths for *_, paths in sorted(dated, key=lambda one: one[:2], reverse=True)][:_EARLIER]


def _predecessor(ctx: Context, paths: CampaignPaths) -> Predecessor | None:
    """What another campaign tells this one, if it trained and measured the same; None where it cannot be read."""
    with suppress(AutoresearchError, OSError):
        return predecessor_of(paths, ctx.campaign, ctx.survey)
    return None


def predecessor_of(paths: CampaignPaths, campaign: CampaignConfig, survey: Survey) -> Predecessor | None:
    """What another campaign tells this one; None where it has not begun, or trained or measured something else.

    Raises:
        AutoresearchError: It cannot be read.
    """
    history = fold(Journal(paths.journal).read())
    started = history.started
    if not started or not started.objective:
        return None
    other, objective = CampaignConfig.of(dict(started.plan), f"journal of {paths.name}"), started.objective
    if trained(other, objective) != trained(campaign, survey.objective):
        return None
    view = outlook(history, other, StopLimits.load(history.limits), objective, history.last_at)
    board = next_move.board(history, other, objective, view)
    return told_by(paths.name, history, board, survey.facts.values)


def _followed(ctx: Context) -> Predecessor | None:
    """The campaign that this one goes on from, read once by a controller; what it cannot tell is noted once."""
    if not ctx.campaign.follows:
        return None
    if ctx.followed is None:
        found = _predecessor(ctx, Layout(ctx.paths.root).campaign(ctx.campaign.follows))
        ctx.followed = found or Predecessor(name=ctx.campaign.follows)
        if found is None:
            ctx.note_once(f"nothing is taken from {ctx.campaign.follows}: it cannot be read, or measured another thing")
    return ctx.followed


def _with_prior(brief: Brief, followed: Predecessor, noise: Noise, runs: int) -> Brief:
    """With what was tried before and, while nothing was repeated here, how far runs scattered there."""
    told = replace(brief, before=followed.ideas, earlier=told_of(followed))
    if noise.freedom or followed.noise.sigma is None:
        return told
    return replace(
        told,
        noise=max(followed.noise.sigma, brief.noise or 0.0),
        lender=f"{followed.repeats} in {followed.name}, until runs are repeated here",
        smallest=followed.smallest(runs),
    )


def trained(campaign: CampaignConfig, objective: Objective) -> tuple[object, ...]:
    """What a finding is about: target, recipe or script, metric and direction; numbers and seeds in a command aside."""
    said = campaign.command or ()
    program = [_VERSION.sub("", Path(word).name) for word in said[:1]]
    words = (_NUMBER.sub(r"\1", word) for word in said[1:])
    command = (*program, *(word for word in words if word))
    config = campaign.target.options().get("config", "")
    return campaign.target.type, campaign.recipe, config, command, objective.metric, objective.direction


def supplies(campaign: CampaignConfig, root: Path, survey: Survey) -> tuple[Supply, ...]:
    """What each researcher of the file has for the recipe as it is.

    Raises:
        CampaignError: One has options that it cannot work with, such as a list that is not there.
    """
    return tuple(_supply(campaign, root, survey, place) for place in range(len(campaign.researcher)))


def _supply(campaign: CampaignConfig, root: Path, survey: Survey, place: int) -> Supply:
    spec = campaign.researcher[place]
    options = {"root": str(root), "seed": campaign.run.first_seed, **spec.options()}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            one: Researcher = plugins.make("researchers", spec.type, options=options, folder=Path(folder))
        except CampaignError:
            raise
        except AutoresearchError as error:
            return Supply(f"{_REFUSED}: {error}")
    brief = first_brief(campaign, survey)
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
    told = ", then ".join(f"{spec.type} ({one.told})" if one.told else spec.type for spec, one in each)
    asked, known = _asked(campaign), _most(found)
    if asked is None or known is None or not known or known >= asked:
        return told
    return (
        f"{told}; {asked} ideas are asked for and they have {known}: the campaign ends when those are used up; a "
        "search or an agent named after them has more"
    )


def _asked(campaign: CampaignConfig) -> int | None:
    """How many ideas the stop rule counts besides the baseline, None where it counts none."""
    count = campaign.stop_rule.target_experiment_count
    return None if count is None else count - 1


def _most(found: Sequence[Supply]) -> int | None:
    """How many ideas all of them have together, None where one cannot count them."""
    return None if any(one.most is None for one in found) else sum(one.most or 0 for one in found)


def with_knobs(campaign: CampaignConfig, root: Path, target: Target, *, named: bool = False) -> CampaignConfig:
    """With what of a script's settings overrides may turn, where its target was told of none: found, not run.

    Where it is `named` who has ideas, only what no idea may turn is added to what the options say.
    """
    finder, known = plugins.knob_finder(), environment.of_repository(root)
    found = target.find_knobs(root) if isinstance(target, KnobHolder) else ()
    seed = finder.seed_of(found)
    kept = [one for one in found if one is not seed and not known.is_secret(one.name, (one.default, *one.choices))]
    if not kept or (named and not all(one.fixed for one in kept)):
        return campaign
    said = {**campaign.target.model_dump(exclude_unset=True), **finder.offered(kept)}
    return CampaignConfig.of({**campaign.model_dump(exclude_unset=True), "target": said}, "plan")


def with_search(draft: CampaignConfig, root: Path, survey: Survey) -> CampaignConfig:
    """With a search where nobody was named and those who would be asked have too few ideas.

    Alone where they have none for such a recipe; after them where the stop rule counts more ideas than they have, and
    the target says what is worth a search.
    """
    space, found = survey.facts.space or _searchable(survey), supplies(draft, root, survey)
    search = {"type": "search", "knobs": 2, **({} if survey.facts.space else {"space": space})}
    if space and why_none(draft, found):
        return _asking(draft, search)
    asked, known = _asked(draft), _most(found)
    if not survey.facts.space or asked is None or known is None or known >= asked:
        return draft
    joined = _asking(draft, [*(one.model_dump(exclude_unset=True) for one in draft.researcher), search])
    able = not any(one.told.startswith(_REFUSED) for one in supplies(joined, root, survey))
    return joined if able else draft


def _asking(draft: CampaignConfig, researchers: object) -> CampaignConfig:
    return CampaignConfig.of({**draft.model_dump(exclude_unset=True), "researcher": researchers}, "plan")


def _searchable(survey: Survey) -> dict[str, object]:
    """A space over the keys of a configuration file, as far as their names and values tell one."""
    known = [
        ScriptKnob(name=key, place="key", at=key, kind=type(value).__name__, default=value)
        for key, value in survey.facts.values.items()
        if isinstance(value, bool | int | float)
    ]
    return plugins.knob_finder().space_of(known)
