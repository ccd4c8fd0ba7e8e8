"""What a campaign may say in the morning: proven, likely, unresolved or refuted, and how likely any of it is wrong.

Proof comes from fresh seeds: from runs that chose nothing, and from numbers that not the runs alone vouch for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from autoresearch.experiment.board import Board, Idea
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.verdict.arms import Arm, Effect
from autoresearch.verdict.evidence import FRESH, TAU, Evidence, Reader, difference
from autoresearch.verdict.plausible import implausible, vouched_for
from autoresearch.verdict.posterior import ArmNode, Worth, worths
from autoresearch.verdict.statistics import normal_cdf, normal_quantile, residuals, t_cdf, t_quantile

PROVEN = 0.95
"""Probability of a positive effect from which it is proven; fresh seeds only, and an idea may as well do nothing."""

LIKELY = 0.80
"""Probability that an effect is positive rather than negative from which it is likely, from whatever runs there are."""

_NOTHING = 0.5
"""Share of kept changes that do nothing, before their fresh runs are seen: 40 to 55 % in simulated campaigns."""

_FAR_WIDER = 2.0
"""Times the error that the campaign's noise explains, from which the pairs' own scatter counts instead."""

_PRIOR_IDEAS = 4
"""The spread of true effects is estimated as if this many ideas had shown a spread of one noise."""


class Standing(StrEnum):
    """How far a claim goes."""

    PROVEN = "proven"
    UNVERIFIED = "unverified"
    """Fresh seeds would prove it, if anything but the runs themselves vouched for their numbers."""
    MEASURED = "measured"
    """No seed changes a number of this campaign: what was measured is what there is, and chance has no part in it."""
    LIKELY = "likely"
    UNRESOLVED = "unresolved"
    REFUTED = "refuted"
    IMPLAUSIBLE = "implausible"
    """The numbers say so, and they cannot be what they look like: a person is to look first."""


SHOWN = (Standing.PROVEN, Standing.MEASURED)
"""What may be relied on."""

SETTLED = (*SHOWN, Standing.UNVERIFIED)
"""What more seeds would not change."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is claimed of one idea, or of the whole campaign.

    Attributes:
        name: The idea; the incumbent's arm for the whole campaign.
        standing: How far it goes.
        effect: Gain; None without a comparison. From fresh seeds as measured, for they chose nothing; else what all
            runs together say of the idea, or, for one that never ran by itself, its verdict's effect, shrunk.
        low: Lower end of its 90 % interval, of the same estimate.
        high: Upper end.
        runs: Runs of the better-known side that it rests on.
        fresh: Whether only runs that chose nothing were used.
        wrong: Probability that the effect is not positive; half of all kept changes are expected to do nothing.
        why: What is implausible about it, in words; empty when nothing is.
        unmoved: Whether no seed changes its numbers, so that chance has no part in them and fresh ones add nothing.
    """

    name: str
    standing: Standing
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    fresh: bool = False
    wrong: float = 1.0
    why: str = ""
    unmoved: bool = False

    def holds(self, truth: float) -> bool | None:
        """Whether the interval holds this effect; None without one."""
        return None if self.low is None or self.high is None else self.low <= truth <= self.high


@dataclass(frozen=True)
class Claims:
    """All claims of a campaign.

    Attributes:
        ideas: One per idea with a verdict, in order of attempt.
        campaign: The incumbent against the baseline; None when nothing was kept.
        false_chance: Probability that at least one proven claim is false: the sum over claims, at most 1.
    """

    ideas: tuple[Claim, ...]
    campaign: Claim | None
    false_chance: float


def claims(board: Board, reader: Reader | None = None) -> Claims:
    """Classify every judged idea and the campaign's whole gain; `reader` has read the boards before, if any were."""
    evidence = Evidence(board, reader)
    spread = effect_spread(evidence)
    told = _worths(evidence)
    found = tuple(
        _looked_at(evidence, _claim_idea(evidence, idea, spread, told.get(idea.name)), idea.name)
        for idea in board.ideas
        if idea.verdict is not None
    )
    whole = whole_claim(evidence)
    said = [*found, *([whole] if whole else [])]
    alone = len(evidence.held) == 1
    counted = [c.wrong for c in said if c.standing is Standing.PROVEN and not (alone and c is whole)]
    return Claims(found, whole, min(1.0, sum(counted)))


def whole_claim(evidence: Evidence) -> Claim | None:
    """The incumbent against the baseline; None when nothing was kept."""
    incumbent = evidence.board.incumbent
    if incumbent == BASELINE:
        return None
    effect = fresh_comparison(evidence, incumbent, BASELINE)
    effect = _unmoved(evidence, incumbent) or effect
    if effect is None:
        return Claim(name=incumbent, standing=Standing.UNRESOLVED)
    claim = _claim(incumbent, effect, effect_spread(evidence) * max(1, len(evidence.held)), fresh=True)
    return _looked_at(evidence, claim, incumbent, *evidence.held)


def _looked_at(evidence: Evidence, claim: Claim, *arms: str) -> Claim:
    """The claim about these arms, unless a person has to look first, or only the runs themselves say it."""
    if claim.standing not in {*SHOWN, Standing.LIKELY}:
        return claim
    if why := next(filter(None, (implausible(evidence, arm) for arm in arms)), ""):
        return replace(claim, standing=Standing.IMPLAUSIBLE, why=why)
    compared = (evidence.board.incumbent, BASELINE, left_out(evidence, claim.name))
    alone = claim.standing is Standing.PROVEN and not vouched_for(evidence, FRESH, compared)
    return replace(claim, standing=Standing.UNVERIFIED) if alone else claim


def _unmoved(evidence: Evidence, incumbent: str) -> Effect | None:
    """The plain difference where no seed changes a number and the incumbent's fresh one has not either."""
    fresh = any(t.arm == incumbent and t.purpose in FRESH and t.value is not None for t in evidence.board.trials)
    return evidence.compare(incumbent, BASELINE, credit=False) if evidence.repeatable and fresh else None


def fresh_comparison(evidence: Evidence, arm: str, against: str) -> Effect | None:
    """Gain of `arm` over `against` from fresh seeds alone, None without a fresh run of both.

    Each side's mean is over its fresh runs; common seeds are paired when their correlation is real. Where each of two
    or more pairs says the opposite of what all runs say, the pairs alone count: rho is shrunk, the sign is not.
    """
    ours, theirs = evidence.fresh.get(arm), evidence.fresh.get(against)
    if ours is None or theirs is None or not ours.runs or not theirs.runs:
        return None
    effect = difference(ours, theirs, evidence.noise, evidence.sigma)
    gains = ours.over(theirs)
    if effect.paired and len(gains) > 1 and all(gain * effect.gain < 0 for gain in gains):
        ours, theirs = ours.beside(theirs), theirs.beside(ours)
        effect = difference(ours, theirs, evidence.noise, evidence.sigma)
    if effect.error is None or evidence.sigma is None:
        return effect
    if effect.paired:
        return _as_wide_as_its_pairs(effect, ours, theirs)
    sides = [(evidence.arm(name).scatter, side.runs) for name, side in ((arm, ours), (against, theirs))]
    return _as_wide_as_its_sides(effect, sides, evidence.sigma)


def _as_wide_as_its_pairs(effect: Effect, ours: Arm, theirs: Arm) -> Effect:
    """The same gain with the scatter of its pairs for error (Student), where that is far above the campaign's noise.

    What common seeds have in common is in no difference of pairs, so the differences are asked.
    """
    pairs = ours.over(theirs)
    scatter = residuals(pairs)
    if effect.error is None or not scatter:
        return effect
    own = math.sqrt(sum(one * one for one in scatter) / len(scatter) / len(pairs))
    return replace(effect, error=own, freedom=len(scatter)) if own > _FAR_WIDER * effect.error else effect


def _as_wide_as_its_sides(effect: Effect, sides: Sequence[tuple[Sequence[float], int]], sigma: float) -> Effect:
    """The same gain with the noise that each side shows by itself (Welch, 1938), where that makes a wider interval.

    A campaign's noise is known best at its baseline, and one that lies at the floor of its metric has next to none,
    while what was kept scatters. So it is, too, when a fresh run collapses. A side that was never repeated has the
    campaign's noise.

    Args:
        effect: With the error that the campaign's noise makes.
        sides: Of each, what every repeat of it shows (`residuals`), and its fresh runs.
        sigma: The campaign's noise of one run.
    """
    parts = [
        ((sum(one * one for one in scatter) / len(scatter) if scatter else sigma * sigma) / runs, max(1, len(scatter)))
        for scatter, runs in sides
    ]
    square = sum(part for part, _ in parts)
    if not square > 0 or not math.isfinite(square):
        return effect
    freedom = square * square / sum(part * part / free for part, free in parts)
    own = replace(effect, error=math.sqrt(square), freedom=max(1, round(freedom)))
    return own if (own.high or 0.0) > (effect.high or 0.0) else effect


def left_out(evidence: Evidence, idea: str) -> str:
    """Name of the bundle that holds every kept change but `idea`; empty when there is none."""
    rest = frozenset(evidence.held) - {idea}
    return next(
        (
            bundle.name
            for bundle in evidence.board.bundles
            if bundle.parent == BASELINE and frozenset(bundle.ideas) == rest and not bundle.conflict
        ),
        "",
    )


def effect_spread(evidence: Evidence) -> float:
    """Variance of true effects: what first runs scatter beyond noise, held to one noise by a few imagined ideas."""
    sigma = evidence.sigma
    if not sigma:
        return math.inf
    effects = [
        (idea.verdict.effect, idea.verdict.runs, evidence.sharers(idea.name))
        for idea in evidence.board.ideas
        if idea.verdict is not None and idea.verdict.effect is not None and idea.verdict.runs
    ]
    excess = [(effect * effect - 2 * sigma * sigma / runs) / ideas for effect, runs, ideas in effects]
    total = sum(excess) + _PRIOR_IDEAS * sigma * sigma
    return max(0.25 * sigma * sigma, total / (len(excess) + _PRIOR_IDEAS))


def _worths(evidence: Evidence) -> dict[str, Worth]:
    """What each idea that ran by itself is worth, from all runs of the campaign together."""
    sigma = evidence.sigma
    if not sigma:
        return {}
    board = evidence.board
    parents = {idea.name: (idea.parent, 1) for idea in board.ideas}
    parents |= {bundle.name: (bundle.parent, len(bundle.ideas)) for bundle in board.bundles}
    tree = {BASELINE: _node(evidence, BASELINE, "", 0)}
    children: dict[str, list[str]] = {}
    for name, (parent, _) in parents.items():
        children.setdefault(parent, []).append(name)
    reached = [BASELINE]
    for above in reached:
        new = [name for name in children.get(above, ()) if name not in tree]
        tree |= {name: _node(evidence, name, *parents[name]) for name in new}
        reached += new
    return worths(tree, sigma, TAU * max(sigma, evidence.scale or 0.0), evidence.seeds_share)


def _node(evidence: Evidence, name: str, parent: str, ideas: int) -> ArmNode:
    arm = evidence.arm(name)
    return ArmNode(parent=parent, ideas=ideas, values=arm.values)


def _claim_idea(evidence: Evidence, idea: Idea, spread: float, told: Worth | None) -> Claim:
    effect = _fresh(evidence, idea)
    if effect is not None:
        return _claim(idea.name, effect, spread, fresh=True)
    if told is not None:
        return _told(evidence, idea, told)
    plain = evidence.compare(idea.name, idea.parent, credit=False) if evidence.repeatable else None
    if plain is not None and plain.error == 0:
        return _plainly(idea.name, plain)
    verdict = idea.verdict
    if verdict is None or verdict.effect is None or evidence.sharers(idea.name) > 1:
        return Claim(name=idea.name, standing=Standing.UNRESOLVED)
    effect = evidence.compare(idea.name, idea.parent)
    if effect is None or (verdict.status is Status.KEEP and idea.name in evidence.held):
        error = None if verdict.high is None or verdict.low is None else _error(evidence, verdict.low, verdict.high)
        effect = Effect(verdict.effect, error, evidence.noise.freedom, verdict.runs)
    return _claim(idea.name, effect, spread, fresh=False)


def _told(evidence: Evidence, idea: Idea, told: Worth) -> Claim:
    effect = Effect(told.gain, told.error, evidence.noise.freedom, evidence.arm(idea.name).runs)
    right = _positive(effect)
    likely = min(right, 0.5) if evidence.loses(idea.name) else right
    high = effect.high
    if told.reach is not None and high is not None:
        centre, width = told.reach
        high = max(high, centre + normal_quantile(0.95) * width)
    return Claim(
        name=idea.name,
        standing=_standing(likely, 1 - right, fresh=False),
        effect=effect.gain,
        low=effect.low,
        high=high,
        runs=effect.runs,
        wrong=1 - right,
    )


def _error(evidence: Evidence, low: float, high: float) -> float:
    freedom = evidence.noise.freedom or 200
    return (high - low) / 2 / t_quantile(0.95, freedom)


def _fresh(evidence: Evidence, idea: Idea) -> Effect | None:
    """The idea's own effect from fresh seeds: the incumbent with and without it."""
    incumbent = evidence.board.incumbent
    held = evidence.held
    if idea.name not in held:
        return None
    if len(held) == 1:
        return fresh_comparison(evidence, incumbent, BASELINE)
    without = left_out(evidence, idea.name)
    if not any(t.arm == without and t.purpose is Purpose.ABLATE for t in evidence.board.trials):
        return None
    return fresh_comparison(evidence, incumbent, without)


def _claim(name: str, effect: Effect, spread: float, *, fresh: bool) -> Claim:
    """How sure an effect is under a normal prior about zero of variance `spread`, and what to print of it.

    The prior is for the probability of being real. What fresh seeds measured is printed as it is: a sum of changes that
    were kept because they looked positive is not spread about zero, and shrinking it understates good nights.
    """
    if effect.error is None:
        return Claim(name=name, standing=Standing.UNRESOLVED, effect=effect.gain, runs=effect.runs, fresh=fresh)
    shrunk, right, wrong = doubt(effect, spread)
    if not effect.error and effect.freedom > 1:
        return _plainly(name, effect)
    printed = effect if fresh else shrunk
    return Claim(
        name=name,
        standing=_standing(right, wrong, fresh=fresh),
        effect=printed.gain,
        low=printed.low,
        high=printed.high,
        runs=effect.runs,
        fresh=fresh,
        wrong=wrong,
    )


def _plainly(name: str, effect: Effect) -> Claim:
    """Of numbers that no seed changes nothing is proven and nothing doubted."""
    better = effect.gain > 0
    return Claim(
        name=name,
        standing=Standing.MEASURED if better else Standing.REFUTED,
        effect=effect.gain,
        low=effect.gain,
        high=effect.gain,
        runs=effect.runs,
        wrong=0.0 if better else 1.0,
        unmoved=True,
    )


def doubt(effect: Effect, spread: float) -> tuple[Effect, float, float]:
    """The effect under a normal prior about zero of variance `spread`, how likely it is positive, and that it is not.

    The last allows for no effect at all, which the prior has no place for.
    """
    error = effect.error or 0.0
    square = error * error
    belief = 1.0 if math.isinf(spread) or not square else spread / (spread + square)
    shrunk = Effect(belief * effect.gain, math.sqrt(belief) * error, effect.freedom, effect.runs, effect.paired)
    right = _positive(shrunk)
    nothing = _nothing(effect, belief)
    return shrunk, right, nothing + (1 - nothing) * (1 - right)


def _nothing(effect: Effect, belief: float) -> float:
    """Probability of no effect at all, against effects spread so that `belief` of what is measured is true.

    The Bayes factor of a normal against its own sampling error: sqrt(1 - belief) * exp(z^2 * belief / 2).
    """
    if not effect.error or belief >= 1:
        return 0.0 if effect.gain else _NOTHING
    for_some = math.sqrt(1 - belief) * math.exp(min(700.0, effect.z * effect.z * belief / 2))
    return _NOTHING / (_NOTHING + (1 - _NOTHING) * for_some)


def _standing(right: float, wrong: float, *, fresh: bool) -> Standing:
    if fresh and wrong <= 1 - PROVEN:
        return Standing.PROVEN
    if right >= LIKELY:
        return Standing.LIKELY
    return Standing.REFUTED if right <= 1 - PROVEN else Standing.UNRESOLVED


def _positive(effect: Effect) -> float:
    if not effect.error:
        return 1.0 if effect.gain > 0 else 0.0 if effect.gain < 0 else 0.5
    ratio = effect.gain / effect.error
    if math.isnan(ratio):
        return 0.5
    return t_cdf(ratio, effect.freedom) if effect.freedom else normal_cdf(ratio)
