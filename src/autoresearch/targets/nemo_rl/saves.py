"""What a run of NeMo-RL saves: how large a checkpoint will be, how many stay, which files of them only a resume reads.

As read at commit 7ea279abf: `nemo_rl/utils/checkpoint.py`, lines 175 (`save_optimizer`) and 436 (what is kept: the best
`keep_top_k` and, besides, the latest), and `nemo_rl/models/automodel/setup.py`, line 330 (weights are held in float32).
"""

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

from autoresearch.run.placement import Saves
from autoresearch.targets.recipe.recipe import Recipe

LEAN, RECIPE = "lean", "recipe"
"""What `target.saves` may be: one checkpoint of weights alone, or what the recipe says."""

NUMBERS = frozenset({"training_info.json", "config.yaml"})
"""Files of a checkpoint that hold numbers and settings; what stays when its weights go."""

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([BM])(?![A-Za-z])", re.IGNORECASE)
_WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}


def injected(recipe: Recipe, saves: str, *, resumes: bool) -> Iterator[tuple[str, str, str]]:
    """Key, value and reason of what is set of a run's checkpoints.

    Every loop of NeMo-RL saves without optimizer state when told so, and its loader starts a new optimizer where there
    is none (`get_resume_paths`); no run goes on from another's checkpoint. One that its launcher may requeue goes on
    from its own, and keeps the state.
    """
    if saves != LEAN or recipe.get("checkpointing.enabled") is not True:
        return
    kept = recipe.get("checkpointing.keep_top_k")
    if not resumes and recipe.get("checkpointing.save_optimizer") is not False:
        yield "checkpointing.save_optimizer", "false", "nothing resumes from it"
    if kept is None or (isinstance(kept, int) and kept > 1):
        yield "checkpointing.keep_top_k", "1", "one checkpoint to evaluate"


def estimate(recipe: Recipe, steps: int | None, saves: str, *, resumes: bool) -> Saves | None:
    """What one run leaves, None where it saves nothing."""
    if recipe.get("checkpointing.enabled") is not True:
        return None
    made = _made(recipe, steps)
    stay = _stay(recipe, made, lean=saves == LEAN)
    value = str(recipe.get("value.model_name") or "") if recipe.algorithm == "ppo" else ""
    sizes = [parameters(name) for name in (str(recipe.get("policy.model_name") or ""), value) if name]
    known = [size for size in sizes if size]
    if _adapters(recipe) or not sizes or len(known) < len(sizes):
        how = "only adapters are saved" if _adapters(recipe) else "how large one is, is not known"
        return Saves(gb=0.0, stay=stay, most=min(made, stay + 1), how=how)
    megatron = recipe.get("policy.megatron_cfg.enabled") is True
    state = recipe.get("checkpointing.save_optimizer") is not False and (resumes or saves != LEAN)
    weights = 2 if megatron and recipe.get("policy.precision") != "float32" else 4
    width = weights * (2 if recipe.get("checkpointing.save_consolidated") is True and not megatron else 1)
    width += (12 if megatron else 8) if state else 0
    count = sum(size for size, _ in known)
    return Saves(
        gb=count * width / 1e9,
        stay=stay,
        most=min(made, stay + 1),
        how=f"{count / 1e9:.3g} billion parameters by {known[0][1]}, {width} bytes each, "
        f"{'with' if state else 'without'} optimizer state",
    )


def parameters(model: str) -> tuple[float, str] | None:
    """How many parameters a model has, and how that is known: by its files on this machine, else by its name."""
    for folder in _folders(model):
        if count := _counted(folder):
            return count, "its files"
    found = _SIZE.search(model.rstrip("/").rpartition("/")[2])
    if found is None:
        return None
    return float(found[1]) * (1e9 if found[2].lower() == "b" else 1e6), "its name"


def weights(folder: Path) -> Iterator[Path]:
    """What a finished run's folder holds that only a resume or an evaluation reads; no number lies in it."""
    for step in sorted((folder / "checkpoints").glob("*step_*")):
        if step.is_dir() and not step.is_symlink():
            yield from (path for path in sorted(step.iterdir()) if path.name not in NUMBERS)


def _adapters(recipe: Recipe) -> bool:
    """Whether only adapters are trained, and saved."""
    sections = ("policy.dtensor_cfg.lora_cfg", "policy.megatron_cfg.peft")
    return any(recipe.get(f"{section}.enabled") is True for section in sections)


def _made(recipe: Recipe, steps: int | None) -> int:
    """How many checkpoints a run makes: one each period, and one at its end."""
    period = recipe.whole("checkpointing.save_period") or 0
    return max(1, math.ceil(steps / period)) if steps and period > 0 else 2


def _stay(recipe: Recipe, made: int, *, lean: bool) -> int:
    kept = 1 if lean else recipe.whole("checkpointing.keep_top_k")
    if kept is None:
        return made
    return min(made, kept + (1 if recipe.get("checkpointing.metric_name") else 0))


def _folders(model: str) -> Iterator[Path]:
    """Where a model's files may lie: the path itself, or its snapshots in the hub's cache."""
    if model.startswith("/"):
        yield Path(model)
        return
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        yield from sorted((hub / f"models--{model.replace('/', '--')}" / "snapshots").glob("*"))


def _counted(folder: Path) -> float:
    """Parameters of the weights in a folder; 0 when they are not there or cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        width = _WIDTH[str(config.get("torch_dtype") or config.get("dtype"))]
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            return float(json.loads(index.read_text("utf-8"))["metadata"]["total_size"]) / width
        return (folder / "model.safetensors").stat().st_size / width
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0.0
