"""What the rest of a campaign's budget can hold: runs, GPU-hours, and whether another idea may be opened."""

from dataclasses import dataclass

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment.history import History
from autoresearch.run.objective import Objective
from autoresearch.scheduling.stop_check import Spent, StopState, check


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
    """

    stop: StopState
    run_s: float
    run_gpu_hours: float
    runs_left: int | None
    runs_total: int | None
    may_explore: bool
    now: float = 0.0
    asking: bool = True


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
    gpus = max((run.planned.resources.gpus for run in history.runs.values()), default=expected_gpus)
    run_hours = run_s / 3600 * gpus
    spent = Spent(history.attempted, history.gpu_hours, _best(history, objective), len(history.runs), history.stalled)
    state = check(limits, spent, now, run_s, run_hours)
    left, total = _runs(history, campaign, limits, now, run_s, _typical_s(history) or run_s)
    roomy = left is None or left > 0
    return Outlook(
        stop=state,
        run_s=run_s,
        run_gpu_hours=run_hours,
        runs_left=left,
        runs_total=total,
        may_explore=not state.met and roomy and history.stop is None,
        now=now,
    )


def _next_run_s(history: History, limits: StopLimits, expected_s: float | None) -> float:
    """R100: with a cap per experiment, a run fits only if the whole cap fits; without one, judge by what runs took."""
    if limits.per_experiment_timeout is not None:
        return limits.per_experiment_timeout
    return max(_walls(history), default=expected_s or 0.0)


def _typical_s(history: History) -> float:
    """Mean of what valid runs took, waiting in queues included; 0 before the first."""
    walls = _walls(history)
    return sum(walls) / len(walls) if walls else 0.0


def _walls(history: History) -> list[float]:
    runs = [run for run in history.runs.values() if run.valid]
    return [wall + (run.queued_s or 0.0) for run in runs if (wall := run.wall_s) is not None]


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
    gpus = max((run.planned.resources.gpus for run in history.runs.values()), default=0)
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
