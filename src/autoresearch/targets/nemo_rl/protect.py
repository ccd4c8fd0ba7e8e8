"""What measures, and must therefore not be edited by what is being measured.

Three nets. Globs of files that are about nothing but measuring; recipe keys, compared resolved, so that an edit of any
file that changes them is seen; and the functions that validate inside files that ideas may well touch, by fingerprint.
"""

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from autoresearch.guards.scope import matches
from autoresearch.targets.recipe.recipe import ALGORITHMS

FILES: tuple[str, ...] = (
    "nemo_rl/environments/**",
    "nemo_rl/evals/**",
    "nemo_rl/data/**",
    "nemo_rl/algorithms/reward_functions.py",
    "nemo_rl/algorithms/metric_utils.py",
    "nemo_rl/algorithms/report.py",
    "nemo_rl/experience/rollouts.py",
    "nemo_rl/utils/config.py",
    "nemo_rl/utils/logger.py",
    "nemo_rl/utils/checkpoint.py",
    "nemo_rl/utils/timer.py",
    "examples/run_*.py",
    "examples/nemo_gym/*.py",
    "examples/configs/evals/**",
    "tests/**",
    "3rdparty/**",
    "**/sitecustomize.py",
    "**/usercustomize.py",
    "**/*.pth",
)
"""Rewards and environments, data, metrics, logging, entry points, and what Python would run before any of them."""

CODE = "code"
"""First step of the pseudo-keys that stand for measuring functions, `code.<file>:<function>`."""

INJECTED: tuple[str, ...] = ("logger.**", "checkpointing.checkpoint_dir", "checkpointing.checkpoint_must_save_by")
"""Keys that are set per run."""

_MEASURING = re.compile(r"^(?:async )?def (\w*validat\w*)\(", re.MULTILINE)


def files() -> tuple[str, ...]:
    """Globs of files that measure."""
    return FILES


def keys() -> tuple[str, ...]:
    """Globs of recipe keys that measure, seed, bound or place a run."""
    per_algorithm = ("val_*", "max_val_samples", "seed", "stop_at_validation_*", "max_num_steps", "max_num_epochs")
    return (
        *(f"{algorithm}.{key}" for algorithm in ALGORITHMS if algorithm != "eval" for key in per_algorithm),
        "data.validation",
        "data.validation.**",
        "data.**.split_validation_size",
        "data.val_*",
        "**.seed",
        "env.**",
        "eval.**",
        "policy.generation.val_*",
        "checkpointing.metric_name",
        "checkpointing.higher_is_better",
        *INJECTED,
        "cluster.num_nodes",
        "cluster.gpus_per_node",
        f"{CODE}.**",
    )


def protected(key: str) -> str | None:
    """The glob that protects a recipe key, or None."""
    globs = keys()
    found = matches(key.replace(".", "/"), tuple(glob.replace(".", "/") for glob in globs))
    return None if found is None else next(glob for glob in globs if glob.replace(".", "/") == found)


def measuring_code(tree: Path) -> dict[str, str]:
    """A fingerprint of every function that validates, by pseudo-key.

    Training loops and validation share files upstream (`nemo_rl/algorithms/grpo.py` holds both), so a glob cannot
    protect one and leave the other. Comments and layout do not count. What such a function calls is not followed.
    """
    found = {}
    for file in sorted((tree / "nemo_rl" / "algorithms").glob("*.py")):
        name = file.relative_to(tree).as_posix()
        for function, digest in _functions(file.read_text("utf-8", "replace")).items():
            found[f"{CODE}.{name}:{function}"] = digest
    return found


@lru_cache(maxsize=512)
def _functions(text: str) -> Mapping[str, str]:
    if not _MEASURING.search(text):
        return {}
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {"unreadable": sha256(text.encode("utf-8", "replace")).hexdigest()[:16]}
    return {
        node.name: sha256(ast.dump(node).encode()).hexdigest()[:16]
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "validat" in node.name
    }
