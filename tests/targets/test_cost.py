import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoresearch.errors import RecipeError
from autoresearch.run.job import Resources
from autoresearch.targets.nemo_rl import objective
from autoresearch.targets.nemo_rl.cost import binomial_error, budget, smallest_effect, test_script, validation_samples
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
RECIPE = "examples/configs/recipes/llm/mine-1n8g.yaml"
SCRIPT = """#!/bin/bash
NUM_MINUTES=1  # not in the block
# ===== BEGIN CONFIG =====
NUM_NODES=1
GPUS_PER_NODE="${GPUS_PER_NODE:-8}"
STEPS_PER_RUN=50  # half an hour
MAX_STEPS=100
NUM_RUNS=$(( (MAX_STEPS + STEPS_PER_RUN - 1) / STEPS_PER_RUN ))
NUM_MINUTES=60
# ===== END CONFIG =====
$(touch executed)
uv run examples/run_grpo.py --config $CONFIG_PATH
uv run examples/run_eval.py
"""
test_script.__test__ = False


def test_a_copy_of_a_recipe_has_the_pace_of_its_nearest_parent_with_a_script(mine):
    """And says so; inputs that the copy fills in itself are not missing any more."""
    (mine / "my_recipes").mkdir()
    (mine / "my_recipes/own.yaml").write_text(f"defaults: ../{RECIPE}\nlogger: {{wandb_enabled: false}}\n")
    own, parent = (load(mine, path) for path in ("my_recipes/own.yaml", RECIPE))
    script = test_script(mine, own)
    assert (script.of, script.minutes) == (RECIPE, test_script(mine, parent).minutes)
    told = budget(own, objective.objective_for(own)).warnings
    assert any(one.startswith(f"its pace is that of {RECIPE}, by tests/test_suites/") for one in told)


def cost(recipe, **options: object):
    return budget(recipe, objective.objective_for(recipe), **options)


@pytest.fixture
def mine(checkout):
    """A recipe with a test script beside it, as upstream lays them out."""
    (checkout / "tests/test_suites/llm").mkdir(parents=True)
    (checkout / "tests/test_suites/llm/mine-1n8g.sh").write_text(SCRIPT)
    (checkout / RECIPE).write_text(
        "defaults: ../../grpo_math_1B.yaml\ngrpo: {max_num_steps: 100}\ncluster: {gpus_per_node: 8}\n"
    )
    return checkout


def test_the_test_script_is_read_and_not_run(mine):
    """The CONFIG block gives minutes, steps, nodes and entry point; nothing in it is executed."""
    script = test_script(mine, load(mine, RECIPE))
    assert (script.minutes, script.steps, script.steps_per_run, script.nodes, script.gpus_per_node) == (
        60,
        100,
        50,
        1,
        8,
    )
    assert script.entry == "examples/run_grpo.py"
    assert not (mine / "executed").exists()


def test_a_runs_cost_follows_from_recipe_and_script(mine):
    """100 steps at 50 an hour: start-up once, and the rest in proportion; GPU-hours are those times eight."""
    found = cost(load(mine, RECIPE), setup_minutes=10)
    assert found.resources == Resources(nodes=1, gpus_per_node=8)
    assert found.minutes == pytest.approx(10 + 50 * 100 / 50)
    assert found.gpu_hours == pytest.approx(110 / 60 * 8)


def test_without_a_script_or_a_step_limit_the_length_is_unknown(nemo):
    """The exemplar's million steps are no length: steps and minutes are unknown, and that is said."""
    found = cost(load(nemo, GRPO))
    assert (found.steps, found.minutes, found.gpu_hours) == (None, None, None)
    assert any("no step limit that binds" in warning for warning in found.warnings)
    assert cost(load(nemo, GRPO), steps=30).steps == 30


@pytest.mark.parametrize(
    ("overrides", "samples"),
    [
        ([], 256),
        (["grpo.max_val_samples=100", "grpo.val_batch_size=64"], 64),
        (["grpo.max_val_samples=256", "grpo.val_num_generations_per_prompt=4"], 1024),
        (["data.validation={dataset_name: AIME2024, repeat: 2}"], 60),
        (["grpo.max_val_samples=null"], None),
    ],
)
def test_validation_samples_are_counted_as_nemo_rl_validates(nemo, overrides, samples):
    """Whole batches only, several rollouts per prompt, and never more rows than a known data set has."""
    plain = [f"++{one}" if one.startswith("data") else one for one in overrides]
    assert validation_samples(load(nemo, GRPO, ["data.validation=null", *plain])) == samples


def test_noise_follows_from_the_validation_set(nemo):
    """256 samples at one half: a standard error of 0.031, and 0.087 between two single runs to be seen."""
    found = cost(load(nemo, GRPO, ["data.validation=null"]))
    assert found.standard_error == pytest.approx(0.03125)
    assert found.smallest_effect == pytest.approx(1.96 * 0.03125 * 2**0.5)
    assert smallest_effect(0.03, runs=4) == pytest.approx(smallest_effect(0.03) / 2)
    assert binomial_error(100, 0.1) == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("overrides", "problems"),
    [
        (["grpo.val_num_generations_per_prompt=4"], 256),
        (["++data.validation={dataset_name: AIME2024, repeat: 8}"], 30),
        (["++data.validation={dataset_name: DAPOMathAIME2024}", "grpo.max_val_samples=960"], 30),
        (["++data.validation=[{dataset_name: AIME2024, repeat: 8}, {dataset_name: gsm8k}]"], 256),
    ],
)
def test_repeats_of_a_problem_are_no_further_problems(nemo, overrides, problems):
    """They share its difficulty: the noise of the mean is that of so many problems, however often each was asked."""
    found = cost(load(nemo, GRPO, ["data.validation=null", *overrides]))
    assert found.standard_error == pytest.approx(binomial_error(problems))


def test_a_loss_has_no_binomial_noise(nemo):
    """Only a share of samples has the noise of a share."""
    assert cost(load(nemo, "examples/configs/sft.yaml")).standard_error is None


@pytest.mark.parametrize(
    ("recipe", "overrides", "why"),
    [
        (GRPO, ["grpo.max_num_steps=2"], "2 training steps are too few"),
        (GRPO, ["grpo.num_prompts_per_step=2", "grpo.num_generations_per_prompt=4"], "8 samples per step are too few"),
        (GRPO, ["grpo.max_val_samples=16", "grpo.val_batch_size=16"], "16 validation samples leave a standard error"),
        (GRPO, ["grpo.max_num_steps=20"], ""),
        ("examples/configs/grpo_smoke.yaml", [], "too few"),
        ("examples/configs/sft.yaml", ["sft.max_num_steps=100"], ""),
    ],
)
def test_a_run_too_small_to_judge_by_is_plumbing(nemo, recipe, overrides, why):
    """R113: few steps, small batches and few validation samples are told apart from a real run, with the reason."""
    found = cost(load(nemo, recipe, overrides)).plumbing
    assert (why in found) if why else found == ""


def test_a_recipe_of_days_is_pointed_out(mine):
    """A production length is no experiment; the script's own length and the option for it are named."""
    (warning,) = [one for one in cost(load(mine, RECIPE, ["grpo.max_num_steps=10000"])).warnings if "days" in one]
    assert "it stops at 100 steps itself" in warning
    assert not [one for one in cost(load(mine, RECIPE)).warnings if "days" in one]


def test_a_disagreement_of_script_and_recipe_is_said(mine):
    """Nodes and GPUs of the script are compared with the recipe's."""
    found = cost(load(mine, RECIPE, ["cluster.num_nodes=2", "cluster.gpus_per_node=4"]))
    assert len([warning for warning in found.warnings if "mine-1n8g.sh asks for" in warning]) == 2


COUNTED = (
    "grpo.max_num_steps", "grpo.max_num_epochs", "grpo.val_period", "grpo.val_start_at", "grpo.max_val_samples",
    "grpo.val_batch_size", "grpo.val_num_generations_per_prompt", "grpo.num_prompts_per_step",
    "grpo.num_generations_per_prompt", "cluster.num_nodes", "cluster.gpus_per_node", "checkpointing.save_period",
)  # fmt: skip


@pytest.mark.parametrize(("value", "why"), [
    ("cluster.gpus_per_node=eight", "cluster.gpus_per_node is 'eight' and has to be a whole number from 0 on"),
    ("cluster.num_nodes=-1", "cluster.num_nodes is -1 and has to be a whole number from 1 on"),
    ("grpo.max_num_steps=1.5", "grpo.max_num_steps is 1.5 and has to be a whole number"),
])  # fmt: skip
def test_a_count_that_is_none_is_refused(nemo, value, why):
    """NeMo-RL's types refuse it when a run starts; here it costs a line, and an idea that sets it never runs."""
    with pytest.raises(RecipeError, match=f"{GRPO}: {why}"):
        cost(load(nemo, GRPO, (value,)))


def test_what_nemo_rl_reads_as_a_count_is_one(nemo):
    """Its types take `8.0` and `"8"` for 8."""
    found = cost(load(nemo, GRPO, ("cluster.gpus_per_node='8'", "cluster.num_nodes=2.0", "grpo.max_num_steps=1e3")))
    assert (found.resources.gpus, found.steps) == (16, 1000)


@pytest.mark.full
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(st.sampled_from(COUNTED), st.one_of(st.integers(), st.floats(), st.booleans(), st.just("x"), st.just("null")))
def test_no_value_of_a_count_upsets_a_plan(nemo, key, value):
    """Whatever stands there: a plan, or one clear line."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    with contextlib.suppress(RecipeError):
        found = load(nemo, GRPO, (f"{key}={text}",))
        cost(found)
        objective.warnings(found, objective.objective_for(found))
