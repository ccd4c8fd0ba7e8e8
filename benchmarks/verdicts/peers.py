# ruff: noqa: ARG002  (rules share one signature, and few need all of it)
"""Keep rules that other autonomous research loops use, in our own words, driven through the same interface as ours.

None of them runs fresh seeds at the end, so a benchmark gives them the whole budget to explore.
"""

from itertools import product
from statistics import fmean, median

from autoresearch.experiment.board import PolicySettings
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.one_at_a_time import Contest, OneAtATime, Ruling
from autoresearch.verdict.statistics import normal_cdf

KEEP, DISCARD = Ruling(Status.KEEP, "kept"), Ruling(Status.DISCARD, "dropped")


class Peer(OneAtATime):
    """A rule that believes the incumbent's mean as it stands."""

    credit = False
    first = 1

    def baseline_runs(self, settings: PolicySettings) -> int:
        return self.first


class PlainGreedy(Peer):
    """Keep what looks better in one run."""

    name = "greedy"

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        return KEEP if contest.effect.gain > 0 else DISCARD


class ConfirmOnce(Peer):
    """What looks better is run once more and kept if the mean still does."""

    name = "confirm-once"

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        if contest.effect.gain <= 0:
            return DISCARD
        return KEEP if contest.effect.runs >= 2 or contest.last else None


class FixedSeeds(Peer):
    """Three seeds for everything, means compared."""

    name = "fixed k=3"
    first = 3

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        if contest.effect.runs < 3 and not contest.last:
            return None
        return KEEP if contest.effect.gain > 0 else DISCARD


class MadBadge(Peer):
    """Gain over the baseline by the median absolute deviation of all numbers: 2 is green, below that run again."""

    name = "MAD badge"

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        if contest.effect.gain <= 0:
            return DISCARD
        everything = [value for arm in evidence.arms.values() for value in arm.values.values()]
        centre = median(everything)
        spread = median(abs(value - centre) for value in everything)
        ours, base = evidence.arm(contest.arm).level, evidence.arm(BASELINE).level
        green = spread > 0 and (ours - base) / spread >= 2
        return KEEP if green or contest.effect.runs >= 2 or contest.last else None


class BootstrapGate(Peer):
    """Stop after a first seed that is not better; else three seeds, and keep at bootstrap P(better) >= 0.95."""

    name = "bootstrap gate"
    first = 3

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        if contest.effect.gain <= 0 and contest.effect.runs == 1:
            return DISCARD
        if contest.effect.runs < 3 and not contest.last:
            return None
        ours = _resampled(list(evidence.arm(contest.arm).values.values())[:3])
        theirs = _resampled(list(evidence.arm(contest.against).values.values())[:3])
        better = sum(one > two for one, two in product(ours, theirs)) / (len(ours) * len(theirs))
        return KEEP if better >= 0.95 else DISCARD


class Race(Peer):
    """Seeds until P(better) with pooled noise leaves 0.2 to 0.8, four at most."""

    name = "race to .8"
    first = 3

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        better = normal_cdf(contest.effect.z)
        if better >= 0.8:
            return KEEP
        if better <= 0.5 or contest.effect.runs >= 4 or contest.last:
            return DISCARD
        return None


def _resampled(values: list[float]) -> list[float]:
    return [fmean(draw) for draw in product(values, repeat=len(values))]


PEERS = (PlainGreedy, ConfirmOnce, FixedSeeds, MadBadge, BootstrapGate, Race)
