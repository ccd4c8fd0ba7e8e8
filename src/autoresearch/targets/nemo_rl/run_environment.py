"""The environment of a run beside its Python: variables, logins, and what NeMo-RL refuses before a run's first step.

A recipe's test script under `tests/test_suites` says how its maintainers run it. Its exports are taken over, for some
recipes do not start without them; what it takes from variables of theirs is named.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from autoresearch.experiment.recipe_rules import refused_at_start
from autoresearch.ports.target import RunRequest
from autoresearch.run.placement import KNOWN, MISSING, RunEnvironment
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.nemo_rl.cost import TestScript, test_script
from autoresearch.targets.nemo_rl.facts import facts
from autoresearch.targets.recipe.recipe import Recipe

_GATED = ("meta-llama/", "google/gemma", "mistralai/", "CohereLabs/", "bigcode/")
"""Where names of models begin that the hub gives only to accounts which accepted their terms; of those in recipes."""


_OURS = re.compile(
    r"logger\.(?:log_dir|wandb\.name|wandb\.project|tensorboard_enabled|monitor_gpus)|\w+\.val_at_end|"
    r"checkpointing\.(?:checkpoint_dir|checkpoint_must_save_by)"
)
"""Keys of a test script that every run of ours is given a value of its own for, or that say where it is logged."""


_AS_COMMITTED = "runs have the recipe as committed, so put what you want of that into a copy of it"


def found(recipe: Recipe, python: protection.Environment, saves: str, *, image: bool) -> RunEnvironment:
    """How runs of a recipe are set up here, as far as target and machine decide it.

    Args:
        recipe: The composed recipe.
        python: Their Python environment.
        saves: What of checkpoints is saved.
        image: Whether runs begin in a container image.
    """
    script = test_script(recipe.root, recipe)
    venv = python.env.get("UV_PROJECT_ENVIRONMENT", "")
    return RunEnvironment(
        python=python.env,
        shared=python.no_sync,
        there=bool(venv) and Path(venv).is_dir(),
        path="" if image else os.environ.get("PYTHONPATH", ""),
        script=script.path if script else "",
        exports=script.exports if script else {},
        left_out=_left_out(recipe, script) if script else {},
        needs=script.needs if script else {},
        tracking=_tracking(recipe, image=image),
        mode={} if _silent(recipe, image=image) else {"WANDB_MODE": "offline"},
        logins=_logins(recipe),
        refused=_refused(recipe, script),
        saves=saves,
    )


def _left_out(recipe: Recipe, script: TestScript) -> dict[str, str]:
    """What a test script changes of its recipe: runs have the recipe as committed, so that they can be compared."""
    found = {}
    for key, value in script.sets.items():
        own = recipe.get(key)
        if _OURS.fullmatch(key) or key in script.needs or str(own).lower() == value.lower():
            continue
        length = key.endswith(".max_num_steps")
        found[key] = f"{value} ({'the length of its test' if length else f'the recipe says {own}'})"
    return found


def _tracking(recipe: Recipe, *, image: bool) -> dict[str, str]:
    if recipe.get("logger.wandb_enabled") is not True:
        return {}
    mode = os.environ.get("WANDB_MODE") or (
        "as the image decides" if image else "online" if _key_of_wandb() else "offline"
    )
    return {"mode": mode, "name": "of each run", "group": "of the campaign", "tag": "of the idea"}


def _logins(recipe: Recipe) -> dict[str, str]:
    wanted = {"WANDB_API_KEY": _key_of_wandb()} if recipe.get("logger.wandb_enabled") is True else {}
    gated = str(recipe.get("policy.model_name") or "").startswith(_GATED)
    wanted |= {"HF_TOKEN": _token_of_hub()} if gated else {}
    return {name: KNOWN if there else MISSING for name, there in wanted.items()}


def cautions(recipe: Recipe, command: Sequence[str], *, image: bool) -> tuple[str, ...]:
    """What a person should know before a run is paid for, a sentence each.

    Args:
        recipe: The composed recipe.
        command: The command that a person named; empty for the recipe's own.
        image: Whether runs begin in a container image.
    """
    own = () if image else _environment_caution(recipe, command)
    return (*own, *_script_cautions(recipe), *_login_cautions(recipe, image=image))


def paths(request: RunRequest, behind: str) -> dict[str, str]:
    """The worktree first on the path, then the probe, then what was there; in a container that is the image's own."""
    path = [str(request.tree), str(request.folder / protection.PROBE), *filter(None, [behind])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "AUTORESEARCH_FOLDER": str(request.folder),
        "AUTORESEARCH_TREE": str(request.tree),
        "AUTORESEARCH_RUN": request.run_id,
    }


def _silent(recipe: Recipe, *, image: bool) -> bool:
    """Whether W&B's mode is left as it is.

    Without a key W&B asks for one and ends the run. So where this machine's settings count, in no container, and there
    is none, runs keep their logs on disk, from where `wandb sync` sends them later.
    """
    return recipe.get("logger.wandb_enabled") is not True or "WANDB_MODE" in os.environ or image or _key_of_wandb()


def _script_cautions(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe's test script brings besides, and what NeMo-RL refuses at the start of a run."""
    script = test_script(recipe.root, recipe)
    exports, needs = (script.exports, script.needs) if script else ({}, {})
    refused = _refused(recipe, script)
    left = _left_out(recipe, script) if script else {}
    more = ", ".join(f"{key}={value}" for key, value in left.items() if not key.endswith(".max_num_steps"))
    taken = ", ".join(f"{name}={value}" for name, value in exports.items())
    needed = ", ".join(f"{key} from ${name}" for key, name in needs.items())
    return (
        *(f"NeMo-RL would refuse every run at its start: {one}" for one in refused),
        *([f"runs get {taken}, which {script.path} sets"] if script and taken else []),
        *([f"{script.path} takes {needed} and does not run without; set it in a copy of the recipe"]
          if script and needed else []),
        *([f"{script.path} sets {more} besides; {_AS_COMMITTED}"] if script and more else []),
    )  # fmt: skip


def _refused(recipe: Recipe, script: TestScript | None) -> tuple[str, ...]:
    """What NeMo-RL asserts at the start of every run and this recipe does not hold."""
    known, exports = facts(recipe, {}), script.exports if script else {}
    values = {**known.defaults, **known.values}
    return refused_at_start(values, known, [*exports, *os.environ], lambda path: _text(recipe.root / path))


def _text(file: Path) -> str:
    """What a file says, empty where it is not there or cannot be read."""
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _key_of_wandb() -> bool:
    netrc = Path.home() / ".netrc"
    try:
        said = netrc.read_text("utf-8", "replace") if netrc.is_file() else ""
    except OSError:
        said = ""
    return bool(os.environ.get("WANDB_API_KEY")) or "api.wandb.ai" in said


def _token_of_hub() -> bool:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    return any(os.environ.get(name) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")) or (home / "token").is_file()


def _login_cautions(recipe: Recipe, *, image: bool) -> tuple[str, ...]:
    """Logins that a run needs and that this machine has not, by the names of variables; no value is looked at."""
    mode, model = os.environ.get("WANDB_MODE", ""), str(recipe.get("policy.model_name") or "")
    online = recipe.get("logger.wandb_enabled") is True and mode not in {"offline", "disabled"}
    found = []
    if online and not _key_of_wandb():
        there = "make sure that the container has it, or set WANDB_MODE=offline" if image else "logs are kept offline"
        found.append(f"the recipe logs to W&B and no WANDB_API_KEY is known here: {there}")
    if model.startswith(_GATED) and not _token_of_hub():
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
