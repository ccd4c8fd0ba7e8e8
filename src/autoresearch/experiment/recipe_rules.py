"""What NeMo-RL's start-up checks ask of a recipe, as far as it can be told from its resolved values.

Each rule takes resolved values by dotted key. An idea may not break a rule that held before; of those that are certain,
a plan says which the recipe itself breaks. Lines are of NeMo-RL at commit 7ea279abf.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from autoresearch.experiment.hypothesis import Facts

Values = Mapping[str, Any]

ROLLOUT = ("grpo", "ppo", "distillation")
"""Algorithms that sample answers."""


def broken(before: Values, after: Values, facts: Facts) -> str:
    """The first rule that held before and does not hold after, in words; empty when there is none."""
    return next((words for words, rule in RULES if rule(before, facts) and not rule(after, facts)), "")


def refused_at_start(
    values: Values, facts: Facts, ignored: Collection[str] = (), code: Callable[[str], str] = lambda _path: ""
) -> tuple[str, ...]:
    """What NeMo-RL would refuse when a run has its GPUs already, a sentence each.

    Args:
        values: The recipe, resolved.
        facts: What else is known about it.
        ignored: Variables that switch checks off, those that will be set.
        code: The text of a file of NeMo-RL's that runs will use, empty where that is not known. A version before a
            check, or a trainer of one's own under the same name, refuses nothing.
    """
    kept = {words: (rule, said) for words, rule in (*RULES, *_OF_RECIPES) for said in (_CERTAIN.get(words),) if said}
    return tuple(
        f"{said[0]}: {words} ({said[1]})"
        for words, (rule, said) in kept.items()
        if said[2] not in ignored and not rule(values, facts) and _may_check(said, code)
    )


def _may_check(said: tuple[str, str, str], code: Callable[[str], str]) -> bool:
    """Whether one of the files where a rule is checked checks anything and knows a key of it, or is not known."""
    keys = [key.rpartition(".")[2] for key in _KEY.findall(said[0])]
    for text in (code(path) for path in _FILE.findall(said[1])):
        if not text or (_CHECK.search(text) and (not keys or any(key in text for key in keys))):
            return True
    return False


_KEY, _FILE = re.compile(r"\w+(?:\.\w+)+"), re.compile(r"[\w/]+\.py")
_CHECK = re.compile(r"^\s*(?:assert|raise)\b", re.MULTILINE)


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
    if values.get("loss_fn.force_on_policy_ratio") is True:  # grpo.py:707 switches the check off
        return True
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


def _truncated_weights(values: Values, _: Facts) -> bool:
    """What truncates importance weights needs weights, and bounds of the kind it has."""
    kind, most = values.get("loss_fn.truncated_importance_sampling_type"), "loss_fn.truncated_importance_sampling_ratio"
    if kind is None:
        return values.get(most) is None
    bounded = values.get(most) is not None and (kind == "tis" or values.get(f"{most}_min") is not None)
    return bounded and values.get("loss_fn.use_importance_sampling_correction") is True


def _one_loss(values: Values, _: Facts) -> bool:
    """CISPO and sequence-level ratios exclude each other and other forms of the loss."""
    on = {key for key in ("use_cispo", "sequence_level_importance_ratios") if values.get(f"loss_fn.{key}") is True}
    if "use_cispo" in on:
        barred = ("disable_ppo_ratio", "force_on_policy_ratio", "sequence_level_importance_ratios")
        plain = values.get("loss_fn.ratio_clip_c") is None and values.get("loss_fn.token_level_loss") is not False
        return plain and not any(values.get(f"loss_fn.{key}") is True for key in barred)
    return not on or values.get("loss_fn.token_level_loss") is False


def _kl_of_real_probabilities(values: Values, _: Facts) -> bool:
    """A KL penalty in the reward needs the probabilities that a forced ratio leaves out."""
    zeroed = values.get("loss_fn.force_on_policy_ratio") is True
    needed = values.get("loss_fn.use_kl_in_reward") is True and _number(
        values, "loss_fn.reference_policy_kl_penalty", 0
    )
    return not (zeroed and needed) or values.get("grpo.seq_logprob_error_threshold") is not None


def _scored_batches(values: Values, _: Facts) -> bool:
    """A skipped reference model cannot be a leash."""
    skipped = values.get("grpo.skip_reference_policy_logprobs_calculation") is True
    return not skipped or _number(values, "loss_fn.reference_policy_kl_penalty", 0) == 0


def _gym_rollouts(values: Values, facts: Facts) -> bool:
    """NeMo-Gym takes its validation set whole, and samples by temperature and top p alone."""
    if "gym" not in facts.traits:
        return True
    sized = any(values.get(f"{algorithm}.max_val_samples") is not None for algorithm in ROLLOUT)
    return not sized and not values.get("policy.generation.top_k") and not values.get("policy.generation.val_top_k")


def _gym_of_single_controller(values: Values, facts: Facts) -> bool:
    """There NeMo-Gym counts the turns itself and asks vLLM only."""
    if not {"gym", "single-controller"} <= facts.traits:
        return True
    turns, backend = values.get("grpo.max_rollout_turns", 1), values.get("policy.generation.backend", "vllm")
    return bool(turns == 1 and backend == "vllm")


def _gym_penalties(values: Values, facts: Facts) -> bool:
    """What finds bad tool calls and thinking is NeMo-Gym's."""
    zeroed = any(values.get(key) is True for key in values if key.startswith("reward_penalties.penalize_"))
    marked = (f"grpo.{name}_advantage" for name in ("invalid_tool_call", "malformed_thinking"))
    return "gym" in facts.traits or not (zeroed or any(values.get(key) is not None for key in marked))


def _sampled_as_trained(values: Values, facts: Facts) -> bool:
    """Only vLLM under NeMo-Gym lets a validation sample in its own way."""
    if "grpo" not in facts.traits or {"gym", "vllm"} <= facts.traits:
        return True
    at = "policy.generation."
    pairs = ((f"{at}val_{name}", f"{at}{name}") for name in ("temperature", "top_p", "top_k"))
    return all(examined not in values or values[examined] == values.get(trained) for examined, trained in pairs)


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
    ("truncated importance weights need the correction, and their bounds", _truncated_weights),
    ("CISPO and sequence-level ratios want the loss to themselves", _one_loss),
    ("a KL penalty in the reward needs real probabilities, not a forced ratio", _kl_of_real_probabilities),
    ("NeMo-Gym validates on its whole file, and without top_k", _gym_rollouts),
    ("one controller's NeMo-Gym counts turns itself and asks vLLM only", _gym_of_single_controller),
    ("penalties for bad tool calls and thinking need NeMo-Gym", _gym_penalties),
)

_OF_RECIPES = (("validation samples as training does, except under NeMo-Gym with vLLM", _sampled_as_trained),)
"""Of recipes only: what an idea sets for training, interpolations carry over to validation."""

_CERTAIN: Mapping[str, tuple[str, str, str]] = {
    "wide tensor parallelism needs equal micro batches": (
        "policy.train_micro_batch_size and policy.logprob_batch_size differ",
        "nemo_rl/models/policy/lm_policy.py:207; NRL_IGNORE_TP_ACCURACY_CHECK=1 switches it off",
        "NRL_IGNORE_TP_ACCURACY_CHECK",
    ),
    "forced on-policy ratios need one update per rollout batch": (
        "policy.train_global_batch_size is not the batch of rollouts", "nemo_rl/algorithms/grpo.py:700", "",
    ),
    "asynchronous GRPO refuses dynamic sampling and reward shaping": (
        "grpo.async_grpo is enabled", "nemo_rl/algorithms/grpo.py:4120", "",
    ),
    "no KL penalty without a reference": (
        "grpo.skip_reference_policy_logprobs_calculation is set", "nemo_rl/algorithms/grpo.py:711", "",
    ),
    "truncated importance weights need the correction, and their bounds": (
        "loss_fn.truncated_importance_sampling_type is set", "nemo_rl/algorithms/loss/loss_functions.py:289", "",
    ),
    "CISPO and sequence-level ratios want the loss to themselves": (
        "loss_fn combines forms", "nemo_rl/algorithms/loss/loss_functions.py:261", "",
    ),
    "a KL penalty in the reward needs real probabilities, not a forced ratio": (
        "loss_fn.use_kl_in_reward is set", "nemo_rl/algorithms/grpo.py:2480", "",
    ),
    "NeMo-Gym validates on its whole file, and without top_k": (
        "max_val_samples, policy.generation.top_k or val_top_k is set",
        "examples/nemo_gym/run_grpo_nemo_gym.py:206; nemo_rl/experience/rollouts.py:2373", "",
    ),
    "one controller's NeMo-Gym counts turns itself and asks vLLM only": (
        "grpo.max_rollout_turns is not 1, or policy.generation.backend not vllm",
        "nemo_rl/experience/rollout_manager.py:814; nemo_rl/algorithms/single_controller_utils/setup.py:577", "",
    ),
    "penalties for bad tool calls and thinking need NeMo-Gym": (
        "env.should_use_nemo_gym is not set", "nemo_rl/algorithms/grpo.py:1958, 1980", "",
    ),
    "validation samples as training does, except under NeMo-Gym with vLLM": (
        "policy.generation.val_temperature, val_top_p or val_top_k differs", "nemo_rl/algorithms/grpo.py:512", "",
    ),
}  # fmt: skip
"""Of a rule that NeMo-RL asserts on any cluster: what the recipe says, where it is checked, what switches that off."""
