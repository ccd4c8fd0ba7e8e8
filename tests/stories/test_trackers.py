"""Campaigns that tell a tracker, and trackers that fail them."""

import json
import sqlite3
import subprocess
import time

import pytest
from tests.plugin_packages import write

TRACKERS = """
import json, os, pathlib, threading

class Recording:
    name = "recording"

    def __init__(self, *, options):
        self.file = pathlib.Path(options["folder"]) / "heard.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.say("made", str(options.get("word", "")))

    def say(self, *words):
        with self.file.open("a") as out:
            out.write(json.dumps(words) + "\\n")

    def recall(self, event):
        self.say("recalled", event.kind)

    def tell(self, event):
        self.say("told", event.kind, repr(event))

    def close(self):
        self.say("closed")

class Failing(Recording):
    def tell(self, event):
        if not (self.file.parent / "server").exists():
            raise ConnectionError("no server at 10.0.0.9; token hf_" + 4 * "AbCdEfGh")
        super().tell(event)

class Exiting(Recording):
    def tell(self, event):
        raise SystemExit("no licence")

class Hanging(Recording):
    def tell(self, event):
        self.say("told", event.kind, "")
        threading.Event().wait()
"""
POINTS = {name: f"their_adapters:{name.capitalize()}" for name in ("recording", "failing", "exiting", "hanging")}


@pytest.fixture
def night(lab, tmp_path):
    """Works on a campaign of two experiments that tells these trackers."""
    package = tmp_path / "package"
    package.mkdir()
    write(package, {"trackers": POINTS}, TRACKERS)

    def work(*trackers: object, **env: str) -> subprocess.CompletedProcess[str]:
        if not lab.journal():
            lab.write(trackers=list(trackers), stop="2 experiments")
        return lab.run(PYTHONPATH=str(package), **env)

    return work


def heard(lab, label):
    """What a recording tracker has written down."""
    file = lab.folder / ".trackers" / label / "heard.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def notes(lab):
    return [str(note["text"]) for note in lab.journal("noted") if "tracker" in str(note["text"])]


def test_a_tracker_hears_of_everything_once(night, lab):
    """Start, runs, verdicts and end, in the journal's order; options of its own reach it."""
    assert night({"type": "recording", "word": "hello"}).returncode == 0
    told = heard(lab, "recording")
    kinds = [event["kind"] for event in lab.journal()]
    assert told[0] == told[1] == ["made", "hello"]  # once to see whether it can be had
    assert [words[1] for words in told[2:-1]] == kinds
    assert told[-1] == ["closed"]
    assert {"campaign_started", "run_measured", "experiment_judged", "campaign_ended"} <= set(kinds)


@pytest.mark.full
def test_a_campaign_that_is_taken_up_again_tells_only_what_is_new(night, lab):
    """What an earlier controller told is recalled; a death between telling and remembering repeats one event at most."""
    night("recording")
    before = len(lab.journal())
    assert night().returncode == 0
    again = heard(lab, "recording")
    second = again[[words[0] for words in again].index("closed") + 1 :]
    assert [words[0] for words in second[:1]] == ["made"]
    assert [words[1] for words in second if words[0] == "recalled"] == [e["kind"] for e in lab.journal()[:before]]
    assert [words[1] for words in second if words[0] == "told"] == [e["kind"] for e in lab.journal()[before:]]


def test_a_controller_that_was_killed_leaves_no_gap_and_at_most_one_thing_twice(night, lab):
    """It may die between telling and writing down that it told; nothing else comes again."""
    assert night("recording", fault="run.submitted#2=kill").returncode == -9
    assert night().returncode == 0
    told = [words for words in heard(lab, "recording") if words[0] == "told"]
    kinds = [event["kind"] for event in lab.journal()]
    assert [words[1] for place, words in enumerate(told) if words != told[place - 1]] == kinds
    assert len(kinds) <= len(told) <= len(kinds) + 1


def test_a_tracker_that_fails_is_told_of_once_and_hurts_nothing(night, lab):
    """The rows are there; one note each says what failed, without the secret in its words."""
    assert night("failing", "exiting", "recording").returncode == 0
    assert len(lab.rows()) == 2
    left, note = sorted(notes(lab))
    assert left.startswith("tracker exiting could not be told of campaign_started and is tried again: SystemExit: no")
    assert note.startswith("tracker failing could not be told of campaign_started and is tried again: ConnectionError:")
    assert "AbCdEfGh" not in note
    lab.cli("report")
    assert "tracker failing could not be told" in (lab.folder / "report.md").read_text()
    assert heard(lab, "recording")[-1] == ["closed"]


@pytest.mark.full
def test_what_a_broken_tracker_has_missed_it_is_told_later(night, lab):
    """Nothing is lost while its server is away."""
    night("failing")
    (lab.folder / ".trackers" / "failing" / "server").touch()
    night()
    kinds = [words[1] for words in heard(lab, "failing") if words[0] == "told"]
    assert kinds == [event["kind"] for event in lab.journal()]


@pytest.mark.full
def test_a_tracker_that_hangs_is_left_behind(night, lab):
    """The campaign runs to its end, the process ends too, and a person reads who was left behind."""
    began = time.monotonic()
    assert night("hanging").returncode == 0
    assert time.monotonic() - began < 100
    assert [words for words in heard(lab, "hanging") if words[0] == "told"] == [["told", "campaign_started", ""]]
    assert len(lab.rows()) == 2
    assert any("tracker hanging did not answer in time" in note for note in notes(lab))


def test_no_tracker_hears_a_secret(night, lab):
    """An override is what will run, so the journal has it as it is; a tracker does not."""
    secret = "hf_" + 4 * "QwErTyUi"
    (lab.root / "ideas.yaml").write_text(json.dumps([{"title": "log in", "overrides": [f"+login={secret}"]}]))
    night("recording", SOME_API_KEY=secret)
    everything = json.dumps(heard(lab, "recording"))
    assert secret in json.dumps(lab.journal("experiment_committed"))
    assert "+login=" in everything
    assert secret not in everything


@pytest.mark.parametrize(
    ("trackers", "told"),
    [
        (["mlflo"], "there is no tracker 'mlflo'; choose one of: mlflow, notices, tensorboard, trackio, wandb"),
        ([{"type": "wandb", "projcet": "x"}], "the wandb tracker has no option 'projcet'; did you mean 'project'?"),
        ([{"type": "wandb", "project": "hf_" + 4 * "QwErTyUi"}], "trackers[0].project"),
    ],
)
def test_a_mistake_in_the_campaign_file_is_refused_before_it_begins(lab, trackers, told):
    """A misspelt tracker or option with the nearest valid one, and a secret where it would be copied."""
    lab.write(trackers=trackers)
    assert told in lab.refused("run", "--yes", "--plain")
    assert lab.journal() == []


@pytest.mark.full
@pytest.mark.trackers
def test_a_campaign_is_found_in_both_of_ours(lab):
    """With the real packages, offline: rows of the ledger are runs there, and the process ends with them."""
    pytest.importorskip("mlflow", reason="needs mlflow: pip install '.[mlflow]'")
    pytest.importorskip("wandb", reason="needs wandb: pip install '.[wandb]'")
    lab.write(trackers=["mlflow", {"type": "wandb", "mode": "offline"}], stop="2 experiments")
    behind = None
    while behind != (behind := notes(lab)):  # who is slow today is told the rest when the campaign is next worked on
        assert lab.run().returncode == 0
    with sqlite3.connect(lab.folder / ".trackers" / "mlflow" / "mlflow.db") as database:
        runs = dict(database.execute("select name, status from runs"))
        verdicts = [value for (value,) in database.execute("select value from tags where key = 'status'")]
    assert runs == dict.fromkeys(("night", *(row.branch.rpartition("/")[2] for row in lab.rows())), "FINISHED")
    assert sorted(verdicts) == sorted(row.status for row in lab.rows())
    assert len(list((lab.folder / ".trackers" / "wandb" / "wandb").glob("offline-run-*/*.wandb"))) >= 3
