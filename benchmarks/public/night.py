"""A campaign of ours in simulated time: the modules of a night decide, and a table answers for the launcher.

The policy is asked on a board as the engine lays it out; a first run is looked at after every tenth of its steps and
ended when `scheduling.race` says so; researchers are `researchers.search` or a list in the order of a draw. What a run
costs is the share of its steps that it made, and what a race saves is spent on ideas. Ideas are configurations: each
replaces the one before, so no two can be merged.
"""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tables import PARTS, Draws, Table, knobs

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
)  # fmt: skip
from autoresearch.experiment.hypothesis import Brief, Facts, Tried
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.ports.policy import Policy
from autoresearch.researchers.override_forms import assignments
from autoresearch.researchers.search.researcher import SearchResearcher
from autoresearch.researchers.search.space import Space, read_space
from autoresearch.run.measurement import Objective
from autoresearch.scheduling import race
from autoresearch.verdict.claims import Standing, whole_claim
from autoresearch.verdict.evidence import Evidence

OBJECTIVE = Objective("more", "return")
_FRESH = frozenset({Purpose.CONFIRM, Purpose.ABLATE})


@dataclass(frozen=True)
class End:
    """What a method ended with; gains in per cent of the yardstick, the rest in standard deviations between seeds.

    Attributes:
        gain: True gain over the median configuration.
        cost: Whole runs spent.
        tried: Configurations that ran.
        said_minus_true: What is announced less what is true; None where nothing is announced.
        covered: Whether the printed 90 % interval holds the true gain; None without one.
        proven: Whether the gain is called proven.
        wrong: Whether it is, and there is none.
    """

    gain: float
    cost: float
    tried: int
    said_minus_true: float | None = None
    covered: bool | None = None
    proven: bool = False
    wrong: bool = False


@dataclass
class Nearest:
    """The entries of a table as places of a search space, each given away once."""

    table: Table
    taken: set[int]

    def __post_init__(self) -> None:
        self.space: Space = read_space(knobs(self.table))
        middle = {key: knob.get("low", "") for key, knob in knobs(self.table).items()}
        self.points = [{**middle, **one} for one in self.table.configurations]
        self._places = [self.space.place(point) for point in self.points]

    def take(self, point: dict[str, object]) -> int | None:
        """The entry nearest to a point among those nobody took; None when all are taken."""
        here = self.space.place(point)
        left = [n for n in range(len(self.points)) if n not in self.taken]
        if not left:
            return None
        best = min(left, key=lambda n: float(((self._places[n] - here) ** 2).sum()))
        self.taken.add(best)
        return best


@dataclass
class Campaign:
    """One campaign, as the engine carries it out."""

    table: Table
    runs: float
    seed: int
    search: bool
    racing: bool
    confirm: float = 0.15
    spent: float = 0.0
    place: dict[str, int] = field(default_factory=dict)
    curves: dict[str, list[race.FirstRun]] = field(default_factory=dict)
    whole: dict[str, list[race.Curve]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draws = Draws(self.table, random.Random(f"{self.seed} {self.table.name} runs"))
        self.place[BASELINE] = self.table.start
        self.known = Nearest(self.table, {self.table.start}) if self.search else None
        self.researcher = SearchResearcher(
            options={"space": knobs(self.table), "seed": self.seed}, folder=Path()
        )  # fmt: skip
        self.order = shuffled(self.table, self.seed)
        self.board = Board(
            objective=OBJECTIVE,
            settings=PolicySettings(confirm=self.confirm),
            runs_left=int(self.runs),
            runs_total=int(self.runs),
        )

    def carry_out(self, advice: object) -> None:
        board = self.board
        match advice:
            case Propose(parent=parent):
                self._propose(parent)
            case Measure():
                self._run(advice)
            case Combine():
                made = Bundle(advice.name, advice.ideas, advice.parent, "configurations set the same knobs")
                if len(advice.ideas) == 1:
                    made = replace(made, conflict="")
                    self.place[advice.name] = self.place[advice.ideas[0]]
                self.board = replace(board, bundles=(*board.bundles, made))
            case Settle(idea=name, verdict=verdict, incumbent=incumbent):
                ideas = tuple(replace(i, verdict=verdict) if i.name == name else i for i in board.ideas)
                self.board = replace(board, ideas=ideas, incumbent=incumbent or board.incumbent)
            case Demote():
                self.board = replace(board, incumbent=advice.incumbent)
            case Rest():
                raise RuntimeError("the policy waits although nothing runs")

    def _propose(self, parent: str) -> None:
        name = f"idea-{len(self.board.ideas) + 1}"
        found = self._searched(parent) if self.search else next(self.order, None)
        if found is None:
            self.board = replace(self.board, no_more_ideas=True)
            return
        self.place[name] = found
        idea = Idea(name=name, parent=parent, keys=frozenset({"configuration"}), seeds=1 if self.search else None)
        self.board = replace(self.board, ideas=(*self.board.ideas, idea))

    def _searched(self, parent: str) -> int | None:
        assert self.known is not None
        points, evidence = self.known.points, Evidence(self.board)
        values = points[self.place[parent]]
        brief = Brief(
            campaign="public",
            index=len(self.board.ideas) + 1,
            objective=OBJECTIVE,
            parent=parent,
            facts=Facts(values=values),
            tried=tuple(self._tried()),
            noise=evidence.sigma,
            repeats=evidence.noise.freedom,
            origin=points[self.table.start],
        )
        hypothesis = self.researcher.propose(brief, Path())
        wanted = values if hypothesis is None else {**values, **assignments(hypothesis.overrides)}
        return self.known.take(wanted)

    def _tried(self) -> Iterable[Tried]:
        """The ledger's digest: every idea with its verdict's value, as researchers are told it."""
        assert self.known is not None
        evidence = Evidence(self.board)
        for index, name in enumerate((BASELINE, *(idea.name for idea in self.board.ideas))):
            idea, arm = evidence.ideas.get(name), evidence.arm(name)
            verdict = idea.verdict if idea else None
            point = self.known.points[self.place[name]]
            yield Tried(
                index=index,
                name=name,
                title=name,
                config=tuple(f"{key}={value}" for key, value in point.items()),
                status=str(verdict.status) if verdict else "keep" if name == BASELINE else "",
                value=(verdict.value if verdict else arm.level if arm.runs else None),
                source="" if name == BASELINE else "search",
                runs=arm.runs or len(arm.weak),
                partial=bool(arm.weak) and not arm.runs,
            )

    def _run(self, advice: Measure) -> None:
        curve = self.draws.run(self.place[advice.arm], chooses=advice.purpose not in _FRESH)
        seen = [(step, value) for step, value in curve if math.isfinite(value)]
        looked = self.racing and advice.purpose is Purpose.EXPLORE and advice.arm != BASELINE
        end = self._raced(advice.arm, seen) if looked else PARTS
        seen = [point for point in seen if point[0] <= end]
        complete = end == PARTS
        value = curve[-1][1] if complete else seen[-1][1]
        number = value if math.isfinite(value) else None
        if complete and number is not None:
            self.whole.setdefault(advice.arm, []).append(seen)
        if looked and number is not None:
            self.curves.setdefault(advice.arm, []).append(race.FirstRun(seen, self._parents(advice.arm), complete))
        self.spent += end / PARTS
        made = Trial(
            arm=advice.arm,
            seed=advice.seed,
            purpose=advice.purpose,
            value=number,
            partial=not complete,
            order=len(self.board.trials),
        )
        left = int(self.runs - self.spent + 1e-9)
        self.board = replace(self.board, trials=(*self.board.trials, made), runs_left=left)

    def _parents(self, arm: str) -> list[race.Curve]:
        parent = next((idea.parent for idea in self.board.ideas if idea.name == arm), BASELINE)
        return self.whole.get(parent) or self.whole.get(BASELINE, [])

    def _raced(self, arm: str, curve: list[tuple[int, float]]) -> int:
        """The look at which the run is ended; all of them when it goes on."""
        evidence, parents = Evidence(self.board), self._parents(arm)
        others = [first for name, firsts in self.curves.items() if name != arm for first in firsts[:1]]
        for look in range(1, PARTS):
            part = [point for point in curve if point[0] <= look]
            if part and (
                race.hopeless(part, parents, OBJECTIVE, evidence.sigma)
                or race.outraced(part, parents, others, OBJECTIVE, evidence.sigma)
            ):
                return look
        return PARTS

    def end(self) -> End:
        board, table = self.board, self.table
        place = self.place[board.incumbent]
        gain = float(table.truths[place] - table.truths[table.start])
        claim = whole_claim(Evidence(board))
        said = claim.effect if claim else None
        proven = claim is not None and claim.standing is Standing.PROVEN
        return End(
            gain=self.draws.share(place),
            cost=self.spent,
            tried=len({trial.arm for trial in board.trials}),
            said_minus_true=None if said is None else (said - gain) / table.deviation,
            covered=claim.holds(gain) if claim else None,
            proven=proven,
            wrong=proven and gain <= 0,
        )


def shuffled(table: Table, seed: int) -> Iterator[int]:
    """All configurations but the first in the order of a draw, the same for every method of that seed."""
    order = [place for place in range(len(table.configurations)) if place != table.start]
    random.Random(f"{seed} {table.name} order").shuffle(order)
    return iter(order)


def play(policy: Policy, table: Table, runs: float, seed: int, *, search: bool, racing: bool) -> End:
    """A campaign from its baseline to its end."""
    campaign = Campaign(table, runs, seed, search, racing)
    while not isinstance(advice := policy.advise(campaign.board), Done):
        campaign.carry_out(advice)
    return campaign.end()
