"""Keeps the session memory current: at every trigger of R154 and R166, and at least every 30 minutes (R167)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from autoresearch.campaign.opening import Opened
from autoresearch.campaign.standing import Reading, reading_of
from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_phrase import describe
from autoresearch.config.stop_rule import DEFAULT_WORDS, StopLimits
from autoresearch.engine.context import Context
from autoresearch.engine.supply import insights_of
from autoresearch.errors import CampaignError, StorageError
from autoresearch.experiment import events as happened
from autoresearch.experiment import names
from autoresearch.experiment.events import Event
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.history import History
from autoresearch.experiment.insights import text as insights_text
from autoresearch.experiment.outcome import Purpose
from autoresearch.git import refs
from autoresearch.machine import disk
from autoresearch.records.cell import clean
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import CampaignPaths
from autoresearch.records.session_folder import SessionMemory
from autoresearch.records.session_memory import Assumption, FileNote, MemoryState, Skill, Step, TimelineEntry
from autoresearch.run.measurement import Objective
from autoresearch.secrets.redactor import Redactor

_RECENT = 12


def remember(ctx: Context, result: str, *, asked: str = "", decision: str = "") -> Path:
    """Write down what is true now, with one entry on the timeline; returns the session's folder."""
    entry = TimelineEntry(asked=asked, decision=decision, result=result)
    ctx.memory.checkpoint(_state(ctx), ctx.clock(), entry)
    return ctx.memory.folder


def remember_read(reading: Reading, redactor: Redactor, result: str, now: float) -> Path:
    """The same from the records alone, by whoever only reads; returns the session's folder."""
    paths = reading.opened.paths
    memory = SessionMemory.open(paths.sessions, paths.name, now, redactor)
    changes = bool(refs.changes(paths.root))
    memory.checkpoint(state_of(reading, now, changes=changes), now, TimelineEntry(result=result))
    return memory.folder


def recall(paths: CampaignPaths, redactor: Redactor) -> str:
    """One bounded page with all that is needed to go on; nothing is made.

    Raises:
        CampaignError: The campaign has no session memory.
    """
    found = SessionMemory.find(paths.sessions, paths.name, redactor)
    if found is None:
        raise CampaignError(
            f"campaign {paths.name} has no session memory in {paths.sessions}; write one with: autoresearch session "
            f"checkpoint"
        )
    return found.recover()


def entry_for(event: Event) -> TimelineEntry | None:
    """What an event adds to the timeline; None for events that are no trigger."""
    match event:
        case happened.ExperimentOpened() if event.by:
            title = event.hypothesis.title if event.hypothesis else event.name
            return TimelineEntry(asked=f"{event.by} opened attempt {event.index} by hand: {title}")
        case happened.ExperimentOpened():
            return TimelineEntry(decision=f"attempt {event.index} starts from {event.parent}; its edit begins")
        case happened.ExperimentAbandoned():
            return TimelineEntry(result=f"attempt {event.index} was given up: {event.reason}")
        case happened.ExperimentRepaired():
            told = f"{event.name} was mended as {event.commit[:7]}: {', '.join(event.files) or 'no file changed'}"
            return TimelineEntry(decision=event.reason, result=told)
        case happened.BundleMade():
            told = event.conflict or f"merged as {event.commit[:7]} on {event.branch}"
            return TimelineEntry(decision=f"{event.name} of {', '.join(event.ideas)} on {event.parent}", result=told)
        case happened.ExperimentCommitted():
            idea = event.hypothesis
            return TimelineEntry(
                context=f"attempt {event.index} from {event.parent}: {', '.join(event.files) or 'no file changed'}",
                decision=f"{idea.area}: {idea.title}. {idea.rationale}".strip(),
                result=f"committed as {event.commit[:7]} on {event.branch}",
            )
        case happened.RunPlanned():
            return TimelineEntry(decision=f"launch {event.run_id} (seed {event.seed}): {event.why or event.purpose}")
        case happened.RunCancelled():
            return TimelineEntry(result=f"{event.run_id} is ended: {event.reason}")
        case happened.RunMeasured():
            found = event.measurement
            number = "no valid value" if found.value is None else f"{found.value:.6g}"
            return TimelineEntry(
                result=f"{event.run_id}: {found.metric} {number}, {found.completion}. {found.note}"[:300]
            )
        case happened.ExperimentJudged():
            return TimelineEntry(result=f"{event.name}: {event.verdict.status}, {event.verdict.reason}")
        case happened.IncumbentDemoted():
            told = f"{event.name} is no longer the incumbent, {event.incumbent} is: {event.reason}"
            return TimelineEntry(result=told)
        case happened.PlateauReached():
            told = f"area {event.area} is at a plateau: {', '.join(event.ideas)} brought no keep"
            return TimelineEntry(result=told, decision=f"look at {event.next_area or 'something bolder'} next")
        case _:
            return _person_or_controller(event)


def _person_or_controller(event: Event) -> TimelineEntry | None:
    match event:
        case happened.Steered():
            return TimelineEntry(asked=event.text, decision="taken into every further brief; the objective stays")
        case happened.VerdictOverruled():
            return TimelineEntry(asked=f"{event.by}: {event.name} is {event.verdict.status}, {event.verdict.reason}")
        case happened.Resumed() if event.limits:
            return TimelineEntry(asked=f"{event.by}: granted more, {event.words}")
        case happened.StopRequested() | happened.Paused() | happened.Resumed():
            return TimelineEntry(asked=f"{event.by}: {event.kind.replace('_', ' ')}")
        case happened.ApprovalAsked():
            return TimelineEntry(decision=f"wait for a person: {event.question}")
        case happened.ApprovalGiven():
            said = f"{'approved' if event.granted else 'denied'} {event.request}"
            return TimelineEntry(asked=f"{event.by} {said} {event.reason}".rstrip())
        case happened.Noted():
            return TimelineEntry(result=event.text)
        case happened.CampaignEnded():
            return TimelineEntry(result=f"the campaign ended: {event.reason}")
        case happened.ControllerStopped():
            return TimelineEntry(result=f"the controller left: {event.reason}")
        case _:
            return None


_IN_THE_JOURNAL = (
    happened.ExperimentOpened
    | happened.ExperimentCommitted
    | happened.RunPlanned
    | happened.RunMeasured
    | happened.ExperimentJudged
)
"""What stands in the journal, up to the verdict: notes of it wait for no disk."""


def checkpoint(ctx: Context, event: Event) -> None:
    """Write the files when an event is one of the triggers."""
    if (entry := entry_for(event)) is not None:
        ctx.memory.checkpoint(_state(ctx), ctx.clock(), entry, lasting=not isinstance(event, _IN_THE_JOURNAL))


def renew_insights(ctx: Context) -> None:
    """Write the page of what was learned, where it is due and says something new."""
    if not (page := insights_text(insights_of(ctx))):
        return
    title = f"# What {ctx.campaign.campaign} has learned\n\nRenewed every {ctx.campaign.verdict.insights} verdicts."
    page = ctx.redactor.clean(f"{title}\n\n{page}\n")
    try:
        if disk.read(ctx.paths.insights).decode("utf-8", "replace") != page:
            disk.replace(ctx.paths.insights, page)
    except (OSError, StorageError) as error:
        ctx.note(f"the page of insights could not be written: {error}")


def start_memory(ctx: Context) -> None:
    """Start the record of a campaign, before its first branch: what was asked for and what was decided (R153, R164)."""
    started, campaign, objective = ctx.history.started, ctx.campaign, ctx.survey.objective
    ideas = ", ".join(spec.type for spec in campaign.researcher)
    approved = f"the plan was approved by {started.approved_by}" if started else ""
    policy = f"policy {campaign.verdict.policy}, launcher {campaign.launcher.type}"
    entry = TimelineEntry(
        asked=objective.goal,
        context=f"read {', '.join(ctx.survey.lineage) or campaign.recipe or 'no recipe'}: {_judged_by(objective)}",
        decision=f"{policy}; ideas from {ideas}; stop: {_stop(campaign, ctx.limits)}",
        result=approved,
    )
    ctx.memory.checkpoint(_state(ctx), ctx.clock(), entry)


def note_recovery(ctx: Context) -> None:
    """After a gap: hold the notes against git, and put what does not agree on the timeline (R180-R185)."""
    current = _current(ctx.history)
    branch = current.branch if current else ""
    head = (refs.branch_commit(ctx.paths.root, branch) or "") if branch else ""
    ctx.memory.note_recovery(ctx.clock(), ctx.memory.mismatches(branch, head))
    ctx.memory.checkpoint(_state(ctx), ctx.clock())


def _state(ctx: Context) -> MemoryState:
    return state_of(reading_of(ctx), ctx.clock(), changes=ctx.user_has_changes(), ledger=ctx.ledger)


def state_of(reading: Reading, now: float, *, changes: bool, ledger: Ledger | None = None) -> MemoryState:
    """What is true now, from the records alone.

    Args:
        reading: The campaign.
        now: Unix seconds.
        changes: Whether the user's checkout has uncommitted work.
        ledger: The ledger of whoever has read it before; None reads it anew.
    """
    opened, objective = reading.opened, reading.objective
    history, paths, current = opened.history, opened.paths, _current(opened.history)
    return MemoryState(
        goal=f"{objective.goal} ({_judged_by(objective)})",
        subtask=_subtask(history),
        status=_status(history),
        verification=_verification(opened, ledger),
        latest_result=_latest(history),
        stop_rule=_stop(opened.campaign, opened.limits),
        stop_sentence=reading.outlook(now).stop.sentence,
        campaign=opened.campaign.campaign,
        repo=str(paths.root),
        branch=current.branch if current else "",
        head=current.commit if current else "",
        uncommitted=_uncommitted(opened, changes=changes),
        skills=(Skill("autoresearch", "it keeps the campaign's rules", "drive it with its commands, not by hand"),),
        plan=_plan(history, reported=paths.report.exists()),
        steering=tuple(said.text for said in history.steering),
        assumptions=(
            Assumption("the recipe's metric is the only source of truth", "autoresearch plan shows which it is"),
            Assumption("nothing of the user's checkout is touched", "git status, git stash list"),
        ),
        constraints=("every branch is kept", "one hypothesis per branch", "no secret is ever written down"),
        blockers=tuple(ask.question for key, ask in history.approvals.items() if key not in history.answers),
        inspected=tuple(FileNote(path, "recipe or one of its parents") for path in reading.base.lineage),
        changed=_changed(history),
        generated=(
            FileNote(paths.relative(paths.ledger), "the ledger, one row per attempt"),
            FileNote(paths.relative(paths.journal), "the journal the program resumes from"),
            FileNote(paths.relative(paths.report), "the report"),
            *([FileNote(str(paths.heavy), "logs, checkpoints, artifacts of all runs")] if paths.volume else []),
        ),
        next_actions=_next_actions(history),
        watch_outs=("do not edit the ledger, the journal or a campaign branch by hand",),
    )  # fmt: skip


def _judged_by(objective: Objective) -> str:
    return f"{objective.direction} {objective.metric}"


def _stop(campaign: CampaignConfig, limits: StopLimits | None) -> str:
    """The rule as it was frozen: its words count what they did when the campaign began."""
    if not campaign.stop:
        return DEFAULT_WORDS
    rule = campaign.stop_rule
    return describe(replace(rule, target_experiment_count=limits.target_experiment_count) if limits else rule)


def _verification(opened: Opened, ledger: Ledger | None) -> str:
    """What was checked just now, and what was not."""
    ledger = ledger or Ledger(opened.paths.ledger)
    rows = {row.branch for row in ledger.rows(names.campaign_prefix(opened.campaign.campaign))}
    judged = opened.history.each(_judged_branch)
    shown = sum(branch in rows for branch in judged)
    return (
        f"{shown} of {len(judged)} verdicts have their row in the ledger; the program read every metric from the runs' "
        "own files; not checked here: what the rows say (autoresearch ledger check)"
    )


def _judged_branch(_: History, entry: Experiment) -> str | None:
    return clean(entry.branch) if entry.judged else None


def _current(history: History) -> Experiment | None:
    return next((entry for entry in _newest_first(history) if entry.committed), None)


def _newest_first(history: History) -> Iterator[Experiment]:
    return (history.experiments[index] for index in sorted(history.experiments, reverse=True))


def _subtask(history: History) -> str:
    flying = history.in_flight()
    if flying:
        return "following " + ", ".join(run.run_id for run in flying[:5])
    if history.ended is not None:
        return "the campaign has ended"
    mine = ", ".join(f"#{entry.index} {entry.name}" for entry in history.by_hand[-_RECENT:])
    return f"driven by hand: {mine}" if mine else "choosing the next experiment"


def _uncommitted(opened: Opened, *, changes: bool) -> str:
    """Whose work is in no commit yet (R177): the person's in the checkout, and edits of experiments that are open."""
    edits = [
        f"edits of #{entry.index} by {entry.opened.by} in {opened.paths.by_hand(entry.index)}"
        for entry in opened.history.by_hand
        if not entry.committed
    ]
    users = ["the user's own, left alone"] if changes else []
    return "; ".join([*users, *edits]) or "none"


def _status(history: History) -> str:
    kept = len(history.kept)
    return f"{history.attempted} attempted, {len(history.judged)} judged, {kept} kept; best so far: {history.incumbent}"


def _latest(history: History) -> str:
    last = max(history.judged, key=lambda entry: entry.judged.at if entry.judged else 0.0, default=None)
    if last is None or last.verdict is None:
        return "none yet"
    return f"#{last.index} {last.name}: {last.verdict.status}, {last.verdict.reason}"


def _plan(history: History, *, reported: bool) -> tuple[Step, ...]:
    baseline, fresh = history.baseline, history.runs_of(history.incumbent)
    confirmed = any(run.valid and run.planned.purpose is Purpose.CONFIRM for run in fresh)
    return (
        Step("baseline on the unmodified recipe", done=bool(baseline and baseline.judged)),
        Step("one hypothesis per branch, until the stop rule", done=history.ended is not None),
        Step("confirm the best on fresh seeds", done=history.ended is not None and confirmed),
        Step("report", done=history.ended is not None and reported),
    )


def _changed(history: History) -> tuple[FileNote, ...]:
    recent = [*islice((entry for entry in _newest_first(history) if entry.committed), _RECENT)][::-1]
    return tuple(
        FileNote(path, f"{entry.branch}: {entry.hypothesis.title}")
        for entry in recent
        for path in (entry.committed.files if entry.committed else ())
    )


def _next_actions(history: History) -> tuple[str, ...]:
    if history.ended is not None:
        return ("read the report: autoresearch report", "start a further campaign: autoresearch plan RECIPE")
    mine = tuple(
        f"#{entry.index} is open by hand ({entry.hypothesis.title}): autoresearch experiment show {entry.index}"
        for entry in history.by_hand[-_RECENT:]
    )
    return (*mine, "continue: autoresearch run", "look: autoresearch status")
