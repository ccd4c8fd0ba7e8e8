"""A warm allocation on a real Slurm: the contract, and what one job for many runs has to keep beyond it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoresearch.core.job import JobState
from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm import SlurmLauncher
from autoresearch.testing import JobFactory, ProcessContract, settle

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
HELD = {"time": "10m", "idle": "1m"}


@pytest.fixture
def job(tmp_path):
    return JobFactory(tmp_path)


@pytest.fixture
def make(tmp_path):
    """Makes launchers with a warm allocation, and gives that back at the end."""

    def maker(allocation=HELD, **options: object) -> SlurmLauncher:
        return SlurmLauncher({"poll_s": 0, "allocation": allocation, **options}, tmp_path / "campaign")

    yield maker
    assert maker().release() == ()


@pytest.fixture
def submit(make, job):
    def submitter(script="true", name="run-1", limit_s=30.0, **options: object) -> tuple[SlurmLauncher, str]:
        launcher = make(**options)
        return launcher, launcher.submit(launcher.plan(job(script, name=name, limit_s=limit_s)))

    return submitter


def reach(launcher, job_id, state, patience_s=30.0):
    until = time.monotonic() + patience_s
    while (status := launcher.states([job_id])[job_id]).state is not state and time.monotonic() < until:
        time.sleep(0.05)
    assert status.state is state, status
    return status


def allocations(launcher):
    return [held.job_id for held in launcher.held()]


class TestContract(ProcessContract):
    @pytest.fixture
    def job(self, tmp_path):
        return JobFactory(tmp_path)

    @pytest.fixture
    def make(self, make):
        return make


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
