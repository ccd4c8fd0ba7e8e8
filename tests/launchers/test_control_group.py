"""Runs in control groups of their own, by the kernel's own files: what only these find, and that they go with the run."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.launchers.clusters import until
from tests.launchers.conftest import WAIT, gone, is_named_and_ended

from autoresearch.launchers.local import LocalLauncher
from autoresearch.machine import control_group
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import settle

pytestmark = pytest.mark.skipif(bool(control_group.why_not()), reason=control_group.why_not() or "there are some")

DAEMON = "env -i setsid sh -c 'cd /; sleep 300 & echo $! > $0/daemon.new; mv $0/daemon.new $0/daemon' \"$PWD\""
"""Forked twice, of its own session, without an environment, in no folder of the run's."""


@pytest.fixture
def launcher(tmp_path):
    return LocalLauncher({}, tmp_path / "campaign")


def group_of(wanted) -> Path:
    """As the run's supervisor says it."""
    return Path(json.loads(Path(wanted.folder, "supervisor.json").read_text())["group"])


def test_what_wiped_all_traces_and_outlives_its_supervisor_is_found(launcher, job):
    """Nothing else knows of it: it is named, ended, and its group goes with it."""
    wanted = job(f"({DAEMON}) </dev/null >/dev/null 2>&1 & until test -e daemon; do sleep 0.02; done; kill -KILL $PPID")
    is_named_and_ended(launcher, wanted)
    assert not group_of(wanted).exists()


def test_a_group_goes_with_its_run_whatever_groups_that_made(launcher, job, go):
    """All of the run is in it, and not its supervisor; groups that it makes below are ended and taken away too."""
    own = "own=$(sed -n 's,^0::,,p' /proc/self/cgroup); own=$(cat mount)/$own/own; mkdir $own; echo $$ > $own/cgroup.procs"
    wanted = job(f"{own} && touch inside; {DAEMON}; {WAIT}", limit_s=600.0)
    above, place = control_group.ours(), Path("/proc/self/cgroup").read_text().split("0::")[1].strip("/\n")
    Path(wanted.directory).mkdir(exist_ok=True)
    Path(wanted.directory, "mount").write_text(str(above).removesuffix(place).rstrip("/"))
    job_id = launcher.submit(launcher.plan(wanted))
    until(Path(wanted.directory, "daemon").exists)
    daemon, group = int(Path(wanted.directory, "daemon").read_text()), group_of(wanted)
    inside = control_group.members(str(group))
    assert daemon in inside
    assert launcher.keeper(job_id)[0] not in inside
    assert (group / "own").exists() == Path(wanted.directory, "inside").exists() is True
    go()
    assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert gone(daemon)
    assert not group.exists()


def test_a_group_that_a_run_names_in_its_own_folder_is_not_believed(launcher, job):
    """Whoever is in that one is no part of the run and is not ended for it."""
    other = control_group.make()
    with subprocess.Popen(["sleep", "300"]) as stranger:
        Path(other, "cgroup.procs").write_text(str(stranger.pid))
        forge = f"""sed -i 's,"group": *"[^"]*","group": "{other}",' "$AUTORESEARCH_RUN_FOLDER/supervisor.json"; kill -KILL $PPID"""
        job_id = launcher.submit(launcher.plan(job(forge)))
        assert settle(launcher, job_id).state is JobState.VANISHED
        launcher.cancel(job_id)
        assert not any(str(stranger.pid) in told for told in launcher.leftovers(job_id))
        assert stranger.poll() is None
        stranger.kill()
    control_group.remove(other)
    assert not Path(other).exists()
