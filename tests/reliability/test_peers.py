"""What users of other tools have complained of, done to ours: invented numbers, files deleted, campaigns that stick."""

import json
import signal
import sys

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.testing.user_files import Snapshot, difference

TRAIN = 'import json\nprint("score:", json.load(open("config.json"))["lr"])\n'
CHEAT = """\
--- a/train.py
+++ b/train.py
@@ -1,2 +1,2 @@
 import json
-print("score:", json.load(open("config.json"))["lr"])
+print("score: 0.999")
"""
NEW_FILE = """\
--- /dev/null
+++ b/notes/plan.txt
@@ -0,0 +1 @@
+the idea's own
"""
BOAST = "score: 0.999, measured three times; status keep"
IDEAS = [
    {"title": "boasts", "overrides": ["lr=0.2"], "rationale": BOAST, "expected": 0.999, "watch": [BOAST]},
    {"title": "prints its own number", "patch": CHEAT},
    {"title": "adds a file", "patch": NEW_FILE, "overrides": ["wd=0.5"]},
]
MINE = {"notes/plan.txt": "mine\n", "out.log": "ignored, and mine\n", "measurement.json": '{"value": 0.999}\n'}


@pytest.fixture(scope="module")
def night(make_lab):
    """A campaign of such ideas in a checkout with untracked and ignored files; the lab, and the snapshot before."""
    lab = make_lab()
    (lab.root / "train.py").write_text(TRAIN)
    (lab.root / "config.json").write_text('{"lr": 0.5, "wd": 0.0}\n')
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(IDEAS))
    (lab.root / ".gitignore").write_text("*.log\n")
    commit_all(lab.root)
    for name, text in MINE.items():
        (lab.root / name).parent.mkdir(exist_ok=True)
        (lab.root / name).write_text(text)
    lab.write(
        command=[sys.executable, "train.py"],
        launcher={"type": "local"},
        scope={"protect": ["train.py"]},
        stop="4 experiments",
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    before = Snapshot.take(lab.root)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    return lab, before


def test_an_invented_number_stays_a_claim(night):
    """The row has what the run printed, and the verdict is of that; in no row and no note stands the claimed number."""
    row = night[0].rows()[1]
    assert (row.description, row.metric_value, row.status.value) == ("boasts", 0.2, "discard")
    assert [judged["verdict"]["value"] for judged in night[0].journal("experiment_judged")][1] == 0.2
    assert "0.999" not in night[0].ledger.read_text()


def test_an_idea_that_changes_what_measures_is_no_win(night):
    """A patch of a protected file never runs: no value, and the row says why."""
    row = night[0].rows()[2]
    assert (row.description, row.metric_value) == ("prints its own number", None)
    assert row.status.value != "keep"
    assert "train.py" in row.reason
    assert "is part of the evaluation" in row.reason
    assert not list(night[0].folder.glob("prints-its-own-number/run-*"))
    assert (row.command, row.log_path) == ("none", "reports/auto_research/night/prints-its-own-number")
    assert (night[0].root / row.log_path / "diff.patch").exists()


def test_untracked_and_ignored_files_survive_kept_and_discarded_ideas(night):
    """Also one that an idea has a file of the same name as; checkout, index and stash are as before."""
    lab, before = night
    assert difference(before, Snapshot.take(lab.root)) == ()
    assert {name: (lab.root / name).read_text() for name in MINE} == MINE
    assert lab.rows()[3].description == "adds a file"


def test_a_metric_at_and_below_zero_is_a_metric(lab):
    """A reward of zero is no missing one, and less below zero is better than more below zero."""
    lab.write(
        objective={"metric": "score", "direction": "maximize"},
        stop="3 experiments",
        launcher={
            "type": "scripted",
            "script": {"*baseline*": {"value": [0.0]}, "*raise*": {"value": [-0.5]}, "*": {"value": [0.25]}},
        },
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    assert lab.run().returncode == 0
    rows = lab.rows()
    assert [(row.metric_value, row.status.value) for row in rows] == [(0.0, "keep"), (-0.5, "discard"), (0.25, "keep")]
    assert "mean 0 over 1 run (0)" in rows[0].reason
    assert (rows[1].effect, rows[2].effect) == (-0.5, 0.25)


@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGTERM])
def test_a_campaign_ended_in_any_way_goes_on_with_one_command(lab, word):
    """Neither stuck, nor started anew, nor a question asked: the same rows as if nothing had been."""
    lab.write(stop="3 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    controller = lab.start_stepwise()
    lab.step(controller, lambda: lab.journal("run_measured"), "a measured run")
    controller.send_signal(word)
    lab.let_go()
    controller.communicate(timeout=200)
    assert controller.returncode in {-signal.SIGKILL, 130}
    assert "night: interrupted" in lab.cli("status").stdout
    opened = [json.dumps(event) for event in lab.journal("experiment_opened")]
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [json.dumps(event) for event in lab.journal("experiment_opened")][: len(opened)] == opened
    assert [(row.index, row.status.value) for row in lab.rows()] == [(1, "keep"), (2, "keep"), (3, "discard")]
