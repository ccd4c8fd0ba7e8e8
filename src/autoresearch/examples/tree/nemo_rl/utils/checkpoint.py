"""Checkpoints: `step_N` folders that appear whole or not at all, of which the best few are kept."""

import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict


class CheckpointingConfig(TypedDict):
    """Section `checkpointing` of a recipe."""

    enabled: bool
    checkpoint_dir: str
    metric_name: str | None
    higher_is_better: bool
    keep_top_k: int | None
    save_period: int
    checkpoint_must_save_by: str | None
    save_optimizer: bool


class CheckpointManager:
    """Saves to, prunes and finds what is in `checkpoint_dir`."""

    def __init__(self, config: CheckpointingConfig) -> None:
        metric = config["metric_name"]
        assert metric is None or metric.startswith(("val:", "train:")), (
            f"checkpointing.metric_name={metric!r} must start with 'val:' or 'train:'"
        )
        self.config = config
        self.folder = Path(config["checkpoint_dir"])

    def latest(self) -> Path | None:
        """The checkpoint of the highest step, or None."""
        return max(self._checkpoints(), key=_step_of, default=None)

    def training_info(self, checkpoint: Path) -> dict[str, Any]:
        """What was recorded beside the weights."""
        return json.loads((checkpoint / "training_info.json").read_text())

    def save(
        self,
        step: int,
        info: dict[str, Any],
        metrics: Mapping[str, Mapping[str, float] | None],
        config: str,
        write: Callable[[Path], None],
    ) -> None:
        """Write `step_N` aside, put it in place by a rename, and remove what is not worth keeping.

        Args:
            step: Global step.
            info: Contents of `training_info.json`, to which the metric is added.
            metrics: Metrics of this step under `train` and `val`; None where there was no validation.
            config: The resolved recipe as YAML.
            write: Writes weights and whatever else belongs to the checkpoint into the folder given.

        Raises:
            ValueError: The recipe's metric is none of those there are.
        """
        aside, place = self.folder / f"tmp_step_{step}", self.folder / f"step_{step}"
        for leftover in (aside, place):
            shutil.rmtree(leftover, ignore_errors=True)
        aside.mkdir(parents=True)
        (aside / "training_info.json").write_text(json.dumps(info | self._metric(metrics, step)))
        (aside / "config.yaml").write_text(config)
        write(aside)
        aside.rename(place)
        status = {"last_successful_ckpt_save_completion": time.time(), "last_checkpoint_step": step}
        (self.folder / "latest_checkpoint_status.json").write_text(json.dumps(status))
        self._prune()

    def _metric(self, metrics: Mapping[str, Mapping[str, float] | None], step: int) -> dict[str, float]:
        if (name := self.config["metric_name"]) is None:
            return {}
        part, metric = name.split(":", 1)
        if (found := metrics[part]) is None:
            warnings.warn(f"no {part} metrics at step {step}: the checkpoint is saved without {name}", stacklevel=3)
            return {}
        if metric not in found:
            raise ValueError(f"Metric {metric} not found in {part} metrics")
        return {name: found[metric]}

    def _prune(self) -> None:
        if (keep := self.config["keep_top_k"]) is None:
            return
        newest = self.latest()
        for checkpoint in sorted(self._checkpoints(), key=self._rank, reverse=True)[keep:]:
            if checkpoint != newest:
                print(f"Removing checkpoint {checkpoint} (step {_step_of(checkpoint)})")
                shutil.rmtree(checkpoint)

    def _rank(self, checkpoint: Path) -> tuple[float, int]:
        """Sorts better checkpoints later: by the metric if there is one, then by step."""
        value = self.training_info(checkpoint).get(self.config["metric_name"] or "")
        if value is None or value != value:
            return float("-inf"), _step_of(checkpoint)
        return (value if self.config["higher_is_better"] else -value), _step_of(checkpoint)

    def _checkpoints(self) -> list[Path]:
        return [path for path in self.folder.glob("step_*") if path.name[5:].isdigit()]


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name[5:])
