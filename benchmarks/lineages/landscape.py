"""Simulated agents on a landscape whose truth is known, and campaigns on it by the real policy and the real chooser.

A configuration is a set of *moves*. Each is worth something by itself; moves of one *theme* do the same thing again, so
that a second one adds less; some pairs help or spoil each other. An agent has a *skill*, the correlation between what
it expects of a move and what the move is worth on the parent at hand, and prejudices of its own that do not change:
asked again, it proposes what it likes, so its ideas are correlated.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from autoresearch.config.line_rules import LineagesConfig
from autoresearch.experiment.board import (
    Board,
    Bundle,
    Combine,
    Demote,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
    Trial,
)
from autoresearch.experiment.outcome import BASELINE
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Objective
from autoresearch.scheduling.exploration import Turn, order
from autoresearch.scheduling.lineages import Earned, credited_gain, earned_shares, start
from autoresearch.verdict.evidence import Evidence

MOVES, THEMES = 60, 12
_OBJECTIVE = Objective("more", "metric")


@dataclass(frozen=True, kw_only=True)
class Land:
    """What moves are worth.

    Attributes:
        rugged: Standard deviation of what a pair of moves adds or spoils, for the pairs that interact; they spoil half
            of that on average, so that what is good by itself shuts out what is good together.
        pairs: Part of the pairs that interact.
        echo: Part of a second move of one theme that is no gain any more.
        good: Where the mean of single moves lies, in standard deviations of a move; most do harm below zero.
    """

    rugged: float = 0.0
    pairs: float = 0.1
    echo: float = 0.5
    good: float = -0.8


@dataclass(kw_only=True)
class Truth:
    """One draw of a landscape."""

    land: Land
    seed: int

    def __post_init__(self) -> None:
        dice = random.Random(f"{self.seed} land")
        self.single = [dice.gauss(self.land.good, 1.0) for _ in range(MOVES)]
        self.pair = {
            (one, two): dice.gauss(-self.land.rugged / 2, self.land.rugged)
            for one in range(MOVES)
            for two in range(one + 1, MOVES)
            if dice.random() < self.land.pairs
        }

    def value(self, held: frozenset[int]) -> float:
        """What a configuration is truly worth over the baseline."""
        made, told = frozenset[int](), 0.0
        for move in sorted(held, key=lambda one: -self.single[one]):
            told, made = told + self.adds(move, made), made | {move}
        return told

    def adds(self, move: int, held: frozenset[int]) -> float:
        """What a move adds to a configuration; of a theme the best counts whole, whichever came first."""
        own = self.single[move]
        alike = max((self.single[one] for one in held if one % THEMES == move % THEMES), default=0.0)
        told = own - self.land.echo * max(0.0, min(own, alike))
        if self.land.rugged:
            told += sum(self.pair.get((min(move, one), max(move, one)), 0.0) for one in held)
        return told


@dataclass(frozen=True)
class Agent:
    """A simulated researcher: how much it knows, and how long it thinks, in runs."""

    skill: float
    cost: float = 0.0


Rules = LineagesConfig
HILL = Rules()


@dataclass(kw_only=True)
class Campaign:
    """A board, hidden truths, and runs that end in order; what is decided is decided by the program's own code."""

    truth: Truth
    policy: Policy
    rules: Rules
    runs: float
    noise: float
    seed: int
    agents: tuple[Agent, ...] = (Agent(0.5),)
    base: frozenset[int] = frozenset()
    shares: tuple[float, ...] = ()
    held: dict[str, frozenset[int]] = field(default_factory=dict)
    spent: float = 0.0

    def __post_init__(self) -> None:
        self.luck = random.Random(f"{self.seed} noise")
        self.minds = random.Random(f"{self.seed} minds")
        self.held = {BASELINE: self.base}
        self.asked = [0] * len(self.agents)
        self.whose: dict[str, int] = {}
        self.board = Board(objective=_OBJECTIVE, settings=PolicySettings(worth=1.0, confirm=0.0))
        self.likes = [[self.minds.gauss(0, 1) for _ in range(MOVES)] for _ in self.agents]

    def go_on(self, until: float) -> "Campaign":
        """Work until so many runs were spent."""
        for _ in range(100_000):
            left = int(min(until, self.runs) - self.spent)
            self.board = replace(self.board, runs_left=max(0, left), runs_total=int(self.runs))
            advice = self.policy.advise(self.board)
            if left <= 0 or isinstance(advice, Done | Rest):
                return self
            self._carry_out(advice)
        raise RuntimeError("the policy never comes to an end")

    def _carry_out(self, advice: object) -> None:
        board = self.board
        match advice:
            case Propose():
                self._attempt()
            case Measure():
                value = self.truth.value(self.held[advice.arm]) + self.luck.gauss(0, self.noise)
                trial = Trial(
                    arm=advice.arm, seed=advice.seed, purpose=advice.purpose, value=value, order=len(board.trials)
                )
                self.board, self.spent = replace(board, trials=(*board.trials, trial)), self.spent + 1
            case Combine():
                made = self.held[advice.parent]
                for idea in advice.ideas:
                    made |= self._own(idea)
                self.held[advice.name] = made
                self.board = replace(board, bundles=(*board.bundles, Bundle(advice.name, advice.ideas, advice.parent)))
            case Settle():
                ideas = tuple(replace(i, verdict=advice.verdict) if i.name == advice.idea else i for i in board.ideas)
                self.board = replace(board, ideas=ideas, incumbent=advice.incumbent or board.incumbent)
            case Demote():
                self.board = replace(board, incumbent=advice.incumbent)

    def _own(self, idea: str) -> frozenset[int]:
        parent = next(one.parent for one in self.board.ideas if one.name == idea)
        return self.held[idea] - self.held[parent]

    def _attempt(self) -> None:
        found = start(self.board, self.rules)
        name = f"idea-{len(self.board.ideas) + 1}"
        if found.crosses:
            self.held[name] = self.held[found.parent] | self.held[found.crosses]
        else:
            who = self._whose_turn()
            self.asked[who] += 1
            self.whose[name] = who
            self.spent += self.agents[who].cost
            self.held[name] = self.held[found.parent] | {self._think(who, self.held[found.parent])}
        idea = Idea(name=name, parent=found.parent, crosses=found.crosses)
        self.board = replace(self.board, ideas=(*self.board.ideas, idea))

    def _think(self, who: int, parent: frozenset[int]) -> int:
        """The move that the agent likes best of those that nobody has tried on this parent."""
        tried = set(self.held.values())
        free = [move for move in range(MOVES) if move not in parent and parent | {move} not in tried]
        skill = self.agents[who].skill

        def liked(move: int) -> float:
            true = self.truth.adds(move, parent) - self.truth.land.good
            return skill * true + math.sqrt(1 - skill * skill) * self.likes[who][move]

        return max(free, key=liked) if free else 0

    def _whose_turn(self) -> int:
        if len(self.agents) == 1:
            return 0
        shares = self.shares or tuple(1 / len(self.agents) for _ in self.agents)
        if self.rules.ask == "gain":
            shares = earned_shares(self._earned(), self.rules.floor)
        return order([Turn(made, share) for made, share in zip(self.asked, shares, strict=True)])[0]

    def _earned(self) -> list[Earned]:
        found = [Earned(cost=agent.cost * made) for agent, made in zip(self.agents, self.asked, strict=True)]
        evidence = Evidence(self.board)
        for idea in self.board.ideas:
            if idea.verdict is not None and idea.name in self.whose:
                who, runs = self.whose[idea.name], sum(trial.arm == idea.name for trial in self.board.trials)
                old = found[who]
                found[who] = Earned(old.gain + credited_gain(evidence, idea), old.cost + runs, old.tested + 1)
        return found

    @property
    def gain(self) -> float:
        """What the incumbent is truly worth over the baseline of the campaign."""
        return self.truth.value(self.held[self.board.incumbent])

    @property
    def seems(self) -> float:
        """What it seems to be worth, credited as the policy does."""
        level = Evidence(self.board).credited(self.board.incumbent)
        return self.truth.value(self.base) if level is None else level


Method = Callable[[Truth, Policy, float, float, int, tuple[Agent, ...]], float]


def lines(rules: Rules) -> Method:
    """One campaign by these rules; what its incumbent is truly worth at the end."""

    def play(truth: Truth, policy: Policy, runs: float, noise: float, seed: int, agents: tuple[Agent, ...]) -> float:
        one = Campaign(truth=truth, policy=policy, rules=rules, runs=runs, noise=noise, seed=seed, agents=agents)
        return one.go_on(runs).gain

    return play


def best_of(number: int) -> Method:
    """So many single lines that know nothing of each other, each with its part of the runs; the best by its own word.

    The agents' prejudices are the same in all: it is the same model that is asked.
    """

    def play(truth: Truth, policy: Policy, runs: float, noise: float, seed: int, agents: tuple[Agent, ...]) -> float:
        part = runs / number
        found = [
            _line(truth, policy, part, noise, f"{seed}{place}", seed, agents).go_on(part) for place in range(number)
        ]
        return max(found, key=lambda one: one.seems).gain

    return play


def islands(number: int, rounds: int = 3) -> Method:
    """So many lines; after each round the one that seems worst goes on from where the best one stands."""

    def play(truth: Truth, policy: Policy, runs: float, noise: float, seed: int, agents: tuple[Agent, ...]) -> float:
        part = runs / number
        found = [_line(truth, policy, part, noise, f"{seed}{place}", seed, agents) for place in range(number)]
        for turn in range(1, rounds + 1):
            for one in found:
                one.go_on(one.runs * turn / rounds if one.base == frozenset() else one.runs)
            if turn == rounds:
                break
            best, worst = (choose(found, key=lambda one: one.seems) for choose in (max, min))
            if best is not worst:
                left = part * (rounds - turn) / rounds
                held = best.held[best.board.incumbent]
                place = found.index(worst)
                found[place] = _line(truth, policy, left, noise, f"{seed}{place}{turn}", seed, agents, held)
        return max(found, key=lambda one: one.seems).gain

    return play


def _line(
    truth: Truth,
    policy: Policy,
    runs: float,
    noise: float,
    seed: str,
    mind: int,
    agents: tuple[Agent, ...],
    base: frozenset[int] = frozenset(),
) -> Campaign:
    one = Campaign(
        truth=truth, policy=policy, rules=HILL, runs=runs, noise=noise, seed=int(seed), agents=agents, base=base
    )
    minds = random.Random(f"{mind} minds")
    one.likes = [[minds.gauss(0, 1) for _ in range(MOVES)] for _ in agents]
    return one
