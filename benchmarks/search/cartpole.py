"""A cart and a pole, learned by policy gradient: a script of one's own, as the target `command` takes it."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from tasks import Changes, git, run_here

SOURCE = Path(__file__).with_name("cartpole_repository")


class CartPole:
    """The trainer in `cartpole_repository/`, in this process."""

    name = "cartpole"
    title = "a cart and a pole: REINFORCE on a small network, 96 episodes in 12 updates"
    metric = "mean length of 100 episodes after training, in steps, at most 200"
    worth = 20.0
    recipe = ""
    space: ClassVar[dict[str, Any]] = {
        "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True},
        "momentum": [0.0, 0.95],
        "max_grad_norm": {"type": "float", "low": 0.05, "high": 10.0, "log": True},
        "gamma": [0.8, 0.999],
        "entropy": {"type": "float", "low": 1e-4, "high": 0.3, "log": True},
        "init_scale": {"type": "float", "low": 0.1, "high": 4.0, "log": True},
        "baseline": ["none", "mean", "standard"],
    }
    ours: ClassVar[dict[str, Any]] = {"search": ({"type": "search"},)}
    settings: ClassVar[dict[str, Any]] = {
        "objective": {"goal": "balance the pole for longer", "metric": "mean_steps", "direction": "maximize"},
        "target": {"type": "command", "config": "config.json"},
        "command": (sys.executable, "train.py", "{seed}"),
    }

    def __init__(self) -> None:
        found = importlib.util.spec_from_file_location("cartpole_train", SOURCE / "train.py")
        assert found is not None
        assert found.loader is not None
        self._trainer = importlib.util.module_from_spec(found)
        found.loader.exec_module(self._trainer)
        self._config: dict[str, Any] = json.loads((SOURCE / "config.json").read_text())

    def repository(self, root: Path) -> Path:
        """Script and configuration, committed."""
        root.mkdir(parents=True)
        for name in ("train.py", "config.json"):
            shutil.copy(SOURCE / name, root)
        git(root, "init", "-q", "-b", "main")
        git(root, "config", "user.name", "benchmark")
        git(root, "config", "user.email", "benchmark@example.invalid")
        git(root, "add", ".")
        git(root, "commit", "-q", "--no-verify", "-m", "A script that balances a pole")
        return root

    def value(self, changes: Changes, seed: int) -> float:
        """As `train.py` computes it."""
        return float(self._trainer.train({**self._config, **changes}, seed))

    def changes(self, root: Path) -> Changes:
        """Of `config.json`."""
        now = json.loads((root / "config.json").read_text())
        return {key: value for key, value in now.items() if self._config[key] != value}

    def values(self, keys: Sequence[str]) -> dict[str, Any]:
        """Of `config.json`."""
        return {key: self._config[key] for key in keys}

    def command_value(self, root: Path, seed: int) -> float:
        """The last number printed."""
        return float(run_here(root, "train.py", str(seed)).split()[-1])
