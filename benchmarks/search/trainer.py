"""The demo's GRPO trainer in this process, for runs that no campaign makes: same code and numbers, less start-up."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoresearch.examples import DemoRepository, create

QUIET = ("checkpointing.enabled=false", "logger.tensorboard_enabled=false", "logger.monitor_gpus=false")


STEPS = 100
"""Of one run; the demo's own recipe has 200."""


def repository(folder: Path) -> DemoRepository:
    """The demo's repository with runs of fewer steps, committed, so that many of them fit into minutes."""
    made = create(folder)
    recipe = made.root / made.recipe
    text = recipe.read_text()
    if text.count("max_num_steps: 200") != 1:
        raise SystemExit(f"{made.recipe} no longer says max_num_steps: 200")
    recipe.write_text(text.replace("max_num_steps: 200", f"max_num_steps: {STEPS}"))
    subprocess.run(("git", "commit", "-q", "--no-verify", "-a", "-m", "Shorter runs"), cwd=made.root, check=True)
    return made


class Trainer:
    """Trains recipes of the demo's repository.

    Args:
        repository: A fresh copy of the demo's repository; its code is the one that runs.
        logs: A folder for the trainer's logs.
    """

    def __init__(self, repository: DemoRepository, logs: Path) -> None:
        if "numpy" in sys.modules:
            raise SystemExit("numpy was loaded before its threads were limited to one, without which a run takes long")
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        sys.path.insert(0, str(repository.root / "examples"))
        import run_grpo  # noqa: PLC0415 - comes with the repository that was just made

        run_grpo.register_omegaconf_resolvers()
        self._module, self._logs, self.recipe = run_grpo, logs, repository.root / repository.recipe

    def accuracy(self, recipe: Path, seed: int, overrides: Sequence[str] = ()) -> float:
        """Final validation accuracy of one run."""
        own = (*QUIET, f"logger.log_dir={self._logs}", f"grpo.seed={seed}")
        with contextlib.redirect_stdout(io.StringIO()):
            trainer = self._module.setup(self.config(recipe, (*overrides, *own)))
            trainer.run()
            trainer.environment.shutdown()
        return float(trainer.progress.val_reward)

    def config(self, recipe: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
        """A recipe with its parents, overrides applied, everything resolved."""
        loaded = self._module.parse_hydra_overrides(self._module.load_config(recipe), list(overrides))
        resolved: dict[str, Any] = self._module.OmegaConf.to_container(loaded, resolve=True)
        return resolved

    def changes(self, recipe: Path, overrides: Sequence[str] = ()) -> dict[str, object]:
        """What a recipe has otherwise than the untouched one, by dotted key."""
        before, after = _flat(self.config(self.recipe)), _flat(self.config(recipe, overrides))
        return {key: value for key, value in after.items() if before.get(key) != value}


def check_command(trainer: Trainer, repository: DemoRepository, place: Path, seed: int) -> None:
    """Fail unless the command that a campaign runs gives the very number that this process gives."""
    words = (f"logger.log_dir={place}/logs", f"checkpointing.checkpoint_dir={place}/ckpts", f"grpo.seed={seed}")
    argv = (sys.executable, "examples/run_grpo.py", "--config", str(repository.recipe), *words)
    subprocess.run(argv, cwd=repository.root, check=True, stdout=subprocess.DEVNULL)
    newest = max(place.glob("ckpts/step_*"), key=lambda path: int(path.name[5:])) / "training_info.json"
    told = trainer.config(newest)["val:accuracy"]
    here = trainer.accuracy(trainer.recipe, seed)
    if told != here:
        raise SystemExit(f"seed {seed}: the command gives {told}, this process {here}; nothing below would compare")


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found
