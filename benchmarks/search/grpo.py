"""The demo's GRPO trainer with fewer steps, in this process: the same code as in a campaign, with less start-up."""

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tasks import Changes, git, run_here

from autoresearch.examples.demo_repository import create

QUIET = ("checkpointing.enabled=false", "logger.tensorboard_enabled=false", "logger.monitor_gpus=false")
STEPS = 50
"""Of one run; the demo's own recipe has 200."""
LENGTH = ["grpo.num_prompts_per_step", "grpo.num_generations_per_prompt", "grpo.max_num_steps", "grpo.max_num_epochs"]
"""What makes a run longer; barred for every researcher, for runs are what is counted."""


class Grpo:
    """Trains recipes of the demo's repository.

    Args:
        place: A folder for a repository of our own, whose code is the one that runs, and for logs.
    """

    name = "grpo"
    title = f"the demo's GRPO trainer at its own recipe, {STEPS} steps instead of 200"
    metric = "validation accuracy on sums"
    worth = 0.03
    recipe = "examples/configs/recipes/llm/grpo-tiny-1n0g.yaml"
    space: ClassVar[dict[str, Any]] = {
        "policy.optimizer.kwargs.lr": {"type": "float", "low": 1e-4, "high": 3e-2, "log": True},
        "policy.optimizer.kwargs.weight_decay": {"type": "float", "low": 1e-3, "high": 1e-1, "log": True},
        "policy.max_grad_norm": {"type": "float", "low": 0.1, "high": 10.0, "log": True},
        "loss_fn.reference_policy_kl_penalty": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
        "loss_fn.ratio_clip_min": [0.1, 0.4],
        "loss_fn.ratio_clip_max": [0.1, 0.4],
        "policy.generation.temperature": [0.6, 1.2],
    }
    ours: ClassVar[dict[str, Any]] = {
        "search": ({"type": "search"},),
        "playbook and search": ({"type": "playbook", "share": 1}, {"type": "search", "share": 1}),
    }
    settings: ClassVar[dict[str, Any]] = {
        "objective": {"goal": "raise validation accuracy on sums"},
        "target": {"type": "nemo-rl", "minutes": 0.1, "setup_minutes": 0.01},
        "command": (sys.executable, "examples/run_grpo.py"),
        "scope": {"protect_keys": LENGTH},
    }

    def __init__(self, place: Path) -> None:
        self._root, self._logs = self.repository(place / "repository"), place / "logs"
        sys.path.insert(0, str(self._root / "examples"))
        import run_grpo  # noqa: PLC0415 - comes with the repository that was just made

        run_grpo.register_omegaconf_resolvers()
        self._module = run_grpo
        self._untouched = _flat(self._config(self._root / self.recipe))

    def repository(self, root: Path) -> Path:
        """The demo's repository with runs of fewer steps, committed."""
        made = create(root)
        recipe = made.root / made.recipe
        text = recipe.read_text()
        if str(made.recipe) != self.recipe or text.count("max_num_steps: 200") != 1:
            raise SystemExit(f"{made.recipe} is not the recipe of 200 steps that this benchmark knows")
        recipe.write_text(text.replace("max_num_steps: 200", f"max_num_steps: {STEPS}"))
        git(made.root, "commit", "-q", "--no-verify", "-a", "-m", "Shorter runs")
        return made.root

    def value(self, changes: Changes, seed: int) -> float:
        """Final validation accuracy of one run."""
        own = (*_overrides(changes), *QUIET, f"logger.log_dir={self._logs}", f"grpo.seed={seed}")
        with contextlib.redirect_stdout(io.StringIO()):
            trainer = self._module.setup(self._config(self._root / self.recipe, own))
            trainer.run()
            trainer.environment.shutdown()
        return float(trainer.progress.val_reward)

    def changes(self, root: Path) -> Changes:
        """Of the resolved recipe; fails where a branch changed more than recipes, which this process would not see."""
        touched = git(root, "diff", "--name-only", "main").split()
        if any(not path.startswith("examples/configs/") for path in touched):
            raise SystemExit(f"a branch changed {touched}: this benchmark measures recipes only")
        now = _flat(self._config(root / self.recipe))
        found = {key: value for key, value in now.items() if self._untouched.get(key) != value}
        if _flat(self._config(self._root / self.recipe, _overrides(found))) != now:
            raise SystemExit(f"the changes {found} do not make the recipe that is checked out in {root}")
        return found

    def values(self, keys: Sequence[str]) -> dict[str, Any]:
        """Of the resolved recipe."""
        return {key: self._untouched[key] for key in keys}

    def command_value(self, root: Path, seed: int) -> float:
        """What the newest checkpoint says."""
        place = root.with_name("check")
        words = (f"logger.log_dir={place}/logs", f"checkpointing.checkpoint_dir={place}/ckpts", f"grpo.seed={seed}")
        run_here(root, "examples/run_grpo.py", "--config", self.recipe, *words)
        newest = max(place.glob("ckpts/step_*"), key=lambda path: int(path.name[5:]))
        return float(self._config(newest / "training_info.json")["val:accuracy"])

    def _config(self, recipe: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
        """A recipe with its parents, overrides applied, everything resolved."""
        loaded = self._module.parse_hydra_overrides(self._module.load_config(recipe), list(overrides))
        resolved: dict[str, Any] = self._module.OmegaConf.to_container(loaded, resolve=True)
        return resolved


def _overrides(changes: Changes) -> list[str]:
    return [f"{key}={'null' if value is None else value}" for key, value in changes.items()]


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found
