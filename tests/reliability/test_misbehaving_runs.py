"""Runs that resist their end, in a whole campaign: each is over in time, alone, with a small log and a true row."""

import sys
from pathlib import Path

import psutil
import pytest
import yaml
from tests.conftest import commit_all

TRAIN = """\
import json, os, signal, sys, time
animal = json.load(open("config.json"))["animal"]
def here():
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{os.getpid()}\\n")
def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
here()
if animal == "daemon":
    if not os.fork():
        os.setsid(); deaf(); here(); os.close(1); os.close(2); time.sleep(100)
elif animal == "deaf crowd":
    deaf()
    for _ in range(10):
        if not os.fork():
            os.setsid(); here(); time.sleep(100)
    time.sleep(100)
elif animal == "flood":
    for _ in range(60):
        os.write(1, (b"x" * 99 + b"\\n") * 1000)
elif animal == "bytes":
    os.write(1, bytes(range(256)) * 50 + b"\\n")
print("score: 0.5", flush=True)
"""
ANIMALS = ("daemon", "deaf crowd", "flood", "bytes")


def living(file: Path) -> list[int]:
    """Processes that wrote their id down and still live."""
    pids = {int(line) for line in file.read_text().split()}
    assert len(pids) >= 12
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@pytest.mark.full
def test_every_misbehaving_run_is_one_row_and_nothing_else(lab, tmp_path):
    """What overran its limit is a crash that says so; a number beside a daemon, a flood or raw bytes still counts."""
    (lab.root / "train.py").write_text(TRAIN)
    (lab.root / "config.json").write_text('{"animal": "none"}\n')
    ideas = [{"title": animal, "overrides": [f'animal="{animal}"']} for animal in ANIMALS]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    lab.write(
        command=[sys.executable, "train.py"],
        launcher={"type": "local"},
        stop="5 experiments, 5s each",
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
        run={"env": {"PIDS": str(tmp_path / "pids")}, "grace": 0.5, "max_log_mb": 0.5},
    )
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert living(tmp_path / "pids") == []
    rows = {row.description: row for row in lab.rows()}
    assert [row.index for row in lab.rows()] == [1, 2, 3, 4, 5]
    assert (rows["deaf crowd"].status.value, rows["deaf crowd"].metric_value) == ("crash", None)
    assert "timed out" in rows["deaf crowd"].reason
    assert {rows[name].metric_value for name in ("daemon", "flood", "bytes")} == {0.5}
    logs = {path.parent.parent.name: path for path in lab.folder.glob("*/run-*/run.log")}
    assert logs["flood"].stat().st_size <= 512 * 1024
    assert b"bytes left out here]" in logs["flood"].read_bytes()
    assert [event["leftovers"] for event in lab.journal("run_ended")] == [[]] * 5
