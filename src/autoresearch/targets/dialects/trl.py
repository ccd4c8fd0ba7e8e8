"""TRL: `trl grpo --config grpo.yaml`, or a script that makes a trainer of it.

Read at huggingface/trl f2cd5771: settings and their defaults in trl/trainer/grpo_config.py, names of numbers in
trl/trainer/grpo_trainer.py (`_metrics`), `trl grpo` in trl/cli/commands/training.py. Run with trl 1.8.0 on a CPU.
"""

from collections.abc import Mapping

from autoresearch.ports.dialect import Concept, Dialect, PrintedLine, number

NUMBER = r"'?([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))'?"


def _reused(said: Mapping[str, object]) -> bool:
    """Whether answers serve more than one update: only then is a policy ratio another than one, and can be clipped."""
    steps, gathered = number(said, "steps_per_generation", 0), number(said, "gradient_accumulation_steps", 1)
    return number(said, "num_iterations", 1) > 1 or steps > gathered


DIALECT = Dialect(
    name="trl",
    title="TRL",
    read_at="huggingface/trl at f2cd5771",
    spoken=(
        r"(?:^|[\s/])trl (?:grpo|rloo|sft|dpo|kto|reward)\b",
        r"-m trl\.scripts\.\w+",
        r"^\s*(?:from|import) trl\b",
    ),
    algorithms={
        "grpo": r"trl grpo\b|scripts\.grpo\b|\bGRPOTrainer\b",
        "rloo": r"trl rloo\b|scripts\.rloo\b|\bRLOOTrainer\b",
        "sft": r"trl sft\b|scripts\.sft\b|\bSFTTrainer\b",
        "dpo": r"trl dpo\b|scripts\.dpo\b|\bDPOTrainer\b",
    },
    place="flag",
    forced=(("output_dir", "{folder}/out"), ("seed", "{seed}"), ("push_to_hub", "false")),
    sources=({"type": "json", "path": "trainer_state.json"},),
    printed=PrintedLine(name=r"'([A-Za-z][\w/.@-]*)': " + NUMBER + r"[,}]", value=r"'{name}': " + NUMBER + r"[,}]"),
    metrics=(
        (r"eval_reward", "maximize"),
        (r"eval_rewards/accuracies", "maximize"),
        (r"eval_rewards/(?!.*(?:std|margins)).*mean", "maximize"),
        (r"eval_loss", "minimize"),
        (r"reward", "maximize"),
        (r"rewards/accuracies", "maximize"),
        (r"loss", "minimize"),
    ),
    steps="max_steps",
    defaults_of=("grpo",),
    concepts={
        "lr": Concept("learning_rate", 1e-6, within=(1e-8, 1e-1, True)),
        "kl": Concept("beta", 0.0, within=(0.0, 0.1, False)),
        "clip-low": Concept("epsilon", 0.2, only_if=_reused, within=(0.05, 0.5, False)),
        "clip-high": Concept("epsilon_high", None, like="clip-low", only_if=_reused, within=(0.05, 0.5, False)),
        "group": Concept("num_generations", 8, "int"),
        "answers": Concept("per_device_train_batch_size", 8, "int"),
        "updates": Concept("num_iterations", 1, "int"),
        "length": Concept("max_completion_length", 256, "int"),
        "entropy": Concept("entropy_coef", 0.0),
        "clip-grad": Concept("max_grad_norm", 1.0, within=(0.05, 10.0, True)),
        "weight-decay": Concept("weight_decay", 0.0, within=(0.0, 0.1, False)),
        "mask-truncated": Concept("mask_truncated_completions", False, "bool"),
    },
    curves={
        "loss": ("loss",),
        "gradient": ("grad_norm",),
        "reward": ("reward",),
        "validation": ("eval_reward", r"eval_rewards/.*mean"),
        "kl": ("kl",),
        "entropy": ("entropy",),
        "length": ("completions/mean_length",),
        "truncation": ("completions/clipped_ratio",),
        "no_spread": ("frac_reward_zero_std",),
    },
    measured_by=("dataset_name", "reward_funcs", "reward_model_name_or_path"),
    protect_keys=(
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty"),  # evaluation samples with the same
        *("eval_*", "*_eval", "dataset_*", "datasets*", "do_eval", "per_device_eval_*", "reward_*"),
        *("multi_objective_*", "output_dir", "seed", "data_seed", "push_to_hub", "hub_*", "report_to"),
        *("resume_from_checkpoint", "run_name", "max_steps", "num_train_epochs"),
    ),
)
