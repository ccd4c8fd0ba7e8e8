"""Symptoms of a training run by reinforcement learning, as a table of rules over curves by their roles. Pure.

A framework says which of its tags is the reward, the KL divergence, the entropy (`roles`); the rules are the same for
all of them, and so are the names that a playbook knows them by. A role that a framework has no tag for shows nothing.

Early and late mean the median of the first and of the last five logged points, so that one odd step raises no alarm.
Only numbers that are not finite in three steps in a row are FATAL: weights that are NaN do not recover, so ending such
a run early loses nothing.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from autoresearch.run.collapse import Curves, collapses
from autoresearch.run.measurement import Readings, Series
from autoresearch.run.symptom import Severity, Symptom

SPAN = 5
"""Logged points at either end of a curve that make up `early` and `late`."""

STREAK = 3
"""Steps in a row without a finite loss that count as divergence."""

ROLES = (
    *("loss", "gradient", "reward", "validation", "kl", "entropy", "length", "truncation"),
    *("token_error", "kl_error", "none_right", "all_right", "no_spread"),
)
"""What a curve can be: `token_error` and `kl_error` tell how far rollouts and training disagree; `none_right`,
`all_right` and `no_spread` are shares of prompt groups, from 0 to 1, or in percent where the tag says `pct`."""

Roles = Mapping[str, Sequence[str]]
"""Regular expressions for the tags of a role, the one that is preferred first."""


class RunCurves:
    """Series of a run by tag, and by the role that a framework gives a tag; event files before printed lines."""

    def __init__(self, readings: Mapping[str, Readings], roles: Roles | None = None) -> None:
        self._sources = [readings[name] for name in ("tensorboard", "logs") if name in readings]
        self._sources += [one for name, one in readings.items() if name not in {"tensorboard", "logs"}]
        self._roles = roles or {}

    def series(self, tag: str) -> Series | None:
        """The series as logged, NaN included."""
        return next((found.series[tag] for found in self._sources if tag in found.series), None)

    def tag(self, role: str) -> str:
        """The tag that plays a role in this run; where none does, the name of the role."""
        for pattern in self._roles.get(role, ()):
            if found := self.matching(pattern):
                return next(iter(found))
        return role

    def role(self, role: str) -> Series | None:
        """The series that plays a role."""
        return self.series(self.tag(role))

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


def shown_by(rules: Sequence[HealthRule], curves: RunCurves) -> list[Symptom]:
    """The symptoms of a run by a table of rules, in its order, and what has collapsed."""
    found = ((rule, rule.shows(curves)) for rule in rules)
    symptoms = [Symptom(rule.name, rule.severity, shown, rule.fault, rule.advice) for rule, shown in found if shown]
    roles = ("reward", "validation", "length", "loss", "gradient")
    return [*symptoms, *collapses(Curves(**{role: curves.role(role) for role in roles}))]  # KL has a rule of its own


def diverged(curves: RunCurves) -> str:
    """Whether loss or gradient norm stopped being finite for good: `STREAK` steps in a row, or the final loss."""
    for role in ("loss", "gradient"):
        series = curves.role(role)
        if series is None or not series.values:
            continue
        at = _streak_start(series)
        if at is not None:
            return f"{series.tag} was not finite in {STREAK} steps in a row, from step {at} on"
        if role == "loss" and not math.isfinite(series.values[-1]):
            return f"{series.tag} is {series.values[-1]} at its last step {series.steps[-1]}"
    return ""


def _streak_start(series: Series) -> int | None:
    run = 0
    for index, value in enumerate(series.values):
        run = 0 if math.isfinite(value) else run + 1
        if run == STREAK:
            return series.steps[index - STREAK + 1]
    return None


def _fatal_streak(curves: RunCurves) -> str:
    found = (curves.role(role) for role in ("loss", "gradient"))
    starts = [(series.tag, at) for series in found if series and (at := _streak_start(series)) is not None]
    return "; ".join(f"{tag} not finite in {STREAK} steps in a row, from step {at} on" for tag, at in starts)


def _single_nan(curves: RunCurves) -> str:
    if _fatal_streak(curves):
        return ""
    shown = []
    for role in ("loss", "gradient"):
        series = curves.role(role)
        bad = [step for step, value in series.points() if not math.isfinite(value)] if series else []
        if series and bad:
            shown.append(f"{series.tag} not finite at step {', '.join(map(str, bad[:5]))}")
    return "; ".join(shown)


def _gradient_spikes(curves: RunCurves) -> str:
    tag = curves.tag("gradient")
    values = curves.finite(tag)
    if len(values) < 2 * SPAN:
        return ""
    usual, worst = median(values), max(values[-2 * SPAN :])
    return f"{tag} reached {worst:.3g}, usually {usual:.3g}" if usual > 0 and worst > 10 * usual else ""


def _kl_growth(curves: RunCurves) -> str:
    tag = curves.tag("kl")
    early, late = curves.early(tag), curves.late(tag)
    if early is None or late is None or late < 0.1 or late < 5 * abs(early):
        return ""
    return f"{tag} rose from {early:.3g} to {late:.3g}"


def _mismatch(curves: RunCurves) -> str:
    """NeMo-RL plots and warns beyond 1.05, and calls KL errors below about 1e-3 healthy; twice that is shown."""
    limits = ((curves.tag("token_error"), 1.05), (curves.tag("kl_error"), 2e-3))
    found = ((tag, limit, curves.late(tag)) for tag, limit in limits)
    return "; ".join(f"{tag} {late:.4g} (healthy below {limit:g})" for tag, limit, late in found if (late or 0) > limit)


def _entropy_collapse(curves: RunCurves) -> str:
    tag = curves.tag("entropy")
    early, late = curves.early(tag), curves.late(tag)
    if early is None or late is None or early <= 0 or late > 0.25 * early:
        return ""
    return f"{tag} fell from {early:.3g} to {late:.3g}"


def _share(curves: RunCurves, role: str) -> float:
    """Late share of prompt groups, 0 to 1."""
    tag = curves.tag(role)
    return (curves.late(tag) or 0.0) / (100 if "pct" in tag else 1)


def _zero_variance(curves: RunCurves) -> str:
    none, every, flat = _share(curves, "none_right"), _share(curves, "all_right"), _share(curves, "no_spread")
    if none + every > 0.6:
        return f"{none:.0%} of prompt groups all wrong and {every:.0%} all right: they give no gradient"
    return f"{flat:.0%} of prompt groups have one reward throughout: they give no gradient" if flat > 0.6 else ""


def _no_signal(curves: RunCurves) -> str:
    tag = curves.tag("reward")
    if _share(curves, "none_right") > 0.9:
        return f"{_share(curves, 'none_right'):.0%} of prompt groups never score"
    values = curves.finite(tag)
    if curves.late(tag) == 0 and len(values) >= 2 * SPAN and not any(values):
        return f"{tag} is 0 in all {len(values)} steps"
    return ""


def _saturated(curves: RunCurves) -> str:
    share = _share(curves, "all_right")
    return f"{share:.0%} of prompt groups are always right" if share > 0.8 else ""


def _truncation(curves: RunCurves) -> str:
    late = curves.late(curves.tag("truncation"))
    return f"{late:.0%} of answers hit the length limit" if late is not None and late > 0.2 else ""


def _weak_transfer(curves: RunCurves) -> str:
    tag, held_out = curves.tag("reward"), curves.tag("validation")
    validation, early, late = curves.finite(held_out), curves.early(tag), curves.late(tag)
    if early is None or late is None or len(validation) < 3:
        return ""
    gained, transferred = late - early, validation[-1] - validation[0]
    if gained < 0.1 or transferred > 0.2 * gained:
        return ""
    return f"{tag} gained {gained:.3g}, {held_out} {transferred:.3g}"


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
)
"""For every framework; what one can show besides stands in its own table."""
