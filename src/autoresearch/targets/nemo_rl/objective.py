"""What a NeMo-RL recipe is judged by: its metric in three spellings, its direction, and what it is in words.

One metric has three names (commit 7ea279abf): `val:accuracy` in `checkpointing.metric_name` and `training_info.json`,
`validation/accuracy` as a logger tag, `val_accuracy` in hand-written notes. DPO and RM add the data set:
`val:validation-default_loss` is logged as `validation-default/loss`. We keep the recipe's spelling and the tag.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction, Objective
from autoresearch.targets.nemo_rl.measure import spelling
from autoresearch.targets.recipe.recipe import Recipe

PEAK_MEMORY = "peak_memory_gb"
"""The memory objective: the largest value of the GPU monitor over the whole run, not the last point of a tag."""

ROLLOUT = frozenset({"grpo", "ppo", "distillation"})
"""Algorithms that generate; the others learn from given text."""

_DEFAULT = {
    "grpo": "val:accuracy",
    "ppo": "val:accuracy",
    "distillation": "val:accuracy",
    "sft": "val:val_loss",
    "dpo": "val:validation-default_loss",
    "rm": "val:validation-default_loss",
}
_LOGGED = {
    **dict.fromkeys(("grpo", "ppo", "distillation"), ("accuracy", "avg_length", "pass_k")),
    "sft": ("val_loss",),
    **dict.fromkeys(("dpo", "rm"), ("validation-default_loss", "validation-default_accuracy")),
}
"""What validations log under `val:` in any case (commit 7ea279abf); rollouts and other data sets add to it."""

_LOWER = re.compile(
    r"loss|error|kl|time|mem|latency|truncation|grad_norm|perplexity|idle|imbalance|(^|/)timing/(?!.*_per_sec)|length|stddev"
)
_HIGHER = re.compile(
    r"accuracy|reward|per_sec|pass_k|score|natural_termination|utili[sz]ation|flops|entropy|correct|margin"
)


@dataclass(frozen=True)
class _Aim:
    """One of the objectives beside the recipe's own metric: words that ask for it, its tag, its direction."""

    words: re.Pattern[str]
    rollout: str
    other: str
    direction: Direction
    meaning: str


_AIMS: Mapping[str, _Aim] = {
    "throughput": _Aim(
        re.compile(r"\b(throughput|tokens?[ /]*(per|/)[ ]*s|tok/s|samples?[ /]*(per|/)[ ]*s)", re.IGNORECASE),
        "performance/tokens_per_sec_per_gpu",
        "timing/train/valid_tokens_per_sec_per_gpu",
        Direction.MAXIMIZE,
        "training throughput of a step, in tokens per second and GPU",
    ),
    "memory": _Aim(
        re.compile(r"\b(memory|vram|gpu mem)\b", re.IGNORECASE),
        PEAK_MEMORY,
        PEAK_MEMORY,
        Direction.MINIMIZE,
        "largest GPU memory the monitor saw, in GB (sampled every 10 s, so short peaks are missed)",
    ),
    "latency": _Aim(
        re.compile(r"\b(latency|generation time|rollout time)\b", re.IGNORECASE),
        "timing/train/generation",
        "timing/train/total_step_time",
        Direction.MINIMIZE,
        "seconds that generation takes in a step",
    ),
    "step time": _Aim(
        re.compile(r"\b(step[ _-]*time|faster|speed|wall[ -]?clock|iteration time)\b", re.IGNORECASE),
        "timing/train/total_step_time",
        "timing/train/total_step_time",
        Direction.MINIMIZE,
        "seconds per training step",
    ),
    "stability": _Aim(
        re.compile(r"\b(stability|stable|mismatch|collapse|diverg\w+)\b", re.IGNORECASE),
        "train/token_mult_prob_error",
        "train/grad_norm",
        Direction.MINIMIZE,
        "how far training and generation disagree about token probabilities; 1 is perfect agreement",
    ),
}


def objective_for(recipe: Recipe, metric: str = "auto", direction: str = "auto", goal: str = "") -> Objective:
    """The one number to judge by.

    Args:
        recipe: The composed recipe.
        metric: `auto`, one of `throughput`, `memory`, `latency`, `step time`, `stability`, or a metric in any of its
            spellings. With `auto` the goal's words decide, and else the recipe's own metric.
        direction: `auto`, `maximize` or `minimize`.
        goal: The aim in the user's words.

    Raises:
        CampaignError: The direction of a metric cannot be known.
    """
    aim = _aim(metric, goal)
    if aim:
        name = aim.rollout if recipe.algorithm in ROLLOUT else aim.other
        way = aim.direction if direction == "auto" else Direction(direction)
        return Objective(goal or f"improve {name}", name, way, name, aim.meaning)
    name = own_metric(recipe) if metric == "auto" else canonical(recipe, metric)
    way = _direction(recipe, name) if direction == "auto" else Direction(direction)
    return Objective(goal or f"improve {name}", name, way, spelling(name).tag, meaning(recipe, name))


def own_metric(recipe: Recipe) -> str:
    """The recipe's authoritative metric; where it names none (or one that cannot be), the algorithm's usual one."""
    named = recipe.get("checkpointing.metric_name")
    if not examinable(recipe) and not str(named or "").startswith("train:"):
        return _trained(recipe)
    if isinstance(named, str) and re.match(r"(val|train):.", named):
        return named
    if gym(recipe) and recipe.algorithm == "grpo":
        return "val:total_reward/mean"
    return "train:loss" if "teachers" in recipe.plain else _DEFAULT.get(recipe.algorithm, "train:loss")


def canonical(recipe: Recipe, name: str) -> str:
    """A metric in the recipe's spelling, whichever spelling `name` is; tags outside train and validation stay.

    `validation/accuracy`, `val:accuracy`, `val_accuracy`, `val_reward` and `accuracy` are one metric for GRPO;
    `validation-default/loss` and `validation-default_loss` for DPO; `val_loss` is `val:val_loss` for SFT.
    """
    own = own_metric(recipe)
    room, slash, rest = name.partition("/")
    if name.partition(":")[0] in {"val", "train"} and ":" in name:
        return name
    if name in {own.partition(":")[2], own.partition(":")[2].rpartition("_")[2], "auto"}:
        return own
    if slash and room == "validation":
        return f"val:{rest}"
    if slash and room.startswith("validation-"):
        return f"val:{room}_{rest}"
    if slash and room == "train":
        return f"train:{rest}"
    if slash:
        return name
    if name.startswith("validation-"):
        return f"val:{name}"
    if name in {"val_reward", "validation_reward", "reward", "accuracy"} and recipe.algorithm in ROLLOUT:
        return own if own.startswith("val:") else "val:accuracy"
    if name == "val_loss" and own.startswith("val:") and own.endswith("loss"):
        return own
    for prefix in ("validation_", "val_"):
        if name.startswith(prefix):
            return f"val:{name.removeprefix(prefix)}"
    return f"train:{name.removeprefix('train_')}"


def meaning(recipe: Recipe, name: str) -> str:
    """What a metric is, in words a person can check."""
    where, _, what = name.partition(":")
    place = "the validation set" if where == "val" else "the training batch of a step"
    if what in {"accuracy", "reward", "total_reward/mean"} and recipe.algorithm in ROLLOUT:
        called = "called accuracy, but " if what == "accuracy" else ""
        return (
            f"{called}the mean reward over rollouts of {place}; a share of correct answers only if rewards are 0 or 1"
        )
    if what == "pass_k":
        return "share of validation prompts with at least one rewarded rollout among those sampled per prompt"
    if what == "val_loss":
        return "mean token loss over the validation batches"
    if by_set := re.fullmatch(r"validation-([^_]+)_(.+)", what):
        return f"{by_set.group(2).replace('_', ' ')} over the validation set {by_set.group(1)!r}"
    if where in {"val", "train"}:
        return f"{what} over {place}"
    return f"the logged scalar {name}"


def warnings(recipe: Recipe, objective: Objective) -> tuple[str, ...]:
    """What a maintainer would point out about measuring this recipe, one sentence each."""
    return tuple(filter(None, (*_naming(recipe, objective), *_timing(recipe, objective))))


def validates(recipe: Recipe) -> bool:
    """Whether a run of this recipe validates at all while it trains."""
    return (recipe.whole(f"{recipe.algorithm}.val_period") or 0) > 0


def first_value(recipe: Recipe, objective: Objective) -> int | None:
    """Step after which a run first has a number: 1 for what each step logs, None where only the last one validates."""
    if not objective.tag.startswith("validation"):
        return 1
    period = recipe.whole(f"{recipe.algorithm}.val_period") or 0
    if period < 1:
        return None
    return max(period, math.ceil((recipe.whole(f"{recipe.algorithm}.val_start_at") or 0) / period) * period)


def examinable(recipe: Recipe) -> bool:
    """Whether NeMo-RL lets this recipe validate: its loop can, and it has validation data.

    The single-controller loop refuses to start when a validation is asked for, and the others do so without data. A
    recipe that validates has data of whatever kind; only one that does not is searched for some.
    """
    if single_controller(recipe):
        return False
    return validates(recipe) or bool(recipe.get("data.validation")) or _splits(recipe)


def gym(recipe: Recipe) -> bool:
    """Whether the recipe's environments come from NeMo-Gym."""
    return recipe.get("env.should_use_nemo_gym") is True


def single_controller(recipe: Recipe) -> bool:
    """Whether the recipe is for the single-controller loop, which has no validation yet."""
    return recipe.algorithm == "grpo" and recipe.get("async_rl") is not None


def _trained(recipe: Recipe) -> str:
    """What a run without validation is judged by: the reward where one is logged, else the loss."""
    if recipe.algorithm not in {"grpo", "ppo"}:
        return "train:loss"
    return "train:total_reward/mean" if gym(recipe) else "train:reward"


def _splits(recipe: Recipe) -> bool:
    """Whether training data is set aside for validation."""
    train = recipe.get("data.train")
    sets = train if isinstance(train, list) else [train]
    default = recipe.get("data.default.split_validation_size", 0)
    sizes = [one.get("split_validation_size", default) for one in sets if isinstance(one, Mapping)]
    return any(isinstance(size, int | float) and size > 0 for size in sizes)


def _aim(metric: str, goal: str) -> _Aim | None:
    asked = metric.replace("-", " ").replace("_", " ").lower()
    if metric != "auto":
        return _AIMS.get(asked)
    if re.search(r"accuracy|reward|loss|score", goal, re.IGNORECASE):
        return None
    return next((aim for aim in _AIMS.values() if aim.words.search(goal)), None)


def _direction(recipe: Recipe, name: str) -> Direction:
    higher = recipe.get("checkpointing.higher_is_better")
    if name == recipe.get("checkpointing.metric_name") and isinstance(higher, bool):
        return Direction.MAXIMIZE if higher else Direction.MINIMIZE
    if _HIGHER.search(name) and not re.search(r"error|loss", name):
        return Direction.MAXIMIZE
    if _LOWER.search(name):
        return Direction.MINIMIZE
    raise CampaignError(
        f"metric {name!r} is not a known one (the recipe's own is {own_metric(recipe)!r}): correct its name, "
        f"or set objective.direction (--direction) to maximize or minimize"
    )


def _naming(recipe: Recipe, objective: Objective) -> list[str]:
    named, higher = recipe.get("checkpointing.metric_name"), recipe.get("checkpointing.higher_is_better")
    found = []
    if named is None and recipe.algorithm:
        found.append(
            f"checkpointing.metric_name is null, so checkpoints are kept by age; judging by {objective.metric}."
        )
    if single_controller(recipe):
        found.append("the single-controller loop does not validate: only training metrics exist, and they are noisy.")
    elif recipe.algorithm and not examinable(recipe):
        found.append(
            f"the recipe has no validation data, so only training metrics exist; judging by {objective.metric}. "
            "data.validation would give better evidence."
        )
    elif objective.metric.startswith("train:"):
        found.append(
            f"{objective.metric} is measured on training batches: it rewards memorising and moves with the batch; "
            "a validation metric would be better evidence."
        )
    if told := _misspelt(recipe):
        found.append(told)
    if objective.metric == named and higher is False and "accuracy" in objective.metric:
        found.append("checkpointing.higher_is_better is false for an accuracy; check which way is meant.")
    return found


def _misspelt(recipe: Recipe) -> str:
    """NeMo-RL looks for the metric only when it first saves after a validation, and then ends with an error."""
    named = str(recipe.get("checkpointing.metric_name") or "")
    where, _, name = named.partition(":")
    known = _LOGGED.get(recipe.algorithm, ())
    meant = get_close_matches(name, known, n=1)
    if where != "val" or name in known or (name and not meant) or "/" in name:
        return ""
    right = meant[0] if meant else known[0]
    told = f"checkpointing.metric_name is {named!r}, which no validation logs, so a run fails at its first save"
    return f"{told}; did you mean val:{right}?"


def _timing(recipe: Recipe, objective: Objective) -> list[str]:
    if not objective.metric.startswith("val:") or not examinable(recipe):
        return []
    algorithm = recipe.algorithm
    period, save = recipe.whole(f"{algorithm}.val_period") or 0, recipe.whole("checkpointing.save_period") or 0
    found = []
    if not validates(recipe):
        source = recipe.origin(f"{algorithm}.val_period") if recipe.has(f"{algorithm}.val_period") else "nowhere"
        found.append(
            f"the recipe never validates while training ({algorithm}.val_period is {period}, from {source}); "
            "the only value would be the validation at the end that is switched on for every run."
        )
    elif save > 0 and save % period and recipe.get("checkpointing.enabled") is True:
        found.append(
            f"checkpoints (every {save} steps) fall out of step with validation (every {period}), "
            f"so some are saved without {objective.metric}."
        )
    return found
