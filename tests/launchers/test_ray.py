"""The Ray launcher on a real head: the contract, adoption, an archive of the commit, a head that is away."""

import json
import subprocess
import sys
from http.server import ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import LauncherError
from autoresearch.examples.demo_repository import create
from autoresearch.git import refs
from autoresearch.launchers.ray.head import Head, read_returned_files
from autoresearch.launchers.ray.launcher import RayLauncher
from autoresearch.ports import plugins
from autoresearch.ports.target import RunRequest
from autoresearch.run.job import JobState
from autoresearch.run.post_mortem import crash_symptoms
from autoresearch.testing.launchers import ProcessContract, settle

from .ray_between import Between

PATIENCE_S = 90.0
needs_head = [pytest.mark.full, pytest.mark.ray, pytest.mark.usefixtures("ray_address")]


class TestContract(ProcessContract):
    pytestmark = needs_head

    @pytest.fixture
    def make(self, tmp_path, ray_address):
        return lambda: RayLauncher({"poll_s": 0, "address": ray_address}, tmp_path / "campaign")


@pytest.fixture
def upload(tmp_path, ray_address, job):
    """A launcher that sends code, and a worktree with one commit."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "answer.txt").write_text("forty-two\n")
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x")):
        subprocess.run(("git", *words), cwd=tree, check=True)
    (tree / "answer.txt").write_text("not committed\n")
    return RayLauncher({"poll_s": 0, "address": ray_address, "code": "upload"}, tmp_path / "campaign")


@pytest.mark.full
@pytest.mark.ray
def test_the_commit_is_sent_and_the_log_comes_back(upload, job):
    """The head runs what is committed, not what lies in the worktree, and its output becomes the run's log."""
    wanted = job("cat answer.txt; exit 3")
    job_id = upload.submit(upload.plan(wanted))
    status = settle(upload, job_id, PATIENCE_S)
    assert (status.state, status.exit_code) == (JobState.FAILED, 3)
    assert "forty-two\n" in Path(wanted.log).read_text()


class Meddler(Between):
    """Between us and the head: hands everything on, but changes one file in every archive."""

    def changed(self, body: bytes) -> bytes:
        return meddled(body) if self.command == "PUT" else body


def meddled(archive):
    changed = BytesIO()
    with ZipFile(BytesIO(archive)) as old, ZipFile(changed, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, b"forty-three\n" if entry.filename == "answer.txt" else old.read(entry))
    return changed.getvalue()


@pytest.mark.full
@pytest.mark.ray
def test_an_archive_that_was_changed_on_its_way_is_not_run(upload, job, ray_address, tmp_path):
    """What arrived is not the commit: nothing is started, and the failure is no fault of the idea."""
    between = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("ThisMeddler", (Meddler,), {"head": ray_address, "failing": {}, "asked": []})
    )
    Thread(target=between.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{between.server_port}"
        launcher = RayLauncher({**upload.options.model_dump(), "address": address}, tmp_path / "campaign")
        wanted = job("cat answer.txt")
        status = settle(launcher, launcher.submit(launcher.plan(wanted)), PATIENCE_S)
    finally:
        between.shutdown()
        between.server_close()
    assert status.state is JobState.NODE_FAILED
    assert "the code that arrived is not the commit's, so nothing was started" in status.reason
    log = Path(wanted.log).read_text()
    assert "forty" not in log
    assert [found.name for found in crash_symptoms(log)] == ["code-mismatch"]


@pytest.mark.full
@pytest.mark.ray
def test_every_run_finds_the_commit_as_it_is(upload, job):
    """What one run left behind in its folder there, the next one of the same commit does not see."""
    for number in range(2):
        wanted = job("[ ! -e left-behind ] && touch left-behind", name=f"run-{number}")
        assert settle(upload, upload.submit(upload.plan(wanted)), PATIENCE_S).state is JobState.SUCCEEDED


@pytest.mark.full
@pytest.mark.ray
def test_a_limit_without_our_supervisor(upload, job):
    """Where we are not installed, coreutils keeps the limit, and the end is a time-out."""
    job_id = upload.submit(upload.plan(job("trap '' TERM; sleep 60; sleep 60", limit_s=1.0)))
    assert settle(upload, job_id, PATIENCE_S).state is JobState.TIMED_OUT


@pytest.mark.full
@pytest.mark.ray
def test_an_archive_that_is_too_large_is_refused(upload, job, tmp_path):
    """The cap is kept before anything is sent, and the message says what to do."""
    tight = RayLauncher({**upload.options.model_dump(), "max_upload_mb": 0.0001}, tmp_path / "campaign")
    with pytest.raises(LauncherError, match="raise that, or use code: shared"):
        tight.submit(tight.plan(job()))


@pytest.mark.full
@pytest.mark.ray
def test_a_submission_the_head_has_already_is_that_job(ray_address, job, tmp_path):
    """Killed after the head had answered: the record names the job, and the head knows it."""
    launcher = RayLauncher({"poll_s": 0, "address": ray_address}, tmp_path / "campaign")
    plan = launcher.plan(job("sleep 60"))
    job_id = launcher.submit(plan)
    Head(ray_address).submit({"submission_id": job_id, "entrypoint": "echo a second one"})
    again = RayLauncher({"poll_s": 0, "address": ray_address}, tmp_path / "campaign")
    assert (again.find("run-1"), again.submit(plan)) == (job_id, job_id)
    again.cancel(job_id)
    settle(again, job_id, PATIENCE_S)


@pytest.mark.full
@pytest.mark.ray
def test_a_sent_nemo_rl_run_says_whose_code_it_imported(ray_address, tmp_path):
    """The head sees none of our folders: the probe goes along, its report and the number come back by the log."""
    made = create(tmp_path / "RL")
    folder = tmp_path / "run"
    folder.mkdir()
    command = [sys.executable, "examples/run_grpo.py"]
    target = plugins.load("targets", "nemo-rl")(recipe=str(made.recipe), command=command, options={"steps": 30})
    request = RunRequest(
        run_id="run-1",
        tree=made.root,
        folder=folder,
        log=folder / "run.log",
        seed=7,
        limit_s=None,
        commit=refs.head_commit(made.root),
    )
    launcher = RayLauncher({"poll_s": 0, "address": ray_address, "code": "upload"}, tmp_path / "campaign")
    status = settle(launcher, launcher.submit(launcher.plan(target.job(request))), PATIENCE_S)
    assert status.state is JobState.SUCCEEDED, request.log.read_text()
    said = json.loads((folder / "provenance.json").read_text())
    assert "_ray_pkg_" in said["nemo_rl"]
    assert said["arrived"].startswith("sha1:")
    found = target.measure(folder, request.log.read_text(), {}, status)
    assert found.value is not None, found.note


@pytest.mark.parametrize("line", [
    '(Actor pid=7) autoresearch-file provenance-mismatch-node-7.json {"nemo_rl": "/old"}',
    'autoresearch-file provenance-mismatch-node-7.json {"nemo_rl": "/old"}',
])  # fmt: skip
def test_a_worker_that_imported_other_code_is_heard_through_the_log(line):
    """Ray puts a worker's name before what it prints."""
    assert list(read_returned_files(f"before\n{line}\nafter")) == [
        ("provenance-mismatch-node-7.json", '{"nemo_rl": "/old"}\n')
    ]


@given(st.text())
def test_no_log_brings_back_anything_but_reports(text):
    """A line may hold any name; only that of a report in the run's folder is written."""
    assert all(
        name.startswith("provenance") and "/" not in name
        for name, _ in read_returned_files(f"autoresearch-file {text}")
    )


def test_a_head_that_is_away_is_an_outage(job, tmp_path):
    """Nobody at the address: one clear error, and nothing is concluded."""
    launcher = RayLauncher({"address": "http://127.0.0.1:9"}, tmp_path / "campaign")
    with pytest.raises(LauncherError, match="could not be reached"):
        launcher.submit(launcher.plan(job()))
    with pytest.raises(LauncherError, match="could not be reached"):
        launcher.find("run-1")


def test_without_an_address_it_says_how_to_give_one(job, tmp_path, monkeypatch):
    """The option and the variable are named."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    launcher = RayLauncher({}, tmp_path)
    with pytest.raises(LauncherError, match="set its option address, or RAY_ADDRESS"):
        launcher.submit(launcher.plan(job()))


@pytest.mark.parametrize(("options", "said"), [
    ({"adress": "http://x"}, "did you mean 'address'"),
    ({"address": "ray://x:10001"}, "option address"),
    ({"code": "zip"}, "option code"),
    ({"max_upload_mb": 0}, "option max_upload_mb"),
])  # fmt: skip
def test_wrong_options_are_one_clear_line(tmp_path, options, said):
    """Unknown names are answered with the nearest, wrong values with their option."""
    with pytest.raises(LauncherError, match=said):
        RayLauncher(options, tmp_path)
