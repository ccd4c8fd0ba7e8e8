"""Questions about one NeMo-RL recipe, answered without a campaign; each imports only what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoresearch.errors import UsageError
from autoresearch.run.placement import room

if TYPE_CHECKING:
    from autoresearch.experiment.hypothesis import Brief


def root_of(where: Path) -> Path:
    """The checkout `where` lies in; without git, `where` itself, so that an unpacked archive can be asked too."""
    place = where.resolve()
    return next((above for above in (place, *place.parents) if (above / ".git").exists()), place)


def inside(root: Path, where: Path, recipe: str) -> str:
    """The recipe's path relative to the checkout, from where the person stands or from its root.

    Raises:
        UsageError: It lies outside the checkout.
    """
    path = (where / recipe).resolve()
    if not path.exists():
        return recipe
    if not path.is_relative_to(root):
        raise UsageError(f"recipe {recipe} lies outside the checkout {root}; give one inside it")
    return str(path.relative_to(root))


def show(where: Path, recipe: str, overrides: Sequence[str], *, resolved: bool) -> dict[str, Any]:
    """The resolved config, or the lineage with value and origin of every key.

    Raises:
        RecipeError: The recipe, a parent or an override is wrong.
    """
    from autoresearch.targets.recipe import load as recipes  # noqa: PLC0415

    root = root_of(where)
    return recipes.show(root, inside(root, where, recipe), overrides, resolved=resolved)


def metric(where: Path, recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The authoritative metric in its spellings, with direction, meaning and warnings."""
    from autoresearch.targets.nemo_rl import objective as metrics  # noqa: PLC0415
    from autoresearch.targets.recipe.load import load  # noqa: PLC0415

    root = root_of(where)
    loaded = load(root, inside(root, where, recipe), overrides)
    objective = metrics.objective_for(loaded)
    return asdict(objective) | {"warnings": list(metrics.warnings(loaded, objective))}


def budget(where: Path, recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Nodes, GPUs, steps, minutes, evaluation noise and what is too small about it."""
    from autoresearch.targets.nemo_rl import cost as budgets  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import objective as metrics  # noqa: PLC0415
    from autoresearch.targets.recipe.load import load  # noqa: PLC0415

    root = root_of(where)
    loaded = load(root, inside(root, where, recipe), overrides)
    found = budgets.budget(loaded, metrics.objective_for(loaded))
    return asdict(found) | {"gpu_hours": found.gpu_hours, "smallest_effect": found.smallest_effect}


def environment(where: Path, recipe: str, overrides: Sequence[str], *, image: bool = False) -> dict[str, Any]:
    """What a run finds around it: its Python, variables, logins, inputs and disk, and what is set for it and why.

    Args:
        where: Where the person stands.
        recipe: The recipe.
        overrides: Hydra overrides on top of it.
        image: Whether runs begin in a container image.
    """
    from autoresearch.targets.nemo_rl import cost as budgets  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import facts, protection, run_command, run_environment, saves  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import objective as metrics  # noqa: PLC0415
    from autoresearch.targets.recipe.load import load  # noqa: PLC0415

    root = root_of(where)
    loaded = load(root, inside(root, where, recipe), overrides)
    found = budgets.budget(loaded, metrics.objective_for(loaded))
    around = run_environment.found(loaded, protection.environment(root, image=image), saves.LEAN, image=image)
    script = budgets.test_script(root, loaded)
    kept = saves.estimate(loaded, found.steps, saves.LEAN, resumes=False)
    size = f"{room(kept.gb)} each, " if kept and kept.gb else ""
    chosen = run_command.injections(
        loaded, Path("RUN"), saves.injected(loaded, saves.LEAN, resumes=False), seed=0, commit="COMMIT", limit_s=None
    )
    image_own = "the image's own" if image else "none is shared: each experiment would build its own"
    shared = ", ".join(f"{name}={value}" for name, value in around.python.items())
    return {
        "command": " ".join(("uv", "run", run_command.entry_point(loaded, script))),
        "python": shared or image_own,
        "test_script": around.script,
        "variables": {**around.exports, **around.mode},
        "left_out": around.left_out,
        "to_fill_in": {key: f"from ${name}" for key, name in around.needs.items()},
        "tracking": around.tracking,
        "logins": around.logins,
        "inputs": facts.inputs(loaded),
        "checkpoints": f"{size}{kept.stay} stay of a run ({kept.how})" if kept else "none",
        "set_for_every_run": [f"{one.override}  ({one.why})" for one in chosen],
        "cautions": [*facts.left_open(loaded), *run_environment.cautions(loaded, (), image=image)],
    }


def brief(where: Path, recipe: str, overrides: Sequence[str]) -> Brief:
    """What a researcher would be told of a recipe in which nothing was tried."""
    from autoresearch.experiment.hypothesis import Brief  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import facts, protection  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import objective as metrics  # noqa: PLC0415
    from autoresearch.targets.recipe.load import load  # noqa: PLC0415

    root = root_of(where)
    loaded = load(root, inside(root, where, recipe), overrides)
    known = facts.facts(loaded, protection.measuring_code(root))
    return Brief(
        campaign="recipe",
        index=2,
        objective=metrics.objective_for(loaded),
        facts=known,
        protect_keys=protection.keys(),
        origin=known.values,
    )


def health(where: Path, recipe: str, overrides: Sequence[str], run: Path) -> dict[str, Any]:
    """What the files of one run say about it: the number, how far it came, and symptoms, worst first.

    Args:
        where: Where the person stands.
        recipe: The recipe that was run.
        overrides: Hydra overrides it was run with.
        run: Folder with the run's logs, checkpoints and printed output (`*.log`, the newest one counts); any of them
            may be missing.

    Raises:
        RecipeError: The recipe or an override is wrong.
        UsageError: There is no such folder.
    """
    from autoresearch.ports import plugins  # noqa: PLC0415
    from autoresearch.run.job import JobState, JobStatus  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import cost as budgets  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import measure  # noqa: PLC0415
    from autoresearch.targets.nemo_rl import objective as metric  # noqa: PLC0415
    from autoresearch.targets.recipe.load import load  # noqa: PLC0415

    if not run.is_dir():
        raise UsageError(f"{run} is not a folder; give the one with the run's logs and checkpoints")
    root = root_of(where)
    loaded = load(root, inside(root, where, recipe), overrides)
    objective = metric.objective_for(loaded)
    readings = {one.name: plugins.load("metrics", one.name)(options=one.options).read(run) for one in measure.SOURCES}
    # How the process ended is not known here: the run is taken to be over, and judged by the step it reached.
    status, steps = JobStatus(state=JobState.VANISHED), budgets.budget(loaded, objective).steps
    found = measure.measure(objective, run, _printed(root, run), readings, status, steps)
    told = {key: value for key, value in asdict(found).items() if key not in {"curve", "samples"}}
    return told | {"symptoms": [one for one in told["symptoms"] if one["name"] != status.state]}


def _printed(root: Path, run: Path) -> str:
    """The end of the newest log, without secrets."""
    from autoresearch.secrets import environment  # noqa: PLC0415
    from autoresearch.supervision.run_log import end_of  # noqa: PLC0415

    logs = sorted(run.rglob("*.log"), key=lambda path: path.stat().st_mtime)
    return end_of(logs[-1], environment.of_repository(root)) if logs else ""
