"""Two looks: what seems worth having is run once more, and kept if it still does. A policy that is only a rule."""

from autoresearch.experiment.outcome import Status
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time


def two_looks() -> Composed:
    """One idea at a time, judged by `still_worth_it`."""
    way = WayOfJudging(by="two-looks", order=one_at_a_time, rule=still_worth_it, why="two-looks: one idea at a time")
    return Composed(name="two-looks", choose=always(way))


def still_worth_it(evidence: Evidence, contest: Contest) -> Ruling | None:
    """The verdict on a candidate; None asks for another run."""
    if contest.effect.gain <= (evidence.settings.worth or 0.0):
        return Ruling(Status.DISCARD, "not worth having")
    if contest.effect.runs < 2 and not contest.last:
        return None
    return Ruling(Status.KEEP, "worth having at both looks")
