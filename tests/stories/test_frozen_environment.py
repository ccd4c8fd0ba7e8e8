"""How runs are set up is found once, shown whole, frozen with the plan, and what every later run gets."""

import json
import sys
from pathlib import Path

import pytest

from autoresearch.campaign import beginning, opening, surroundings
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.errors import CampaignError
from autoresearch.examples.demo_repository import create
from autoresearch.ports.target import RunRequest

TINY = "examples/configs/recipes/llm/grpo-tiny-1n0g.yaml"
COMMAND = [sys.executable, "examples/run_grpo.py"]


@pytest.fixture
def night(tmp_path, monkeypatch):
    """An approved campaign of the demo's recipe, whose runs share a Python environment that is named."""
    root, venv = create(tmp_path / "demo").root, tmp_path / "venv"
    venv.mkdir()
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(venv))
    monkeypatch.setenv("PYTHONPATH", "/opt/ours")
    campaign = Campaign(where=root, name="night")
    settings = {"command": COMMAND, "approval": {"by": "anyone"}}
    plan = campaign.draft(PlanRequest(TINY, "1 experiment", "night", settings))
    campaign.write(plan)
    campaign.approve(campaign.plan(), by="Ada")
    return campaign


def taken_up(campaign):
    """The campaign as a controller that starts now finds it."""
    return beginning.make_context(opening.open_campaign(campaign.where, campaign.name), proposing=False)


def variables(ctx):
    """What the next run would find around it."""
    root, folder = ctx.paths.root, Path("/runs/run-1")
    request = RunRequest(run_id="ar-night--baseline--1", tree=root, folder=folder, log=folder / "run.log", seed=1,
                         limit_s=None, commit="0" * 40)  # fmt: skip
    return ctx.target.job(request)


def first_line(campaign):
    """Of the journal, as JSON."""
    return json.loads(campaign.paths().journal.read_text().splitlines()[0])


def rewrite(campaign, change):
    """The journal with another first event, as an earlier version wrote it."""
    said = first_line(campaign)
    change(said)
    campaign.paths().journal.write_text(json.dumps(said, separators=(",", ":")) + "\n")


def test_the_plan_shows_the_environment_and_the_first_event_freezes_it(night, tmp_path):
    """The same words that a person approved are in the journal."""
    assert f"UV_PROJECT_ENVIRONMENT={tmp_path / 'venv'}" in night.plan().text()
    frozen = first_line(night)["survey"]["environment"]
    assert frozen["python"]["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / "venv")
    assert (frozen["path"], frozen["saves"], frozen["there"]) == ("/opt/ours", "lean", True)


def test_a_campaign_that_is_taken_up_elsewhere_keeps_its_environment(night, monkeypatch, tmp_path):
    """Another shell names another Python and path: runs get the frozen ones, and a note says so once."""
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "another"))
    monkeypatch.setenv("PYTHONPATH", "/opt/another")
    ctx = taken_up(night)
    env = variables(ctx).env
    assert env["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / "venv")
    assert env["PYTHONPATH"].endswith(":/opt/ours")
    assert "PYTHONPATH: /opt/ours is frozen, here it would be /opt/another" in ctx.history.notes[-1].text
    assert len(taken_up(night).history.notes) == len(ctx.history.notes)


def test_a_frozen_environment_that_is_gone_is_refused(night, tmp_path):
    """Numbers of other packages could not be compared, so nothing is started."""
    (tmp_path / "venv").rmdir()
    with pytest.raises(CampaignError, match=r"which is not there any more.*put it back.*nothing was started"):
        taken_up(night)


@pytest.mark.parametrize(("kept", "lean"), [("all", False), ("kept", True)])
def test_runs_of_an_earlier_versions_campaign_save_as_it_did(night, kept, lean):
    """One that froze no environment gets lean checkpoints only if its plan prunes them."""

    def as_before(said) -> None:
        said["survey"].pop("environment")
        said["plan"]["run"]["checkpoints"] = kept

    rewrite(night, as_before)
    night.paths().campaign_file.unlink()
    ctx = taken_up(night)
    assert ("checkpointing.save_optimizer=false" in variables(ctx).argv) is lean
    assert surroundings.frozen(ctx.history) is None
