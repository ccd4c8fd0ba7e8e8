"""The exact commands of one run and of its evaluation.

Of a run: entry point, recipe, and what is set for every run so that runs do not meet. Nothing is set that the recipe's
sections do not have: NeMo-RL accepts unknown keys silently (`++`), and a key that no code reads would look like a
setting. `cluster` is never touched.

Of its evaluation: NeMo-RL's converter and its `run_eval.py`, as read at commit 7ea279abf, where the latter prints
`score=0.1000 (3.0/30)` (`nemo_rl/evals/eval.py`, line 546). They were read, not run.
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.run.measurement import Objective
from autoresearch.targets.nemo_rl.cost import TestScript
from autoresearch.targets.nemo_rl.length import seconds_of
from autoresearch.targets.nemo_rl.objective import ROLLOUT, examinable, gym, single_controller
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.recipe import Recipe, jsonable

MARGIN = 0.05
"""Share of a run's limit kept free after the last save: one more step and the checkpoint have to fit in."""

LOGS, CHECKPOINTS = "logs", "checkpoints"
"""Folders inside the run folder that `logger.log_dir` and `checkpointing.checkpoint_dir` point at."""

_VISION = ("vlm_grpo", "audio_grpo")


@dataclass(frozen=True)
class Injection:
    """One override given to every run, and why."""

    override: str
    why: str


def entry_point(recipe: Recipe, script: TestScript | None = None) -> str:
    """The training script for a recipe, relative to the checkout.

    What the recipe's own test script calls is taken when it calls one; otherwise it follows from the sections.

    Raises:
        RecipeError: The recipe trains nothing, or the script is not in this checkout.
    """
    entry = script.entry if script and script.entry else check_trains(recipe)
    if not (recipe.root / entry).is_file():
        raise RecipeError(
            f"{recipe.path}: needs {entry}, which is not in {recipe.root}; set `command:` in the campaign"
        )
    return entry


def check_trains(recipe: Recipe) -> str:
    """The training script that a recipe's sections ask for.

    Raises:
        RecipeError: They ask for none: it is a fragment, or the file of another program.
    """
    if found := derived_entry(recipe):
        return found
    raise RecipeError(
        f"{recipe.path}: trains nothing with NeMo-RL, for it has none of the sections grpo, ppo, sft, dpo, rm, "
        "distillation and eval; choose a complete recipe, or say --target command for a script outside NeMo-RL"
    )


def derived_entry(recipe: Recipe) -> str:
    """The training script that a recipe's sections ask for; empty for a fragment."""
    algorithm, lineage = recipe.algorithm, " ".join(recipe.lineage)
    if gym(recipe) and algorithm in {"grpo", "distillation"}:
        return f"examples/nemo_gym/run_{algorithm}_nemo_gym.py"
    if algorithm == "distillation" and recipe.get("teachers"):
        return "examples/run_xtoken_off_policy_distillation.py"
    if single_controller(recipe):
        return "examples/run_grpo_single_controller.py"
    if algorithm == "grpo" and recipe.get("env.sliding_puzzle_game") and "sliding_puzzle" in lineage:
        return "examples/run_grpo_sliding_puzzle.py"
    if algorithm == "grpo" and any(word in lineage for word in _VISION):
        return "examples/run_vlm_grpo.py"
    if algorithm == "sft" and any(word in lineage for word in ("sft_vlm", "sft_avlm", "vlm_sft")):
        return "examples/run_vlm_sft.py"
    return f"examples/run_{algorithm}.py" if algorithm else ""


def injections(
    recipe: Recipe,
    folder: Path,
    saves: Iterable[tuple[str, str, str]] = (),
    *,
    seed: int,
    commit: str,
    run_id: str = "",
    limit_s: float | None,
    setup_s: float = 0.0,
    steps: int | None = None,
) -> tuple[Injection, ...]:
    """What is set for one run on top of recipe and hypothesis.

    Args:
        recipe: The composed recipe.
        folder: The run's folder, absolute.
        saves: Key, value and reason of what is set of its checkpoints.
        seed: Training seed.
        commit: The experiment's commit.
        run_id: The run's name at the scheduler, `ar-CAMPAIGN--EXPERIMENT--N`; empty to keep W&B's.
        limit_s: Wall-clock limit of the run in seconds, start-up included; None for none.
        setup_s: Expected start-up time in seconds, which the recipe's own limit does not count.
        steps: Number of steps to cut the run to, None to leave the recipe's.
    """
    algorithm = recipe.algorithm
    wanted = [
        ("logger.log_dir", text(folder / LOGS), "its own logs"),
        ("logger.tensorboard_enabled", "true", "numbers a program can read"),
        ("logger.monitor_gpus", "true" if recipe.get("cluster.gpus_per_node", 0) else "", "memory and use of the GPUs"),
        ("checkpointing.checkpoint_dir", text(folder / CHECKPOINTS), "a shared one would resume another experiment"),
        ("checkpointing.checkpoint_must_save_by", save_by(recipe, limit_s, setup_s), "a save before the time limit"),
        *saves,
        (f"{algorithm}.val_at_end", "true" if examinable(recipe) else "", "the final model is measured"),
        (f"{algorithm}.seed", str(seed), "the seed of this run"),
        *((key, str(value), "every run is examined on the same validation set") for key, value in split_seeds(recipe)),
        (f"{algorithm}.max_num_steps", str(steps) if steps else "", "the same length for every run"),
    ]
    found = [Injection(f"{key}={value}", why) for key, value, why in wanted if value and recipe.has(key)]
    if algorithm == "eval":
        return tuple(found)
    found += _named(recipe, run_id)
    return (*found, Injection(f"++git_meta={commit}", "the commit in the run's own records"))


def _named(recipe: Recipe, run_id: str) -> Iterator[Injection]:
    """A name of its own for each run in W&B, in one group per campaign; elsewhere all would have the recipe's name.

    NeMo-RL hands `logger.wandb` on to `wandb.init` as it is (nemo_rl/utils/logger.py:220 at 7ea279abf).
    """
    if not run_id or recipe.get("logger.wandb_enabled") is not True or not recipe.has("logger.wandb"):
        return
    campaign, _, rest = run_id.partition("--")
    yield Injection(f"++logger.wandb.name={text(Path(run_id))}", "a name of its own in W&B")
    yield Injection(f"++logger.wandb.group={text(Path(campaign))}", "one group per campaign")
    if idea := rest.rpartition("--")[0]:
        yield Injection(f"++logger.wandb.tags=[{text(Path(idea))}]", "the idea, to filter by")


def split_seeds(recipe: Recipe) -> list[tuple[str, int]]:
    """Seeds under `data`, by key: they choose which rows become the validation set, and follow the training seed.

    Left alone, a run with another seed would be examined on other questions, and no two runs could be paired.
    """
    found = [(key, value) for key, value in recipe.values.items() if re.fullmatch(r"data\.(.+\.)?seed", key)]
    several = recipe.get("data.train")
    for index, one in enumerate(several if isinstance(several, list) else []):
        found += [(f"data.train.{index}.seed", one["seed"])] if isinstance(one, dict) and "seed" in one else []
    return [(key, value) for key, value in found if isinstance(value, int)]


def save_by(recipe: Recipe, limit_s: float | None, setup_s: float) -> str:
    """When the recipe has to save and stop, `DD:HH:MM:SS` after its training loop began; empty for no limit.

    NeMo-RL counts from the start of the loop, so start-up and a margin are taken off. A tighter limit of the recipe's
    own stays (R70). Half of the limit is left in any case: beyond that the external time-out rules.
    """
    own = seconds_of(recipe.get("checkpointing.checkpoint_must_save_by"))
    if limit_s is None:
        return ""
    ours = max(limit_s - setup_s - min(600.0, max(5.0, MARGIN * limit_s)), limit_s / 2)
    return "" if own is not None and own <= ours else _clock(int(ours))


def argv(command: Sequence[str], recipe: Recipe, overrides: Sequence[str], *, no_sync: bool) -> tuple[str, ...]:
    """The whole command line; `uv run` gets `--no-sync` when the environment is shared and must stay as it is.

    With `--frozen` or `--locked` uv leaves the lock file alone and syncs the environment all the same.
    """
    return (*_unsynced(command, no_sync), "--config", recipe.path, *overrides)


def _unsynced(command: Sequence[str], no_sync: bool) -> list[str]:
    start = list(command)
    if no_sync and start[:2] == ["uv", "run"] and not {"--no-sync", "--isolated"} & set(start):
        start.insert(2, "--no-sync")
    return start


CONVERTER, DRIVER, DEFAULTS = (
    "examples/converters/convert_dcp_to_hf.py",
    "examples/run_eval.py",
    "examples/configs/evals/eval.yaml",
)
"""What NeMo-RL evaluates a checkpoint with, and the settings that its driver has of its own."""

_LOADED = frozenset({"AIME2024", "AIME2025", "AIME2026"})
"""Validation sets that the driver loads as training does; any other name means a benchmark of its own, or a file."""

_REPEATS = 16
"""Answers to a problem where the recipe does not say; a single one of thirty problems has a standard error of 0.09."""

_SCRIPT = r"""set -eu
left=$AUTORESEARCH_EVALUATED_FOLDER/{checkpoints} out=$AUTORESEARCH_RUN_FOLDER
export PYTHONPATH="$PWD${{PYTHONPATH:+:$PYTHONPATH}}"{env}
trap 'rm -rf "$out/hf"' EXIT
step=$(ls -d "$left"/step_*/policy/weights | sed -n 's:.*/step_\([0-9]*\)/policy/weights$:\1:p' | sort -n | tail -n 1)
echo "the checkpoint of step $step is converted and evaluated"
{python} {converter} --config "$left/step_$step/config.yaml" --dcp-ckpt-path "$left/step_$step/policy/weights" \
  --hf-ckpt-path "$out/hf" >"$out/convert.log" 2>&1 || {{
  tail -n 20 "$out/convert.log"; echo "{converter} failed on the checkpoint of step $step"; exit 1; }}
{python} {driver} generation.model_name="$out/hf" \
  {settings}
"""
"""The run's last checkpoint, whichever the run thinks best of; the worktree first, for uv's environment is shared."""


def evaluation(
    recipe: Recipe, objective: Objective, command: Sequence[str], env: Mapping[str, str], *, no_sync: bool
) -> dict[str, Any]:
    """Keys of `evaluate` that let the base commit's own driver judge the last checkpoint of a run.

    The driver draws its own answers, so its number is another measure than the run's and counts alone.

    Args:
        recipe: The composed recipe.
        objective: What the campaign judges by.
        command: The training command, whose words before the script start the driver as well.
        env: Variables that choose its Python environment.
        no_sync: Whether that environment is shared.

    Raises:
        CampaignError: The recipe cannot be evaluated so, and why.
    """
    if why := _unevaluable(recipe, objective, command):
        raise CampaignError(f"evaluate: {recipe.path} cannot be evaluated by {DRIVER}: {why}")
    script = _SCRIPT.format(
        checkpoints=CHECKPOINTS,
        env="".join(f" {name}={shlex.quote(value)}" for name, value in env.items()),
        python=shlex.join(_unsynced(command[: _script(command)], no_sync)),
        converter=CONVERTER,
        driver=DRIVER,
        settings=" \\\n  ".join(shlex.quote(f"{key}={_yaml(value)}") for key, value in _settings(recipe)),
    )
    step = f"{CHECKPOINTS}/step_*"
    return {
        "command": ("sh", "-c", script),
        "reads": (f"{step}/policy/weights", f"{step}/config.yaml", f"{step}/policy"),
        "metric": "score",
        "tolerance": "any",
        "gpus": _gpus(recipe),
        "minutes": 60.0,
    }


def _unevaluable(recipe: Recipe, objective: Objective, command: Sequence[str]) -> str:
    """Why NeMo-RL's driver has no number for what the recipe trains, in words; empty when it has one."""
    gone = [name for name in (CONVERTER, DRIVER, DEFAULTS) if not (recipe.root / name).is_file()]
    per_node = recipe.get("cluster.gpus_per_node", 0) or 0
    reasons = (
        (bool(gone), f"{', '.join(gone)} is not in this checkout"),
        (recipe.algorithm not in ROLLOUT, f"it scores answers, and {recipe.algorithm} has no reward for any"),
        (gym(recipe), "its rewards are NeMo-Gym's, which the driver does not load"),
        (objective.metric not in {"val:accuracy", "train:reward"}, f"its score is no {objective.metric}"),
        (_environments(recipe) != {"math"}, f"it has the environment math, not {_listed(_environments(recipe))}"),
        (recipe.get("checkpointing.enabled") is not True, "its runs leave no checkpoint (checkpointing.enabled)"),
        (recipe.get("policy.megatron_cfg.enabled") is True, f"{CONVERTER} does not read checkpoints of Megatron"),
        (recipe.get("policy.dtensor_cfg.lora_cfg.enabled") is True, f"{CONVERTER} does not read adapters of LoRA"),
        (
            _safetensors(recipe),
            f"{CONVERTER} does not read safetensors; commit checkpointing.model_save_format=torch_save",
        ),
        (_gpus(recipe) > per_node, f"its model is served by {_gpus(recipe)} GPUs, more than one node has"),
        (_script(command) == len(command), f"no Python script is among the words of {shlex.join(command)}"),
    )
    return next((why for applies, why in reasons if applies), "")


def _environments(recipe: Recipe) -> set[str]:
    """The environments that give the rewards, by the names that data sets call for."""
    default = recipe.get("data.default.env_name")
    sets = [recipe.get(f"data.{part}") for part in ("train", "validation")]
    named = [one for some in sets for one in (some if isinstance(some, list) else [some]) if isinstance(one, Mapping)]
    return {str(one.get("env_name", default)) for one in named}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _safetensors(recipe: Recipe) -> bool:
    """NeMo-RL writes them where its second DTensor worker is told nothing else."""
    saved = recipe.get("checkpointing.model_save_format", "safetensors")
    return recipe.get("policy.dtensor_cfg._v2") is True and saved != "torch_save"


def _gpus(recipe: Recipe) -> int:
    sizes = ("tensor_parallel_size", "pipeline_parallel_size")
    tensor, pipeline = (recipe.whole(f"policy.generation.vllm_cfg.{size}", 1) or 1 for size in sizes)
    return tensor * pipeline


def _script(command: Sequence[str]) -> int:
    """Where the script stands among the words of a command; behind the last where there is none."""
    return next((place for place, word in enumerate(command) if word.endswith(".py")), len(command))


def _settings(recipe: Recipe) -> Iterator[tuple[str, object]]:
    """The recipe's settings in the driver's words; where it cannot load the validation set, its own benchmark stays."""
    told = recipe.get("data.validation")
    own = isinstance(told, Mapping) and told.get("dataset_name") in _LOADED
    validation = dict(told) if own and isinstance(told, Mapping) else {}
    yield "data.dataset_name", validation.get("dataset_name") or load(recipe.root, DEFAULTS).get("data.dataset_name")
    for key in ("prompt_file", "system_prompt_file"):
        yield f"data.{key}", validation.get(key, recipe.get(f"data.default.{key}"))
    for key, value in (recipe.get("env.math") or {}).items():
        yield f"env.math.{key}", value
    drawn = recipe.get("policy.generation.temperature", 1.0)
    yield "generation.temperature", drawn
    yield "generation.top_p", recipe.get("policy.generation.top_p", 1.0)
    top_k = recipe.get("policy.generation.top_k")
    yield "generation.top_k", -1 if top_k is None else top_k
    single = not drawn or top_k == 1
    yield "eval.num_tests_per_prompt", 1 if single else validation.get("repeat", _REPEATS)
    for key in ("stop_token_ids", "stop_strings"):
        yield f"generation.{key}", recipe.get(f"policy.generation.{key}")
    for key in ("max_model_len", "tensor_parallel_size", "pipeline_parallel_size", "enforce_eager"):
        if recipe.has(f"policy.generation.vllm_cfg.{key}"):
            yield f"generation.vllm_cfg.{key}", recipe.get(f"policy.generation.vllm_cfg.{key}")
    if recipe.has("policy.tokenizer.chat_template") and recipe.get("policy.tokenizer.chat_template") is None:
        yield "tokenizer.chat_template", None
    yield "tokenizer.chat_template_kwargs", recipe.get("policy.tokenizer.chat_template_kwargs")
    yield "cluster.gpus_per_node", _gpus(recipe)


def _yaml(value: object) -> str:
    """A value as YAML on one line, which JSON is; plain words stay as they are."""
    return value if isinstance(value, str) else json.dumps(jsonable(value))


def text(path: Path) -> str:
    """A path as the value of an override: quoted when hydra's grammar would stumble over it."""
    plain = str(path)
    if all(char.isalnum() or char in "/-_.@:" for char in plain) and plain.isascii():
        return plain
    slashes = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (found[2] and "\\'"), plain)
    return "'" + slashes.replace("${", "\\${") + "'"


def _clock(seconds: int) -> str:
    minutes, rest = divmod(max(seconds, 1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02d}:{hours:02d}:{minutes:02d}:{rest:02d}"


def resolver_caution(recipe: Recipe) -> tuple[str, ...]:
    """That its training script lacks resolvers which the recipe uses; empty where it has them."""
    if recipe.algorithm not in {"dpo", "rm"} or not any(
        "${mul:" in text or "${add:" in text for text in _values(recipe)
    ):
        return ()
    return (
        f"examples/run_{recipe.algorithm}.py does not register add, mul, div and max, so these interpolations fail.",
    )


def _values(recipe: Recipe) -> list[str]:
    return [str(layer.values) for layer in recipe.layers]
