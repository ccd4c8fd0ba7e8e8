"""A fixed slice of the drills, by the tool that carries out all of them: `tools/drill.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "drill.py"
SLICE = [
    ("kill", "run.submitted,repair.record,settle.row"),
    ("torn", "journal.append.write"),
    ("full", "ledger.append.write"),
    ("eintr,eio", "journal.append.sync"),
]


@pytest.mark.full
@pytest.mark.parametrize(("kinds", "points"), SLICE)
def test_struck_anywhere_it_goes_on_to_the_same_ledger(kinds, points):
    """Same rows, same runs, nothing left over, the user's checkout untouched; see the tool for all that is looked at."""
    argv = (sys.executable, str(TOOL), "--kinds", kinds, "--points", points, "--first")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout


def test_a_drill_that_strikes_nowhere_is_no_drill():
    """A misspelt place is refused, not passed."""
    argv = (sys.executable, str(TOOL), "--points", "nowhere")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
