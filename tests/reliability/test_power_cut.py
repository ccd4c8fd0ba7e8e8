"""A power cut takes what no fsync was waited for; the campaign goes on and ends as it would have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import PROVEN, WORK

SYNCED = """
import os, sys
from autoresearch.cli.main import main
real, told = os.fsync, os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def fsync(handle):
    real(handle)
    os.write(told, f"{os.fstat(handle).st_size} {os.readlink(f'/proc/self/fd/{handle}')}\\n".encode())
os.fsync = fsync
sys.exit(main(sys.argv[2:]))
"""
"""The program as it is, and beside it which file was how long when its fsync came back."""

JOURNAL, ROWS = "journal.jsonl", "auto_research_results.tsv"


def campaign(make_lab):
    """A campaign of three attempts."""
    lab = make_lab()
    lab.write(stop="3 experiments", verdict=PROVEN)
    return lab


@pytest.fixture(scope="module")
def undisturbed(make_lab):
    """What came of it when nothing goes wrong."""
    lab = campaign(make_lab)
    assert lab.run().returncode == 0
    return came_of_it(lab)


def came_of_it(lab):
    """Index, idea, verdict and value; a name that the cut took from the journal, and not from git, is not used again."""
    return [(row.index, row.description, row.status, row.metric_value) for row in lab.rows()]


def cut(lab, told: Path) -> list[int]:
    """Take away what was written after the last fsync of journal, rows and evidence; how many bytes went of each."""
    waited: dict[str, int] = {}
    for line in told.read_text().splitlines():
        size, _, path = line.partition(" ")
        # Written aside and renamed: `.name.new-host-pid`.
        place = Path(path)
        name = place.name[1:].partition(".new-")[0] if ".new-" in place.name else place.name
        waited[str(place.with_name(name))] = int(size)
    lost = []
    for file in (lab.folder / JOURNAL, lab.ledger, *lab.folder.glob("*/*.*"), *lab.folder.glob("*/run-*/*.json")):
        if file.is_file() and not file.is_symlink() and ".scripted" not in file.parts:
            kept = min(waited.get(str(file), 0), file.stat().st_size)
            lost.append(file.stat().st_size - kept)
            os.truncate(file, kept)
    return lost


FIRST = ("run.submitted", "run.measured", "settle.judged", "settle.row")
OTHERS = (
    "propose.opened",
    "propose.edited",
    "propose.record",
    "run.planned",
    "run.ended",
    "settle.noted",
    "loop.moved",
)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("step", [*FIRST, *(pytest.param(step, marks=pytest.mark.full) for step in OTHERS)])
def test_what_waited_for_no_disk_is_found_again(make_lab, undisturbed, tmp_path, step, nth):
    """Journal and rows are cut back to their last fsync: no verdict is lost or doubled, no run is done twice over it."""
    if (step, nth) in {("propose.opened", 2), ("propose.edited", 2)}:
        nth = 1
    lab, told = campaign(make_lab), tmp_path / "told"
    words = (sys.executable, "-c", SYNCED, str(told), *WORK)
    env = {**os.environ, "AUTORESEARCH_FAULT": f"{step}#{nth}=kill"}
    killed = subprocess.run(words, cwd=lab.root, env=env, capture_output=True, text=True, check=False, timeout=280)
    assert killed.returncode == -9, killed.stderr
    judged = (lab.folder / JOURNAL).read_text().count('"kind":"experiment_judged"')
    cut(lab, told)
    assert (lab.folder / JOURNAL).read_text().count('"kind":"experiment_judged"') == judged
    again = lab.run()
    assert again.returncode == 0, again.stderr
    assert came_of_it(lab) == undisturbed
    checked = lab.cli("ledger", "check")
    assert checked.returncode == 0, checked.stdout


def test_a_run_is_on_the_disk_before_it_is_sent(make_lab, tmp_path):
    """Whatever the launcher was asked for, the journal knows after the cut: nothing runs that nobody knows of."""
    lab, told = campaign(make_lab), tmp_path / "told"
    words = (sys.executable, "-c", SYNCED, str(told), *WORK)
    env = {**os.environ, "AUTORESEARCH_FAULT": "run.submitted#2=kill"}
    subprocess.run(words, cwd=lab.root, env=env, capture_output=True, check=False, timeout=280)
    sent = {path.stem for path in (lab.folder / ".scripted").glob("ar-*.json")}
    assert len(sent) == 2
    assert sum(cut(lab, told)) > 0
    text = (lab.folder / JOURNAL).read_text()
    assert [run for run in sent if f'"run_id":"{run}"' not in text] == []


def test_an_experiment_waits_for_what_is_acted_upon_only(make_lab, tmp_path):
    """A run before it is sent, a verdict before its row; what launcher, git and files tell again goes with these."""
    lab, told = campaign(make_lab), tmp_path / "told"
    words = (sys.executable, "-c", SYNCED, str(told), *WORK)
    subprocess.run(words, cwd=lab.root, env=lab.environ("", {}), capture_output=True, check=True, timeout=280)
    waits = sum(line.endswith(f"/{JOURNAL}") for line in told.read_text().splitlines())
    assert 6 <= waits <= (lab.folder / JOURNAL).read_text().count("\n") // 2
