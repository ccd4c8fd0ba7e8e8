"""How long a run of a recipe goes on: the steps its data lasts for, and the recipe's own time limit.

Upstream's loops (commit 7ea279abf) end at `max_num_steps` or after `max_num_epochs` passes over the data, whichever
comes first; a data loader drops its last, incomplete batch. Epochs that are not positive are no limit.
"""

from collections.abc import Mapping
from typing import Any

from autoresearch.targets.recipe.recipe import Recipe, whole_number

TRAIN_ROWS: Mapping[tuple[str, str], int] = {
    ("OpenMathInstruct-2", ""): 1_000_000,
    ("OpenMathInstruct-2", "train_1M"): 1_000_000,
    ("OpenMathInstruct-2", "train_2M"): 2_000_000,
    ("OpenMathInstruct-2", "train_5M"): 5_000_000,
    ("DAPOMath17K", ""): 1_791_700,
    ("DeepScaler", ""): 40_315,
    ("gsm8k", ""): 7_473,
    ("gsm8k", "train"): 7_473,
    ("geometry3k", "train"): 2_101,
    ("clevr-cogent", "train"): 70_000,
}
"""Rows of training sets that shipped recipes name, by name and split, as published; nobody has counted them here."""


def steps_of_data(recipe: Recipe) -> int | None:
    """Steps after which a run has seen all its data, None when that is endless or cannot be known from here.

    With dynamic sampling a step may take more batches than one, so that the run is shorter.
    """
    given, batch, rows = recipe.whole(f"{recipe.algorithm}.max_num_epochs"), _batch(recipe), _rows(recipe)
    epochs = 1 if given is None else given
    if epochs < 1 or not batch or not rows:
        return None
    return rows // batch * epochs or None


def own_limit_minutes(recipe: Recipe) -> float | None:
    """Minutes of training after which the recipe saves and stops by itself, start-up not counted; None without any."""
    seconds = seconds_of(recipe.get("checkpointing.checkpoint_must_save_by"))
    return None if seconds is None else seconds / 60


def seconds_of(text: object) -> int | None:
    """Seconds in `DD:HH:MM:SS`, None for anything else."""
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        return None
    days, hours, minutes, seconds = map(int, parts)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _batch(recipe: Recipe) -> int:
    """Rows one batch of the data loader takes."""
    algorithm = recipe.algorithm
    prompts, more = recipe.whole(f"{algorithm}.num_prompts_per_step"), recipe.get(f"{algorithm}.batch_multiplier", 1)
    if prompts is not None:
        return int(prompts * more) if isinstance(more, int | float) else prompts
    return recipe.whole("policy.train_global_batch_size") or 0


def _rows(recipe: Recipe) -> int | None:
    """Rows of all training sets together, None when one of them is unknown."""
    train = recipe.get("data.train")
    default = recipe.get("data.default")
    sets = [one for one in (train if isinstance(train, list) else [train]) if isinstance(one, Mapping)]
    rows = [_rows_of(recipe, {**(default if isinstance(default, Mapping) else {}), **one}) for one in sets]
    return sum(filter(None, rows)) if rows and all(rows) else None


def _rows_of(recipe: Recipe, settings: Mapping[str, Any]) -> int | None:
    path, aside = settings.get("data_path"), settings.get("split_validation_size")
    rows = _lines(recipe, path) if isinstance(path, str) else _known(settings)
    kept = 1.0 - aside if isinstance(aside, int | float) else 1.0
    return None if rows is None else int(rows * (whole_number(settings.get("repeat")) or 1) * kept)


def _known(settings: Mapping[str, Any]) -> int | None:
    return TRAIN_ROWS.get((str(settings.get("dataset_name", "")), str(settings.get("split") or "")))


def _lines(recipe: Recipe, path: str) -> int | None:
    """Rows of a JSONL file, when it is in the checkout or on this machine."""
    file = recipe.root / path
    if not path.endswith(".jsonl") or not file.is_file():
        return None
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())
