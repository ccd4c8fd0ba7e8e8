"""Fixtures of the launchers' tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.launchers.clusters import double, double_session, ray_address, slurm, slurm_session

__all__ = ["double", "double_session", "ray_address", "slurm", "slurm_session"]


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
