"""Ways to spend a number of runs: campaigns of ours, and Optuna as it is commonly used."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import Trainer, repository

from autoresearch.core.report import Report
from autoresearch.engine.reporter import report_of
from autoresearch.session import Request, Session, wiring

SPACE: dict[str, tuple[float, float, bool]] = {
    "policy.optimizer.kwargs.lr": (1e-4, 3e-2, True),
    "policy.optimizer.kwargs.weight_decay": (1e-3, 1e-1, True),
    "policy.max_grad_norm": (0.1, 10.0, True),
    "loss_fn.reference_policy_kl_penalty": (1e-3, 1.0, True),
    "loss_fn.ratio_clip_min": (0.1, 0.4, False),
    "loss_fn.ratio_clip_max": (0.1, 0.4, False),
    "policy.generation.temperature": (0.6, 1.2, False),
}
"""Key: lowest, highest, logarithmic. Nothing in it makes a run longer."""
LENGTH = ["grpo.num_prompts_per_step", "grpo.num_generations_per_prompt", "grpo.max_num_steps", "grpo.max_num_epochs"]
"""What makes a run longer; barred for every researcher, for runs are what is counted."""
OURS = {"search": ("search",), "playbook and search": ("playbook", "search")}
PEERS = {"Optuna TPE": "TPESampler", "Optuna random": "RandomSampler"}


@dataclass(frozen=True)
class End:
    """What a method ended with.

    Attributes:
        method: Its name.
        runs: Training runs it spent, all of them.
        said: The accuracy it reports for what it ended with.
        changes: What that has otherwise than the untouched recipe.
        values: Its accuracy on seeds that no method saw.
        standing: The claim of a campaign's report in one word, empty for a peer and where nothing was kept.
        claim: Announced gain over the untouched recipe, lower and upper end of its 90 % interval.
    """

    method: str
    runs: int
    said: float
    changes: dict[str, object]
    values: list[float]
    standing: str = ""
    claim: tuple[float | None, float | None, float | None] | None = None


def campaign(method: str, trainer: Trainer, root: Path, repetition: int, experiments: int, seeds: list[int]) -> End:
    """A campaign by the program, in a repository of its own, to its own end."""
    session = Session(repository(root).root)
    stop = f"{experiments} experiments, 60s each"
    session.write(session.plan(Request(_recipe(trainer), stop, settings=_settings(method, repetition))))
    session.run("benchmark", poll_s=0.1)
    opened = wiring.open_campaign(session.where, session.name)
    used = {run.planned.seed for run in opened.history.runs.values()}
    if used & set(seeds):
        raise SystemExit(f"the campaign used seeds {sorted(used & set(seeds))}, which nobody may see")
    report = report_of(wiring.wire(opened, session.clock, proposing=False))
    recipe = _checked_out(root, report, _recipe(trainer))
    values = [trainer.accuracy(recipe, seed) for seed in seeds]
    whole = report.claims.campaign
    if report.best is None:
        raise SystemExit(f"{method}, repetition {repetition}: the campaign has no valid baseline")
    return End(
        method, len(opened.history.runs), report.best, trainer.changes(recipe), values,
        str(whole.standing) if whole else "", (whole.effect, whole.low, whole.high) if whole else None,
    )  # fmt: skip


def _settings(method: str, repetition: int) -> dict[str, Any]:
    space = {key: {"low": low, "high": high, "log": log} for key, (low, high, log) in SPACE.items()}
    options = {"search": {"space": space, "seed": repetition}}
    return {
        "objective": {"goal": "raise validation accuracy on sums"},
        "target": {"type": "nemo-rl", "minutes": 0.1, "setup_minutes": 0.01},
        "command": (sys.executable, "examples/run_grpo.py"),
        "researcher": tuple({"type": name, "share": 1, **options.get(name, {})} for name in OURS[method]),
        "launcher": {"type": "local", "parallel": 1},
        "verdict": {"policy": "auto", "worth": 0.02},
        "scope": {"protect_keys": LENGTH},
        "run": {"grace": 1.0, "first_seed": 42 + 10_000 * repetition},
    }


def _recipe(trainer: Trainer) -> str:
    return str(Path(*trainer.recipe.parts[trainer.recipe.parts.index("examples") :]))


def _checked_out(root: Path, report: Report, recipe: str) -> Path:
    """The recipe of the branch that the report recommends; fails where a branch changed more than recipes."""
    touched = _git(root, "diff", "--name-only", "main", report.incumbent_branch).split()
    if any(not path.startswith("examples/configs/") for path in touched):
        raise SystemExit(f"{report.incumbent_branch} changed {touched}: this benchmark measures recipes only")
    _git(root, "checkout", "--quiet", "--detach", report.incumbent_branch)
    return root / recipe


def _git(root: Path, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=root, check=True, capture_output=True, text=True).stdout


def peer(method: str, trainer: Trainer, repetition: int, runs: int, seeds: list[int]) -> End:
    """One run per trial, each with a seed of its own; the best single value wins."""
    import optuna  # noqa: PLC0415 - loads numpy, whose threads the trainer must have settled before

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, PEERS[method])(seed=repetition))

    def value(trial: Any) -> float:
        point = {key: trial.suggest_float(key, low, high, log=log) for key, (low, high, log) in SPACE.items()}
        return trainer.accuracy(trainer.recipe, 42 + 10_000 * repetition + trial.number, _overrides(point))

    study.optimize(value, n_trials=runs)
    best = _overrides(study.best_params)
    values = [trainer.accuracy(trainer.recipe, seed, best) for seed in seeds]
    return End(method, runs, study.best_value, trainer.changes(trainer.recipe, best), values)


def _overrides(point: dict[str, float]) -> list[str]:
    return [f"{key}={value!r}" for key, value in point.items()]
