"""Before the baseline: a few steps with a validation, told and judged by nobody."""

import subprocess
import sys
import time

import pytest
from tests.conftest import commit_all

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.own_script import rehearsal
from autoresearch.campaign.plan import PlanRequest
from autoresearch.cli.main import main
from autoresearch.engine.first_runs import Rehearsed
from autoresearch.examples.demo_repository import create
from autoresearch.experiment.events import Noted, Paused
from autoresearch.ports.target import Survey
from autoresearch.run.measurement import Objective

TINY = "examples/configs/recipes/llm/grpo-tiny-1n0g.yaml"
COMMAND = [sys.executable, "examples/run_grpo.py"]


def test_what_was_seen_takes_the_place_of_predictions():
    """Start-up, step and length; where no step was seen, what was predicted stands."""
    survey = Survey(
        objective=Objective("", "score"), command=(), minutes=60.0, setup_minutes=5.0, step_minutes=1.0, steps=100
    )
    seen = Rehearsed(well=True, told="", setup_s=120.0, step_s=30.0).corrects(survey)
    assert (seen.setup_minutes, seen.step_minutes, seen.minutes) == (2.0, 0.5, 52.0)
    assert Rehearsed(well=True, told="it was broken off").corrects(survey) == survey


def drafted(root):
    """A campaign of the demo's recipe that is to be rehearsed."""
    campaign = Campaign(where=root)
    settings = {"command": COMMAND, "run": {"rehearsal": "always"}, "verdict": {"policy": "greedy", "confirm": 0}}
    settings |= {"target": {"type": "nemo-rl", "steps": 20}}
    campaign.write(campaign.draft(PlanRequest(TINY, "1 experiment", "night", settings)))
    return campaign


def rehearsed(root, events):
    """The same, worked on until it ends or pauses."""
    campaign = drafted(root)

    def heard(event) -> None:
        events.append(event)
        if isinstance(event, Paused):
            Campaign(where=root, name="night", by="Ada").stop(now=True)

    campaign.run(heard, approved_by="Ada", poll_s=0.05)
    return campaign


@pytest.mark.full
def test_a_rehearsal_is_an_event_and_has_no_row(tmp_path):
    """It ends with its number before the baseline begins; its folder keeps no weights."""
    events: list[object] = []
    campaign = rehearsed(create(tmp_path / "demo").root, events)
    told = [event.text for event in events if isinstance(event, Noted)]
    assert "rehearsal: 2 steps with a validation, judged by nobody: succeeded; val:accuracy = " in told[1]
    assert [row.description for row in campaign.rows()] == ["the unmodified recipe"]
    step = campaign.paths().folder / "rehearsal" / "run-0" / "checkpoints" / "step_2"
    assert sorted(path.name for path in step.iterdir()) == ["config.yaml", "training_info.json"]


@pytest.mark.full
def test_a_rehearsal_without_a_number_pauses_the_campaign(tmp_path, capsys):
    """The baseline would end like it, hours later; asked for alone, it is refused and nothing is written."""
    root = create(tmp_path / "demo").root
    (root / "examples" / "run_grpo.py").write_text("raise ValueError('no such reward')\n")
    commit_all(root)
    events: list[object] = []
    campaign = rehearsed(root, events)
    (pause,) = (event for event in events if isinstance(event, Paused))
    assert "its rehearsal gave no number" in pause.reason
    assert campaign.rows() == ()
    words = ["--command", " ".join(COMMAND), "--stop", "1 experiment", "--name", "other", "--repo", str(root)]
    assert main(["plan", TINY, "--rehearse", *words]) == 1
    assert "the rehearsal gave no number, so nothing was written" in capsys.readouterr().err
    assert not (root / "reports" / "auto_research" / "other" / "campaign.yaml").exists()


@pytest.mark.full
def test_a_rehearsal_goes_on_when_its_controller_is_interrupted_and_the_next_one_follows_it(tmp_path):
    """As other runs in flight do: it is not cancelled, not made again, and the baseline waits for it."""
    campaign, events = drafted(create(tmp_path / "demo").root), list[object]()

    def interrupted(event) -> None:
        if isinstance(event, Noted) and event.text.startswith("before the baseline"):
            Campaign(where=campaign.where, name="night", by="Ada").pause()
        if isinstance(event, Paused):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign.run(interrupted, approved_by="Ada", poll_s=0.05)
    assert campaign.rows() == ()
    Campaign(where=campaign.where, name="night", by="Ada").resume()
    campaign.run(events.append, approved_by="Ada", poll_s=0.05)
    (told,) = (event.text for event in events if isinstance(event, Noted) and event.text.startswith("rehearsal: "))
    assert "succeeded; val:accuracy = " in told
    assert [run.name for run in (campaign.paths().folder / "rehearsal").glob("run-*")] == ["run-0"]
    assert [row.description for row in campaign.rows()] == ["the unmodified recipe"]


@pytest.mark.full
def test_a_pause_lets_the_rehearsal_go_on_and_nothing_else_begin(tmp_path):
    """It comes to its end while the campaign is paused; the baseline is opened after `resume`."""
    campaign, events = drafted(create(tmp_path / "demo").root), list[object]()
    person = Campaign(where=campaign.where, name="night", by="Ada")

    def heard(event) -> None:
        events.append(event)
        if isinstance(event, Noted) and event.text.startswith("before the baseline"):
            person.pause()
        if isinstance(event, Noted) and event.text.startswith("rehearsal: "):
            person.resume()

    campaign.run(heard, approved_by="Ada", poll_s=0.05)
    kinds = [event.text[:10] if isinstance(event, Noted) else event.kind for event in events]
    order = [kind for kind in kinds if kind in {"paused", "rehearsal:", "resumed", "experiment_opened"}]
    assert order == ["paused", "rehearsal:", "resumed", "experiment_opened"]
    assert any("succeeded" in event.text for event in events if isinstance(event, Noted))


def wait_for(found, patience_s=200.0):
    """Wait for something to become true, and return it."""
    limit = time.monotonic() + patience_s
    while not (value := found()):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return value


WAITS = """\
import os, pathlib, time
begun = pathlib.Path(os.environ["AUTORESEARCH_FOLDER"], "begun")
begun.touch()
while begun.exists(): time.sleep(0.1)
"""


@pytest.fixture
def killed(tmp_path):
    """A repository where `plan --rehearse` was killed, and the run that it left; its job ends with the test."""
    root = create(tmp_path / "demo").root
    (root / "examples" / "run_grpo.py").write_text(WAITS)
    commit_all(root)
    words = ["--command", " ".join(COMMAND), "--stop", "1 experiment", "--name", "killed", "--repo", str(root)]
    made = subprocess.Popen([sys.executable, "-m", "autoresearch", "plan", TINY, "--rehearse", *words])
    runs = root / "reports" / "auto_research" / "killed" / "rehearsal"
    try:
        (begun,) = wait_for(lambda: list(runs.glob("run-*/begun")))
        assert rehearsal.clear_abandoned(root) == ()
        made.kill()
        made.wait()
        yield root, begun.parent
    finally:
        made.kill()
        made.wait()
        for begun in runs.glob("run-*/begun"):
            begun.unlink()
            wait_for((begun.parent / "exit.json").exists)


@pytest.mark.full
def test_the_rehearsal_of_a_plan_that_was_killed_is_ended_by_the_next_one_and_cleared_on_request(killed, capsys):
    """Its job ends and its worktree goes; `gc` shows what it logged, in a repository without a campaign, and clears."""
    root, run = killed
    assert rehearsal.clear_abandoned(root) == (f"killed/rehearsal/{run.name}",)
    wait_for((run / "exit.json").exists)
    assert rehearsal.clear_abandoned(root) == ()
    assert main(["gc", "--repo", str(root)]) == 0
    assert "gc --remove rehearsals" in capsys.readouterr().out
    assert (run / "exit.json").exists()
    assert main(["gc", "--remove", "rehearsals", "--repo", str(root)]) == 0
    assert f"killed/rehearsal/{run.name}" in capsys.readouterr().out
    assert not run.exists()
    assert rehearsal.killed_rehearsals(root) == ()
