"""Group relative policy optimization: sample groups of answers, verify them, reinforce what beat its group."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from nemo_rl.algorithms.advantage import AdvantageConfig, baseline_shares, group_advantages
from nemo_rl.algorithms.loss_functions import ClippedPGLoss
from nemo_rl.algorithms.report import print_step, print_validation
from nemo_rl.data.arithmetic import Problems
from nemo_rl.data.dataloader import PrefetchDataLoader
from nemo_rl.data.tokenizer import decode
from nemo_rl.environments.math_environment import MathEnvironment
from nemo_rl.models.optimizer import schedule_factor
from nemo_rl.models.policy import Answers, Policy
from nemo_rl.utils.checkpoint import CheckpointManager
from nemo_rl.utils.logger import Logger
from nemo_rl.utils.timer import TimeoutChecker, Timer

TRAINING_STREAM, SHUFFLE_STREAM, VALIDATION_STREAM = range(3)
"""Independent sources of randomness of a run, each keyed by `grpo.seed` and the step or epoch."""


class GRPOConfig(TypedDict):
    """Section `grpo` of a recipe."""

    num_prompts_per_step: int
    num_generations_per_prompt: int
    max_num_epochs: int
    max_num_steps: int
    val_period: int
    val_at_start: bool
    val_at_end: bool
    max_val_samples: int
    val_batch_size: int
    seed: int
    adv_estimator: AdvantageConfig


@dataclass
class Progress:
    """Where a run stands; this is what `training_info.json` records and a resumed run continues from."""

    consumed_samples: int = 0
    current_step: int = 0
    current_epoch: int = 0
    total_steps: int = 0
    total_valid_tokens: float = 0.0
    val_reward: float | None = None


@dataclass
class Trainer:
    """Everything a run needs, put together by `examples/run_grpo.py`."""

    config: dict[str, Any]
    config_text: str
    policy: Policy
    loss_fn: ClippedPGLoss
    environment: MathEnvironment
    training: Problems
    validation: Problems
    logger: Logger
    checkpoints: CheckpointManager
    progress: Progress = field(default_factory=Progress)
    _out_of_time: bool = False

    @property
    def grpo(self) -> GRPOConfig:
        """Section `grpo` of the recipe."""
        return self.config["grpo"]

    def run(self) -> None:
        """Train until the steps, the epochs or the time are used up."""
        self._resume()
        if self.grpo["val_at_start"] and self.progress.total_steps == 0:
            print("\n🔍 Running initial validation...")
            validate(self)
        clock = TimeoutChecker(self.config["checkpointing"]["checkpoint_must_save_by"])
        while self.progress.current_epoch < self.grpo["max_num_epochs"]:
            if self._run_epoch(clock):
                return
            self.progress.current_epoch += 1
            self.progress.current_step = 0

    def rng(self, stream: int, index: int) -> np.random.Generator:
        """Random numbers of one step or epoch, the same whether or not the run was interrupted before it."""
        return np.random.default_rng([self.grpo["seed"], stream, index])

    def _run_epoch(self, clock: TimeoutChecker) -> bool:
        """One pass over the data; returns whether the run is over."""
        progress, loader = self.progress, self._loader()
        print(f"\n{'=' * 25} Epoch {progress.current_epoch + 1}/{self.grpo['max_num_epochs']} {'=' * 25}")
        steps = min(len(loader), self.grpo["max_num_steps"])
        for batch in loader:
            print(f"\n{'=' * 25} Step {progress.current_step + 1}/{steps} {'=' * 25}")
            finished = progress.total_steps + 1 >= self.grpo["max_num_steps"]
            finished |= progress.current_step + 1 == len(loader) and (
                progress.current_epoch + 1 == self.grpo["max_num_epochs"]
            )
            self._run_step(batch, clock, finished=finished)
            if self._out_of_time:
                print("Timeout has been reached, stopping training early")
                return True
            if progress.total_steps >= self.grpo["max_num_steps"]:
                print("Max number of steps has been reached, stopping training early")
                return True
        return False

    def _run_step(self, prompts: Problems, clock: TimeoutChecker, *, finished: bool) -> None:
        """One step: generate, verify, train, and where due validate and save."""
        timer, progress = Timer(), self.progress
        with timer.time("total_step_time"):
            metrics = self._train_step(prompts, timer)
            progress.current_step += 1
            progress.total_steps += 1
            progress.consumed_samples += len(prompts)
            progress.total_valid_tokens += metrics["global_valid_toks"]
            self._out_of_time = clock.must_stop()
            last = finished or self._out_of_time
            validation = validate(self) if self._validation_is_due() or (finished and self.grpo["val_at_end"]) else None
            if validation is not None:
                progress.val_reward = validation["accuracy"]
            checkpointing = self.config["checkpointing"]
            if checkpointing["enabled"] and (last or progress.total_steps % checkpointing["save_period"] == 0):
                with timer.time("checkpointing"):
                    self._save(metrics, validation)
        print_step(metrics, timer.seconds)
        self.logger.log_metrics(metrics, progress.total_steps, "train")
        self.logger.log_metrics(timer.seconds, progress.total_steps, "timing/train")

    def _train_step(self, prompts: Problems, timer: Timer) -> dict[str, float]:
        """Generate groups of answers, verify them and update the policy; returns the step's metrics."""
        generations = self.grpo["num_generations_per_prompt"]
        print("▶ Preparing batch...")
        problems = prompts.repeat(generations)
        print(f"▶ Generating responses for batch of size {len(problems)}...")
        with timer.time("generation"):
            rng = self.rng(TRAINING_STREAM, self.progress.total_steps)
            answers = self.policy.generate(problems, rng, self.config["policy"]["generation"]["temperature"])
        print("▶ Processing rewards...,")
        with timer.time("reward_calculation"):
            rewards = self.environment.step(problems, answers.tokens)
        print("▶ Computing advantages...")
        with timer.time("advantage_calculation"):
            grouped = rewards.reshape(-1, generations)
            advantages = group_advantages(grouped, self.grpo["adv_estimator"]).ravel()
        print("▶ Computing logprobs...")
        with timer.time("policy_and_reference_logprobs"):
            previous = self.policy.logprobs(problems, answers)
            reference = self.policy.logprobs(problems, answers, of_reference=True)
        print("▶ Training policy...")
        with timer.time("policy_training"):
            lr = self.policy.optimizer.base_lr * schedule_factor(
                self.config["policy"]["scheduler"], self.progress.total_steps
            )
            metrics = self.policy.train(problems, answers, previous, reference, advantages, self.loss_fn, lr)
        metrics |= {"lr": lr, "reward": float(rewards.mean()), "advantages/mean": float(advantages.mean())}
        return metrics | baseline_shares(grouped) | _generation_metrics(answers, previous)

    def _loader(self) -> PrefetchDataLoader:
        data, progress = self.config["data"], self.progress
        order = np.arange(len(self.training))
        if data["shuffle"]:
            order = self.rng(SHUFFLE_STREAM, progress.current_epoch).permutation(order)
        loader = PrefetchDataLoader(
            self.training, self.grpo["num_prompts_per_step"], order, data["num_workers"], data["prefetch_factor"]
        )
        loader.skip(progress.current_step)
        return loader

    def _validation_is_due(self) -> bool:
        every = self.grpo["val_period"]
        return every > 0 and self.progress.total_steps % every == 0

    def _save(self, metrics: dict[str, float], validation: dict[str, float] | None) -> None:
        step = self.progress.total_steps
        print(f"Saving checkpoint for step {step}...")
        save_optimizer = self.config["checkpointing"]["save_optimizer"]
        self.checkpoints.save(
            step,
            dict(vars(self.progress)),
            {"train": metrics, "val": validation},
            self.config_text,
            lambda folder: self.policy.save(folder / "policy", save_optimizer=save_optimizer),
        )

    def _resume(self) -> None:
        if (checkpoint := self.checkpoints.latest()) is None:
            return
        print(f"Resuming from {checkpoint}")
        info = self.checkpoints.training_info(checkpoint)
        self.progress = Progress(**{name: info[name] for name in vars(Progress())})
        self.policy.load(checkpoint / "policy")


def validate(trainer: Trainer) -> dict[str, float]:
    """Answer the held-out problems at the validation temperature, and log how many answers are right."""
    step, timer = trainer.progress.total_steps, Timer()
    print(f"▶ Starting validation at step {step}...")
    with timer.time("total_validation_time"):
        problems = trainer.validation.take(slice(0, trainer.grpo["max_val_samples"]))
        temperature = trainer.config["policy"]["generation"]["val_temperature"]
        answers = trainer.policy.generate(problems, trainer.rng(VALIDATION_STREAM, step), temperature)
        rewards = trainer.environment.step(problems, answers.tokens)
    metrics = {"accuracy": float(rewards.mean()), "avg_length": float(answers.lengths.mean())}
    print_validation(metrics, len(problems), timer.seconds["total_validation_time"])
    samples = _transcripts(trainer.environment, problems, answers, rewards)
    trainer.logger.log_samples(samples, f"val_data_step{step}.jsonl")
    trainer.logger.log_metrics(metrics, step, "validation")
    trainer.logger.log_metrics(timer.seconds, step, "timing/validation")
    return metrics


def _transcripts(
    environment: MathEnvironment, problems: Problems, answers: Answers, rewards: np.ndarray
) -> list[dict[str, Any]]:
    return [
        {
            "content": [
                [
                    {"role": "user", "content": problems.question(row)},
                    {"role": "assistant", "content": decode(answers.tokens[row].tolist())},
                    {"role": "environment", "content": environment.feedback(rewards[row])},
                ]
            ],
            "rewards": [float(rewards[row])],
        }
        for row in range(len(problems))
    ]


def _generation_metrics(answers: Answers, previous: np.ndarray) -> dict[str, float]:
    """Lengths, and how far the generation engine's log probabilities are from the trainer's."""
    valid = answers.mask > 0
    difference = (previous - answers.logprobs)[valid]
    return {
        "token_mult_prob_error": float(np.mean(np.exp(np.abs(difference)))),
        "gen_kl_error": float(np.mean(np.exp(difference) - difference - 1)),
        "truncation_rate": float(answers.truncated.mean()),
        "mean_gen_tokens_per_sample": float(answers.lengths.mean()),
        "max_gen_tokens_per_sample": float(answers.lengths.max()),
        "global_valid_toks": float(valid.sum()),
        "global_valid_seqs": float(len(answers.mask)),
    }
