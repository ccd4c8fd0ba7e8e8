"""An infra file of NeMo-RL's `infra/nrl_k8s`, and the RayJob that it stands for.

Written from that tool's behaviour at NeMo-RL commit a3c7eee: where the tool is installed, the launcher compares both
and sends nothing that differs. Read are the parts that a RayJob of the role `training` depends on.
"""

import copy
import getpass
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from autoresearch.errors import LauncherError
from autoresearch.launchers.kubernetes.manifest import MANAGED, Manifest, pod_templates

TTL_S = 0
"""The tool's own default keeps a finished cluster, GPUs and all, for an hour."""

_CLAIMS = {"compute-domain-channel": "compute-domain", "roce-channel": "roce"}
"""Resource claims of workers whose templates the tool names after cluster and role."""


def read(path: Path) -> dict[str, Any]:
    """An infra file with what it inherits, everything resolved.

    Raises:
        LauncherError: It cannot be read or resolved, or it has no training cluster or image.
    """
    _resolvers()
    try:
        layers = [_body(_inherited(place, ())) for place in (_user_defaults(), path) if place == path or place.exists()]
        merged = OmegaConf.merge(*layers)
        OmegaConf.resolve(merged)
        found: Any = OmegaConf.to_container(merged)
    except (OSError, UnicodeError, YAMLError, OmegaConfBaseException, ValueError) as error:
        told = " ".join(str(error).split())
        raise LauncherError(f"the infra file {path} cannot be read: {told}; correct it or the option infra") from error
    cluster = (found.get("kuberay") or {}).get("training") or {}
    needed = {"image": found.get("image"), **{f"kuberay.training.{key}": cluster.get(key) for key in ("name", "spec")}}
    lacking = [key for key, there in needed.items() if not there]
    if lacking:
        raise LauncherError(f"the infra file {path} lacks {', '.join(lacking)}; nrl-k8s check says what else")
    return dict(found)


def _user_defaults() -> Path:
    return Path(os.environ.get("NRL_K8S_DEFAULTS") or Path.home() / ".config" / "nrl-k8s" / "defaults.yaml")


def _inherited(path: Path, above: tuple[Path, ...]) -> DictConfig:
    """A file merged over the files that its `defaults` name."""
    if path in above:
        raise ValueError(f"{path} inherits from itself")
    loaded = OmegaConf.load(path)
    if not isinstance(loaded, DictConfig):
        raise ValueError(f"{path} holds no mapping")  # noqa: TRY004
    named = loaded.pop("defaults", None) or []
    parents = [named] if isinstance(named, str) else list(named)
    inherited = [_inherited((path.parent / str(name)).resolve(), (*above, path)) for name in parents]
    return cast(DictConfig, OmegaConf.merge(*inherited, loaded))


def _body(loaded: DictConfig) -> DictConfig:
    """What stands under `infra:`, or the whole; names with a leading underscore are scratch space for anchors."""
    inner = OmegaConf.to_container(loaded, resolve=False)
    body: Any = inner["infra"] if isinstance(inner, dict) and "infra" in inner else inner
    if not isinstance(body, dict):
        raise ValueError("`infra` holds no mapping")  # noqa: TRY004 - said of a file; `read` tells which
    return OmegaConf.create({key: value for key, value in body.items() if not str(key).startswith("_")})


def _resolvers() -> None:
    """What infra files may use between `${` and `}`."""
    known: dict[str, Callable[..., Any]] = {
        "user": _user,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "max": lambda a, b: max(a, b),  # noqa: PLW0108  (omegaconf inspects the signature; the builtin has none)
    }
    for name, function in known.items():
        if not OmegaConf.has_resolver(name):
            OmegaConf.register_new_resolver(name, function)


def _user() -> str:
    return (os.environ.get("NRL_K8S_USER") or getpass.getuser()).lower().replace("_", "-").replace(".", "-")


def ray_job(infra: Mapping[str, Any]) -> Manifest:
    """The RayJob of an infra file, without its command and with its cluster's name.

    Raises:
        LauncherError: Worker groups cannot be split into segments of the size it wants.
    """
    cluster = infra["kuberay"]["training"]
    spec = copy.deepcopy(dict(cluster["spec"]))
    _split_workers(spec, cluster.get("segmentSize"))
    labels = {MANAGED: "nrl-k8s", **(infra.get("labels") or {}), **(cluster.get("labels") or {})}
    metadata = {"name": cluster["name"], "labels": labels}
    if annotations := {**(infra.get("annotations") or {}), **(cluster.get("annotations") or {})}:
        metadata["annotations"] = annotations
    made: Manifest = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": metadata,
        "spec": {
            "submissionMode": "HTTPMode",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": TTL_S,
            "rayClusterSpec": spec,
        },
    }
    for pod in pod_templates(made):
        _complete(pod, infra, labels)
    for group in spec.get("workerGroupSpecs") or []:
        _name_claims(group["template"]["spec"], cluster["name"])
    return made


def _complete(pod: Manifest, infra: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    """What the infra file says once for all pods."""
    told, spec = pod.setdefault("metadata", {}), pod["spec"]
    told["labels"] = {**labels, **(told.get("labels") or {})}
    for container in spec["containers"]:
        container["image"] = infra["image"]
    if infra.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": name} for name in infra["imagePullSecrets"]]
    if infra.get("serviceAccount"):
        spec["serviceAccountName"] = infra["serviceAccount"]


def _split_workers(spec: Manifest, size: int | None) -> None:
    """Worker groups larger than a segment become several of its size, so that each fits into one rack."""
    groups: list[Manifest] = []
    for group in spec.get("workerGroupSpecs") or []:
        number = int(group.get("replicas", 0))
        if size is None or number <= size:
            groups.append(group)
            continue
        if number % size:
            raise LauncherError(f"worker group {group.get('groupName')} has {number} replicas, no multiple of {size}")
        same = {"replicas": size, "minReplicas": size, "maxReplicas": size}
        for part in range(number // size):
            named = {"groupName": f"{group.get('groupName', 'workers')}-segment-{part}"}
            groups.append({**copy.deepcopy(group), **named, **same})
    if groups:
        spec["workerGroupSpecs"] = groups


def _name_claims(pod: Manifest, cluster: str) -> None:
    for claim in pod.get("resourceClaims") or []:
        if claim.get("name") in _CLAIMS:
            claim["resourceClaimTemplateName"] = f"{_CLAIMS[claim['name']]}-{cluster}-training"
