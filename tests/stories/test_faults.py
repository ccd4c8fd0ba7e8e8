"""Killed at any named place, the campaign goes on and ends with the same ledger."""

import itertools

import pytest
from tests.conftest import PROVEN

from autoresearch.git.refs import branches
from autoresearch.machine import fault_points

PLACES = [name for name in fault_points.POINTS if not name.startswith(("lock.takeover", "propose.bundle"))]
ENGINE = [name for name in PLACES if name.startswith(("propose.", "run.", "settle.", "loop."))]
RECORDS = ["ledger.append.sync", "journal.append.sync", "lock.release", "notes.write.before", "memory.append.sync"]
TORN = [name for name in PLACES if name.endswith(".write")]
SHORT = {"stop": "3 experiments", "verdict": PROVEN}


def campaign(make_lab):
    """A campaign of three attempts."""
    lab = make_lab()
    lab.write(**SHORT)
    return lab


@pytest.fixture(scope="module")
def undisturbed(make_lab):
    """What the ledger says when nothing goes wrong."""
    lab = campaign(make_lab)
    assert lab.run().returncode == 0
    return lab.said()


def resumed(lab, undisturbed):
    """Run again after the fault; nothing is lost, doubled, left out or orphaned."""
    again = lab.run()
    assert again.returncode == 0, again.stderr
    assert lab.said() == undisturbed
    assert [row.index for row in lab.rows()] == [1, 2, 3]
    assert len(branches(lab.root)) == 3


# The second time is the first idea where the first was the baseline.
@pytest.mark.full
@pytest.mark.parametrize(
    ("step", "nth"),
    [(name, 1) for name in ENGINE] + [(name, 2) for name in RECORDS if name != "lock.release"] + [("lock.release", 1)],
)
def test_killed_at_any_step_it_resumes_to_the_same_ledger(make_lab, undisturbed, step, nth):
    """`kill -9` between any two steps loses no row and doubles none; indices have no gaps; no branch is orphaned."""
    lab = campaign(make_lab)
    killed = lab.run(fault=f"{step}#{nth}=kill")
    assert killed.returncode == -9, killed.stderr
    resumed(lab, undisturbed)


@pytest.mark.soak
@pytest.mark.parametrize(("step", "nth", "kind"), [
    *itertools.product(PLACES, (1, 2, 3, 7), ("kill",)), *itertools.product(TORN, (1, 2, 5), ("torn",)),
    *itertools.product(TORN, (1, 4), ("enospc", "eio")),
])  # fmt: skip
def test_any_fault_at_any_place_and_time_is_survived(make_lab, undisturbed, step, nth, kind):
    """The whole product of places, times and kinds of failure."""
    lab = campaign(make_lab)
    hurt = lab.run(fault=f"{step}#{nth}={kind}")
    assert hurt.returncode in ((-9, 0) if kind in ("kill", "torn") else (1, 0)), hurt.stderr
    resumed(lab, undisturbed)


@pytest.mark.full
@pytest.mark.parametrize("step", ["journal.append.write#9+", "ledger.append.write#2+", "file.replace.write#12+"])
def test_a_disk_that_fills_up_loses_nothing(make_lab, undisturbed, step):
    """One clear line, exit code 1; with room again the campaign goes on to the same end."""
    lab = campaign(make_lab)
    full = lab.run(fault=f"{step}=enospc")
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert "No space left on device" in full.stderr
    assert "intact" in full.stderr
    resumed(lab, undisturbed)


@pytest.mark.full
def test_a_limit_on_file_sizes_is_met_like_a_full_disk(make_lab, undisturbed):
    """The system itself refuses (no drill): `ulimit -f` lets no file grow beyond 8 KiB."""
    lab = campaign(make_lab)
    full = lab.cli("run", "--yes", "--plain", "--poll", "0.01", prefix=("bash", "-c", 'ulimit -f 8; exec "$@"', "sh"))
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert "File too large" in full.stderr
    resumed(lab, undisturbed)
