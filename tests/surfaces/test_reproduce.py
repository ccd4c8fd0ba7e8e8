"""`reproduce`: a recorded run once more, outside the records."""

import json
import signal

import pytest
from tests.conftest import commit_all

TRAIN = """import json, os, random, sys, time
lr = json.load(open("config.json"))["lr"]
seed = int(sys.argv[1])
while not os.path.exists(os.environ.get("GATE", "/")):
    time.sleep(0.05)
print("score:", 0 if os.environ.get("FAIL") else lr + random.Random(seed).random() / 100)
"""


@pytest.fixture
def trained(lab):
    """A finished campaign of real processes: the baseline and one idea."""
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    lab.gate.touch()
    lab.write(
        command=["python3", "train.py", "{seed}"],
        launcher={"type": "local"},
        run={"env": {"GATE": str(lab.gate)}, "grace": 0.5},
        stop="2 experiments",
    )
    assert lab.run().returncode == 0
    return lab


def records(lab):
    return [path.read_bytes() for path in (lab.ledger, lab.folder / "journal.jsonl")]


def test_the_same_commit_and_seed_give_the_same_value_and_nothing_is_recorded(trained):
    """The number is read again from a run of its own; ledger and journal are as before, no worktree is left."""
    before = records(trained)
    done = trained.cli("reproduce", "2", "--json")
    made = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert made["agreement"]["again"] == made["agreement"]["recorded"]
    assert made["measurement"]["value"] == pytest.approx(trained.rows()[1].metric_value, abs=1e-6)
    assert made["commit"].startswith(trained.rows()[1].commit)
    assert (trained.folder / "raise-the-learning-rate" / "again" / "run-1" / "measurement.json").exists()
    assert records(trained) == before
    assert not list((trained.root / ".autoresearch" / "worktrees").glob("*/*"))


def test_a_value_that_does_not_come_back_is_told_with_exit_code_one(trained):
    """The machine has changed under the experiment: recorded and new value, side by side."""
    done = trained.cli("reproduce", "2", FAIL="1")
    assert done.returncode == 1
    assert "recorded:" in done.stdout
    assert "differs by -0.2" in done.stdout, done.stdout


def test_a_rehearsal_sends_and_leaves_nothing(trained):
    """The exact command line on paper."""
    done = trained.cli("reproduce", "1", "--dry-run")
    assert "train.py" in done.stdout
    assert not (trained.folder / "baseline" / "again").exists()


@pytest.mark.full
def test_interrupted_it_ends_its_run(trained):
    """Ctrl-C: the process is gone, the worktree too, and the next one gets a folder of its own."""
    trained.gate.unlink()
    child = trained.start("reproduce", "2")
    log = trained.folder / "raise-the-learning-rate" / "again" / "run-1" / "run.log"
    trained.until(log.exists, "the run to start")
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=200)
    assert child.returncode == 130
    assert not list((trained.root / ".autoresearch" / "worktrees").glob("*/*"))
    trained.gate.touch()
    assert "the same value" in trained.cli("reproduce", "2").stdout


def test_what_was_never_run_cannot_be_made_again(trained):
    """One line that says what there is."""
    assert "there is no experiment 9; autoresearch ledger lists" in trained.refused("reproduce", "9")
    assert "experiment 2 has no run 7 of its last commit; it has 1" in trained.refused("reproduce", "2", "--run", "7")
