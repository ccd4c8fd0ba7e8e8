"""Ways to spend a number of runs: campaigns of ours, and Optuna as it is commonly used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import Changes, Task, git

from autoresearch.campaign import beginning, opening
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.controller import report_of
from autoresearch.campaign.plan import PlanRequest

PEERS = {"Optuna TPE": "TPESampler", "Optuna random": "RandomSampler"}


@dataclass(frozen=True)
class End:
    """What a method ended with.

    Attributes:
        method: Its name.
        runs: Training runs it spent, all of them.
        points: Configurations it tried, the untouched recipe included.
        said: The metric that it reports for what it ended with.
        changes: What that has otherwise than the untouched recipe.
        values: Its metric on seeds that no method saw.
        standing: The claim of a campaign's report in one word, empty for a peer and where nothing was kept.
        claim: Announced gain over the untouched recipe, lower and upper end of its 90 % interval.
    """

    method: str
    runs: int
    points: int
    said: float
    changes: Changes
    values: list[float]
    standing: str = ""
    claim: tuple[float | None, float | None, float | None] | None = None


def campaign(method: str, task: Task, root: Path, repetition: int, runs: int, seeds: list[int]) -> End:
    """A campaign by the program, in a repository of its own, to its own end."""
    session = Campaign(where=task.repository(root))
    request = PlanRequest(task.recipe, f"{runs} runs, 60s each", settings=_settings(method, task, repetition))
    session.write(session.draft(request))
    session.run(approved_by="benchmark", poll_s=0.4)
    opened = opening.open_campaign(session.where, session.name)
    history = opened.history
    used = {run.planned.seed for run in history.runs.values()}
    if used & set(seeds) or len(history.runs) > runs:
        raise SystemExit(f"the campaign made {len(history.runs)} runs, with seeds {sorted(used)}: that is not allowed")
    report = report_of(beginning.make_context(opened, session.clock, proposing=False))
    if report.best is None:
        raise SystemExit(f"{method}, repetition {repetition}: the campaign has no valid baseline")
    git(root, "checkout", "--quiet", "--detach", report.incumbent_branch)
    found, whole = task.changes(root), report.claims.campaign
    return End(
        method, len(history.runs), sum(bool(history.runs_of(entry.name)) for entry in history.experiments.values()),
        report.best, found, [task.value(found, seed) for seed in seeds],
        str(whole.standing) if whole else "", (whole.effect, whole.low, whole.high) if whole else None,
    )  # fmt: skip


def _settings(method: str, task: Task, repetition: int) -> dict[str, Any]:
    own = {"space": task.space, "seed": repetition}
    return {
        **task.settings,
        "researcher": tuple({**one, **(own if one["type"] == "search" else {})} for one in task.ours[method]),
        "launcher": {"type": "local", "parallel": 1},
        "verdict": {"policy": "auto", "worth": task.worth},
        "run": {"grace": 1.0, "first_seed": 42 + 10_000 * repetition},
    }


def peer(method: str, task: Task, repetition: int, runs: int, seeds: list[int]) -> End:
    """One run per trial, each with a new seed; the recipe's own point comes first, the best single value wins."""
    import optuna  # noqa: PLC0415 - loads numpy, whose threads must be settled before

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, PEERS[method])(seed=repetition))
    recipe = task.values(list(task.space))
    study.enqueue_trial(recipe)

    def value(trial: Any) -> float:
        point = {key: _suggested(trial, key, knob) for key, knob in task.space.items()}
        return task.value(point, 42 + 10_000 * repetition + trial.number)

    study.optimize(value, n_trials=runs)
    best = {key: value for key, value in study.best_params.items() if value != recipe[key]}
    values = [task.value(best, seed) for seed in seeds]
    return End(method, runs, runs, study.best_value, best, values)


def _suggested(trial: Any, key: str, knob: Any) -> Any:
    """A knob of `search` in Optuna's words; here all numbers are floats."""
    if isinstance(knob, dict):
        return trial.suggest_float(key, knob["low"], knob["high"], log=knob["log"])
    if all(isinstance(end, float) for end in knob):
        return trial.suggest_float(key, *knob)
    return trial.suggest_categorical(key, knob)
