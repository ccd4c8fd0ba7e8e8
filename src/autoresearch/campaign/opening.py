"""Opens a campaign: its files, its adapters by name, and the engine's context made of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoresearch.campaign import preflight, surroundings
from autoresearch.campaign.plan import Plan, as_noted, corrected, correction
from autoresearch.campaign.surroundings import settled_target, target_of
from autoresearch.campaign.tracking import trackers_of
from autoresearch.config import campaign_file
from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.engine.context import Context
from autoresearch.errors import CampaignError, LedgerError
from autoresearch.experiment.events import CampaignStarted, Noted
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History, fold
from autoresearch.git import refs, worktree
from autoresearch.ports import metric_source, plugins
from autoresearch.ports.launcher import Launcher
from autoresearch.ports.researcher import Researcher
from autoresearch.ports.target import Survey, Target
from autoresearch.records import mirror, volume
from autoresearch.records.journal import Journal
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import EXCLUDED, CampaignPaths, Layout
from autoresearch.records.session_folder import SessionMemory
from autoresearch.records.volume import reminders
from autoresearch.run.placement import recommend
from autoresearch.scheduling import overtime
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor
from autoresearch.verdict.policies import policy


@dataclass(frozen=True)
class Opened:
    """A campaign's files, read; nothing is held and nothing is written.

    Attributes:
        paths: Where its things lie.
        campaign: Its file; the frozen one once it has started.
        journal: Its events.
        history: Their replay.
        heard: Bytes of the journal that `history` has taken in.
    """

    paths: CampaignPaths
    campaign: CampaignConfig
    journal: Journal
    history: History
    heard: int

    @property
    def limits(self) -> StopLimits | None:
        """The stop rule in absolute values, None before the start."""
        return StopLimits.load(self.history.limits) if self.history.started else None

    def experiment(self, index: int) -> Experiment:
        """One attempt.

        Raises:
            CampaignError: There is none of that number; the text says which there are.
        """
        found = self.history.experiments.get(index)
        if found is None:
            most = max(self.history.experiments, default=0)
            there = (f"it has 1 to {most}" if most > 1 else "it has only 1") if most else "it has none yet"
            raise CampaignError(f"there is no experiment {index} in {self.paths.name}; {there}")
        return found


def find_layout(where: Path) -> Layout:
    """The repository a person stands in."""
    return Layout(refs.root(where))


def refuse_taken(where: Path, name: str) -> None:
    """Refuse the name of a campaign that is there: its file is never overwritten.

    Raises:
        CampaignError: It has a file.
    """
    paths = find_layout(where).campaign(name)
    if paths.campaign_file.exists():
        raise CampaignError(f"{paths.campaign_file} exists already; edit it, or give the new one another --name")


def names(where: Layout) -> list[str]:
    """Campaigns of a repository, the one worked on last first; one that has begun needs its file no more."""
    found = [paths for paths in where.folders() if paths.campaign_file.exists() or _holds_plan(paths.journal)]
    return [paths.name for paths in sorted(found, key=_touched, reverse=True)]


def _touched(paths: CampaignPaths) -> tuple[float, str]:
    return ((paths.journal if paths.journal.exists() else paths.campaign_file).stat().st_mtime, paths.name)


def _holds_plan(journal: Path) -> bool:
    if not journal.exists():
        return False
    with journal.open("rb") as source:
        return b'"kind":"campaign_started"' in source.readline()


def open_campaign(where: Path, name: str | None = None) -> Opened:
    """Read a campaign; without a name the one worked on last.

    Raises:
        CampaignError: There is none, or none of that name, or its file was edited after it had started.
        LedgerError: Its journal is damaged.
    """
    paths = find(where, name)
    journal = Journal(paths.journal)
    events, heard = journal.tail(0)
    history = fold(events)
    campaign = _frozen(history, paths)
    return Opened(volume.with_site(paths, campaign), _as_begun(history, campaign), journal, history, heard)


def find(where: Path, name: str | None = None) -> CampaignPaths:
    """Where a campaign lies, without reading it; without a name the one worked on last.

    Raises:
        CampaignError: There is none, or none of that name.
    """
    place = find_layout(where)
    known = names(place)
    if name is None and not known:
        raise CampaignError(f"no campaign in {place.root} yet; {_how(place, name)}")
    if name is not None and name not in known:
        told = ", ".join(known) or "none"
        raise CampaignError(f"there is no campaign {name!r} in {place.root}; known: {told}{_how(place, name, '; ')}")
    return place.campaign(name or known[0])


def _how(place: Layout, name: str | None, then: str = "") -> str:
    """What to do where there is no campaign: go on with one of which git has a copy, or plan one."""
    copied = [one for one in mirror.names(place.root) if name in (None, one)]
    if copied:
        return (
            f"{then}git has a copy of {copied[0]}; bring its records back with: autoresearch ledger rebuild "
            f"--campaign {copied[0]}, or go on with it: autoresearch run --campaign {copied[0]}"
        )
    return "" if then else "write one with: autoresearch init -- COMMAND, or: autoresearch plan RECIPE"


def copied(where: Path) -> list[str]:
    """Campaigns of which nothing but the copy in git is there, the newest first; `bring_back` writes them anew."""
    place = find_layout(where)
    known = names(place)
    return [name for name in mirror.names(place.root) if name not in known]


def refuse_copied(where: Path, name: str) -> None:
    """Refuse a new campaign the name of one of which git has a copy.

    Raises:
        CampaignError: It has.
    """
    mirror.refuse(find_layout(where).campaign(name))


def bring_back(where: Path, name: str | None) -> None:
    """Write a campaign's files anew from their copy in git, where somebody removed them."""
    place = find_layout(where)
    known = names(place)
    lost = (
        name
        if name is not None and name not in known
        else None
        if known
        else next(iter(mirror.names(place.root)), None)
    )
    if lost and mirror.restore(place.campaign(lost)):
        refs.exclude(place.root, EXCLUDED)
        told = "the files of this campaign were gone and were written anew from their copy in git; logs are gone"
        Journal(place.campaign(lost).journal).append(Noted(at=time.time(), text=told))


def _frozen(history: History, paths: CampaignPaths) -> CampaignConfig:
    """The campaign file, or once it has begun the plan in the journal, which the file may not contradict."""
    if history.started is None:
        mirror.refuse_lost(paths)
        written = campaign_file.read(paths.campaign_file)
        if written.campaign != paths.name:
            raise CampaignError(
                f"{paths.campaign_file} calls itself {written.campaign!r}; rename the folder or the campaign"
            )
        return written
    frozen = CampaignConfig.of(dict(history.started.plan), f"journal of {paths.name}")
    if not paths.campaign_file.exists():
        return as_noted(history, frozen)
    written = campaign_file.read(paths.campaign_file)
    frozen = corrected(history, frozen, written)
    if written.model_copy(update={"base": frozen.base, "site": _site_as(written, frozen)}) != frozen:
        raise CampaignError(
            f"{paths.campaign_file} was edited after the campaign had started, and a started plan is frozen; undo the "
            f"edit (the journal's first line holds the plan), or start a new campaign with: autoresearch plan"
        )
    return frozen


def _as_begun(history: History, campaign: CampaignConfig) -> CampaignConfig:
    """A direction that was found when the campaign began stays, whatever would be found today."""
    objective = history.started.objective if history.started else None
    if objective is None or campaign.objective.direction != "auto":
        return campaign
    pinned = campaign.objective.model_copy(update={"direction": objective.direction.value})
    return campaign.model_copy(update={"objective": pinned})


def _site_as(written: CampaignConfig, frozen: CampaignConfig) -> SiteConfig:
    """The written site with what `begin_campaign` found out for it."""
    found = {"user": written.site.user or frozen.site.user}
    if written.site.type == "auto":
        found["type"] = frozen.site.type
    return written.site.model_copy(update=found)


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


def redactor(root: Path) -> Redactor:
    """Knows the secrets of this environment and of the repository's `.env`."""
    return environment.of_repository(root)


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
        raise LedgerError(f"campaign {opened.paths.name} has not started; start it with: autoresearch run")
    plan = CampaignConfig.of(dict(started.plan), f"journal of {opened.paths.name}")
    approved = as_noted(opened.history, plan).launcher
    written = plan.model_copy(update={"launcher": opened.campaign.launcher})
    campaign = _as_begun(opened.history, written)
    paths = volume.with_site(opened.paths, campaign)
    target = settled_target(campaign, opened.history)
    survey = _survey_at(target, paths, started.base_commit)
    told = correction(approved, campaign.launcher)
    differs, anew = surroundings.compared(campaign, opened.history, survey, target, corrected=bool(told))
    context = Context(
        campaign=campaign,
        paths=paths,
        survey=survey,
        limits=StopLimits.load(opened.history.limits),
        policy=policy(campaign.verdict.policy),
        target=target,
        researchers=_researchers(campaign, paths) if proposing else (),
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
    made: list[Researcher] = []
    for number, (spec, name) in enumerate(zip(campaign.researcher, _names(campaign), strict=True)):
        folder = paths.scratch(f"{number}-{spec.type}")
        options = {"root": str(paths.root), "seed": campaign.run.first_seed, **spec.options()}
        one: Researcher = plugins.make("researchers", spec.type, options=options, folder=folder)
        one.name = name
        made.append(one)
    return tuple(made)


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
