"""Measures what each knob of the embedded example does to its validation accuracy.

Every run is the command a campaign would run, in a repository of its own, with its own seed; the accuracy is the one in
the last checkpoint's `training_info.json`. Prints a Markdown table: mean, standard deviation between seeds, difference
from the shipped recipe with its standard error, and seconds per run.

    python benchmarks/demo_knobs.py [--seeds 12] [--baseline-seeds 24] [--jobs 1] [name ...]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from autoresearch.examples.demo_repository import DemoRepository, create
from autoresearch.machine.processes import run

LR, KL = "policy.optimizer.kwargs.lr", "loss_fn.reference_policy_kl_penalty"
TEMPERATURE, GENERATIONS = "policy.generation.temperature", "grpo.num_generations_per_prompt"
BEST = (f"{LR}=1.0e-2", f"{TEMPERATURE}=1.0", f"{KL}=0.01")
KNOBS: dict[str, tuple[str, ...]] = {
    "lr": (f"{LR}=1.0e-2",),
    "temperature": (f"{TEMPERATURE}=1.0",),
    "kl": (f"{KL}=0.01",),
    "generations": (f"{GENERATIONS}=8",),
    "lr+temperature": (f"{LR}=1.0e-2", f"{TEMPERATURE}=1.0"),
    "lr+temperature+kl": BEST,
    "lr+temperature+kl+generations": (*BEST, f"{GENERATIONS}=8"),
    "no-warmup": ("policy.scheduler=null",),
    "dual-clip": ("loss_fn.ratio_clip_c=3.0",),
    "no-shuffle": ("data.shuffle=false",),
    "micro-batch": ("policy.train_micro_batch_size=32",),
    "no-leave-one-out": ("grpo.use_leave_one_out_baseline=false",),
    "no-normalize": ("grpo.normalize_rewards=false",),
    "half-precision": ("policy.precision=float16",),
}


@dataclass(frozen=True)
class Sample:
    """Final validation accuracies, and seconds, one per seed."""

    values: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        return statistics.stdev(self.values)

    def row(self, name: str, overrides: tuple[str, ...], baseline: "Sample") -> str:
        error = (self.deviation**2 / len(self.values) + baseline.deviation**2 / len(baseline.values)) ** 0.5
        effect = "" if self is baseline else f"{self.mean - baseline.mean:+.3f} ± {error:.3f}"
        shown = " ".join(f"`{override}`" for override in overrides) or "as shipped"
        level = f"{len(self.values)} | {self.mean:.3f} | {self.deviation:.3f}"
        return f"| {name} | {shown} | {level} | {effect} | {statistics.median(self.seconds):.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--baseline-seeds", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", nargs="*", choices=[[], *KNOBS], default=[])
    asked = parser.parse_args()
    print("| knob | overrides | seeds | mean | sd | effect ± se | s/run |\n| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.jobs) as pool:
        repository = create(Path(folder) / "repository")
        baseline = measure(pool, repository, Path(folder), asked.baseline_seeds)
        print(baseline.row("baseline", (), baseline), flush=True)
        for name in asked.names or KNOBS:
            sample = measure(pool, repository, Path(folder), asked.seeds, *KNOBS[name])
            print(sample.row(name, KNOBS[name], baseline), flush=True)


def measure(pool: ThreadPoolExecutor, repository: DemoRepository, folder: Path, seeds: int, *overrides: str) -> Sample:
    runs = list(pool.map(lambda seed: train(repository, folder, seed, overrides), range(1000, 1000 + seeds)))
    return Sample(tuple(value for value, _ in runs), tuple(seconds for _, seconds in runs))


def train(repository: DemoRepository, folder: Path, seed: int, overrides: tuple[str, ...]) -> tuple[float, float]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        argv = (sys.executable, "examples/run_grpo.py", "--config", str(repository.recipe), *overrides)
        own = (f"logger.log_dir={place}/logs", f"checkpointing.checkpoint_dir={place}/ckpts", f"grpo.seed={seed}")
        run((*argv, *own), cwd=repository.root, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
        newest = max(Path(place).glob("ckpts/step_*"), key=lambda path: int(path.name[5:]))
        value = json.loads((newest / "training_info.json").read_text())["val:accuracy"]
    return value, time.monotonic() - began


if __name__ == "__main__":
    main()
