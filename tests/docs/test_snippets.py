"""Blocks of the documentation marked `sh run` and `python run` do run, page after page, as a reader would type them."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

DOCS = Path(__file__).resolve().parents[2] / "docs"
PYTHON = re.compile(r"^```python run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^```sh run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOUR = (
    "own-script", "stop-rules", "read-the-report", "resume-and-steer", "notes-and-clones", "drive-by-hand", "clean-up"
)  # fmt: skip


def type_in(page, folder):
    """Type a page's commands into a shell in `folder`; returns what it printed."""
    blocks = RUN.findall(page.read_text())
    assert blocks, f"{page} has no block marked `sh run`"
    return run(("sh", "-eu", "-c", "\n".join(blocks)), page, folder)


def run(argv, page, folder):
    """Run a program in `folder` as somebody who is at home there; returns what it printed."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONWARNINGS": ""}
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{page.name}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.timeout(900)
def test_the_how_to_pages_run_in_their_order(tmp_path):
    """A campaign on one's own script, its report, a kill and a resume, and a clone that reads the notes."""
    said = {"own-script": type_in(DOCS / "how-to" / "own-script.md", tmp_path)}
    said |= {name: type_in(DOCS / "how-to" / f"{name}.md", tmp_path / "mine") for name in TOUR[1:]}
    assert "4/4 attempted" in said["own-script"]
    assert "1 crashed" in said["own-script"]
    assert "refused, with exit code 1" in said["stop-rules"]
    assert "ledger, journals and notes agree" in said["resume-and-steer"]
    assert "0.878" in said["drive-by-hand"]
    assert "keep: +0.026" in said["drive-by-hand"]
    assert "discard: dropped by" in said["drive-by-hand"]
    assert said["notes-and-clones"].count('"metric_name":"accuracy"') == 2


@pytest.mark.timeout(900)
def test_the_tutorial_runs(tmp_path):
    """The tutorial's short demo makes a campaign whose every command afterwards works."""
    pytest.importorskip("numpy")
    said = type_in(DOCS / "tutorial.md", tmp_path)
    assert "4/4 attempted" in said or "deadline" in said
    assert "report.html" in said


@pytest.mark.timeout(900)
def test_the_tutorial_of_an_own_script_ends_with_a_gain_on_fresh_seeds(tmp_path):
    """From an empty folder to a gain on fresh seeds, by one command; the checkout is as it was."""
    pytest.importorskip("numpy")
    said = type_in(DOCS / "tutorial-own-script.md", tmp_path)
    assert "each run has its own, by SEED in a copy of train.py" in said
    assert "6/6 attempted" in said
    assert "unverified, by the runs' own word" in said
    assert said.rstrip().endswith("progress.png") or said.rstrip().endswith("progress.svg")


@pytest.mark.timeout(900)
def test_the_python_tutorial_runs(tmp_path):
    """One script of all its blocks: refused, approved, run, steered, read and simulated."""
    page = DOCS / "tutorial-python.md"
    type_in(page, tmp_path)
    said = run((sys.executable, "-W", "error", "-c", "\n".join(PYTHON.findall(page.read_text()))), page, tmp_path)
    assert "the plan of first-try is not approved" in said
    assert "4/4 attempted" in said
    assert "ended ('prefer changes that do not make a run slower',)" in said
    assert "4 crash None Diverge" in said
    assert "Raise the learning rate: +" in said
    assert '+{"lr": 0.1' in said
    assert "report.md" in said
    assert "20 campaigns of 20 runs each" in said


def test_a_campaign_on_a_volume_runs_as_the_page_says(tmp_path, monkeypatch):
    """Layout, a login that is used and not shown, and what is left after a wipe."""
    monkeypatch.setenv("USER", "ada")
    said = type_in(DOCS / "how-to" / "brev.md", tmp_path)
    assert "logged in [redacted]" in said
    assert "artifacts  checkpoints  logs  ray  run-1  tmp  wandb" in " ".join(said.split()).replace(" ", "  ")
    assert f"the files of 2 of 2 runs on {tmp_path}/ephemeral are gone" in said
    assert "refused, with exit code 1" in said


def test_the_page_about_evaluations_runs(tmp_path):
    """A judge from the base commit says the same as the run, and the row is sound."""
    said = type_in(DOCS / "how-to" / "evaluate.md", tmp_path)
    assert '"integrity": "sound"' in said
    assert "2/2 attempted" in said


def test_the_page_about_lightning_runs(tmp_path):
    """A table whose columns are filled in different rows gives the curve that is in it."""
    assert "((9, 0.51), (19, 0.74))" in type_in(DOCS / "how-to" / "lightning.md", tmp_path)


def test_the_page_of_the_local_launcher_runs(tmp_path):
    """Two runs at a time on this machine, with the launcher's options in the file and in the submission."""
    said = type_in(DOCS / "how-to" / "local.md", tmp_path)
    assert "min_free_memory_gb: 0.5" in said
    assert "2\t1.000042\tlocal\tnone\tkeep" in said
    assert "limit 30 s, then TERM, 5 s, KILL" in said
