"""Whom the lessons of an earlier campaign are for: who trains the same, and measures the same."""

import pytest

from autoresearch.config.schema import CampaignConfig
from autoresearch.engine.supply import trained
from autoresearch.run.measurement import Direction, Objective

SCORE = Objective("", "score")


def of(command="python3 train.py --env cartpole --lr 0.1 --seed={seed}", target="command", recipe=""):
    """What a campaign's lessons are about."""
    document = {"campaign": "night", "target": {"type": target}, "recipe": recipe}
    return trained(CampaignConfig.of(document | {"command": command.split()}), SCORE)


@pytest.mark.parametrize(
    "other",
    [
        of("python3 other.py --env cartpole --lr 0.1 --seed={seed}"),
        of("python3 train.py --env pendulum --lr 0.1 --seed={seed}"),
        of(target="verl"),
        of(recipe="grpo.yaml"),
        (*of()[:-1], Direction.MINIMIZE),
    ],
    ids=["another script", "another task", "another target", "another recipe", "the other direction"],
)
def test_lessons_of_what_trains_or_measures_otherwise_are_not_told(other):
    """Another script of the repository knows nothing of this one, and what lowers a number is no way to raise it."""
    assert other != of()


def test_lessons_of_the_same_script_with_other_numbers_and_seeds_are_told():
    """A value or a seed in the command is what campaigns vary; the interpreter's path is no matter."""
    assert of("/usr/bin/python3.11 train.py --env cartpole --lr 0.2 --seed=7") == of()
