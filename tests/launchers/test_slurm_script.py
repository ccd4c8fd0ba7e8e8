"""What the Slurm launcher sends and how it reads the answers, without a cluster."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import LauncherError
from autoresearch.launchers.job_files import Record, unique_name
from autoresearch.launchers.slurm import commands
from autoresearch.launchers.slurm.commands import QueueLine
from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.launchers.slurm.options import SlurmOptions
from autoresearch.launchers.slurm.script import minutes
from autoresearch.launchers.slurm.status import SlurmView, status
from autoresearch.launchers.slurm.warm_node import Seats, Share, Sitting, Spool, SpoolRequest, SpoolResult, Taken, step
from autoresearch.run.job import Job, JobState, Resources

GOLDEN = Path(__file__).parents[1] / "golden" / "slurm"
JOB = Job(
    run_id="ar-night--lower-kl--3",
    argv=("uv", "run", "examples/run_grpo.py", "--config", "a b.yaml", "grpo.seed=44"),
    directory="/data/my repo/.autoresearch/worktrees/lower-kl",
    folder="/data/my repo/reports/run-3",
    log="/data/my repo/reports/run-3/run.log",
    env={"PYTHONPATH": "/data/my repo"},
    resources=Resources(nodes=2, gpus_per_node=8, cpus=16, memory_gb=100),
    limit_s=3600.0,
)
SITE = {"account": "lab", "partition": "batch", "qos": "high", "python": "/opt/venv/bin/python"}
STYLES = {
    "batch": {**SITE, "setup": ["module load cuda"], "extra": ["--reservation=night"], "constraint": "h100"},
    "container": {**SITE, "container": "/images/nemo-rl.sqsh", "container_mounts": ["/data:/data"], "requeue": True},
    "ray.sub": {**SITE, "style": "ray.sub", "container": "/images/nemo-rl.sqsh", "container_mounts": ["/data:/data"]},
}


@pytest.mark.parametrize("style", STYLES)
def test_the_script_is_as_agreed(style):
    """What is sent to Slurm changes only on purpose; to accept a change, write the text to the golden file."""
    text = SlurmLauncher(STYLES[style], Path("/data/my repo/reports")).plan(JOB).text
    assert text == (GOLDEN / f"{style}.sh").read_text()


HELD = {
    "allocation": ({"allocation": {"nodes": 2, "time": "4h", "idle": "15m", "runs": 2}, "setup": ["module load cuda"]},
                   Resources(gpus_per_node=4, cpus=16, memory_gb=100)),
    "clusters": ({"allocation": {"nodes": 8, "time": "10h"}, "style": "ray.sub", "container": "/images/nemo-rl.sqsh"},
                 Resources(nodes=2, gpus_per_node=8)),
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_the_script_of_a_warm_allocation_is_as_agreed(name):
    """One job large enough for the runs at a time, then the run as a step of it; accepted like the others."""
    options, need = HELD[name]
    text = SlurmLauncher({**SITE, **options}, Path("/data/my repo/reports")).plan(replace(JOB, resources=need)).text
    assert text == (GOLDEN / f"{name}.sh").read_text()


@pytest.mark.parametrize(("more", "nodes", "said"), [
    ({}, 2, "has one of a warm allocation; start Ray on its nodes with the launcher's option style: ray.sub"),
    ({"style": "ray.sub", "container": "image"}, 2, ""),
    ({"style": "ray.sub", "container": "image"}, 9, "an allocation has 8; raise the launcher's option allocation.nodes"),
])  # fmt: skip
def test_a_run_of_more_nodes_than_an_allocation_gives_is_refused_beforehand(on_path, tmp_path, more, nodes, said):
    """By the plan of a campaign and by that of a run, with the option to change."""
    on_path("sbatch", "exit 1")
    launcher = SlurmLauncher({"allocation": {"nodes": 8}, **more}, tmp_path)
    told = launcher.refusal(Resources(nodes=nodes))
    assert (said in told) if said else not told
    if said:
        with pytest.raises(LauncherError, match=said):
            launcher.plan(replace(JOB, resources=Resources(nodes=nodes)))


def test_a_step_has_whole_gpus_and_a_share_of_its_own():
    """What a run names it gets, the rest is an equal part of the node; a CPU run gets no GPU, ray.sub is only watched."""
    big = SpoolRequest("run", "7.ab", "/runs/1", 0.0, 60.0, gpus=4, cpus=16, memory_mb=1000)
    small = big._replace(gpus=0, cpus=None, memory_mb=None)
    argv = step(big, Share(8, 500), ("n2",), "py")
    assert {"--exact", "--nodelist=n2", "--cpus-per-task=16", "--gres=gpu:4", "--mem=1000M"} <= set(argv)
    assert {"--cpus-per-task=8", "--gres=none", "--mem=500M"} <= set(step(small, Share(8, 500), ("n2",), "py"))
    assert argv[-5:] == ["py", "-P", "-m", "autoresearch.launchers.on_node", "/runs/1/spec.json"]
    assert {"--overlap", "--gres=none"} <= set(
        step(big._replace(nodes=2, starts_steps=True), Share(8, 500), ("n1", "n2"))
    )


def test_a_run_of_several_nodes_has_them_alone_and_nobody_gets_a_lost_one():
    """Seats are spread; a run too large for what others have left waits, and one too large for all is not enough."""
    seats, seat = Seats(["n1", "n2", "n3"], 2), SpoolRequest("a", "7.ab", "/r", 0.0, 60.0, 0, None, None)
    pair = seat._replace(name="pair", nodes=2)
    assert seats.take(seat) == Sitting(("n1",), 1, 0)
    assert seats.take(pair) == Sitting(("n2", "n3"), 2, 1)
    assert seats.take(seat._replace(name="b")) == Sitting(("n1",), 1, 2)
    assert seats.take(seat._replace(name="c")) is None
    seats.lose(["n2"])
    seats.leave("pair")
    assert (seats.enough(pair), seats.take(pair)) == (True, None)
    assert seats.take(seat._replace(name="c")) == Sitting(("n3",), 1, 1)
    assert not seats.enough(seat._replace(nodes=3))


@pytest.mark.parametrize(("options", "said"), [
    ({"allocation": {"time": "soon"}}, "option allocation.time: .*a length of time such as 4h"),
    ({"allocation": {"hours": 4}}, "unknown key 'allocation.hours'"),
    ({"allocation": {"runs": 0}}, "option allocation.runs"),
    ({"allocation": {"runs": 2}, "container": "image"}, "has whole nodes of an allocation"),
    ({"allocation": {}, "requeue": True}, "goes without requeue"),
])  # fmt: skip
def test_what_an_allocation_cannot_be_is_one_clear_line(tmp_path, options, said):
    """Wrong lengths, unknown keys, and what has not been seen to work inside one."""
    with pytest.raises(LauncherError, match=said):
        SlurmLauncher(options, tmp_path)


@given(st.text())
def test_steps_are_read_from_any_text(text):
    """What squeue did not write is left out and never raises."""
    assert all(isinstance(name, str) for _, name in commands.parse_steps(text))


def test_a_run_in_the_spool_is_in_one_place(tmp_path):
    """Waiting, taken, given back, taken again, done; nobody takes it twice, and handing it over again is nothing."""
    spool, request = Spool(tmp_path), SpoolRequest("run", "7.ab", str(tmp_path / "run"), 1.0, None, 0, None, None)
    assert spool.where("run") is None
    spool.put(request)
    assert (spool.waiting(), spool.where("run")) == ([request], request)
    assert (spool.take(request, "7"), spool.take(request, "8")) == (True, False)
    spool.put(request)
    assert (spool.waiting(), list(spool.taken())) == ([], [Taken(request, "7")])
    spool.give_back(Taken(request, "7"))
    assert spool.take(request, "8")
    spool.finish("run", SpoolResult("8", 3, 5.0))
    spool.put(request)
    assert (spool.where("run"), spool.waiting(), list(spool.taken())) == (SpoolResult("8", 3, 5.0), [], [])


def test_slurms_limit_never_comes_before_ours():
    """Whole minutes, rounded up, with a minute for start and end beyond limit and grace."""
    assert [minutes(0.5, 0), minutes(60, 10), minutes(3600, 0), minutes(3600, 1)] == [2, 3, 61, 62]


@given(st.text(), st.text())
def test_names_are_unique_and_tame(run_id, campaign):
    """Any run id of any campaign has a name of its own that needs no quoting and no escaping."""
    name = unique_name(run_id, campaign)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert len(name) <= 72
    assert name != unique_name(run_id, campaign + "x")


WORDS = {
    "BOOT_FAIL": JobState.NODE_FAILED, "CANCELLED": JobState.CANCELLED, "COMPLETED": JobState.SUCCEEDED,
    "CONFIGURING": JobState.QUEUED, "COMPLETING": JobState.RUNNING, "DEADLINE": JobState.PREEMPTED,
    "FAILED": JobState.FAILED, "NODE_FAIL": JobState.NODE_FAILED, "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "PENDING": JobState.QUEUED, "PREEMPTED": JobState.PREEMPTED, "REQUEUED": JobState.QUEUED,
    "REVOKED": JobState.CANCELLED, "RUNNING": JobState.RUNNING, "SUSPENDED": JobState.RUNNING,
    "TIMEOUT": JobState.TIMED_OUT, "CANCELLED by 1000": JobState.CANCELLED, "CANCELLED+": JobState.CANCELLED,
    "SOMETHING_NEW": JobState.UNKNOWN, "": JobState.UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_slurm_has_one_of_ours(word):
    """A word that is not known is not a failure."""
    assert commands.job_state(word) is WORDS[word]


@given(st.text())
def test_any_answer_of_squeue_can_be_read(text):
    """A torn, empty or foreign answer gives no rows, and never an exception."""
    assert isinstance(commands.parse_squeue(text), list)


@given(st.lists(st.text(st.characters(exclude_characters="\n|"), max_size=12), min_size=10, max_size=10))
def test_any_answer_of_sacct_can_be_read(cells):
    """The same for the accounts."""
    rows = commands.parse_sacct(
        "|".join(cells) + "\n7|FAILED|3:0|n1|100|101|102||c|name\n7.batch|FAILED|3:0|n1||||2048K||batch"
    )
    assert rows["7"].exit_code == 3
    assert rows["7"].peak_memory_gb >= 2048 * 1024 / 1e9


def seen(row, ended=None, cancelled_at=None, waited_s=0.0, output=""):
    record = Record("run-1", "/f", "/f/log", "run-1-x", "t", 50.0, "7", cancelled_at)
    return SlurmView(record, row, {}, ended, time.time(), waited_s, output)


def exit_file(ending="exited", code=0, ended_at=200.0):
    return {
        "ending": ending,
        "exit_code": code,
        "reason": ending,
        "node": "n1",
        "started_at": 100.0,
        "ended_at": ended_at,
    }


@pytest.mark.parametrize(("what", "state"), [
    (seen(QueueLine("7", "RUNNING", started_at=100.0), exit_file(ended_at=time.time())), JobState.RUNNING),
    (seen(QueueLine("7", "COMPLETING", started_at=100.0), exit_file()), JobState.SUCCEEDED),
    (seen(QueueLine("7", "RUNNING", restarts=1, started_at=300.0), exit_file()), JobState.RUNNING),
    (seen(QueueLine("7", "PENDING", restarts=1), exit_file("preempted", 143)), JobState.QUEUED),
    (seen(QueueLine("7", "PREEMPTED"), exit_file("preempted", 143)), JobState.PREEMPTED),
    (seen(QueueLine("7", "CANCELLED"), exit_file("preempted", 143)), JobState.CANCELLED),
    (seen(None, exit_file("preempted", 143)), JobState.PREEMPTED),
    (seen(None, exit_file("preempted", 143), cancelled_at=150.0), JobState.CANCELLED),
    (seen(QueueLine("7", "CANCELLED"), exit_file()), JobState.SUCCEEDED),
    (seen(QueueLine("7", "NODE_FAIL")), JobState.NODE_FAILED),
    (seen(QueueLine("7", "COMPLETED")), JobState.UNKNOWN),
    (seen(QueueLine("7", "COMPLETED"), waited_s=99), JobState.FAILED),
    (seen(QueueLine("7", "FAILED", 1), output="no python"), JobState.FAILED),
    (seen(None), JobState.UNKNOWN),
    (seen(None, waited_s=99), JobState.VANISHED),
    (seen(QueueLine("7", "SOMETHING_NEW")), JobState.UNKNOWN),
])  # fmt: skip
def test_files_first_scheduler_second(what, state):
    """The run's files say how it ended; that it has ended at all, and by whom, Slurm has a say in."""
    assert status(what).state is state


@pytest.mark.parametrize(("options", "said"), [
    ({"partion": "x"}, "did you mean 'partition'"),
    ({"style": "ray"}, "option style"),
    ({"style": "ray.sub"}, "needs the option container"),
    ({"extra": ["--time=5"]}, "--time is set by us"),
    ({"extra": ["-t5"]}, "-t5 is set by us"),
    ({"extra": ["--wrap"]}, "--wrap is set by us"),
    ({"extra": ["night"]}, "is not a flag"),
    ({"setup": ["a\nb"]}, "each entry must be one line"),
    ({"poll_s": -1}, "option poll_s"),
])  # fmt: skip
def test_wrong_options_are_one_clear_line(tmp_path, options, said):
    """Unknown names are answered with the nearest, wrong values with their option."""
    with pytest.raises(LauncherError, match=said):
        SlurmLauncher(options, tmp_path)


def test_an_image_that_is_not_on_this_machine_is_told(tmp_path):
    """A file only: what a registry has, and what nodes alone see, cannot be known here, so it is no refusal."""
    (tmp_path / "there.sqsh").touch()
    said = {
        image: SlurmLauncher({"container": image}, tmp_path).warnings(Resources(), tmp_path)
        for image in (f"{tmp_path}/there.sqsh", f"{tmp_path}/typo.sqsh", "nvcr.io#nvidia/nemo-rl:v0.7.0")
    }
    assert [bool(told) for told in said.values()] == [False, True, False]
    assert "typo.sqsh is not on this machine; make sure that the nodes see it" in said[f"{tmp_path}/typo.sqsh"][0]


def test_slurm_without_its_commands_is_refused(tmp_path, monkeypatch):
    """R34: the native launcher needs the native commands; waiting for them would hide that."""
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher = SlurmLauncher({}, tmp_path)
    assert launcher.refusal(Resources()) == "Slurm's sbatch is not on the PATH here"
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    assert launcher.refusal(Resources()) == ""


def test_ray_sub_gets_every_variable_that_it_reads():
    """They come from `env`, are on record in the script, and those that are ours are refused by name."""
    style = {**STYLES["ray.sub"], "env": {"CPUS_PER_WORKER": "16", "UV_CACHE_DIR_OVERRIDE": "/x"}}
    text = SlurmLauncher(style, Path("/data")).plan(JOB).text
    assert "export CPUS_PER_WORKER=16\n" in text
    assert "export UV_CACHE_DIR_OVERRIDE=/x\n" in text
    with pytest.raises(LauncherError, match="env names MOUNTS"):
        SlurmLauncher({**style, "env": {"MOUNTS": "/x"}}, Path("/data"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "#SBATCH --exclude=n1,n2\n"),
        ({"exclude": "n9"}, "#SBATCH --exclude=n9,n1,n2\n"),
        ({"nodelist": "n1"}, "#SBATCH --nodelist=n1\n"),
    ],
)
def test_bad_nodes_are_left_out_beside_the_persons_own(options, line):
    """Whoever names the nodes gets them."""
    text = SlurmLauncher(options, Path("/data")).plan(replace(JOB, avoid_nodes=("n1", "n2"))).text
    assert line in text
    assert ("--exclude" in text) == ("nodelist" not in options)


def test_a_worktrees_git_folder_is_mounted_read_only(tmp_path):
    """So that git works in the container, and NeMo-RL's check of the code it runs stays quiet."""
    common, tree = tmp_path / "main/.git", tmp_path / "tree"
    (common / "worktrees/one").mkdir(parents=True)
    (common / "worktrees/one/commondir").write_text("../..\n")
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {common}/worktrees/one\n")
    options = SlurmOptions.parse({"container": "image"})
    assert options.beside_git(tree).container_mounts == (f"{common}:{common}:ro",)
    assert options.beside_git(tree).beside_git(tree) == options.beside_git(tree)
    assert SlurmOptions.parse({}).beside_git(tree).container_mounts == ()
    assert options.beside_git(tmp_path).container_mounts == ()
