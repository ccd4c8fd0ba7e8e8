"""Where a run should happen."""

import pytest

from autoresearch.core.job import Resources
from autoresearch.core.places import Places, recommend, refusal

EIGHT = Resources(nodes=1, gpus_per_node=8)


def test_a_cpu_run_stays_here():
    """Nothing is asked of a cluster for a run that needs no GPU."""
    assert recommend(Resources(), Places(slurm=True)).launcher == "local"


def test_free_gpus_here_are_preferred():
    """R31: this machine, when it has suitable GPUs and free capacity."""
    assert recommend(EIGHT, Places(gpus=tuple(range(8)), slurm=True)).launcher == "local"


def test_the_only_other_place_is_recommended_with_its_reason():
    """Without GPUs here and with Slurm, Slurm; and local is refused, saying why."""
    found = recommend(EIGHT, Places(slurm=True))
    assert found.launcher == "slurm"
    assert found.refused == (("local", "a run needs 8 GPUs and this machine offers none"),)


@pytest.mark.parametrize("places", [Places(), Places(slurm=True, ray="http://head:8265")])
def test_what_is_unclear_is_asked(places):
    """R15: nothing suitable, or several places: a person decides."""
    assert recommend(EIGHT, places).launcher == ""


def test_busy_gpus_of_other_people_are_respected():
    """With every GPU busy and nowhere else to go, runs wait here."""
    found = recommend(EIGHT, Places(gpus=tuple(range(8)), busy=(0, 1)))
    assert found.launcher == "local"
    assert "busy" in found.why


def test_a_gpu_recipe_on_cpu_is_refused_except_as_plumbing():
    """R35: CPU-only runs of GPU recipes are for dry runs and plumbing."""
    assert refusal("local", EIGHT, Places())
    assert refusal("local", EIGHT, Places(), plumbing=True) == ""
