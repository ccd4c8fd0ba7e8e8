"""Stop rules: what they say, what is left, and whether a further run fits. The one place the rest of us imports.

Then what the rest of a campaign's budget can hold: runs, GPU-hours, and whether another idea may be opened.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from autoresearch.config.duration import exact, span
from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits, StopRule, TargetValue, same_metric
from autoresearch.errors import CampaignError
from autoresearch.experiment.history import History
from autoresearch.run.measurement import Objective


@dataclass(frozen=True)
class Spent:
    """What a campaign has used up and reached so far.

    Attributes:
        attempted: Experiments attempted, the baseline and crashes included.
        gpu_hours: GPU-hours used, those of runs in flight included.
        best: Best valid value of each metric, in its better direction, by the metric's name.
        runs: Runs launched so far, those in flight included.
        stalled: Experiments judged in a row without a keep, the baseline not counted.
    """

    attempted: int = 0
    gpu_hours: float = 0.0
    best: Mapping[str, float] = field(default_factory=dict)
    runs: int = 0
    stalled: int = 0


@dataclass(frozen=True, kw_only=True)
class StopState:
    """Whether a campaign is over, and what is left of it.

    Attributes:
        met: Whether a campaign-level trigger has clearly been reached.
        trigger: Which one: `count`, `runs`, `stall`, `deadline`, `gpu-hours` or `target`; empty when none.
        reason: Why, in words with numbers; empty when not met.
        sentence: The whole finding as one line for the user, e.g.
            `stop condition not yet met: 17/24 attempted, 6h12m remaining`.
        remaining_experiments: Attempts left, None without a count.
        remaining_s: Seconds left until the deadline, None without one.
        remaining_gpu_hours: GPU-hours left, None without such a budget.
        asks: Whether a person is to be asked for more once it is met: no rule was given, or its words say so.
    """

    met: bool
    trigger: str
    reason: str
    sentence: str
    remaining_experiments: int | None = None
    remaining_s: float | None = None
    remaining_gpu_hours: float | None = None
    asks: bool = False

    def question(self, best: str, branch: str) -> str:
        """What a person is asked once the budget is used up; empty before that, or when nobody is to be asked.

        Args:
            best: The best arm, the baseline when nothing was kept.
            branch: Its branch, empty when there is none.
        """
        if not (self.met and self.asks):
            return ""
        start = f" --base {branch}" if branch else ""
        return (
            f"go on? The best is {best}; more of this campaign: autoresearch extend '12 experiments'; a further one: "
            f"autoresearch plan RECIPE{start} --stop '12 experiments'"
        )


def spent_by(history: History, objective: Objective) -> Spent:
    """What a campaign has used up and reached so far."""
    return Spent(history.attempted, history.gpu_hours, _best(history, objective), len(history.runs), history.stalled)


def extended(limits: StopLimits, more: StopRule, spent: Spent, objective: Objective, now: float) -> StopLimits:
    """The limits with more of what a person grants; what they do not speak of stays.

    Args:
        limits: The campaign's limits.
        more: What is granted on top: experiments, runs, hours and GPU-hours are added to the limit, or to what was
            used where that is more; experiments without a keep count from now; a time, or a value of the metric,
            takes the place of the old one.
        spent: What was used.
        objective: What is improved.
        now: Unix seconds.

    Raises:
        CampaignError: It cannot be changed on the way, or the campaign would be over all the same, or end sooner.
    """
    if more.per_experiment_timeout_s is not None:
        raise CampaignError(
            "how long a run may take is part of what runs are compared by, and stays; say a number of experiments, "
            "runs or hours"
        )
    until, target = more.begin(now, objective=objective), more.target
    if more.deadline_at and (old := limits.campaign_deadline) and (new := until.campaign_deadline) and new < old:
        raise CampaignError(f"until {more.deadline_at} is earlier than what the campaign has already; say a later time")
    deadline = limits.campaign_deadline
    if more.total_s is not None:
        deadline = max(now, deadline or now) + more.total_s
    elif more.deadline_at is not None:
        deadline = until.campaign_deadline
    granted = replace(
        limits,
        target_experiment_count=_added(limits.target_experiment_count, spent.attempted, more.target_experiment_count),
        target_run_count=_added(limits.target_run_count, spent.runs, more.target_run_count),
        gpu_hours=_added(limits.gpu_hours, spent.gpu_hours, more.gpu_hours),
        stalled_experiment_count=_added(None, spent.stalled, more.stalled_experiment_count)
        or limits.stalled_experiment_count,
        campaign_deadline=deadline,
        target_metric=until.target_metric if target else limits.target_metric,
    )
    if (state := check(granted, spent, now)).met:
        raise CampaignError(f"it would be over all the same: {state.reason}; grant more of that as well")
    pairs = (
        (limits.target_experiment_count, more.target_experiment_count), (limits.gpu_hours, more.gpu_hours),
        (limits.target_run_count, more.target_run_count),
        (limits.stalled_experiment_count, more.stalled_experiment_count),
        (limits.campaign_deadline, more.total_s or more.deadline_at), (limits.target_metric, target),
    )  # fmt: skip
    if not any(old is not None and new is not None for old, new in pairs):
        raise CampaignError("it has no such limit and would only end sooner; say more of what it is limited by")
    return granted


_Amount = TypeVar("_Amount", int, float)


def _added(limit: _Amount | None, used: _Amount, more: _Amount | None) -> _Amount | None:
    return limit if more is None else max(limit or used, used) + more


def check(
    limits: StopLimits,
    spent: Spent,
    now: float,
    next_run_s: float | None = None,
    next_gpu_hours: float | None = None,
) -> StopState:
    """Hold what is spent against the limits.

    Args:
        limits: The campaign's limits.
        spent: What it has used and reached.
        now: Unix seconds.
        next_run_s: Seconds one further run takes; None means a full one, the per-run cap where there is one (R100).
        next_gpu_hours: GPU-hours one further run takes, None when unknown.
    """
    run_s = limits.per_experiment_timeout if next_run_s is None else next_run_s
    trigger, reason = next(_reached(limits, spent, now, run_s, next_gpu_hours), ("", ""))
    return StopState(
        met=bool(trigger),
        trigger=trigger,
        reason=reason,
        sentence=f"stop condition met: {reason}" if trigger else _open(limits, spent, now),
        remaining_experiments=_less(limits.target_experiment_count, spent.attempted),
        remaining_s=_seconds_left(limits, now),
        remaining_gpu_hours=_gpu_hours_left(limits, spent.gpu_hours),
        asks=limits.asks,
    )


def fits(
    limits: StopLimits,
    now: float,
    run_s: float | None,
    *,
    gpu_hours: float | None = None,
    spent_gpu_hours: float = 0.0,
) -> str | None:
    """Why a run cannot be started now, or None when it fits.

    Args:
        limits: The campaign's limits.
        now: Unix seconds.
        run_s: Seconds the run takes, queueing included if that is known; None when unknown.
        gpu_hours: GPU-hours the run takes, None when unknown.
        spent_gpu_hours: GPU-hours used so far, those of runs in flight included.
    """
    return _late(limits, now, run_s) or _too_dear(limits, spent_gpu_hours, gpu_hours)


def _reached(
    limits: StopLimits, spent: Spent, now: float, run_s: float | None, gpu_hours: float | None
) -> Iterator[tuple[str, str]]:
    """Triggers that are reached, the most telling first."""
    count, target = limits.target_experiment_count, limits.target_metric
    measured = _measured(target, spent)
    if target and measured is not None and target.met_by(measured):
        yield "target", f"{target.metric or 'objective'} {measured:.6g} {target.comparison} {target.value:g}"
    if count is not None and spent.attempted >= count:
        yield "count", f"{spent.attempted}/{count} attempted"
    if limits.target_run_count is not None and spent.runs >= limits.target_run_count:
        yield "runs", ", ".join([*_launched(limits, spent), *_attempts(limits, spent)])
    if limits.stalled_experiment_count is not None and spent.stalled >= limits.stalled_experiment_count:
        yield "stall", ", ".join([*_stalled(limits, spent), *_attempts(limits, spent)])
    if late := _late(limits, now, run_s):
        yield "deadline", ", ".join([late, *_attempts(limits, spent)])
    if dear := _too_dear(limits, spent.gpu_hours, gpu_hours):
        yield "gpu-hours", ", ".join([dear, *_attempts(limits, spent)])


def _late(limits: StopLimits, now: float, run_s: float | None) -> str | None:
    left = _seconds_left(limits, now)
    if left is None:
        return None
    if left <= 0:
        return f"the deadline was reached after {span(now - limits.started_at)}"
    # Written so that NaN does not fit.
    if run_s is not None and not run_s <= left:
        said = span if span(left) != span(run_s) else exact
        return f"{said(left)} remaining is less than one full run of {said(run_s)}"
    return None


def _too_dear(limits: StopLimits, spent: float, wanted: float | None) -> str | None:
    left = _gpu_hours_left(limits, spent)
    if left is None:
        return None
    if left <= 0:
        return f"{spent:.4g}/{limits.gpu_hours:g} GPU-hours spent"
    if wanted is not None and not wanted <= left:
        return f"{left:.4g} GPU-hours remaining is less than one full run of {wanted:.4g}"
    return None


def _open(limits: StopLimits, spent: Spent, now: float) -> str:
    parts = [*_attempts(limits, spent), *_launched(limits, spent), *_stalled(limits, spent)]
    left = _seconds_left(limits, now)
    parts += [f"{span(left)} remaining"] if left is not None else []
    if limits.gpu_hours is not None:
        parts.append(f"{spent.gpu_hours:.4g}/{limits.gpu_hours:g} GPU-hours spent")
    if target := limits.target_metric:
        measured = _measured(target, spent)
        now_at = "not measured yet" if measured is None else f"{measured:.6g}"
        parts.append(f"{target.metric or 'objective'} {now_at}, wanted {target.comparison} {target.value:g}")
    return f"stop condition not yet met: {', '.join(parts)}"


def _attempts(limits: StopLimits, spent: Spent) -> list[str]:
    count = limits.target_experiment_count
    return [f"{spent.attempted} attempted" if count is None else f"{spent.attempted}/{count} attempted"]


def _launched(limits: StopLimits, spent: Spent) -> list[str]:
    return [f"{spent.runs}/{limits.target_run_count} runs"] if limits.target_run_count is not None else []


def _stalled(limits: StopLimits, spent: Spent) -> list[str]:
    most = limits.stalled_experiment_count
    return [f"{spent.stalled}/{most} in a row without a keep"] if most is not None else []


def _measured(target: TargetValue | None, spent: Spent) -> float | None:
    """The value a target is held against; None when it is missing, or when several metrics answer to its name."""
    if target is None:
        return None
    name = target.metric
    if name is not None and name in spent.best:
        found = [spent.best[name]]
    else:
        found = [value for other, value in spent.best.items() if name is None or same_metric(name, other)]
    return found[0] if len(found) == 1 and math.isfinite(found[0]) else None


def _seconds_left(limits: StopLimits, now: float) -> float | None:
    return None if limits.campaign_deadline is None else max(0.0, limits.campaign_deadline - now)


def _gpu_hours_left(limits: StopLimits, spent: float) -> float | None:
    return None if limits.gpu_hours is None else max(0.0, limits.gpu_hours - spent)


def _less(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What the rest of the budget can hold.

    Attributes:
        stop: The stop rule as it stands.
        run_s: Seconds one further run is expected to take at most.
        run_gpu_hours: GPU-hours it is expected to take.
        runs_left: Runs that still fit, None when nothing limits them.
        runs_total: Runs the whole campaign can hold, None when nothing limits them.
        may_explore: Whether a new experiment may be opened.
        now: Unix seconds this was looked at.
        asking: Whether researchers are there to be asked; without them an attempt they left half made has to wait.
        supply: Ideas that researchers have in all, None where nobody can count them.
        asked: Attempts for which a researcher is thinking; `ahead`: ideas that may be asked for without a free slot.
        busy: Whether whoever is next cannot be asked before one of those that think has answered.
    """

    stop: StopState
    run_s: float
    run_gpu_hours: float
    runs_left: int | None
    runs_total: int | None
    may_explore: bool
    now: float = 0.0
    asking: bool = True
    supply: int | None = None
    asked: frozenset[int] = frozenset()
    ahead: int = 0
    busy: bool = False


def outlook(
    history: History,
    campaign: CampaignConfig,
    limits: StopLimits,
    objective: Objective,
    now: float,
    expected_s: float | None = None,
    expected_gpus: int = 0,
) -> Outlook:
    """Look at the budget.

    Args:
        history: The campaign so far.
        campaign: The campaign file.
        limits: The stop rule in absolute values.
        objective: What the target value of the stop rule refers to.
        now: Unix time in seconds.
        expected_s: Seconds a run takes according to the target, None when it cannot say.
        expected_gpus: GPUs of a run according to the target.
    """
    run_s = _next_run_s(history, limits, expected_s)
    run_hours = run_s / 3600 * (history.tally.gpus if history.runs else expected_gpus)
    spent = spent_by(history, objective)
    state = check(limits, spent, now, run_s, run_hours)
    left, total = _runs(history, campaign, limits, now, run_s, _typical_s(history) or run_s)
    return Outlook(
        stop=state,
        run_s=run_s,
        run_gpu_hours=run_hours,
        runs_left=left,
        runs_total=total,
        may_explore=not state.met and left != 0 and history.stop is None,
        now=now,
    )


def _next_run_s(history: History, limits: StopLimits, expected_s: float | None) -> float:
    """R100: with a cap per experiment, a run fits only if the whole cap fits; without one, judge by what runs took."""
    if limits.per_experiment_timeout is not None:
        return limits.per_experiment_timeout
    walls = history.tally.walls
    return walls.most if walls.known else expected_s or 0.0


def _typical_s(history: History) -> float:
    """Mean of what valid runs took, waiting in queues included; 0 before the first."""
    walls = history.tally.walls
    return walls.total / len(walls.known) if walls.known else 0.0


def _best(history: History, objective: Objective) -> dict[str, float]:
    """A target counts as reached when the incumbent's mean reaches it, not when one lucky run does."""
    value = history.value_of(history.incumbent)
    return {} if value is None else {objective.metric: value}


def in_turn(left: float, full: float, typical: float) -> int:
    """Runs that fit one after the other into what is left, of seconds or of GPU-hours.

    Each must fit at its full length when it starts; when the next can start is judged by what runs typically take.
    """
    return 1 + int((left - full) / typical + 1e-9) if left >= full and left > 0 else 0


def _runs(
    history: History, campaign: CampaignConfig, limits: StopLimits, now: float, full_s: float, typical_s: float
) -> tuple[int | None, int | None]:
    """Runs that still fit into time, GPU-hours and a count of runs, and runs made so far added to that."""
    fits: list[int] = []
    flying = len(history.in_flight())
    gpus = history.tally.gpus
    left_s = None if limits.campaign_deadline is None else limits.campaign_deadline - now
    if left_s is not None and (typical_s > 0 or left_s <= 0):
        fits.append(max(0, in_turn(left_s, full_s, typical_s) * campaign.launcher.parallel - flying))
    if limits.gpu_hours is not None and typical_s * gpus > 0:
        left_hours, full_hours = limits.gpu_hours - history.gpu_hours, full_s / 3600 * gpus
        fits.append(max(0, in_turn(left_hours, full_hours, typical_s / 3600 * gpus) - flying))
    if limits.target_run_count is not None:
        fits.append(max(0, limits.target_run_count - len(history.runs)))
    if not fits:
        return None, None
    return min(fits), min(fits) + len(history.runs)
