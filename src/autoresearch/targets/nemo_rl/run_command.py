"""The exact command of one run: entry point, recipe, and what is set for every run so that runs do not meet.

Nothing is set that the recipe's sections do not have: NeMo-RL accepts unknown keys silently (`++`), and a key that
no code reads would look like a setting. `cluster` is never touched.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import RecipeError
from autoresearch.targets.nemo_rl.cost import TestScript
from autoresearch.targets.nemo_rl.length import seconds_of
from autoresearch.targets.nemo_rl.objective import examinable, gym, single_controller
from autoresearch.targets.recipe.recipe import Recipe

MARGIN = 0.05
"""Share of a run's limit kept free after the last save: one more step and the checkpoint have to fit in."""

LOGS, CHECKPOINTS = "logs", "checkpoints"
"""Folders inside the run folder that `logger.log_dir` and `checkpointing.checkpoint_dir` point at."""

_VISION = ("vlm_grpo", "audio_grpo")


@dataclass(frozen=True)
class Injection:
    """One override given to every run, and why."""

    override: str
    why: str


def entry_point(recipe: Recipe, script: TestScript | None = None) -> str:
    """The training script for a recipe, relative to the checkout.

    What the recipe's own test script calls is taken when it calls one; otherwise it follows from the sections.

    Raises:
        RecipeError: The recipe trains nothing, or the script is not in this checkout.
    """
    entry = script.entry if script and script.entry else derived_entry(recipe)
    if not entry:
        raise RecipeError(
            f"{recipe.path}: trains nothing, for it has none of the sections grpo, ppo, sft, dpo, rm, distillation "
            "and eval; choose a complete recipe, or say --target command for a script outside NeMo-RL"
        )
    if not (recipe.root / entry).is_file():
        raise RecipeError(
            f"{recipe.path}: needs {entry}, which is not in {recipe.root}; set `command:` in the campaign"
        )
    return entry


def derived_entry(recipe: Recipe) -> str:
    """The training script that a recipe's sections ask for; empty for a fragment."""
    algorithm, lineage = recipe.algorithm, " ".join(recipe.lineage)
    if gym(recipe) and algorithm in {"grpo", "distillation"}:
        return f"examples/nemo_gym/run_{algorithm}_nemo_gym.py"
    if algorithm == "distillation" and recipe.get("teachers"):
        return "examples/run_xtoken_off_policy_distillation.py"
    if single_controller(recipe):
        return "examples/run_grpo_single_controller.py"
    if algorithm == "grpo" and recipe.get("env.sliding_puzzle_game") and "sliding_puzzle" in lineage:
        return "examples/run_grpo_sliding_puzzle.py"
    if algorithm == "grpo" and any(word in lineage for word in _VISION):
        return "examples/run_vlm_grpo.py"
    if algorithm == "sft" and any(word in lineage for word in ("sft_vlm", "sft_avlm", "vlm_sft")):
        return "examples/run_vlm_sft.py"
    return f"examples/run_{algorithm}.py" if algorithm else ""


def injections(
    recipe: Recipe,
    folder: Path,
    *,
    seed: int,
    commit: str,
    limit_s: float | None,
    setup_s: float = 0.0,
    steps: int | None = None,
) -> tuple[Injection, ...]:
    """What is set for one run on top of recipe and hypothesis.

    Args:
        recipe: The composed recipe.
        folder: The run's folder, absolute.
        seed: Training seed.
        commit: The experiment's commit.
        limit_s: Wall-clock limit of the run in seconds, start-up included; None for none.
        setup_s: Expected start-up time in seconds, which the recipe's own limit does not count.
        steps: Number of steps to cut the run to, None to leave the recipe's.
    """
    algorithm = recipe.algorithm
    wanted = [
        ("logger.log_dir", text(folder / LOGS), "its own logs"),
        ("logger.tensorboard_enabled", "true", "numbers a program can read"),
        ("logger.monitor_gpus", "true" if recipe.get("cluster.gpus_per_node", 0) else "", "memory and use of the GPUs"),
        ("checkpointing.checkpoint_dir", text(folder / CHECKPOINTS), "a shared one would resume another experiment"),
        ("checkpointing.checkpoint_must_save_by", save_by(recipe, limit_s, setup_s), "a save before the time limit"),
        (f"{algorithm}.val_at_end", "true" if examinable(recipe) else "", "the final model is measured"),
        (f"{algorithm}.seed", str(seed), "the seed of this run"),
        *((key, str(value), "every run is examined on the same validation set") for key, value in split_seeds(recipe)),
        (f"{algorithm}.max_num_steps", str(steps) if steps else "", "the same length for every run"),
    ]
    found = [Injection(f"{key}={value}", why) for key, value, why in wanted if value and recipe.has(key)]
    if algorithm == "eval":
        return tuple(found)
    return (*found, Injection(f"++git_meta={commit}", "the commit in the run's own records"))


def split_seeds(recipe: Recipe) -> list[tuple[str, int]]:
    """Seeds under `data`, by key: they choose which rows become the validation set, and follow the training seed.

    Left alone, a run with another seed would be examined on other questions, and no two runs could be paired.
    """
    found = [(key, value) for key, value in recipe.values.items() if re.fullmatch(r"data\.(.+\.)?seed", key)]
    several = recipe.get("data.train")
    for index, one in enumerate(several if isinstance(several, list) else []):
        found += [(f"data.train.{index}.seed", one["seed"])] if isinstance(one, dict) and "seed" in one else []
    return [(key, value) for key, value in found if isinstance(value, int)]


def save_by(recipe: Recipe, limit_s: float | None, setup_s: float) -> str:
    """When the recipe has to save and stop, `DD:HH:MM:SS` after its training loop began; empty for no limit.

    NeMo-RL counts from the start of the loop, so start-up and a margin are taken off. A tighter limit of the recipe's
    own stays (R70). Half of the limit is left in any case: beyond that the external time-out rules.
    """
    own = seconds_of(recipe.get("checkpointing.checkpoint_must_save_by"))
    if limit_s is None:
        return ""
    ours = max(limit_s - setup_s - min(600.0, max(5.0, MARGIN * limit_s)), limit_s / 2)
    return "" if own is not None and own <= ours else _clock(int(ours))


def argv(command: Sequence[str], recipe: Recipe, overrides: Sequence[str], *, no_sync: bool) -> tuple[str, ...]:
    """The whole command line; `uv run` gets `--no-sync` when the environment is shared and must stay as it is.

    With `--frozen` or `--locked` uv leaves the lock file alone and syncs the environment all the same.
    """
    start = list(command)
    if no_sync and start[:2] == ["uv", "run"] and not {"--no-sync", "--isolated"} & set(start):
        start.insert(2, "--no-sync")
    return (*start, "--config", recipe.path, *overrides)


def text(path: Path) -> str:
    """A path as the value of an override: quoted when hydra's grammar would stumble over it."""
    plain = str(path)
    if all(char.isalnum() or char in "/-_.@:" for char in plain) and plain.isascii():
        return plain
    slashes = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (found[2] and "\\'"), plain)
    return "'" + slashes.replace("${", "\\${") + "'"


def _clock(seconds: int) -> str:
    minutes, rest = divmod(max(seconds, 1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02d}:{hours:02d}:{minutes:02d}:{rest:02d}"
