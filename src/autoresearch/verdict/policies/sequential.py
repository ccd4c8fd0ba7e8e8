"""Sequential: one run for the hopeless, more for the promising, and no credit for luck.

1. Three baseline runs measure the noise; every later repeat sharpens it.
2. A first run that does not look better ends an idea. One that does earns more seeds while the loss they may spare
   exceeds 1.5 ordinary runs: the incumbent's seeds first, so that they pair when the measured correlation allows.
   Where the budget holds three runs for every idea to come, whatever is not clear gets them.
3. A kept change is credited with tau^2 / (tau^2 + error^2) of what was measured, so that luck does not raise the bar;
   tau is twice the noise of one run or twice the declared worth, and the credit must be worth one ordinary run.
4. Every 25th run is an anchor: incumbent and baseline in turn, on a new seed.
5. Claims come from fresh seeds at the end, never from the runs that chose.
"""

import math
from collections.abc import Sequence

from autoresearch.experiment.board import Advice, Measure, PolicySettings, Trial
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies.composed import Composed, Contest, Ruling, WayOfJudging, always
from autoresearch.verdict.policies.one_at_a_time import one_at_a_time
from autoresearch.verdict.policies.reserve import affords, spares
from autoresearch.verdict.statistics import normal_cdf

ETA = 1.0
"""A kept idea's credited gain must be worth this many ordinary runs."""

LOOK = 1.5
"""Another seed is bought when the loss it may spare exceeds this many ordinary runs."""

MOST = 3
"""Runs an idea gets at most, unless its hypothesis asks for more."""

ANCHOR_EVERY = 25

WINS = 2.5
"""Standard errors from which an idea needs no second run, however many runs are left."""

_OF_IDEAS = (Purpose.EXPLORE, Purpose.REPEAT, Purpose.SCREEN)


def sequential() -> Composed:
    """Repeats where they can change the verdict."""
    way = WayOfJudging(
        by="sequential",
        order=one_at_a_time,
        rule=by_credited_gain,
        aside=anchor,
        why="sequential: one idea at a time",
    )
    return Composed(name="sequential", choose=always(way), spends=with_anchors)


def by_credited_gain(evidence: Evidence, contest: Contest) -> Ruling | None:
    """Drop, keep or look again, by gain above the credited bar."""
    effect, asked = contest.effect, contest.idea.seeds or 1
    most = max(asked, min(MOST, evidence.settings.max_runs))
    last = contest.last or effect.runs >= most
    if effect.error is None:
        return _without_noise(evidence, contest, last=last)
    if effect.runs < asked and not last and effect.z > -shared_rules.CLEAR:
        return None
    if not last and -shared_rules.FLAT < effect.z < WINS and affords(evidence, most):
        return None
    if effect.z <= 0:
        return _dropped(evidence, contest)
    pace = ordinary_gain(evidence)
    if not last and effect.error * unit_loss(effect.z) > LOOK * pace:
        return None
    if credited_gain(evidence, contest) >= ETA * pace:
        return _kept(evidence, contest)
    return _dropped(evidence, contest)


def _without_noise(evidence: Evidence, contest: Contest, *, last: bool) -> Ruling | None:
    """Nothing was ever repeated: another run of what looks better shows some noise at least."""
    if contest.effect.gain <= 0:
        return _dropped(evidence, contest)
    return _kept(evidence, contest) if last else None


def _kept(evidence: Evidence, contest: Contest) -> Ruling:
    objection = shared_rules.objection(evidence, contest.idea, contest.arm, contest.effect)
    if objection:
        return Ruling(Status.DISCARD, objection)
    clear = contest.effect.z >= shared_rules.CLEAR
    word = "clearly better" if clear else "promising, to be confirmed on fresh seeds"
    if evidence.repeatable:
        word = "better, and no seed has changed a number"
    elif clear and contest.effect.runs == 1:
        word = "better by more than the noise, on one run"
    return Ruling(Status.KEEP, word)


def _dropped(evidence: Evidence, contest: Contest) -> Ruling:
    excuse = shared_rules.excuse(evidence, contest.idea, contest.effect)
    if excuse:
        return Ruling(Status.KEEP, excuse)
    word = "worse" if contest.effect.z < -shared_rules.CLEAR else "not distinguishable"
    if evidence.repeatable and not contest.effect.gain:
        word = "the same number"
    return Ruling(Status.DISCARD, word)


def unit_loss(z: float) -> float:
    """Expected loss of deciding now at `z` standard errors, in standard errors: phi(z) - |z| * Phi(-|z|)."""
    away = abs(z)
    return math.exp(-away * away / 2) / math.sqrt(2 * math.pi) - away * normal_cdf(-away)


def ordinary_gain(evidence: Evidence) -> float:
    """What a run of this campaign has brought so far: (credited gain + 2 sigma) / (runs + 20)."""
    base, best = evidence.arm(BASELINE), evidence.credited(evidence.board.incumbent)
    gained = best - base.level if best is not None and base.runs else 0.0
    return (max(0.0, gained) + 2 * (evidence.sigma or 0.0)) / (len(evidence.board.trials) + 20)


def credited_gain(evidence: Evidence, contest: Contest) -> float:
    """The gain with its luck taken out: of what was measured, the part that `Evidence.belief` gives."""
    effect = contest.effect
    return effect.gain if effect.error is None else effect.gain * evidence.belief(effect.error, effect.gain)


def anchor(evidence: Evidence) -> Advice | None:
    """The incumbent or the baseline once more, in turn, after every `ANCHOR_EVERY` runs of ideas; None when not due."""
    trials = evidence.board.trials
    since = _since_anchor(trials)
    going_on = evidence.board.may_explore and not evidence.board.no_more_ideas
    if since < ANCHOR_EVERY or not going_on or not spares(evidence, 2):
        return None
    anchors = sum(trial.purpose is Purpose.ANCHOR for trial in trials)
    arm = evidence.board.incumbent if anchors % 2 == 0 else BASELINE
    return Measure(
        arm,
        evidence.fresh_seed(),
        Purpose.ANCHOR,
        "anchor: level of the incumbent without selection bias, and a check for drift",
    )


def anchor_or_second_look(evidence: Evidence) -> Advice | None:
    """An anchor when it is due, else what `where_noise_is` asks for."""
    return anchor(evidence) or where_noise_is(evidence)


def where_noise_is(evidence: Evidence) -> Advice | None:
    """The incumbent once more where the baseline does not scatter, None where it does: there noise is measured.

    A baseline at the floor of its metric gives one number on every seed while what is kept has plenty of noise, and
    everything looks certain. So the first incumbent is run twice, and, once ideas do scatter, each one after it.
    """
    board, incumbent, base = evidence.board, evidence.board.incumbent, evidence.arm(BASELINE)
    arm, going_on = evidence.arm(incumbent), board.may_explore and not board.no_more_ideas
    if incumbent == BASELINE or arm.runs != 1 or arm.pending or not going_on or not base.scatter or any(base.scatter):
        return None
    repeated = [other.scatter for name, other in evidence.arms.items() if name != BASELINE and other.scatter]
    if (repeated and not any(map(any, repeated))) or len(arm.tried) >= evidence.settings.max_runs:
        return None
    if not spares(evidence, 1):
        return None
    why = "the incumbent once more, for the baseline gave one number on every seed and says nothing of noise here"
    return Measure(incumbent, evidence.fresh_seed(), Purpose.ANCHOR, why)


def _since_anchor(trials: Sequence[Trial]) -> int:
    """Runs of ideas since the last anchor; counted no further than one is due."""
    since = 0
    for trial in reversed(trials):
        if trial.purpose is Purpose.ANCHOR or since >= ANCHOR_EVERY:
            break
        since += trial.purpose in _OF_IDEAS
    return since


def with_anchors(experiments: int, settings: PolicySettings) -> tuple[int, int]:
    """Runs that so many ideas take: one each when all fail at once, else repeats and an anchor now and then."""
    repeated = experiments * max(1, min(MOST, settings.max_runs))
    return experiments, repeated + repeated // ANCHOR_EVERY
