"""Fixtures of the supervisors' tests."""

from pathlib import Path

import pytest

from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec


@pytest.fixture
def spec(tmp_path: Path):
    """Makes the spec of a run of a shell script, written to disk."""

    def make(script: str, **changes: object) -> SupervisorSpec:
        plain = SupervisorSpec(
            run_id="run-1",
            argv=["sh", "-c", script],
            directory=str(tmp_path),
            folder=str(tmp_path),
            log=str(tmp_path / "run.log"),
            env={},
            limit_s=200.0,
            grace_s=0.5,
            memory_gb=None,
            max_log_bytes=100_000,
            gpus=0,
            gpu_pool=[],
            max_gpu_memory_used_gb=1.0,
            scratch="",
        )
        wanted = plain._replace(**changes)
        run_folder.write(Path(wanted.folder) / run_folder.SPEC, wanted._asdict())
        return wanted

    return make
