"""What a campaign would be: detected from the repository, shown before anything is touched."""

import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from autoresearch.campaign import going_on, preflight, surroundings
from autoresearch.campaign.plan import Plan, PlanRequest
from autoresearch.campaign.surroundings import target_of
from autoresearch.campaign.tracking import trackers_of
from autoresearch.config import campaign_file
from autoresearch.config.duration import span
from autoresearch.config.schema import UPSTREAM, CampaignConfig
from autoresearch.config.site import PLAIN
from autoresearch.config.stop_phrase import describe
from autoresearch.config.stop_rule import DEFAULT, StopRule
from autoresearch.engine import evaluation, guarded_commit, supply
from autoresearch.engine.first_runs import wants_rehearsal
from autoresearch.errors import AutoresearchError, CampaignError, LauncherError, UsageError
from autoresearch.experiment import names
from autoresearch.git import contents, diffs, objects, refs
from autoresearch.git.refs import Changes
from autoresearch.guards.scope import protectable
from autoresearch.guards.search_path import installed_twins
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Adviser, Launcher, WarmAllocation, occupies
from autoresearch.ports.metric_source import sources_of
from autoresearch.ports.policy import Telling
from autoresearch.ports.target import Survey, misspelt_place
from autoresearch.records import mirror, volume
from autoresearch.records.paths import CampaignPaths, Layout
from autoresearch.report.plain_text import span_of
from autoresearch.run.placement import Places, Recommendation, crowded, recommend
from autoresearch.scheduling import overtime
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.run_costs import Cost, cost
from autoresearch.verdict.power import reach

_LONGEST = 1000
"""Bytes of a recipe's path; longer ones no file system takes."""

_TRAITS = ("dapo", "gdpo", "grpo", "ppo", "dpo", "sft", "rm", "distillation")


def make(where: Path, request: PlanRequest, clock: Callable[[], float]) -> Plan:
    """Detect everything and put it into a campaign file that has not been written yet.

    Args:
        where: The directory the person stands in.
        request: What they asked for.
        clock: Unix time in seconds; the campaign's name begins with the date.

    Raises:
        AutoresearchError: Something about repository, recipe, stop rule or flags stands in the way.
    """
    root = refs.root(where)
    refs.head_commit(root)
    document = going_on.gone_on(root, request.settings)
    if request.recipe.endswith(".py") and "target" not in document:
        raise UsageError(f"{request.recipe} is a program, not a recipe: autoresearch init -- python {request.recipe}")
    if request.recipe:
        document["recipe"] = _inside(root, where, request.recipe)
    document |= {} if request.stop is None else {"stop": request.stop}
    if isinstance(document.get("researcher"), list):
        document["researcher"] = [_from_the_top(root, where, one) for one in document["researcher"]]
    upstream = document.get("evaluate") == UPSTREAM and document.pop("evaluate")
    draft = CampaignConfig.of({"campaign": request.name or "draft", **document}, "plan")
    if upstream:
        found = evaluation.offered_by(target_of(draft), root)
        draft = draft.model_copy(update={"evaluate": found})
    preflight.refuse_secrets(draft, root)
    _check_names(draft)
    mirror.refuse(Layout(root).campaign(request.name)) if request.name else None
    draft = supply.with_knobs(draft, root, target_of(draft), named="researcher" in document)
    survey = survey_of(draft, root)
    if survey.unsaid:
        raise CampaignError(survey.unsaid)
    draft = draft if "researcher" in document else supply.with_search(draft, root, survey)
    if "type" not in document.get("launcher", ()):
        draft = _placed(draft, survey)
    draft = _frugal(surroundings.trusting(_sited(draft), document, survey), document, survey)
    name = request.name or _fresh_name(root, survey, datetime.fromtimestamp(clock(), UTC).astimezone())
    return examine(draft.model_copy(update={"campaign": name}), root, survey, clock())


def examine(campaign: CampaignConfig, root: Path, survey: Survey | None = None, now: float | None = None) -> Plan:
    """Everything a person should see before a campaign file is run.

    Args:
        campaign: The file.
        root: The repository.
        survey: What the target says of its recipe; None to ask it.
        now: Unix seconds when it would begin; None for a campaign that has begun.
    """
    preflight.refuse_secrets(campaign, root)
    _check_names(campaign)
    target = target_of(campaign)
    sources_of(target)
    preflight.check_ground(Layout(root).campaign(campaign.campaign))
    survey = survey or survey_of(campaign, root)
    ideas = supply.supplies(campaign, root, survey) if now is not None else ()
    preflight.refuse_endless(campaign, survey) if now is not None else None
    if now is not None and (nobody := supply.why_none(campaign, ideas)):
        raise CampaignError(nobody)
    rule = campaign.stop_rule
    if now is not None or rule.deadline_at is None:
        rule.begin(now or 0.0, objective=survey.objective)
    base, changes, runs = refs.resolve(root, campaign.base), refs.changes(root), _cost(campaign, rule)
    around = preflight.seen_by(campaign)
    runs_first = policy(campaign.verdict.policy).baseline_runs(campaign.settings())
    kept = volume.storage(campaign, root, survey, runs_first)
    return Plan(
        campaign=campaign,
        root=root,
        base_commit=base,
        branch=refs.current_branch(root),
        changes=changes,
        survey=survey,
        rule=rule,
        cost=_told(campaign, runs, rule) + _reach(campaign, rule),
        runs=(runs.least, runs.most),
        offer=surroundings.offered(campaign, target, root, (runs.least, runs.most)),
        rehearsed=wants_rehearsal(campaign, survey, target, plugins.load("launchers", campaign.launcher.type)),
        recommendation=(found := recommend(survey.resources, around)),
        warnings=(*_checkout_warnings(changes, survey, root, base), *survey.warnings,
                  *_rule_warnings(campaign, rule, survey), *_protect_warnings(campaign, survey, root, base),
                  *_launcher_warnings(campaign, survey, around, found, root),
                  *guarded_commit.refused_ideas(root, base, target, ideas),
                  *_tracker_warnings(campaign, root),
                  *kept.reminders, *kept.doubts, *_input_warnings(campaign, survey, root, base)),
        storage=kept,
        researchers=supply.told(campaign, ideas) + going_on.told(root, campaign, survey),
        at=now,
    )  # fmt: skip


def refuse_another(shown: Plan, written: CampaignConfig, paths: CampaignPaths) -> None:
    """Refuse to take a person's yes to one plan for a yes to another.

    Raises:
        CampaignError: What is written is not what was shown.
    """
    if shown.name != paths.name:
        raise CampaignError(f"the plan shown is of {shown.name}, not of {paths.name}; open that one by its name")
    if (written, refs.resolve(paths.root, written.base)) != (shown.campaign, shown.base_commit):
        raise CampaignError(
            f"{paths.campaign_file} or the commit it begins from was changed while its plan was being read; nothing is "
            f"approved: read it again"
        )


def _check_names(campaign: CampaignConfig) -> None:
    """A misspelt policy, launcher or researcher is told before a plan is shown."""
    policy(campaign.verdict.policy)
    plugins.load("launchers", campaign.launcher.type)
    for researcher in campaign.researcher:
        plugins.load("researchers", researcher.type)
    for tracker in campaign.trackers:
        plugins.load("trackers", tracker.type)


def _cost(campaign: CampaignConfig, rule: StopRule) -> Cost:
    """What the policy will want, as far as a count of runs lets it; without a count, for fifty attempts."""
    most = rule.target_run_count
    limited = any(limit is not None for limit in (rule.total_s, rule.deadline_at, rule.gpu_hours, most))
    attempts = rule.target_experiment_count or min(50, most or 50)
    return cost(policy(campaign.verdict.policy), attempts - 1, campaign.settings(), budgeted=limited, most=most)


def _told(campaign: CampaignConfig, runs: Cost, rule: StopRule) -> str:
    judge = policy(campaign.verdict.policy)
    told = f"{span_of(runs.least, runs.most)} runs ({runs.why})"
    counted = rule.target_experiment_count is not None
    how = judge.told(counted=counted) if isinstance(judge, Telling) else ""
    told = told if counted or rule.target_run_count else f"for 50 experiments: {told}"
    return f"{how}; {told}" if how else told


def _reach(campaign: CampaignConfig, rule: StopRule) -> str:
    """What so many runs can prove at all; empty where nothing counts them."""
    most, settings = rule.target_run_count, campaign.settings()
    if most is None or settings.confirm <= 0:
        return ""
    return f"; {reach(most, settings, policy(campaign.verdict.policy).baseline_runs(settings)).told()}"


def _placed(campaign: CampaignConfig, survey: Survey) -> CampaignConfig:
    """Without a launcher asked for, the one recommended, where there is such a launcher."""
    chosen = recommend(survey.resources, preflight.find_places()).launcher
    if not chosen or chosen not in plugins.names("launchers"):
        return campaign
    return campaign.model_copy(update={"launcher": campaign.launcher.model_copy(update={"type": chosen})})


def _sited(campaign: CampaignConfig) -> CampaignConfig:
    """A volume that was found is written into the file, so that a person sees it there."""
    chosen = volume.choose(campaign).type
    if chosen == PLAIN:
        return campaign
    return campaign.model_copy(update={"site": campaign.site.model_copy(update={"type": chosen})})


def _frugal(campaign: CampaignConfig, said: Mapping[str, Any], survey: Survey) -> CampaignConfig:
    """Where runs save weights, what is kept of them and how much room they need; what a person said of it stands."""
    run = said.get("run", {})
    if survey.saves is None or not isinstance(run, Mapping):
        return campaign
    room = math.ceil(max(survey.saves.run_gb * campaign.launcher.parallel, campaign.run.min_free_gb))
    found = {"checkpoints": "kept", "min_free_gb": float(room)}
    update = {key: value for key, value in found.items() if key not in run}
    return campaign.model_copy(update={"run": campaign.run.model_copy(update=update)})


def schema() -> dict[str, Any]:
    """The campaign file as a JSON Schema for editors, with the adapters that are installed here."""
    return campaign_file.schema({kind: plugins.names(room) for kind, room in campaign_file.ROOMS.items()})


def survey_of(campaign: CampaignConfig, tree: Path) -> Survey:
    """Ask the campaign's target about the recipe in a tree."""
    return target_of(campaign).survey(tree)


def _inside(root: Path, where: Path, recipe: str) -> str:
    if len(os.fsencode(recipe)) > _LONGEST or "\0" in recipe:
        raise CampaignError(f"{recipe[:60]!r}... is not a path of a recipe; name a YAML file in the repository")
    for candidate in ((where / recipe), (root / recipe)):
        path = candidate.resolve()
        if path.is_file():
            if not path.is_relative_to(root.resolve()):
                raise UsageError(f"recipe {recipe} lies outside the repository {root}; copy it in and commit it")
            return str(path.relative_to(root.resolve()))
    hint = f"; did you mean {', '.join(near)}?" if (near := _alike(root, recipe)) else ""
    raise CampaignError(f"recipe {recipe} does not exist in {root}{hint}")


def _from_the_top(root: Path, where: Path, researcher: Any) -> Any:
    """A researcher whose `path` is named from where the person stands, as a recipe may be, told from the top."""
    named = researcher.get("path") if isinstance(researcher, Mapping) else None
    there, top = where.resolve(), root.resolve()
    if not isinstance(named, str) or there == top or not (there / named).is_file():
        return researcher
    return {**researcher, "path": os.path.relpath(there / named, top)}


def _alike(root: Path, recipe: str) -> list[str]:
    """Recipes of the repository that may have been meant, the likeliest first."""
    beside = (root / recipe).parent
    found = {*root.glob("examples/**/*.yaml"), *(beside.glob("*.yaml") if beside.is_relative_to(root) else ())}
    by_name: dict[str, list[str]] = {}
    for path in sorted(found):
        by_name.setdefault(path.stem.lower(), []).append(str(path.relative_to(root)))
    close = get_close_matches(Path(recipe).stem.lower(), by_name, n=3, cutoff=0.6)
    return [path for name in close for path in by_name[name]][:3]


def _fresh_name(root: Path, survey: Survey, now: datetime) -> str:
    algorithm = next((trait for trait in _TRAITS if trait in survey.facts.traits), "campaign")
    model = str(
        survey.facts.values.get("policy.model_name", "") or Path(survey.lineage[0]).stem if survey.lineage else ""
    )
    name = names.campaign_name(now.date(), algorithm, model.rsplit("/", 1)[-1])
    taken = {found.campaign for branch in refs.branches(root) if (found := names.parse_branch(branch))}
    taken |= {*mirror.names(root), *(paths.name for paths in Layout(root).folders())}
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, 10_000))) if one not in taken)


def _checkout_warnings(changes: Changes, survey: Survey, root: Path, base: str) -> tuple[str, ...]:
    """R19: the user's own unfinished work is named, left alone, and never silently part of a run."""
    dirty = {*changes.staged, *changes.unstaged, *changes.conflicted, *changes.untracked}
    held = refs.committed(root, base, survey.lineage)
    absent, ours = preflight.find_uncommitted(base, survey.lineage, held), sorted(dirty & held)
    told = f"uncommitted changes in {', '.join(ours)} are not part of the campaign: it starts from the commit"
    return (*((f"`run` will refuse to begin: {absent}",) if absent else ()), *((told,) if ours else ()))


def _both_here(launcher: Launcher, recommended: str) -> bool:
    """Whether another launcher than the recommended one runs on this machine as well, as one from a package may."""
    return occupies(launcher) and occupies(plugins.load("launchers", recommended))


def _launcher_warnings(
    campaign: CampaignConfig, survey: Survey, around: Places, found: Recommendation, root: Path
) -> tuple[str, ...]:
    """What speaks against the launcher: its own options, this machine, another that suits better; and what it holds."""
    kind, folder = campaign.launcher.type, Layout(root).campaign(campaign.campaign).folder
    try:
        launcher: Launcher = plugins.make("launchers", kind, options=campaign.launcher.options(), folder=folder)
    except LauncherError as error:
        return (f"`run` will refuse the launcher: {error}",)
    if unsafe := preflight.sandbox_refusal(campaign, launcher, survey):
        told = f"`run` will refuse to begin: {unsafe}"
    elif problem := preflight.why_refused(launcher, survey, around):
        told = f"launcher {kind} would be refused: {problem}"
    elif problem := preflight.too_long(campaign, launcher, survey):
        told = f"`run` will refuse to begin: {problem}"
    elif found.launcher and found.launcher != kind and not _both_here(launcher, found.launcher):
        told = f"launcher {found.launcher} would suit better: {found.why}"
    elif not found.launcher and occupies(launcher):
        told = f"say where to run with --launcher: {found.why}"
    else:
        told = crowded(survey.resources, around, campaign.launcher.parallel) if occupies(launcher) else ""
    asked = launcher.warnings(survey.resources, root) if isinstance(launcher, Adviser) else ()
    held = launcher.offer(survey.resources) if isinstance(launcher, WarmAllocation) else ""
    why = "" if unsafe else preflight.why_unsafe(campaign, launcher, survey)
    open_ = f"runs are not contained, they can write and reach whatever this account can: {why}" if why else ""
    twins = installed_twins(root, campaign.base, survey.command, {**os.environ, **campaign.run.env})
    seen = (*asked, *twins) if occupies(launcher) else asked
    return tuple(filter(None, (told, *seen, held, open_, "" if unsafe or why else preflight.unseen(campaign))))


def _tracker_warnings(campaign: CampaignConfig, root: Path) -> tuple[str, ...]:
    """What each tracker says to its options, such as that its package is not installed."""
    found = []
    for make in trackers_of(campaign, Layout(root).campaign(campaign.campaign)).values():
        try:
            make()
        except AutoresearchError as error:
            found.append(f"`run` will refuse the tracker: {error}")
    return tuple(found)


def _input_warnings(campaign: CampaignConfig, survey: Survey, root: Path, base: str) -> tuple[str, ...]:
    absent, far = preflight.missing(campaign, root, survey.inputs), preflight.elsewhere(campaign, survey.inputs)
    told = (f"`run` will refuse to begin: {absent}" if absent else "", far, _ignored(survey, root, base))
    return tuple(filter(None, told))


def _ignored(survey: Survey, root: Path, base: str) -> str:
    """Data that git ignores and a run would miss, with the cure; empty where there are none."""
    here = contents.only_here(root, base, survey.named)[:5]
    told = (
        "named by the script, in your checkout, but not in the commit, so no run sees it; commit it, or have it linked"
    )
    cure = f"target.inputs={{{', '.join(f'{path}: {root / path}' for path in here)}}}"
    return f"{', '.join(here)}: {told} into each run: --set target.start_in=folder --set '{cure}'" if here else ""


def _protect_warnings(campaign: CampaignConfig, survey: Survey, root: Path, base: str) -> tuple[str, ...]:
    """Says when an idea may edit all that measures it, and what might be worth protecting.

    Raises:
        CampaignError: The evaluation is not in the base commit.
    """
    words = campaign.evaluate.command if campaign.evaluate else ()
    if wrong := misspelt_place(words, ("{folder}", "{evaluation}", "{seed}", "{step}")):
        raise CampaignError(f"evaluate.command {wrong}")
    files = objects.files_of(root, base)
    for word in words:
        if word.endswith((".py", ".sh")) and "{" not in word and not word.startswith("/") and word not in files:
            raise CampaignError(
                f"evaluate.command names {word}, which commit {base[:7]} does not have; commit it first"
            )
    if survey.protect or campaign.scope.protect:
        return ()
    found = protectable(survey.command, {*files} - {*survey.turned}, diffs.named_in(root, base, survey.command))
    told = f"; candidates: --set 'target.protect=[{', '.join(found)}]'" if found else ""
    kept = ", and is kept on its own runs' word (verdict.unverified: keep)" if surroundings.trusts(campaign) else ""
    return (f"nothing is protected: an idea may edit the script and the data that measure it{kept}{told}",)


def _rule_warnings(campaign: CampaignConfig, rule: StopRule, survey: Survey) -> tuple[str, ...]:
    found = []
    if campaign.stop is None:
        found.append(f"no stop rule given: {describe(DEFAULT)} (the baseline and three low-risk experiments)")
    cap, minutes = rule.per_experiment_timeout_s, survey.minutes
    if cap is not None and minutes is not None and minutes * 60 > cap:
        cut = overtime.cut(survey, cap / 60)
        found.append(f"a run may take {span(minutes * 60)} but is capped at {span(cap)}: it may be cut{cut}")
    elif minutes is not None and overtime.whole(survey) > minutes + 1:
        cut = overtime.cut(survey, minutes)
        found.append(f"the recipe's own time limit ends a run within {span(minutes * 60)}: it may be cut{cut}")
    if cap is None and minutes is not None and rule.total_s is not None and minutes * 60 > rule.total_s:
        found.append(
            f"a run may take {span(minutes * 60)}, longer than the whole campaign: none would be started; "
            "give each a limit, as in '10h total, 1h each'"
        )
    if campaign.scope.subject:
        runs = policy(campaign.verdict.policy).baseline_runs(campaign.settings())
        found.append(
            f"an idea that changes what measures (scope.subject: {', '.join(campaign.scope.subject)}) is compared with "
            f"its parent and the baseline measured again with it; that takes {runs} to {3 * runs} runs for each such "
            "idea, and none of them becomes the incumbent"
        )
    if survey.plumbing:
        found.append(f"plumbing only, such runs are too small to judge an idea: {survey.plumbing}")
    return tuple(found)
