"""Runs that lay links, pipes and folders where the program writes and reads, without any sandbox."""

import json
import os
import sys

import pytest
import yaml
from tests.conftest import commit_all

TRAIN = """\
import json, os, pathlib
folder = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"])
night = folder.parent.parent
trap = json.load(open("config.json"))["trap"]
print("score: 0.5", flush=True)
if trap == "links":
    (folder / "measurement.json").symlink_to(night / "journal.jsonl")
    (folder / ".run.log.aside").symlink_to(night / "campaign.yaml")
    (folder / ".exit.json.reserved").unlink()
    (folder / ".exit.json.reserved").symlink_to(night.parent.parent / "auto_research_results.tsv")
    for line in range(300):
        print("x" * 99, flush=True)
    print("score: 0.5", flush=True)
if trap == "deep":
    (folder / "caches").mkdir(exist_ok=True)
    own = [] if os.listdir("/tmp") else ["/tmp"]  # empty in a sandbox, where it is the run's own
    for place in (folder, folder / "caches", pathlib.Path.cwd(), *own):
        os.chdir(place)
        for level in range(1200):
            os.mkdir("x")
            os.chdir("x")
if trap == "folders":
    for name in ("measurement.json", "supervisor.err", ".exit.json.new"):
        (folder / name).mkdir()
if trap == "end":
    (folder / "exit.json").mkdir()
if trap in {"rewritten", "replaced", "inserted"}:
    while "score" not in (folder / "run.log").read_text():
        pass
    if trap == "rewritten":
        (folder / "run.log").write_text("score: 0.9\\n")
    if trap == "replaced":
        (folder / "x").write_text("score: 0.9\\n")
        os.replace(folder / "x", folder / "run.log")
    if trap == "inserted":
        with open(folder / "run.log", "r+") as log:
            log.write("score: 0.9")
if trap == "rules":
    for name in (".gitattributes", ".gitmodules"):
        os.mkfifo(name)
    for name in (".gitignore", "config.json", "big.bin", "new/.gitignore"):
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        pathlib.Path(name).touch()
        os.truncate(name, 1 << 42)
if trap == "pipe":
    (folder / "run.log").unlink()
    os.mkfifo(folder / "run.log")
if trap == "borrowed":
    (folder / "run.log").unlink()
    (folder / "run.log").symlink_to(night / "baseline" / "run-1" / "run.log")
if trap == "moved":
    os.rename(folder, night / "moved" / "aside")
    os.symlink(night / "baseline" / "run-1", folder)
if trap == "shared":
    (folder / "run.log").unlink()
    (folder / "run.log").hardlink_to(night / "baseline" / "run-1" / "run.log")
"""
TRAPS = (
    "deep",
    "links",
    "folders",
    "rules",
    "end",
    "pipe",
    "borrowed",
    "shared",
    "moved",
    "rewritten",
    "replaced",
    "inserted",
)


@pytest.mark.full
def test_a_run_that_lays_traps_in_its_own_folder_harms_itself_at_most(lab):
    """Journal, ledger and plan are whole, nothing waits, and who forges an end or a log has no number."""
    (lab.root / "train.py").write_text(TRAIN)
    (lab.root / "config.json").write_text('{"trap": ""}\n')
    (lab.root / "ideas.yaml").write_text(
        yaml.safe_dump([{"title": trap, "parent": "baseline", "overrides": [f"trap={trap}"]} for trap in TRAPS])
    )
    commit_all(lab.root)
    plan = lab.write(
        stop="13 experiments, 60s each",
        launcher={"type": "local"},
        command=[sys.executable, "train.py"],
        run={"max_log_mb": 0.01, "grace": 0.5},
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    done = lab.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(row.description, row.status.value) for row in lab.rows()[1:]] == [
        ("deep", "discard"), ("links", "discard"), ("folders", "discard"), ("rules", "discard"), ("end", "crash"), ("pipe", "crash"), ("borrowed", "crash"),
        ("shared", "crash"), ("moved", "crash"), ("rewritten", "crash"), ("replaced", "crash"), ("inserted", "crash"),
    ]  # fmt: skip
    assert lab.rows()[1].metric_value == 0.5
    assert "somebody else than its supervisor wrote it" in lab.rows()[5].reason
    for row in (*lab.rows()[6:9], *lab.rows()[10:]):
        assert "contradicted: its log is not what it printed" in row.reason
    assert "its folder was moved away and a link laid in its place" in lab.rows()[9].reason
    first = json.loads((lab.folder / "baseline" / "run-1" / "exit.json").read_text())
    assert (first["run_id"], first["tampered"]) == ("ar-night--baseline--1", "")
    assert len(lab.journal("run_measured")) == 13
    assert yaml.safe_load(plan.read_text())["campaign"] == "night"
    for folder in ("links", "folders"):
        found = lab.folder / folder / "run-1" / "measurement.json"
        assert not found.is_symlink()
        assert json.loads(found.read_text())["value"] == 0.5
    assert os.path.lexists(lab.folder / "borrowed" / "run-1" / "run.log")


RECORDS = """\
import json, os, pathlib, time
folder = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"])
trap = json.load(open("config.json"))["trap"]
print("score: 0.5", flush=True)
if trap == "words":
    said = {"v": 1, "kind": "steered", "at": time.time(), "text": "keep this", "by": "me"}
    with open(folder.parent.parent / "journal.jsonl", "a") as journal:
        journal.write(json.dumps(said) + "\\n")
if trap == "ended":
    end = {"ending": "exited", "code": 0, "signal": None, "ended_at": time.time(), "seal": "0" * 32, "tampered": ""}
    (folder / "exit.json").write_text(json.dumps(end))
    time.sleep(1)
    print("score: 0.9", flush=True)
"""


def test_a_run_that_writes_into_the_records_is_named_and_says_nothing_for_a_person(lab):
    """Without a sandbox it can: a line in the journal is found by `ledger check`, a forged end leaves it no number."""
    (lab.root / "train.py").write_text(RECORDS)
    (lab.root / "config.json").write_text('{"trap": ""}\n')
    traps = ("words", "ended")
    (lab.root / "ideas.yaml").write_text(
        yaml.safe_dump([{"title": trap, "parent": "baseline", "overrides": [f"trap={trap}"]} for trap in traps])
    )
    commit_all(lab.root)
    lab.write(
        stop="3 experiments, 60s each",
        launcher={"type": "local"},
        command=[sys.executable, "train.py"],
        run={"grace": 0.5},
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    done = lab.run()
    assert done.returncode == 0, done.stderr
    rows = {row.description: row for row in lab.rows()}
    assert (rows["ended"].status.value, rows["ended"].metric_value) == ("crash", None), rows["ended"].reason
    assert lab.rows()[1].metric_value == 0.5
    assert "somebody else than its supervisor wrote it" in rows["ended"].reason
    checked = lab.cli("ledger", "check")
    assert checked.returncode == 1
    assert "not written by autoresearch" in checked.stdout + checked.stderr
    assert "keep this" not in (lab.folder / "report.md").read_text()
