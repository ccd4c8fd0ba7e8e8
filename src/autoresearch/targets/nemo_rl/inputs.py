"""Files that a recipe's runs read: models, data, prompts; and what of them it leaves to be filled in.

Shipped recipes hold paths such as `/path/to/train.jsonl`, which a person replaces. NeMo-RL opens its inputs only when a
run has its GPUs, so a missing one would cost a start-up each time.
"""

import re

from autoresearch.targets.nemo_rl.objective import gym
from autoresearch.targets.recipe.recipe import Recipe

GYM = "3rdparty/Gym-workspace/Gym"
"""Where the NeMo-Gym submodule is checked out (commit 7ea279abf)."""

_WRITTEN = re.compile(r"(^|\.)(logger|checkpointing)\.|_(venv_dir|executable)$|_dir$|(^|\.)generation_config\.")
_READ = re.compile(r"(^|\.)(\w+_(path|files?|cfg)|chat_template)$")
_FILE = re.compile(r"[\w.@+-]+(/[\w.@+-]+)+\.(jsonl?|parquet|arrow|csv|txt|ya?ml|jinja2?)")


def inputs(recipe: Recipe) -> tuple[str, ...]:
    """Files and folders that a run reads: absolute, or relative to the checkout. Names on a hub are none."""
    named = [
        value for key, value in _texts(recipe) if _absolute(value) or (_READ.search(key) and _FILE.fullmatch(value))
    ]
    return tuple(dict.fromkeys(value for value in named if not _placeholder(value)))


def left_open(recipe: Recipe) -> tuple[str, ...]:
    """Warnings about what a person has to supply before any run can start, one sentence each."""
    return tuple(filter(None, (_placeholders(recipe), _without_model(recipe), _without_gym(recipe))))


def _placeholders(recipe: Recipe) -> str:
    keys = [key for key, value in _texts(recipe) if _placeholder(value)]
    if not keys:
        return ""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return (
        f"{', '.join(keys[:3])}{more} still hold a placeholder (/path/to/...), so no run can start; copy the recipe, "
        "fill them in and commit it."
    )


def _without_model(recipe: Recipe) -> str:
    if not recipe.algorithm or recipe.get("policy.model_name"):
        return ""
    return (
        "policy.model_name is not set, and NeMo-RL refuses to start without it; name a model in a copy of the recipe."
    )


def _without_gym(recipe: Recipe) -> str:
    place = recipe.root / GYM
    if not gym(recipe) or not (recipe.root / ".gitmodules").is_file() or (place.is_dir() and any(place.iterdir())):
        return ""
    return (
        f"its environments come from NeMo-Gym, and the submodule {GYM} is not checked out; "
        f"run: git submodule update --init {GYM}"
    )


def _texts(recipe: Recipe) -> list[tuple[str, str]]:
    return [(key, value) for key, value in recipe.values.items() if isinstance(value, str) and not _WRITTEN.search(key)]


def _absolute(value: str) -> bool:
    return re.fullmatch(r"/[\w.@+-]+(/[\w.@+ -]+)+/?", value) is not None and not value.startswith(("/dev/", "/opt/"))


def _placeholder(value: str) -> bool:
    return value.startswith("/path/to/")
