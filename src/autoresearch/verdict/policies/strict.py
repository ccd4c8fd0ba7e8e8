"""Strict: the chance that the campaign keeps anything false is held to 10 %.

1. Three baseline runs; every idea is tested against the incumbent at 2, 4 and 8 runs.
2. The error allowed to a campaign, 0.10, is spread before it starts: evenly over the runs of its budget, or, without a
   budget, 0.10 / (i (i + 1)) to the i-th idea; a third of an idea's part to each look.
3. Kept is what a look shows to be better at that level (Student's t, pooled noise); what is hopeless stops early.
4. The bar is the incumbent's own mean: a lucky incumbent makes the rule stricter, never looser.
5. Fresh seeds at the end, as always. It finds less than `greedy`; what it keeps can be defended.

Changes kept for being simpler or needed (R106, R107) claim no gain and are outside the 10 %.
"""

from autoresearch.experiment.board import PolicySettings
from autoresearch.experiment.outcome import Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time

ERROR = 0.10
"""Chance, over the whole campaign, that any change without a true gain is kept for its gain."""

LOOKS = (2, 4, 8)

_HOPELESS = {1: 0.3, 2: 0.8, 4: 1.3}
"""Runs so far -> standard errors under which an idea is dropped."""


def strict() -> Composed:
    """Spend a campaign-wide error budget."""
    way = WayOfJudging(
        by="strict", order=one_at_a_time, rule=within_the_error, credit=False, why="strict: one idea at a time"
    )
    return Composed(name="strict", choose=always(way), spends=every_look)


def within_the_error(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Test at the planned looks only."""
    effect, runs = contest.effect, contest.effect.runs
    if runs in LOOKS or contest.last:
        allowed = allowance(evidence, contest) / len(LOOKS)
        bound = effect.bound(allowed)
        if bound is not None and bound > 0:  # so clear that nothing else can be held against it
            return Ruling(Status.KEEP, f"better at error {allowed:.2g}, this look's part of {ERROR:g}")
    floor = max(z for looked, z in _HOPELESS.items() if looked <= runs)
    if effect.z >= floor and not contest.last and runs < max(LOOKS):
        return None
    excuse = shared_rules.excuse(evidence, contest.idea, effect)
    if excuse:
        return Ruling(Status.KEEP, excuse)
    return Ruling(Status.DISCARD, f"not shown at this idea's part of the campaign's error of {ERROR:g}")


def allowance(evidence: Evidence, contest: Contest) -> float:
    """The part of the campaign's error that this idea may use."""
    total = evidence.board.runs_total
    if total is not None and len(evidence.board.ideas) <= total:
        return ERROR / max(1, total)
    place = evidence.board.ideas.index(contest.idea) + 1
    return ERROR / (place * (place + 1))


def every_look(experiments: int, settings: PolicySettings) -> tuple[int, int]:
    """Runs that so many ideas take: one each when all are hopeless, up to the last look when none is."""
    return experiments, experiments * max(1, min(LOOKS[-1], settings.max_runs))
