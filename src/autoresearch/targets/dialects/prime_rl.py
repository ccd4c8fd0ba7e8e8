"""prime-rl: `uv run rl @ rl.toml --trainer.optim.lr 1e-6`.

Read at PrimeIntellect-ai/prime-rl 559b4477: settings and defaults in packages/prime-rl-configs/src/prime_rl/configs;
`metrics.jsonl` of trainer and orchestrator in src/prime_rl/monitors/file.py; names of numbers in
src/prime_rl/orchestrator/metrics.py, trainer/rl/train.py and skills/training/monitor-run. Not run: it needs GPUs.
"""

from collections.abc import Mapping

from autoresearch.ports.dialect import Concept, Dialect


def _default_loss(said: Mapping[str, object]) -> bool:
    """Only this loss has a KL term and a trust region of these names."""
    return said.get("trainer.loss.type", "default") == "default"


DIALECT = Dialect(
    name="prime-rl",
    title="prime-rl",
    read_at="PrimeIntellect-ai/prime-rl at 559b4477",
    spoken=(
        r"(?:^|\s)(?:\S*/)?rl @ \S+\.toml",
        r"(?:^|\s)(?:\S*/)?rl .*--(?:trainer|orchestrator)\b",
        r"-m prime_rl\.entrypoints\.rl\b",
    ),
    algorithms={"grpo": r"rl @|entrypoints\.rl\b|--trainer"},
    place="flag",
    kebab=True,
    forced=(("output_dir", "{folder}/out"),),
    switched_off={
        "resume": "every run would go on from the same checkpoint; take the section out",
        "slurm": "prime-rl would submit a job of its own and end; take the section out and choose a launcher here",
    },
    sources=({"type": "jsonl", "path": "metrics.jsonl"},),
    metrics=(
        (r"eval/.*/effective/[^/]+/avg@\d+", "maximize"),
        (r"eval/.*/all/[^/]+/avg@\d+", "maximize"),
        (r"eval/.*/pass@\d+", "maximize"),
        (r"eval/.*reward/mean", "maximize"),
        (r"train/agg/effective/[^/]+/reward/mean", "maximize"),
        (r"train/agg/.*reward/mean", "maximize"),
    ),
    steps="max_steps",
    gpus=("deployment.num_train_gpus", "deployment.num_infer_gpus"),
    concepts={
        "lr": Concept("trainer.optim.lr", 1e-6, within=(1e-8, 1e-2, True)),
        "kl": Concept("trainer.loss.kl_tau", 1e-3, only_if=_default_loss, within=(0.0, 0.1, False)),
        "clip-low": Concept("trainer.loss.dppo_mask_low", 0.2, only_if=_default_loss, within=(0.05, 0.5, False)),
        "clip-high": Concept("trainer.loss.dppo_mask_high", 0.2, only_if=_default_loss, within=(0.05, 0.5, False)),
        "temperature": Concept("orchestrator.train.sampling.temperature", 1.0, within=(0.6, 1.4, False)),
        "group": Concept("orchestrator.group_size", 1, "int"),
        "answers": Concept("orchestrator.batch_size", None, "int"),
        "length": Concept("orchestrator.train.sampling.max_completion_tokens", None, "int"),
        "clip-grad": Concept("trainer.optim.max_norm", 1.0, within=(0.05, 10.0, True)),
        "weight-decay": Concept("trainer.optim.weight_decay", 0.01, within=(0.0, 0.1, False)),
    },
    curves={
        "loss": ("loss/mean",),
        "gradient": ("optim/grad_norm",),
        "reward": (r"train/agg/effective/[^/]+/reward/mean", r"train/agg/all/[^/]+/reward/mean"),
        "validation": (r"eval/.*/avg@\d+",),
        "entropy": ("entropy/all/mean",),
        "length": ("train/agg/effective/num_output_tokens/mean", r"train/agg/effective/[^/]+/num_output_tokens/mean"),
        "truncation": (r"train/agg/effective/[^/]+/is_truncated/mean", r"train/agg/all/[^/]+/is_truncated/mean"),
        "kl_error": ("mismatch_kl/all/mean",),
        "none_right": (r"train/agg/all/[^/]+/solved_none",),
        "all_right": (r"train/agg/all/[^/]+/solved_all",),
    },
    protect_keys=(
        *("orchestrator.eval*", "orchestrator.train.source*", "output_dir", "run*", "max_steps", "ckpt*", "monitors*"),
        *("resume*", "clean", "dry_run", "slurm*", "deployment*"),
    ),
)
