"""Trains a recipe with GRPO: `python examples/run_grpo.py --config RECIPE [override ...]`."""

import argparse
import os
import pprint
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nemo_rl.algorithms.grpo import Trainer
from nemo_rl.algorithms.loss_functions import ClippedPGLoss
from nemo_rl.data.arithmetic import load_arithmetic
from nemo_rl.environments.math_environment import MathEnvironment
from nemo_rl.models.policy import Policy
from nemo_rl.utils.checkpoint import CheckpointManager
from nemo_rl.utils.config import load_config, parse_hydra_overrides, register_omegaconf_resolvers
from nemo_rl.utils.logger import Logger, get_next_experiment_dir
from omegaconf import OmegaConf


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """The recipe, and everything else as overrides."""
    parser = argparse.ArgumentParser(description="Run GRPO training with configuration")
    parser.add_argument("--config", type=str, default=None, help="Path to YAML config file")
    return parser.parse_known_args()


def main() -> None:
    """Read the recipe, set up and train."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)
    register_omegaconf_resolvers()
    args, overrides = parse_args()
    path = args.config or ROOT / "examples" / "configs" / "grpo_tiny.yaml"
    config = load_config(path)
    print(f"Loaded configuration from: {path}")
    if overrides:
        print(f"Overrides: {overrides}")
        config = parse_hydra_overrides(config, overrides)
        print("Applied CLI overrides")
    config = OmegaConf.to_container(config, resolve=True)
    print("Final config:")
    pprint.pprint(config, width=10_000, compact=True, sort_dicts=False)
    trainer = setup(config)
    print("\n🚀 Running synchronous GRPO training")
    try:
        trainer.run()
    finally:
        trainer.environment.shutdown()


def setup(config: dict) -> Trainer:
    """Put the trainer together from a resolved recipe."""
    folder = get_next_experiment_dir(config["logger"]["log_dir"])
    print(f"📊 Using log directory: {folder}")
    if config["checkpointing"]["enabled"]:
        print(f"📊 Using checkpoint directory: {config['checkpointing']['checkpoint_dir']}")
    checkpoints = CheckpointManager(config["checkpointing"])
    logger = Logger(config["logger"], folder)
    training, validation = load_arithmetic(config["data"]["train"]["split_validation_size"])
    print(f"  ✓ Training dataset loaded with {len(training)} samples")
    print(f"  ✓ Validation dataset loaded with {len(validation)} samples")
    return Trainer(
        config=config,
        config_text=OmegaConf.to_yaml(OmegaConf.create(config)),
        policy=Policy(config["policy"], config["cluster"]["device_memory_mib"]),
        loss_fn=ClippedPGLoss(config["loss_fn"]),
        environment=MathEnvironment(config["env"]["math"]),
        training=training,
        validation=validation,
        logger=logger,
        checkpoints=checkpoints,
    )


if __name__ == "__main__":
    main()
