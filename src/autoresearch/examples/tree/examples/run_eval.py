"""Evaluates a checkpoint of a run: `python examples/run_eval.py --config RECIPE --checkpoints FOLDER --seed N`.

Recipe, validation problems and rewards are those of the tree that this file lies in; of the run only weights are read.
Random numbers are those of the run's own validation at that step, so that the same weights give the same accuracy.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
from nemo_rl.algorithms.grpo import VALIDATION_STREAM
from nemo_rl.data.arithmetic import load_arithmetic
from nemo_rl.environments.math_environment import MathEnvironment
from nemo_rl.models.policy import Policy
from nemo_rl.utils.config import load_config, register_omegaconf_resolvers
from omegaconf import OmegaConf


def main() -> None:
    """Load the weights, answer the held-out problems, print the share of right answers."""
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint")
    parser.add_argument("--config", required=True, help="Path to YAML config file")
    parser.add_argument("--checkpoints", type=Path, required=True, help="Folder with step_N folders")
    parser.add_argument("--step", default="latest", help="Step of the checkpoint")
    parser.add_argument("--seed", type=int, required=True, help="Seed of the run")
    args = parser.parse_args()
    register_omegaconf_resolvers()
    config = OmegaConf.to_container(load_config(ROOT / args.config), resolve=True)
    steps = [int(path.name[5:]) for path in args.checkpoints.glob("step_*") if path.name[5:].isdigit()]
    step = int(args.step) if args.step.isdigit() else max(steps)
    policy = Policy(config["policy"], config["cluster"]["device_memory_mib"])
    policy.load(args.checkpoints / f"step_{step}" / "policy")
    _, validation = load_arithmetic(config["data"]["train"]["split_validation_size"])
    problems = validation.take(slice(0, config["grpo"]["max_val_samples"]))
    rng = np.random.default_rng([args.seed, VALIDATION_STREAM, step])
    answers = policy.generate(problems, rng, config["policy"]["generation"]["val_temperature"])
    environment = MathEnvironment(config["env"]["math"])
    try:
        rewards = environment.step(problems, answers.tokens)
    finally:
        environment.shutdown()
    key = os.environ.get("AUTORESEARCH_RESULT_KEY", "")
    print(f"{key} accuracy: {rewards.mean():.6f}".strip(), flush=True)


if __name__ == "__main__":
    main()
