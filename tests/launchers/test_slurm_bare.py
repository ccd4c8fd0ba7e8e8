"""The Slurm launcher on a site that keeps no accounts, counts its jobs to five and begins anew, and forgets them soon."""

import itertools
import time
from pathlib import Path

import pytest
from tests.launchers.clusters import Cluster, locked, session_folder, shared, why_no_slurm

from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.run.ending import Account, Follows, Who, judge
from autoresearch.run.job import JobState
from autoresearch.run.measurement import Completion
from autoresearch.run.post_mortem import NOTHING
from autoresearch.testing.launchers import settle

pytestmark = [pytest.mark.full, pytest.mark.slurm]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Slurm of two nodes with five job ids and no memory."""
    if reason := why_no_slurm():
        pytest.skip(reason)
    cluster = Cluster(session_folder(tmp_path_factory) / "bare", "--nodes", "2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIN_JOB_AGE", "2")
        patch.setenv("MAX_JOB_ID", "5")
        patch.setenv("SLURM_CONF", str(cluster.conf))
        with shared(cluster.folder.with_name("bare.users"), cluster.up, cluster.down):
            yield cluster


@pytest.fixture(autouse=True)
def alone(bare):
    """Five ids are enough for one test at a time."""
    with locked(bare.folder.with_name("bare.quiet")):
        yield


@pytest.fixture
def make(tmp_path, bare):
    return lambda **options: SlurmLauncher({"poll_s": 0, **options}, tmp_path / "campaign")


def test_an_id_that_comes_again_is_another_job(make, job):
    """The second run with an id ends as it did itself, and the first one's end is not answered for it."""
    launcher, ids = make(), {}
    for number in itertools.count():
        name = f"run-{number}"
        job_id = launcher.submit(launcher.plan(job("exit 3" if number == 0 else "true", name=name)))
        ended = settle(launcher, job_id)
        assert (ended.state, ended.exit_code) == ((JobState.FAILED, 3) if number == 0 else (JobState.SUCCEEDED, 0))
        if job_id in ids:
            break
        ids[job_id] = name
    again = make()
    assert (again.find(name), again.find(ids[job_id])) == (job_id, job_id)
    assert again.states([job_id])[job_id].exit_code == 0


def test_a_cancel_that_nobody_can_tell_of_any_more_is_an_operators(make, job, bare):
    """Watched it is a cancel; after a pause, without accounts, the exit file has only a signal that was not ours."""
    wanted = [job("echo begun; sleep 600", limit_s=600.0, name=name) for name in ("one", "two")]
    launcher = make()
    watched, left = (launcher.submit(launcher.plan(one)) for one in wanted)
    while not all(Path(one.log).exists() for one in wanted):
        time.sleep(0.1)
    bare.do("scancel", watched)
    assert settle(launcher, watched).state is JobState.CANCELLED
    bare.do("scancel", left)
    while left in bare.do("squeue", "-h", "-t", "all", "-o", "%i").split():
        time.sleep(0.5)
    ended = settle(make(), left)
    found = judge(
        Account(status=ended, completion=Completion.CRASHED, symptoms=(), log="begun", change=NOTHING, tree="")
    )
    assert (found.who, found.follows) == (Who.OPERATOR, Follows.AGAIN)
