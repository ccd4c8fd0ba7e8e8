"""What was adopted as a test of NeMo-RL's own suite: its numbers are those that were measured."""

import subprocess

import pytest

from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.ports.target import MeasuredRun
from autoresearch.run.measurement import Measurement

RECIPE = "examples/configs/recipes/llm/grpo-deepscaler-1.5b-8K.yaml"


def script(checkout, *runs: MeasuredRun, recipe=RECIPE):
    return plugins.load("targets", "nemo-rl")(recipe=recipe).test_suite(checkout, runs)


def run(value: float, step=40, minutes=61.2, *, apart=False):
    found = Measurement(metric="val:accuracy", value=value, step=step, last_step=40)
    return MeasuredRun(seed=42, minutes=minutes, measurement=found, apart=apart)


def test_its_numbers_are_those_of_the_measured_runs(checkout, tmp_path):
    """Steps reached, minutes of the longest run, and the poorest value, rounded so that its own run would pass."""
    made = script(checkout, run(0.70312), run(0.71, minutes=58.0))
    assert made.place == "tests/test_suites/llm/grpo-deepscaler-1.5b-8K.sh"
    assert "MAX_STEPS=40\n" in made.text
    assert "NUM_MINUTES=62  # the longest of the measured runs took 61.2\n" in made.text
    assert "uv run examples/run_grpo.py \\\n" in made.text
    assert """'data["validation/accuracy"]["40"] >= 0.7031'""" in made.text
    file = tmp_path / "made.sh"
    file.write_text(made.text)
    assert subprocess.run(("bash", "-n", str(file)), capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("other", [run(0.7, step=30), run(0.7, apart=True)], ids=["of another step", "evaluated apart"])
def test_nothing_is_checked_that_event_files_do_not_have(checkout, other):
    """Values of different steps, or an evaluation's, are no single figure there: a comment says so."""
    text = script(checkout, run(0.7), other).text
    assert "tests/check_metrics.py" not in text
    assert "none is checked." in text


def test_a_recipe_outside_the_suites_folder_has_no_script(checkout):
    """A script finds its recipe by its own path."""
    with pytest.raises(CampaignError, match="is outside examples/configs/recipes/"):
        script(checkout, run(0.7), recipe="examples/configs/grpo_math_1B.yaml")
