"""Auto: the policy that the measured noise asks for, and it may change its mind.

1. Three baseline runs measure the noise of one run; where they show none, so does a second run of what is kept first.
2. Beside the smallest gain worth having (`worth`) it is quiet, or loud. Without `worth` the gains seen so far stand in,
   after eight ideas; until then it works as `sequential`.
3. Quiet (under 1.5 times the gain): one run per idea, for there greed finds most; unlike `greedy` it takes luck out of
   the bar, and re-measures it from a noise of one gain on. Where three runs fit for every idea to come: `sequential`.
4. Loud (after those three runs where they fit): `screening`, many ideas per run.
5. Every request for an idea says which, with the two numbers.

`doubles` is the same, and two ideas share a run where they are plenty and the campaign's own effects favour it.
"""

import math
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

from autoresearch.verdict.evidence import PILOT, Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging
from autoresearch.verdict.policies.doubles import TOLD, double_under_way, two_at_a_time
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time
from autoresearch.verdict.policies.reserve import affords
from autoresearch.verdict.policies.screening import bundled_where_they_fit, many_at_a_time
from autoresearch.verdict.policies.screening_array import arrays
from autoresearch.verdict.policies.sequential import (
    MOST,
    anchor_or_second_look,
    by_credited_gain,
    where_noise_is,
)

QUIET = 1.0
"""Noise of one run, in gains worth having, up to which luck cannot hold the bar for long, and anchors are spared.

In simulated campaigns with a noise of one gain they found nothing more; on pure noise 5.3 ideas in a hundred runs were
kept with them and 4.5 without (120 campaigns each).
"""

LOUD = 1.5
"""Noise of one run, in gains worth having, from which ideas are bundled."""


def auto() -> Composed:
    """Chooses between one run per idea, `sequential` and `screening`."""
    return Composed(name="auto", choose=choose, spends=bundled_where_they_fit)


def doubles() -> Composed:
    """`auto`, with two ideas in a run where that is worth more."""
    choice = partial(choose, name="doubles", two=True)
    return Composed(name="doubles", choose=choice, spends=bundled_where_they_fit, tells=TOLD)


def choose(evidence: Evidence, name: str = "auto", *, two: bool = False) -> WayOfJudging:
    """By one run's noise beside the gain worth having; a double or an array under way is finished first."""
    seen = by_noise(evidence)
    order = two_at_a_time if two else one_at_a_time
    bundles = seen.suits == "screening" or _under_way(evidence)
    return WayOfJudging(
        by=name,
        order=many_at_a_time if bundles and not (two and double_under_way(evidence)) else order,
        rule=at_first_look if seen.suits == "single" else by_credited_gain,
        aside=where_noise_is if seen.calm else anchor_or_second_look,
        why=f"{name}: {seen.why}",
    )


def at_first_look(evidence: Evidence, contest: Contest) -> Ruling | None:
    """As `sequential`, without a run more than the hypothesis asked for."""
    if contest.effect.runs >= (contest.idea.seeds or 1):
        contest = replace(contest, last=True)
    return by_credited_gain(evidence, contest)


def _under_way(evidence: Evidence) -> bool:
    open_names = {idea.name for idea in evidence.open}
    return any(open_names & set(array.members) for array in arrays(evidence))


class NoiseSeen(NamedTuple):
    """What the measured noise suits, and why; `calm` where a lucky run cannot hold the bar for long."""

    suits: Literal["single", "sequential", "screening"]
    why: str
    calm: bool = False


def by_noise(evidence: Evidence) -> NoiseSeen:
    """One run's noise beside the gain worth having."""
    sigma, gain = evidence.sigma, evidence.scale
    if sigma is None:
        return NoiseSeen("sequential", "sequential, because the noise is not known yet")
    if gain is None:
        return NoiseSeen("sequential", f"sequential, until {PILOT} ideas show how large gains are")
    source = "the gain worth having" if gain == evidence.settings.worth else "gains so far"
    numbers = f"for the noise of one run is {sigma:.3g} and {source} {gain:.3g}"
    most = min(MOST, max(1, evidence.settings.max_runs))
    if most > 1 and affords(evidence, most):
        if sigma / math.sqrt(most) < LOUD * gain:
            return NoiseSeen("sequential", f"sequential, {numbers}, and {most} runs fit for every idea to come")
    elif sigma < LOUD * gain:
        return NoiseSeen("single", f"one run per idea, {numbers}", calm=sigma < QUIET * gain)
    return NoiseSeen("screening", f"screening, many ideas per run, {numbers}")
