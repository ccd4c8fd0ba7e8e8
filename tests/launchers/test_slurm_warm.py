"""A warm allocation on a real Slurm: the contract, and what one job for many runs has to keep beyond it."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.launchers.clusters import RAY_SUB, reach
from tests.launchers.conftest import WAIT

from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import ProcessContract, settle

pytestmark = [pytest.mark.full, pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
HELD = {"time": "10m", "idle": "1m"}


@pytest.fixture
def make(tmp_path):
    """Makes launchers with a warm allocation, and gives that back at the end."""

    def maker(allocation=HELD, **options: object) -> SlurmLauncher:
        return SlurmLauncher({"poll_s": 0, "allocation": allocation, **options}, tmp_path / "campaign")

    yield maker
    assert maker().release() == ()


def allocations(launcher):
    launcher.states([])  # held() goes by the latest question, which may be older than the end of the run
    return [held.job_id for held in launcher.held()]


class TestContract(ProcessContract):
    """A step of one allocation for each run."""


def test_many_runs_share_one_allocation(make, job):
    """One job of Slurm serves all runs, also those of the next controller."""
    ids = []
    for number in range(4):
        launcher = make()
        ids.append(launcher.submit(launcher.plan(job("echo $SLURM_JOB_ID > job", name=f"run-{number}"))))
        assert settle(launcher, ids[-1]).state is JobState.SUCCEEDED
    assert len(allocations(launcher)) == 1
    assert {job_id.split(".")[0] for job_id in ids} == set(allocations(launcher))
    assert Path(job.root, "tree", "job").read_text().strip() == allocations(launcher)[0]


def test_a_run_that_hangs_is_ended_and_the_allocation_stays(submit, slurm, job):
    """Even with its supervisor stopped, a run is ended as a step: Slurm kills it, and the next run uses the same job."""
    launcher, hung = submit(job("trap '' TERM; kill -STOP $PPID; sleep 300", name="hung"))
    reach(launcher, hung, JobState.RUNNING)
    launcher.cancel(hung)
    assert settle(launcher, hung).state is JobState.CANCELLED
    assert launcher.leftovers(hung) == ()
    launcher, after = submit(job(name="after"))
    assert settle(launcher, after).state is JobState.SUCCEEDED
    assert len(allocations(launcher)) == 1


def test_runs_at_a_time_have_gpus_of_their_own(make, job):
    """Slurm hands out whole GPUs inside the allocation; a run too many waits for its turn."""
    launcher = make({**HELD, "runs": 2})
    script = "echo $CUDA_VISIBLE_DEVICES > gpus.$AUTORESEARCH_RUN_ID; while ! [ -e go ]; do sleep 0.1; done"
    ids = [launcher.submit(launcher.plan(job(script, name=f"run-{n}", gpus=2))) for n in range(3)]
    for job_id in ids[:2]:
        reach(launcher, job_id, JobState.RUNNING)
    assert "waiting for its turn" in reach(launcher, ids[2], JobState.QUEUED).reason
    Path(job.root, "tree", "go").touch()
    assert all(settle(launcher, job_id).state is JobState.SUCCEEDED for job_id in ids)
    given = [Path(job.root, "tree", f"gpus.run-{n}").read_text().strip() for n in range(2)]
    assert {gpu for pair in given for gpu in pair.split(",")} == {"0", "1", "2", "3"}
    assert [(held.nodes, held.gpus) for held in launcher.held()] == [(1, 4)]


def test_two_nodes_serve_one_campaign(make, job):
    """Runs spread over all nodes of the allocation, a node each."""
    launcher = make({**HELD, "nodes": 2}, extra=["--exclusive"])
    script = "echo $SLURMD_NODENAME > node.$AUTORESEARCH_RUN_ID; while ! [ -e go ]; do sleep 0.1; done"
    ids = [launcher.submit(launcher.plan(job(script, name=f"run-{n}"))) for n in range(2)]
    for job_id in ids:
        reach(launcher, job_id, JobState.RUNNING)
    Path(job.root, "tree", "go").touch()
    assert all(settle(launcher, job_id).state is JobState.SUCCEEDED for job_id in ids)
    assert len({Path(job.root, "tree", f"node.run-{n}").read_text() for n in range(2)}) == 2


@pytest.mark.disturbs  # and is disturbed: whoever wants all nodes preempts the low partition
def test_a_preempted_allocation_is_replaced(make, job, slurm):
    """What was going on is preempted, what waited begins in the next allocation, and both say so."""
    low = {"partition": "low", "nodelist": "n3", "extra": ["--exclusive"]}
    launcher = make(**low)
    going = launcher.submit(launcher.plan(job("sleep 60", name="going")))
    reach(launcher, going, JobState.RUNNING)
    waiting = launcher.submit(launcher.plan(job(name="waiting")))
    slurm.do("sbatch", "--wait", "-p", "high", "-w", "n3", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    lost = settle(launcher, going)
    assert (lost.state, launcher.leftovers(going)) == (JobState.PREEMPTED, ())
    assert "ended: PREEMPTED" in lost.reason
    assert settle(launcher, waiting).state is JobState.SUCCEEDED
    assert len(allocations(launcher)) == 2


@pytest.mark.disturbs
def test_a_failed_node_ends_the_runs_of_its_allocation(submit, slurm, job):
    """A run that had begun on a node that fails ends as that."""
    launcher, job_id = submit(job("sleep 60"), nodelist="n2")
    reach(launcher, job_id, JobState.RUNNING)
    slurm.do("scontrol", "update", "nodename=n2", "state=down", "reason=drill")
    try:
        assert settle(launcher, job_id).state is JobState.NODE_FAILED
    finally:
        slurm.resume("n2")
    until = time.monotonic() + 200
    while launcher.leftovers(job_id):
        assert time.monotonic() < until


@pytest.mark.disturbs
@pytest.mark.parametrize("carrier", [False, True], ids=["any node", "the node of the allocation's script"])
def test_a_dead_node_takes_its_own_run_only(make, slurm, job, go, carrier):
    """The run on it is the node's doing, the other goes on, and so does the allocation where its script lives on."""
    launcher = make({**HELD, "nodes": 2}, extra=["--exclusive"])
    wanted = [job(f"echo $SLURMD_NODENAME > node.$AUTORESEARCH_RUN_ID; {WAIT}", name=f"run-{n}") for n in range(2)]
    ids = [launcher.submit(launcher.plan(one)) for one in wanted]
    on = {}
    for job_id, number in zip(ids, range(2), strict=True):
        reach(launcher, job_id, JobState.RUNNING)
        while not (said := Path(job.root, "tree", f"node.run-{number}")).exists() or not said.read_text():
            time.sleep(0.05)
        on[said.read_text().strip()] = job_id
    (held,) = allocations(launcher)
    script = slurm.do("squeue", "-h", "-j", held, "-O", "BatchHost").strip()
    dead = next(node for node in on if (node == script) is carrier)
    slurm.do("scontrol", "update", f"nodename={dead}", "state=down", "reason=drill")
    try:
        waiting = launcher.submit(launcher.plan(job(name="waiting")))
        lost = settle(launcher, on.pop(dead))
        assert (lost.state, dead in (lost.reason, lost.node) or carrier) == (JobState.NODE_FAILED, True)
        go()
        (other,) = on.values()
        assert settle(launcher, other).state is (JobState.NODE_FAILED if carrier else JobState.SUCCEEDED)
        assert settle(launcher, waiting).state is JobState.SUCCEEDED
        assert len(allocations(launcher)) == 1 + carrier
    finally:
        slurm.resume(dead)


def test_a_run_that_no_longer_fits_gets_a_new_allocation(submit, make, job):
    """No run is begun that the allocation's own end would cut short: each needs 60.5 s, and the first takes one."""
    held = {"time": "61s", "idle": "1m"}
    for number in range(2):
        launcher, job_id = submit(job("sleep 1", name=f"run-{number}", limit_s=30.0), allocation=held)
        assert settle(launcher, job_id).state is JobState.SUCCEEDED
    assert len(allocations(launcher)) == 2


def test_an_idle_allocation_goes_away_by_itself(submit, slurm, job):
    """Nobody asks, nobody cancels: it is gone soon after its idle limit."""
    launcher, job_id = submit(job(), allocation={"time": "10m", "idle": "2s"})
    settle(launcher, job_id)
    (held,) = allocations(launcher)
    until = time.monotonic() + 200
    while slurm.do("squeue", "-h", "-j", held, "-t", "all", "-o", "%T").strip() != "COMPLETED":
        assert time.monotonic() < until
        time.sleep(0.2)


def test_the_end_of_a_campaign_gives_it_back(submit, slurm, job):
    """Released, it is gone from the queue, a waiting one too, and a second release finds nothing to do."""
    launcher, job_id = submit(job())
    settle(launcher, job_id)
    assert launcher.release() == ()
    (held,) = allocations(launcher)
    assert slurm.do("squeue", "-h", "-j", held, "-t", "all", "-o", "%T").strip() == "CANCELLED"
    assert launcher.release() == ()


CONTROLLER = """
import sys, time; from pathlib import Path
from autoresearch.launchers.slurm.launcher import SlurmLauncher; from autoresearch.testing import JobFactory
root = Path(sys.argv[1]); held = {"time": "10m", "idle": "1m"}
launcher = SlurmLauncher({"poll_s": 0, "allocation": held}, root / "campaign")
launcher.submit(launcher.plan(JobFactory(root)("echo started >> count; until [ -e go ]; do sleep 0.02; done")))
time.sleep(600)
"""


def controller(root):
    return subprocess.Popen((sys.executable, "-c", CONTROLLER, str(root)))


def test_a_step_in_flight_is_adopted(make, job, go):
    """The controller is killed while its run goes on: the next one finds it, and starts nothing twice."""
    first = controller(job.root)
    while not Path(job.root, "tree", "count").exists():
        time.sleep(0.05)
    first.kill()
    first.wait()
    found = make().find("run-1")
    assert found == make().submit(make().plan(job(f"echo started >> count; {WAIT}")))
    go()
    assert settle(make(), found).state is JobState.SUCCEEDED
    assert Path(job.root, "tree", "count").read_text() == "started\n"
    assert len(allocations(make())) == 1


def test_killed_when_the_allocation_was_just_submitted(make, job, on_path):
    """The controller dies with the answer of sbatch in hand: the next one uses that allocation, not a second one."""
    dead = job.root / "dead"
    on_path("sbatch", f'"$real" "$@"; code=$?; [ -e {dead} ] || {{ touch {dead}; kill -9 $PPID; }}; exit $code')
    assert controller(job.root).wait() == -signal.SIGKILL
    assert make().find("run-1") is None
    job_id = make().submit(make().plan(job("echo started >> count")))
    assert settle(make(), job_id).state is JobState.SUCCEEDED
    assert len(allocations(make())) == 1


def test_an_allocation_that_cannot_begin_fails_its_runs(submit, slurm, job):
    """A node without our Python fails the waiting run with the reason, instead of asking for job after job."""
    launcher, job_id = submit(job(), python="/nowhere/python3")
    status = settle(launcher, job_id)
    assert status.state is JobState.FAILED
    assert "has no /nowhere/python3; set the launcher's option python" in status.reason
    assert len(allocations(launcher)) == 1


def test_a_refused_allocation_is_told_and_nothing_is_submitted(submit, make, job):
    """What Slurm says about the partition reaches the person, and the run may be submitted again."""
    with pytest.raises(LauncherError, match="invalid partition"):
        submit(job(), partition="nosuch")
    assert make().find("run-1") is None


def test_a_poll_is_one_question(make, job, on_path, tmp_path):
    """However many runs are in flight, states costs one squeue."""
    launcher = make()
    ids = [launcher.submit(launcher.plan(job("sleep 1", name=f"run-{number}"))) for number in range(5)]
    calls = tmp_path / "calls"
    for name in ("squeue", "sacct", "scontrol"):
        on_path(name, f'echo {name} >> {calls}; exec "$real" "$@"')
    launcher.states(ids)
    assert calls.read_text() == "squeue\n"


CLUSTERS = {"style": "ray.sub", "container": "/images/nemo-rl.sqsh"}


def clustered(job, script, name, nodes):
    """A run of several nodes, in a repository with upstream's script."""
    wanted = replace(job(script, name=name, limit_s=200.0), resources=Resources(nodes=nodes, gpus_per_node=4))
    Path(wanted.directory, "ray.sub").write_text(RAY_SUB)
    return wanted


def cluster(run, job_id, size):
    """The lines of what a run's cluster says of itself, once all of its nodes are there."""
    file, until = Path(run.folder, f"{job_id.split('.')[0]}-logs", "cluster"), time.monotonic() + 200
    while not file.exists() or len(lines := sorted(file.read_text().splitlines())) < size:
        assert time.monotonic() < until
        time.sleep(0.05)
    return [line.split() for line in lines]


def test_ray_clusters_live_side_by_side_in_one_allocation(make, job, go, no_pyxis):
    """Two nodes and one: each sees its own nodes only, with a port and container names of its own, and leaves no step.

    When both are over, a run has the nodes that they had.
    """
    launcher = make({**HELD, "nodes": 3}, **CLUSTERS)
    runs = [clustered(job, f"echo ran; {WAIT}", name, nodes) for name, nodes in (("two", 2), ("one", 1))]
    ids = [launcher.submit(launcher.plan(run)) for run in runs]
    seen = [words for run, job_id, size in zip(runs, ids, (2, 1), strict=True) for words in cluster(run, job_id, size)]
    assert {words[1] for words in seen} == {"n1", "n2", "n3"}
    assert [words[2:] for words in seen if words[0] == "head"] == [
        ["0,1,2,3", "port", port] for port in ("1200", "1202")
    ]
    named = [word for word in no_pyxis.read_text().splitlines() if word.startswith("--container-name")]
    assert len(set(named)) == 3
    go()
    assert [settle(launcher, job_id).state for job_id in ids] == [JobState.SUCCEEDED] * 2
    assert [launcher.leftovers(job_id) for job_id in ids] == [(), ()]
    assert [Path(run.log).read_text() for run in runs] == ["ran\n"] * 2
    after = launcher.submit(launcher.plan(clustered(job, "exit 0", "after", 3)))
    assert settle(launcher, after).state is JobState.SUCCEEDED
    assert len(allocations(launcher)) == 1


@pytest.mark.disturbs
def test_a_dead_worker_costs_its_own_cluster_only(make, slurm, job, go, no_pyxis):
    """That run is the node's doing, although its head lives and says how it ended; the other goes on."""
    launcher = make({**HELD, "nodes": 3}, **CLUSTERS)
    runs = [clustered(job, WAIT, name, nodes) for name, nodes in (("two", 2), ("one", 1))]
    ids = [launcher.submit(launcher.plan(run)) for run in runs]
    cluster(runs[1], ids[1], 1)
    dead = cluster(runs[0], ids[0], 2)[-1][1]
    slurm.do("scontrol", "update", f"nodename={dead}", "state=down", "reason=drill")
    try:
        lost = settle(launcher, ids[0])
        assert (lost.state, dead in lost.reason) == (JobState.NODE_FAILED, True)
        go()
        assert settle(launcher, ids[1]).state is JobState.SUCCEEDED
        assert len(allocations(launcher)) == 1
    finally:
        slurm.resume(dead)


def test_a_cancelled_cluster_is_gone_from_all_of_its_nodes(make, job, no_pyxis):
    """Head and workers, on nodes where nothing of ours watches; the allocation stays."""
    launcher = make({**HELD, "nodes": 2}, **CLUSTERS)
    run = clustered(job, "trap '' TERM; sleep 300", "hung", 2)
    job_id = launcher.submit(launcher.plan(run))
    cluster(run, job_id, 2)
    launcher.cancel(job_id)
    assert settle(launcher, job_id).state is JobState.CANCELLED
    assert launcher.leftovers(job_id) == ()
    assert [held.ended_at for held in launcher.held()] == [None]


def test_a_container_begins_on_the_node_of_its_run(make, job, go, no_pyxis):
    """As a step beside our supervisor, with what pyxis needs; two runs have a node each."""
    launcher = make({**HELD, "nodes": 2}, container="/images/nemo-rl.sqsh")
    script = f"echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES > on.$AUTORESEARCH_RUN_ID; {WAIT}"
    ids = [launcher.submit(launcher.plan(job(script, name=f"run-{n}", gpus=4))) for n in range(2)]
    for job_id in ids:
        reach(launcher, job_id, JobState.RUNNING)
    files = [Path(job.root, "tree", f"on.run-{n}") for n in range(2)]
    until = time.monotonic() + 200
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < until
    go()
    assert all(settle(launcher, job_id).state is JobState.SUCCEEDED for job_id in ids)
    assert sorted(file.read_text().split()[1] for file in files) == ["0,1,2,3"] * 2
    assert len({file.read_text().split()[0] for file in files}) == 2
    asked = set(no_pyxis.read_text().splitlines())
    assert {"--container-image=/images/nemo-rl.sqsh", f"--container-workdir={job.root}/tree"} <= asked


def test_what_cannot_run_in_it_is_refused_by_the_plan(make, job):
    """Before anything is sent, with the option to change."""
    with pytest.raises(LauncherError, match=r"held for 10m; raise the launcher's option allocation\.time"):
        make().plan(job(limit_s=700.0))
