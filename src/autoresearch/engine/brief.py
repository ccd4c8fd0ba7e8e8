"""What a researcher is told: bounded, readable by a person, and without raw logs."""

from autoresearch.engine.context import Context
from autoresearch.engine.worktrees import survey_of_arm
from autoresearch.experiment.briefing import brief_text
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Brief, Tried
from autoresearch.experiment.plateau import next_area, plateaus
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.scheduling import next_move
from autoresearch.verdict.evidence import Evidence

__all__ = ["brief_for", "brief_text", "symptoms_of", "tried"]

_ORDER = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def brief_for(ctx: Context, index: int, parent: str) -> Brief:
    """The brief for one proposal on top of `parent`."""
    survey = survey_of_arm(ctx, parent)
    scope = ctx.campaign.scope
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
        tried=tried(ctx.history),
        noise=evidence.sigma,
        steering=tuple(said.text for said in ctx.history.steering),
        allow=scope.allow,
        protect=(*survey.protect, *scope.protect),
        protect_keys=(*survey.protect_keys, *scope.protect_keys),
        lineage=survey.lineage,
        max_files=scope.max_files,
        max_lines=scope.max_lines,
        repeats=evidence.noise.freedom,
        smallest=evidence.smallest(parent),
        subject=scope.subject,
        worn=worn,
        next_area=next_area(worn) if worn else "",
        origin=ctx.survey.facts.values,
    )


def symptoms_of(history: History, arm: str) -> tuple[Symptom, ...]:
    """Health findings of an arm's runs, each name once, worst first."""
    found: dict[str, Symptom] = {}
    for run in history.runs_of(arm):
        for symptom in run.measurement.symptoms if run.measurement else ():
            found.setdefault(symptom.name, symptom)
    return tuple(sorted(found.values(), key=lambda symptom: _ORDER[symptom.severity]))


def tried(history: History) -> tuple[Tried, ...]:
    """All earlier experiments, oldest first: who forgets one proposes it again."""
    return tuple(_tried(history, entry) for _, entry in sorted(history.experiments.items()) if entry.committed)


def _tried(history: History, entry: Experiment) -> Tried:
    verdict, committed = entry.verdict, entry.committed
    return Tried(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        overrides=entry.hypothesis.overrides,
        config=committed.config if committed else (),
        status=verdict.status if verdict else "",
        value=history.value_of(entry.name),
        effect=verdict.effect if verdict else None,
        source=entry.hypothesis.source,
        reason=verdict.reason if verdict else "",
        low=verdict.low if verdict else None,
        high=verdict.high if verdict else None,
        files=committed.files if committed else (),
        runs=history.runs_behind(entry.name),
    )
