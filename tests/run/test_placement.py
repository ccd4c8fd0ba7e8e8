"""Where a run should happen."""

import pytest

from autoresearch.run.job import Resources
from autoresearch.run.placement import Places, crowded, on_cpu, recommend, refusal, room

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
    assert found.refused == (("local", "a run needs 8 GPUs and this machine has none"),)


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
    assert refusal(EIGHT, Places())
    assert refusal(EIGHT, Places(), plumbing=True) == ""
    assert refusal(Resources(), Places()) == ""


def test_a_plumbing_run_goes_without_the_gpus_that_are_not_there():
    """R35: it is started on CPU instead of waiting for ever; where there are enough GPUs it gets them."""
    assert on_cpu(EIGHT, Places()).gpus == 0
    assert on_cpu(EIGHT, Places(gpus=tuple(range(8)), allowed=(0, 1))).gpus == 0
    assert on_cpu(EIGHT, Places(gpus=tuple(range(8)))) == EIGHT


def test_several_nodes_are_never_this_machine():
    """Not for plumbing either: no launcher here could start such a run."""
    two = Resources(nodes=2, gpus_per_node=8)
    assert refusal(two, Places(gpus=tuple(range(16))), plumbing=True) == "a run needs 2 nodes and this is one machine"


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        ((0, 1), "a run needs 8 GPUs and this machine has 8, of which launcher.gpus allows 2"),
        ((6, 7, 8, 9), "launcher.gpus names 8, 9, and the GPUs here are 0, 1, 2, 3, 4, 5, 6, 7"),
    ],
)
def test_the_gpus_that_a_campaign_file_allows_are_what_counts(allowed, why):
    """Too few of them, or ones that are not there: refused before anything begins, and not recommended."""
    places = Places(gpus=tuple(range(8)), allowed=allowed, slurm=True)
    assert refusal(EIGHT, places) == why
    assert recommend(EIGHT, places).launcher == "slurm"
    assert refusal(Resources(gpus_per_node=1), Places(gpus=(), allowed=(0,))) == (
        "launcher.gpus names 0, and the GPUs here are none"
    )


def test_free_gpus_that_the_campaign_may_not_use_are_not_counted():
    """R31: free capacity is that of the allowed ones."""
    places = Places(gpus=tuple(range(8)), busy=(0,), allowed=(0, 1))
    assert (places.usable, places.free) == (2, 1)
    assert recommend(Resources(gpus_per_node=1), places).launcher == "local"


def test_a_ray_address_that_no_job_can_be_sent_to_is_not_recommended():
    """An address of the cluster's own port is named with what is wanted in its place."""
    found = recommend(EIGHT, Places(ray="10.0.0.1:6379"))
    assert found.launcher == ""
    assert (
        "ray",
        "RAY_ADDRESS is 10.0.0.1:6379 and the launcher needs the dashboard's, http://HOST:8265",
    ) in found.refused
    assert recommend(EIGHT, Places(ray="http://head:8265")).launcher == "ray"


def test_kubernetes_is_recommended_where_its_context_is_all_there_is():
    """R33: with the context by name, for a person approves a cluster and not a word."""
    found = recommend(EIGHT, Places(kubernetes="prod-east"))
    assert (found.launcher, "prod-east" in found.why) == ("kubernetes", True)


@pytest.mark.parametrize(("parallel", "told"), [(1, False), (2, False), (3, True)])
def test_more_runs_at_once_than_fit_are_told_to_wait(parallel, told):
    """Four GPUs, two for each run: the third one waits."""
    assert bool(crowded(Resources(gpus_per_node=2), Places(gpus=(0, 1, 2, 3)), parallel)) is told
    assert crowded(Resources(), Places(), parallel) == ""


@pytest.mark.parametrize(
    ("gigabytes", "told"),
    [
        (0.0, "0 bytes"),
        (5.45e-05, "54.5 kB"),
        (0.75, "750 MB"),
        (3.456, "3.46 GB"),
        (1234.0, "1.23 TB"),
        (5e6, "5000 TB"),
    ],
)
def test_an_amount_of_storage_is_told_without_an_exponent(gigabytes, told):
    """From the demo's kilobytes to a cluster's petabytes."""
    assert room(gigabytes) == told
