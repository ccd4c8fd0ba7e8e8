"""The Slurm launcher and whole campaigns on a site with rules: accounts that are enforced, limits, nodes that fail."""

import fcntl
import os
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import commit_all
from tests.launchers.clusters import Cluster, living, locked, reach, session_folder, shared, why_no_slurm

from autoresearch.errors import NotNowError, RefusedError
from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import settle

pytestmark = [pytest.mark.full, pytest.mark.slurm]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A Slurm of three nodes that enforces its accounts and forgets an ended job after 20 seconds."""
    missing = "" if shutil.which("slurmdbd") and shutil.which("mariadbd") else "slurmdbd and mariadb-server"
    if reason := why_no_slurm() or (missing and os.environ.get("CI") != "true" and f"{missing} not installed"):
        pytest.skip(reason)
    running = os.environ.get("AUTORESEARCH_TEST_SLURM_SITE")
    cluster = Cluster(Path(running) if running else session_folder(tmp_path_factory) / "site", "--strict")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIN_JOB_AGE", "20")
        patch.setenv("SLURM_CONF", str(cluster.conf))
        if running:
            yield cluster
        else:
            with shared(cluster.folder.with_name("site.users"), cluster.up, cluster.down):
                yield cluster


@pytest.fixture(autouse=True)
def quiet(site, request):
    """The site, alone where a test is marked `disturbs`: another worker's jobs would meet what it breaks."""
    how = fcntl.LOCK_EX if request.node.get_closest_marker("disturbs") else fcntl.LOCK_SH
    with locked(site.folder.with_name("site.quiet"), how):
        yield


@pytest.fixture
def make(tmp_path, site):
    def maker(**options: object) -> SlurmLauncher:
        return SlurmLauncher({"poll_s": 0, **options}, tmp_path / "campaign")

    return maker


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"account": "nobody"}, "Invalid account or account/partition combination"),
        ({"qos": "nosuch"}, "Invalid qos specification"),
        ({"partition": "nosuch"}, "Invalid partition name"),
        ({"extra": ["--mem=900G"]}, "Memory specification can not be satisfied"),
        ({"gres": "gpu:99"}, "Requested node configuration is not available"),
        ({"nodelist": "zz"}, "Invalid node name"),
    ],
)
def test_what_slurm_refuses_for_good(submit, job, options, said):
    """Its own sentence, as a refusal."""
    with pytest.raises(RefusedError, match=said):
        submit(job(), **options)


@pytest.mark.disturbs
def test_a_limit_of_jobs_holds_the_next_back(make, job):
    """The third job of a QOS that takes two is for later, with the number that are there; afterwards it is taken."""
    launcher = make(qos="few", extra=["--hold"])
    first, _ = (launcher.submit(launcher.plan(job(name=name))) for name in "ab")
    with pytest.raises(NotNowError, match=r"QOSMaxSubmitJobPerUserLimit.*\d+ of your jobs"):
        launcher.submit(launcher.plan(job(name="c")))
    launcher.cancel(first)
    settle(launcher, first)
    assert launcher.submit(launcher.plan(job(name="c")))
    for job_id in launcher.states([launcher.find(name) for name in "bc"]):
        launcher.cancel(job_id)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"partition": "short"}, "PartitionTimeLimit"),
        ({"qos": "brief"}, "QOSMaxWallDurationPerJobLimit"),
        ({"extra": ["--hold"]}, "JobHeldUser"),
    ],
)
def test_a_job_that_cannot_begin_by_itself_says_so(submit, job, options, reason):
    """Slurm takes it, and it would wait for ever."""
    launcher, job_id = submit(job(limit_s=600.0), **options)
    until = time.monotonic() + 120
    while reason not in (status := launcher.states([job_id])[job_id]).reason and time.monotonic() < until:
        time.sleep(0.1)
    assert (status.state, status.stuck, reason in status.reason) == (JobState.QUEUED, True, True)
    launcher.cancel(job_id)


BRIEF = "QOS brief lets a job run for 1m at most and a run of 10m asks for 12m, its end included"
NARROW = "QOS narrow lets a job have 2 GPUs at most and {} asks for {}, so it would wait for ever"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"qos": "brief"}, BRIEF),
        ({"partition": "ruled"}, BRIEF),
        ({"partition": "ruled", "qos": "few"}, BRIEF),
        ({"partition": "ruled,debug"}, ""),
        ({"qos": "brief", "extra": ["--qos=few"]}, ""),
        ({"qos": "few", "account": "small"}, ""),
        ({"partition": "short", "qos": "few"}, "partition short lets a job run for 2m at most"),
        ({"partition": "short", "qos": "long"}, ""),
    ],
)
def test_a_time_that_a_qos_forbids_is_said_beforehand(make, options, said):
    """That of the partition goes before the job's; what another flag or partition may change is left to Slurm."""
    told = make(**options).too_long(600.0, 30.0, Resources())
    assert (said in told, bool(told)) == (True, bool(said))


@pytest.mark.parametrize(
    ("options", "need", "said"),
    [
        ({"qos": "narrow"}, Resources(gpus_per_node=4), NARROW.format("a run", 4)),
        ({"qos": "narrow"}, Resources(nodes=3, gpus_per_node=1), NARROW.format("a run", 3)),
        ({"qos": "narrow", "gres": "gpu:h100:4"}, Resources(), NARROW.format("a run", 4)),
        ({"qos": "narrow", "allocation": {"runs": 4}}, Resources(gpus_per_node=1), NARROW.format("an allocation", 4)),
        ({"qos": "narrow"}, Resources(gpus_per_node=2), ""),
        ({}, Resources(nodes=3, gpus_per_node=4), ""),
        (
            {"account": "small"},
            Resources(nodes=3),
            "account small lets all jobs together have 2 nodes and a run asks for 3",
        ),
    ],
)
def test_a_size_that_a_qos_or_an_account_forbids_is_said_beforehand(make, options, need, said):
    """Slurm would take the job and keep it waiting for ever; one that the limit just allows is sent."""
    told = make(**options).refusal(need)
    assert (said in told, bool(told)) == (True, bool(said))


METERED = "QOS metered lets a job have 60 minutes of processors at most and {} minutes asks for {}, so it would wait"


@pytest.mark.parametrize(
    ("options", "need", "said"),
    [
        ({"qos": "metered"}, Resources(cpus=6), METERED.format("a run of 12", 72)),
        ({"qos": "metered"}, Resources(nodes=3, cpus=2), METERED.format("a run of 12", 72)),
        ({"qos": "metered", "allocation": {"time": "2h"}}, Resources(), METERED.format("an allocation of 120", 120)),
        ({"account": "rationed"}, Resources(cpus=6), "account rationed lets all jobs together have 60 minutes of"),
        ({"qos": "metered"}, Resources(cpus=5), ""),
        ({"qos": "metered"}, Resources(), ""),
        ({"account": "rationed", "extra": ["--qos=few"]}, Resources(cpus=6), ""),
    ],
)
def test_minutes_that_no_job_can_have_are_said_beforehand(make, options, need, said):
    """Of a job and of all together: what is used up of these may come back, what is above them never comes."""
    told = make(**options).too_long(600.0, 30.0, need)
    assert (said in told, bool(told)) == (True, bool(said))


def test_what_is_refused_beforehand_would_have_waited_for_ever(submit, job):
    """Slurm names the same limits for such jobs, once they wait."""
    for number, (options, need, limit_s, reason) in enumerate([
        ({"qos": "narrow"}, Resources(gpus_per_node=4), 60.0, "QOSMaxGRESPerJob"),
        ({"account": "small"}, Resources(nodes=3), 60.0, "AssocGrpNodeLimit"),
        ({"qos": "metered"}, Resources(), 7200.0, "QOSMaxCpuMinutesPerJobLimit"),
        ({"account": "rationed"}, Resources(), 7200.0, "AssocGrpCPUMinutesLimit"),
    ]):  # fmt: skip
        launcher, job_id = submit(replace(job(name=f"run-{number}", limit_s=limit_s), resources=need), **options)
        until = time.monotonic() + 120
        while reason not in (told := launcher.states([job_id])[job_id].reason) and time.monotonic() < until:
            time.sleep(0.1)
        launcher.cancel(job_id)
        assert reason in told


def test_a_qos_may_let_a_job_be_longer_than_its_partition_does(submit, job):
    """What is not refused beforehand for its sake is begun."""
    launcher, job_id = submit(job(limit_s=600.0), partition="short", qos="long")
    assert settle(launcher, job_id).state is JobState.SUCCEEDED


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "after a pause"])
def test_a_cancel_by_somebody_else_has_one_word(submit, make, job, site, watched):
    """Cancelled, and by whom, whether it was watched or the controller was away until the queue had forgotten it."""
    wanted = job("echo begun; sleep 600", limit_s=600.0)
    launcher, job_id = submit(wanted)
    reach(launcher, job_id, JobState.RUNNING)
    while not Path(wanted.log).exists():
        time.sleep(0.1)
    site.do("scancel", job_id)
    until = time.monotonic() + 200
    while not watched and job_id in site.do("squeue", "-h", "-t", "all", "-o", "%i").split():
        assert time.monotonic() < until
        time.sleep(1)
    status = settle(make(), job_id)
    assert (status.state, "CANCELLED by 0" in status.reason) == (JobState.CANCELLED, True), status


@pytest.mark.disturbs
def test_a_lost_node_has_its_word_after_a_pause_too(submit, make, job, site):
    """The exit file says TERM, the queue has forgotten, the accounts know."""
    launcher, job_id = submit(job("sleep 600", limit_s=600.0), nodelist="n2")
    reach(launcher, job_id, JobState.RUNNING)
    site.do("scontrol", "update", "nodename=n2", "state=down", "reason=drill")
    try:
        until = time.monotonic() + 200
        while job_id in site.do("squeue", "-h", "-t", "all", "-o", "%i").split():
            assert time.monotonic() < until
            time.sleep(1)
        assert settle(make(), job_id).state is JobState.NODE_FAILED
    finally:
        site.resume("n2")


@pytest.mark.disturbs
def test_nodes_to_avoid_are_avoided_and_rather_taken_than_nothing(make, job):
    """A run goes elsewhere; when every node is to be avoided, it goes where it can."""
    launcher = make()
    for number, avoid in enumerate([("n1", "n2"), ("n1", "n2", "n3", "n4", "n5")]):
        one = replace(job(name=f"run-{number}"), avoid_nodes=avoid)
        status = settle(launcher, launcher.submit(launcher.plan(one)))
        assert status.state is JobState.SUCCEEDED
        assert number or status.node not in avoid


@pytest.mark.disturbs
def test_a_job_that_slurm_holds_after_a_failed_prolog_is_a_failed_launch(submit, job, bad_node):
    """With `requeue` it goes back to the queue for good: over for us, and gone when it is cancelled."""
    launcher, job_id = submit(job("echo never"), nodelist=bad_node, requeue=True)
    status = settle(launcher, job_id)
    assert (status.state, "launch failed requeued held" in status.reason.replace("_", " ")) == (JobState.FAILED, True)
    launcher.cancel(job_id)
    assert launcher.leftovers(job_id) == ()


@pytest.mark.disturbs
def test_a_failed_prolog_is_the_nodes_however_soon_that_is_back(submit, make, job, site, bad_node):
    """Somebody has the node in service again before we look: the accounts remember that it was set aside, and why."""
    _, job_id = submit(job("echo never"), nodelist=bad_node)
    while not site.do("sinfo", "-h", "-N", "-n", bad_node, "-o", "%T").startswith("drained"):
        time.sleep(0.1)
    site.resume(bad_node)
    status = settle(make(), job_id)
    assert (status.state, "launch failed: DRAIN Prolog error" in status.reason) == (JobState.FAILED, True), status


@pytest.fixture
def bad_node(site):
    """Node n1 fails in its Prolog."""
    bad = site.folder / "bad-nodes"
    bad.write_text("n1\n")
    yield "n1"
    bad.unlink()
    site.resume("n1")


@pytest.fixture
def blind_node(site, tmp_path):
    """Node n1 does not see the test's folder: its daemon has an empty file system there."""
    pid = site.folder / "run" / "slurmd-n1.pid"

    def restart(*prefix: str) -> None:
        os.kill(old := int(pid.read_text()), signal.SIGTERM)
        while living(old):
            time.sleep(0.05)
        site.do(*prefix, shutil.which("slurmd"), "-N", "n1")
        site.resume("n1")

    hide = f'mount -t tmpfs none "{tmp_path}" && exec "$@"'
    restart("unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh")
    yield "n1"
    restart()


@pytest.mark.disturbs
def test_a_node_without_the_shared_folder_is_a_failed_launch(submit, job, blind_node):
    """The job begins nowhere: nobody but the node can be meant."""
    launcher, job_id = submit(job("echo never"), nodelist=blind_node)
    status = settle(launcher, job_id)
    assert (status.state, status.node) == (JobState.FAILED, blind_node)
    assert re.search("(?i)launch.?fail", status.reason)


TRAIN = """\
import json
print("score:", json.load(open("config.json"))["lr"])
"""


def campaign(lab, stop="3 experiments", **launcher: object):
    """A campaign of quick runs."""
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "slurm", "poll_s": 0.2, **launcher}, verdict=verdict, stop=stop)
    return lab


def test_a_wrong_account_stops_the_campaign_and_is_corrected_in_its_file(lab, site):
    """Exit 1 at once with the site's sentence and no row; with the account corrected the same campaign ends well."""
    done = campaign(lab, account="nobody").run()
    assert (done.returncode, "Invalid account" in done.stderr, lab.rows()) == (1, True, ())
    path = lab.folder / "campaign.yaml"
    path.write_text(path.read_text().replace("nobody", "lab"))
    assert lab.run().returncode == 0
    assert [row.status for row in lab.rows()] == ["keep", "keep", "discard"]


def test_what_the_site_never_begins_is_refused_before_the_night(lab, site):
    """Exit not 0 and nothing begun, with the QOS's name; within its limits the same campaign is run."""
    done = campaign(lab, qos="narrow", gres="gpu:4").run()
    told = "launcher slurm is refused: QOS narrow lets a job have 2 GPUs at most and a run asks for 4"
    assert (done.returncode != 0, told in done.stderr, lab.rows()) == (True, True, ()), done.stderr
    path = lab.folder / "campaign.yaml"
    path.write_text(path.read_text().replace("gpu:4", "gpu:2"))
    assert lab.run().returncode == 0
    assert len(lab.rows()) == 3


@pytest.mark.disturbs
def test_a_limit_of_jobs_makes_a_campaign_no_worse(lab, site):
    """Four runs at a time where two are taken: all are made, each once, and the ones held back say why."""
    done = campaign(lab, parallel=4, qos="few", stop="4 experiments").run()
    assert done.returncode == 0, done.stderr
    assert len(lab.rows()) == 4
    planned = [event["run_id"] for event in lab.journal("run_planned")]
    assert len(planned) == len(set(planned))


@pytest.mark.disturbs
@pytest.mark.timeout(600)
def test_a_node_that_fails_its_prolog_eats_no_idea(lab, site, bad_node):
    """Its runs are the node's doing, and made again; it is left out and named."""
    done = campaign(lab, partition="debug").run()
    assert done.returncode == 0, done.stderr
    assert [row.status for row in lab.rows()] == ["keep", "keep", "discard"]
    blamed = [event["ending"]["who"] for event in lab.journal("run_measured") if event["ending"]]
    print(blamed, [note["text"] for note in lab.journal("noted")])
    assert set(blamed) <= {"node"}
