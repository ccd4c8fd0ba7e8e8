"""Whether the machine changed over the campaign: told from repeats of unchanged code."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoresearch.experiment.board import Board, Trial
from autoresearch.experiment.outcome import BASELINE, Verdict
from autoresearch.verdict.evidence import UNSELECTED
from autoresearch.verdict.statistics import mean, pooled, t_quantile


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Change of the machine over the campaign, from repeats of the same arms.

    Attributes:
        slope: Change of the metric (its own unit and direction) per run of the campaign.
        total: The same from the first run to the last.
        low: Lower end of the 90 % interval of `total`.
        high: Upper end of the 90 % interval of `total`.
        repeats: Repeats beyond the first of each arm that it rests on.
        shown: Whether the 99 % interval excludes no drift.
    """

    slope: float
    total: float
    low: float
    high: float
    repeats: int
    shown: bool


def drift(board: Board) -> Drift | None:
    """Trend over time within arms that ran more than once; None with fewer than three repeats, or all at one time.

    Of the baseline all runs count, of other arms those that chose nothing: what was kept or repeated for a lucky first
    run falls back later, and would look like a machine that gets worse. A few repeats can hug their own trend by luck,
    so the scatter within ideas, whose runs lie close in time, is pooled in where it is larger.
    """
    points = [point for name, runs in _valid(board).items() for point in _centred(name, runs)]
    repeats = len(points) - len({name for name, _, _ in points})
    spread = sum(when * when for _, when, _ in points)
    if repeats < 3 or spread <= 0:
        return None
    slope = sum(when * value for _, when, value in points) / spread
    rest = sum((value - slope * when) * (value - slope * when) for _, when, value in points)
    square, freedom = _noise(rest, max(1, repeats - 1), board)
    error = math.sqrt(square / spread)
    span = max(trial.order for trial in board.trials) - min(trial.order for trial in board.trials)
    margin = t_quantile(0.95, freedom) * error
    shown = abs(slope) > t_quantile(0.995, freedom) * error
    return Drift(
        slope=slope,
        total=slope * span,
        low=(slope - margin) * span,
        high=(slope + margin) * span,
        repeats=repeats,
        shown=shown,
    )


def beside_drift(verdict: Verdict, board: Board) -> Verdict:
    """The verdict, with a remark where the machine is known to drift: runs of other times were compared as they are.

    What a correction could win back at most is on the page about verdicts. Claims need none, their pairs being run side
    by side.
    """
    trend = drift(board) if verdict.effect is not None else None
    if trend is None or not trend.shown:
        return verdict
    remark = f"not corrected for drift, by which the same code changed {trend.total:+.3g} so far"
    return replace(verdict, reason=f"{verdict.reason}; {remark}")


def _noise(rest: float, freedom: int, board: Board) -> tuple[float, int]:
    """Variance of one run with its degrees of freedom: about the trend, and within ideas where that is more."""
    within: dict[str, list[float]] = {}
    for trial in board.trials:
        if trial.arm != BASELINE and _known(trial):
            within.setdefault(trial.arm, []).append(trial.value or 0.0)
    sigma, more = pooled(within.values())
    if sigma is None or sigma * sigma <= rest / freedom:
        return rest / freedom, freedom
    return (rest + more * sigma * sigma) / (freedom + more), freedom + more


def _known(trial: Trial) -> bool:
    return not trial.pending and not trial.partial and trial.value is not None and math.isfinite(trial.value)


def _valid(board: Board) -> dict[str, list[tuple[float, float]]]:
    """(order, value) of every arm's valid runs, as far as they chose nothing."""
    found: dict[str, list[tuple[float, float]]] = {}
    for t in board.trials:
        if t.arm != BASELINE and t.purpose not in UNSELECTED:
            continue
        if _known(t):
            found.setdefault(t.arm, []).append((float(t.order), t.value or 0.0))
    return found


def _centred(arm: str, runs: Sequence[tuple[float, float]]) -> list[tuple[str, float, float]]:
    """(arm, time, value) of an arm's runs, both about their means; empty for fewer than two."""
    if len(runs) < 2:
        return []
    when, level = mean([order for order, _ in runs]), mean([value for _, value in runs])
    return [(arm, order - when, value - level) for order, value in runs]
