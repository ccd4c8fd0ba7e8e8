"""What NeMo-RL's start-up checks ask of a recipe, as far as plays could break it.

Each rule takes resolved values by dotted key. A play may not break a rule that held before; a rule that is broken
already is the recipe's own business.
"""

from collections.abc import Callable, Mapping
from typing import Any

from autoresearch.experiment.hypothesis import Facts

Values = Mapping[str, Any]

ROLLOUT = ("grpo", "ppo", "distillation")
"""Algorithms that sample answers."""


def broken(before: Values, after: Values, facts: Facts) -> str:
    """The first rule that held before and does not hold after, in words; empty when there is none."""
    return next((words for words, rule in RULES if rule(before, facts) and not rule(after, facts)), "")


def _number(values: Values, key: str, default: float = 1) -> float:
    value = values.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _training_gpus(values: Values, facts: Facts) -> float:
    """GPUs that train: all of them, less those set apart for rollouts."""
    apart = values.get("policy.generation.colocated.enabled") is False
    if not apart or not facts.traits.intersection(ROLLOUT):
        return facts.gpus
    pool = "policy.generation.colocated.resources."
    return facts.gpus - _number(values, f"{pool}num_nodes") * _number(values, f"{pool}gpus_per_node", 0)


def _model_parallel(values: Values) -> float:
    if values.get("policy.megatron_cfg.enabled") is True:
        sizes = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "context_parallel_size")
        tensor, pipeline, context = (_number(values, f"policy.megatron_cfg.{name}") for name in sizes)
        return tensor * pipeline * context
    return _number(values, "policy.dtensor_cfg.tensor_parallel_size") * _number(
        values, "policy.dtensor_cfg.context_parallel_size"
    )


def _shards(values: Values, facts: Facts) -> bool:
    """Training GPUs are a whole number of model replicas."""
    gpus, each = _training_gpus(values, facts), _model_parallel(values)
    return facts.gpus == 0 or (gpus >= each and gpus % each == 0)


def _batch_divides(values: Values, facts: Facts) -> bool:
    """Every data-parallel rank gets whole micro batches."""
    replicas = max(1, _training_gpus(values, facts) // _model_parallel(values)) if facts.gpus else 1
    micro = _number(values, "policy.train_micro_batch_size")
    return _number(values, "policy.train_global_batch_size") % (micro * replicas) == 0


def _rollouts_fill_batches(values: Values, facts: Facts) -> bool:
    """A step's rollouts are a whole number of training batches."""
    for algorithm in facts.traits.intersection(ROLLOUT):
        prompts = _number(values, f"{algorithm}.num_prompts_per_step")
        rollouts = prompts * _number(values, f"{algorithm}.num_generations_per_prompt")
        return rollouts % _number(values, "policy.train_global_batch_size") == 0
    return True


def _on_policy(values: Values, _: Facts) -> bool:
    """`force_on_policy_ratio` needs one update per rollout batch."""
    if values.get("loss_fn.force_on_policy_ratio") is not True:
        return True
    rollouts = _number(values, "grpo.num_prompts_per_step") * _number(values, "grpo.num_generations_per_prompt")
    return rollouts == _number(values, "policy.train_global_batch_size")


def _groups(values: Values, _: Facts) -> bool:
    """A leave-one-out baseline needs someone to leave in."""
    alone = _number(values, "grpo.num_generations_per_prompt", 2) < 2
    return not (alone and values.get("grpo.use_leave_one_out_baseline") is True)


def _lengths(values: Values, _: Facts) -> bool:
    total = _number(values, "policy.max_total_sequence_length", 0)
    return not total or _number(values, "policy.generation.max_new_tokens", 0) <= total


def _wide_tensor_parallel(values: Values, _: Facts) -> bool:
    """From four tensor-parallel ranks on, results depend on the micro batch; training and scoring must share it."""
    megatron = values.get("policy.megatron_cfg.enabled") is True
    key = "megatron_cfg.tensor_model_parallel_size" if megatron else "dtensor_cfg.tensor_parallel_size"
    micro, scoring = values.get("policy.train_micro_batch_size"), values.get("policy.logprob_batch_size")
    return _number(values, f"policy.{key}") < 4 or scoring is None or micro == scoring


def _schedule(values: Values, _: Facts) -> bool:
    """Megatron's smallest and first learning rates lie below the peak."""
    if values.get("policy.megatron_cfg.enabled") is not True:
        return True
    peak = _number(values, "policy.megatron_cfg.optimizer.lr")
    low = _number(values, "policy.megatron_cfg.optimizer.min_lr", 0)
    return max(low, _number(values, "policy.megatron_cfg.scheduler.lr_warmup_init", 0)) <= peak


def _asynchronous(values: Values, _: Facts) -> bool:
    """Asynchronous GRPO refuses some of DAPO, and needs importance sampling."""
    if values.get("grpo.async_grpo.enabled") is not True:
        return True
    refused = ("grpo.use_dynamic_sampling", "grpo.reward_shaping.enabled", "grpo.reward_scaling.enabled")
    corrected = values.get("loss_fn.use_importance_sampling_correction") is True
    return corrected and not any(values.get(key) is True for key in refused)


def _packing(values: Values, _: Facts) -> bool:
    """Packing and dynamic batching exclude each other."""
    both = (values.get(f"policy.{name}.enabled") is True for name in ("sequence_packing", "dynamic_batching"))
    return not all(both)


def _scored_batches(values: Values, _: Facts) -> bool:
    """A skipped reference model cannot be a leash."""
    skipped = values.get("grpo.skip_reference_policy_logprobs_calculation") is True
    return not skipped or _number(values, "loss_fn.reference_policy_kl_penalty", 0) == 0


RULES: tuple[tuple[str, Callable[[Values, Facts], bool]], ...] = (
    ("training GPUs are a whole number of model replicas", _shards),
    ("the global batch is a whole number of micro batches per rank", _batch_divides),
    ("a step's rollouts are a whole number of training batches", _rollouts_fill_batches),
    ("forced on-policy ratios need one update per rollout batch", _on_policy),
    ("a leave-one-out baseline needs groups of two", _groups),
    ("answers fit into the total length", _lengths),
    ("wide tensor parallelism needs equal micro batches", _wide_tensor_parallel),
    ("the learning rate's ends lie below its peak", _schedule),
    ("asynchronous GRPO refuses dynamic sampling and reward shaping", _asynchronous),
    ("sequence packing and dynamic batching exclude each other", _packing),
    ("no KL penalty without a reference", _scored_batches),
)
