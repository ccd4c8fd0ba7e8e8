"""Real clusters for stories."""

from tests.launchers.clusters import double, double_session, no_pyxis, ray_address, slurm, slurm_session

__all__ = ["double", "double_session", "no_pyxis", "ray_address", "slurm", "slurm_session"]
