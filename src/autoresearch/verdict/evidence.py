"""A board read once: runs by arm, noise, credited levels, comparisons. *Gain* units throughout: more is better."""

import math
from dataclasses import replace

from autoresearch.experiment.board import Board, Bundle, Idea, Trial
from autoresearch.experiment.experiment import lineage
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.run.measurement import Direction
from autoresearch.verdict.arms import Arm, Effect, SortedRuns, sort
from autoresearch.verdict.memo import LastAnswers, once
from autoresearch.verdict.statistics import Noise, estimate, mean

TAU = 2.0
"""Spread of true effects that credit is shrunk with: so many noises of one run, or gains worth having if that is more.

Where gains are large beside the noise next to nothing is taken off what was measured; the benchmark's page has figures.
"""

PILOT = 8
"""Ideas judged before their own gains may stand in for `worth`."""

PAIR_FROM = 0.3
"""Common seeds are used as pairs once their measured correlation exceeds this."""

DOUBLE = "double-"
"""How the names of bundles begin whose ideas have one verdict together."""

FRESH = (Purpose.CONFIRM, Purpose.ABLATE)
"""Runs that chose nothing."""

UNSELECTED = (Purpose.ANCHOR, *FRESH)
"""Runs that had no part in what became of their arm."""

_ALIKE = 0.05
"""Noises of one run within which two arms that share their seeds gave the same numbers: nothing was changed."""

_KNOWN = 4
"""Pairs from which the seed correlation is known well enough to say that common seeds mean nothing."""

_SAME_RUNS = 0.99
"""Seed correlation of arms that give the same numbers on common seeds: as much as is ever said to be known."""

_SEEDS_ASKED = 3
"""So many seeds of the baseline that give one number are no accident."""

_NEVER_RAN = Arm()


class Reader:
    """Reads one board after another; who does so for a campaign holds one, for most of a board is the last one's.

    What is read never depends on the boards before, only how fast.
    """

    def __init__(self) -> None:
        self.runs = SortedRuns()
        self.answers = LastAnswers()


class Evidence:
    """A board and what follows from it, made anew for every advice; what goes beyond the runs waits for demand."""

    def __init__(self, board: Board, reader: Reader | None = None) -> None:
        """Take the board and sort its runs; the rest waits for demand.

        Args:
            board: What to read.
            reader: Who read the boards before; None for a board by itself.

        Attributes:
            board: What was read.
            settings: What the campaign file says about judging.
            sign: 1 where more is better, -1 where less is.
            whole_runs_exist: Whether the baseline reached its last step in a run that may judge; if not, ending early
                is the rule here.
            arms: Every arm that ran, by name.
            answers: What was worked out for the board before, for what is the same in this one.
        """
        reader = reader or Reader()
        self.answers = reader.answers
        self.board = board
        self.settings = board.settings
        self.sign = 1.0 if board.objective.direction is Direction.MAXIMIZE else -1.0
        self.whole_runs_exist = any(_whole_baseline(trial) for trial in board.trials)
        self.arms = reader.runs.read(board.trials, self.sign, partial_judges=not self.whole_runs_exist)

    def arm(self, name: str) -> Arm:
        """The runs of an arm; none for one that never ran."""
        return self.arms.get(name) or _NEVER_RAN

    @once
    def fresh(self) -> dict[str, Arm]:
        """Of every arm the runs that chose nothing."""
        return self.answers.of(_fresh_arms, self.board.trials, self.sign, not self.whole_runs_exist)

    @once
    def ideas(self) -> dict[str, Idea]:
        """Ideas by name."""
        return self.answers.of(_ideas, self.board.ideas)

    @once
    def bundles(self) -> dict[str, Bundle]:
        """Bundles by name."""
        return self.answers.of(_bundles, self.board.bundles)

    @once
    def open(self) -> tuple[Idea, ...]:
        """Ideas without a verdict, in order of attempt."""
        return self.answers.of(_open, self.board.ideas)

    @once
    def pending(self) -> bool:
        """Whether any run is under way."""
        return any(trial.pending for trial in reversed(self.board.trials))

    @once
    def noise(self) -> Noise:
        """Noise pooled over every configuration of the campaign."""
        repeated, errors = self.answers.of(_repeats, self.arms)
        against = tuple((name, parent) for name in repeated if (parent := self.parent(name)))
        return self.answers.of(_noise, repeated, against, errors)

    @property
    def seeds_share(self) -> float:
        """Part of the noise that runs on one seed have in common; 0 up to `PAIR_FROM`, where nothing is made of it."""
        return self.noise.rho if self.noise.rho > PAIR_FROM else 0.0

    def parent(self, arm: str) -> str:
        """The arm that `arm` was made from; empty for the baseline and for strangers."""
        if arm in self.bundles:
            return self.bundles[arm].parent
        return self.ideas[arm].parent if arm in self.ideas else ""

    @once
    def held(self) -> tuple[str, ...]:
        """The ideas inside the incumbent, oldest first."""
        return self.lineage(self.board.incumbent)

    def lineage(self, arm: str) -> tuple[str, ...]:
        """The ideas inside `arm`, oldest first."""
        return lineage(arm, self.parent, self.adds)

    def sharers(self, idea: str) -> int:
        """Ideas that the verdict on an idea speaks of: two for one that was only run in a double."""
        return 1 if self.arm(idea).runs else self._doubled.get(idea, 1)

    @once
    def _doubled(self) -> dict[str, int]:
        doubles = (bundle for bundle in self.board.bundles if bundle.name.startswith(DOUBLE))
        return {idea: len(bundle.ideas) for bundle in doubles for idea in bundle.ideas}

    def adds(self, arm: str) -> tuple[str, ...]:
        """The ideas that an arm adds to its parent."""
        return self.bundles[arm].ideas if arm in self.bundles else (arm,) if arm in self.ideas else ()

    @once
    def sigma(self) -> float | None:
        """Noise of one run; the validation set's own noise is its least."""
        noise = self.noise
        if noise.sigma is None:
            return noise.evaluation
        return max(noise.sigma, noise.evaluation or 0.0)

    @once
    def scale(self) -> float | None:
        """The gain worth having, as declared, else the typical gain so far; None while neither is known.

        Typical is the root mean square of the gains above zero, less their noise; it is not told before `PILOT` ideas.
        """
        worth = self.settings.worth
        if worth and worth > 0:
            return worth
        alone = (idea for idea in self.board.ideas if self.sharers(idea.name) == 1)
        verdicts = [idea.verdict for idea in alone if idea.verdict is not None]
        known = [(v.effect, v.runs) for v in verdicts if v.effect is not None and v.runs]
        if len(known) < PILOT:
            return None
        sigma = self.sigma or 0.0
        above = [effect * effect - 2 * sigma * sigma / runs for effect, runs in known if effect > 0]
        square = sum(above) / len(above) if above else 0.0
        return math.sqrt(square) if 0 < square < math.inf else 0.0

    @once
    def _credit(self) -> dict[tuple[str, bool], float | None]:
        """Credited levels worked out so far."""
        return {}

    def credited(self, arm: str, *, beside: str = "") -> float | None:
        """Level of a kept arm with the luck that got it kept taken out; None without a run it may be judged by.

        What was measured when it was kept is believed in part only (n runs against m, see `belief`); the correction
        fades as runs arrive that selected nothing.

        Args:
            arm: A kept arm, or any other, whose level is its mean.
            beside: The arm that it is compared with. What their common seeds share is in both and is no luck.
        """
        shared = self.noise.rho > PAIR_FROM and any(seed in self.arm(arm).values for seed in self.arm(beside).values)
        known = self._credit
        if (arm, shared) not in known:
            known[arm, shared] = self._credited(arm, shared=shared)
        return known[arm, shared]

    def _credited(self, arm: str, *, shared: bool) -> float | None:
        own = self.arm(arm)
        if not own.runs:
            return None
        held = self.bundles[arm].ideas if arm in self.bundles else (arm,)
        alone = len(held) == 1 or arm.startswith(DOUBLE)
        verdict = self.ideas[held[0]].verdict if alone and held[0] in self.ideas else None
        if verdict is None or verdict.effect is None or not self.sigma or not verdict.runs:
            return own.level
        reference = self.arm(self.parent(arm))
        common = sum(seed in reference.values for seed in own.values) if shared else 0
        rho = self.noise.rho if shared else 0.0
        variance = _variance(verdict.runs, max(1, reference.runs), min(common, verdict.runs), rho)
        doubt = 1 - self.belief(self.sigma * math.sqrt(variance), verdict.effect)
        return own.level - doubt * verdict.effect * min(1.0, verdict.runs / own.runs)

    def belief(self, error: float, gain: float = 0.0) -> float:
        """Part of a measured gain that is no luck: tau^2 / (tau^2 + error^2), for true effects spread by tau.

        The mean under a normal prior about zero, given one measurement (Efron and Morris, 1973). Its tau comes from the
        declared `worth`: estimated from a campaign's few differences it blew up with a single collapsed run. A gain of
        more than `TAU` such spreads says by itself that the prior is too narrow, and is taken to lie `TAU` spreads out:
        no luck is as large as a gain of many noises.

        Args:
            error: Standard error of the gain.
            gain: What was measured.
        """
        tau = max(TAU * max(self.sigma or 0.0, self.scale or 0.0), abs(gain) / TAU)
        return tau * tau / (tau * tau + error * error) if error else 1.0

    def compare(self, arm: str, against: str, *, credit: bool = True) -> Effect | None:
        """Gain of `arm` over `against`, None unless both have runs.

        Args:
            arm: The candidate.
            against: The reference, a kept arm or the baseline.
            credit: Take selection's luck out of the reference; not where the two give the same number on every seed,
                for what they share was luck of both.
        """
        ours, theirs = self.arm(arm), self.arm(against)
        if not ours.runs or not theirs.runs:
            return None
        if same := self._alike(ours, theirs):
            rho = _SAME_RUNS if same == ours.values else self.noise.rho
            plain = difference(ours, theirs, replace(self.noise, rho=rho), self.sigma)
            gain = mean([value - theirs.values[seed] for seed, value in same.items()])
            return replace(plain, gain=gain, paired=True, beyond=len(same) < ours.runs)
        level = self.credited(against, beside=arm) if credit else None
        return difference(ours, theirs, self.noise, self.sigma, level)

    def loses(self, arm: str) -> bool:
        """Whether an arm lost to its parent on every seed they share, two or more, where what seeds share is known.

        One seed shared with the parent counts where the arm lost to the baseline, too, on every seed of two or more.
        """
        ours, base = self.arm(arm), self.arm(BASELINE)
        gains = ours.over(self.arm(self.parent(arm)))
        if len(gains) == 1 and len(ours.over(base)) > 1:
            gains += ours.over(base)
        return self.noise.rho > PAIR_FROM and len(gains) > 1 and max(gains) < 0

    def _alike(self, ours: Arm, theirs: Arm) -> dict[int, float]:
        """What one arm gave on common seeds where another gave the same on each, though seeds make a difference."""
        if not self.sigma or not self.noise.freedom or (self.noise.pairs >= _KNOWN and self.noise.rho <= PAIR_FROM):
            return {}
        common = {seed: value for seed, value in ours.values.items() if seed in theirs.values}
        nearest = _ALIKE * self.sigma
        return common if all(abs(value - theirs.values[seed]) <= nearest for seed, value in common.items()) else {}

    def smallest(self, against: str) -> float | None:
        """Smallest gain that one run could show over `against`: below it the 90 % interval reaches zero.

        None while no noise is known or `against` has no run.
        """
        runs, sigma = self.arm(against).runs, self.sigma
        if sigma is None or not runs:
            return None
        return Effect(0.0, sigma * math.sqrt(1 + 1 / runs), self.noise.freedom, 1).high

    @once
    def repeatable(self) -> bool:
        """Whether no seed has changed a number: two repeats or more, each the same as its arm's first run.

        A further seed then tells nothing, except of an arm that was never repeated.
        """
        return self.noise.sigma == 0 and self.noise.freedom >= _SEEDS_ASKED - 1

    @property
    def seedless(self) -> tuple[str, ...]:
        """Says that no seed changed a number of the baseline: what is said of fresh seeds then rests on one run.

        Nothing where an idea's repeats differ: the seed does reach the program, and this sentence would deny it.
        """
        values = tuple(self.arm(BASELINE).values.values())
        if len(values) < _SEEDS_ASKED or len(set(values)) > 1 or self.noise.sigma:
            return ()
        told = (
            f"no scatter: the baseline gave one number to the last digit on {len(values)} seeds, so the seed does not "
            "reach the program or nothing in it is random; a fresh seed then repeats the same run and proves no more"
        )
        return (told,)

    def fresh_seed(self) -> int:
        """A seed that no run of the campaign has used."""
        used = [trial.seed for trial in self.board.trials]
        return max([self.settings.first_seed - 1, *used]) + 1

    def next_seed(self, arm: str, like: str) -> int:
        """The first seed of `like` that `arm` has not used, so that they pair; else one nobody has used."""
        tried = self.arm(arm).tried
        return next((seed for seed in self.arm(like).tried if seed not in tried), self.fresh_seed())


def difference(ours: Arm, theirs: Arm, noise: Noise, sigma: float | None, level: float | None = None) -> Effect:
    """Gain of one arm over another, both of which ran.

    With common seeds and a measured correlation rho, the reference's mean over the common seeds takes the share
    a = rho * (common / n) of its whole mean (a control variate).

    Args:
        ours: The candidate.
        theirs: The reference.
        noise: That of the campaign.
        sigma: Noise of one run, None while it is not known.
        level: What the reference counts for, None for its mean.
    """
    gain = ours.level - (theirs.level if level is None else level)
    common = [seed for seed in ours.values if seed in theirs.values]
    rho = noise.rho if noise.rho > PAIR_FROM and common else 0.0
    n, whole, both = ours.runs, theirs.runs, len(common)
    share = rho * both / n
    if share:
        gain -= share * (mean([theirs.values[seed] for seed in common]) - theirs.level)
    variance = _variance(n, whole, both, rho)
    error = None if sigma is None else sigma * math.sqrt(variance)
    freedom = noise.freedom if common or noise.rho <= PAIR_FROM else noise.apart
    return Effect(gain, error, freedom, n, paired=bool(share), beyond=bool(share) and max(n, whole) > both)


def _variance(n: int, whole: int, both: int, rho: float) -> float:
    """Variance of a difference of means, in that of one run: n runs against `whole`, `both` of them on common seeds."""
    variance = 1 / n + 1 / whole
    share = rho * both / n
    if share:
        variance += share * share * (1 / both - 1 / whole) - 2 * share * rho * (1 / n - both / (n * whole))
        variance -= 2 * rho * both / (n * whole)
    return max(variance, 0.0)


def _fresh_arms(trials: tuple[Trial, ...], sign: float, partial_judges: bool) -> dict[str, Arm]:
    chosen = (trial for trial in trials if trial.purpose in FRESH)
    return sort(chosen, sign, partial_judges=partial_judges)


def _whole_baseline(trial: Trial) -> bool:
    if trial.arm != BASELINE or trial.pending or trial.partial or trial.plumbing:
        return False
    return trial.value is not None and math.isfinite(trial.value)


def _ideas(ideas: tuple[Idea, ...]) -> dict[str, Idea]:
    return {idea.name: idea for idea in ideas}


def _bundles(bundles: tuple[Bundle, ...]) -> dict[str, Bundle]:
    return {bundle.name: bundle for bundle in bundles}


def _open(ideas: tuple[Idea, ...]) -> tuple[Idea, ...]:
    return tuple(idea for idea in ideas if idea.verdict is None)


def _repeats(arms: dict[str, Arm]) -> tuple[dict[str, Arm], tuple[float, ...]]:
    """Arms that ran more than once, and the evaluation noise of single runs: from paired samples, else as reported."""
    errors = [error for arm in arms.values() for error in arm.sample_errors]
    errors = errors or [error for arm in arms.values() for error in arm.errors]
    return {name: arm for name, arm in arms.items() if len(arm.values) > 1}, tuple(errors)


def _noise(repeated: dict[str, Arm], against: tuple[tuple[str, str], ...], errors: tuple[float, ...]) -> Noise:
    scatter = [residual for arm in repeated.values() for residual in arm.scatter]
    return estimate({name: arm.values for name, arm in repeated.items()}, against, errors, scatter)
