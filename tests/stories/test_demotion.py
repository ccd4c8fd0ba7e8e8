"""An incumbent that was taken back: in the journal, in the report, and no longer under anything new."""

import time

from autoresearch.core import plan
from autoresearch.engine.loop import Loop
from autoresearch.session import wiring

SCRIPT = {"*baseline*": {"value": [0.50, 0.51, 0.49]}, "*": {"value": [0.70]}}


def test_a_demotion_is_an_event_in_words_and_the_row_stays(lab):
    """The loop records who was taken back and why; whoever opens the campaign next goes on from the baseline."""
    verdict = {"policy": "sequential", "baseline_runs": 3, "confirm": 0}
    lab.write(stop="2 experiments", launcher={"type": "scripted", "script": SCRIPT}, verdict=verdict)
    wiring.begin(wiring.open_campaign(lab.root), "Ada", time.time)
    loop = Loop(wiring.wire(wiring.open_campaign(lab.root)), 0.01)
    loop.run()
    kept, rows = loop.ctx.history.incumbent, lab.ledger.read_text()
    assert kept != "baseline"
    loop.carry_out(plan.StepBack(kept, "baseline", "after further runs it is no better"))
    again = wiring.wire(wiring.open_campaign(lab.root)).history
    assert again.incumbent == "baseline"
    assert [(event.name, event.reason) for event in again.demotions] == [(kept, "after further runs it is no better")]
    assert lab.ledger.read_text() == rows
    lab.cli("report")
    assert f"{kept} was demoted, later ideas build on baseline" in (lab.folder / "report.md").read_text()
