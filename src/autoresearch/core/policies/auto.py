"""Auto: the policy that the measured noise asks for, and it may change its mind.

1. Three baseline runs measure the noise of one run.
2. Beside the smallest gain worth having (`worth`) it is quiet, or loud. Without `worth` the gains seen so far stand in,
   after eight ideas.
3. Quiet: `sequential`, which then runs most ideas once, as greedy would, and takes luck out of the bar.
4. Loud (0.8 of the gain or more): `screening`, many ideas per run.
5. Every request for an idea says which, with the two numbers.
"""

import math
from typing import NamedTuple

from autoresearch.core.board import Advice
from autoresearch.core.policies.arrays import arrays
from autoresearch.core.policies.evidence import Evidence
from autoresearch.core.policies.screening import Screening
from autoresearch.core.policies.sequential import Sequential

LOUD = 0.8
"""Noise of one run, in gains worth having, from which ideas are bundled."""

PILOT = 8
"""Ideas judged before their own gains may stand in for `worth`."""


class Choice(NamedTuple):
    """Which way of judging, and why."""

    screening: bool
    why: str


class Auto(Screening):
    """Chooses between `sequential` and `screening`."""

    name = "auto"

    def work(self, evidence: Evidence) -> Advice | None:
        """As the choice says; an array under way is finished first."""
        open_names = {idea.name for idea in evidence.open}
        under_way = any(open_names & set(array.members) for array in arrays(evidence))
        if under_way or choose(evidence).screening:
            return super().work(evidence)
        return Sequential.work(self, evidence)

    def wish(self, evidence: Evidence) -> str:
        """Name the choice and its numbers."""
        return f"auto: {choose(evidence).why}"


def choose(evidence: Evidence) -> Choice:
    """Bundle when one run's noise is large beside the gain worth having."""
    sigma, worth = evidence.sigma, evidence.settings.worth
    if sigma is None:
        return Choice(screening=False, why="sequential, for the noise is not known yet")
    gain, source = (worth, "the gain worth having") if worth and worth > 0 else (typical_gain(evidence), "gains so far")
    if gain is None:
        return Choice(screening=False, why=f"sequential, until {PILOT} ideas show how large gains are")
    loud = sigma >= LOUD * gain
    word = "screening: many ideas per run" if loud else "sequential"
    return Choice(loud, f"{word}, for the noise of one run is {sigma:.3g} and {source} {gain:.3g}")


def typical_gain(evidence: Evidence) -> float | None:
    """Root mean square of the gains above zero seen so far, less their noise; None before `PILOT` ideas."""
    verdicts = [idea.verdict for idea in evidence.board.ideas if idea.verdict is not None]
    known = [(v.effect, v.runs) for v in verdicts if v.effect is not None and v.runs]
    if len(known) < PILOT:
        return None
    sigma = evidence.sigma or 0.0
    above = [effect * effect - 2 * sigma * sigma / runs for effect, runs in known if effect > 0]
    square = sum(above) / len(above) if above else 0.0
    return math.sqrt(square) if 0 < square < math.inf else 0.0
