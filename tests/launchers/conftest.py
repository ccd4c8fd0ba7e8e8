"""Fixtures of the launchers' tests."""

from tests.launchers.clusters import slurm, slurm_session

__all__ = ["slurm", "slurm_session"]
