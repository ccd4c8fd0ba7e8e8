"""The supervisor by itself: claims, clocks, and what it does when the machine misbehaves."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from autoresearch.machine import sandbox
from autoresearch.machine.processes import CommandError, run
from autoresearch.run.job import RunSandbox
from autoresearch.supervision import run_folder, supervisor


def supervise(folder):
    argv = [sys.executable, "-P", "-m", "autoresearch.supervision.supervisor", str(folder / run_folder.SPEC)]
    return run(argv, timeout=200.0)


def ended(folder, patience_s=200.0):
    until = time.monotonic() + patience_s
    while (end := run_folder.read(folder / run_folder.EXIT)) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return end


def gone(folder):
    """Wait until the supervisor has cleared up, too, and nothing holds its lock."""
    with (folder / run_folder.LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


def test_it_returns_when_the_run_is_claimed(spec, tmp_path):
    """The starter gets control back while the run still runs, and nothing of it is our child."""
    spec("until [ -e go ]; do sleep 0.02; done")
    supervise(tmp_path)
    state = run_folder.read(tmp_path / run_folder.STATE)
    assert psutil.Process(state["pid"]).ppid() != os.getpid()
    (tmp_path / "go").touch()
    assert ended(tmp_path)["exit_code"] == 0


def test_a_second_supervisor_leaves_the_run_alone(spec, tmp_path):
    """Whether the first still watches or has ended, the run is not started again."""
    spec("echo started; until [ -e go ]; do sleep 0.02; done")
    supervise(tmp_path)
    supervise(tmp_path)
    (tmp_path / "go").touch()
    ended(tmp_path)
    supervise(tmp_path)
    assert (tmp_path / "run.log").read_text() == "started\n"


def test_a_spec_that_makes_no_sense_is_refused(tmp_path):
    """The starter hears that nothing was started, and why."""
    (tmp_path / run_folder.SPEC).write_text('{"run_id": "x"}')
    with pytest.raises(CommandError, match="argv"):
        supervise(tmp_path)


def test_a_run_that_cannot_be_logged_is_concluded(spec, tmp_path):
    """A failure of ours is written down as such; the run is not left unwatched."""
    (tmp_path / "run.log").mkdir()
    spec("true")
    supervise(tmp_path)
    assert ended(tmp_path)["ending"] == "failed"
    assert "IsADirectoryError" in ended(tmp_path)["reason"]
    assert "Traceback" in (tmp_path / run_folder.TROUBLE).read_text()


def test_times_do_not_follow_the_clock(spec):
    """A clock that jumps changes when a run seems to have started, never how long it ran."""
    watch = supervisor.SupervisedRun(spec("true"))
    watch.clock.start()
    watch.clock._began, watch.clock.started_at = time.monotonic() - 5.0, time.time() + 86_400.0
    report = watch._report("exited", "", watch.clock.running_s)
    assert 5.0 <= report["wall_s"] < 600.0  # and not a day less
    assert report["ended_at"] - report["started_at"] == pytest.approx(report["wall_s"])


def test_no_file_of_the_current_directory_is_imported(spec, tmp_path):
    """A checkout with a `signal.py` of its own does not break its runs."""
    (tmp_path / "signal.py").write_text("raise SystemExit('imported the wrong one')")
    spec("true")
    argv = [sys.executable, "-P", "-m", "autoresearch.supervision.supervisor", str(tmp_path / run_folder.SPEC)]
    run(argv, cwd=tmp_path, timeout=200.0)
    assert ended(tmp_path)["exit_code"] == 0


def test_the_scratch_folder_is_removed_unless_it_may_explain_a_failure(spec, tmp_path):
    """A run gets a scratch folder; it stays only after the run's own failure."""
    scratch = tmp_path / "scratch"
    spec("touch scratch/x", scratch=str(scratch))
    supervise(tmp_path)
    assert ended(tmp_path)["exit_code"] == 0
    gone(tmp_path)
    assert not scratch.exists()
    for name in (run_folder.STATE, run_folder.EXIT):
        (tmp_path / name).unlink()
    spec("touch scratch/x; exit 1", scratch=str(scratch))
    supervise(tmp_path)
    assert ended(tmp_path)["exit_code"] == 1
    gone(tmp_path)
    assert (scratch / "x").exists()


def test_a_scratch_folder_of_somebody_else_is_not_used(spec, tmp_path):
    """What already lies under the name in a folder all may write to is not trusted."""
    (tmp_path / "scratch").symlink_to(tmp_path)
    spec("touch ran", scratch=str(tmp_path / "scratch"))
    supervise(tmp_path)
    assert "belongs to somebody else" in ended(tmp_path)["reason"]
    assert not (tmp_path / "ran").exists()


def test_signals_and_limits_of_the_command_are_the_defaults(spec, tmp_path):
    """A command is born without our blocked and ignored signals, with nothing to read, in a session of its own."""
    spec("grep -E '^Sig(Blk|Ign)' /proc/self/status; wc -c; ps -o sid= -p $$; echo $$")
    supervise(tmp_path)
    ended(tmp_path)
    *masks, size, session, pid = (tmp_path / "run.log").read_text().split()
    assert [mask for mask in masks if mask.startswith("0")] == ["0" * 16] * 2
    assert size == "0"
    assert session == pid


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_run_that_fills_the_disk_is_concluded(spec, tmp_path):
    """On a full disk the log loses its end, which is counted, and the run is still concluded."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        wanted = spec(
            "head -c 1000000 /dev/zero", folder=str(disk), log=str(disk / "run.log"), max_log_bytes=10_000_000
        )
        run_folder.write(disk / run_folder.SPEC, wanted._asdict())
        supervise(disk)
        end = ended(disk)
        assert (end["ending"], end["exit_code"], end["log_bytes"]) == ("exited", 0, 1_000_000)
        assert sorted(path.name for path in disk.iterdir()) == FILES
        assert end["log_lost"] == 1_000_000 - (disk / "run.log").stat().st_size > 500_000
    finally:
        _unmount(disk)


def _unmount(disk: Path) -> None:
    pid = json.loads((disk / run_folder.STATE).read_text())["pid"]
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=200)
    subprocess.run(["umount", disk], check=True)


FILES = ["exit.json", "run.log", "spec.json", "supervisor.json", "supervisor.lock"]


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_pause_of_the_supervisor_ends_nothing(spec, tmp_path):
    """Stopped and continued past the end of its wait, it hears nothing that nobody sent, and the run ends by itself."""
    spec("echo $$ > started; until test -e go; do sleep 0.02; done")
    supervise(tmp_path)
    patience = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < patience
    pid = run_folder.read(tmp_path / run_folder.STATE)["pid"]
    for _ in range(3):
        os.kill(pid, signal.SIGSTOP)
        while state_of(pid) != "T":
            assert time.monotonic() < patience
        time.sleep(0.4)  # the pause itself: longer than the supervisor meant to wait
        os.kill(pid, signal.SIGCONT)
        while state_of(pid) == "T":
            assert time.monotonic() < patience
    (tmp_path / "go").touch()
    end = ended(tmp_path)
    assert (end["ending"], end["exit_code"]) == ("exited", 0)


def test_a_run_is_concluded_although_its_leftovers_cannot_be_cleared(spec, tmp_path, monkeypatch):
    """How it ended is written first, whatever the clean-up meets."""
    run = supervisor.SupervisedRun(spec("true"))
    assert run.claim.take(run.snapshot())
    monkeypatch.setattr(supervisor.confinement, "clear", lambda _confined: (_ for _ in ()).throw(RecursionError))
    run._conclude(run._report("exited", "exited with code 0", 1.0))
    assert run_folder.ended(tmp_path)["reason"] == "exited with code 0"


INSTALLED = {
    "a package in the cache": "$CACHE/uv/archive-v0/abc/pkg/__init__.py",
    "a package in the environment": "$VIRTUAL_ENV/lib/python3.11/site-packages/pkg/__init__.py",
    "an environment of workers": "$NEMO_RL_VENV_DIR/vllm/bin/x",
    "a Python that uv keeps": "$HOME/.local/share/uv/python/x",
    "another package in the cache": "$CACHE/uv/archive-v0/new/pkg",
    "a new environment of workers": "$NEMO_RL_VENV_DIR/new/bin/x",
    "a data set": "$CACHE/x",
}


@pytest.mark.skipif(bool(sandbox.why_not()), reason="no sandbox on this machine")
@pytest.mark.parametrize("opened", [False, True], ids=["as it is", "opened by a person"])
def test_what_is_installed_already_is_read_only_and_what_is_not_may_be_installed(
    spec, tmp_path, tmp_path_factory, opened
):
    """uv's cache and an environment share their files: a run that writes to either would change every later run."""
    home, work = tmp_path_factory.mktemp("home"), tmp_path / "work"
    place = {
        "CACHE": home / ".cache",
        "VIRTUAL_ENV": home / ".cache/deep/env",
        "NEMO_RL_VENV_DIR": home / ".cache/workers",
    }
    site, kept = place["VIRTUAL_ENV"] / "lib/python3.11/site-packages", home / ".cache/uv/archive-v0/abc"
    for folder in (place["VIRTUAL_ENV"], place["NEMO_RL_VENV_DIR"] / "vllm", home / ".local/share/uv/python", work):
        folder.mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text("uv = 1\n")
    for file in ("pkg/__init__.py", "pkg-1.dist-info/METADATA"):
        for path in (kept / file, site / file):
            path.parent.mkdir(parents=True)
        (kept / file).write_text("honest\n")
        (site / file).hardlink_to(kept / file)
    tries = "".join(
        f'(mkdir -p "$(dirname "{file}")" && echo forged >> "{file}") 2>/dev/null && echo {name}\n'
        for name, file in INSTALLED.items()
    )
    tries += 'mv "$CACHE/deep" "$CACHE/old" 2>/dev/null && echo the folder above it\n'
    wanted = RunSandbox(required=True, shared=(str(home / ".cache"),) if opened else ())
    env = {"HOME": str(home)} | {name: str(path) for name, path in place.items()}
    spec(tries, env=env, directory=str(work), sandbox=asdict(wanted))
    supervise(tmp_path)
    assert ended(tmp_path)["exit_code"] is not None
    done = (tmp_path / "run.log").read_text().splitlines()
    new = [name for number, name in enumerate(INSTALLED) if number > 3 or (opened and number in {0, 2})]
    assert done == [*new, *(["the folder above it"] if opened else [])]
    assert ((kept / "pkg/__init__.py").read_text() == "honest\n") is not opened
