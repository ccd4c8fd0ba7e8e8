"""Walks every play of the playbook over every example config of a NeMo-RL checkout, and reports plays that do nothing.

    python tools/plays.py                       # the 339 configs kept with the tests, and what was read of their code
    python tools/plays.py --checkout ~/RL       # a checkout: its configs, its defaults, and who reads each key there
    python tools/plays.py --checkout ~/RL --write   # keeps what was read of its code, for the tests

Two questions, asked without the playbook's own conditions:

- *Has each key that a play sets a reader?* A line of the checkout that reads it from the section it stands in; a key of
  a section that is handed to another library as a whole has the line that hands it on.
- *Is each change that would be proposed at work?* `INERT` says when a key has no effect, whatever it is set to.
"""

import argparse
import ast
import json
import os
import re
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from autoresearch.errors import AutoresearchError
from autoresearch.experiment.hypothesis import Brief, Facts
from autoresearch.git import refs
from autoresearch.researchers.override_forms import assignments, lookup, same
from autoresearch.researchers.playbook.offer import offers
from autoresearch.researchers.playbook.plays import Book, Play, builtin
from autoresearch.run.measurement import Objective
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.nemo_rl.facts import defaults, facts
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.overrides import apply
from autoresearch.targets.recipe.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "tests" / "golden" / "nemo_rl_configs"
READ = CONFIGS / "code.json"
"""What was read of the code at the configs' commit: `commit`, `defaults` by algorithm, `readers` by key."""
PLACEHOLDERS = {"HF_HOME": "/placeholder/hf_home", "PERSISTENT_CACHE": "/placeholder/persistent_cache"}
GOAL = Objective("raise validation accuracy", "val:accuracy", tag="validation/accuracy")

SECTIONS: dict[str, tuple[str, ...]] = {
    "grpo": ("grpo", "grpo_config"),
    "ppo": ("ppo", "ppo_config"),
    "dpo": ("dpo", "dpo_config", "cfg"),
    "distillation": ("distillation", "distillation_config"),
    "loss_fn": ("cfg", "loss_config", "loss_fn", "loss_fn_config"),
    "policy": ("cfg", "config", "policy", "policy_config"),
    "adv_estimator": ("estimator_config", "adv_estimator_config"),
    "reward_shaping": ("reward_shaping", "reward_shaping_config", "cfg"),
    "reward_scaling": ("reward_scaling", "reward_scaling_cfg"),
    "generation": ("generation", "generation_config", "cfg", "config"),
    "resources": ("resources", "inference_resources"),
    "lora_cfg": ("lora_cfg", "lora_config"),
    "peft": ("peft_cfg", "peft", "peft_config"),
    "megatron_cfg": ("megatron_cfg", "mcore_cfg"),
    "router_replay": ("config", "router_replay", "cfg"),
    "data": ("data", "data_config"),
    "default": ("default", "default_config"),
    "async_grpo": ("async_grpo", "async_grpo_config", "async_config"),
}
"""Names under which the code reads a section, by its last word; another is read under its own name."""

HANDED_ON: dict[str, str] = {
    "policy.optimizer.kwargs.": r'\["optimizer"\]\["kwargs"\]|optimizer_cfg\["kwargs"\]|optimizer_kwargs',
    "policy.scheduler.": r'\["scheduler"\]|scheduler_cfg\["kwargs"\]',
    "policy.megatron_cfg.optimizer.": r'\["megatron_cfg"\]\["optimizer"\]',
    "policy.megatron_cfg.scheduler.": r'\["megatron_cfg"\]\["scheduler"\]',
    "policy.megatron_cfg.distributed_data_parallel_config.": r'"distributed_data_parallel_config"',
    "policy.dtensor_cfg.lora_cfg.": r"\*\*lora_cfg",
    "policy.generation.sglang_cfg.": r"sglang_cfg_inner",
    "policy.generation.vllm_kwargs.": r'"vllm_kwargs"',
    "policy.generation.colocated.": r'\["colocated"\]|colocated',
    "data.default.": r'"default"|\.default\b',
    "data.": r'data_config\["|data\["|\.data\b',
}
"""Sections that a library gets as they are, or that are merged before they are read: the line that does it."""


def updates(values: Mapping[str, Any]) -> float | None:
    """Optimizer steps per batch of rollouts; None where it cannot be told."""
    for algorithm in ("grpo", "ppo"):
        prompts, answers = (
            values.get(f"{algorithm}.num_{what}") for what in ("prompts_per_step", "generations_per_prompt")
        )
        batch = values.get("policy.train_global_batch_size")
        if prompts and answers and batch:
            return prompts * answers / batch * (values.get("ppo.ppo_epochs", 4) if algorithm == "ppo" else 1)
    return None


def _is(values: Mapping[str, Any], key: str, value: Any = True) -> bool:
    return same(values.get(key), value)


def _estimator(values: Mapping[str, Any]) -> str:
    return str(values.get("grpo.adv_estimator.name", "grpo"))


def _unread_ratio(values: Mapping[str, Any]) -> bool:
    return (
        updates(values) == 1 or _is(values, "loss_fn.force_on_policy_ratio") or _is(values, "loss_fn.disable_ppo_ratio")
    )


def _no_kl_in_loss(values: Mapping[str, Any]) -> bool:
    return _is(values, "loss_fn.reference_policy_kl_penalty", 0) or _is(values, "loss_fn.use_kl_in_reward")


def _megatron(values: Mapping[str, Any]) -> bool:
    return _is(values, "policy.megatron_cfg.enabled")


def _single_controller(values: Mapping[str, Any]) -> bool:
    return any(key.startswith("async_rl.") for key in values)


Rule = tuple[str, Callable[[Mapping[str, Any]], bool], str]
_SHAPED = r"(grpo|ppo)\.reward_shaping\."
_NOT_SINGLE = (
    r"(grpo|ppo)\.(advantage_clip_\w+|overlong_filtering|reward_\w+\.\w+|use_dynamic_sampling|batch_multiplier|"
    r"async_grpo\.\w+|invalid_tool_call_advantage|malformed_thinking_advantage)"
)


def _not_in_flight(values: Mapping[str, Any]) -> bool:
    return not _is(values, "grpo.async_grpo.in_flight_weight_updates")


def _grpo(values: Mapping[str, Any]) -> bool:
    return "grpo.num_prompts_per_step" in values


def _drops_kl(values: Mapping[str, Any]) -> bool:
    return _grpo(values) and _is(values, "loss_fn.use_kl_in_reward") and _estimator(values) == "grpo"


def _shapes_nothing(values: Mapping[str, Any]) -> bool:
    return not any(_is(values, f"{algorithm}.reward_shaping.enabled") for algorithm in ("grpo", "ppo"))


def _scale_is_lost(values: Mapping[str, Any]) -> bool:
    return _is(values, "grpo.adv_estimator.normalize_rewards") or _estimator(values) != "grpo"


def _decay_of_its_own(values: Mapping[str, Any]) -> bool:
    optimizer, scheduler = (
        "policy.megatron_cfg.optimizer.weight_decay",
        "policy.megatron_cfg.scheduler.end_weight_decay",
    )
    return not same(values.get(optimizer), values.get(scheduler))


def _packs_tokens_of_its_own(values: Mapping[str, Any]) -> bool:
    size = values["policy.max_total_sequence_length"] * values["policy.train_micro_batch_size"]
    packings = (f"policy.{name}" for name in ("sequence_packing", "dynamic_batching"))
    return any(
        _is(values, f"{one}.enabled") and not same(values.get(f"{one}.train_mb_tokens"), size) for one in packings
    )


def _unless(key: str, value: Any = True) -> Callable[[Mapping[str, Any]], bool]:
    return lambda values: not _is(values, key, value)


def _when(key: str, value: Any = True) -> Callable[[Mapping[str, Any]], bool]:
    return lambda values: _is(values, key, value)


INERT: tuple[Rule, ...] = (
    (
        r"loss_fn\.(ratio_clip_\w+|use_cispo|sequence_level_importance_ratios)",
        _unread_ratio,
        "every policy ratio is one: one update per rollout, or it is bypassed (loss_functions.py:520)",
    ),
    (r"loss_fn\.disable_ppo_ratio", lambda values: updates(values) == 1, "the gradient of a ratio of one is the same"),
    (r"loss_fn\.ratio_clip_c", _when("loss_fn.use_cispo"), "refused beside CISPO (loss_functions.py:283)"),
    (
        r"loss_fn\.truncated_\w+",
        _unless("loss_fn.use_importance_sampling_correction"),
        "weights that are not used are truncated (loss_functions.py:673)",
    ),
    (
        r"loss_fn\.(reference_policy_kl_type|use_on_policy_kl_approximation|kl_\w+_clamp_value)",
        _no_kl_in_loss,
        "the loss has no KL penalty (loss_functions.py:240)",
    ),
    (
        r"loss_fn\.reference_policy_kl_penalty",
        _drops_kl,
        "neither the loss nor this estimator has a KL penalty (loss_functions.py:240, advantage_estimator.py:57)",
    ),
    (r"loss_fn\.use_kl_in_reward", _when("loss_fn.reference_policy_kl_penalty", 0), "there is no KL penalty"),
    (r"loss_fn\.positive_example_nll_weight", _grpo, "only PPO hands rewards to the loss (ppo.py:1501)"),
    (
        r"grpo\.normalize_rewards",
        lambda _: True,
        "read by no code; grpo.adv_estimator.normalize_rewards is (advantage_estimator.py:67)",
    ),
    (r"grpo\.use_leave_one_out_baseline", lambda _: True, "read for logged shares only (grpo.py:3060)"),
    (
        r"grpo\.adv_estimator\.(normalize_rewards|use_leave_one_out_baseline)",
        lambda values: _estimator(values) not in {"grpo", "gdpo"},
        "another estimator reads it (advantage_estimator.py:198)",
    ),
    (
        r"grpo\.adv_estimator\.minus_baseline",
        _unless("grpo.adv_estimator.name", "reinforce_plus_plus"),
        "only REINFORCE++ reads it (advantage_estimator.py:207)",
    ),
    (_SHAPED + r"(overlong_\w+|max_response_length|stop_\w+)", _shapes_nothing, "shaping is off"),
    (
        _SHAPED + r"(overlong_\w+|max_response_length)",
        lambda values: values.get("grpo.reward_shaping.stop_properly_penalty_coef") is not None,
        "ignored beside the other penalty (reward_functions.py:74)",
    ),
    (r"grpo\.reward_scaling\.\w+", _scale_is_lost, "a normalised advantage does not see the scale of rewards"),
    (r"ppo\.reward_scaling\.\w+", _when("ppo.async_ppo.enabled"), "only the lockstep loop scales (ppo.py:1448)"),
    (r"grpo\.async_grpo\.(?!enabled)\w+", _unless("grpo.async_grpo.enabled"), "training is in lockstep"),
    (
        r"grpo\.async_grpo\.max_trajectory_age_steps",
        _not_in_flight,
        "no benefit without updates in flight (grpo.py:4144)",
    ),
    (r"grpo\.async_grpo\.recompute_kv_cache_\w+", _not_in_flight, "nothing is in flight when weights change"),
    (_NOT_SINGLE, _single_controller, "the single controller reads it nowhere"),
    (
        r"grpo\.(invalid_tool_call_advantage|malformed_thinking_advantage)",
        _unless("env.should_use_nemo_gym"),
        "refused without NeMo-Gym (grpo.py:1957)",
    ),
    (r"grpo\.batch_multiplier", _unless("grpo.use_dynamic_sampling"), "refused without dynamic sampling (grpo.py:571)"),
    (r"policy\.(optimizer|scheduler|dtensor_cfg)\..*", _megatron, "Megatron has settings of its own"),
    (r"policy\.megatron_cfg\.(?!enabled).*", lambda values: not _megatron(values), "Megatron is off"),
    (
        r"policy\.megatron_cfg\.optimizer\.weight_decay",
        _decay_of_its_own,
        "the scheduler sets each step's weight decay",
    ),
    (r"policy\.train_micro_batch_size", _packs_tokens_of_its_own, "micro batches are packed by tokens of their own"),
    (r"policy\.generation\.vllm_\w+\..*", _unless("policy.generation.backend", "vllm"), "vLLM does not generate"),
    (r"policy\.generation\.sglang_cfg\..*", _unless("policy.generation.backend", "sglang"), "SGLang does not generate"),
    (
        r"policy\.generation\.vllm_cfg\.use_deep_gemm",
        _unless("policy.generation.vllm_cfg.precision", "fp8"),
        "it is read for FP8 only",
    ),
    (r"policy\.router_replay\.\w+", lambda values: not _megatron(values), "refused without it (router_replay.py:62)"),
)
"""Keys, when they have no effect in the recipe as changed, and why: files and lines of NeMo-RL at 7ea279abf."""


def why_inert(key: str, values: Mapping[str, Any]) -> str:
    """Why a key has no effect in a recipe, in words; empty when it may have one."""
    return next((why for keys, holds, why in INERT if re.fullmatch(keys, key) and holds(values)), "")


def no_op(before: Mapping[str, Any], overrides: tuple[str, ...], after: Mapping[str, Any]) -> str:
    """Why a change does nothing; empty when one of its keys may do something."""
    changed = [key for key in assignments(overrides) if not same(lookup(before, key), lookup(after, key))]
    reasons = [f"{key}: {why_inert(key, after)}" for key in changed]
    return "; ".join(reasons) if all(why_inert(key, after) for key in changed) else ""


def walk(
    root: Path, known: Mapping[str, Mapping[str, object]], names: list[str]
) -> Iterator[tuple[str, Play, str, str]]:
    """Recipe, play, overrides in one text, and why they do nothing (empty: they may), for everything on offer."""
    for name in names:
        recipe = load(root, name)
        if not recipe.algorithm or recipe.algorithm == "eval":
            continue
        here = facts(recipe, {})
        here = Facts(here.values, here.traits, here.gpus, here.space, known.get(recipe.algorithm, here.defaults))
        brief = Brief(campaign="walk", index=2, objective=GOAL, facts=here, protect_keys=protection.keys())
        for one in offers(brief, builtin()):
            if not one.why_not:
                yield name, one.play, " ".join(one.overrides), _verdict(recipe, here, one.overrides)


def _verdict(recipe: Recipe, here: Facts, overrides: tuple[str, ...]) -> str:
    """Why overrides do nothing. What seems to is composed again, for then keys that follow others have moved, too."""
    before = {**here.defaults, **recipe.values}
    plain = {key: yaml.safe_load(said) for key, said in assignments(overrides).items() if "${" not in said}
    if not no_op(before, overrides, {**before, **plain}):
        return ""
    return no_op(before, overrides, {**before, **apply(recipe, overrides).values})


def keys_of(book: Book) -> dict[str, set[str]]:
    """Every key that a play may set, with the plays that do."""
    found: dict[str, set[str]] = {}
    for play in book.plays:
        for name in (one.rstrip("?") for one in play.set):
            keys = book.names[name[1:]].values() if name.startswith("$") else (name,)
            for key in keys:
                found.setdefault(key, set()).add(play.name)
    return found


def readers(checkout: Path, keys: Iterator[str] | set[str]) -> dict[str, list[str]]:
    """Up to three lines of a checkout that read each key, as `file:line`."""
    reads: dict[str, list[tuple[str, str]]] = {}
    handed: dict[str, list[str]] = {}
    for path in sorted((checkout / "nemo_rl").rglob("*.py")):
        name, text = path.relative_to(checkout).as_posix(), path.read_text("utf-8", "replace")
        for receiver, leaf, line in _reads(ast.parse(text)):
            reads.setdefault(leaf, []).append((receiver, f"{name}:{line}"))
        for prefix, pattern in HANDED_ON.items():
            for line, said in enumerate(text.splitlines(), 1):
                if re.search(pattern, said) and len(handed.setdefault(prefix, [])) < 3:
                    handed[prefix].append(f"{name}:{line}")
    return {key: _readers_of(key, reads, handed) for key in sorted(keys)}


def _readers_of(key: str, reads: Mapping[str, list[tuple[str, str]]], handed: Mapping[str, list[str]]) -> list[str]:
    *sections, leaf = key.split(".")
    names = SECTIONS.get(sections[-1], (sections[-1],))
    found = [place for receiver, place in reads.get(leaf, []) if receiver in names]
    whole = [place for prefix, places in handed.items() if key.startswith(prefix) for place in places]
    return (found or whole)[:3]


def _reads(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Section as the code calls it, key, line: of attributes, of items, and of `.get` and `getattr`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield _name(node.value), node.attr, node.lineno
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.ctx, ast.Load)
        ):
            yield _name(node.value), str(node.slice.value), node.lineno
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            yield _name(node.func.value), str(getattr(node.args[0], "value", "")), node.lineno


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
    return ""


def code_of(checkout: Path) -> dict[str, Any]:
    """What is kept of a checkout's code."""
    examples = {"grpo": "examples/configs/grpo_math_1B.yaml", "ppo": "examples/configs/ppo_math_1B.yaml"}
    return {
        "commit": refs.head_commit(checkout),
        "defaults": {name: defaults(load(checkout, path)) for name, path in examples.items()},
        "readers": readers(checkout, set(keys_of(builtin()))),
    }


def configs(root: Path) -> list[str]:
    """Training configs below `examples`, repository-relative."""
    return [path.relative_to(root).as_posix() for path in sorted((root / "examples").rglob("*.yaml"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, help="a NeMo-RL checkout")
    parser.add_argument("--write", action="store_true", help=f"write {READ.relative_to(ROOT)}")
    options = parser.parse_args()
    os.environ.update(PLACEHOLDERS)
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(CONFIGS / "configs.tgz") as archive:
            archive.extractall(scratch, filter="data")
        root = (options.checkout or Path(scratch)).resolve()
        code = code_of(root) if options.checkout else json.loads(READ.read_text())
        if options.write:
            READ.write_text(json.dumps(code, indent=1, sort_keys=True) + "\n")
        sys.exit(report(root, code))


def report(root: Path, code: Mapping[str, Any]) -> int:
    """Print what was found; how many keys without a reader and changes without effect there are."""
    unread = {key: plays for key, plays in keys_of(builtin()).items() if not code["readers"].get(key)}
    for key, plays in unread.items():
        print(f"no reader: {key} ({', '.join(sorted(plays))})")
    offered: Counter[str] = Counter()
    vain = 0
    for name in configs(root):
        try:
            for _, play, overrides, why in walk(root, code["defaults"], [name]):
                offered[play.name] += 1
                vain += bool(why)
                if why:
                    print(f"no effect: {name}: {play.name} ({overrides}): {why}")
        except AutoresearchError as error:
            print(f"skipped: {error}")
    for play in builtin().plays:
        print(f"{offered[play.name]:5} {play.name}")
    counts = f"{sum(offered.values())} offers, {vain} without effect, {len(unread)} keys without a reader"
    print(f"commit {code['commit'][:9]}: {counts}")
    return bool(vain or unread)


if __name__ == "__main__":
    main()
