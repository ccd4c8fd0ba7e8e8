"""Where policies change their mind: the very number at which advice becomes another, solved for with scipy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from golden_boards import BASE, ROWS, Board, Idea, Run, arm
from golden_formulas import belief, compare, credited, noise, screened, wallace
from scipy import optimize, stats

KEPT = Idea("a", effect=0.1)
OPEN = Idea("a", status="")
Numbers = dict[str, Any]


def edges() -> list[Numbers]:
    """Each with its board just below and just above, and what is advised on either side."""
    plenty = _one_of(runs_left=60, runs_total=63, ideas_left=10)
    hundred = _two(runs_total=100)
    return [
        _solved("greedy keeps what looks better", _one, _gain, (0.9, 1.1), "greedy: discard, keep"),
        _solved("a hundred runs: 0.1 / 100 / 3", hundred, _bound(0.1 / 100 / 3), (1, 3), "strict: repeat, keep"),
        _solved("the second idea: 0.1 / (2 3) / 3", _second, _bound(0.1 / 6 / 3), (1, 3), "strict: repeat, keep"),
        _solved("strict drops under 0.8 after two runs", hundred, _deviate(0.8), (1, 1.1), "strict: discard, repeat"),
        _solved("strict drops under 0.3 after one run", _one, _deviate(0.3), (1, 1.1), "strict: discard, repeat"),
        _solved("credit is worth an ordinary run", _one_of(max_runs=1), _credit, (1, 1.1), "sequential: discard, keep"),
        _solved("a look may spare a loss", _one, _loss, (1.002, 1.2), "sequential: repeat, keep"),
        _solved("nothing promising on one run", plenty, _deviate(2.5), (1, 1.5), "sequential: repeat, keep"),
        _solved("nor what may be flat", plenty, _deviate(-1.28), (0.9, 1), "sequential: discard, repeat"),
        _solved("loud from 1.5 gains on", _worth, _loud(1), (0.001, 0.1), "auto: screening, one run per idea"),
        _solved("three runs make quiet", _plenty, _loud(3), (0.001, 0.1), "auto: screening, sequential"),
        _solved("taken back at half an error", _anchored, _demoted(0.5), (0.8, 1.1), "sequential: demote, propose"),
        _solved("a flat one at 1.28 errors", _flat, _demoted(1.28), (0.8, 1.1), "sequential: demote, propose"),
        _solved("wins from 0.8 on", _array(explore=False), _screen(0.8), (1, 1.2), "screening: discard, combine"),
        _solved("once more from 0.3 on", _array(explore=True), _screen(0.3), (1, 1.1), "screening: discard, propose"),
    ]


def _solved(
    name: str, made: Callable[[float], Board], zero: Callable[[Board], float], between: tuple[float, float], said: str
) -> Numbers:
    at = float(optimize.brentq(lambda x: zero(made(x)), *between, xtol=1e-14))
    policy, _, says = said.partition(": ")
    sides = [made(at - 1e-7).plain(), made(at + 1e-7).plain()]
    return {"name": name, "policy": policy, "at": at, "boards": sides, "says": says.split(", ")}


def _one(value: float) -> Board:
    return Board((*BASE, *arm("a", value, order=3)), (OPEN,))


def _one_of(**more: float) -> Callable[[float], Board]:
    return lambda value: Board((*BASE, *arm("a", value, order=3)), (OPEN,), more=tuple(more.items()))


def _two(**more: float) -> Callable[[float], Board]:
    said = tuple(more.items())
    return lambda value: Board((*BASE, *arm("a", value + 0.01, value - 0.01, order=3)), (OPEN,), more=said)


def _second(value: float) -> Board:
    first = Idea("z", status="discard", effect=-0.01)
    return Board((*BASE, *arm("a", value + 0.01, value - 0.01, order=3)), (first, OPEN))


def _worth(worth: float) -> Board:
    return Board(BASE, worth=worth)


def _plenty(worth: float) -> Board:
    return Board(BASE, worth=worth, more=(("runs_left", 60), ("runs_total", 63), ("ideas_left", 10)))


def _anchored(value: float) -> Board:
    runs = (*BASE, *arm("a", 1.1, order=4), *arm("a", value + 0.01, value - 0.01, seed=70, purpose="anchor", order=9))
    return Board(runs, (KEPT,), incumbent="a")


def _flat(value: float) -> Board:
    runs = (*BASE, *arm("a", 1.0, order=4), *arm("a", value + 0.01, value - 0.01, seed=70, purpose="anchor", order=9))
    return Board(runs, (Idea("a", effect=-0.001),), incumbent="a")


def _rows(value: float) -> tuple[Run, ...]:
    rows = tuple(Run(f"screen-1-{n}", 50 + n, v, "screen", 5 + n) for n, v in enumerate((1.02, value, 1.01), 1))
    return (*BASE, *rows, Run("baseline", 54, 1.0, "screen", 9))


def _array(*, explore: bool) -> Callable[[float], Board]:
    """The middle row holds b and c; a and b have been judged, so c is what is asked about."""
    judged = (Idea("a", status="discard", effect=0.0), Idea("b", status="discard", effect=0.0), Idea("c", status=""))
    return lambda value: Board(_rows(value), judged, ROWS, more=(("may_explore", explore),))


def _gain(board: Board) -> float:
    return float(compare(board, "a", "baseline")["gain"])


def _bound(allowed: float) -> Callable[[Board], float]:
    def lower(board: Board) -> float:
        effect = compare(board, "a", "baseline")
        return float(effect["gain"] + stats.t.ppf(allowed, effect["freedom"]) * effect["error"])

    return lower


def _deviate(wanted: float) -> Callable[[Board], float]:
    return lambda board: float(compare(board, "a", "baseline")["z"]) - wanted


def _sigma(board: Board) -> float:
    return float(noise(board)[0] or 0.0)


def _pace(board: Board) -> float:
    """Two noises over the runs and twenty more, while nothing is kept."""
    return 2 * _sigma(board) / (len(board.runs) + 20)


def _credit(board: Board) -> float:
    effect = compare(board, "a", "baseline")
    return float(effect["gain"]) * belief(board, effect["error"], effect["gain"]) - _pace(board)


def _loss(board: Board) -> float:
    effect = compare(board, "a", "baseline")
    z = abs(effect["z"])
    return float(1.5 * _pace(board) - effect["error"] * (stats.norm.pdf(z) - z * stats.norm.cdf(-z)))


def _loud(runs: int) -> Callable[[Board], float]:
    return lambda board: (board.worth or 0.0) * 1.5 - _sigma(board) / math.sqrt(runs)


def _demoted(margin: float) -> Callable[[Board], float]:
    def above(board: Board) -> float:
        level = float(np.mean([run.value for run in board.runs if run.arm == "baseline"]))
        return credited(board, "a") - level + margin * float(compare(board, "a", "baseline")["error"])

    return above


def _screen(wanted: float) -> Callable[[Board], float]:
    def above(board: Board) -> float:
        effect = screened(board)["c"]
        return wallace(effect["gain"] / effect["error"], effect["freedom"]) - wanted

    return above
