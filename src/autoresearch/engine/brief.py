"""What a researcher is told: bounded, readable by a person, and without raw logs."""

from pathlib import Path

from autoresearch.core.history import Experiment, History
from autoresearch.core.hypothesis import Brief, Tried
from autoresearch.core.metric import Severity, Symptom
from autoresearch.engine.context import Context

_MOST_TRIED = 200
_ORDER = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def brief_for(ctx: Context, index: int, parent: str, tree: Path) -> Brief:
    """The brief for one proposal on top of `parent`, whose worktree is `tree`."""
    survey = ctx.target.survey(tree)
    scope = ctx.campaign.scope
    return Brief(
        campaign=ctx.campaign.campaign,
        index=index,
        objective=ctx.survey.objective,
        stop_sentence=ctx.outlook().stop.sentence,
        recipe=ctx.campaign.recipe,
        parent=parent,
        facts=survey.facts,
        symptoms=symptoms_of(ctx.history, parent),
        tried=tried(ctx.history),
        steering=tuple(said.text for said in ctx.history.steering),
        allow=scope.allow,
        protect=(*survey.protect, *scope.protect),
        protect_keys=(*survey.protect_keys, *scope.protect_keys),
    )


def symptoms_of(history: History, arm: str) -> tuple[Symptom, ...]:
    """Health findings of an arm's runs, each name once, worst first."""
    found: dict[str, Symptom] = {}
    for run in history.runs_of(arm):
        for symptom in run.measurement.symptoms if run.measurement else ():
            found.setdefault(symptom.name, symptom)
    return tuple(sorted(found.values(), key=lambda symptom: _ORDER[symptom.severity]))


def tried(history: History) -> tuple[Tried, ...]:
    """Earlier experiments, oldest first; the oldest are left out beyond a bound."""
    entries = [entry for _, entry in sorted(history.experiments.items()) if entry.committed]
    return tuple(_tried(history, entry) for entry in entries[-_MOST_TRIED:])


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
    )


def brief_text(brief: Brief) -> str:
    """The brief as Markdown, as it is kept beside the experiment."""
    lines = [
        f"# Brief for attempt {brief.index} of {brief.campaign}",
        "",
        f"Objective: {brief.objective.goal}. Judged by `{brief.objective.metric}` ({brief.objective.direction}).",
        f"Recipe: `{brief.recipe}`, starting from **{brief.parent}**.",
        f"Budget: {brief.stop_sentence}.",
        *_section("Symptoms of the parent's runs", [f"{s.name}: {s.evidence}" for s in brief.symptoms]),
        *_section("Already tried", [_tried_line(item) for item in brief.tried]),
        *_section("Steering", list(brief.steering)),
        *_section("May be changed", [f"`{glob}`" for glob in brief.allow]),
        *_section("May not be changed", [f"`{glob}`" for glob in (*brief.protect, *brief.protect_keys)]),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, items: list[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {item}" for item in items)] if items else []


def _tried_line(item: Tried) -> str:
    effect = "" if item.effect is None else f", {item.effect:+.4g}"
    return f"#{item.index} {item.title} ({item.area}{effect}): {item.status or 'running'}"
