"""Confined runs follow each other in one worktree, and none of them finds anything of another."""

import subprocess

import pytest
from tests.conftest import PROVEN, commit_all

from autoresearch.machine import sandbox

pytestmark = pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox on this machine: {sandbox.why_not()}")

SPOILS = """
import json, os, pathlib
print("found", sorted(os.listdir(".")), open("helper.py").read().strip(), os.stat("still.py").st_ino, flush=True)
before = os.stat("helper.py")
with open("helper.py", "r+") as stream:
    stream.write("spoilt")
os.utime("helper.py", ns=(before.st_atime_ns, before.st_mtime_ns))
os.makedirs("__pycache__", exist_ok=True)
for left in ("left.py", "__pycache__/train.cpython-311.pyc", "ignored.log"):
    pathlib.Path(left).write_text("left")
print("score:", json.load(open("config.json"))["lr"])
"""


def found_by(lab):
    """What each run found in its worktree: names, the text of a module that is spoilt, the inode of one that is not."""
    logs = sorted(lab.folder.glob("*/run-1/run.log"), key=lambda path: path.stat().st_mtime)
    lines = [line for log in logs for line in log.read_text().splitlines() if line.startswith("found")]
    return [(line.rpartition(" ")[0], line.rpartition(" ")[2]) for line in lines]


@pytest.fixture
def spoiling(make_lab):
    """A campaign of three attempts whose runs rewrite a module, times and length kept, and leave files behind."""
    lab = make_lab()
    (lab.root / "train.py").write_text(SPOILS)
    (lab.root / "helper.py").write_text("intact\n")
    (lab.root / "still.py").write_text("still\n")
    (lab.root / ".gitignore").write_text("*.log\n__pycache__/\nreports/\n")
    commit_all(lab.root)
    return lab


def test_a_run_finds_nothing_of_the_one_before(spoiling):
    """Its files are the commit's, though one of them was never written again; nothing lies by in the end."""
    spoiling.write(stop="3 experiments", verdict=PROVEN, launcher={"type": "local"}, run={"sandbox": "required"})
    done = spoiling.run()
    assert done.returncode == 0, done.stderr
    told, inodes = zip(*found_by(spoiling), strict=True)
    assert len(told) >= 3
    assert len(set(told)) == 1
    assert "intact" in told[0]
    assert "left" not in told[0]
    assert len(set(inodes)) == 1
    assert not list((spoiling.root / ".autoresearch" / "worktrees" / "night").glob("*"))
    assert subprocess.check_output(("git", "worktree", "list"), cwd=spoiling.root, text=True).count("\n") == 1
