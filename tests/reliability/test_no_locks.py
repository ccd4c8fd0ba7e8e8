"""Where the file system has neither locks nor hard links: the same promises, kept by files with names."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoresearch.records.row import parse_table

SHORT = {"stop": "3 experiments", "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0}}
SAID = [(1, "keep"), (2, "keep"), (3, "discard")]
COMPILER = shutil.which("cc")
WRITER = """
import sys
from pathlib import Path
from autoresearch.records.row import decode
from autoresearch.records.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    ledger.append(decode({"index": str(number), "branch": f"b/{number}", "status": "keep"}))
"""
pytestmark = pytest.mark.skipif(COMPILER is None, reason="taking locks away from a program needs a C compiler")


@pytest.fixture(scope="module")
def without(tmp_path_factory) -> dict[str, str]:
    """Environment of a program for which every `flock` and every `link` fails."""
    library = tmp_path_factory.mktemp("without") / "no_locks.so"
    source = Path(__file__).with_name("no_locks.c")
    subprocess.run((str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source)), check=True)
    return {"LD_PRELOAD": str(library)}


def test_the_stand_in_takes_locks_and_links_away(without, tmp_path):
    """Or the tests below would show nothing."""
    code = (
        "import fcntl, os, sys\n"
        "for act in (lambda: fcntl.flock(1, fcntl.LOCK_EX), lambda: os.link(sys.argv[1], sys.argv[1] + '2')):\n"
        "    try: act()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    (tmp_path / "file").touch()
    argv = (sys.executable, "-c", code, str(tmp_path / "file"))
    done = subprocess.run(argv, env={**os.environ, **without}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["37", "1"]


@pytest.mark.full
def test_a_campaign_is_killed_and_goes_on_without_locks(lab, without):
    """Same rows, no lock file left; the lock of the killed controller is taken over."""
    lab.write(**SHORT)
    assert lab.run(fault="run.planned#2=kill", **without).returncode == -9
    done = lab.run(**without)
    assert done.returncode == 0, done.stderr
    assert [(row.index, row.status.value) for row in lab.rows()] == SAID
    assert lab.cli("ledger", "check", **without).returncode == 0
    assert [path for top in ("reports", ".autoresearch") for path in (lab.root / top).rglob("*.lock*")] == []


def test_a_second_controller_is_refused_without_locks(lab, without):
    """The first one is at work and is not disturbed."""
    lab.write(**SHORT)
    first = lab.start_stepwise(**without)
    lab.step(first, lambda: lab.journal("run_planned"), "the first controller at work")
    assert f"process {first.pid} on" in lab.refused("run", "--yes", "--plain", **without)
    lab.let_go()
    first.communicate(timeout=200)
    assert first.returncode == 0
    assert [(row.index, row.status.value) for row in lab.rows()] == SAID


def test_writers_at_once_lose_nothing_without_locks(without, tmp_path):
    """Three processes append to one ledger, two of them the same rows: each row is there once."""
    path = tmp_path / "ledger.tsv"
    env = {**os.environ, **without}

    def write(span: tuple[int, int]) -> subprocess.CompletedProcess[str]:
        argv = (sys.executable, "-c", WRITER, str(path), *map(str, span))
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(write, [(0, 15), (0, 15), (15, 30)]))
    assert [writer.stderr for writer in done] == ["", "", ""]
    table = parse_table(path.read_text())
    assert (sorted(row.index for row in table.rows), table.problems) == (list(range(30)), ())
    assert list(tmp_path.iterdir()) == [path]
