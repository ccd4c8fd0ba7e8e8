"""Where heavy files go."""

import pytest

from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.site import Ground, Site, choose, reminders, user
from autoresearch.errors import CampaignError

BREV = Ground(checkout=True, volume=True, apart=True)


def test_a_brev_machine_is_known_by_its_checkout_and_its_volume():
    """R36: both together; the reason is told."""
    found = choose(SiteConfig(), "local", BREV, here=True)
    assert found.type == "brev"
    assert "/home/ubuntu/RL" in found.why
    assert "/ephemeral" in found.why


@pytest.mark.parametrize(
    ("ground", "why"),
    [
        (Ground(), "/home/ubuntu/RL is not a checkout"),
        (Ground(volume=True, apart=True), "/home/ubuntu/RL is not a checkout"),
        (Ground(checkout=True), "there is no /ephemeral"),
        (
            Ground(checkout=True, volume=True),
            "/ephemeral lies on the disk of /home/ubuntu/RL and is not a separate volume",
        ),
    ],
)
def test_half_of_a_brev_machine_is_none(ground, why):
    """R213: a laptop with a folder of that name, or a checkout of that path, is left as it is."""
    assert choose(SiteConfig(), "local", ground, here=True) == Site("plain", why)


@pytest.mark.parametrize("launcher", ["kubernetes", "nrl-k8s", "slurm", "ray"])
def test_runs_that_are_elsewhere_never_get_the_layout(launcher):
    """R213: from a Brev machine too, a pod or a node sees no volume of ours; asking for it is refused."""
    assert choose(SiteConfig(), launcher, BREV, here=False).type == "plain"
    with pytest.raises(CampaignError, match=f"launcher {launcher} do not see; use launcher local, or site plain"):
        choose(SiteConfig(type="brev"), launcher, BREV, here=False)


def test_a_person_decides_over_what_was_found():
    """The flag or the key wins, in both directions."""
    assert choose(SiteConfig(type="plain"), "local", BREV, here=True).type == "plain"
    assert choose(SiteConfig(type="brev"), "local", Ground(), here=True).type == "brev"


@pytest.mark.parametrize(
    ("environ", "name"),
    [({"USER": "ada"}, "ada"), ({}, "ubuntu"), ({"USER": ""}, "ubuntu"), ({"USER": "../x"}, "ubuntu")],
)
def test_the_folder_on_the_volume_is_the_users(environ, name):
    """R191: `${USER:-ubuntu}`, and never a path."""
    assert user(SiteConfig(), environ) == name
    assert user(SiteConfig(user="grace"), environ) == "grace"


@pytest.mark.parametrize(
    "site", [{"volume": "ephemeral"}, {"volume": "/a/../b"}, {"user": "a/b"}, {"user": ".."}, "bref"]
)
def test_a_site_that_could_lead_elsewhere_is_refused(site):
    """Relative paths, steps upwards, names with a slash, misspelt types."""
    with pytest.raises(CampaignError, match="site"):
        CampaignConfig.of({"campaign": "night", "site": site})


def test_a_missing_store_and_missing_keys_are_reminded_of_by_name():
    """R200: what the recipe will want and nobody has set."""
    wants = {"logger.wandb_enabled": True, "policy.model_name": "Qwen/Qwen2.5-1.5B"}
    told = reminders(wants, (), "/home/ubuntu/RL/.env", exists=False)
    assert len(told) == 3
    assert all("/home/ubuntu/RL/.env" in line for line in told)
    assert ["WANDB_API_KEY" in line for line in told] == [False, True, False]


def test_nothing_is_reminded_of_that_is_there_or_not_needed():
    """A model on this disk needs no login; either name of the hub's token will do."""
    for model in ("/models/tiny", "/tiny", "./tiny", "~/tiny", "tiny"):
        here = {"logger.wandb_enabled": False, "policy.model_name": model}
        assert reminders(here, (), ".env", exists=True) == ()
    hub = {"logger.wandb_enabled": True, "policy.model_name": "Qwen/Qwen2.5-1.5B"}
    assert reminders(hub, ("WANDB_API_KEY", "HUGGING_FACE_HUB_TOKEN"), ".env", exists=True) == ()
