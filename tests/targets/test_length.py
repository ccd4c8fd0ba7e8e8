import pytest

from autoresearch.targets.nemo_rl.cost import budget
from autoresearch.targets.nemo_rl.length import own_limit_minutes, seconds_of, steps_of_data
from autoresearch.targets.nemo_rl.objective import objective_for
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"


def test_a_run_ends_with_its_data(checkout):
    """One pass over what is left of a million rows beside the validation set, 32 prompts a step, the last batch dropped."""
    assert steps_of_data(load(checkout, GRPO)) == 29_687
    assert steps_of_data(load(checkout, GRPO, ["grpo.max_num_epochs=3"])) == 3 * 29_687


def test_data_that_is_endless_or_not_known_says_nothing(checkout):
    """No epoch limit, or a set that nobody has counted."""
    assert steps_of_data(load(checkout, GRPO, ["grpo.max_num_epochs=-1"])) is None
    assert steps_of_data(load(checkout, GRPO, ["data.train.dataset_name=mine"])) is None


def test_a_file_in_the_checkout_is_counted(checkout):
    """Rows of a JSONL file, blank lines left out; a file that is elsewhere is not known."""
    (checkout / "rows.jsonl").write_text('{"a": 1}\n\n' * 640)
    overrides = ["++data.train.data_path=rows.jsonl", "data.train.split_validation_size=0"]
    assert steps_of_data(load(checkout, GRPO, overrides)) == 20
    assert steps_of_data(load(checkout, GRPO, ["++data.train.data_path=/nowhere/rows.jsonl"])) is None


def test_dynamic_sampling_draws_larger_batches(checkout):
    """Upstream's loader takes `batch_multiplier` times the prompts of a step."""
    assert steps_of_data(load(checkout, GRPO, ["++grpo.batch_multiplier=2"])) == 14_843


def test_a_recipe_never_runs_beyond_its_own_time_limit(checkout):
    """It saves and stops by itself that long after its training loop began; start-up comes on top."""
    recipe = load(checkout, GRPO, ["checkpointing.checkpoint_must_save_by=00:03:45:00"])
    found = budget(recipe, objective_for(recipe))
    assert own_limit_minutes(recipe) == 225
    assert found.minutes == 225 + found.setup_minutes


@pytest.mark.parametrize("text", [None, 5, "", "1:2:3", "00:03:45:xx", "00:03:45:00:00"])
def test_a_limit_that_is_none_is_none(text):
    """Only `DD:HH:MM:SS` is a limit."""
    assert seconds_of(text) is None
