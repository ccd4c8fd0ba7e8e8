"""One copy of the example repository per test session, and a way to run its trainer."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoresearch.examples.demo_repository import DemoRepository, create
from autoresearch.machine.processes import run


@dataclass(frozen=True)
class Run:
    """What one finished run left behind."""

    code: int
    stdout: str
    stderr: str
    logs: Path
    checkpoints: Path

    @property
    def accuracies(self) -> list[float]:
        """Every validation accuracy printed, in order."""
        return [float(value) for value in re.findall(r"^\s+• Accuracy: (nan|-?[\d.]+)$", self.stdout, re.MULTILINE)]


Train = Callable[..., Run]


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> DemoRepository:
    return create(tmp_path_factory.mktemp("demo") / "repository")


def _argv(repository: DemoRepository, folder: Path, *overrides: str) -> tuple[str, ...]:
    """The command line of a run that writes into `folder`."""
    return (
        *(sys.executable, "examples/run_grpo.py", "--config", str(repository.recipe)),
        *(f"logger.log_dir={folder}/logs", f"checkpointing.checkpoint_dir={folder}/ckpts", *overrides),
    )


def train_in(repository: DemoRepository, folder: Path, *overrides: str) -> Run:
    """Run the trainer to its end; whatever it does is the test's business."""
    argv = _argv(repository, folder, *overrides)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = run(argv, cwd=repository.root, env=environment, check=False, timeout=120)
    return Run(done.code, done.stdout.decode(), done.stderr.decode(), folder / "logs", folder / "ckpts")


@pytest.fixture
def trainer_argv(repository: DemoRepository) -> Callable[..., tuple[str, ...]]:
    return lambda folder, *overrides: _argv(repository, folder, *overrides)


@pytest.fixture
def train(repository: DemoRepository, tmp_path: Path) -> Train:
    return lambda *overrides, into="run": train_in(repository, tmp_path / into, *overrides)


@pytest.fixture(scope="session")
def full_run(repository: DemoRepository, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The recipe with two of its known improvements, plus a validation before the first step."""
    better = ("policy.optimizer.kwargs.lr=1.0e-2", "policy.generation.temperature=1.0")
    return train_in(repository, tmp_path_factory.mktemp("full"), "grpo.val_at_start=true", *better)
