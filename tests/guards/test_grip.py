"""Code that gets hold of what measures is told from code that trains, by what its changed statements do."""

from pathlib import Path

import pytest

from autoresearch.guards.grip import grips, yardsticks
from autoresearch.guards.shadows import SearchedTree

ROOT = Path("src/autoresearch/examples/tree")
FILES = frozenset(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
GUARDED = ("nemo_rl/utils/logger.py", "nemo_rl/algorithms/report.py", "nemo_rl/environments/math_environment.py")
KNOWN = yardsticks(
    SearchedTree(files=FILES, scripts=("examples/run_grpo.py",)),
    {file: (ROOT / file).read_text() for file in GUARDED},
    ["validate"],
    "validation/accuracy",
)
GRPO, POLICY = "nemo_rl/algorithms/grpo.py", "nemo_rl/models/policy.py"


def added(path, *lines: str, behind=""):
    """What lines get hold of at the end of a file, or behind the first line that has these words."""
    old = (ROOT / path).read_text() if path in FILES else ""
    at = old.index("\n", old.index(behind)) + 1 if behind else len(old)
    return "; ".join(grips(path, old, old[:at] + "\n".join(lines) + "\n" + old[at:], KNOWN))


@pytest.mark.parametrize("lines", [
    ("from nemo_rl.utils import logger", "logger.Logger.log_metrics = lambda *a: None"),
    ("from nemo_rl.utils.logger import Logger as L", "true = L.log_metrics"),
    ("import nemo_rl.utils.logger", "wrap(nemo_rl.utils.logger.Logger)"),
    ("from ..utils.logger import Logger", "class Better(Logger): pass"),
    ("from nemo_rl.utils.logger import *",), ("import nemo_rl.algorithms.grpo as g", "g.validate = lambda t: {}"),
    ("import nemo_rl.models.network as n", "n.forward = twice"), ("def f(t):", "    t.logger.log_metrics = quiet"),
    ("def f(self):", "    self.environment.step = easy"), ("import importlib",), ("from unittest import mock",),
    ("__import__('nemo_rl.utils.lo' + 'gger')",), ("setattr(thing, 'log_' + 'metrics', f)",), ("vars(thing)['x'] = f",),
    ("f.__code__ = g.__code__",), ("import atexit",), ("import sys", "sys.stdout = Stream()"), ("exec(text)",),
    ("import sys", "sys.settrace(f)"), ("import ctypes",), ("def f(a):", "    return {'accuracy': a}"),
    ("from torch.utils.tensorboard import SummaryWriter",), ("import os", "os.dup2(3, 1)"), ("def broken(:",),
    ("open(os.environ['AUTORESEARCH_RUN_FOLDER'])",), ("def f(t):", "    t.logger.log_metrics({}, 3, 'validation')"),
])  # fmt: skip
def test_what_can_make_all_sources_agree_is_told(lines):
    """Setting, passing on, inheriting, wrapping it, by any name it is imported by; and the means to do so unseen."""
    assert added(POLICY, *lines).startswith(f"{POLICY}")


@pytest.mark.parametrize("lines", [
    ("import torch", "torch.backends.cuda.matmul.allow_tf32 = True"), ("import os", "os.environ['TF32'] = '1'"),
    ("from nemo_rl.environments.math_environment import MathEnvironment", "env = MathEnvironment(3)"),
    ("from nemo_rl.utils.logger import Logger", "def f(log: Logger): return isinstance(log, Logger)"),
    ("import logging", "logger = logging.getLogger(__name__)", "logger.info('warm')"),
    ("class Warm:", "    def __init__(self): self.step = 0"), ("def f(model): model.eval(); return torch.compile(model)",),
    ("from nemo_rl.models.network import forward", "y = forward(1)"), ("import gc", "gc.collect()"),
])  # fmt: skip
def test_training_code_is_not(lines):
    """It may call what is protected, name it in annotations, set what is its own and what frameworks offer."""
    assert not added(POLICY, *lines)


def test_what_is_handed_to_the_logger_counts_only_on_its_way_there():
    """A changed figure of the validation is told, one of training is not, nor what the file did before."""
    assert "changes metrics, which is told" in added(GRPO, "    metrics['x'] = 1", behind="answers.lengths.mean())}")
    assert not added(GRPO, "        metrics['kl'] = 0.1", behind="loss_fn, lr)")
    assert not added(GRPO, "            grouped = grouped * 0.5", behind="grouped = rewards.reshape")
