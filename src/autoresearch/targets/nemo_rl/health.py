"""Symptoms of a NeMo-RL run, as a table of rules over its curves. Pure, and meant for live runs as well.

Early and late mean the median of the first and of the last five logged points, so that one odd step raises no alarm.
Only numbers that are not finite in three steps in a row are FATAL: weights that are NaN do not recover, so ending such
a run early loses nothing.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from autoresearch.run.collapse import Curves, collapses
from autoresearch.run.measurement import Readings, Series
from autoresearch.run.post_mortem import crash_symptoms, worst_first
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets.nemo_rl import grammar

SPAN = 5
"""Logged points at either end of a curve that make up `early` and `late`."""

STREAK = 3
"""Steps in a row without a finite loss that count as divergence."""


class RunCurves:
    """Series of a run by logger tag, event files before printed lines."""

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        self._sources = [readings[name] for name in ("tensorboard", "logs") if name in readings]
        self._sources += [one for name, one in readings.items() if name not in {"tensorboard", "logs"}]

    def series(self, tag: str) -> Series | None:
        """The series as logged, NaN included."""
        return next((found.series[tag] for found in self._sources if tag in found.series), None)

    def finite(self, tag: str) -> tuple[float, ...]:
        """Finite values in order of steps; empty when the tag is missing."""
        series = self.series(tag)
        return tuple(filter(math.isfinite, series.values)) if series else ()

    def early(self, tag: str) -> float | None:
        """Median of the first points, once early and late do not overlap."""
        values = self.finite(tag)
        return median(values[:SPAN]) if len(values) >= 2 * SPAN else None

    def late(self, tag: str) -> float | None:
        """Median of the last points, once there are enough."""
        values = self.finite(tag)
        return median(values[-SPAN:]) if len(values) >= SPAN else None

    def matching(self, pattern: str) -> dict[str, tuple[float, ...]]:
        """Finite values of every tag that matches a pattern as a whole."""
        tags = {tag for found in self._sources for tag in found.series if re.fullmatch(pattern, tag)}
        return {tag: self.finite(tag) for tag in sorted(tags)}


@dataclass(frozen=True)
class HealthRule:
    """One symptom.

    Attributes:
        name: Stable name the playbook keys on.
        shows: Curves to the numbers that show it; empty when it is absent.
        advice: What to try next.
        severity: How much it should worry.
        fault: Whose doing it is.
    """

    name: str
    shows: Callable[[RunCurves], str]
    advice: str
    severity: Severity = Severity.WARNING
    fault: str = "idea"


def diverged(curves: RunCurves) -> str:
    """Whether loss or gradient norm stopped being finite for good: `STREAK` steps in a row, or the final loss."""
    for tag in ("train/loss", "train/grad_norm"):
        series = curves.series(tag)
        if series is None or not series.values:
            continue
        at = _streak_start(series)
        if at is not None:
            return f"{tag} was not finite in {STREAK} steps in a row, from step {at} on"
        if tag == "train/loss" and not math.isfinite(series.values[-1]):
            return f"{tag} is {series.values[-1]} at its last step {series.steps[-1]}"
    return ""


def _streak_start(series: Series) -> int | None:
    run = 0
    for index, value in enumerate(series.values):
        run = 0 if math.isfinite(value) else run + 1
        if run == STREAK:
            return series.steps[index - STREAK + 1]
    return None


def _fatal_streak(curves: RunCurves) -> str:
    found = (curves.series(tag) for tag in ("train/loss", "train/grad_norm"))
    starts = [(series.tag, at) for series in found if series and (at := _streak_start(series)) is not None]
    return "; ".join(f"{tag} not finite in {STREAK} steps in a row, from step {at} on" for tag, at in starts)


def _single_nan(curves: RunCurves) -> str:
    if _fatal_streak(curves):
        return ""
    shown = []
    for tag in ("train/loss", "train/grad_norm"):
        series = curves.series(tag)
        bad = [step for step, value in series.points() if not math.isfinite(value)] if series else []
        if bad:
            shown.append(f"{tag} not finite at step {', '.join(map(str, bad[:5]))}")
    return "; ".join(shown)


def _gradient_spikes(curves: RunCurves) -> str:
    values = curves.finite("train/grad_norm")
    if len(values) < 2 * SPAN:
        return ""
    usual, worst = median(values), max(values[-2 * SPAN :])
    return f"train/grad_norm reached {worst:.3g}, usually {usual:.3g}" if usual > 0 and worst > 10 * usual else ""


def _kl_growth(curves: RunCurves) -> str:
    early, late = curves.early("train/kl_penalty"), curves.late("train/kl_penalty")
    if early is None or late is None or late < 0.1 or late < 5 * abs(early):
        return ""
    return f"train/kl_penalty rose from {early:.3g} to {late:.3g}"


def _mismatch(curves: RunCurves) -> str:
    """Upstream plots and warns beyond 1.05, and calls KL errors below about 1e-3 healthy; twice that is shown."""
    limits = (("train/token_mult_prob_error", 1.05), ("train/gen_kl_error", 2e-3))
    found = ((tag, limit, curves.late(tag)) for tag, limit in limits)
    return "; ".join(f"{tag} {late:.4g} (healthy below {limit:g})" for tag, limit, late in found if (late or 0) > limit)


def _entropy_collapse(curves: RunCurves) -> str:
    early, late = curves.early("train/approx_entropy"), curves.late("train/approx_entropy")
    if early is None or late is None or early <= 0 or late > 0.25 * early:
        return ""
    return f"train/approx_entropy fell from {early:.3g} to {late:.3g}"


def _share(curves: RunCurves, name: str) -> float:
    """Late share of prompt groups, 0 to 1; upstream logs `baseline_reward/pct_*` in percent."""
    return (curves.late(f"train/baseline_reward/pct_{name}") or 0.0) / 100


def _zero_variance(curves: RunCurves) -> str:
    none, every = _share(curves, "0"), _share(curves, "1")
    if none + every <= 0.6:
        return ""
    return f"{none:.0%} of prompt groups all wrong and {every:.0%} all right: they give no gradient"


def _no_signal(curves: RunCurves) -> str:
    reward = curves.late("train/reward")
    if _share(curves, "0") > 0.9:
        return f"{_share(curves, '0'):.0%} of prompt groups never score"
    values = curves.finite("train/reward")
    if reward == 0 and len(values) >= 2 * SPAN and not any(values):
        return f"train/reward is 0 in all {len(values)} steps"
    return ""


def _saturated(curves: RunCurves) -> str:
    share = _share(curves, "1")
    return f"{share:.0%} of prompt groups are always right" if share > 0.8 else ""


def _truncation(curves: RunCurves) -> str:
    late = curves.late("train/truncation_rate")
    return f"{late:.0%} of answers hit the length limit" if late is not None and late > 0.2 else ""


def _weak_transfer(curves: RunCurves) -> str:
    validation = curves.finite("validation/accuracy")
    early, late = curves.early("train/reward"), curves.late("train/reward")
    if early is None or late is None or len(validation) < 3:
        return ""
    gained, transferred = late - early, validation[-1] - validation[0]
    if gained < 0.1 or transferred > 0.2 * gained:
        return ""
    return f"train/reward gained {gained:.3g}, validation/accuracy {transferred:.3g}"


def _ratio(curves: RunCurves, part: str, whole: str) -> float:
    share, total = curves.late(part), curves.late(whole)
    return share / total if share is not None and total else 0.0


def _generation_bound(curves: RunCurves) -> str:
    """Synchronous runs log `generation`; asynchronous ones the part of it that training waits for."""
    tags = ("timing/train/exposed_generation", "timing/train/generation")
    tag = next((each for each in tags if curves.finite(each)), tags[-1])
    share = _ratio(curves, tag, "timing/train/total_step_time")
    return f"{tag} takes {share:.0%} of a step" if share > 0.65 else ""


def _low_gpu_use(curves: RunCurves) -> str:
    by_gpu = curves.matching(r"ray/node\.\d+\.gpu\.\d+\.util")
    values = [value for each in by_gpu.values() for value in each]
    used = sum(values) / max(len(values), 1)  # not fmean, which refuses numbers too wild to be a share of anything
    if len(values) < SPAN or used >= 30:
        return ""
    return f"GPUs are used {used:.0f} % on average ({len(by_gpu)} GPUs)"


def _idle_workers(curves: RunCurves) -> str:
    late = curves.late("performance/training_worker_idle_time_ratio")
    return f"training workers idle {late:.0%} of the time" if late is not None and late > 0.3 else ""


RULES: tuple[HealthRule, ...] = (
    HealthRule(
        "nan-loss",
        _fatal_streak,
        "Lower the learning rate, clip gradients harder, or raise precision; the weights are lost.",
        Severity.FATAL,
    ),
    HealthRule("nan-step", _single_nan, "A step was not finite: watch precision, learning rate and gradient clipping."),
    HealthRule("gradient-spikes", _gradient_spikes, "Lower the learning rate, lengthen the warm-up or clip harder."),
    HealthRule(
        "kl-growth", _kl_growth, "Raise the KL penalty, lower the learning rate or take fewer updates per batch."
    ),
    HealthRule(
        "train-inference-mismatch",
        _mismatch,
        "Bring training and rollout numerics together (precision, backend) or correct by importance sampling.",
    ),
    HealthRule(
        "entropy-collapse",
        _entropy_collapse,
        "Keep exploration: higher upper clip, lower learning rate, higher temperature or a KL term.",
    ),
    HealthRule(
        "no-reward-signal",
        _no_signal,
        "Rewards are all zero: check the prompt template, the answer format and the difficulty of the data.",
    ),
    HealthRule(
        "reward-saturation",
        _saturated,
        "The training set is solved: use harder or filtered prompts, or a stricter reward.",
    ),
    HealthRule(
        "zero-variance-groups",
        _zero_variance,
        "Most groups give no gradient: more generations per prompt, dynamic sampling, or prompts of middle difficulty.",
    ),
    HealthRule(
        "truncation", _truncation, "Allow longer answers, shape the reward for length, or filter overlong samples."
    ),
    HealthRule(
        "weak-transfer",
        _weak_transfer,
        "Training reward rises without validation: compare prompts, reward and data of the two.",
    ),
    HealthRule(
        "generation-bound",
        _generation_bound,
        "Rollouts take most of a step: shorter answers, asynchronous rollouts, or more generation workers.",
        Severity.INFO,
    ),
    HealthRule("idle-workers", _idle_workers, "Balance sequences between workers or pack them.", Severity.INFO),
    HealthRule(
        "low-gpu-use",
        _low_gpu_use,
        "GPUs wait: larger micro batches, fewer off-loads, or rollouts and training in parallel.",
        Severity.INFO,
    ),
)


def health(log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
    """Crash signatures and symptoms, worst first."""
    curves = RunCurves(grammar.with_tail(readings, log_tail))
    found = ((rule, rule.shows(curves)) for rule in RULES)
    symptoms = [Symptom(rule.name, rule.severity, shown, rule.fault, rule.advice) for rule, shown in found if shown]
    return worst_first([*crash_symptoms(log_tail), *symptoms, *collapses(_by_role(curves))])


def _by_role(curves: RunCurves) -> Curves:
    """KL has rules of its own above."""
    validation = next(iter(sorted(curves.matching(r"validation(?:-[^/]+)?/(?:accuracy|total_reward/mean)"))), "")
    return Curves(
        reward=curves.series("train/reward"),
        validation=curves.series(validation),
        length=curves.series("train/mean_gen_tokens_per_sample"),
        loss=curves.series("train/loss"),
        gradient=curves.series("train/grad_norm"),
    )
