"""Killed at any named place, the campaign goes on and ends with the same ledger."""

import pytest

from autoresearch.workspace import faults
from autoresearch.workspace.git import branches

PLACES = [name for name in faults.POINTS if not name.startswith(("lock.takeover", "propose.bundle"))]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the ledger says when nothing goes wrong."""
    from tests.stories.conftest import Lab, make_repository

    lab = Lab(make_repository(tmp_path_factory.mktemp("calm") / "my repo"))
    lab.write()
    assert lab.run().returncode == 0
    return lab.said()


@pytest.mark.stress
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_place_it_resumes_to_the_same_ledger(lab, undisturbed, place, nth):
    """`kill -9` between any two steps loses no row and doubles none; indices have no gaps; no branch is orphaned."""
    killed = lab.run(fault=f"{place}#{nth}=kill")
    assert killed.returncode in (-9, 0), killed.stderr
    again = lab.run()
    assert again.returncode == 0, again.stderr
    assert lab.said() == undisturbed
    assert [row.index for row in lab.rows()] == [1, 2, 3, 4]
    assert len(branches(lab.root)) == 4
