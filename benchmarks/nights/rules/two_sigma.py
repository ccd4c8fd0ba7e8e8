"""Keep what gains more than two noises of one run in its only run, the noise taken from three runs of the baseline."""

from autoresearch.experiment.outcome import Status
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time


def by_two_noises(evidence: Evidence, contest: Contest) -> Ruling:
    """One look, and a margin."""
    kept = contest.effect.gain > 2 * (evidence.sigma or 0.0)
    return Ruling(Status.KEEP if kept else Status.DISCARD, "two noises of one run")


WAY = WayOfJudging(by="two noises", order=one_at_a_time, rule=by_two_noises, credit=False)
RULES = (("two noises", Composed(name="two noises", choose=always(WAY)), 0.0),)
