import pytest

from autoresearch.targets.nemo_rl.facts import GYM, inputs, left_open
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
WORKPLACE = "examples/nemo_gym/grpo_workplace_assistant_nemotron_nano_v2_9b.yaml"


def recipe(checkout, text):
    (checkout / "mine.yaml").write_text(f"defaults: {GRPO}\n{text}\n")
    return load(checkout, "mine.yaml")


def test_paths_are_inputs_and_names_on_a_hub_are_not(checkout):
    """A model's folder and the prompt file are opened by a run; `Qwen/Qwen2.5-1.5B` is fetched."""
    assert inputs(recipe(checkout, "policy: {model_name: /models/m}")) == ("/models/m", "examples/prompts/cot.txt")
    assert inputs(recipe(checkout, "data: {train: {data_path: nvidia/a-set-2.0}}")) == ("examples/prompts/cot.txt",)


def test_where_a_run_writes_is_no_input(checkout):
    """Folders that NeMo-RL makes, and devices, need not be there."""
    text = "logger: {log_dir: /big/logs}\nenv: {nemo_gym: {uv_venv_dir: /big/venvs}}\ndata: {extra_path: /dev/null}"
    assert inputs(recipe(checkout, text)) == ("examples/prompts/cot.txt",)


def test_a_placeholder_is_pointed_out_and_is_no_input(checkout):
    """Thirteen shipped recipes name `/path/to/train.jsonl`: nobody means that file."""
    mine = recipe(checkout, "policy: {model_name: /path/to/model}\ndata: {train: {data_path: /path/to/train.jsonl}}")
    assert inputs(mine) == ("examples/prompts/cot.txt",)
    (told,) = left_open(mine)
    assert told.startswith("policy.model_name, policy.tokenizer.name, data.train.data_path still hold a placeholder")


def test_a_recipe_without_a_model_is_pointed_out(checkout):
    """The ultra recipes leave it to the command line, which a campaign does not have."""
    assert "policy.model_name is not set" in left_open(recipe(checkout, "policy: {model_name: null}"))[0]


@pytest.mark.parametrize("filled", [False, True])
def test_a_gym_recipe_wants_its_submodule(checkout, filled):
    """An empty folder is what a clone without submodules has."""
    (checkout / ".gitmodules").touch()
    (checkout / GYM).mkdir(parents=True)
    if filled:
        (checkout / GYM / "README.md").touch()
    told = left_open(recipe(checkout, "env: {should_use_nemo_gym: true}"))
    assert told == () if filled else f"git submodule update --init {GYM}" in told[0]
