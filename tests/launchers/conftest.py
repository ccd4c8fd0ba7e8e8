"""Fixtures of the launchers' tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.launchers.clusters import double, double_session, no_pyxis, ray_address, slurm, slurm_session
from tests.launchers.kube_server import kube, kube_session

from autoresearch.ports.launcher import Launcher
from autoresearch.run.job import Job
from autoresearch.testing.launchers import JobFactory

__all__ = ["double", "double_session", "kube", "kube_session", "no_pyxis", "ray_address", "slurm", "slurm_session"]


WAIT = "until [ -e go ]; do sleep 0.02; done"
"""What a job runs that is to live until the fixture `go` is called."""


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
