"""A run that hangs: found by its steps, whatever it prints, and ended with the evidence of where it hung."""

import pytest
from tests.conftest import commit_all

from autoresearch.machine import stacks

pytestmark = pytest.mark.full

SCRIPT = """\
import json, time
rate = json.load(open("config.json"))["lr"]
def lost():
    for count in range(100000):
        print(f"(monitor) heartbeat: step {count} score: 0.2", flush=True)
        time.sleep(0.05)
for step in range(1, 6):
    print(f"step {step} score: {step * rate}", flush=True)
    if step == 2 and rate == 0.2:
        lost()
"""


def test_a_run_that_only_says_it_is_alive_is_ended_and_is_nobodys_fault(lab):
    """Twice, for it is made again once; its log has the function it hung in, and the idea no verdict."""
    (lab.root / "train.py").write_text(SCRIPT)
    (lab.root / "ideas.yaml").write_text("- {title: chatty, area: optimizer, overrides: [lr=0.2]}\n")
    commit_all(lab.root)
    run = {"stall_floor_minutes": 0.1, "grace": 0.5}
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, run=run, stop="2 experiments, 2h each", verdict=verdict)
    assert lab.run().returncode == 0
    baseline, chatty = lab.rows()
    assert (baseline.status, chatty.status, chatty.metric_value, chatty.runs) == ("keep", "crash", None, 2)
    assert chatty.reason.startswith("could not be tested: stalled: no new step for ")
    ended = [event["ending"] for event in lab.journal("run_measured")]
    assert [(end["what"], end["who"]) for end in ended if end] == [("stalled", "unknown")] * 2
    assert lab.journal("run_measured")[0]["measurement"]["pace"]["steps"] == 5
    log = (lab.folder / "chatty" / "run-1" / "run.log").read_text()
    assert "in lost" in log
    assert "what the run's processes are doing" in log
    told = "lost (train.py:" in log or "py-spy could not look into it" in log
    assert told is (stacks.spy() is not None)
