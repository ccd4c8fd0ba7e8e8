"""A claim to simplify counts where the commit bears it out."""

import pytest

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import simplifies

RECIPE = ("recipe.yaml",)
BEFORE = {"kl": 0.01, "scheduler.warmup": 10, "workers": 1, "lr": 0.1, "async.enabled": True, "packing": False}


@pytest.mark.parametrize(
    ("gone", "new"),
    [((), {"kl": 0.0}), ((), {"workers": 0}), ((), {"async.enabled": False}), (("scheduler.warmup",), {"scheduler": None})],
)  # fmt: skip
def test_turning_things_off_in_the_recipe_simplifies(gone, new):
    """Though the override may add a line to the recipe's file."""
    after = {key: value for key, value in (BEFORE | new).items() if key not in gone}
    assert simplifies([FileChange(path="recipe.yaml", added=1, deleted=0)], RECIPE, BEFORE, after)


@pytest.mark.parametrize("new", [{"lr": 0.2}, {"packing": True}, {"kl": 0.0, "lr": 0.2}, {"extra": 0}, {}])
def test_other_values_are_no_simplification(new):
    """Another number, something switched on, a mixture, a key that was not there, nothing at all."""
    assert not simplifies([FileChange(path="recipe.yaml", added=1, deleted=1)], RECIPE, BEFORE, BEFORE | new)


def test_code_simplifies_by_what_it_removes():
    """Over all files together; code that is longer than before is not simpler for a switch that it turns off."""
    shorter = [FileChange(path="a.py", added=1, deleted=40), FileChange(path="b.py", added=20, deleted=0)]
    longer = [FileChange(path="a.py", added=30, deleted=0), FileChange(path="recipe.yaml", added=1, deleted=1)]
    assert simplifies(shorter, RECIPE, None, None)
    assert not simplifies(longer, RECIPE, BEFORE, BEFORE | {"kl": 0.0})
