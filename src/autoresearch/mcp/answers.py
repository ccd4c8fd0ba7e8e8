"""What tools answer beyond the values that every surface shows: bounded pages, and a plan with what approves it."""

import functools
import inspect
import math
import os
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import Plan
from autoresearch.campaign.status import CampaignStatus
from autoresearch.config.stop_rule import DEFAULT_WORDS
from autoresearch.errors import AutoresearchError
from autoresearch.experiment.experiment import Experiment, Run, why_no_value
from autoresearch.records.row import INTEGRITY, Row
from autoresearch.version import __version__

MOST = 24_000
"""Characters of the longest page: what a model reads at once without losing the rest of its work."""

_MOST_READ = 1 << 20

RECENT = 20
"""Verdicts in a status."""


@dataclass(frozen=True)
class Page:
    """Text of any length, cut to what a model can read.

    Attributes:
        text: The text, without secrets.
        cut: What was left out, in words; empty for none.
        path: The file that holds all of it, empty when there is none.
    """

    text: str
    cut: str = ""
    path: str = ""


def head(text: str, path: str = "") -> Page:
    """The beginning of a text."""
    left = len(text) - MOST
    return Page(text, path=path) if left <= 0 else Page(text[:MOST], f"the last {left} characters", path)


def cut(page: Page) -> str:
    """A page for whoever reads nothing but text: what was left out is said at its end."""
    return f"{page.text}\n\n[left out: {page.cut}; all of it: {page.path}]\n" if page.cut else page.text


def newest_rows(table: str) -> str:
    """The head of a table, and as many of its newest rows as fit on a page."""
    first, *rows = table.splitlines(keepends=True) or [""]
    room = MOST - len(first)
    shown: list[str] = []
    for row in reversed(rows):
        room -= len(row)
        if room < 0:
            break
        shown.append(row)
    return "".join([first, *reversed(shown)])


def tail(path: Path, lines: int, clean: Callable[[str], str]) -> Page:
    """The last lines of a file that may be large: only its end is read, from the beginning of a line."""
    with path.open("rb") as source:
        begin = max(0, source.seek(0, os.SEEK_END) - _MOST_READ)
        source.seek(begin)
        rest = source.readline(_MOST_READ // 2) if begin else b""
        text = clean(source.read(_MOST_READ).decode("utf-8", "replace"))
    shown = "".join(text.splitlines(keepends=True)[-max(1, lines) :])[-MOST:]
    left = begin + len(rest) + len(text) - len(shown)
    return Page(shown, f"about {left} characters before it" if left else "", str(path))


def recent(status: CampaignStatus) -> CampaignStatus:
    """A status with its newest verdicts and words only; the ledger and the session memory have all of them."""
    return replace(status, verdicts=status.verdicts[-RECENT:], steering=status.steering[-RECENT:])


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A row of the ledger, without what only its file needs.

    `integrity` says whether its numbers may be believed: `sound`, or `unverified` where the code under test could have
    written them, or `contradicted`; empty without any.
    """

    index: int
    branch: str
    commit: str
    status: str
    metric: str
    value: float | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    runs: int
    minutes: float
    description: str
    reason: str
    integrity: str


def attempt(row: Row) -> Attempt:
    """A row as a tool answers it."""
    return Attempt(
        index=row.index,
        branch=row.branch,
        commit=row.commit,
        status=str(row.status),
        metric=row.metric_name,
        value=row.metric_value,
        effect=row.effect,
        effect_low=row.effect_low,
        effect_high=row.effect_high,
        runs=row.runs or 0,
        minutes=round(row.elapsed_min, 2),
        description=row.description,
        reason=row.reason,
        integrity=row.extra.get(INTEGRITY, ""),
    )


@dataclass(frozen=True, kw_only=True)
class RunShown:
    """One run of an experiment.

    Attributes:
        number: Counted from 1 within the experiment.
        purpose: Why it was made.
        seed: Its seed.
        state: How it ended, or that it has not.
        minutes: How long it ran, None while unknown.
        value: Its number, None when there is no valid one.
        integrity: `sound`, `contradicted` or `unverified`; empty while it goes on.
        told: Why there is no number, or what is odd about it.
    """

    number: int
    purpose: str
    seed: int
    state: str
    minutes: float | None
    value: float | None
    integrity: str
    told: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One experiment with its runs and its verdict.

    Attributes:
        index: Its number in the ledger.
        name: Its name.
        title: Its hypothesis.
        area: Its area.
        why: Why it should help.
        source: Who proposed it.
        overrides: Recipe overrides it is made of.
        parent: The arm it is compared against.
        branch: Its branch.
        commit: Its commit.
        files: Files it changes.
        breaches: What the guards found.
        watched: What was to be watched, beside the parent's value.
        verdict: `keep`, `discard` or `crash`; empty while open.
        reason: The verdict in words.
        runs: Its runs, oldest first.
    """

    index: int
    name: str
    title: str
    area: str
    why: str
    source: str
    overrides: tuple[str, ...]
    parent: str
    branch: str
    commit: str
    files: tuple[str, ...]
    breaches: tuple[str, ...]
    watched: tuple[str, ...]
    verdict: str
    reason: str
    runs: tuple[RunShown, ...]


def shown(entry: Experiment, runs: Iterable[Run]) -> Shown:
    """An experiment as a tool answers it."""
    idea, committed, verdict = entry.hypothesis, entry.committed, entry.verdict
    return Shown(
        index=entry.index,
        name=entry.name,
        title=idea.title,
        area=idea.area,
        why=idea.rationale,
        source=idea.source,
        overrides=idea.overrides,
        parent=entry.parent,
        branch=entry.branch,
        commit=entry.commit,
        files=committed.files if committed else (),
        breaches=committed.breaches if committed else (),
        watched=entry.judged.watched if entry.judged else (),
        verdict=str(verdict.status) if verdict else "",
        reason=verdict.reason if verdict else "",
        runs=tuple(_run(run) for run in runs),
    )


def _run(run: Run) -> RunShown:
    found, planned = run.measurement, run.planned
    return RunShown(
        number=planned.number,
        purpose=str(planned.purpose),
        seed=planned.seed,
        state=str(found.completion) if found else "in flight",
        minutes=None if run.wall_s is None else round(run.wall_s / 60, 2),
        value=found.value if found and found.value is not None and math.isfinite(found.value) else None,
        integrity=str(found.integrity.finding) if found else "",
        told=why_no_value(run) or (found.note if found else ""),
    )


@dataclass(frozen=True, kw_only=True)
class PlanShown:
    """What a campaign would be.

    Attributes:
        campaign: Its name.
        metric: What it is judged by.
        direction: `maximize` or `minimize`.
        goal: What it is for.
        command: What one run executes, before per-run injections.
        launcher: Where runs happen.
        policy: How experiments are judged.
        stop: When it ends, in words.
        base_commit: What the baseline is made from.
        gpus: GPUs of one run.
        hours_per_run: Longest expected duration of one run, None when unknown.
        runs: Fewest and most runs of the whole campaign.
        allow: Globs of files an experiment may change.
        protect: Globs of files it may not change.
        protect_keys: Recipe keys it may not change.
        warnings: What a maintainer would point out.
        file: The campaign file that was written, empty when none was.
        approve: What a person does next; no tool can do it.
    """

    campaign: str
    metric: str
    direction: str
    goal: str
    command: tuple[str, ...]
    launcher: str
    policy: str
    stop: str
    base_commit: str
    gpus: int
    hours_per_run: float | None
    runs: tuple[int, int]
    allow: tuple[str, ...]
    protect: tuple[str, ...]
    protect_keys: tuple[str, ...]
    warnings: tuple[str, ...]
    file: str
    approve: str


def plan_shown(plan: Plan, file: str) -> PlanShown:
    """A plan as a tool answers it."""
    campaign, survey = plan.campaign, plan.survey
    words = f"autoresearch approve plan --campaign {campaign.campaign}"
    nothing = "nothing was written; call plan again with write=true, then "
    return PlanShown(
        campaign=campaign.campaign,
        metric=survey.objective.metric,
        direction=str(survey.objective.direction),
        goal=survey.objective.goal,
        command=survey.command,
        launcher=campaign.launcher.type,
        policy=campaign.verdict.policy,
        stop=plan.rule.words or DEFAULT_WORDS,
        base_commit=plan.base_commit,
        gpus=survey.resources.gpus,
        hours_per_run=plan.hours_per_run,
        runs=plan.runs,
        allow=campaign.scope.allow,
        protect=(*survey.protect, *campaign.scope.protect),
        protect_keys=(*survey.protect_keys, *campaign.scope.protect_keys),
        warnings=tuple(plan.warnings),
        file=file,
        approve=f"{'' if file else nothing}a person approves the plan at a terminal with: {words}",
    )


def terse(schema: Any) -> Any:
    """A schema without titles, and with a type's name where it is that or nothing."""
    if isinstance(schema, list):
        return [terse(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if kept.get("default", 0) is None and [one.get("type") for one in kept.get("anyOf", [])][1:] == ["null"]:
        del kept["default"]
        kept = {**kept.pop("anyOf")[0], **kept}
    return {key: terse(value) for key, value in kept.items()}


def progress_line(found: Campaign, index: int) -> str:
    """What is going on, in one line; of several runs, that of the experiment which is asked about."""
    status = found.status()
    if not status.running:
        return next(iter((*status.waiting, *status.held_back)), status.stop)
    name = found.experiment(index).name
    run = next((one for one in status.running if one.experiment == name), status.running[0])
    curve = found.curve(run)
    latest = f", {status.metric} {curve[-1][1]:.4g} @ {curve[-1][0]}" if curve else ""
    more = f", and {len(status.running) - 1} more" if len(status.running) > 1 else ""
    return f"{run.experiment}: {run.purpose} run, seed {run.seed}, {run.state}{latest}{more}"


_LONGEST_LINE = 4000


def plainly(fn: Callable[..., Any], clean: Callable[[str], str], wrong: type[Exception]) -> Callable[..., Any]:
    """The same function, whose failures are one line without secrets."""
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def later(*args: Any, **named: Any) -> Any:
            with _told(clean, wrong):
                return await fn(*args, **named)

        return later

    @functools.wraps(fn)
    def now(*args: Any, **named: Any) -> Any:
        with _told(clean, wrong):
            return fn(*args, **named)

    return now


@contextmanager
def _told(clean: Callable[[str], str], wrong: type[Exception]) -> Iterator[None]:
    try:
        yield
    except AutoresearchError as error:
        raise wrong(_line(clean, str(error))) from None
    except Exception as error:  # noqa: BLE001 - the last door: a client is told of a bug in one line
        kept = _kept(clean(traceback.format_exc()))
        raise wrong(
            _line(clean, f"internal error: {type(error).__name__}: {error}; please report it with {kept}")
        ) from None


def _line(clean: Callable[[str], str], text: str) -> str:
    return " ".join(clean(text).split())[:_LONGEST_LINE]


def _kept(story: str) -> str:
    """Where the full story of a bug lies."""
    with tempfile.NamedTemporaryFile("w", prefix="autoresearch-bug-", suffix=".log", delete=False) as log:
        log.write(f"autoresearch {__version__}, MCP\n\n{story}")
    return log.name
