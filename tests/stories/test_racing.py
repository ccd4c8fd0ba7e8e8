"""A run that cannot catch up is ended before its last step, by the real loop."""

import time

from autoresearch.campaign import opening
from autoresearch.engine.loop import Loop

CLIMB = "score: 0.2\nscore: 0.3\nscore: 0.4\nscore: {value}\n"
STUCK = "score: 0.01\nscore: 0.01\nscore: 0.01\n"
SCRIPT = {
    "*baseline*": {"value": [0.50, 0.51, 0.49], "log": CLIMB},
    "*raise-the*": {"states": ["running"], "value": [0.0], "log": STUCK},
    "*": {"value": [0.50], "log": CLIMB},
}


def work(lab):
    """Run the lab's campaign here, looking at every run's files whenever its state is asked for."""
    verdict = {"policy": "sequential", "baseline_runs": 3}
    launcher = {"type": "scripted", "script": SCRIPT}
    lab.write(stop="2 experiments", launcher=launcher, verdict=verdict)
    opening.begin_campaign(opening.open_campaign(lab.root), "Ada", time.time)
    Loop(ctx=opening.make_context(opening.open_campaign(lab.root)), poll_s=0.01, health_s=0.0).run()
    return lab.rows()[1]


def test_a_run_that_cannot_catch_up_is_ended_and_discarded(lab):
    """It would run for ever: past half of its steps it is cancelled, and its row says how far behind it was."""
    row = work(lab)
    assert row.status.value == "discard"
    assert "hopeless: at step 3 of 4 it was at 0.01 where its parent was at 0.4" in row.reason
    assert len(lab.rows()) == 2
