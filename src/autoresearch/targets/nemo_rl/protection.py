"""What measures must not be edited by what is being measured, and what ran must be the commit of the experiment.

What measures, by three nets. Globs of files that are about nothing but measuring; recipe keys, compared resolved, so
that an edit of any file that changes them is seen; and the functions that validate inside files that ideas may well
touch, by fingerprint.

What ran: NeMo-RL runs in a worktree without rebuilding anything. The main checkout's virtual environment is shared
(`UV_PROJECT_ENVIRONMENT`) and `uv run` is told not to touch it (`--no-sync`), because a sync from a worktree re-points
its editable install at that worktree, for every other user of it too; `--frozen` and `--locked` sync as well (seen with
uv 0.13). The worktree comes first on PYTHONPATH instead, which wins over an editable install. Environments of Ray
workers are shared through `NEMO_RL_VENV_DIR`; NeMo-RL uses them as they are when they exist. Only a branch that changes
`pyproject.toml` or `uv.lock` gets environments of its own, inside its worktree, and `NRL_FORCE_REBUILD_VENVS`.

Inside the job a `sitecustomize` on PYTHONPATH writes `provenance.json` at the first `import nemo_rl`: path, commit,
Python, GPUs, driver. `verify` compares it with the experiment.
"""

import ast
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoresearch.guards.scope import matches
from autoresearch.run.integrity import UNPROBED, Finding
from autoresearch.run.job import OWN_CACHES
from autoresearch.run.measurement import Measurement
from autoresearch.run.placement import RunEnvironment
from autoresearch.targets.recipe.recipe import ALGORITHMS, Recipe, jsonable

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

PROBE = ".probe"
"""Folder inside the run folder that holds the `sitecustomize`."""

REPORT = "provenance.json"
"""What the job wrote about itself."""

_DEPENDENCIES = ("pyproject.toml", "uv.lock", ".python-version")


def files() -> tuple[str, ...]:
    """Globs of files that measure."""
    return FILES


def keys() -> tuple[str, ...]:
    """Globs of recipe keys that measure, seed, bound or place a run."""
    exam = ("val_*", "max_val_samples", "stop_at_validation_*", "max_rollout_turns")  # validation has as many turns
    per_algorithm = (*exam, "seed", "max_num_steps", "max_num_epochs")
    return (
        *(f"{algorithm}.{key}" for algorithm in ALGORITHMS if algorithm != "eval" for key in per_algorithm),
        "data.validation",
        "data.validation.**",
        "data.**.split_validation_size",
        "data.val_*",
        "**.seed",
        "env.**",
        "reward_penalties.**",  # validation's rewards are penalised by them too: grpo.py:3897
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


@dataclass(frozen=True)
class Environment:
    """The Python environment of a run.

    Attributes:
        env: Variables for the job.
        no_sync: Whether `uv run` must leave the environment alone.
        own: Whether the branch has an environment of its own, because it changes dependencies.
    """

    env: Mapping[str, str]
    no_sync: bool = False
    own: bool = False


def rebuilt(folder: Path) -> dict[str, str]:
    """Variables with which Ray's workers get environments of their own, built anew: other runs use the shared ones."""
    return {"NEMO_RL_VENV_DIR": str(folder / OWN_CACHES / "venvs"), "NRL_FORCE_REBUILD_VENVS": "true"}


def environment(tree: Path, venv: str = "", *, image: bool = False) -> Environment:
    """Which virtual environment a run in `tree` uses; `venv` names a shared one, else the main checkout's is used.

    In a container image it is the image's own: NeMo-RL's has its project's environment and those of Ray's workers,
    named by `UV_PROJECT_ENVIRONMENT` and `NEMO_RL_VENV_DIR` (docker/Dockerfile at 7ea279abf); ours would hide them.
    """
    if own := _its_own(tree):
        return own
    main = main_checkout(tree)
    if image:
        return Environment({}, no_sync=True)
    named = venv or os.environ.get("UV_PROJECT_ENVIRONMENT", "")
    shared = str(main / named) if named else _existing(main / ".venv")  # uv takes a relative one from the worktree
    workers = os.environ.get("NEMO_RL_VENV_DIR", "") or str(main / "venvs")
    env = {"NEMO_RL_VENV_DIR": workers} if (main / "uv.lock").is_file() else {}
    return Environment({**env, "UV_PROJECT_ENVIRONMENT": shared} if shared else env, no_sync=bool(shared))


def settled(tree: Path, around: RunEnvironment) -> Environment:
    """The Python environment of a run in `tree` where the shared one is known; a branch may still have its own."""
    return _its_own(tree) or Environment(around.python, no_sync=around.shared)


def _its_own(tree: Path) -> Environment | None:
    """Environments inside the worktree, for a branch that changes what is installed."""
    main = main_checkout(tree)
    if main == tree or not changed_dependencies(tree, main):
        return None
    own = {"UV_PROJECT_ENVIRONMENT": str(tree / ".venv"), "NEMO_RL_VENV_DIR": str(tree / "venvs")}
    return Environment({**own, "NRL_FORCE_REBUILD_VENVS": "true"}, own=True)


def changed_dependencies(tree: Path, main: Path) -> tuple[str, ...]:
    """Files that pin dependencies and differ between a worktree and the main checkout."""
    return tuple(name for name in _DEPENDENCIES if _digest(tree / name) != _digest(main / name))


def main_checkout(tree: Path) -> Path:
    """The main checkout that a worktree belongs to; `tree` itself when it is one or is no repository."""
    dot = tree / ".git"
    try:
        gitdir = tree / dot.read_text("utf-8").strip().removeprefix("gitdir: ") if dot.is_file() else None
        common = (gitdir / (gitdir / "commondir").read_text("utf-8").strip()).resolve() if gitdir else None
    except OSError:
        return tree
    return common.parent if common and common.name == ".git" else tree


def place_probe(folder: Path) -> None:
    """Put the `sitecustomize` into the run folder, where every node sees it."""
    probe = folder / PROBE
    probe.mkdir(exist_ok=True)
    source = Path(__file__).with_name("probe.py")
    (probe / "sitecustomize.py").write_bytes(source.read_bytes())


def record(recipe: Recipe, tree: Path, commit: str) -> dict[str, Any]:
    """What is kept per run beside the submission: commit, dependencies, resolved recipe with its overrides."""
    return {
        "commit": commit,
        "recipe": recipe.path,
        "lineage": list(recipe.lineage),
        "overrides": list(recipe.overrides),
        "lock": _digest(tree / "uv.lock"),
        "dependencies": {name: _digest(tree / name) for name in _DEPENDENCIES},
        "resolved": jsonable(recipe.plain),
        "unresolved": recipe.unresolved,
    }


def verify(folder: Path, tree: Path, commit: str) -> str | None:
    """Why the code that ran is not the experiment's, in words; None when it is, or when the job reported nothing.

    A pod may see the worktree under another path than we do; then it says under which.

    Args:
        folder: The run's folder.
        tree: The experiment's worktree.
        commit: The experiment's commit, full hash; empty to leave it unchecked.
    """
    for path in sorted(folder.glob("provenance-mismatch-*.json")):
        return f"the job imported nemo_rl from {_read(path).get('nemo_rl', '?')}, not from {tree}"
    said = _read(folder / REPORT)
    if not said:
        return None
    imported, ran = str(said.get("nemo_rl", "")), str(said.get("commit", ""))
    if not Path(imported).is_relative_to(str(said.get("tree") or tree.resolve())):
        return f"the job imported nemo_rl from {imported or 'an unknown place'}, not from {tree}"
    if commit and ran and ran != commit:
        return f"the job ran commit {ran[:12]}, not {commit[:12]}"
    return None


def has_reported(folder: Path) -> bool:
    """Whether the job said where its code came from."""
    return (folder / REPORT).is_file() or any(folder.glob("provenance-mismatch-*.json"))


def missing_proof(folder: Path) -> str:
    """Why a number cannot be traced to the experiment's commit, in words; empty when the job has said what it ran."""
    if has_reported(folder):
        return ""
    return (
        f"the job never said which nemo_rl it imported (no {REPORT} in {folder}), so nothing proves that this is the "
        "experiment's code: its Python was started without the job's PYTHONPATH, or cannot write there; "
        "`target: {type: nemo-rl, provenance: noted}` takes such numbers with a note"
    )


def unproven(found: Measurement, why: str) -> Measurement:
    """A number of code that nothing says was the experiment's: unverified, for it wrote all the sources."""
    doubted = found.integrity
    if not doubted.contradicted:
        doubted = replace(doubted, finding=Finding.UNVERIFIED, reasons=(*doubted.reasons, f"{UNPROBED}: {why}"))
    return replace(found, note="; ".join(filter(None, (why, found.note))), integrity=doubted)


def _existing(path: Path) -> str:
    return str(path) if path.is_dir() else ""


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
