"""Where a campaign's runs take place: its target made for its launcher, and the environment that it freezes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from autoresearch.config.schema import UPSTREAM, CampaignConfig, EvaluateConfig
from autoresearch.errors import AutoresearchError, CampaignError
from autoresearch.experiment.events import BaseSurvey, CampaignStarted
from autoresearch.experiment.history import History
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Packager, Placer, Requeuer
from autoresearch.ports.target import Evaluator, Imaged, Resuming, Settled, Survey, Target
from autoresearch.run.placement import RunEnvironment, differences, lines, why_not

NOTE = "environment"
"""The detail of a note that holds what took the place of a frozen environment, or was told of it."""


def target_of(campaign: CampaignConfig) -> Target:
    """The campaign's target, made with what the file says."""
    said = campaign.made_of()
    target: Target = plugins.make("targets", said.pop("name"), **said)
    kind = plugins.load("launchers", campaign.launcher.type) if isinstance(target, (Imaged, Resuming)) else None
    if isinstance(target, Imaged) and isinstance(kind, Packager):
        target.in_image = kind.in_image(campaign.launcher.options())
    if isinstance(target, Resuming) and isinstance(kind, Requeuer):
        target.resumes = kind.requeues(campaign.launcher.options())
    return target


def settled_target(campaign: CampaignConfig, history: History | None) -> Target:
    """The same, making jobs as the campaign began, where it has."""
    target, started = target_of(campaign), history.started if history else None
    if isinstance(target, Settled) and history and started:
        frugal = CampaignConfig.of(dict(started.plan), campaign.campaign).run.checkpoints == "kept"
        target.settle(frozen(history), frugal=frugal)
    return target


def around(campaign: CampaignConfig, survey: Survey) -> RunEnvironment | None:
    """What runs find around them: what the target says, at the place that the launcher's options name."""
    kind = plugins.load("launchers", campaign.launcher.type)
    place = kind.place(campaign.launcher.options()) if isinstance(kind, Placer) else {}
    return replace(survey.environment, place=place) if survey.environment else None


def seen(survey: Survey, campaign: CampaignConfig) -> BaseSurvey:
    """What is frozen of a survey for whoever reads the journal."""
    held = bool(survey.protect or campaign.scope.protect or campaign.evaluate)
    found = around(campaign, survey)
    return BaseSurvey(
        lineage=survey.lineage, minutes=survey.minutes, gpus=survey.resources.gpus, protected=held, environment=found
    )


def trusting(campaign: CampaignConfig, said: Mapping[str, Any], survey: Survey) -> CampaignConfig:
    """Where nothing is protected no number is out of an idea's reach: that it counts is written for a person to read.

    Args:
        campaign: A file that is being made.
        said: What a person asked for; where they said it themselves, that stands.
        survey: The recipe.
    """
    asked = said.get("verdict", {})
    if seen(survey, campaign).protected or not isinstance(asked, Mapping) or "unverified" in asked:
        return campaign
    return campaign.model_copy(update={"verdict": campaign.verdict.model_copy(update={"unverified": "keep"})})


def trusts(campaign: CampaignConfig) -> bool:
    """Whether changed code is kept on the word of its own runs."""
    return campaign.evaluate is None and campaign.verdict.unverified == "keep"


_LONGEST = 240
"""Letters of an evaluation's command that a plan shows."""


def offered(campaign: CampaignConfig, target: Target, root: Path, runs: tuple[int, int]) -> str:
    """What the evaluation by the target's own project would be and cost, where the file has none and it can be had."""
    if campaign.evaluate is not None or not isinstance(target, Evaluator):
        return ""
    from autoresearch.engine.evaluation import offered_by  # noqa: PLC0415 - whoever only looks needs no engine

    try:
        found = offered_by(target, root)
    except AutoresearchError:
        return ""
    other = ", whose number is another measure and counts alone" if found.alone else ""
    return f"{target.name} can have one{other}: plan --set evaluate={UPSTREAM}; {_cost(found, runs)}"


def _cost(settings: EvaluateConfig, runs: tuple[int, int]) -> str:
    """What evaluations take at most, in words."""
    whose = "run" if settings.when == "always" else "run on a fresh seed"
    most = f", {runs[1]} runs at most" if settings.when == "always" else ""
    gpus = f" of {settings.gpus} GPU{'s' * (settings.gpus != 1)}" if settings.gpus else ""
    return f"it takes up to {settings.minutes:g} minutes{gpus} for each {whose}{most}, and counts towards the budget"


def told_of_evaluation(campaign: CampaignConfig, base: str, runs: tuple[int, int], offer: str) -> str:
    """Who measures: a program of the base commit and what that costs, or the run itself and what follows of it."""
    settings = campaign.evaluate
    if settings is None:
        whose = "is kept as unverified" if trusts(campaign) else "waits for a person's word"
        told = "none of its own: the number of a run is what the run says"
        told = f"{told}; changed code whose gain nothing else vouches for {whose} (verdict.unverified)"
        return f"{told}. {offer}" if offer else told
    left = "every run leaves" if settings.when == "always" else "runs on fresh seeds leave"
    command = " ".join(" ".join(settings.command).split())
    command = command if len(command) <= _LONGEST else f"{command[:_LONGEST]} ... (whole in the campaign file)"
    own = f"; its number, {settings.metric or 'the metric'}, counts in place of the run's own" if settings.alone else ""
    return f"{command}, at {base[:7]}, on what {left}{own}; {_cost(settings, runs)}"


def rows(campaign: CampaignConfig, survey: Survey) -> Iterator[tuple[str, str]]:
    """The environment as rows of a plan."""
    found = around(campaign, survey)
    yield from (("" if number else "environment", line) for number, line in enumerate(lines(found) if found else ()))


def frozen(history: History) -> RunEnvironment | None:
    """What a campaign froze, as it was corrected since with its launcher; None in journals of earlier versions."""
    noted = next((note.details[NOTE] for note in reversed(history.notes) if NOTE in note.details), "")
    if noted:
        said = json.loads(noted)
        return RunEnvironment(**{**said, "refused": tuple(said.get("refused", ()))})
    return of(history.started)


def of(started: CampaignStarted | None) -> RunEnvironment | None:
    """What the first event holds."""
    return started.survey.environment if started and started.survey else None


def compared(
    campaign: CampaignConfig, history: History, survey: Survey, target: Target, *, corrected: bool
) -> tuple[str, RunEnvironment | None]:
    """What differs here from what was frozen, in words, and what takes its place where the launcher was corrected.

    Args:
        campaign: The campaign, with its launcher as it is now.
        history: Its replay.
        survey: Its base commit as it is found here.
        target: Makes its jobs, from now on with what takes the place of what was frozen.
        corrected: Whether its launcher was corrected just now, before any run was taken.

    Raises:
        CampaignError: Runs cannot go on as frozen.
    """
    before, now = frozen(history), around(campaign, survey)
    if before is None or now is None:
        return "", None
    if corrected and before.place != now.place:
        target.settle(now, frugal=True) if isinstance(target, Settled) else None
        return f"the place of runs is corrected with the launcher: {next(lines(now))}", now
    seen = Path(before.python.get("UV_PROJECT_ENVIRONMENT", "")).is_dir()
    if why := why_not(before, now, seen=seen):
        raise CampaignError(f"{why}; nothing was started")
    found = "; ".join(differences(before, now))
    return (f"runs go on in the environment that the campaign froze: {found}" if found else ""), None


def dump(found: RunEnvironment) -> str:
    """As a note keeps it."""
    return json.dumps(asdict(found))
