"""The object that a run becomes, as a value and as text; nothing here touches the world.

Whoever wrote a manifest (a template, an infra file, or we), the same things of it are ours: its name, the labels by
which its pods are found again, the command, and that it is tried once only.
"""

import copy
import json
import math
import re
from collections.abc import Collection, Iterator
from shlex import quote
from typing import Any

import yaml

from autoresearch.errors import RefusedError
from autoresearch.launchers.job_files import unique_name
from autoresearch.launchers.kubernetes.options import KubernetesOptions
from autoresearch.launchers.kubernetes.script import NODE, margin_s
from autoresearch.run.job import Job, Resources
from autoresearch.secrets.redactor import Redactor

LONGEST = 47
"""Longest name KubeRay takes for a RayJob: it appends to it, and what it makes are names of services."""

CAMPAIGN, RUN, RUN_ID, TOKEN = (f"autoresearch/{word}" for word in ("campaign", "run", "run-id", "token"))
"""Labels by which everything of a campaign, and of a run, is found; annotations that tell one submission apart."""

LIMIT = "autoresearch/limit-s"
"""Annotation with the run's own limit: a deadline that strikes earlier is not the run's."""

CLUSTER_OF_POD = "ray.io/cluster"
"""KubeRay's label of a pod: the Ray cluster that it belongs to."""

KAI = "kai-scheduler"

MANAGED = "app.kubernetes.io/managed-by"

Manifest = dict[str, Any]


def object_name(run_id: str, campaign_folder: str) -> str:
    """A run's name in the cluster: a DNS label that begins with a letter, unique for run and campaign folder."""
    name = unique_name(run_id, campaign_folder)
    digest, words = name[-8:], re.sub(r"[^a-z0-9]+", "-", name[:-9].lower())
    return f"ar-{words.removeprefix('ar-')[-(LONGEST - 12) :].strip('-')}-{digest}".replace("--", "-")


def labels(name: str, campaign: str) -> dict[str, str]:
    """What every object of a run carries."""
    return {CAMPAIGN: campaign, RUN: name}


def plain_job(job: Job, options: KubernetesOptions) -> Manifest:
    """A Job of one pod.

    Raises:
        RefusedError: The run needs more than one node.
    """
    if job.resources.nodes > 1:
        raise RefusedError(
            f"run {job.run_id} needs {job.resources.nodes} nodes and a plain Job is one pod; use kind: rayjob"
        )
    pod = _pod("main", job, options)
    pod["spec"] |= {"restartPolicy": "Never", "terminationGracePeriodSeconds": math.ceil(job.grace_s) + 15}
    if job.limit_s is not None:
        pod["spec"]["activeDeadlineSeconds"] = margin_s(job)
    spec = {"completions": 1, "parallelism": 1, "ttlSecondsAfterFinished": options.ttl_s, "template": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"labels": dict(options.labels)}, "spec": spec}


def ray_job(job: Job, options: KubernetesOptions) -> Manifest:
    """A RayJob whose head is the first node of the run, with a worker for every other one."""
    head = {"rayStartParams": {"dashboard-host": "0.0.0.0"}, "template": _pod("ray-head", job, options)}  # noqa: S104
    cluster: Manifest = {"headGroupSpec": head}
    if options.ray_version:
        cluster["rayVersion"] = options.ray_version
    if job.resources.nodes > 1:
        number = job.resources.nodes - 1
        sizes = {"replicas": number, "minReplicas": number, "maxReplicas": number}
        group = {"groupName": "workers", **sizes, "rayStartParams": {}, "template": _pod("ray-worker", job, options)}
        cluster["workerGroupSpecs"] = [group]
    # KAI schedules a RayJob's pods together, and refuses one whose submitter is a pod that comes later.
    submission = options.submission or ("HTTPMode" if options.scheduler == KAI else "K8sJobMode")
    spec = {"submissionMode": submission, "shutdownAfterJobFinishes": True, "rayClusterSpec": cluster}
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"labels": dict(options.labels)}, "spec": spec}


def _pod(container: str, job: Job, options: KubernetesOptions) -> Manifest:
    claims = list(dict.fromkeys(volume.claim for volume in options.volumes))
    mounts = [
        {"name": f"claim-{claims.index(volume.claim)}", "mountPath": volume.mount}
        | ({"subPath": volume.sub_path} if volume.sub_path else {})
        | ({"readOnly": True} if volume.read_only else {})
        for volume in options.volumes
    ]
    volumes = [
        {"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}}
        for number, claim in enumerate(claims)
    ]
    main: Manifest = {
        "name": container,
        "image": options.image,
        "env": [_secret(name, source) for name, source in options.secrets.items()],
        "resources": _resources(job.resources, options),
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}, *mounts],  # noqa: S108
    }
    spec: Manifest = {"containers": [main], "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}, *volumes]}
    wanted = {
        "imagePullSecrets": [{"name": name} for name in options.image_pull_secrets],
        "serviceAccountName": options.service_account,
        "nodeSelector": dict(options.node_selector),
        "tolerations": [dict(one) for one in options.tolerations],
        "schedulerName": options.scheduler,
    }
    return {
        "metadata": {"labels": dict(options.labels)},
        "spec": spec | {key: one for key, one in wanted.items() if one},
    }


def _secret(name: str, source: str) -> Manifest:
    secret, _, key = source.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _resources(need: Resources, options: KubernetesOptions) -> Manifest:
    """What the container asks for. One without GPUs always asks: a quota on CPU or memory refuses pods that do not."""
    cpus, memory_gb = need.cpus, need.memory_gb
    if not need.gpus_per_node:
        cpus, memory_gb = cpus or options.cpus, memory_gb or options.memory_gb
    amounts: dict[str, str] = {}
    if cpus:
        amounts["cpu"] = str(cpus)
    if memory_gb is not None:
        amounts["memory"] = str(math.ceil(memory_gb * 1e9))
    limits = amounts | ({options.gpu: str(need.gpus_per_node)} if need.gpus_per_node else {})
    return {key: value for key, value in (("requests", amounts), ("limits", limits)) if value}


def read_template(text: str, where: str, kind: str) -> Manifest:
    """A template of the user's.

    Raises:
        RefusedError: It is not one YAML document that holds a Job or RayJob, as `kind` says.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RefusedError(f"the template {where} is not one YAML document: {error}") from error
    wanted = {"rayjob": "RayJob", "job": "Job"}[kind]
    told = found.get("kind") if isinstance(found, dict) else type(found).__name__
    if told != wanted:
        raise RefusedError(f"the template {where} holds a {told}, and kind: {kind} asks for a {wanted}")
    # YAML's anchors share parts, and parts of ours are not shared.
    template: Manifest = json.loads(json.dumps(found, default=str))
    try:
        complete = bool(pod_templates(template)) and all(main_container(pod) for pod in pod_templates(template))
        references(owned_by(template, "trial", "trial", "trial", requeue=False))
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise RefusedError(f"the template {where} is not shaped like a {wanted}: {error!r}; compare it") from error
    if not complete:
        raise RefusedError(f"the template {where} has a pod without a container; give it one, the first is the run's")
    return template


def fill_manifest(template: Manifest, options: KubernetesOptions) -> Manifest:
    """A template with the options that it leaves to us: image, secrets, labels."""
    manifest = copy.deepcopy(template)
    manifest.setdefault("metadata", {}).setdefault("labels", {}).update(options.labels)
    for pod in pod_templates(manifest):
        main = main_container(pod)
        if options.image:
            main["image"] = options.image
        main.setdefault("env", []).extend(_secret(name, source) for name, source in options.secrets.items())
    return manifest


def is_signed(found: Manifest, name: str, token: str) -> bool:
    """Whether an object of the cluster carries our label of that name and the run's token."""
    metadata = found["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(RUN) == name and annotations.get(TOKEN) == token


def owned_by(manifest: Manifest, name: str, campaign: str, script: str, *, requeue: bool) -> Manifest:
    """The manifest with everything that is ours.

    Args:
        manifest: A Job or RayJob.
        name: The run's name in the cluster.
        campaign: Label value of the campaign.
        script: The script of the run, as pods see it.
        requeue: Whether an evicted pod of a Job is followed by another one.
    """
    made = copy.deepcopy(manifest)
    ours, spec = labels(name, campaign), made.setdefault("spec", {})
    metadata = made["metadata"] = {key: one for key, one in made.get("metadata", {}).items() if key != "generateName"}
    metadata["name"] = name
    metadata["labels"] = {**(metadata.get("labels") or {}), **ours, MANAGED: "autoresearch"}
    for pod in pod_templates(made):
        told = pod.setdefault("metadata", {})
        told["labels"] = {**(told.get("labels") or {}), **ours}
    main = main_container(pod_templates(made)[0])
    where = {"name": NODE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    main["env"] = [*(one for one in main.get("env") or [] if one.get("name") != NODE), where]
    spec["backoffLimit"] = 0
    if made["kind"] == "RayJob":
        spec |= {"entrypoint": f"bash {quote(script)}", "shutdownAfterJobFinishes": True, "ttlSecondsAfterFinished": 0}
    else:
        main["command"] = ["bash", script]
        main.pop("args", None)
        spec["template"]["spec"]["restartPolicy"] = "Never"
        # A pod that was taken away is not the command's failure; servers before 1.26 leave the policy out.
        struck = [{"type": "DisruptionTarget", "status": "True"}]
        rule = {"action": "Ignore" if requeue else "FailJob", "onPodConditions": struck}
        theirs = (spec.get("podFailurePolicy") or {}).get("rules") or []
        spec["podFailurePolicy"] = {"rules": [rule, *theirs]}
    return made


def avoid(manifest: Manifest, nodes: Collection[str]) -> Manifest:
    """The manifest with every pod kept off nodes, whatever affinity it has besides."""
    if not nodes:
        return manifest
    made = copy.deepcopy(manifest)
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in sorted(nodes)]
    for pod in pod_templates(made):
        affinity = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
        required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
        # Terms are alternatives, so each needs it.
        terms = required.get("nodeSelectorTerms") or [{}]
        required["nodeSelectorTerms"] = [
            {**term, "matchFields": [*(term.get("matchFields") or []), *fields]} for term in terms
        ]
    return made


def gangs_break(manifest: Manifest) -> bool:
    """Whether a RayJob goes to KAI with a submitter in a pod of its own, which gang scheduling cannot wait for."""
    alone = (manifest["spec"].get("submissionMode") or "K8sJobMode") == "K8sJobMode"
    pods = pod_templates(manifest)
    return manifest.get("kind") == "RayJob" and alone and any(pod["spec"].get("schedulerName") == KAI for pod in pods)


def pod_templates(manifest: Manifest) -> list[Manifest]:
    """Every pod template of a Job or RayJob, that of the command first."""
    spec = manifest.get("spec") or {}
    cluster = spec.get("rayClusterSpec") or {}
    groups = [cluster.get("headGroupSpec"), *(cluster.get("workerGroupSpecs") or [])]
    found = (
        [spec.get("template")] if manifest.get("kind") == "Job" else [(group or {}).get("template") for group in groups]
    )
    return [pod for pod in found if pod]


def main_container(pod: Manifest) -> Manifest:
    """The container of a pod that works: its first; empty when it has none."""
    containers: list[Manifest] = (pod.get("spec") or {}).get("containers") or []
    return containers[0] if containers else {}


def gpu_problem(manifest: Manifest, need: Resources, gpu: str) -> str:
    """Why a run cannot find its GPUs in these pods, empty when it can: its workers would wait for ever (R221)."""
    if not need.gpus_per_node:
        return ""
    spec = manifest["spec"].get("rayClusterSpec") or {}
    sizes = [1, *(int(group.get("replicas", 1)) for group in spec.get("workerGroupSpecs") or [])]
    each = [_gpus(pod, gpu) for pod in pod_templates(manifest)]
    nodes = sum(size for size, count in zip(sizes, each, strict=False) if count == need.gpus_per_node)
    if nodes >= need.nodes:
        return ""
    told = ", ".join(f"{size} with {count}" for size, count in zip(sizes, each, strict=False))
    return f"a run needs {need.nodes} pods with {need.gpus_per_node} x {gpu}, and the manifest has: {told}"


def _gpus(pod: Manifest, gpu: str) -> int:
    resources = main_container(pod).get("resources") or {}
    return int((resources.get("limits") or {}).get(gpu, 0) or 0)


def secret_problem(value: Manifest, path: str = "manifest") -> str:
    """Where a secret stands in a manifest, in words that do not repeat it; empty when nowhere (R225)."""
    redactor = Redactor()
    for place, variables in _environments(value, path):
        for one in variables:
            name, said = str(one.get("name", "")), one.get("value")
            if isinstance(said, str) and redactor.clean_mapping({name: said})[name] != said:
                return f"{place} variable {name}"
    return next((place for place, text in _texts(value, path) if redactor.clean(text) != text), "")


def _environments(value: object, path: str) -> Iterator[tuple[str, list[Manifest]]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "env" and isinstance(below, list):
                yield f"{path}.env", [one for one in below if isinstance(one, dict)]
            yield from _environments(below, f"{path}.{key}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _environments(below, f"{path}[{number}]")


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, f"{path}.{key}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _texts(below, f"{path}[{number}]")


def references(manifest: Manifest) -> set[tuple[str, str]]:
    """What a manifest expects to find in its namespace: pairs of a plural and a name; optional things left out."""
    found: set[tuple[str, str]] = set()
    for pod in pod_templates(manifest):
        spec = pod["spec"]
        found |= {("secrets", one["name"]) for one in spec.get("imagePullSecrets") or []}
        found |= {("serviceaccounts", spec["serviceAccountName"])} if spec.get("serviceAccountName") else set()
        for volume in spec.get("volumes") or []:
            claim = volume.get("persistentVolumeClaim")
            found |= {("persistentvolumeclaims", claim["claimName"])} if claim else set()
        for claim in spec.get("resourceClaims") or []:
            name = claim.get("resourceClaimTemplateName")
            found |= {("resourceclaimtemplates", name)} if name else set()
        for container in spec.get("containers") or []:
            found |= set(_secrets(container))
    return found


def _secrets(container: Manifest) -> Iterator[tuple[str, str]]:
    keys = [(one.get("valueFrom") or {}).get("secretKeyRef") for one in container.get("env") or []]
    whole = [one.get("secretRef") for one in container.get("envFrom") or []]
    for one in filter(None, (*keys, *whole)):
        if not one.get("optional"):
            yield "secrets", one["name"]


def text(manifest: Manifest) -> str:
    """A manifest as YAML, keys as they were written."""
    return yaml.safe_dump(manifest, sort_keys=False, width=100, allow_unicode=True)
