"""Greedy, under its own name: one run per idea, and whatever looks better is kept.

1. One baseline run, one run per idea.
2. Better than the incumbent's own number: keep. Else: discard.
3. A tie goes to the simpler one.
4. Nothing is repeated and luck stays in the bar: on noise alone about four ideas in a hundred are kept.
5. Fresh seeds at the end say what the branch is really worth.

It finds most where noise is under half of the gains sought; its keeps are not evidence.
"""

from autoresearch.experiment.board import PolicySettings
from autoresearch.experiment.outcome import Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time


def greedy() -> Composed:
    """Keep what looks better in one run."""
    way = WayOfJudging(
        by="greedy", order=one_at_a_time, rule=by_one_look, credit=False, why="greedy: one idea at a time"
    )
    return Composed(name="greedy", choose=always(way), baseline=1, spends=one_run_each)


def by_one_look(evidence: Evidence, contest: Contest) -> Ruling | None:
    """One look; the seeds that a hypothesis asked for are granted first."""
    if contest.effect.runs < (contest.idea.seeds or 1) and not contest.last:
        return None
    if contest.effect.gain > 0:
        objection = shared_rules.objection(evidence, contest.idea, contest.arm, contest.effect)
        return Ruling(Status.DISCARD, objection) if objection else Ruling(Status.KEEP, "greedy: it looked better")
    excuse = shared_rules.excuse(evidence, contest.idea, contest.effect)
    return Ruling(Status.KEEP, excuse) if excuse else Ruling(Status.DISCARD, "greedy: it looked no better")


def one_run_each(experiments: int, settings: PolicySettings) -> tuple[int, int]:
    """Runs that so many ideas take: one each."""
    del settings
    return experiments, experiments
