"""An incumbent that was taken back: in the journal, in the report, and no longer under anything new."""

import time

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.campaign import beginning, opening
from autoresearch.engine.loop import Loop
from autoresearch.scheduling import next_move

LUCKY = """
import json, random, sys
config, seed = json.load(open("config.json")), int(sys.argv[1])
harm = 0.8 if config["lr"] == 0.2 else 0.0
luck = 1.0 if config == {"lr": 0.2, "wd": 0.0} and seed == 42 else 0.0
print(f"score: {0.5 + luck - harm + random.Random(f'{config} {seed}').gauss(0, 0.01)}")
"""
SCRIPT = {"*baseline*": {"value": [0.50, 0.51, 0.49]}, "*": {"value": [0.70]}}


def test_a_demotion_is_an_event_in_words_and_the_row_stays(lab):
    """The loop records who was taken back and why; whoever opens the campaign next goes on from the baseline."""
    verdict = {"policy": "sequential", "baseline_runs": 3, "confirm": 0}
    lab.write(stop="2 experiments", launcher={"type": "scripted", "script": SCRIPT}, verdict=verdict)
    beginning.begin_campaign(opening.open_campaign(lab.root), "Ada", time.time)
    loop = Loop(ctx=beginning.make_context(opening.open_campaign(lab.root)), poll_s=0.01)
    loop.run()
    kept, rows = loop.ctx.history.incumbent, lab.ledger.read_text()
    assert kept != "baseline"
    loop.carry_out(next_move.StepBack(kept, "baseline", "after further runs it is no better"))
    again = beginning.make_context(opening.open_campaign(lab.root)).history
    assert again.incumbent == "baseline"
    assert [(event.name, event.reason) for event in again.demotions] == [(kept, "after further runs it is no better")]
    assert lab.ledger.read_text() == rows
    lab.cli("report")
    assert f"{kept} was demoted, later ideas build on baseline" in (lab.folder / "report.md").read_text()


@pytest.mark.full
def test_a_lucky_incumbent_is_taken_back_by_its_own_campaign(lab):
    """One lucky run is kept, 25 ideas fail on top of it, its anchor shows what it is, and the next idea starts anew."""
    (lab.root / "train.py").write_text(LUCKY)
    ideas = [{"title": "a lucky seed", "area": "optimizer", "overrides": ["lr=0.2"]}]
    ideas += [{"title": f"decay {n}", "area": "decay", "overrides": [f"wd=0.{n}"]} for n in range(10, 38)]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    lab.write(
        command=["python3", "train.py", "{seed}"],
        stop="32 runs",
        launcher={"type": "local"},
        verdict={"policy": "sequential", "worth": 0.01, "confirm": 0},
    )
    lab.run()
    (lost,) = lab.journal("incumbent_demoted")
    assert lost["name"] == "a-lucky-seed"
    parents = [event["parent"] for event in lab.journal("experiment_opened")]
    assert (parents[2], parents[-1]) == ("a-lucky-seed", "baseline")
    assert [row.status.value for row in lab.rows()][1] == "keep"
