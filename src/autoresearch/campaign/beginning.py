"""Writes a plan, begins it, or goes on with it: adapters by name, and the engine's context made of them."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from autoresearch.campaign import planning, preflight, surroundings
from autoresearch.campaign.opening import Opened, as_begun, redactor
from autoresearch.campaign.plan import Plan, as_noted, correction
from autoresearch.campaign.surroundings import settled_target, target_of
from autoresearch.campaign.tracking import call, trackers_of
from autoresearch.config import campaign_file
from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.engine.context import Context
from autoresearch.errors import CampaignError
from autoresearch.experiment.events import CampaignStarted
from autoresearch.git import refs, worktree
from autoresearch.machine import disk
from autoresearch.ports import metric_source, plugins
from autoresearch.ports.launcher import Launcher
from autoresearch.ports.researcher import Joiner, Researcher
from autoresearch.ports.target import Survey, Target
from autoresearch.records import finding, mirror, volume
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import EXCLUDED, CampaignPaths, Layout
from autoresearch.records.session_folder import SessionMemory
from autoresearch.records.volume import reminders
from autoresearch.run.placement import recommend
from autoresearch.scheduling import overtime
from autoresearch.verdict.policies import policy


def write(plan: Plan, agent: str = "", notes: Mapping[str, str] | None = None) -> Path:
    """Write a plan's campaign file and return its path; an existing one is never overwritten."""
    paths = Layout(plan.root).campaign(plan.campaign.campaign)
    finding.refuse_taken(plan.root, paths.name)
    refs.exclude(plan.root, EXCLUDED)
    paths.proposal.unlink(missing_ok=True)
    disk.replace(paths.proposal, f"{agent}\n") if agent else None
    schema = Layout(plan.root).schema
    disk.replace(schema, f"{json.dumps(planning.schema(), indent=2)}\n")
    campaign_file.write(paths.campaign_file, plan.campaign, os.path.relpath(schema, paths.folder), notes)
    if agent:  # who plans by hand is there to read it
        waits = f"{agent} has planned {paths.name}, which waits for you to read and approve it"
        call(plan.campaign, paths, f"{waits}: autoresearch run --campaign {paths.name}")
    return paths.campaign_file


def begin_campaign(opened: Opened, approved_by: str, clock: Callable[[], float], proof: str = "") -> None:
    """Freeze the plan: the base commit as a hash, the site as it was found, the stop rule as absolute values.

    Raises:
        AutoresearchError: Something in it cannot be carried out; then nothing is frozen and the file can be mended.
    """
    paths, campaign = opened.paths, opened.campaign
    policy(campaign.verdict.policy)
    launcher = launcher_of(campaign, paths)
    _researchers(campaign, paths)
    preflight.refuse_secrets(campaign, paths.root)
    for make in trackers_of(campaign, paths).values():
        make()
    preflight.check_ground(paths)
    mirror.refuse(paths)
    preflight.check_branch(paths)
    refs.exclude(paths.root, EXCLUDED)
    base = refs.resolve(paths.root, campaign.base)
    frozen = campaign.model_copy(update={"base": base, "site": volume.site_of_journal(campaign)})
    volume.check(volume.with_site(paths, frozen), frozen)
    now = clock()
    preflight.check_recipe(paths.root, base, campaign.recipe)
    target = target_of(frozen)
    metric_source.sources_of(target)
    survey = _survey_at(target, paths, base)
    if why := preflight.sandbox_refusal(campaign, launcher, survey) or preflight.too_long(campaign, launcher, survey):
        raise CampaignError(f"{why}; nothing was begun")
    around = preflight.seen_by(campaign)
    if problem := preflight.why_refused(launcher, survey, around):
        found = recommend(survey.resources, around)
        advice = f"recommended is {found.launcher}" if found.launcher else found.why
        others = f"name another under `launcher:` in the campaign file ({advice})"
        suits = found.launcher == campaign.launcher.type
        told = f"launcher {campaign.launcher.type} is refused: {problem}"
        raise CampaignError(f"{told}; {'nothing was begun' if suits else others}")
    preflight.check(campaign, paths.root, survey)
    volume.check_room(volume.with_site(paths, frozen), campaign, survey)
    objective = survey.objective
    limits = campaign.stop_rule.begin(now, objective=objective).plain()
    plan = frozen.model_dump(mode="json")
    volume.claim_volume(volume.with_site(paths, frozen))
    event = CampaignStarted(
        at=now,
        campaign=campaign.campaign,
        base_commit=base,
        approved_by=approved_by,
        limits=limits,
        plan=plan,
        objective=objective,
        survey=surroundings.seen(survey, campaign),
        proof=proof,
    )
    opened.journal.append(event)
    opened.history.apply(event)


def _survey_at(target: Target, paths: CampaignPaths, commit: str) -> Survey:
    """The recipe as it is committed, whatever the user's checkout looks like.

    The first recipe that a target surveys is the one it measures by, so it has to be the base's.
    """
    with worktree.passing(paths.root, paths.worktrees, commit) as tree:
        return target.survey(tree)


def make_context(opened: Opened, clock: Callable[[], float] = time.time, *, proposing: bool = True) -> Context:
    """The engine's context for a campaign that has begun.

    Args:
        opened: The campaign.
        clock: Unix time in seconds.
        proposing: Whether researchers will be asked; whoever only reads can do without them.

    Raises:
        AutoresearchError: An adapter does not exist, refuses its options, or the recipe cannot be read.
    """
    started = opened.history.started
    if started is None:
        raise finding.not_begun(opened.paths)
    plan = CampaignConfig.of(dict(started.plan), f"journal of {opened.paths.name}")
    approved = as_noted(opened.history, plan).launcher
    written = plan.model_copy(update={"launcher": opened.campaign.launcher})
    campaign = as_begun(opened.history, written)
    paths = volume.with_site(opened.paths, campaign)
    target = settled_target(campaign, opened.history)
    survey = _survey_at(target, paths, started.base_commit)
    told = correction(approved, campaign.launcher)
    differs, anew = surroundings.compared(campaign, opened.history, survey, target, corrected=bool(told))
    researchers = _researchers(campaign, paths) if proposing else ()
    context = Context(
        campaign=campaign,
        paths=paths,
        survey=survey,
        limits=StopLimits.load(opened.history.limits),
        policy=policy(campaign.verdict.policy),
        target=target,
        researchers=researchers,
        another=partial(_one_more, campaign, paths, researchers),
        editors=_editors(campaign),
        launcher=launcher_of(campaign, paths),
        sources=metric_source.sources_of(target),
        journal=opened.journal,
        ledger=Ledger(paths.ledger),
        memory=SessionMemory.open(paths.sessions, campaign.campaign, clock(), redactor(paths.root)),
        redactor=redactor(paths.root),
        clock=clock,
        look=partial(preflight.seen_by, campaign),
        history=opened.history,
        heard=opened.heard,
    )
    context.hear()
    if differs and all(note.text != differs for note in context.history.notes):
        context.note(differs, **({surroundings.NOTE: surroundings.dump(anew)} if anew else {}))
    if told:
        preflight.refuse_secrets(campaign, paths.root)
        context.note(told, launcher=campaign.launcher.model_dump_json())
    if not paths.campaign_file.exists():
        campaign_file.write(paths.campaign_file, written)
        context.note(f"{paths.campaign_file} was gone and is written again as the journal has it")
    return context


def launcher_of(campaign: CampaignConfig, paths: CampaignPaths) -> Launcher:
    """The campaign's launcher, made with its own options."""
    launcher: Launcher = plugins.make(
        "launchers", campaign.launcher.type, options=campaign.launcher.options(), folder=paths.folder
    )
    return launcher


def _researchers(campaign: CampaignConfig, paths: CampaignPaths) -> tuple[Researcher, ...]:
    return tuple(_researcher(campaign, paths, name) for name in _names(campaign))


def _one_more(campaign: CampaignConfig, paths: CampaignPaths, first: Sequence[Researcher], name: str) -> Researcher:
    """Make one more of the researchers of a name, which counts together with the first."""
    one = _researcher(campaign, paths, name)
    if isinstance(one, Joiner):
        one.join(next((other for other in first if other.name == name), None))
    return one


def _researcher(campaign: CampaignConfig, paths: CampaignPaths, name: str) -> Researcher:
    """Make the researcher of a name; each time another one, in the same folder."""
    number = _names(campaign).index(name)
    spec = campaign.researcher[number]
    options = {"root": str(paths.root), "seed": campaign.run.first_seed, **spec.options()}
    one: Researcher = plugins.make(
        "researchers", spec.type, options=options, folder=paths.scratch(f"{number}-{spec.type}")
    )
    one.name = name
    return one


def _names(campaign: CampaignConfig) -> tuple[str, ...]:
    """What rows, shares and limits know each researcher by: its own name, and a number where there are several."""
    kinds = [str(plugins.load("researchers", spec.type).name) for spec in campaign.researcher]
    earlier = [kinds[:place].count(kind) for place, kind in enumerate(kinds)]
    return tuple(f"{kind}-{count + 1}" if count else kind for kind, count in zip(kinds, earlier, strict=True))


def _editors(campaign: CampaignConfig) -> frozenset[str]:
    """Researchers that edit the worktree themselves, by name."""
    named = zip(campaign.researcher, _names(campaign), strict=True)
    return frozenset(name for spec, name in named if plugins.load("researchers", spec.type).edits)


def refuse_numberless(plan: Plan, *, anyway: bool) -> None:
    """Refuse a plan whose runs end before they have a number, unless a person wants it anyway.

    Raises:
        CampaignError: Nobody does; it says what length would do.
    """
    if not anyway and (why := overtime.numberless(plan.survey, plan.rule.per_experiment_timeout_s)):
        raise CampaignError(f"not written: {why}; to have it as it is, add --anyway")


def note_missing_secrets(context: Context) -> None:
    """Note what the secret store lacks, where the rules of a Brev machine hold (R200)."""
    if context.paths.volume:
        for line in reminders(context.paths.root, context.survey.facts.values):
            context.note(line)
