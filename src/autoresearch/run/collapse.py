"""Collapses that show in the shape of a run's curves, for any target that has such curves. Pure.

The end of a curve says little: a reward that is low at the end may never have risen, or may be about to recover. Here a
curve is looked at as a whole, smoothed, against its own noise; a dip that recovers is no collapse.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from autoresearch.run.measurement import Readings, Series
from autoresearch.run.symptom import Severity, Symptom

FEWEST = 12
"""Points below which a curve has no shape."""

SAME = 8
"""Values in a row that are equal to the last digit before nothing seems to change."""

_TAGS = {
    "reward": r"(?:(?:train|rollout|critic|env)[/_.])*(?:mean_|avg_|episode_)?(?:reward|return|score)s?(?:[/_.]mean)?",
    "validation": r"(?:val|valid|validation|eval|test)[/_.-].*(?:accuracy|acc|reward|score|pass|return)\S*",
    "length": r"\S*(?:gen_tokens_per_sample|(?:response|completion|answer)s?[/_.](?:mean_)?length)(?:[/_.]mean)?",
    "loss": r"(?:(?:train|actor|policy)[/_.])*(?:policy_|actor_|pg_)?loss",
    "gradient": r"\S*grad(?:ient)?_?norm\S*",
    "kl": r"(?:\S*[/_.])?(?:kl|approx_kl|kl_penalty|ppo_kl|kl_loss|kl_div(?:ergence)?)(?:[/_.]mean)?",
}
"""How curves of a role are usually called, as a whole and in lower case."""


class Curves(NamedTuple):
    """A run's curves by what they are, each as it was logged; empty where there is none."""

    reward: Series | None = None
    validation: Series | None = None
    length: Series | None = None
    loss: Series | None = None
    gradient: Series | None = None
    kl: Series | None = None


def curves_of(readings: Mapping[str, Readings], judged: str = "", *, falls: bool = False) -> Curves:
    """The curves of a target that does not name their roles, by the usual names; of two the longer one.

    Args:
        readings: What the sources found.
        judged: The metric, which is never taken for the loss: at zero it would be as good as can be.
        falls: Whether the metric may fall, because less of it is better or its best value counts.
    """
    found: dict[str, Series] = {}
    for one in readings.values():
        for tag, series in one.series.items():
            role = next((name for name, text in _TAGS.items() if re.fullmatch(text, tag.lower())), "")
            if tag == judged and (role == "loss" or (role == "reward" and falls)):
                continue
            if role and (role not in found or len(found[role].steps) < len(series.steps)):
                found[role] = series
    return Curves(**found)


@dataclass(frozen=True)
class Collapse:
    """A way to collapse.

    Attributes:
        name: Stable name the playbook keys on.
        shows: Curves to the numbers that show it and whether a recovery is implausible; None when it is absent.
        advice: What to try next.
    """

    name: str
    shows: Callable[[Curves], tuple[str, bool] | None]
    advice: str


def collapses(curves: Curves) -> tuple[Symptom, ...]:
    """What has collapsed; FATAL where a recovery is implausible."""
    found = ((rule, rule.shows(curves)) for rule in RULES)
    return tuple(
        Symptom(rule.name, Severity.FATAL if shown[1] else Severity.WARNING, shown[0], "idea", rule.advice)
        for rule, shown in found
        if shown
    )


def _finite(series: Series | None) -> list[tuple[int, float]]:
    return [(step, value) for step, value in series.points() if math.isfinite(value)] if series else []


def _smooth(values: Sequence[float]) -> list[float]:
    """Running medians over a twentieth of the curve, three points at least."""
    half = max(1, len(values) // 40)
    return [median(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]


def _noise(values: Sequence[float]) -> float:
    """What one value differs from the next by, usually."""
    return median([abs(after - before) for before, after in pairwise(values)]) if len(values) > 1 else 0.0


def _fell_for_good(curves: Curves) -> tuple[str, bool] | None:
    """Most of what was gained is lost again, throughout a last part that is long enough for a dip to be over."""
    points = _finite(curves.reward)
    if curves.reward is None or len(points) < FEWEST:
        return None
    values = [value for _, value in points]
    smooth = _smooth(values)
    peak = max(range(len(smooth)), key=smooth.__getitem__)
    start = min(smooth[: peak + 1])
    gained = smooth[peak] - start
    low = start + 0.25 * gained
    lasted = next((count for count, value in enumerate(reversed(smooth)) if value > low), len(smooth))
    if gained <= 4 * _noise(values) or lasted < max(5, len(values) // 10):
        return None
    rest = smooth[-lasted:]
    rising = median(rest[-max(3, lasted // 3) :]) > median(rest[: max(3, lasted // 3)]) + 0.05 * gained
    gone = lasted >= max(10, len(values) // 5) and max(rest[lasted // 2 :]) <= start + 0.15 * gained and not rising
    told = f"{curves.reward.tag} rose to {smooth[peak]:.3g} at step {points[peak][0]} and has been at "
    return f"{told}{median(rest):.3g} for {lasted} points", gone


def _short_answers(curves: Curves) -> tuple[str, bool] | None:
    points = _finite(curves.length)
    if curves.length is None or len(points) < FEWEST:
        return None
    smooth = _smooth([value for _, value in points])
    early, last = max(smooth[: len(smooth) // 2]), smooth[-max(5, len(smooth) // 10) :]
    if early <= 0 or max(last) > 0.1 * early:
        return None
    return f"{curves.length.tag} fell from {early:.4g} to {median(last):.4g}", False


def _nothing_changes(curves: Curves) -> tuple[str, bool] | None:
    """Every curve that tells how good the policy is stands still; all wrong or all right is another matter."""
    least = {"reward": SAME, "validation": 3}
    told = [(one, least[role]) for role, one in (("reward", curves.reward), ("validation", curves.validation)) if one]
    long = [(one, [value for _, value in _finite(one)]) for one, fewest in told if len(_finite(one)) >= fewest]
    if not long or max(len(values) for _, values in long) < min(SAME, 3 * len(long)):
        return None
    if any(len(set(values)) > 1 for _, values in long) or all(values[0] in {0.0, 1.0} for _, values in long):
        return None
    if len(long) == 1 and len(long[0][1]) < SAME:
        return None
    return "; ".join(f"{one.tag} is {values[0]:.6g} in all {len(values)} points" for one, values in long), False


def _no_loss(curves: Curves) -> tuple[str, bool] | None:
    """A loss of exactly zero trains nothing, unless the gradient or the reward says otherwise."""
    points = _finite(curves.loss)
    last = next((count for count, (_, value) in enumerate(reversed(points)) if value != 0), len(points))
    if curves.loss is None or last < max(SAME, len(points) // 5):
        return None
    gradient = [value for _, value in _finite(curves.gradient)][-last:]
    reward = [value for _, value in _finite(curves.reward)][-last:]
    quarter = max(1, len(reward) // 4)
    learns = len(reward) >= SAME and median(reward[-quarter:]) > median(reward[:quarter]) + 2 * _noise(reward)
    dead = last >= 20 and not any(gradient) and not learns
    return f"{curves.loss.tag} has been exactly 0 for {last} points, since step {points[-last][0]}", dead


def _far_away(curves: Curves) -> tuple[str, bool] | None:
    points = _finite(curves.kl)
    if curves.kl is None or len(points) < FEWEST:
        return None
    values = [value for _, value in points]
    before, last = median([abs(value) for value in values[: len(values) // 2]]), values[-5:]
    if min(last) < 1.0 or min(last) < 10 * before:
        return None
    return f"{curves.kl.tag} rose from {before:.3g} to {median(last):.3g}", False


RULES: tuple[Collapse, ...] = (
    Collapse(
        "reward-collapse",
        _fell_for_good,
        "Lower the learning rate, clip or penalise steps harder, and judge by a checkpoint before the fall.",
    ),
    Collapse(
        "length-collapse",
        _short_answers,
        "Answers have become empty or formulaic: look at samples, and at what the reward pays for short ones.",
    ),
    Collapse(
        "nothing-changes",
        _nothing_changes,
        "The weights that are sampled from do not change: check that updates reach the sampler and the learning rate.",
    ),
    Collapse(
        "zero-loss",
        _no_loss,
        "Nothing is learned: advantages or masks may be all zero; check group sizes, reward spread and filters.",
    ),
    Collapse(
        "kl-explosion",
        _far_away,
        "The policy runs away from its reference: raise the KL penalty or lower the learning rate.",
    ),
)

NAMES = frozenset(rule.name for rule in RULES)
