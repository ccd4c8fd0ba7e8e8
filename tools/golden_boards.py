"""What the golden numbers are about: campaigns in plain numbers, and the figures that distributions are asked for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run."""

    arm: str
    seed: int
    value: float
    purpose: str = "explore"
    order: int = 0


@dataclass(frozen=True)
class Idea:
    """A judged idea; without an effect when its verdict had none."""

    name: str
    parent: str = "baseline"
    status: str = "keep"
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 1


@dataclass(frozen=True)
class Board:
    """A campaign. `bundles` are (name, ideas, parent); `more` are settings and budgets by their names."""

    runs: tuple[Run, ...]
    ideas: tuple[Idea, ...] = ()
    bundles: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    incumbent: str = "baseline"
    direction: str = "maximize"
    worth: float | None = None
    more: tuple[tuple[str, int | float | bool], ...] = ()

    @property
    def sign(self) -> float:
        """1 where more is better."""
        return 1.0 if self.direction == "maximize" else -1.0

    def arms(self, chosen: Callable[[Run], bool]) -> dict[str, dict[int, float]]:
        """Arm -> seed -> value."""
        found: dict[str, dict[int, float]] = {}
        for run in filter(chosen, self.runs):
            found.setdefault(run.arm, {})[run.seed] = run.value
        return found

    def parent(self, arm: str) -> str:
        """What an arm was made from."""
        made = {name: parent for name, _, parent in self.bundles} | {idea.name: idea.parent for idea in self.ideas}
        return made.get(arm, "")

    def held(self) -> tuple[str, ...]:
        """Ideas inside the incumbent."""
        inside, arm = [], self.incumbent
        while arm != "baseline":
            inside.append(arm)
            arm = self.parent(arm)
        return tuple(reversed(inside))

    def without(self, idea: str) -> str:
        """The bundle of everything held but one idea."""
        rest = {other for other in self.held() if other != idea}
        return next((name for name, ideas, parent in self.bundles if set(ideas) == rest and parent == "baseline"), "")

    def plain(self) -> dict[str, Any]:
        """For JSON: a list for each run and each idea."""
        body = asdict(self)
        body["runs"] = [list(asdict(run).values()) for run in self.runs]
        body["ideas"] = [list(asdict(idea).values()) for idea in self.ideas]
        return body


def arm(name: str, *values: float, seed: int = 42, purpose: str = "explore", order: int = 0) -> tuple[Run, ...]:
    """Runs of one arm on successive seeds."""
    return tuple(Run(name, seed + n, value, purpose, order + n) for n, value in enumerate(values))


def apart(gap: int, *values: float) -> tuple[Run, ...]:
    """Runs of the baseline, so many runs of others apart."""
    return tuple(Run("baseline", n, value, "anchor", gap * n) for n, value in enumerate(values))


BASE = arm("baseline", 1.00, 1.02, 0.98, purpose="baseline")
MANY = arm("baseline", 0.50, 0.53, 0.46, 0.51, 0.48, purpose="baseline")
MOVES = arm("x", 0.61, 0.65, 0.55, 0.63, 0.58)
FRESH_A = arm("a", 1.09, 1.11, 1.10, seed=90, purpose="confirm", order=30)
FRESH_BASE = arm("baseline", 1.00, 1.03, 0.99, seed=90, purpose="confirm", order=40)
KEPT_A = Idea("a", effect=0.09, low=0.03, high=0.15)
LOST_C = Idea("c", status="discard", effect=-0.11, low=-0.17, high=-0.05)
FLAT_D = Idea("d", status="discard", effect=0.012, low=-0.05, high=0.07)
TWO = (*BASE, *arm("a", 1.09, order=4), *arm("b", 1.17, order=5), *arm("c", 0.89, order=6), *arm("d", 1.012, order=7))
LEFT_OUT = (("without-1", ("b",), "baseline"), ("without-2", ("a",), "baseline"))
ROWS = (
    ("screen-1-1", ("a", "b"), "baseline"),
    ("screen-1-2", ("b", "c"), "baseline"),
    ("screen-1-3", ("a", "c"), "baseline"),
)
CLIMB = (0.500, 0.523, 0.541, 0.566, 0.579, 0.603)


def kept(*gains: float) -> tuple[Idea, ...]:
    """Ideas judged with these gains, on one run and then on two, in turn."""
    return tuple(Idea(f"i{n}", effect=gain, runs=1 + n % 2) for n, gain in enumerate(gains))


def claimed(fresh: Sequence[float], base: Sequence[float]) -> Board:
    """One kept idea, and these fresh pairs."""
    runs = (*BASE, *arm("a", 1.09, order=4), *arm("a", *fresh, seed=90, purpose="confirm", order=9),
            *arm("baseline", *base, seed=90, purpose="confirm", order=19))  # fmt: skip
    return Board(runs, (KEPT_A,), incumbent="a")


BOARDS: dict[str, tuple[Board, list[list[Any]]]] = {
    "one run against three": (
        Board((*BASE, *arm("a", 1.05))),
        [["compare", "a", "baseline"], ["smallest"], ["belief", 0.02], ["belief", 0.08],
         ["belief", 0.02, 0.06], ["belief", 0.02, -0.2]],
    ),
    "less is better, two runs against four": (
        Board((*arm("baseline", 2.0, 2.1, 1.9, 2.06), *arm("a", 1.7, 1.82, seed=60)), direction="minimize"),
        [["compare", "a", "baseline"], ["compare", "baseline", "a"], ["smallest"]],
    ),
    "seeds move together": (
        Board((*MANY, *MOVES, *arm("a", 0.57, 0.62, 0.52)),
              (Idea("x", status="discard", effect=0.1), Idea("a", effect=0.07, runs=3))),
        [["compare", "a", "baseline"], ["compare", "x", "baseline"], ["compare", "a", "x"]],
    ),
    "some seeds are common": (
        Board((*MANY, *MOVES, *arm("a", 0.60, 0.55, 0.49, seed=44)), (Idea("x", status="discard", effect=0.1),)),
        [["compare", "a", "baseline"], ["compare", "baseline", "a"]],
    ),
    "measured again with an idea's yardstick": (
        Board((*arm("idea", 2.0, 2.1, 1.95), *arm("yardstick-2-parent", 1.5, 1.62, 1.48)),
              (Idea("idea", "yardstick-2-parent", status=""),)),
        [["compare", "idea", "yardstick-2-parent"]],
    ),
    "a run collapsed": (
        Board((*MANY, *arm("a", 0.52, 0.50), *arm("b", 0.55, 0.05))), [["compare", "a", "baseline"], ["smallest"]],
    ),
    "credit": (
        Board((*BASE, *arm("a", 1.09, order=4), *arm("a", 1.05, 1.03, seed=70, purpose="anchor", order=9)),
              (KEPT_A,), incumbent="a"),
        [["credited", "a"], ["compare", "a", "baseline"]],
    ),
    "credit with a worth": (
        Board((*BASE, *arm("a", 1.09, order=4)), (KEPT_A,), incumbent="a", worth=0.1),
        [["credited", "a"], ["scale"], ["belief", 0.02]],
    ),
    "credit of many noises": (
        Board((*BASE, *arm("a", 1.5, order=4), *arm("b", 1.5, order=5)), (Idea("a", effect=0.5), Idea("b", "a", "")),
              incumbent="a"),
        [["credited", "a"], ["compare", "b", "a"], ["compare", "a", "b"]],
    ),
    "credit where seeds move together": (
        Board((*MANY, *MOVES, *arm("a", 0.57, order=4), *arm("b", 0.60, order=5), *arm("c", 0.60, seed=70, order=6)),
              (Idea("x", status="discard", effect=0.1), Idea("a", effect=0.07), Idea("b", "a", ""), Idea("c", "a", "")),
              incumbent="a"),
        [["credited", "a"], ["credited", "a", "b"], ["credited", "a", "c"]],
    ),
    "nothing but another seed": (
        Board((*BASE, *arm("a", 1.0995, order=4), *arm("b", 1.1, 1.2, order=5)),
              (Idea("a", effect=0.1), Idea("b", "a", "")), incumbent="a"),
        [["compare", "b", "a"], ["compare", "b", "baseline"]],
    ),
    "gains so far": (Board(BASE, kept(0.08, 0.05, -0.02, 0.11, 0.0, 0.06, -0.05, 0.09)), [["scale"], ["belief", 0.05]]),
    "too few gains so far": (Board(BASE, kept(0.08, 0.05, -0.02, 0.11, 0.0, 0.06, -0.05)), [["scale"]]),
    "proven": (Board((*TWO, *FRESH_A, *FRESH_BASE), (KEPT_A, LOST_C, FLAT_D), incumbent="a"), [["claims"]]),
    "just proven": (claimed((1.055, 1.07, 1.06), (1.00, 1.02, 0.99)), [["claims"]]),
    "just not proven": (claimed((1.045, 1.06, 1.05), (1.00, 1.02, 0.99)), [["claims"]]),
    "one fresh pair": (claimed((1.09,), (1.0,)), [["claims"]]),
    "a fresh run collapses": (
        Board((*MANY, *MOVES, *arm("a", 0.71), *arm("a", 0.70, 0.10, 0.73, seed=90, purpose="confirm"),
               *arm("baseline", 0.49, 0.52, 0.50, seed=90, purpose="confirm")),
              (Idea("a", effect=0.2, low=0.1, high=0.3),), incumbent="a"),
        [["claims"]],
    ),
    "nothing fresh": (Board(TWO, (KEPT_A, LOST_C, FLAT_D), incumbent="a"), [["claims"]]),
    "ideas on common seeds": (
        Board((*MANY, *MOVES, *arm("a", 0.57, order=4), *arm("b", 0.60, 0.64, order=5),
               *arm("c", 0.52, seed=45, order=6)),
              (Idea("x", effect=0.1, runs=5), Idea("a", effect=0.07), Idea("b", "a", effect=0.03),
               Idea("c", "b", status="discard", effect=-0.08)), incumbent="b"),
        [["claims"]],
    ),
    "no gain after all": (claimed((0.96, 0.93, 0.95), (1.0, 1.02, 0.99)), [["claims"]]),
    "two ideas, each left out": (
        Board(
            (*TWO, *arm("b", 1.18, 1.16, 1.17, seed=90, purpose="confirm", order=30), *FRESH_BASE,
             *arm("without-1", 1.09, 1.10, 1.08, seed=90, purpose="ablate", order=50),
             *arm("without-2", 1.15, 1.13, 1.16, seed=90, purpose="ablate", order=60)),
            (KEPT_A, Idea("b", "a", effect=0.08, low=0.02, high=0.14), LOST_C, FLAT_D), LEFT_OUT, "b",
        ),
        [["claims"]],
    ),
    "a chain of kept ideas, and what failed on top of it": (
        Board(
            (*BASE, *arm("a", 1.08, 1.05, order=4), *arm("b", 1.19, order=6), *arm("c", 1.11, order=7),
             *arm("d", 1.30, 1.26, order=8), *arm("e", 0.40, order=10), *arm("f", 1.24, order=11),
             *arm("merge-1", 1.35, order=12)),
            (Idea("a"), Idea("b", "a"), Idea("c", "b", "discard"), Idea("d", "b"), Idea("e", "d", "discard"),
             Idea("f", "d", "discard")),
            (("merge-1", ("c", "f"), "d"),), "d",
        ),
        [["claims"]],
    ),
    "less is better, and all ideas help a little": (
        Board(
            (*BASE, *arm("a", 0.95, order=4), *arm("b", 0.91, order=5), *arm("c", 0.93, order=6),
             *arm("d", 0.90, order=7)),
            (Idea("a"), Idea("b", "a"), Idea("c", "b", "discard"), Idea("d", "b")), incumbent="d",
            direction="minimize", worth=0.1,
        ),
        [["claims"]],
    ),
    "a machine that drifts": (Board(apart(10, *CLIMB)), [["drift"]]),
    "a machine that may drift": (Board(apart(7, 0.50, 0.53, 0.49, 0.54, 0.53)), [["drift"]]),
    "ideas scatter more than the baseline": (
        Board((*apart(10, *CLIMB),
               *(run for n in range(4) for run in arm(f"i{n}", 0.6, 0.63 + 0.03 * n, seed=0, order=10 * n + 1)))),
        [["drift"]],
    ),
    "an array": (
        Board((*BASE, *arm("screen-1-1", 1.50), *arm("screen-1-2", 1.0, seed=51), *arm("screen-1-3", 1.1, seed=52)),
              tuple(Idea(n, status="") for n in "abc"), ROWS),
        [["screened"]],
    ),
    "an array of small effects": (
        Board((*BASE, *arm("screen-1-1", 1.03), *arm("screen-1-2", 1.01, seed=51), *arm("screen-1-3", 1.02, seed=52)),
              tuple(Idea(n, status="") for n in "abc"), ROWS),
        [["screened"]],
    ),
}  # fmt: skip

FIGURES: dict[str, Any] = {
    "z": [-4.0, -1.645, -0.5, 0.0, 0.3, 1.28, 2.5],
    "p": [0.005, 0.05, 0.3, 0.5, 0.8, 0.95, 0.995],
    "t": [-3.0, 0.5, 1.7, 2.92, 6.0],
    "freedom": [1, 2, 3, 4, 7, 30, 199],
    "proofs": [[1.0, 3, 1.0], [0.5, 6, 4.0], [0.7, 12, 9.0], [1.4, 30, 4.0]],
    "groups": [
        [[1.0, 2.0, 4.0], [10.0, 11.0], [7.0]],
        [[0.5, 0.7, 0.4, 0.65]],
        [[0.5, 0.7, 0.4, 0.65, 0.52]],
        [[0.5, 0.7, 0.4, 0.65, 0.52, 0.55]],
        [[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [0.0, 100.0]],
        [[1.0, 1.0, 1.0, 1.0, 1.0, 1.4]],
    ],
    "pairs": [
        [[[0.1, 0.3, -0.1]], 0.5],
        [[[0.1, 0.3], [0.2, 0.1, 0.4]], 0.2],
        [[[0.2, 0.2, 0.2]], 0.5],
        [[[0.0, 0.9]], 0.3],
        [[[0.5]], 0.3],
    ],
    "samples": [
        [[1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]],
        [[0.2, 0.4, 0.9, 0.1, 0.5, 0.6, 0.3, 0.8], [0.25, 0.3, 0.95, 0.2, 0.4, 0.7, 0.35, 0.75]],
    ],
}
