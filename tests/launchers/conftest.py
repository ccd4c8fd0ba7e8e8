"""Fixtures of the launchers' tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.launchers.clusters import double, double_session, no_pyxis, ray_address, slurm, slurm_session
from tests.launchers.kube_server import kube, kube_session

from autoresearch.machine import processes
from autoresearch.ports.launcher import Launcher
from autoresearch.run.job import Job, JobState
from autoresearch.testing.launchers import JobFactory, settle

__all__ = ["double", "double_session", "kube", "kube_session", "no_pyxis", "ray_address", "slurm", "slurm_session"]


WAIT = "until [ -e go ]; do sleep 0.02; done"
"""What a job runs that is to live until the fixture `go` is called."""


def gone(pid: int) -> bool:
    """Whether nothing works under this number any more."""
    left = processes.process_info(pid)
    return left is None or left.dead


def is_named_and_ended(launcher: Launcher, wanted: Job) -> None:
    """A job leaves a daemon and kills its supervisor: the daemon is named, and gone when the job is cancelled."""
    job_id = launcher.submit(launcher.plan(wanted))
    assert settle(launcher, job_id).state is JobState.VANISHED
    pid = int(Path(wanted.directory, "daemon").read_text())
    assert f"process {pid} (sleep)" in launcher.leftovers(job_id)
    launcher.cancel(job_id)
    assert launcher.leftovers(job_id) == ()
    assert gone(pid)


@pytest.fixture
def go(tmp_path: Path) -> Callable[[], None]:
    """Lets jobs of `WAIT` go on."""
    return (tmp_path / "tree" / "go").touch


@pytest.fixture
def job(tmp_path: Path) -> JobFactory:
    """Makes jobs in folders below the test's own."""
    return JobFactory(tmp_path)


@pytest.fixture
def submit(make: Callable[..., Launcher]) -> Callable[..., tuple[Launcher, str]]:
    """Submits a job through a launcher of its own, which `make` makes with the options; returns it and the job's id."""

    def submitter(wanted: Job, **options: object) -> tuple[Launcher, str]:
        launcher = make(**options)
        return launcher, launcher.submit(launcher.plan(wanted))

    return submitter


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a script in front of one of Slurm's programs; `$real` in it is the program."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def wrap(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/bash\nreal={shutil.which(name)}\n{script}\n")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return wrap
