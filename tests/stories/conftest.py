"""Real clusters for stories."""

from tests.launchers.clusters import ray_address, slurm, slurm_session

__all__ = ["ray_address", "slurm", "slurm_session"]
