"""Works out where a campaign stands, from its history and its stop rule.

The metric of runs in flight, for live views; files that did not grow are not read again.

What a campaign's records alone say: for whoever only reads, and looks at neither code nor worktree.

Reading verbs work from the journal. What they need of the base commit is frozen in its first event; in a journal of an
earlier version it is what the first run was planned with.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch.campaign import opening
from autoresearch.campaign.opening import Opened
from autoresearch.campaign.status import CampaignStatus, Judged, RunningRun, driven
from autoresearch.campaign.surroundings import seen, target_of
from autoresearch.errors import CampaignError
from autoresearch.experiment.attendance import out_now
from autoresearch.experiment.events import ApprovalAsked, BaseSurvey
from autoresearch.experiment.experiment import Experiment, Run, integrity_of, pauses
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, NO_CLOCK, Status
from autoresearch.git import diffs
from autoresearch.machine import turns
from autoresearch.ports.metric_source import MetricSource, readings_of, sources_of
from autoresearch.records import finding, mirror
from autoresearch.records.paths import campaign_of
from autoresearch.report.event_lines import clock
from autoresearch.report.plain_text import baseline_figure, interval, leaner, proposals, researchers_told
from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.exploration import held_back
from autoresearch.scheduling.next_move import board
from autoresearch.scheduling.stop_check import Outlook, StopState, outlook
from autoresearch.verdict.claims import claims

if TYPE_CHECKING:
    from autoresearch.engine.context import Context


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A campaign that has begun, as its records have it.

    Attributes:
        opened: Its files.
        objective: What it is judged by.
        base: What was found out about the base commit.
    """

    opened: Opened
    objective: Objective
    base: BaseSurvey

    def outlook(self, now: float) -> Outlook:
        """What the rest of the budget can hold; of what has ended, what it could hold then."""
        opened = self.opened
        now = opened.history.ended.at if opened.history.ended else now
        assert opened.limits is not None  # noqa: S101 - it has begun
        expected_s = None if self.base.minutes is None else self.base.minutes * 60
        return outlook(opened.history, opened.campaign, opened.limits, self.objective, now, expected_s, self.base.gpus)


def read(opened: Opened) -> Reading:
    """A campaign from its journal; nothing is made, asked of git or written.

    Raises:
        CampaignError: It has not begun.
    """
    started = opened.history.started
    if started is None:
        raise finding.not_begun(opened.paths)
    return Reading(
        opened=opened,
        objective=started.objective or _objective(opened),
        base=started.survey or _as_first_planned(opened),
    )


def reading_of(ctx: "Context") -> Reading:
    """A campaign at work, for what it writes of itself; its survey is at hand."""
    opened = Opened(ctx.paths, ctx.campaign, ctx.journal, ctx.history, ctx.heard)
    return Reading(opened=opened, objective=ctx.survey.objective, base=seen(ctx.survey, ctx.campaign))


def _as_first_planned(opened: Opened) -> BaseSurvey:
    """Before any run was measured, a run's expected length is what the target had said."""
    campaign = opened.campaign
    config = campaign.recipe or str(campaign.target.options().get("config", ""))
    base = BaseSurvey(lineage=(config,) if config else ())
    first = next((run.planned for run in opened.history.runs.values()), None)
    if first is None:
        return base
    minutes = first.predicted_s / 60 if first.predicted_s else None
    return replace(base, minutes=minutes, gpus=first.resources.gpus)


def _objective(opened: Opened) -> Objective:
    """As the campaign file has it, the metric as it was measured first where the file leaves it open."""
    asked = opened.campaign.objective
    measured = (run.measurement.metric for run in opened.history.runs.values() if run.measurement)
    metric = next(measured, asked.metric) if asked.metric == "auto" else asked.metric
    direction = Direction.MINIMIZE if asked.direction == "minimize" else Direction.MAXIMIZE
    return Objective(asked.goal, metric, direction, metric)


def _told_stop(state: StopState, history: History) -> str:
    """The stop rule's sentence; a rule is met when what is under way is over, not while runs go on or ideas come."""
    flying = len(history.in_flight())
    left = 0 if history.ended else len(history.tally.open)
    if flying:
        rest = f"{flying} run{'s' * (flying != 1)} in flight ended"
    else:
        rest = f"{left} experiment{'s' * (left != 1)} under way had a verdict" if left else ""
    return f"stop condition met as soon as {rest}: {state.reason}" if state.met and rest else state.sentence


def status_now(opened: Opened, now: float) -> CampaignStatus:
    """Where a campaign stands for whoever looks at it from outside: first of all whether its journal is in doubt."""
    found = status_of(opened, now, held=finding.at_work(opened.paths))
    doubt = mirror.doubt(opened.paths)
    return replace(found, waiting=(doubt, *found.waiting)) if doubt else found


def status_of(opened: Opened, now: float, *, held: bool) -> CampaignStatus:
    """Where a campaign stands.

    Args:
        opened: The campaign.
        now: Unix time in seconds.
        held: Whether a controller holds its lock.
    """
    history, limits, fresh = opened.history, opened.limits, _fresh(opened.history)
    price = opened.campaign.usd_per_gpu_hour
    baseline, baseline_from = baseline_figure(history)
    paused = pauses(history.notes)
    objective = history.started.objective if history.started else None
    goal = opened.campaign.objective
    state = read(opened).outlook(now).stop if limits else None
    last = next((entry for _, entry in sorted(history.experiments.items(), reverse=True)), None)
    verdicts = history.each(_judged_value)
    counts = Counter(one.status for one in verdicts)
    controller = history.controller or next((one.owner for one in turns.hands(opened.paths.turns)), None)
    return CampaignStatus(
        campaign=opened.campaign.campaign,
        state=_state(history, held=held),
        goal=objective.goal if objective else goal.goal,
        metric=objective.metric if objective else goal.metric,
        direction=str(objective.direction) if objective else goal.direction,
        stop=_told_stop(state, history) if state else "",
        attempted=history.attempted,
        target_count=limits.target_experiment_count if limits else None,
        remaining_s=state.remaining_s if state else None,
        gpu_hours=history.gpu_hours,
        gpu_usd=None if price is None else history.gpu_hours * price,
        keep=len(history.kept),
        discard=counts[Status.DISCARD],
        crash=counts[Status.CRASH],
        baseline=baseline,
        baseline_from=baseline_from,
        incumbent=history.incumbent,
        best=_best(history, fresh),
        best_fresh=len(fresh),
        best_integrity=integrity_of(history.current_runs(history.incumbent)) if history.baseline else "",
        current=last.name if last else "",
        branch=last.branch if last else "",
        controller=f"{controller.host}:{controller.pid}" if controller and held else "",
        reason=_reason(history, held=held),
        running=tuple(_running(run, now, paused.get(run.run_id)) for run in history.in_flight()),
        verdicts=verdicts,
        steering=tuple(said.text for said in history.steering),
        cautions=_cautions(history, objective),
        waiting=(*_awaited(history), *(_thinking(history) if held else ())),
        spent=researchers_told(history),
        by_hand=tuple(
            driven(opened.paths, history, opened.campaign, entry, now, held=held) for entry in history.by_hand
        ),
        latest=_latest(history),
        claimed=_claimed(read(opened), now) if fresh else "",
        question=state.question(history.incumbent, history.incumbent_branch) if state and history.ended else "",
        held_back=held_back(history, now),
    )


def _claimed(reading: Reading, now: float) -> str:
    """What fresh seeds say of the incumbent and of single ideas, in one sentence; empty where they say nothing."""
    history, campaign = reading.opened.history, reading.opened.campaign
    found = claims(board(history, campaign, reading.objective, reading.outlook(now)))
    whole = found.campaign
    told = [f"all that was kept {interval(whole.effect, whole.low, whole.high)}"] if whole and whole.fresh else []
    told += [
        f"#{history.experiment(claim.name).index} {interval(claim.effect, claim.low, claim.high)}"
        for claim in found.ideas
        if claim.fresh and claim.effect is not None
    ]
    return f"effects as judged, by runs that chose; on fresh seeds: {', '.join(told)}" if told else ""


def _cautions(history: History, objective: Objective | None) -> tuple[str, ...]:
    """While it goes on what makes a run that hangs go unseen, afterwards what speaks against a member of the best."""
    if history.ended:
        return tuple(filter(None, [leaner(history, objective)[1] if objective else ""]))
    return tuple(note.text for note in history.notes if note.text.startswith(NO_CLOCK))


def _awaited(history: History) -> tuple[str, ...]:
    """Whom the campaign waits for: a person's answer, or a researcher that is out."""
    asked = (_waiting(ask) for key, ask in history.approvals.items() if key not in history.answers)
    return (*asked, *(() if history.ended else out_now(history.attendance, proposals(history))))


def _thinking(history: History) -> tuple[str, ...]:
    """For which experiments a researcher has been asked that has not answered yet."""
    asked = [entry for entry in history.tally.open.values() if entry.committed is None and not entry.by_hand]
    if not asked:
        return ()
    since = clock(min(entry.opened.at for entry in asked))
    return (f"a researcher thinks of {', '.join(f'#{entry.index}' for entry in asked)} since {since}",)


def _latest(history: History) -> int | None:
    """Number of the experiment that was judged last."""
    last = max(history.judged, key=lambda entry: entry.judged.at if entry.judged else 0.0, default=None)
    return last.index if last else None


def _best(history: History, fresh: Sequence[float]) -> float | None:
    if not history.baseline:
        return None
    return sum(fresh) / len(fresh) if fresh else history.value_of(history.incumbent)


def _fresh(history: History) -> list[float]:
    return [] if history.incumbent == BASELINE else history.fresh_values(history.incumbent)


def _state(history: History, *, held: bool) -> str:
    if history.started is None:
        return "planned"
    if history.ended is not None:
        return "ended"
    if not held:
        return "stopped" if history.stop else "interrupted" if history.controller or history.in_flight() else "idle"
    if history.stop is not None:
        return "stopping"
    return "paused" if history.paused else "running"


def _reason(history: History, *, held: bool) -> str:
    if history.ended:
        return history.ended.reason
    if history.stop:
        return history.stop.reason
    if history.paused:
        return f"paused by {history.paused.by}: {history.paused.reason or 'no reason given'}"
    if not history.started:
        return "start it with: autoresearch run"
    return history.left.reason if history.left and not held else ""


def _running(run: Run, now: float, paused_since: float | None) -> RunningRun:
    since = run.started_at or run.submitted_at or run.planned.at
    state = "running" if run.started_at else "queued" if run.submitted_at else "planned"
    state = "paused" if paused_since is not None else state
    return RunningRun(
        run_id=run.run_id,
        experiment=run.planned.experiment,
        seed=run.planned.seed,
        purpose=str(run.planned.purpose),
        state=state,
        elapsed_s=max(0.0, now - since),
        predicted_s=run.planned.predicted_s,
        log=run.planned.log,
        folder=run.planned.folder,
        waits=_waits(run),
        paused_since=paused_since,
    )


def _waits(run: Run) -> str:
    if run.waits is None or run.started_at:
        return ""
    return f"{run.waits.reason}; it cannot pass by itself" if run.waits.stuck else run.waits.reason


def _judged_value(history: History, entry: Experiment) -> Judged | None:
    return judged_value(entry, history) if entry.judged else None


def judged_value(entry: Experiment, history: History) -> Judged:
    """A judged experiment as surfaces show it."""
    verdict = entry.verdict
    assert verdict is not None  # noqa: S101 - the caller chose judged ones
    return Judged(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        status=str(verdict.status),
        value=verdict.value,
        effect=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        runs=entry.row_runs,
        reason=verdict.reason,
        by=verdict.by,
        branch=entry.branch,
        integrity=integrity_of(history.runs_of(entry.name)),
    )


def _waiting(ask: ApprovalAsked) -> str:
    return f"{ask.request} waits for a person ({ask.question}): autoresearch approve {ask.request}"


def number_of(opened: Opened, words: str) -> int:
    """The number of an attempt that was given by number, by name or by branch.

    Raises:
        CampaignError: None has that name; the text says which is nearest.
    """
    if words.isascii() and words.isdecimal():
        return int(words)
    known = {name: one.index for one in opened.history.experiments.values() for name in (one.branch, one.name)}
    if words in known:
        return known[words]
    near = get_close_matches(words, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "give its number or its name as `status` has it"
    raise CampaignError(f"there is no experiment {words!r} in {opened.paths.name}; {hint}")


def diff_of(opened: Opened, index: int) -> str:
    """What an experiment changed against its parent; empty without a commit. Raises CampaignError without it."""
    entry = opened.experiment(index)
    return diffs.diff(opened.paths.root, entry.parent_commit, entry.commit) if entry.commit else ""


def log_of(opened: Opened, index: int) -> Path:
    """The newest run log of an experiment.

    Raises:
        KeyError: There is no such experiment.
    """
    entry = opened.history.experiments[index]
    runs = opened.history.runs_of(entry.name)
    return Path(runs[-1].planned.log) if runs else opened.paths.run_log(entry.name)


@dataclass
class LiveCurves:
    """Reads curves with the campaign's own metric sources, opened once."""

    _sources: Mapping[str, MetricSource] = field(default_factory=dict)
    _objective: Objective | None = None
    _opened: bool = False

    def curve(self, where: Path, run: RunningRun) -> tuple[tuple[int, float], ...]:
        """The objective's metric of a run as (step, value), from the most trusted source that has it."""
        if not self._opened:
            self.know(opening.open_campaign(where, campaign_of(Path(run.folder))))
        if self._objective is None:
            return ()
        spellings = (self._objective.tag, self._objective.metric)
        for source in self._sources.values():
            series = readings_of(source, Path(run.folder)).series
            found = next((series[tag] for tag in spellings if tag in series), None)
            if found is not None:
                return found.points()
        return ()

    def know(self, opened: Opened) -> None:
        """A campaign that somebody has read already is not read again for its curves."""
        self._sources = sources_of(target_of(opened.campaign))
        self._objective = opened.history.started.objective if opened.history.started else None
        self._opened = True
