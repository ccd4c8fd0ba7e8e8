"""What others do with the same tables: random search, Optuna's TPE with its pruners, and the published runs.

Each of the first is one path through a table, looked at whenever a budget is spent: it announces the best value that it
saw, which for the protocol of three seeds is a mean of three.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from night import End, Nearest, shuffled
from tables import PARTS, Draws, Table, conditions, knobs

SEEDS = 3
"""Runs of each configuration in the published protocol."""


@dataclass
class Way:
    """What a method holds best, and what it spent."""

    table: Table
    draws: Draws
    budgets: Sequence[int]
    ends: dict[int, End] = field(default_factory=dict)
    best: tuple[float, int] | None = None
    spent: float = 0.0
    tried: int = 0

    def announce(self, place: int, value: float, cost: float) -> None:
        """A configuration that reached its end, None of whose runs was cut."""
        self.spend(cost)
        if np.isfinite(value) and (self.best is None or value > self.best[0]):
            self.best = (value, place)

    def spend(self, cost: float) -> None:
        """What it holds is written down for every budget that this run would go beyond."""
        for budget in self.budgets:
            if budget not in self.ends and self.spent + cost > budget + 1e-9:
                self.ends[budget] = self.end()
        self.spent += cost
        self.tried += 1

    def end(self) -> End:
        """The best so far; the median configuration where nothing reached its end."""
        if self.best is None:
            return End(0.0, self.spent, self.tried)
        value, place = self.best
        off = (value - float(self.table.truths[place])) / self.table.deviation
        return End(self.draws.share(place), self.spent, self.tried, off)

    def closed(self) -> dict[int, End]:
        """All budgets: with no configuration left, more money changes nothing."""
        return {budget: self.ends.get(budget) or self.end() for budget in self.budgets}

    def open(self) -> bool:
        """Whether a further budget is to be spent."""
        return len(self.ends) < len(self.budgets)


def _path(table: Table, seed: int, budgets: Sequence[int]) -> Way:
    return Way(table, Draws(table, random.Random(f"{seed} {table.name} runs")), budgets)


def at_random(table: Table, seed: int, budgets: Sequence[int], *, seeds: int) -> Mapping[int, End]:
    """Configurations in the order of a draw, each with so many runs."""
    path, order = _path(table, seed, budgets), shuffled(table, seed)
    while path.open() and (place := next(order, None)) is not None:
        values = [path.draws.run(place)[-1][1] for _ in range(seeds)]
        path.announce(place, float(np.mean(values)), seeds)
    return path.closed()


def tpe(table: Table, seed: int, budgets: Sequence[int], *, pruner: str) -> Mapping[int, End]:
    """Optuna's sampler with a pruner, both as they come.

    A point that the sampler suggests stands for the nearest configuration that nobody took, and the sampler is told
    that one, by a trial enqueued in place of the suggestion.
    """
    import optuna  # noqa: PLC0415 - a benchmark's dependency alone

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = {
        "median": optuna.pruners.MedianPruner,
        "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=PARTS, reduction_factor=3),
    }[pruner]()
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(study_name=f"{table.name} {seed}", direction="maximize", sampler=sampler, pruner=made)
    space, when, path = knobs(table), conditions(table), _path(table, seed, budgets)
    nearest = Nearest(table, {table.start})
    while path.open():
        asked = study.ask()
        place = nearest.take({**blank(space), **suggested(asked, space, when)})
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
        if place is None:
            break
        study.enqueue_trial(numbers(table.configurations[place], space))
        _one_trial(study, path, place, space, when)
    return path.closed()


def _one_trial(study: Any, path: Way, place: int, space: Mapping[str, Any], when: Mapping[str, Any]) -> None:
    import optuna  # noqa: PLC0415 - likewise

    trial = study.ask()
    suggested(trial, space, when)
    for step, value in path.draws.run(place):
        if not np.isfinite(value):
            path.spend(step / PARTS)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        trial.report(value, step)
        if step < PARTS and trial.should_prune():
            path.spend(step / PARTS)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    path.announce(place, value, 1.0)
    study.tell(trial, value)


def blank(space: Mapping[str, Any]) -> dict[str, Any]:
    return {key: knob.get("low", "") for key, knob in space.items()}


def numbers(configuration: Mapping[str, str], space: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in configuration.items() if key in space}
    return {key: value if "choices" in space[key] else float(value) for key, value in known.items()}


def suggested(trial: Any, space: Mapping[str, Any], when: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Values of all active knobs; those that switch others come first."""
    found: dict[str, Any] = {}
    for key in sorted(space, key=lambda key: key in when):
        if key in when and found[when[key][0]] != when[key][1]:
            continue
        knob = space[key]
        if "choices" in knob:
            found[key] = trial.suggest_categorical(key, knob["choices"])
        else:
            found[key] = trial.suggest_float(key, knob["low"], knob["high"], log=knob["log"])
    return found


PUBLISHED = {"rs": "random search", "smac": "SMAC", "smac_mf": "multi-fidelity SMAC", "pbt": "PBT"}


def published(path: Path, table: Table) -> Iterator[tuple[str, list[float], list[float]]]:
    """Name, gains and said - true of the authors' own runs of each optimiser on a table.

    Their configurations are not in the table, so what they truly come to is read crosswise: the best by two of the
    three seeds of a repetition, told by the third. What two seeds said less what the third says is their said - true.
    """
    found = np.load(path)
    for key, name in PUBLISHED.items():
        if f"{table.name}/{key}" not in found.files:
            continue
        rows = found[f"{table.name}/{key}"]
        both = [_crosswise(rows[rows[:, 3] == one], key) for one in np.unique(rows[:, 3])]
        told = [pair for pairs in both for pair in pairs]
        start = float(table.truths[table.start])
        gains = [100 * (true - start) / table.reach for _, true in told]
        yield name, gains, [(said - true) / table.deviation for said, true in told]


def _crosswise(rows: Any, key: str) -> Iterator[tuple[float, float]]:
    """What two seeds say of the best by them, and what the third says of it, for each seed in turn."""
    last = rows[rows[:, 1] == rows[:, 1].max()]
    if key == "pbt":
        members = np.unique(last[:, 0])
        last = last[last[:, 0] >= members[-32]]
    names = np.unique(last[:, 0])
    values = np.full((len(names), SEEDS), np.nan)
    values[np.searchsorted(names, last[:, 0]), last[:, 4].astype(int)] = last[:, 2]
    values = np.where(np.isfinite(values), values, np.nanmin(values))
    for third in range(SEEDS):
        two = [seed for seed in range(SEEDS) if seed != third]
        best = int(values[:, two].mean(1).argmax())
        yield float(values[best, two].mean()), float(values[best, third])
