# ruff: noqa: ARG001  (rules share one signature, and few need all of it)
"""Keep rules that other autonomous research loops use, in our own words, put into the order of work of ours.

None of them runs fresh seeds at the end, so a benchmark gives them the whole budget to explore.
"""

from itertools import product
from statistics import fmean, median

from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Rule, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time
from autoresearch.verdict.statistics import normal_cdf

KEEP, DISCARD = Ruling(Status.KEEP, "kept"), Ruling(Status.DISCARD, "dropped")


def plain_greedy(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Keep what looks better in one run."""
    return KEEP if contest.effect.gain > 0 else DISCARD


def confirm_once(evidence: Evidence, contest: Contest) -> Ruling | None:
    """What looks better is run once more and kept if the mean still does."""
    if contest.effect.gain <= 0:
        return DISCARD
    return KEEP if contest.effect.runs >= 2 or contest.last else None


def fixed_seeds(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Three seeds for everything, means compared."""
    if contest.effect.runs < 3 and not contest.last:
        return None
    return KEEP if contest.effect.gain > 0 else DISCARD


def mad_badge(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Gain over the baseline by the median absolute deviation of all numbers: 2 is green, below that run again."""
    if contest.effect.gain <= 0:
        return DISCARD
    everything = [value for arm in evidence.arms.values() for value in arm.values.values()]
    centre = median(everything)
    spread = median(abs(value - centre) for value in everything)
    ours, base = evidence.arm(contest.arm).level, evidence.arm(BASELINE).level
    green = spread > 0 and (ours - base) / spread >= 2
    return KEEP if green or contest.effect.runs >= 2 or contest.last else None


def bootstrap_gate(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Stop after a first seed that is not better; else three seeds, and keep at bootstrap P(better) >= 0.95."""
    if contest.effect.gain <= 0 and contest.effect.runs == 1:
        return DISCARD
    if contest.effect.runs < 3 and not contest.last:
        return None
    ours = _resampled(list(evidence.arm(contest.arm).values.values())[:3])
    theirs = _resampled(list(evidence.arm(contest.against).values.values())[:3])
    better = sum(one > two for one, two in product(ours, theirs)) / (len(ours) * len(theirs))
    return KEEP if better >= 0.95 else DISCARD


def race(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Seeds until P(better) with pooled noise leaves 0.2 to 0.8, four at most."""
    better = normal_cdf(contest.effect.z)
    if better >= 0.8:
        return KEEP
    if better <= 0.5 or contest.effect.runs >= 4 or contest.last:
        return DISCARD
    return None


def _resampled(values: list[float]) -> list[float]:
    return [fmean(draw) for draw in product(values, repeat=len(values))]


def _peer(name: str, rule: Rule, baseline: int) -> Composed:
    """A rule that believes the incumbent's mean as it stands."""
    way = WayOfJudging(by=name, order=one_at_a_time, rule=rule, credit=False, why=f"{name}: one idea at a time")
    return Composed(name=name, choose=always(way), baseline=baseline)


PEERS = (
    _peer("greedy", plain_greedy, 1),
    _peer("confirm-once", confirm_once, 1),
    _peer("fixed k=3", fixed_seeds, 3),
    _peer("MAD badge", mad_badge, 1),
    _peer("bootstrap gate", bootstrap_gate, 3),
    _peer("race to .8", race, 3),
)
