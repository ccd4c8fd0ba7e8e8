"""What a campaign has learned is on a page, in its briefs and in those of the next campaign of the repository."""

import pytest
import yaml
from tests.conftest import commit_all

JUDGED = {"policy": "greedy", "baseline_runs": 2, "confirm": 0, "insights": 1}


@pytest.mark.full
def test_the_page_is_renewed_and_the_next_campaign_is_told_what_is_confirmed(lab):
    """A loss that several runs show is a lesson, a gain that nothing vouches for is none; it is noted once."""
    listed = yaml.safe_load((lab.root / "ideas.yaml").read_text())
    again = {**listed[1], "title": "more weight decay", "overrides": ["wd=0.2"]}
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([*listed[:2], again]))
    commit_all(lab.root)
    lab.write(verdict=JUDGED)
    assert lab.run().returncode == 0
    lab.name = "day"
    lab.write(stop="2 experiments", verdict=JUDGED)
    assert lab.run().returncode == 0
    page = (lab.folder / "insights.md").read_text()
    assert "### What helped\n\n- #2 raise the learning rate `lr=0.2`: +0.195 [" in page
    (note,) = [one for one in lab.journal("noted") if one["text"].startswith("confirmed by earlier campaigns")]
    (line,) = note["details"].values()
    assert line.startswith("night at ")
    assert ", never: `wd` raised: 2 ideas, none kept (#3, #4), together -0.2 [" in line
    brief = (lab.folder / lab.rows()[-1].branch.rpartition("/")[2] / "brief.md").read_text()
    assert f"### Confirmed by earlier campaigns of this repository\n\n- {line}" in brief
    assert "### Tried in night" not in brief
    said = lab.refused("plan", "--from", "night", "--name", "late")
    assert "not confirmed on fresh seeds" in said
    assert "--base autoresearch/night/raise-the-learning-rate" in said


def test_a_campaign_goes_on_from_the_best_of_another_as_that_was_planned(finished):
    """It begins on the branch that fresh seeds confirmed; a campaign that is not there is named."""
    planned = finished.cli("plan", "--from", "night", "--name", "day", "--stop", "2 experiments")
    assert "3 ideas that night tried are told, not begun with; its noise is " in planned.stdout, planned.stderr
    written = yaml.safe_load((finished.folder.with_name("day") / "campaign.yaml").read_text())
    assert (written["base"], written["follows"]) == (finished.rows()[1].branch, "night")
    assert (written["command"], written["stop"]) == (["python3", "train.py"], "2 experiments")
    assert "nowhere" in finished.refused("plan", "--from", "nowhere", "--name", "day")


@pytest.mark.full
def test_its_briefs_have_what_was_tried_and_how_far_runs_scattered(finished):
    """Before the baseline was repeated here, the noise is that of the other campaign, and says so."""
    finished.cli("plan", "--from", "night", "--name", "day", "--stop", "2 experiments", "--set", "verdict.confirm=0")
    finished.name = "day"
    assert finished.run().returncode == 0
    brief = (finished.folder / finished.rows()[-1].branch.rpartition("/")[2] / "brief.md").read_text()
    assert "- weight decay `wd=0.1`: discard, effect " in brief.partition("### Tried in night, which")[2]
    assert "repeats in night, until runs are repeated here)" in brief
