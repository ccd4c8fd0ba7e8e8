"""The environment of a run beside its Python: variables, logins, and what NeMo-RL refuses before a run's first step.

A recipe's test script under `tests/test_suites` says how its maintainers run it. Its exports are taken over, for some
recipes do not start without them; what it takes from variables of theirs is named.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from autoresearch.experiment.recipe_rules import refused_at_start
from autoresearch.ports.target import RunRequest
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.nemo_rl.cost import test_script
from autoresearch.targets.nemo_rl.facts import facts
from autoresearch.targets.recipe.recipe import Recipe

_GATED = ("meta-llama/", "google/gemma", "mistralai/", "CohereLabs/", "bigcode/")
"""Where names of models begin that the hub gives only to accounts which accepted their terms; of those in recipes."""


def cautions(recipe: Recipe, command: Sequence[str], *, image: bool) -> tuple[str, ...]:
    """What a person should know before a run is paid for, a sentence each.

    Args:
        recipe: The composed recipe.
        command: The command that a person named; empty for the recipe's own.
        image: Whether runs begin in a container image.
    """
    own = () if image else _environment_caution(recipe, command)
    return (*own, *_script_cautions(recipe), *_login_cautions(recipe, image=image))


def paths(request: RunRequest, *, image: bool) -> dict[str, str]:
    """The worktree first on the path, then the probe, then what was there; in a container that is the image's own."""
    path = [
        str(request.tree),
        str(request.folder / protection.PROBE),
        *filter(None, ["" if image else os.environ.get("PYTHONPATH", "")]),
    ]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "AUTORESEARCH_FOLDER": str(request.folder),
        "AUTORESEARCH_TREE": str(request.tree),
        "AUTORESEARCH_RUN": request.run_id,
    }


def variables(recipe: Recipe, *, image: bool) -> dict[str, str]:
    """What a run's environment gets besides: what the recipe's own test script exports, and W&B's mode.

    Without a key W&B asks for one and ends the run. So where this machine's settings count, in no container, and there
    is none, runs keep their logs on disk, from where `wandb sync` sends them later.
    """
    script = test_script(recipe.root, recipe)
    silent = recipe.get("logger.wandb_enabled") is not True or "WANDB_MODE" in os.environ or image or _key_of_wandb()
    return {**(script.exports if script else {}), **({} if silent else {"WANDB_MODE": "offline"})}


def _script_cautions(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe's test script brings besides, and what NeMo-RL refuses at the start of a run."""
    script = test_script(recipe.root, recipe)
    exports, needs = (script.exports, script.needs) if script else ({}, {})
    known = facts(recipe, {})
    refused = refused_at_start({**known.defaults, **known.values}, known, [*exports, *os.environ])
    taken = ", ".join(f"{name}={value}" for name, value in exports.items())
    needed = ", ".join(f"{key} from ${name}" for key, name in needs.items())
    return (
        *(f"NeMo-RL would refuse every run at its start: {one}" for one in refused),
        *([f"runs get {taken}, which {script.path} sets"] if script and taken else []),
        *([f"{script.path} takes {needed} and does not run without; set it in a copy of the recipe"]
          if script and needed else []),
    )  # fmt: skip


def _key_of_wandb() -> bool:
    netrc = Path.home() / ".netrc"
    try:
        said = netrc.read_text("utf-8", "replace") if netrc.is_file() else ""
    except OSError:
        said = ""
    return bool(os.environ.get("WANDB_API_KEY")) or "api.wandb.ai" in said


def _login_cautions(recipe: Recipe, *, image: bool) -> tuple[str, ...]:
    """Logins that a run needs and that this machine has not, by the names of variables; no value is looked at."""
    mode, model = os.environ.get("WANDB_MODE", ""), str(recipe.get("policy.model_name") or "")
    online = recipe.get("logger.wandb_enabled") is True and mode not in {"offline", "disabled"}
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    token = any(os.environ.get(name) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")) or (home / "token").is_file()
    found = []
    if online and not _key_of_wandb():
        there = "make sure that the container has it, or set WANDB_MODE=offline" if image else "logs are kept offline"
        found.append(f"the recipe logs to W&B and no WANDB_API_KEY is known here: {there}")
    if model.startswith(_GATED) and not token:
        found.append(
            f"{model} may be gated on the hub and no HF_TOKEN is known here: accept its terms and set the token, or "
            "every run ends while it loads the model"
        )
    return tuple(found)


def _environment_caution(recipe: Recipe, command: Sequence[str]) -> tuple[str, ...]:
    if (command and command[0] != "uv") or not (recipe.root / "uv.lock").is_file():
        return ()
    python = protection.environment(recipe.root)
    if python.own or python.no_sync:
        return ()
    caution = (
        "no shared virtual environment was found (.venv in the main checkout, or UV_PROJECT_ENVIRONMENT), so every "
        "experiment would build its own; run `uv sync` once, or set `target: {type: nemo-rl, venv: PATH}`."
    )
    return (caution,)
