"""A recipe as researchers see it: traits a playbook prunes by, and a search space of numeric knobs.

Then the files that its runs read: models, data, prompts; and what of them it leaves to be filled in. Shipped recipes
hold paths such as `/path/to/train.jsonl`, which a person replaces. NeMo-RL opens its inputs only when a run has its
GPUs, so a missing one would cost a start-up each time.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from autoresearch.experiment.hypothesis import Facts
from autoresearch.targets.nemo_rl.objective import ROLLOUT, gym, single_controller
from autoresearch.targets.nemo_rl.protection import protected
from autoresearch.targets.recipe.recipe import Recipe

GYM = "3rdparty/Gym-workspace/Gym"
"""Where the NeMo-Gym submodule is checked out (commit 7ea279abf)."""

_WRITTEN = re.compile(r"(^|\.)(logger|checkpointing)\.|_(venv_dir|executable)$|_dir$|(^|\.)generation_config\.")
_READ = re.compile(r"(^|\.)(\w+_(path|files?|cfg)|chat_template)$")
_FILE = re.compile(r"[\w.@+-]+(/[\w.@+-]+)+\.(jsonl?|parquet|arrow|csv|txt|ya?ml|jinja2?)")


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A numeric key worth searching.

    Attributes:
        key: Dotted key; `*` at its front stands for the algorithm's section.
        low: Lower end: a factor of the recipe's value when `factor`, else a value.
        high: Upper end, likewise.
        factor: Whether the ends are factors.
        log: Whether to search on a logarithmic scale.
        zero: Lower and upper end where the recipe's value is 0 and a factor says nothing; None to leave the key out.
    """

    key: str
    low: float
    high: float
    factor: bool = False
    log: bool = False
    zero: tuple[float, float] | None = None


KNOBS: tuple[Knob, ...] = (
    Knob(key="policy.optimizer.kwargs.lr", low=0.1, high=10.0, factor=True, log=True),
    Knob(key="policy.megatron_cfg.optimizer.lr", low=0.1, high=10.0, factor=True, log=True),
    Knob(key="policy.optimizer.kwargs.weight_decay", low=0.1, high=10.0, factor=True, log=True, zero=(0.0001, 0.1)),
    Knob(
        key="policy.megatron_cfg.optimizer.weight_decay", low=0.1, high=10.0, factor=True, log=True, zero=(0.0001, 0.1)
    ),
    Knob(key="policy.max_grad_norm", low=0.1, high=10.0, factor=True, log=True),
    Knob(key="loss_fn.reference_policy_kl_penalty", low=0.1, high=10.0, factor=True, log=True, zero=(0.0001, 0.01)),
    Knob(key="loss_fn.ratio_clip_min", low=0.1, high=0.4),
    Knob(key="loss_fn.ratio_clip_max", low=0.1, high=0.4),
    Knob(key="policy.generation.temperature", low=0.6, high=1.2),
    Knob(key="policy.generation.top_p", low=0.8, high=1.0),
    Knob(key="*.num_prompts_per_step", low=0.5, high=4.0, factor=True, log=True),
    Knob(key="*.num_generations_per_prompt", low=0.5, high=4.0, factor=True, log=True),
    Knob(key="dpo.reference_policy_kl_penalty", low=0.1, high=10.0, factor=True, log=True),
    Knob(key="dpo.preference_loss_weight", low=0.25, high=4.0, factor=True, log=True),
    Knob(key="dpo.sft_loss_weight", low=0.25, high=4.0, factor=True, log=True),
)
"""Ranges are a decade around the recipe's own value where scale is all that is known, and the usual ones elsewhere."""


_DECLARED = {"grpo": "GRPOConfig", "ppo": "PPOConfig"}
_DECLARING = (
    "algorithms/advantage_estimator.py",
    "algorithms/reward_functions.py",
    "algorithms/loss/loss_functions.py",
    "algorithms/grpo.py",
    "algorithms/ppo.py",
)
"""Where the classes of those sections are, at commit 7ea279abf.

PPO has an `AdvEstimatorConfig` of its own, so its file counts for PPO only."""

_LABEL = re.compile(r"logger\.\w+\.(?:run_)?name")
"""Names of runs in trackers: recipes compose them of other keys, and they change nothing."""


def facts(recipe: Recipe, code: Mapping[str, str]) -> Facts:
    """What the target knows about a recipe, with fingerprints of measuring code among the values."""
    nodes, gpus = recipe.whole("cluster.num_nodes", 1) or 1, recipe.whole("cluster.gpus_per_node", 0) or 0
    values = {key: value for key, value in recipe.values.items() if not _LABEL.fullmatch(key)}
    return Facts({**values, **code}, traits(recipe), nodes * gpus, space(recipe), defaults(recipe))


def defaults(recipe: Recipe) -> dict[str, object]:
    """What NeMo-RL itself takes for keys that a GRPO or PPO recipe may leave out, as this checkout declares it.

    Read from the fields of its configuration classes, so a key is there only if this commit knows it. Lists, and what
    is no literal, are left out.
    """
    if recipe.algorithm not in _DECLARED:
        return {}
    classes: dict[str, ast.ClassDef] = {}
    for file in _DECLARING[: None if recipe.algorithm == "ppo" else -1]:
        path = recipe.root / "nemo_rl" / file
        classes |= _classes(path.read_text("utf-8", "replace")) if path.is_file() else {}
    sections = {recipe.algorithm: _DECLARED[recipe.algorithm], "loss_fn": "ClippedPGLossConfig"}
    found = {key: value for at, name in sections.items() for key, value in _fields(name, at, classes)}
    replay = recipe.root / "nemo_rl/models/megatron/router_replay.py"
    return {**found, **({"policy.router_replay.enabled": False} if replay.is_file() else {})}


@lru_cache(maxsize=64)
def _classes(text: str) -> dict[str, ast.ClassDef]:
    if "BaseModel" not in text:
        return {}
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    return {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}


def _fields(name: str, at: str, classes: Mapping[str, ast.ClassDef], depth: int = 0) -> Iterator[tuple[str, object]]:
    """Literal defaults of a class's fields and of the classes that its fields are of, by dotted key."""
    node = classes.get(name)
    for field in node.body if node is not None and depth < 4 else ():
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name) or field.value is None:
            continue
        key = f"{at}.{field.target.id}"
        if isinstance(field.value, ast.Constant) and isinstance(field.value.value, bool | int | float | str | None):
            yield key, field.value.value
        for part in ast.walk(field.annotation):
            if isinstance(part, ast.Name) and part.id in classes:
                yield from _fields(part.id, key, classes, depth + 1)


def traits(recipe: Recipe) -> frozenset[str]:
    """Words that say what kind of recipe this is; a playbook keys on them."""
    get, name = recipe.get, recipe.path.rpartition("/")[2]
    algorithm = recipe.algorithm
    megatron = get("policy.megatron_cfg.enabled") is True
    backend = str(get("policy.generation.backend", "")) if algorithm in ROLLOUT else ""
    judged = {
        algorithm: bool(algorithm),
        "megatron": megatron,
        "dtensor": not megatron and get("policy.dtensor_cfg.enabled") is True,
        "dtensor-v2": not megatron and get("policy.dtensor_cfg._v2") is True,
        backend: bool(backend),
        "async": get(f"{algorithm}.async_grpo.enabled") is True or get("ppo.async_ppo.enabled") is True,
        "async-engine": get("policy.generation.vllm_cfg.async_engine") is True,
        "colocated": bool(backend) and get("policy.generation.colocated.enabled") is True,
        "single-controller": single_controller(recipe),
        "lora": get("policy.dtensor_cfg.lora_cfg.enabled") is True or get("policy.megatron_cfg.peft.enabled") is True,
        "moe": int(get("policy.megatron_cfg.expert_model_parallel_size", 1) or 1) > 1
        or "-moe" in name
        or "a3b" in name.lower(),
        "gym": gym(recipe),
        "fp8": get("policy.megatron_cfg.fp8_cfg.enabled") is True
        or get("policy.generation.vllm_cfg.precision") == "fp8",
        "sequence-packing": get("policy.sequence_packing.enabled") is True,
        "dynamic-batching": get("policy.dynamic_batching.enabled") is True,
        "dynamic-sampling": get("grpo.use_dynamic_sampling") is True,
        "vlm": "vlm" in " ".join(recipe.lineage),
        "multi-node": int(get("cluster.num_nodes", 1)) > 1,
        "cpu": int(get("cluster.gpus_per_node", 0)) == 0 and get("cluster") is not None,
        "fixed-micro-tokens": _fixed_micro_tokens(recipe),
        "one-update": updates(recipe) == 1,
        "several-updates": (updates(recipe) or 0) > 1,
        **_by_name(recipe),
    }
    return frozenset(name for name, holds in judged.items() if holds and name)


def _fixed_micro_tokens(recipe: Recipe) -> bool:
    """Whether micro batches are packed up to a number of tokens that does not follow their size in sequences."""
    from omegaconf import OmegaConf  # noqa: PLC0415

    policy: Any = recipe.config.get("policy") or {}
    packings = (policy.get(name) or {} for name in ("sequence_packing", "dynamic_batching"))
    return any(
        one.get("enabled") is True and not OmegaConf.is_interpolation(one, "train_mb_tokens") for one in packings
    )


def updates(recipe: Recipe) -> float | None:
    """Optimizer steps that a batch of rollouts is used for; None where a policy ratio has no part, or it is unknown.

    With one, the policy that is trained is the one whose probabilities were computed just before (`prev_logprobs`,
    nemo_rl/algorithms/grpo.py:3239 at 7ea279abf, in asynchronous training too: 4785), so every ratio is one and what
    clips or weighs it changes nothing.
    """
    algorithm = recipe.algorithm
    if algorithm not in {"grpo", "ppo"}:
        return None
    keys = (f"{algorithm}.num_prompts_per_step", f"{algorithm}.num_generations_per_prompt")
    prompts, answers, batch = (recipe.whole(key, 0) for key in (*keys, "policy.train_global_batch_size"))
    if not (prompts and answers and batch):
        return None
    return prompts * answers / batch * ((recipe.whole("ppo.ppo_epochs", 1) or 4) if algorithm == "ppo" else 1)


def space(recipe: Recipe) -> dict[str, dict[str, object]]:
    """Numeric knobs this recipe has, with ranges around its values; protected and inactive ones are left out.

    Each value has `type` (`float` or `int`), `low`, `high` and `log`.
    """
    found = {}
    for knob in KNOBS:
        key = knob.key.replace("*", recipe.algorithm, 1)
        value = recipe.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or protected(key) or not _active(recipe, key):
            continue
        if ends := _ends(knob, float(value)):
            found[key] = _entry(knob, value, ends)
    return found


def _by_name(recipe: Recipe) -> dict[str, bool]:
    """Variants of GRPO, which are GRPO sections with certain features and known by the names of recipe and parents."""
    names = [source.rpartition("/")[2].lower() for source in recipe.lineage]
    own = recipe.algorithm == "grpo"
    return {variant: own and any(variant in name for name in names) for variant in ("dapo", "gdpo", "mopd", "prorlv2")}


def _active(recipe: Recipe, key: str) -> bool:
    """Whether a key is read at all (each backend has an optimizer of its own) and does not move validation too."""
    megatron = recipe.get("policy.megatron_cfg.enabled") is True
    if key.startswith("policy.megatron_cfg."):
        return megatron
    if key.startswith("policy.optimizer."):
        return not megatron
    if key.startswith("loss_fn.ratio_clip_"):
        bypassed = any(recipe.get(f"loss_fn.{name}") is True for name in ("force_on_policy_ratio", "disable_ppo_ratio"))
        return updates(recipe) != 1 and not bypassed
    if key in {"policy.generation.temperature", "policy.generation.top_p"}:
        return not _copied_by_validation(recipe, key.rpartition(".")[2])
    return True


def _copied_by_validation(recipe: Recipe, name: str) -> bool:
    """Whether `val_<name>` follows `<name>`, so that searching it would change how every model is examined."""
    generation = recipe.config.get("policy", {}).get("generation", {})
    if f"val_{name}" not in generation:
        return True
    from omegaconf import OmegaConf  # noqa: PLC0415

    return OmegaConf.is_interpolation(generation, f"val_{name}")


def _ends(knob: Knob, value: float) -> tuple[float, float] | None:
    if not knob.factor:
        return min(knob.low, value), max(knob.high, value)
    return (value * knob.low, value * knob.high) if value > 0 else knob.zero


def _entry(knob: Knob, value: float, ends: tuple[float, float]) -> dict[str, object]:
    low, high = (float(f"{end:.6g}") for end in ends)
    if isinstance(value, int) and knob.key.startswith("*."):
        return {"type": "int", "low": max(1, round(low)), "high": round(high), "log": knob.log}
    return {"type": "float", "low": low, "high": high, "log": knob.log}


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
