"""Events as lines for people: one line each, for logs, for the tail of a live view and for notebooks."""

import time
from collections.abc import Callable

from autoresearch.experiment import events as happened
from autoresearch.experiment.attendance import (
    TROUBLE,
    ResearcherAsked,
    ResearcherBack,
    ResearcherDropped,
    ResearcherOut,
)
from autoresearch.experiment.events import Event
from autoresearch.experiment.history import History
from autoresearch.report.plain_text import duration, number
from autoresearch.run.chosen_value import without_log


class Lines:
    """Events as lines. A run is called `<experiment> run <number>` once it was seen planned, by its id before.

    A verdict's line begins with the experiment's number, its value and its effect: they stay where a line is cut.
    """

    def __init__(self, history: History | None = None) -> None:
        """Know the runs and experiments of a history; none without one."""
        known = history or History()
        self._runs = {run.planned.run_id: _name(run.planned) for run in known.runs.values()}
        self._numbers = {one.name: one.index for one in known.experiments.values()}

    def line(self, event: Event) -> str | None:
        """What happened, in one line; None for what a person need not read."""
        if isinstance(event, happened.RunPlanned):
            self._runs[event.run_id] = _name(event)
        if isinstance(event, happened.ExperimentCommitted):
            self._numbers[event.name] = event.index
        text = _of_run(event, self._runs) or _judged(event, self._numbers) or _text(event)
        return f"{clock(event.at)}  {text}" if text else None


def teller(say: Callable[[str], None] | None, history: History) -> Callable[[Event], None] | None:
    """A listener that says every event that a person would read; None when there is nobody to say it to.

    Args:
        say: Who is told, line by line.
        history: What happened before.
    """
    if say is None:
        return None
    lines = Lines(history)

    def tell(event: Event) -> None:
        if text := lines.line(event):
            say(text)

    return tell


def _name(planned: happened.RunPlanned) -> str:
    return f"{planned.experiment} run {planned.number}"


def clock(at: float | None = None) -> str:
    """A moment in Unix seconds as local time of day; now when none is given."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def _of_run(event: Event, runs: dict[str, str]) -> str:
    match event:
        case happened.RunPlanned():
            why = f": {event.why}" if event.why else ""
            return f"{runs[event.run_id]} ({event.purpose}, seed {event.seed}){why}"
        case happened.RunSubmitted() if event.adopted:
            return f"{runs.get(event.run_id, event.run_id)}: found again and adopted"
        case happened.RunWaits() if event.reason:
            stuck = "; it cannot pass by itself" if event.stuck else ""
            return f"{runs.get(event.run_id, event.run_id)} waits: {event.reason}{stuck}"
        case happened.RunCancelled():
            return f"{runs.get(event.run_id, event.run_id)}: {event.reason}"
        case happened.RunEnded() if event.leftovers:
            return f"{runs.get(event.run_id, event.run_id)}: STILL ALIVE: {'; '.join(event.leftovers)}"
        case happened.RunMeasured():
            return f"{runs.get(event.run_id, event.run_id)}: {_measured(event)}"
        case _:
            return ""


def _judged(event: Event, numbers: dict[str, int]) -> str:
    if not isinstance(event, happened.ExperimentJudged):
        return ""
    found, index = event.verdict, numbers.get(event.name)
    figures = (f"#{index}" if index else "", number(found.value), number(found.effect, "+.3g"))
    return (
        f"{found.status.value.upper():7} {' '.join([*filter(None, figures), event.name])}: {without_log(found.reason)}"
    )


def _measured(event: happened.RunMeasured) -> str:
    found = event.measurement
    if event.ending and event.ending.excused:
        return f"no valid {found.metric}, not the idea's doing: {event.ending.sentence}"[:300]
    if found.value is None:
        return " ".join(f"no valid {found.metric}: {found.note or found.completion}".split())[:300]
    if not found.counted:
        return f"{found.metric} = {found.value:.4g} at step {found.step} ({found.completion})"
    which = f"value {found.step}, " if found.step and found.step > 1 else ""
    return f"{found.metric} = {found.value:.4g} ({which}{found.completion})"


def _text(event: Event) -> str:
    match event:
        case happened.CampaignStarted():
            return f"campaign {event.campaign} starts from {event.base_commit[:7]}"
        case happened.ExperimentOpened() if event.by:
            return f"#{event.index} opened by hand by {event.by}: {event.branch}"
        case happened.ExperimentCommitted():
            trouble = f"  [{'; '.join(event.breaches)}]" if event.breaches else ""
            return f"#{event.index} {event.hypothesis.area}: {event.hypothesis.title}  ({event.branch}){trouble}"
        case happened.ExperimentAbandoned() if event.dropped:
            return f"#{event.index} is no experiment: {event.reason}"
        case happened.BundleMade() if event.yardstick:
            made = f"{event.name}: {event.parent} with the yardstick of {event.yardstick}"
            return f"{made}: {event.conflict}" if event.conflict else made
        case happened.BundleMade():
            made = f"bundle {event.name} of {', '.join(event.ideas)}"
            return f"{made}: {event.conflict}" if event.conflict else made
        case happened.AllocationEnded():
            return f"allocation {event.job_id} ended after {duration(event.ended_at - event.started_at)}"
        case happened.IncumbentDemoted():
            return f"{event.name} is no longer the incumbent, {event.incumbent} is: {event.reason}"
        case happened.PlateauReached():
            instead = f"; next: {event.next_area}" if event.next_area else ""
            return f"area {event.area} is at a plateau after {len(event.ideas)} settled ideas{instead}"
        case _:
            return _person_or_controller(event)


def _person_or_controller(event: Event) -> str:
    match event:
        case happened.VerdictOverruled():
            return f"{event.by} overruled {event.name}: {event.verdict.status}, {event.verdict.reason}"
        case happened.Steered():
            return f"{event.by}: {event.text}"
        case happened.Paused():
            return f"paused by {event.by}: {event.reason or 'no reason given'}"
        case happened.Resumed() if event.limits:
            return f"{event.by} granted more: {event.words}"
        case happened.Resumed():
            return f"resumed by {event.by}"
        case happened.StopRequested():
            return f"{event.by} asked to stop{' now' if event.now else ''} {event.reason}".rstrip()
        case happened.ApprovalAsked():
            return f"waiting for approval of {event.request}: {event.question}"
        case happened.ApprovalGiven():
            return f"{event.by} {'approved' if event.granted else 'denied'} {event.request} {event.reason}".rstrip()
        case happened.Noted():
            return event.text
        case ResearcherAsked() if event.why and event.outcome != TROUBLE:
            return f"researcher {event.researcher}, attempt {event.index}: {event.outcome}: {event.why}"
        case ResearcherOut():
            return f"researcher {event.researcher} has fallen out ({event.trouble or 'failure'}): {event.reason}"
        case ResearcherDropped():
            return f"researcher {event.researcher} is asked last from now on: {event.reason}"
        case ResearcherBack():
            return f"researcher {event.researcher} is back"
        case happened.CampaignEnded():
            return f"campaign ended: {event.reason}"
        case _:
            return ""
