"""Where a run leaves its numbers: scalars for TensorBoard, samples as JSON lines."""

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from nemo_rl.utils.tensorboard import EventFileWriter


class LoggerConfig(TypedDict):
    """Section `logger` of a recipe."""

    log_dir: str
    tensorboard_enabled: bool
    wandb_enabled: bool
    monitor_gpus: bool
    gpu_monitoring: dict[str, float]
    num_val_samples_to_print: int


class Logger:
    """Writes metrics of a run into its own `exp_NNN` folder."""

    def __init__(self, config: LoggerConfig, folder: Path) -> None:
        if config["wandb_enabled"]:
            raise ValueError("logger.wandb_enabled needs a network; this trainer only writes TensorBoard files")
        self.folder = folder
        self._began = self._sampled = time.monotonic()
        self._interval = config["gpu_monitoring"]["collection_interval"] if config["monitor_gpus"] else None
        self._events = None
        if config["tensorboard_enabled"]:
            self._events = EventFileWriter(folder / "tensorboard")
            print(f"Initialized TensorboardLogger at {folder / 'tensorboard'}")
        self._sample_memory()

    def log_metrics(self, metrics: Mapping[str, float], step: int, prefix: str) -> None:
        """Record scalars at a global step under `prefix/`."""
        if self._events is None:
            return
        for name, value in metrics.items():
            self._events.add_scalar(f"{prefix}/{name}", value, step)
        if self._interval is not None and time.monotonic() - self._sampled >= self._interval:
            self._sample_memory()
        self._events.flush()

    def log_samples(self, samples: Iterable[Mapping[str, Any]], name: str) -> None:
        """Write one JSON object per line, numbered by `idx`."""
        path = self.folder / name
        with path.open("w", encoding="utf-8") as file:
            for index, sample in enumerate(samples):
                file.write(json.dumps({**sample, "idx": index}) + "\n")
        print(f"Logged data to {path}")

    def _sample_memory(self) -> None:
        """Memory of the host, on an axis of seconds since the start."""
        if self._events is None or self._interval is None:
            return
        self._sampled = time.monotonic()
        page, pages, free = (os.sysconf(f"SC_{name}") for name in ("PAGE_SIZE", "PHYS_PAGES", "AVPHYS_PAGES"))
        seconds = int(self._sampled - self._began)
        self._events.add_scalar("ray/node.0.mem_gb", (pages - free) * page / 2**30, seconds)
        self._events.add_scalar("ray/node.0.mem_total_gb", pages * page / 2**30, seconds)


def get_next_experiment_dir(log_dir: str) -> Path:
    """Make and return the next free `exp_NNN` folder."""
    base = Path(log_dir)
    taken = [int(folder.name[4:]) for folder in base.glob("exp_*") if folder.name[4:].isdigit()]
    folder = base / f"exp_{max(taken, default=0) + 1:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
