"""What a person may write under `launcher: {type: kubernetes, ...}`, and what `nrl-k8s` shares with it."""

import posixpath
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from autoresearch.ports.launcher import LauncherOptions


class ClusterOptions(LauncherOptions):
    """Where the cluster is, how pods see our files, and how patient we are."""

    context: str | None = None
    """Context of the kube configuration; left out, its current one. Inside a pod its service account is used."""

    namespace: str | None = None
    """Namespace of everything we make; left out, the context's own."""

    paths: Mapping[str, str] = Field(default_factory=dict)
    """Where pods see a folder of ours, `{HERE: THERE}`, for a volume that is mounted elsewhere in pods than here."""

    setup: tuple[str, ...] = ()
    """Shell lines that the run's script carries out before the command, such as `source /opt/env.sh`."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Never secrets: name those under `secrets`, or in a template by
    `secretKeyRef`."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    requeue: bool = False
    """Whether a run may start again after its pod was evicted or its node drained."""

    poll_s: float = Field(default=5.0, ge=0)
    """Fewest seconds between two questions to the API server, however often we are asked."""

    pull_patience_s: float = Field(default=600.0, ge=0)
    """How long a pod may fail to get its image or its secrets before its run is given up."""

    start_within_s: int | None = Field(default=None, ge=1)
    """How long a RayJob may wait before its command begins, GPUs queued for included; KubeRay ends it then
    (`preRunningDeadlineSeconds`, KubeRay 1.6 and later). None: without end."""

    teardown_s: float = Field(default=90.0, ge=0)
    """How long pods and Ray cluster of a run that is over may take to go before they are reported as left over."""

    @field_validator("setup")
    @classmethod
    def _one_line(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        if any("\n" in line or "\0" in line for line in lines):
            raise ValueError("each entry must be one line")
        return lines

    @field_validator("paths")
    @classmethod
    def _absolute(cls, paths: Mapping[str, str]) -> Mapping[str, str]:
        for place in (*paths, *paths.values()):
            if not posixpath.isabs(place) or posixpath.normpath(place) != place or place == "/":
                raise ValueError(f"{place!r} must be an absolute path without a slash at its end")
        return paths


class PodVolume(BaseModel, frozen=True, extra="forbid"):
    """A persistent volume claim that pods of a run mount."""

    claim: str
    """Name of the claim; it must exist."""

    mount: str
    """Where pods see it."""

    sub_path: str | None = None
    """Folder inside the volume, in place of its root."""

    read_only: bool = False
    """Whether pods may only read it."""


class KubernetesOptions(ClusterOptions):
    """Options of the Kubernetes launcher."""

    launcher: ClassVar[str] = "kubernetes"

    kind: Literal["rayjob", "job"] = "rayjob"
    """`rayjob`: a KubeRay RayJob, with one Ray node for each node of a run. `job`: a plain Job of one pod, which needs
    no operator."""

    template: str | None = None
    """File with a RayJob or Job of your own, in which only name, labels, command and retries are ours; relative to the
    repository."""

    image: str | None = None
    """Container image; required without a template, and in place of the template's."""

    volumes: tuple[PodVolume, ...] = ()
    """Claims that pods mount; one of them must hold repository and reports."""

    secrets: Mapping[str, str] = Field(default_factory=dict)
    """Variables from secrets of the cluster, `{WANDB_API_KEY: "wandb/api-key"}`: name of the secret, slash, its key."""

    image_pull_secrets: tuple[str, ...] = ()
    """Names of secrets for the image's registry."""

    service_account: str | None = None
    """Service account of the pods."""

    node_selector: Mapping[str, str] = Field(default_factory=dict)
    """Labels that a node must have."""

    tolerations: tuple[Mapping[str, str | int], ...] = ()
    """Taints that pods put up with, as Kubernetes writes them; `{operator: Exists}` for all."""

    scheduler: str | None = None
    """`schedulerName`, such as `kai-scheduler`."""

    labels: Mapping[str, str] = Field(default_factory=dict)
    """Further labels, such as `kueue.x-k8s.io/queue-name` or `kai.scheduler/queue`."""

    gpu: str = "nvidia.com/gpu"
    """Resource by which the cluster counts GPUs."""

    ray_version: str | None = None
    """Ray of the image, for the operator."""

    submission: Literal["K8sJobMode", "HTTPMode", "SidecarMode"] | None = None
    """How KubeRay hands the command to Ray; None: `HTTPMode` with `scheduler: kai-scheduler`, else `K8sJobMode`.
    `HTTPMode` and `SidecarMode` (KubeRay 1.5 and later) need no pod of their own, which gang schedulers such as KAI
    want; with `HTTPMode` Ray's log cannot be read through the API, only `run.log` in the run's folder."""

    cpus: int = Field(default=1, ge=1)
    """CPU cores, asked for and at most, of a pod without GPUs whose run does not say how many."""

    memory_gb: float = Field(default=8.0, gt=0)
    """Host memory in GB, asked for and at most, of a pod without GPUs whose run does not say how much
    (`run.memory_gb`)."""

    ttl_s: int = Field(default=3600, ge=0)
    """How long a plain Job stays after its end. A RayJob's cluster goes at once, the RayJob itself stays."""

    @field_validator("secrets")
    @classmethod
    def _by_reference(cls, secrets: Mapping[str, str]) -> Mapping[str, str]:
        for value in secrets.values():
            name, slash, key = value.partition("/")
            if not (name and slash and key):
                raise ValueError("each must be the name of a secret, a slash, and its key; never a secret itself")
        return secrets

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.template is None and self.image is None:
            raise ValueError("give an image, or a template that names one")
        return self
