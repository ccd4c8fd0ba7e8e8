"""Doubles: an order of work in which two fresh ideas share a run, where the campaign's own effects favour it.

1. The first eight ideas run alone.
2. Then the next run is the one that is worth most: what a single idea and what a double are expected to bring follows
   from the effects of ideas that ran alone (`worth_of_runs`). The request says both numbers. Two it is where that is
   more by a margin, which is the wider the fewer ideas say so.
3. Singles all the same: while gains are large or fall, as they do where the best ideas come first; every eighth time,
   to go on learning; where the stop rule counts ideas, or researchers have fewer than two for a run; and where the
   newest ideas clash.
4. A double that gives no metric is dropped: the run that tells which of the two it was would crash half of the time,
   and one of a fresh idea is worth more. One that cannot be merged, or that the machine failed, runs as two.
5. Its verdict is about both: what one of them is worth only leaving it out on fresh seeds can say.

Two ideas at once are a factorial design of the smallest kind (Box, Hunter and Hunter, Statistics for Experimenters, 5):
where ideas are cheaper than runs, a run should try more than one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from autoresearch.experiment.board import Advice, Bundle, Combine, Idea, Measure, Propose, Settle
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.verdict import shared_rules
from autoresearch.verdict.evidence import DOUBLE, PILOT, Evidence
from autoresearch.verdict.policies.composed import Contest, Ruling, WayOfJudging, bundle_name
from autoresearch.verdict.policies.one_at_a_time import next_for, propose
from autoresearch.verdict.policies.reserve import spares
from autoresearch.verdict.policies.sequential import ETA, ordinary_gain
from autoresearch.verdict.statistics import mean, normal_cdf

AHEAD = 0.15
"""Part of what a single is expected to bring by which a double must be ahead of it."""

DOUBT = 8
"""Ideas alone at which what they say of doubles counts by half."""

FADING = 0.5
"""Standard errors of the slope by which gains of single ideas must fall for the best to have come first."""

TOLD = (
    "the stop rule counts ideas, so no two share a run and this is auto; a rule of runs, time or GPU-hours lets them",
    f"auto, and once {PILOT} ideas have run alone, two ideas in a run where that is expected to bring more",
)
"""What a plan says of it where ideas are counted, and where they are not."""

_WHY_DROPPED = "a run of a fresh idea is worth more than one that tells which of them it was"

LARGE = 1.5
"""Gains worth having above which recent keeps are large, and their ideas run alone."""

RECENT = 8
"""Verdicts that are recent; and of so many requests one is for a single."""

REMEMBERED = 32
"""Single ideas whose effects are remembered: the newest."""


def two_at_a_time(evidence: Evidence, way: WayOfJudging) -> Advice | None:
    """What open ideas and doubles need, then a run for the sake of all, then the next idea, or the second of two."""
    two, why = wants_two(evidence)
    waiting = _unpaired(evidence)
    more = propose(evidence, f"{way.why}; {why}")
    fits = len(waiting) == 1 and isinstance(more, Propose) and waiting[0].parent == more.parent
    collecting = two and fits and spares(evidence, 1)
    wanted = [advice for idea in evidence.open if (advice := _next_for(evidence, way, idea, waiting, two)) is not None]
    if collecting:
        wanted = [a for a in wanted if not (isinstance(a, Measure) and a.arm == waiting[0].name)]
    order = (Settle, Combine, Measure)
    due = min(wanted, key=lambda advice: order.index(type(advice)), default=None)
    return due or (more if collecting else way.aside(evidence) or more)


def double_under_way(evidence: Evidence) -> bool:
    """Whether a double is to be judged yet."""
    doubled = _doubles(evidence)
    return any(idea.name in doubled for idea in evidence.open)


def _unpaired(evidence: Evidence) -> tuple[Idea, ...]:
    """Ideas that nothing has run of, and that may share a run."""
    doubled = {name for double in _doubles(evidence).values() for name in double.ideas}
    return tuple(
        idea
        for idea in evidence.open
        if not (idea.broken or idea.seeds or idea.name in evidence.arms or idea.name in doubled)
    )


def _doubles(evidence: Evidence) -> dict[str, Bundle]:
    """The newest double of each idea that is or was part of one."""
    return evidence.answers.of(_newest, evidence.board.bundles)


def _newest(bundles: tuple[Bundle, ...]) -> dict[str, Bundle]:
    return {name: bundle for bundle in bundles if bundle.name.startswith(DOUBLE) for name in bundle.ideas}


def _next_for(
    evidence: Evidence, way: WayOfJudging, idea: Idea, waiting: tuple[Idea, ...], two: bool
) -> Settle | Combine | Measure | None:
    double = _doubles(evidence).get(idea.name)
    if double is not None:
        return _of_double(evidence, way, idea, double)
    if two and idea in waiting:
        mate = next((other for other in waiting if other is not idea and _fits(idea, other)), None)
        if mate is not None and waiting.index(mate) > waiting.index(idea):
            why = f"{idea.name} and {mate.name} in one run"
            return Combine(bundle_name(evidence, DOUBLE[:-1]), (idea.name, mate.name), idea.parent, why)
    return next_for(evidence, way, idea)


def _fits(idea: Idea, other: Idea) -> bool:
    return idea.parent == other.parent and not idea.keys & other.keys


def _of_double(evidence: Evidence, way: WayOfJudging, idea: Idea, double: Bundle) -> Settle | Combine | Measure | None:
    arm = evidence.arm(double.name)
    moved = double.parent != idea.parent
    if double.conflict and not moved:
        return next_for(evidence, way, idea)
    told = _decided(evidence, double)
    if told is not None and (arm.runs or moved):
        return told
    if arm.pending:
        return None
    if double.conflict or (moved and arm.failed and not arm.runs):
        reason = f"better with {_mate(idea, double)}, but not on top of the incumbent: {double.conflict or arm.note}"
        return Settle(idea.name, shared_rules.verdict(evidence, double.name, Status.DISCARD, reason, by=way.by))
    if arm.runs:
        return _contest(evidence, way, idea, double)
    if not arm.failed:
        if evidence.board.runs_left is not None and evidence.board.runs_left <= 0:
            return Settle(idea.name, shared_rules.never_run(evidence, idea, way.by))
        seed = evidence.next_seed(double.name, double.parent)
        return Measure(double.name, seed, Purpose.EXPLORE, f"first run of {' and '.join(double.ideas)} together")
    if arm.failed > arm.excused:
        note = f" ({arm.note})" if arm.note else ""
        reason = f"{' and '.join(double.ideas)} in one run gave no metric{note}; {_WHY_DROPPED}"
        return Settle(idea.name, shared_rules.verdict(evidence, double.name, Status.CRASH, reason, by=way.by))
    return next_for(evidence, way, idea)


def _decided(evidence: Evidence, double: Bundle) -> Settle | None:
    """The verdict on the first of two, once more for the second."""
    said = [evidence.ideas[name].verdict for name in double.ideas if name in evidence.ideas]
    known = next((verdict for verdict in said if verdict is not None), None)
    open_ = next((n for n in double.ideas if n in evidence.ideas and evidence.ideas[n].verdict is None), None)
    if known is None or open_ is None:
        return None
    return Settle(open_, known, evidence.board.incumbent if known.status is Status.KEEP else None)


def _mate(idea: Idea, double: Bundle) -> str:
    return next((name for name in double.ideas if name != idea.name), "")


def _contest(evidence: Evidence, way: WayOfJudging, idea: Idea, double: Bundle) -> Settle | Combine | Measure | None:
    against = double.parent if evidence.arm(double.parent).runs else BASELINE
    effect = evidence.compare(double.name, against, credit=way.credit)
    if effect is None:
        reason = f"{against} has no run it could be compared with, so no claim is made and the incumbent stays"
        return Settle(idea.name, shared_rules.verdict(evidence, double.name, Status.KEEP, reason, by=way.by))
    tries = effect.runs + evidence.arm(double.name).failed
    last = not spares(evidence, 1) or evidence.repeatable or tries >= max(1, evidence.settings.max_runs)
    ruling = way.rule(evidence, Contest(idea, double.name, against, effect, last))
    if ruling is None and not last:
        seed = evidence.next_seed(double.name, against)
        return Measure(double.name, seed, Purpose.REPEAT, f"so far {effect.told()}")
    ruling = ruling or Ruling(Status.DISCARD, "not distinguishable")
    incumbent = evidence.board.incumbent
    stale = against not in (incumbent, BASELINE) or (against == BASELINE != incumbent)
    if stale and ruling.status is Status.KEEP:
        if spares(evidence, 1):
            why = f"{' and '.join(double.ideas)} beat {against}, but the incumbent is now {incumbent}"
            return Combine(bundle_name(evidence, DOUBLE[:-1]), double.ideas, incumbent, why)
        ruling = Ruling(Status.DISCARD, f"better than {against}, and no run is left to try it on {incumbent}")
    place = f" against {against}" if against != BASELINE else ""
    reason = f"{' and '.join(double.ideas)} in one run: {effect.told()}{place}, {ruling.reason}"
    found = shared_rules.verdict(evidence, double.name, ruling.status, reason, effect, by=way.by)
    return Settle(idea.name, found, double.name if ruling.status is Status.KEEP else None)


def wants_two(evidence: Evidence) -> tuple[bool, str]:
    """Whether the next run should try two ideas, and why."""
    board = evidence.board
    if board.ideas_left is not None:
        return False, "one idea a run, for the stop rule counts ideas"
    if board.supply is not None and (board.runs_left is None or board.supply < len(board.ideas) + 2 * board.runs_left):
        return False, f"one idea a run, for researchers have {board.supply} in all"
    if _clash(evidence):
        return False, "one idea a run, for the newest could not share one"
    alone = _alone(evidence)
    if len(alone) < PILOT:
        return False, f"one idea a run, until {PILOT} have run alone"
    if _large(evidence):
        return False, f"one idea a run, while gains are above {LARGE:g} times the gain worth having"
    found = worth_of_runs(evidence)
    if found is None:
        return False, "one idea a run, for the noise is not known"
    told = f"a run of one idea is expected to bring {found.single:.3g}, of two {found.double:.3g}"
    if found.fading:
        return False, f"one idea a run, for ideas bring less and less: {told}"
    if not found.clear:
        return False, f"one idea a run: {told}, which {found.ideas} ideas do not make clear enough"
    if _steps(evidence) % RECENT == RECENT - 1:
        return False, f"one idea, to go on learning: {told}"
    return True, f"two ideas a run: {told}"


def _alone(evidence: Evidence) -> list[tuple[float | None, int]]:
    """Effect and runs of the newest decided ideas that ran alone, oldest first, None for one that crashed."""
    found: list[tuple[float | None, int]] = []
    for idea in reversed(evidence.board.ideas):
        verdict = idea.verdict
        if verdict is None or len(found) >= REMEMBERED:
            continue
        own = evidence.arm(idea.name)
        if verdict.status is Status.CRASH:
            found += [(None, 1)] if own.failed or idea.broken else []
        elif verdict.effect is not None and verdict.runs and own.runs:
            found.append((verdict.effect, verdict.runs))
    return found[::-1]


def _clash(evidence: Evidence) -> bool:
    """Whether the newest two ideas share a key, as all points of a search do, or the newest two doubles conflicted."""
    newest = evidence.board.ideas[-2:]
    doubles = [bundle for bundle in evidence.board.bundles if bundle.name.startswith(DOUBLE)][-2:]
    shared = len(newest) == 2 and not newest[0].keys.isdisjoint(newest[1].keys)
    return shared or (len(doubles) == 2 and all(bundle.conflict for bundle in doubles))


def _large(evidence: Evidence) -> bool:
    """Whether what was kept lately is far more than worth having, as where the best ideas come first."""
    scale = evidence.scale
    decided = [idea for idea in evidence.board.ideas if idea.verdict is not None][-RECENT:]
    kept = [
        v.effect / (1 if evidence.arm(idea.name).runs else 2)
        for idea in decided
        if (v := idea.verdict) is not None and v.status is Status.KEEP and v.effect is not None
    ]
    return bool(kept) and scale is not None and mean(kept) > LARGE * scale


def _steps(evidence: Evidence) -> int:
    """Runs so far that tried something for the first time."""
    return len({trial.arm for trial in evidence.board.trials if trial.purpose is Purpose.EXPLORE})


@dataclass(frozen=True)
class RunWorth:
    """True gain that is expected of a run of one fresh idea, and of two.

    Attributes:
        single: Of one.
        double: Of two.
        ideas: Ideas alone that say so.
        fading: Whether what one idea brings falls from older to newer ones, by half a standard error and more.
    """

    single: float
    double: float
    ideas: int = 0
    fading: bool = False

    @property
    def clear(self) -> bool:
        """Whether two bring more by a margin, what few ideas say counted as part of it (Buehlmann's credibility)."""
        believed = self.ideas / (self.ideas + DOUBT)
        return believed * (self.double - self.single) > AHEAD * self.single


def worth_of_runs(evidence: Evidence) -> RunWorth | None:
    """What the campaign's own single effects say of the next run; None while the noise is not known."""
    sigma = evidence.sigma
    if not sigma:
        return None
    alone = tuple(_alone(evidence))
    reference = max(1, evidence.arm(evidence.board.incumbent).runs)
    error = sigma * math.sqrt(1 + 1 / reference)
    bar = ETA * ordinary_gain(evidence) / evidence.belief(error)
    return evidence.answers.of(expected, alone, sigma, error, bar)


def expected(alone: tuple[tuple[float | None, int], ...], sigma: float, error: float, bar: float) -> RunWorth:
    """Gain of a run of one idea and of two, were the next ideas like those that ran alone.

    Measured effects scatter more than true ones. They are drawn in to the scatter that is left beyond their noise
    (constrained empirical Bayes; Louis, JASA 79, 1984). An arm of true effect e is kept with the chance
    Phi((e - bar) / error), and brings e; one that crashes brings nothing.

    Args:
        alone: Effect and runs of ideas that ran alone, oldest first, None for a crash.
        sigma: Noise of one run.
        error: Standard error of the next run's effect.
        bar: Measured gain from which it is kept.
    """
    known = [(effect, runs) for effect, runs in alone if effect is not None]
    if not known:
        return RunWorth(0.0, 0.0)
    fine = 1 - (len(alone) - len(known) + 0.5) / (len(alone) + 5)
    true = drawn_in(known, sigma)
    ones = [_brings(effect, error, bar) for effect in true]
    two = mean([_brings(a + b, error, bar) for a, b in combinations(true, 2)] or [0.0])
    return RunWorth(fine * mean(ones), fine * fine * two, len(alone), _falls(ones))


def _falls(values: Sequence[float]) -> bool:
    """Whether a straight line through them falls by more than `FADING` standard errors of its slope."""
    count = len(values)
    if count < 4:
        return False
    places = [place - (count - 1) / 2 for place in range(count)]
    square, centre = sum(place * place for place in places), mean(values)
    slope = sum(place * value for place, value in zip(places, values, strict=True)) / square
    rest = sum((v - centre - slope * place) ** 2 for place, v in zip(places, values, strict=True)) / (count - 2)
    return slope < -FADING * math.sqrt(rest / square)


def drawn_in(known: Sequence[tuple[float, int]], sigma: float) -> list[float]:
    """Measured effects, each with its runs, with no more scatter than true ones have: noise is in them too."""
    centre = mean([effect for effect, _ in known])
    scatter = sum((effect - centre) ** 2 for effect, _ in known) / max(1, len(known) - 1)
    beyond = max(0.0, scatter - mean([2 * sigma * sigma / runs for _, runs in known]))
    shrink = math.sqrt(beyond / scatter) if scatter else 1.0
    return [centre + shrink * (effect - centre) for effect, _ in known]


def _brings(effect: float, error: float, bar: float) -> float:
    return effect * normal_cdf((effect - bar) / error)
