"""Code that gets hold of what measures is told from code that trains, by what its changed statements do."""

import sys
from dataclasses import replace
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
    ("def f(t):", "    t.logger.log_metrics({}, 3, 'validation', 'train/step')"), ("f.__defaults__ = (1.0,)",),
    ("def f(t, p):", "    t.logger.log_metrics({}, 3, p, step_metric='train/step')"),
    ("def f(t, more):", "    t.logger.log_metrics({}, 'train', **more)"), ("class A:", "    x = B.__class__"),
    ("def f(t, p):", "    t.logger.log_metrics({}, 3, *p, 'train')"), ("thing.__class__ = Other",),
    ("import sys", "place = sys.modules['nemo_rl.utils.' + 'logger']"), ("from sys import modules", "m = modules['x']"),
    ("def f(m):", "    m.Logger = Fake"), ("def f(self):", "    self.log_metrics = quiet"),
    ("def f(t):", "    tell = t.logger.log_metrics"), ("def f(t):", "    getattr(t.logger, 'log_' + 'metrics')(1)"),
    ("def f(t):", "    getattr(t, 'log_metrics')(1)"), ("import operator", "operator.methodcaller('log')(t)"),
    ("class Quiet:", "    def mute(self, x): setattr(self, x, None)", "Quiet.mute(t.logger, 'log_metrics')"),
    ("def f(t):", "    t.logger.log_metrics({}, 1, 'train')", "    t.logger.backends[0] = mine"),
    ("def f(t):", "    t.logger.log_metrics({}, 1, 'train')", "    other = t.logger"),
    ("def f(t):", "    type(t).__init__ = g"), ("locals()['x'] = 1",), ("import pkgutil",), ("import pickle",),
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
    ("def f(t, m, n):", "    t.logger.log_metrics(m, n + 1, prefix='train')", "    m['kl'] = 0.1"),
    ("def f(t, m, n):", "    t.logger.log_metrics(m, n, prefix='timing/train', step_finished=True)"),
    ("def f(t, rows, n):", "    t.logger.log_lines(rows, f'train_data_step{n}.jsonl')", "    rows['x'] = 1"),
    ("class A:", "    def __init__(self, logger):", "        self.logger = logger", "        self.logger.log_metrics({}, 1, 'train')"),
    ("import torch", "kind = getattr(torch, name)"), ("def f(c): return getattr(c, 'kl', 0.0)",),
    ("class A:", "    def f(self): self.g(1)", "    def g(self, x): return A.f(self)"),
    ("class Worker:", "    def __repr__(self): return self.__class__.__qualname__"),
])  # fmt: skip
def test_training_code_is_not(lines):
    """It may call what is protected, name it in annotations, set what is its own and what frameworks offer."""
    assert not added(POLICY, *lines)


REACHING = [
    "__import__",
    "import_module",
    "__builtins__",
    "exec",
    "globals",
    "settrace",
    "setprofile",
    "_getframe",
    "_current_frames",
    "get_objects",
    "get_referrers",
    "dup2",
    "execv",
    "execve",
    "execvp",
    "execl",
    "execlp",
    "fork",
    "forkpty",
    "__code__",
    "__defaults__",
    "__kwdefaults__",
    "__globals__",
    "__closure__",
    "__dict__",
    "__wrapped__",
    "__class__",
    "__bases__",
    "__subclasses__",
    "__loader__",
    "__spec__",
    "meta_path",
    "path_hooks",
]
MEANS = "importlib imp builtins ctypes inspect unittest mock wrapt atexit tensorboard tensorboardX wandb mlflow trackio swanlab"


@pytest.mark.parametrize("line", [
    *(f"thing.{name} = 1" for name in REACHING), *(f"import {name}" for name in MEANS.split()),
    *(f"{name}(thing)" for name in ("eval", "compile", "vars", "open_code")),
    *(f"{name}(thing, 'a' + 'b', f)" for name in ("setattr", "delattr", "__setattr__", "__delattr__", "__setitem__")),
    *(f"import sys\nsys.{name} = thing" for name in ("stdout", "stderr", "modules", "path")), "open('events.out.tfevents.1')",
])  # fmt: skip
def test_each_name_by_which_code_changes_other_code_is_told(line):
    """Of the language, of its libraries, and of the packages that write what a source of the metric reads."""
    assert added(POLICY, line).startswith(POLICY)


@pytest.mark.parametrize(("name", "is_one"), [
    *((name, True) for name in ("log_x", "_report_x", "record_x", "write_x", "add_x", "print_x", "put_metric", "scalars")),
    *((name, False) for name in ("blog_x", "logs", "adds", "rewrite_x", "train_x")),
])  # fmt: skip
def test_what_tells_a_metric_is_known_by_its_name(name, is_one):
    """Functions of what measures; called by code of training, it is looked at what they are given."""
    files = {"nemo_rl/utils/sink.py": f"def {name}(a, b):\n    pass\n"}
    known = yardsticks(SearchedTree(files=FILES | files.keys()), files, [], "validation/accuracy")
    assert (f"tells {name}" in "; ".join(grips(POLICY, "", f"t.{name}(a, 1)\n", known))) is is_one


def test_what_is_handed_to_the_logger_counts_only_on_its_way_there():
    """A changed figure of the validation is told, one of training is not, nor what the file did before."""
    assert "changes metrics, which is told" in added(GRPO, "    metrics['x'] = 1", behind="answers.lengths.mean())}")
    assert "hands on metrics" in added(GRPO, "    other = metrics", behind="answers.lengths.mean())}")
    assert "hands on metrics" in added(GRPO, "    better(metrics)", behind="answers.lengths.mean())}")
    assert not added(GRPO, "    print(len(metrics), metrics['a'])", behind="answers.lengths.mean())}")
    assert not added(GRPO, "        metrics['kl'] = 0.1", behind="loss_fn, lr)")
    assert not added(GRPO, "            grouped = grouped * 0.5", behind="grouped = rewards.reshape")


def test_what_only_a_later_python_reads_is_read_around_where_the_idea_left_it_alone():
    """Quotes nested in an f-string of the parent hide nothing; a line of the idea's own that cannot be read is told."""
    nested = "def f(a):\n    print(f'{a['x']}')\n"
    assert not grips(POLICY, nested, f"{nested}    return a\n", KNOWN)
    assert "tells log_metrics" in "; ".join(grips(POLICY, nested, f"{nested}    t.log_metrics(a, 1)\n", KNOWN))
    if sys.version_info < (3, 12):
        assert "cannot be read" in "; ".join(grips(POLICY, nested, f"{nested}    print(f'{{a['y']}}')\n", KNOWN))


def test_a_metric_of_training_is_told_by_training_code():
    """Where training's own figure is the metric, who tells it is looked at."""
    known = replace(KNOWN, metric="timing/train/step")
    assert "tells log_metrics" in "; ".join(grips(POLICY, "", "t.log_metrics(m, 1, prefix='timing/train')\n", known))
