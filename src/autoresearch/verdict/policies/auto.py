"""Auto: the policy that the measured noise asks for, and it may change its mind.

1. Three baseline runs measure the noise of one run.
2. Beside the smallest gain worth having (`worth`) it is quiet, or loud. Without `worth` the gains seen so far stand in,
   after eight ideas; until then it works as `sequential`.
3. Quiet (under 1.5 times the gain): one run per idea, for there greed finds most; unlike `greedy` it takes luck out of
   the bar, and re-measures it from a noise of one gain on. Where three runs fit for every idea to come: `sequential`.
4. Loud (after those three runs where they fit): `screening`, many ideas per run.
5. Every request for an idea says which, with the two numbers.
"""

import math
from dataclasses import replace
from typing import Literal, NamedTuple

from autoresearch.experiment.board import Advice
from autoresearch.verdict.evidence import PILOT, Evidence
from autoresearch.verdict.policies.one_at_a_time import Contest, Ruling, affords
from autoresearch.verdict.policies.screening import Screening
from autoresearch.verdict.policies.screening_array import arrays
from autoresearch.verdict.policies.sequential import MOST, Sequential

QUIET = 1.0
"""Noise of one run, in gains worth having, up to which luck cannot hold the bar for long, and anchors are spared.

In simulated campaigns with a noise of one gain they found nothing more; on pure noise 5.3 ideas in a hundred runs were
kept with them and 4.5 without (120 campaigns each).
"""

LOUD = 1.5
"""Noise of one run, in gains worth having, from which ideas are bundled."""


class Choice(NamedTuple):
    """Which way of judging, and why; `calm` where a lucky run cannot hold the bar for long."""

    way: Literal["single", "sequential", "screening"]
    why: str
    calm: bool = False


class Auto(Screening):
    """Chooses between one run per idea, `sequential` and `screening`."""

    name = "auto"

    def work(self, evidence: Evidence) -> Advice | None:
        """As the choice says; an array under way is finished first."""
        open_names = {idea.name for idea in evidence.open}
        under_way = any(open_names & set(array.members) for array in arrays(evidence))
        if under_way or choose(evidence).way == "screening":
            return super().work(evidence)
        return Sequential.work(self, evidence)

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        """As `sequential`, at the first look where noise is quiet."""
        if choose(evidence).way == "single" and contest.effect.runs >= (contest.idea.seeds or 1):
            contest = replace(contest, last=True)
        return super().rule(evidence, contest)

    def aside(self, evidence: Evidence) -> Advice | None:
        """Anchors where the bar can be lucky."""
        return None if choose(evidence).calm else super().aside(evidence)

    def wish(self, evidence: Evidence) -> str:
        """Name the choice and its numbers."""
        return f"auto: {choose(evidence).why}"


def choose(evidence: Evidence) -> Choice:
    """By one run's noise beside the gain worth having."""
    sigma, gain = evidence.sigma, evidence.scale
    if sigma is None:
        return Choice("sequential", "sequential, because the noise is not known yet")
    if gain is None:
        return Choice("sequential", f"sequential, until {PILOT} ideas show how large gains are")
    source = "the gain worth having" if gain == evidence.settings.worth else "gains so far"
    numbers = f"for the noise of one run is {sigma:.3g} and {source} {gain:.3g}"
    most = min(MOST, max(1, evidence.settings.max_runs))
    if most > 1 and affords(evidence, most):
        if sigma / math.sqrt(most) < LOUD * gain:
            return Choice("sequential", f"sequential, {numbers}, and {most} runs fit for every idea to come")
    elif sigma < LOUD * gain:
        return Choice("single", f"one run per idea, {numbers}", calm=sigma < QUIET * gain)
    return Choice("screening", f"screening, many ideas per run, {numbers}")
