"""A whole campaign of the search: points that are what they say, a budget of runs, and nothing that a kill could lose."""

import json
import subprocess
import time

import pytest
import yaml
from tests.conftest import PROVEN

from autoresearch.campaign import beginning, opening

pytest.importorskip("numpy")

SPACE = {"lr": {"type": "float", "low": 0.001, "high": 1.0, "log": True}, "wd": [0.0, 0.2]}
VALUES = [0.4, 0.6, 0.5, 0.7, 0.3, 0.65, 0.8, 0.2, 0.75, 0.85]
SCRIPT = {"*baseline*": {"value": [0.5]}, "*": {"value": VALUES}}


def write(lab, stop, parallel=1):
    launcher = {"type": "scripted", "parallel": parallel, "script": SCRIPT}
    lab.write(researcher={"type": "search", "space": SPACE}, stop=stop, launcher=launcher, verdict=PROVEN)


def config(lab, branch):
    """The configuration that a branch holds."""
    shown = subprocess.run(("git", "show", f"{branch}:config.json"), cwd=lab.root, capture_output=True, check=True)
    return json.loads(shown.stdout)


def test_every_commit_holds_a_point_of_its_own_whatever_was_kept_before(lab):
    """Kept points become parents, and still every branch holds a whole point of the space that no other holds."""
    write(lab, "5 experiments", parallel=2)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    made = [event for event in lab.journal("experiment_committed") if event["index"] > 1]
    assert len({event["parent"] for event in made}) > 1
    points = [config(lab, event["branch"]) for event in made]
    assert len({(point["lr"], point["wd"]) for point in points}) == len(points) == 4
    assert all(0.001 <= point["lr"] <= 1 and 0 <= point["wd"] <= 0.2 for point in points)
    assert not any(event["breaches"] for event in made)


@pytest.mark.full
def test_a_budget_of_runs_is_spent_on_points_and_on_the_proof_and_not_exceeded(lab):
    """Eight runs: the baseline, points, and fresh seeds of the best at the end; not one more."""
    write(lab, "8 runs")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    purposes = [event["purpose"] for event in lab.journal("run_planned")]
    assert len(purposes) == 8
    assert purposes.count("explore") >= 4
    assert {"baseline", "confirm"} <= set(purposes)
    assert "8/8 runs" in done.stdout


@pytest.mark.full
def test_a_killed_campaign_goes_on_with_the_very_same_points(lab, make_lab):
    """The search keeps nothing: killed while a proposal was open, it ends with the ledger of a campaign that was not."""
    write(lab, "3 experiments")
    assert lab.run().returncode == 0
    other = make_lab()
    write(other, "3 experiments")
    assert other.run(fault="propose.opened#2=kill").returncode != 0
    assert other.run().returncode == 0
    assert other.said() == lab.said()


def test_a_search_over_numbers_has_ideas_without_end_and_a_list_has_as_many_as_it_lists(lab, make_lab):
    """Two ideas share a run where there are plenty: the policy is told what researchers have."""
    other = make_lab()
    other.write()
    write(lab, "4 experiments")
    for one in (lab, other):
        beginning.begin_campaign(opening.open_campaign(one.root), "Ada", time.time)
    listed = yaml.safe_load((other.root / "ideas.yaml").read_text())
    assert beginning.make_context(opening.open_campaign(other.root)).outlook().supply == len(listed)
    assert beginning.make_context(opening.open_campaign(lab.root)).outlook().supply is None
