"""What a person may write under `launcher: {type: nrl-k8s, ...}`."""

from typing import ClassVar

from autoresearch.launchers.kubernetes.options import ClusterOptions


class NrlK8sOptions(ClusterOptions):
    """Options of the nrl-k8s launcher, beside those that all of Kubernetes shares."""

    launcher: ClassVar[str] = "nrl-k8s"

    infra: str
    """The infra file; relative to the repository."""

    tool: str = "nrl-k8s"
    """The program, for its `check` and `run --dry-run` before each submission; left out of it where it is not
    installed."""

    gpu: str = "nvidia.com/gpu"
    """Resource by which the cluster counts GPUs."""
