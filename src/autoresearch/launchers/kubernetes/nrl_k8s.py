"""Runs as RayJobs from an infra file of NeMo-RL's `nrl-k8s`, the file that describes a site's pods.

The object is made by us, so that its name is unique for each run, the command checks its code, and limit and end are
ours; the infra file's own `launch.entrypoint` is not used. Where the tool itself is installed, its `check` has to pass
and its `run --dry-run` has to show the same object before anything is sent.

An infra file of NeMo-RL's `infra/nrl_k8s`, and the RayJob that it stands for.

Written from that tool's behaviour at NeMo-RL commit a3c7eee: where the tool is installed, the launcher compares both
and sends nothing that differs. Read are the parts that a RayJob of the role `training` depends on.
"""

import copy
import getpass
import json
import os
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from autoresearch.errors import RefusedError
from autoresearch.launchers.kubernetes import manifest as manifests
from autoresearch.launchers.kubernetes.api import RAY_JOB
from autoresearch.launchers.kubernetes.launcher import ClusterLauncher, repository_file
from autoresearch.launchers.kubernetes.manifest import MANAGED, Manifest, pod_templates
from autoresearch.launchers.kubernetes.options import ClusterOptions
from autoresearch.machine.processes import CommandError, run
from autoresearch.run.job import Job, Submission

TTL_S = 0
"""The tool's own default keeps a finished cluster, GPUs and all, for an hour."""

_CLAIMS = {"compute-domain-channel": "compute-domain", "roce-channel": "roce"}
"""Resource claims of workers whose templates the tool names after cluster and role."""


def read(path: Path) -> dict[str, Any]:
    """An infra file with what it inherits, everything resolved.

    Raises:
        RefusedError: It cannot be read or resolved, or it has no training cluster or image.
    """
    _resolvers()
    try:
        layers = [_body(_inherited(place, ())) for place in (_user_defaults(), path) if place == path or place.exists()]
        merged = OmegaConf.merge(*layers)
        OmegaConf.resolve(merged)
        found: Any = OmegaConf.to_container(merged)
    except (OSError, UnicodeError, YAMLError, OmegaConfBaseException, ValueError) as error:
        told = " ".join(str(error).split())
        raise RefusedError(f"the infra file {path} cannot be read: {told}; correct it or the option infra") from error
    cluster = (found.get("kuberay") or {}).get("training") or {}
    needed = {"image": found.get("image"), **{f"kuberay.training.{key}": cluster.get(key) for key in ("name", "spec")}}
    lacking = [key for key, there in needed.items() if not there]
    if lacking:
        raise RefusedError(f"the infra file {path} lacks {', '.join(lacking)}; nrl-k8s check says what else")
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
        RefusedError: Worker groups cannot be split into segments of the size it wants.
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
            raise RefusedError(f"worker group {group.get('groupName')} has {number} replicas, no multiple of {size}")
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


_TOOL_S = 180.0
_NO_RECIPE = "no-recipe.yaml"


class NrlK8sLauncher(ClusterLauncher):
    """Makes RayJobs as an infra file describes them. Options are described in `NrlK8sOptions`."""

    name = "nrl-k8s"
    kind = RAY_JOB

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = NrlK8sOptions.parse(options)
        self._place = repository_file(folder.absolute(), self.options.infra)
        self._infra = read(self._place)
        self._checked: set[str] = set()
        super().__init__(self.options, folder, namespace=self._infra.get("namespace"))

    def environment(self) -> Mapping[str, str]:
        """The infra file's `launch.env`, then the option."""
        said = (self._infra.get("launch") or {}).get("env") or {}
        return {**{name: str(value) for name, value in said.items()}, **self.options.env}

    def manifest(self, job: Job) -> Manifest:
        """The infra file's training cluster as a RayJob."""
        made = ray_job(self._infra)
        if problem := manifests.gpu_problem(made, job.resources, self.options.gpu):
            raise RefusedError(f"the infra file {self.options.infra} does not fit: {problem}; correct either")
        return made

    def before_submitting(self, submission: Submission) -> None:
        """Ask the tool, where it is installed (R220).

        Raises:
            RefusedError: It refuses recipe or infra file, or would send something else.
        """
        tool = shutil.which(self.options.tool)
        if tool is None:
            return
        ours: Any = submission.payload["manifest"]
        entrypoint = json.dumps(ours["spec"]["entrypoint"]).replace("${", "\\\\${")
        words = [
            str(self._recipe(submission)), "--infra", str(self._place),
            f"infra.namespace={self._cluster.namespace}", f"infra.launch.entrypoint={entrypoint}",
        ]  # fmt: skip
        if words[0] not in self._checked:
            self._ask(tool, "check", *words)
            self._checked.add(words[0])
        flags = ("--rayjob-name", ours["metadata"]["name"], "--ttl", str(TTL_S), "--dry-run")
        self._compare(ours, self._ask(tool, "run", *words, *flags))

    def _compare(self, ours: Manifest, said: str) -> None:
        try:
            theirs = yaml.safe_load(said)
            again = self.owned(theirs, ours["metadata"]["name"], "", ours["metadata"]["annotations"])
            again["spec"]["entrypoint"] = theirs["spec"]["entrypoint"]
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise RefusedError(f"nrl-k8s run --dry-run did not print a RayJob: {said[:300]!r}") from error
        again["metadata"].pop("namespace", None)
        if where := difference(ours, again, "RayJob"):
            raise RefusedError(
                f"nrl-k8s would send another object than we: {where}; its version may read {self.options.infra} "
                f"differently, so please compare and tell us, or set the option tool to '' to go without it"
            )

    def _recipe(self, submission: Submission) -> Path:
        """The recipe of the run's own command, for the tool needs one; an empty one where the command names none."""
        argv: Any = submission.payload["argv"]
        named = [after for word, after in pairwise(argv) if word == "--config"]
        place = Path(str(submission.payload["directory"]), named[0]) if named else None
        if place and place.is_file():
            return place
        empty = Path(submission.folder, _NO_RECIPE)
        empty.write_text("{}\n", encoding="utf-8")
        return empty

    def _ask(self, tool: str, *words: str) -> str:
        try:
            return run([tool, *words], timeout=_TOOL_S).text
        except CommandError as error:
            raise RefusedError(f"nrl-k8s {words[0]} refuses the run: {error}") from error


def difference(ours: object, theirs: object, path: str) -> str:
    """The first place where two manifests differ, in words; empty when nowhere."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = dict.fromkeys([*ours, *theirs])
        found = (difference(ours.get(key), theirs.get(key), f"{path}.{key}") for key in keys)
        return next(filter(None, found), "")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next(filter(None, (difference(a, b, f"{path}[{number}]") for number, (a, b) in pairs)), "")
    return "" if ours == theirs else f"{path} is {_short(ours)} here and {_short(theirs)} there"


def _short(value: object) -> str:
    return repr(value)[:80]
