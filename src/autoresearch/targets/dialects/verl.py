"""verl: `python -m verl.trainer.main_ppo key=value ...`, alone or in a shell script that ends with `$@`.

Read at volcengine/verl b178a3cd: settings and their defaults in verl/trainer/config/_generated_ppo_trainer.yaml; the
file and TensorBoard loggers in verl/utils/tracking.py; the printed line in verl/utils/logger/aggregate_logger.py; names
of numbers in verl/trainer/ppo/metric_utils.py and ray_trainer.py (`_val_metrics_update`). Not run: it needs GPUs.
"""

from collections.abc import Mapping

from autoresearch.ports.dialect import Concept, Dialect, PrintedLine, number

NUMBER = r"(?:np\.\w+\()?([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))\)?"
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
LOGGED = r"(?:data/)?"
"""Before a name in the lines of the file logger, which holds numbers under `data`."""


def _penalised(said: Mapping[str, object]) -> bool:
    return said.get(f"{ACTOR}.use_kl_loss") is True


def _reused(said: Mapping[str, object]) -> bool:
    """Whether answers serve more than one update: only then is a policy ratio another than one, and can be clipped."""
    whole, part = number(said, "data.train_batch_size", 1024), number(said, f"{ACTOR}.ppo_mini_batch_size", 256)
    return number(said, f"{ACTOR}.ppo_epochs", 1) > 1 or part < whole


DIALECT = Dialect(
    name="verl",
    title="verl",
    read_at="volcengine/verl at b178a3cd",
    spoken=(r"-m verl\.trainer\.main_ppo\b", r"-m recipe\.\w+\.main_\w+"),
    algorithms={
        "grpo": r"adv_estimator=['\"]?grpo\b",
        "ppo": r"algorithm\.adv_estimator=gae\b",
        "rloo": r"algorithm\.adv_estimator=rloo\b",
    },
    place="argument",
    hands_on=r"\$@|\$\{@|\$\*",
    forced=(
        ("trainer.default_local_dir", '"{folder}/checkpoints"'),
        ("trainer.resume_mode", "disable"),
        ("++data.seed", "{seed}"),
        (f"++{ACTOR}.data_loader_seed", "{seed}"),
    ),
    joined={"trainer.logger": "file"},
    env={"VERL_FILE_LOGGER_PATH": "{folder}/metrics.jsonl"},
    sources=({"type": "jsonl", "path": "metrics.jsonl"}, {"type": "tensorboard"}),
    printed=PrintedLine(
        name=r"(?<= - )([A-Za-z][\w/.@-]*):" + NUMBER + r"(?= - |\s*$)",
        value=r"(?<= - ){name}:" + NUMBER + r"(?= - |\s*$)",
        step=r"\bstep:(\d+) - ",
    ),
    metrics=(
        (LOGGED + r"val-core/.*/acc/mean@\d+", "maximize"),
        (LOGGED + r"val-core/.*/reward/mean@\d+", "maximize"),
        (LOGGED + r"val-core/.*/mean@\d+", "maximize"),
        (LOGGED + r"val-core/.*/(?:maj|best)@\d+/mean", "maximize"),
        (LOGGED + r"val/test_score/.*", "maximize"),
        (LOGGED + r"critic/score/mean", "maximize"),
        (LOGGED + r"critic/rewards/mean", "maximize"),
    ),
    steps="trainer.total_training_steps",
    gpus=("trainer.n_gpus_per_node",),
    nodes="trainer.nnodes",
    concepts={
        "lr": Concept(f"{ACTOR}.optim.lr", 1e-6, within=(1e-8, 1e-2, True)),
        "kl": Concept(f"{ACTOR}.kl_loss_coef", 0.001, only_if=_penalised, within=(0.0, 0.1, False)),
        "clip-low": Concept(f"{ACTOR}.clip_ratio_low", 0.2, only_if=_reused, within=(0.05, 0.5, False)),
        "clip-high": Concept(f"{ACTOR}.clip_ratio_high", 0.2, only_if=_reused, within=(0.05, 0.5, False)),
        "temperature": Concept(f"{ROLLOUT}.temperature", 1.0, within=(0.6, 1.4, False)),
        "group": Concept(f"{ROLLOUT}.n", 1, "int"),
        "updates": Concept(f"{ACTOR}.ppo_epochs", 1, "int"),
        "entropy": Concept(f"{ACTOR}.entropy_coeff", 0.0),
        "length": Concept("data.max_response_length", 512, "int"),
        "clip-grad": Concept(f"{ACTOR}.grad_clip", 1.0, within=(0.05, 10.0, True)),
        "weight-decay": Concept(f"{ACTOR}.optim.weight_decay", 0.01, within=(0.0, 0.1, False)),
    },
    curves={
        "loss": (LOGGED + "actor/pg_loss",),
        "gradient": (LOGGED + "actor/grad_norm",),
        "reward": (LOGGED + "critic/score/mean", LOGGED + "critic/rewards/mean"),
        "validation": (LOGGED + r"val-core/.*/mean@\d+",),
        "kl": (LOGGED + "actor/kl_loss", LOGGED + "actor/reward_kl_penalty", LOGGED + "actor/ppo_kl"),
        "entropy": (LOGGED + "actor/entropy",),
        "length": (LOGGED + "response_length/mean",),
        "truncation": (LOGGED + "response_length/clip_ratio",),
    },
    measured_by=("data.val_files", "custom_reward_function.path", "reward_model.reward_manager"),
    protect=("verl/utils/reward_score/**", "verl/trainer/ppo/reward.py", "verl/workers/reward_manager/**"),
    protect_keys=(
        *("data.val_*", "data.train_files", "data.seed", f"{ROLLOUT}.val_kwargs*", "custom_reward_function*"),
        *("reward_model*", "trainer.test_freq", "trainer.val_*", "trainer.logger", "trainer.default_*"),
        *("trainer.resume_*", "trainer.total_*", "trainer.project_name", "trainer.experiment_name"),
    ),
)
