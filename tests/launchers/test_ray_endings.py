"""What a Ray head says, and what is made of it: ends, refusals, waits, and logs that are fetched bit by bit."""

import subprocess
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.ray.head import Head, token
from autoresearch.launchers.ray.launcher import RayLauncher
from autoresearch.launchers.ray.log_copy import continuation
from autoresearch.launchers.ray.status import by_files, by_ray, too_much
from autoresearch.run.ending import Account, Who, judge
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import settle

from .clusters import reach
from .ray_between import Between

RECORD = Record("run", "/nowhere", "/nowhere/run.log", "ar-run", "token", 100.0, "ar-run")
needs_head = [pytest.mark.full, pytest.mark.ray]


def job(state, message="", code=None, **more: object):
    return {"status": state, "message": message, "driver_exit_code": code, "start_time": 1000, "end_time": 9000, **more}


@pytest.mark.parametrize(("state", "said", "files", "found", "who"), [
    (JobState.SUCCEEDED, job("SUCCEEDED", code=0), True, JobState.FAILED, Who.ENVIRONMENT),
    (JobState.FAILED, job("FAILED", "Job entrypoint command failed", 1), True, JobState.FAILED, Who.ENVIRONMENT),
    (JobState.CANCELLED, job("STOPPED"), True, JobState.CANCELLED, Who.OPERATOR),
    (JobState.CANCELLED, job("STOPPED"), False, JobState.CANCELLED, Who.OPERATOR),
    (JobState.FAILED, job("FAILED", "Job supervisor actor died: its node has died"), False, JobState.NODE_FAILED, Who.NODE),
    (JobState.FAILED, job("FAILED", "runtime_env setup failed: no space"), False, JobState.FAILED, Who.NODE),
])  # fmt: skip
def test_an_end_that_is_not_the_runs_own_is_not_held_against_it(state, said, files, found, who):
    """Success needs the exit file where we see it; a stop by hand, a lost node, a failed set-up are made again."""
    told = by_ray(RECORD, state, said, files=files)
    assert told.state is found
    ending = judge(Account(status=told))
    assert (ending.who, ending.excused) == (who, True), ending


def test_a_sent_run_ends_as_its_command_did():
    """Where no exit file can come back, the command's own exit code is the run's."""
    assert by_ray(RECORD, JobState.SUCCEEDED, job("SUCCEEDED", code=0), files=False).state is JobState.SUCCEEDED
    failed = by_ray(RECORD, JobState.FAILED, job("FAILED", "failed with exit code 3", 3), files=False)
    assert (failed.state, failed.exit_code) == (JobState.FAILED, 3)


def test_a_stop_by_hand_is_told_from_ours():
    """Both end in a supervisor that was told to stop."""
    ended = {
        "ending": "preempted", "reason": "asked to stop by SIGTERM", "exit_code": None, "node": "n", "started_at": 1.0,
        "ended_at": 500.0, "cpu_s": None, "peak_memory_gb": None, "peak_gpu_memory_gb": None,
    }  # fmt: skip
    assert "by somebody else" in by_files(RECORD, JobState.CANCELLED, ended).reason
    assert "somebody" not in by_files(RECORD._replace(cancelled_at=400.0), JobState.CANCELLED, ended).reason


@pytest.mark.parametrize(("wanted", "nodes", "said"), [
    ({"GPU": 4}, [{"CPU": 4.0}], "4 GPU (the largest node has 0)"),
    ({"GPU": 4}, [{"GPU": 2.0}, {"GPU": 2.0}], "4 GPU (the largest node has 2)"),
    ({"GPU": 2, "CPU": 1}, [{"CPU": 8.0}, {"GPU": 2.0, "CPU": 1.0}], ""),
    ({"GPU": 4}, [], ""),
    ({}, [{"CPU": 4.0}], ""),
])  # fmt: skip
def test_a_command_must_fit_one_node(wanted, nodes, said):
    """A cluster's total is no help to one command; of a cluster that says nothing, nothing is said."""
    assert said in too_much(wanted, nodes)
    assert bool(said) is bool(too_much(wanted, nodes))


@example(before=637, more=0, lines=1000, word="")
@given(before=st.integers(0, 3000), more=st.integers(0, 900), lines=st.integers(0, 2000), word=st.text(max_size=3))
def test_a_log_is_continued_or_fetched_anew(before, more, lines, word):
    """Whatever the last lines are: what is joined is the log, to the last character, and else it is not joined."""
    every = [f"step {number}: {word}\n" for number in range(before + more)]
    known, whole = "".join(every[:before]), "".join(every)
    added = continuation(known, "".join(every[max(0, len(every) - lines) :]) if lines else "")
    assert added is None or known + added == whole
    assert added is not None or len(known) < 4000 or lines < more + 1000


# -- tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of the test's own, without tokens."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    return tmp_path


def test_a_token_is_looked_for_as_rays_own_client_does(home, monkeypatch):
    """The variable, then the file that a variable names, then the usual file; none is none."""
    assert token() == ("", "")
    (home / ".ray" / "auth_token").write_text("usual\n")
    assert token() == ("usual", str(home / ".ray" / "auth_token"))
    (home / "named").write_text(" named ")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "named"))
    assert token()[0] == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "spoken")
    assert token() == ("spoken", "RAY_AUTH_TOKEN")


def test_a_token_file_that_is_named_must_hold_one(home, monkeypatch):
    """Ray's client refuses as well, and does not fall back on another token."""
    (home / ".ray" / "auth_token").write_text("usual")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "nothing"))
    with pytest.raises(RefusedError, match="holds no token; correct it or unset it"):
        token()


# -- a head in between -----------------------------------------------------------------------------------------------


@pytest.fixture
def between():
    """Makes what stands between us and the head at an address; returns its own address, and its class."""
    servers = []

    def make(head="") -> tuple[str, type[Between]]:
        handler = type("ThisBetween", (Between,), {"head": head, "failing": {}, "asked": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", handler

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("code", "kind", "said"), [
    (400, RefusedError, "ValueError: no such thing"), (401, RefusedError, "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"),
    (403, RefusedError, "perhaps it has run out"), (429, NotNowError, "429"), (500, LauncherError, "no such thing"),
    (503, LauncherError, "503"),
])  # fmt: skip
def test_no_not_now_and_no_answer_are_told_apart(between, home, code, kind, said):
    """Each in the head's own sentence; a login that does not hold comes with its cure, also in the middle of a run."""
    address, handler = between()
    handler.failing["/api/jobs"] = code
    if code == 403:
        (home / ".ray" / "auth_token").write_text("old")
    with pytest.raises(LauncherError) as raised:
        Head(address).jobs()
    assert type(raised.value) is kind
    assert said in str(raised.value)


class TestOnARealHead:
    pytestmark = needs_head

    @pytest.fixture
    def make(self, tmp_path, ray_address, between) -> Callable[..., tuple[RayLauncher, type[Between]]]:
        """Makes launchers whose questions are counted."""
        address, handler = between(ray_address)
        folder = tmp_path / "campaign"
        (tmp_path / "tree").mkdir()
        git = [("init", "-q"), ("-c", "user.name=a", "-c", "user.email=b", "commit", "--allow-empty", "-qm", "x")]
        for words in git:
            subprocess.run(("git", *words), cwd=tmp_path / "tree", check=True)
        return lambda **options: (RayLauncher({"poll_s": 0, "address": address, **options}, folder), handler)

    def test_a_job_stopped_by_somebody_else_is_cancelled(self, make, job, ray_address):
        """`ray job stop` by hand: not a failure, and said to be somebody else's doing."""
        launcher, _ = make()
        job_id = launcher.submit(launcher.plan(job("sleep 600")))
        reach(launcher, job_id, JobState.RUNNING)
        Head(ray_address).stop(job_id)
        ended = settle(launcher, job_id)
        assert ended.state is JobState.CANCELLED
        assert "stopped through Ray by somebody else" in ended.reason

    def test_a_request_for_more_than_the_head_has_says_so(self, make, job):
        """Four GPUs on a head without any: queued, with what is missing, and that it cannot come by itself."""
        launcher, _ = make(entrypoint_num_gpus=4)
        job_id = launcher.submit(launcher.plan(job()))
        waiting = launcher.states([job_id])[job_id]
        while not waiting.reason.startswith("asks"):
            waiting = launcher.states([job_id])[job_id]
        assert "4 GPU (the largest node has 0)" in waiting.reason
        assert (waiting.state, waiting.stuck) == (JobState.QUEUED, True)
        launcher.cancel(job_id)
        settle(launcher, job_id)

    def test_logs_are_fetched_bit_by_bit_and_no_more_often_than_asked_for(self, make, job):
        """However often one looks: one question within `poll_s`; a log that grows is continued by its last lines."""
        launcher, handler = make(code="upload", poll_s=600)
        wanted = job("seq 1 3000; sleep 600")
        job_id = launcher.submit(launcher.plan(wanted))
        for _ in range(20):
            launcher.states([job_id])
        assert sum(path.endswith("/logs") for path in handler.asked) <= 1
        often, _ = make(code="upload")
        while not Path(wanted.log).exists() or "\n3000\n" not in Path(wanted.log).read_text():
            often.states([job_id])
        handler.asked.clear()
        [often.states([job_id]) for _ in range(5)]
        assert not any(path.endswith("/logs") for path in handler.asked)
        assert Path(wanted.log).read_text().count("\n2999\n") == 1
        often.cancel(job_id)
        settle(often, job_id)

    def test_a_log_that_cannot_be_had_is_its_own_jobs_trouble(self, make, job):
        """The other job is followed as ever; the one without a log is not read before it is there."""
        launcher, handler = make(code="upload")
        ids = [launcher.submit(launcher.plan(job("echo done", name=name))) for name in ("silent", "heard")]
        handler.failing[f"/api/jobs/{ids[0]}/logs"] = 500
        assert settle(launcher, ids[1]).state is JobState.SUCCEEDED
        assert "its log could not be fetched" in reach(launcher, ids[0], JobState.UNKNOWN).reason
        handler.failing.clear()
        assert settle(launcher, ids[0]).state is JobState.SUCCEEDED
