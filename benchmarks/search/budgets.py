"""20, 40 and 80 runs, on public tables and on both tasks: `python benchmarks/search/budgets.py [--only tables]`.

Campaigns are those of `benchmarks/public/night.py`: the policy, the search and the claims of a night in simulated time,
without a race. For a launcher stands a table of runs that others published, or the trainer of a task in this process.
Results go to `budgets.json` beside this file as they come, what is there already is not measured again, and
`docs/benchmarks-search.md` is written anew from it.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "public"))

import night
import others
from cartpole import CartPole
from grpo import Grpo
from night import OBJECTIVE, Campaign, Nearest
from page import write
from tables import PARTS, Draws, Table, conditions, knobs, read

from autoresearch.experiment.board import Board, Done, PolicySettings
from autoresearch.experiment.outcome import BASELINE
from autoresearch.researchers.search.researcher import SearchResearcher
from autoresearch.researchers.search.space import Space, read_space
from autoresearch.verdict.policies import policy

HERE = Path(__file__).parent
RESULTS, TABLES = HERE / "budgets.json", HERE.parent / "public" / "data" / "tables.npz"
BUDGETS, FIRST_SEED, FRESH = (20, 40, 80), 50_000, 1_000_000
AGAIN, TOP = 2, 3
"""More runs of so many best points, in the protocol that looks at them again."""
SAMPLERS: Mapping[str, Callable[[Any, int], Any]] = {
    "Optuna TPE": lambda of, seed: of.TPESampler(seed=seed),
    "Optuna TPE, multivariate": lambda of, seed: of.TPESampler(seed=seed, multivariate=True, group=True),
    "Optuna CMA-ES": lambda of, seed: of.CmaEsSampler(seed=seed),
    "Optuna random": lambda of, seed: of.RandomSampler(seed=seed),
}
Found = dict[str, dict[str, dict[str, float]]]
"""Gain by place and repetition, then by method, then by budget."""


class Places:
    """Points of a task in the order in which they were asked for, as `Nearest` has the entries of a table."""

    def __init__(self, task: Any) -> None:
        self.space: Space = read_space(task.space)
        self.points = [task.values(list(task.space))]

    def take(self, point: Mapping[str, Any]) -> int:
        """A place of its own for every point."""
        self.points.append({key: point[key] if knob.choices else float(point[key]) for key, knob in self.space.items()})
        return len(self.points) - 1


class Trainer:
    """Runs of a task's points, each on a seed of its own."""

    def __init__(self, task: Any, places: Places, seed: int) -> None:
        self.task, self.places, self.seed = task, places, seed

    def run(self, place: int, *, chooses: bool = True) -> list[tuple[int, float]]:
        """What one more run came to."""
        del chooses
        self.seed += 1
        return [(PARTS, self.task.value(self.changes(place), self.seed))]

    def changes(self, place: int) -> dict[str, Any]:
        """What a point has otherwise than the recipe."""
        start = self.places.points[0]
        return {key: value for key, value in self.places.points[place].items() if value != start[key]}


class OnTask(Campaign):
    """A campaign whose runs are trained as they are asked for."""

    def __post_init__(self) -> None:
        self.known = Places(self.table)
        self.draws = Trainer(self.table, self.known, 1000 * self.seed)
        self.place[BASELINE] = 0
        self.researcher = SearchResearcher(options={"space": self.table.space, "seed": self.seed}, folder=Path())
        self.task, self.table = self.table, SimpleNamespace(start=0)
        settings = PolicySettings(confirm=self.confirm, worth=self.task.worth)
        self.board = Board(
            objective=OBJECTIVE, settings=settings, runs_left=int(self.runs), runs_total=int(self.runs)
        )  # fmt: skip


def on_table(table: Table, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Per cent of the way from the median configuration to the best, by seeds that chose nothing."""
    for name, made in SAMPLERS.items():
        nearest, draws = Nearest(table, {table.start}), Draws(table, random.Random(f"{seed} {table.name} runs"))
        space, when = knobs(table), conditions(table)

        def ask(trial: Any, space: Any = space, when: Any = when) -> dict[str, Any]:
            return others.suggested(trial, space, when)

        def take(point: dict[str, Any], nearest: Nearest = nearest, space: Any = space) -> int | None:
            return nearest.take({**others.blank(space), **point})

        first = others.numbers(table.configurations[table.start], space)
        yield from _by_budget(name, made, seed, ask, take, draws, draws.share, first, table.start)
    ours = {str(n): night.play(policy("auto"), table, n, seed, search=True, racing=False).gain for n in BUDGETS}
    yield "search", ours


def on_task(task: Any, seed: int, fresh: Sequence[int]) -> Iterator[tuple[str, dict[str, float]]]:
    """Gain over the untouched recipe in the metric's unit, on seeds that nobody saw."""
    untouched = statistics.fmean(task.value({}, one) for one in fresh)

    def gain(runs: Trainer, place: int) -> float:
        return statistics.fmean(task.value(runs.changes(place), one) for one in fresh) - untouched

    for name, made in SAMPLERS.items():
        places = Places(task)
        runs = Trainer(task, places, 1000 * seed)
        first, space = places.points[0], places.space

        def ask(trial: Any, space: Any = space) -> dict[str, Any]:
            return {key: _suggested(trial, key, knob) for key, knob in space.items()}

        def told(place: int, runs: Trainer = runs) -> float:
            return gain(runs, place)

        yield from _by_budget(name, made, seed, ask, places.take, runs, told, first, 0)
    ours = {}
    for budget in BUDGETS:
        campaign = OnTask(task, budget, seed, search=True, racing=False)
        while not isinstance(advice := policy("auto").advise(campaign.board), Done):
            campaign.carry_out(advice)
        ours[str(budget)] = gain(campaign.draws, campaign.place[campaign.board.incumbent])
    yield "search", ours


def _by_budget(
    name: str, made: Any, seed: int, ask: Any, take: Any, runs: Any, gain: Any, first: dict[str, Any], start: int
) -> Iterator[tuple[str, dict[str, float]]]:  # fmt: skip
    """The best single run so far at each budget; of TPE also the best of the first three, looked at again."""
    import optuna  # noqa: PLC0415 - loads numpy, whose threads must be settled before

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study, seen = optuna.create_study(direction="maximize", sampler=made(optuna.samplers, seed)), []
    best, again = {}, {}
    for number in range(BUDGETS[-1]):
        place, point = start, first
        if number:
            asked = study.ask()
            point = ask(asked)
            place = take(point)
        value = runs.run(place)[-1][1]
        seen.append((value, place))
        if number and place is not None and not hasattr(runs, "table"):
            study.tell(asked, value)
        else:  # the sampler is told the entry of the table that stands for its point
            if number:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
                point = others.numbers(runs.table.configurations[place], knobs(runs.table))
            study.enqueue_trial(point)
            trial = study.ask()
            ask(trial)
            study.tell(trial, value)
        if len(seen) in BUDGETS:
            best[str(len(seen))] = gain(max(seen)[1])
        if name == "Optuna TPE" and len(seen) + AGAIN * TOP in BUDGETS:
            top = sorted(set(seen), reverse=True)[:TOP]
            mean = {one: (value + sum(runs.run(one)[-1][1] for _ in range(AGAIN))) / (1 + AGAIN) for value, one in top}
            again[str(len(seen) + AGAIN * TOP)] = gain(max(mean, key=mean.__getitem__))
    yield name, best
    if again:
        yield f"{name}, its top {TOP} again", again


def _suggested(trial: Any, key: str, knob: Any) -> Any:
    if knob.choices:
        return trial.suggest_categorical(key, knob.choices)
    return trial.suggest_float(key, knob.low, knob.high, log=knob.log)


def main() -> None:
    """Measure what is missing, one repetition after the other, and write the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--repetitions", type=int, default=1)
    ask.add_argument("--only", default="cartpole,tables,grpo")
    said = ask.parse_args()
    found: Found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for repetition in range(said.repetitions):
        seed = FIRST_SEED + repetition
        for kind in said.only.split(","):
            for where, measured in _places(kind, seed):
                key = f"{where} {repetition}"
                if key in found:
                    continue
                found[key] = dict(measured())
                RESULTS.write_text(json.dumps(found, indent=1) + "\n")
                print(
                    key,
                    {name: {n: round(v, 3) for n, v in ends.items()} for name, ends in found[key].items()},
                    flush=True,
                )
    write(json.loads((HERE / "results.json").read_text()))


def _places(kind: str, seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    if kind == "tables":
        for table in read(TABLES):
            yield table.name, lambda table=table: on_table(table, seed)
        return
    with tempfile.TemporaryDirectory(prefix="search-budgets-") as place:
        task = CartPole() if kind == "cartpole" else Grpo(Path(place))
        yield kind, lambda: on_task(task, seed, range(FRESH, FRESH + 20))


if __name__ == "__main__":
    main()
