"""Sequential: one run for the hopeless, more for the promising, and no credit for luck.

1. Three baseline runs measure the noise; every later repeat sharpens it.
2. A first run that does not look better ends an idea; one that clearly does keeps it; in between it earns more seeds,
   those of the incumbent first, so that they pair when the measured seed correlation allows.
3. A kept change is credited with tau^2 / (tau^2 + 1/n + 1/m) of what was measured, so that luck does not raise the bar.
4. Every tenth run is an anchor: incumbent and baseline in turn, on a new seed.
5. Claims come from fresh seeds at the end, never from the runs that chose.
"""

from autoresearch.core.board import Advice, Measure
from autoresearch.core.experiment import Purpose, Status
from autoresearch.core.policies import judging
from autoresearch.core.policies.evidence import BASELINE, Evidence
from autoresearch.core.policies.single import Contest, OneAtATime, Ruling, spendable

KEEP = 1.0
"""Standard errors above the bar from which an idea is kept at once."""

DROP = 0.3
"""Standard errors above the bar below which an idea is dropped at once."""

CAP = 0.6
"""Standard errors asked of an idea that has used up its runs."""

MOST = 3
"""Runs an idea gets at most, unless its hypothesis asks for more."""

ANCHOR_EVERY = 10

_OF_IDEAS = (Purpose.EXPLORE, Purpose.REPEAT, Purpose.SCREEN)


class Sequential(OneAtATime):
    """Repeats where they can change the verdict."""

    name = "sequential"

    def rule(self, evidence: Evidence, contest: Contest) -> Ruling | None:
        """Drop, keep or look again, by standard errors above the credited bar."""
        effect, asked = contest.effect, contest.idea.seeds or 1
        most = max(asked, min(MOST, evidence.settings.max_runs))
        last = contest.last or effect.runs >= most
        if effect.error is None:
            return self._without_noise(evidence, contest, last=last)
        if effect.z < DROP and (effect.runs >= asked or last or effect.z < -judging.CLEAR):
            return self._dropped(evidence, contest)
        if effect.z >= (CAP if last else KEEP) and (effect.runs >= asked or last):
            return self._kept(evidence, contest)
        return self._dropped(evidence, contest) if last else None

    def aside(self, evidence: Evidence) -> Advice | None:
        """An anchor when it is due."""
        return anchor(evidence)

    def _without_noise(self, evidence: Evidence, contest: Contest, *, last: bool) -> Ruling | None:
        """Nothing was ever repeated: another run of what looks better shows some noise at least."""
        if contest.effect.gain <= 0:
            return self._dropped(evidence, contest)
        return self._kept(evidence, contest) if last else None

    def _kept(self, evidence: Evidence, contest: Contest) -> Ruling:
        objection = judging.objection(evidence, contest.idea, contest.arm, contest.effect)
        if objection:
            return Ruling(Status.DISCARD, objection)
        word = "clearly better" if contest.effect.z >= judging.CLEAR else "promising, to be confirmed on fresh seeds"
        return Ruling(Status.KEEP, word)

    def _dropped(self, evidence: Evidence, contest: Contest) -> Ruling:
        excuse = judging.excuse(evidence, contest.idea, contest.effect)
        if excuse:
            return Ruling(Status.KEEP, excuse)
        word = "worse" if contest.effect.z < -judging.CLEAR else "not distinguishable"
        return Ruling(Status.DISCARD, word)


def anchor(evidence: Evidence) -> Advice | None:
    """The incumbent or the baseline once more, in turn, after every `ANCHOR_EVERY` runs of ideas; None when not due."""
    anchors = since = 0
    for trial in evidence.board.trials:
        if trial.purpose is Purpose.ANCHOR:
            anchors, since = anchors + 1, 0
        elif trial.purpose in _OF_IDEAS:
            since += 1
    going_on = evidence.board.may_explore and not evidence.board.no_more_ideas
    if since < ANCHOR_EVERY or not going_on or spendable(evidence) < 2:
        return None
    arm = evidence.board.incumbent if anchors % 2 == 0 else BASELINE
    return Measure(arm, evidence.fresh_seed(), Purpose.ANCHOR, "anchor: a bar that luck cannot hold, and drift")
