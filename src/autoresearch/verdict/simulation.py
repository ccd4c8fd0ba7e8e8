"""Thousands of invented campaigns through the very policies that judge real ones, before a GPU is spent.

Effects are in units of the mean true improvement, so `noise` is the ratio of run-to-run noise to a typical gain. The
streams follow one generator: 20 % improvements (exponential, mean 1), 35 % without effect, 45 % harmful (exponential,
mean 1.5; one in ten of them 8 worse still), 8 % crash.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from autoresearch.errors import CampaignError
from autoresearch.experiment.board import (
    Advice,
    Board,
    Bundle,
    Combine,
    Demote,
    Done,
    Idea,
    Measure,
    Propose,
    Rest,
    Settle,
    Trial,
)
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Objective
from autoresearch.verdict.claims import SHOWN, claims
from autoresearch.verdict.drift import drift
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.simulated_world import World
from autoresearch.verdict.statistics import Figure, figure_of

_OBJECTIVE = Objective("more", "metric")
_ADVICE_LIMIT = 200
"""Pieces of advice per run after which a policy that never rests is called broken."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one simulated campaign came to; gains in mean improvements.

    Attributes:
        gain: True gain of the final incumbent over the baseline.
        possible: Gain of a judge who sees the truth at one run per idea.
        ideas: Ideas tried.
        keeps: Ideas kept.
        false_keeps: Of these, ideas whose own effect is not positive.
        missed: Improvements tried and not kept.
        announced: Gain a leader board would announce: all runs of the incumbent against all of the baseline.
        confirmed: Gain of the campaign as its report prints it, None when it prints none.
        covered: Whether the 90 % interval printed beside it holds the true gain, None without one.
        singles: Claims about single ideas that have an interval.
        singles_covered: Of these, claims whose interval holds the idea's true effect.
        claimed: Whether the campaign as a whole, or any idea in it, is called proven.
        false_claim: Whether any of that is not true.
        stated: The chance of a false claim that the campaign stated.
        runs: Runs spent.
        width: Width of the interval printed beside the campaign's gain, None without one.
        proven: Whether the campaign's gain is called proven.
        drifted: Whether the report would say that the machine drifted (99 % sure).
        hinted: Whether it would say that it may have (90 %).
    """

    gain: float
    possible: float
    ideas: int
    keeps: int
    false_keeps: int
    missed: int
    announced: float
    confirmed: float | None
    covered: bool | None
    claimed: bool
    false_claim: bool
    stated: float
    runs: int
    width: float | None = None
    proven: bool = False
    singles: int = 0
    singles_covered: int = 0
    drifted: bool = False
    hinted: bool = False


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over simulated campaigns, each with its standard error; see `Outcome` for what they count."""

    policy: str
    campaigns: int
    gain: Figure
    possible: Figure
    keeps: Figure
    false_keeps: Figure
    false_keeps_per_100: Figure
    missed: Figure
    announced_minus_true: Figure
    confirmed_minus_true: Figure
    coverage: Figure
    claimed: Figure
    false_claims: Figure
    stated: Figure
    runs: Figure
    width: Figure
    proven: Figure


def simulate(policy: Policy, world: World, *, campaigns: int = 200, seed: int = 0) -> Summary:
    """Run `campaigns` invented campaigns; the same seed gives every policy the same ideas.

    Raises:
        CampaignError: Neither runs nor experiments are limited.
    """
    return summarise(policy.name, [run_campaign(policy, world, seed + number) for number in range(campaigns)])


def summarise(name: str, outcomes: list[Outcome]) -> Summary:
    """Means and standard errors over campaigns."""

    def over(number: Callable[[Outcome], float | None]) -> Figure:
        return figure_of([value for outcome in outcomes if (value := number(outcome)) is not None])

    return Summary(
        policy=name,
        campaigns=len(outcomes),
        gain=over(lambda o: o.gain),
        possible=over(lambda o: o.possible),
        keeps=over(lambda o: o.keeps),
        false_keeps=over(lambda o: o.false_keeps),
        false_keeps_per_100=over(lambda o: 100 * o.false_keeps / o.ideas if o.ideas else None),
        missed=over(lambda o: o.missed),
        announced_minus_true=over(lambda o: o.announced - o.gain),
        confirmed_minus_true=over(lambda o: None if o.confirmed is None else o.confirmed - o.gain),
        coverage=over(lambda o: None if o.covered is None else float(o.covered)),
        claimed=over(lambda o: float(o.claimed)),
        false_claims=over(lambda o: float(o.false_claim)),
        stated=over(lambda o: o.stated),
        runs=over(lambda o: o.runs),
        width=over(lambda o: o.width),
        proven=over(lambda o: float(o.proven)),
    )


def run_campaign(policy: Policy, world: World, seed: int) -> Outcome:
    """One invented campaign from baseline to `Done`.

    Raises:
        CampaignError: Neither runs nor experiments are limited, or the policy never comes to an end.
    """
    if world.runs is None and world.experiments is None:
        raise CampaignError("a simulated campaign needs a limit: give runs or experiments")
    campaign = _Campaign(world=world, seed=seed)
    limit = _ADVICE_LIMIT * ((world.runs or 0) + 20 * (world.experiments or 0) + 50)
    for _ in range(limit):
        if campaign.full:
            campaign.end_one()
            continue
        advice = policy.advise(campaign.board)
        if isinstance(advice, Done):
            return campaign.outcome()
        campaign.carry_out(advice)
    raise CampaignError(f"policy {policy.name} gave {limit} pieces of advice without coming to an end")


@dataclass(kw_only=True)
class _Campaign:
    """The engine's part: a board, hidden truths, and runs that end in order."""

    world: World
    seed: int
    effects: dict[str, float] = field(default_factory=dict)
    crashing: set[str] = field(default_factory=set)
    truth: dict[str, float] = field(default_factory=lambda: {BASELINE: 0.0})
    seeds: dict[int, float] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    inside: dict[str, tuple[str, ...]] = field(default_factory=lambda: {BASELINE: ()})

    def __post_init__(self) -> None:
        self.minds = _dice(f"{self.seed} ideas")
        self.luck = _dice(f"{self.seed} noise")
        self.ideas: tuple[Idea, ...] = ()
        self.trials: tuple[Trial, ...] = ()
        self.bundles: tuple[Bundle, ...] = ()
        self.incumbent = BASELINE

    @property
    def board(self) -> Board:
        """What the policy sees."""
        runs, most = self.world.runs, self.world.experiments
        ideas_left = None if most is None else most - len(self.ideas)
        return Board(
            objective=_OBJECTIVE,
            settings=self.world.settings,
            ideas=self.ideas,
            trials=self.trials,
            bundles=self.bundles,
            incumbent=self.incumbent,
            may_explore=ideas_left != 0,
            runs_left=None if runs is None else runs - len(self.trials),
            runs_total=runs,
            ideas_left=ideas_left,
        )

    @property
    def full(self) -> bool:
        return len(self.waiting) >= self.world.slots

    def carry_out(self, advice: Advice) -> None:
        match advice:
            case Propose(parent=parent):
                name = self._think()
                self._holds(name, parent, (name,))
                self.ideas += (Idea(name=name, parent=parent),)
            case Measure():
                self.waiting.append(len(self.trials))
                self.trials += (
                    Trial(
                        arm=advice.arm, seed=advice.seed, purpose=advice.purpose, pending=True, order=len(self.trials)
                    ),
                )
            case Combine():
                self._holds(advice.name, advice.parent, advice.ideas)
                self.bundles += (Bundle(advice.name, advice.ideas, advice.parent),)
            case Settle(idea=name, verdict=verdict, incumbent=incumbent):
                self.ideas = tuple(replace(i, verdict=verdict) if i.name == name else i for i in self.ideas)
                self.incumbent = incumbent or self.incumbent
            case Demote():
                self.incumbent = advice.incumbent
            case Rest():
                self.end_one()

    def end_one(self) -> None:
        """The oldest run ends."""
        if not self.waiting:
            raise CampaignError("the policy rests although no run is pending")
        place = self.waiting.pop(0)
        begun = self.trials[place]
        ended = Trial(
            arm=begun.arm, seed=begun.seed, purpose=begun.purpose, value=self._value(begun), order=begun.order
        )
        self.trials = (*self.trials[:place], ended, *self.trials[place + 1 :])

    def _think(self) -> str:
        name = f"idea-{len(self.effects) + 1}"
        self.effects[name] = self._effect(len(self.effects))
        if self.minds.random() < self.world.stream.crash:
            self.crashing.add(name)
        return name

    def _effect(self, number: int) -> float:
        stream = self.world.stream
        if stream.effects:
            return stream.effects[int(self.minds.random() * len(stream.effects))]
        if stream.centre is not None:
            return self.minds.gauss(stream.centre, stream.width)
        draw, size = self.minds.random(), self.minds.expovariate(1.0)
        ruin = self.minds.random() < 0.1
        good = self._good()
        if draw < good:
            return size * (3 * math.exp(-number / stream.fade) if stream.fade else 1.0)
        if draw < good + stream.null or stream.null >= 1:
            return 0.0
        return -1.5 * size - (8.0 if ruin else 0.0)

    def _good(self) -> float:
        if not self.world.stream.builds:
            return self.world.stream.good
        kept = [i for i in self.ideas if i.verdict is not None and i.verdict.status is Status.KEEP]
        if not kept:
            return self.world.stream.good
        return 0.3 if self.effects[kept[-1].name] > 0 else 0.1

    def _true(self, arm: str) -> float:
        if arm not in self.truth:
            held = self._held(arm)
            self.truth[arm] = sum(self.effects[idea] for idea in held) + self._interactions(held)
        return self.truth[arm]

    def _held(self, arm: str) -> tuple[str, ...]:
        """The ideas inside an arm."""
        return self.inside[arm]

    def _holds(self, arm: str, parent: str, ideas: tuple[str, ...]) -> None:
        before = self.inside[parent]
        self.inside[arm] = (*(idea for idea in before if idea not in ideas), *ideas)

    def _interactions(self, held: tuple[str, ...]) -> float:
        share = self.world.stream.interacting
        if not share:
            return 0.0
        pairs = [(one, two) for number, one in enumerate(sorted(held)) for two in sorted(held)[number + 1 :]]
        dice = (_dice(f"{self.seed} {one} {two}") for one, two in pairs)
        return sum(die.gauss(0, 0.5) for die in dice if die.random() < share)

    def _value(self, trial: Trial) -> float | None:
        true = self._true(trial.arm)
        noise = self._noise(trial.seed)
        if any(idea in self.crashing for idea in self._held(trial.arm)):
            return None
        drift = self.world.stream.drift * trial.order / max(1, self.world.runs or 100)
        return true + self.world.noise * (noise + drift)

    def _noise(self, seed: int) -> float:
        own = self.luck.gauss(0, 1)
        if self.world.stream.heavy:
            chi = self.luck.gammavariate(1.5, 2.0)
            own /= math.sqrt(chi) if chi else 1.0
            own -= 5.0 if self.luck.random() < 0.07 else 0.0
        if self.world.stream.collapse and self.luck.random() < self.world.stream.collapse:
            own -= 5.0 + self.luck.expovariate(0.2)
        if not self.world.rho:
            return own
        if seed not in self.seeds:
            self.seeds[seed] = _dice(f"{self.seed} seed {seed}").gauss(0, 1)
        return math.sqrt(self.world.rho) * self.seeds[seed] + math.sqrt(1 - self.world.rho) * own

    def outcome(self) -> Outcome:
        board = self.board
        evidence = Evidence(board)
        kept = [i.name for i in board.ideas if i.verdict is not None and i.verdict.status is Status.KEEP]
        gain = self._true(board.incumbent)
        announced = _level(evidence, board.incumbent) - _level(evidence, BASELINE)
        right = [effect for name, effect in self.effects.items() if effect > 0 and name not in self.crashing]
        claimed = claims(board)
        proven = [c.name for c in claimed.ideas if c.standing in SHOWN]
        printed = claimed.campaign
        whole = printed is not None and printed.standing in SHOWN
        singles = [c.holds(self._claimed_effect(c.name)) for c in claimed.ideas if c.low is not None]
        trend = drift(board)
        wrong = [name for name in proven if self._own_effect(name) <= 0]
        return Outcome(
            gain=gain,
            possible=self._possible(),
            ideas=len(board.ideas),
            keeps=len(kept),
            false_keeps=sum(self.effects[name] <= 0 for name in kept),
            missed=len(right) - sum(self.effects[name] > 0 for name in kept),
            announced=announced,
            confirmed=None if printed is None else printed.effect,
            covered=None if printed is None else printed.holds(gain),
            singles=len(singles),
            singles_covered=sum(map(bool, singles)),
            claimed=whole or bool(proven),
            false_claim=bool(wrong) or (whole and gain <= 0),
            stated=claimed.false_chance,
            runs=len(board.trials),
            width=None if printed is None or printed.low is None else (printed.high or 0.0) - printed.low,
            proven=whole,
            drifted=trend is not None and trend.shown,
            hinted=trend is not None and (trend.low > 0 or trend.high < 0),
        )

    def _claimed_effect(self, name: str) -> float:
        """What a claim about one idea speaks of: inside the incumbent, or over the parent it was tried on."""
        if name in self._held(self.incumbent):
            return self._own_effect(name)
        parent = next(idea.parent for idea in self.ideas if idea.name == name)
        return self._true(name) - self._true(parent)

    def _own_effect(self, name: str) -> float:
        """What the idea is worth inside the incumbent, where interactions make that another number."""
        held = self._held(self.incumbent)
        if name not in held:
            return self.effects[name]
        rest = tuple(idea for idea in held if idea != name)
        return self.effects[name] + self._interactions(held) - self._interactions(rest)

    def _possible(self) -> float:
        """A judge who sees the truth, one run per idea, on the ideas of this stream."""
        most = min(limit for limit in (self.world.runs, self.world.experiments) if limit is not None)
        mind = _Campaign(world=replace(self.world, stream=replace(self.world.stream, builds=False)), seed=self.seed)
        for _ in range(most):
            mind._think()
        return sum(max(0.0, effect) for name, effect in mind.effects.items() if name not in mind.crashing)


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  (a simulation, no secret)


def _level(evidence: Evidence, arm: str) -> float:
    runs = evidence.arm(arm)
    return runs.level if runs.runs else 0.0
