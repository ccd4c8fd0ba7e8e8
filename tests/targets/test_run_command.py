from pathlib import Path

import pytest

from autoresearch.errors import RecipeError
from autoresearch.targets.nemo_rl import run_command
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
FOLDER = Path("/runs/one")


def injected(recipe, **settings: object):
    chosen = {"seed": 7, "commit": "c0ffee", "limit_s": None, **settings}
    return [one.override for one in run_command.injections(recipe, FOLDER, **chosen)]


@pytest.mark.parametrize(
    ("recipe", "entry"),
    [
        (GRPO, "examples/run_grpo.py"),
        ("examples/configs/sft.yaml", "examples/run_sft.py"),
        ("examples/configs/dpo.yaml", "examples/run_dpo.py"),
        ("examples/configs/rm.yaml", "examples/run_rm.py"),
        ("examples/configs/ppo_math_1B.yaml", "examples/run_ppo.py"),
        ("examples/configs/distillation_math.yaml", "examples/run_distillation.py"),
        ("examples/configs/vlm_grpo_3B.yaml", "examples/run_vlm_grpo.py"),
        ("examples/configs/sft_vlm_3B.yaml", "examples/run_vlm_sft.py"),
        ("examples/configs/grpo_sliding_puzzle.yaml", "examples/run_grpo_sliding_puzzle.py"),
        ("examples/configs/evals/eval.yaml", "examples/run_eval.py"),
        ("examples/nemo_gym/grpo_nanov3.yaml", "examples/nemo_gym/run_grpo_nemo_gym.py"),
        ("examples/nemo_gym/distillation_qwen3_0_6b.yaml", "examples/nemo_gym/run_distillation_nemo_gym.py"),
        (
            "examples/configs/xtoken_multiteacher_off_policy_distillation.yaml",
            "examples/run_xtoken_off_policy_distillation.py",
        ),
        (
            "examples/configs/grpo_math_1B_megatron_single_controller.yaml",
            "examples/run_grpo_single_controller.py",
        ),
    ],
)
def test_each_algorithm_has_its_entry_point(nemo, placeholders, recipe, entry):
    """The training script follows from the recipe's sections, as upstream's own test scripts call it."""
    assert run_command.derived_entry(load(nemo, recipe)) == entry


def test_a_fragment_and_a_missing_script_are_refused(checkout):
    """What cannot be run is told before anything is planned."""
    (checkout / "part.yaml").write_text("a: 1\n")
    with pytest.raises(RecipeError, match="trains nothing"):
        run_command.entry_point(load(checkout, "part.yaml"))
    with pytest.raises(RecipeError, match=r"needs examples/run_rm.py, which is not in .*; set `command:`"):
        run_command.entry_point(load(checkout, "examples/configs/rm.yaml"))


def test_every_run_gets_its_own_places_and_seed(nemo):
    """Own log and checkpoint folders, TensorBoard, GPU monitor, final validation, seed, commit."""
    assert injected(load(nemo, GRPO)) == [
        "logger.log_dir=/runs/one/logs",
        "logger.tensorboard_enabled=true",
        "logger.monitor_gpus=true",
        "checkpointing.checkpoint_dir=/runs/one/checkpoints",
        "grpo.val_at_end=true",
        "grpo.seed=7",
        "data.train.seed=42",
        "++git_meta=c0ffee",
    ]


def test_nothing_is_set_that_the_recipe_does_not_have(nemo):
    """A key no code reads would look like a setting; a CPU recipe has no GPUs to monitor."""
    bare = load(nemo, GRPO, ["~grpo.val_at_end", "~logger.monitor_gpus"])
    assert not any("val_at_end" in one or "monitor_gpus" in one for one in injected(bare))
    assert not any("monitor_gpus" in one for one in injected(load(nemo, GRPO, ["cluster.gpus_per_node=0"])))


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("examples/configs/grpo_math_1B_megatron_single_controller.yaml", []),
        ("examples/configs/recipes/llm/distillation-nano3-30ba3b-4n4g-megatron-qa-nvfp4-modelopt-spec.yaml", []),
        (GRPO, ["grpo.val_period=0", "~data.train.split_validation_size"]),
    ],
)
def test_no_validation_is_asked_of_a_recipe_that_cannot(nemo, recipe, overrides):
    """NeMo-RL ends a run at its start when a validation is asked of the single controller, or without data for it."""
    assert not any("val_at_end" in one for one in injected(load(nemo, recipe, overrides)))


def test_another_seed_is_examined_on_the_same_questions(nemo):
    """The split of the validation set follows the training seed in the recipe; every run keeps the recipe's own."""
    one, two = (load(nemo, GRPO, injected(load(nemo, GRPO), seed=seed)) for seed in (1, 2))
    assert (one.get("grpo.seed"), two.get("grpo.seed")) == (1, 2)
    assert one.get("data.train.seed") == two.get("data.train.seed") == load(nemo, GRPO).get("data.train.seed")


@pytest.mark.parametrize("recipe", [GRPO, "examples/configs/sft.yaml", "examples/configs/dpo.yaml"])
def test_injections_are_valid_overrides_of_the_recipe(nemo, recipe):
    """Hydra accepts them, and nothing else of the recipe changes, the cluster least of all."""
    before = load(nemo, recipe)
    overrides = injected(before, limit_s=3600.0, steps=9)
    after = load(nemo, recipe, overrides)
    changed = {key for key in after.values if after.values[key] != before.values.get(key)}
    assert changed <= {one.partition("=")[0].lstrip("+") for one in overrides}
    assert not any(one.startswith("cluster") for one in overrides)


@pytest.mark.parametrize(
    ("own", "limit_s", "setup_s", "expected"),
    [
        (None, None, 0, ""),
        (None, 3600, 600, "00:00:47:00"),
        (None, 86400 * 2, 600, "01:23:40:00"),
        ("00:00:10:00", 3600, 600, ""),
        ("00:03:45:00", 3600, 600, "00:00:47:00"),
        (None, 3600, 3600, "00:00:30:00"),
        (None, 1, 0, "00:00:00:01"),
        ("soon", 3600, 600, "00:00:47:00"),
    ],
)
def test_the_recipe_saves_before_the_limit(nemo, own, limit_s, setup_s, expected):
    """Start-up and a margin are taken off the limit, because NeMo-RL's clock starts later; a tighter own limit stays."""
    value = "null" if own is None else own
    recipe = load(nemo, GRPO, [f"checkpointing.checkpoint_must_save_by={value}"])
    assert run_command.save_by(recipe, limit_s, setup_s) == expected


@pytest.mark.parametrize(
    "name", ["plain", "with space", "it's", 'a"b', "a=b,c#d", "ü{x}$y", "a\\b", "end\\'", "(x)[y]", "a${b}"]
)
def test_any_folder_name_survives_the_override_grammar(nemo, name):
    """A run folder with odd characters arrives as it is."""
    path = Path("/runs") / name
    assert load(nemo, GRPO, [f"logger.log_dir={run_command.text(path)}"]).get("logger.log_dir") == str(path)


def test_a_shared_environment_is_not_synced(nemo):
    """`uv run` must not re-point a virtual environment that others use; other commands stay as they are."""
    recipe = load(nemo, GRPO)
    assert run_command.argv(["uv", "run", "a.py"], recipe, ["x=1"], no_sync=True) == (
        "uv", "run", "--no-sync", "a.py", "--config", GRPO, "x=1",
    )  # fmt: skip
    assert run_command.argv(["python", "a.py"], recipe, [], no_sync=True)[:2] == ("python", "a.py")
    assert run_command.argv(["uv", "run", "--no-sync", "a.py"], recipe, [], no_sync=True).count("--no-sync") == 1
