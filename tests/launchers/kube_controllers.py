"""Job controller, KubeRay operator, scheduler and kubelet of `kube_double.py`, as far as runs need them.

Own words of what the real ones do: a Job makes one pod, and another one after a disruption that its policy ignores; a
RayJob makes a RayCluster with a head and worker pods, starts its entrypoint in the head, and takes the cluster down
afterwards; a pod waits for GPUs, image and secrets, runs its first container's command as a process in a session of its
own, and is ended by TERM, then KILL.
"""

import base64
import copy
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

GPU = "nvidia.com/gpu"
GPUS = 8
"""GPUs of the one node there is."""


class Container:
    """A process in a session of its own, and what it printed."""

    def __init__(self, argv, env, log) -> None:
        self.sink = log.open("ab")
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=self.sink, stderr=self.sink, start_new_session=True, cwd="/"
        )
        self.began, self.told_at = time.time(), None

    def tell(self, grace_s):
        """TERM for the first process; KILL for the whole session once the grace is over."""
        if self.told_at is None:
            self.told_at = time.monotonic()
            if self.process.poll() is None:
                self.process.terminate()
        if time.monotonic() - self.told_at > grace_s:
            self.kill()

    def kill(self):
        """As a container's end: nothing of it survives."""
        for pid in (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()):
            try:
                if os.getsid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def poll(self):
        code = self.process.poll()
        if code is not None and not self.sink.closed:
            self.kill()
            self.sink.close()
        return None if code is None else code if code >= 0 else 128 - code


class Controllers:
    """Everything that acts on objects; `step` is called some thirty times a second while anything happens."""

    def __init__(self, store, folder) -> None:
        self.store, self.folder = store, folder
        self.containers, self.ended_by = {}, {}
        self.children = {}

    def step(self):
        self.children = {}
        for (plural, *_), one in self.store.objects.items():
            for uid in owners(one):
                self.children.setdefault((plural, uid), []).append(one)
        for job in self.store.of("jobs"):
            self.job(job)
        for ray in self.store.of("rayjobs"):
            self.rayjob(ray)
        for cluster in self.store.of("rayclusters"):
            self.raycluster(cluster)
        for pod in self.store.of("pods"):
            self.pod(pod)
        self.collect()

    def at_work(self):
        """Whether any process of a pod or a driver lives, so that a limit or its end may come at any moment."""
        return any(container.poll() is None for container in self.containers.values())

    def stop(self):
        for container in self.containers.values():
            container.kill()

    # -- kubelet and scheduler ------------------------------------------------------------------------------------

    def pod(self, pod):
        metadata, status = pod["metadata"], pod.setdefault("status", {"phase": "Pending"})
        container = self.containers.get(metadata["uid"])
        if "deletionTimestamp" in metadata:
            if container and container.poll() is None:
                container.tell(pod["spec"].get("terminationGracePeriodSeconds", 30))
            else:
                self.store.remove("pods", pod)
        elif status["phase"] == "Pending":
            self.start(pod)
        elif status["phase"] == "Running" and container:
            self.watch(pod, container)

    def start(self, pod):
        spec, metadata = pod["spec"], pod["metadata"]
        main = spec["containers"][0]
        if self.gpus(pod) > GPUS - sum(self.gpus(one) for one in self.store.of("pods") if phase(one) == "Running"):
            waiting = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            told = f"0/1 nodes are available: 1 Insufficient {GPU}."
            return self.put("pods", pod, conditions=[{**waiting, "message": told}])
        if "missing" in main["image"]:
            return self.waits(pod, "ImagePullBackOff", f'Back-off pulling image "{main["image"]}"')
        env = self.environment(metadata["namespace"], main)
        if env is None:
            return self.waits(pod, "CreateContainerConfigError", "a secret is not there")
        if main.get("command"):
            argv = [*main["command"], *main.get("args", [])]
            self.containers[metadata["uid"]] = Container(argv, env, self.place(pod))
        started = {"running": {"startedAt": stamp()}}
        told = {"name": main["name"], "state": started, "restartCount": 0, "ready": True, "image": main["image"]}
        return self.put("pods", pod, phase="Running", startTime=stamp(), containerStatuses=[told], conditions=[])

    def waits(self, pod, reason, message):
        waiting = {"reason": reason, "message": message}
        name = pod["spec"]["containers"][0]["name"]
        self.put("pods", pod, containerStatuses=[{"name": name, "state": {"waiting": waiting}, "ready": False}])

    def environment(self, namespace, main):
        """A container's variables, secrets looked up; None while one is not there."""
        found = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        for one in main.get("env", []):
            source = one.get("valueFrom", {})
            if "secretKeyRef" in source:
                secret = self.store.objects.get(("secrets", namespace, source["secretKeyRef"]["name"]))
                if secret is None:
                    return None
                found[one["name"]] = content(secret, source["secretKeyRef"]["key"])
            elif "fieldRef" in source:
                found[one["name"]] = "node-1"
            else:
                found[one["name"]] = one.get("value", "")
        return found

    def watch(self, pod, container):
        code, deadline = container.poll(), pod["spec"].get("activeDeadlineSeconds")
        by = self.ended_by.get(pod["metadata"]["uid"])
        if code is None and deadline and time.time() - container.began > deadline:
            self.ended_by[pod["metadata"]["uid"]] = "DeadlineExceeded"
            container.kill()
        if code is None:
            return
        reason = "OOMKilled" if by == "OOMKilled" else "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "startedAt": stamp(container.began), "finishedAt": stamp()}
        told = {"name": pod["spec"]["containers"][0]["name"], "state": {"terminated": ended}, "ready": False}
        more = {"reason": by, "message": f"the node says {by}"} if by in ("Evicted", "DeadlineExceeded") else {}
        disrupted = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
        more |= {"conditions": [disrupted]} if by == "Evicted" else {}
        self.put("pods", pod, phase="Succeeded" if code == 0 else "Failed", containerStatuses=[told], **more)

    def end_pods(self, run, reason):
        """End the pods of a run as a node would."""
        with self.store.lock:
            for pod in self.store.of("pods"):
                container = self.containers.get(pod["metadata"]["uid"])
                if container and run in pod["metadata"]["name"] and container.poll() is None:
                    self.ended_by[pod["metadata"]["uid"]] = reason
                    container.tell(30) if reason == "Evicted" else container.kill()

    def gpus(self, pod):
        limits = pod["spec"]["containers"][0].get("resources", {}).get("limits", {})
        return int(limits.get(GPU, 0))

    def place(self, pod):
        return self.folder / f"{pod['metadata']['name']}.{pod['metadata']['uid'][:8]}.log"

    def log(self, pod):
        place = self.place(pod)
        return place.read_bytes() if place.exists() else b""

    # -- Job controller -------------------------------------------------------------------------------------------

    def job(self, job):
        spec, status = job["spec"], job.setdefault("status", {})
        spec.setdefault("selector", {"matchLabels": {"job-name": job["metadata"]["name"]}})
        pods = self.owned("pods", job)
        if "deletionTimestamp" in job["metadata"]:
            return self.cascade("jobs", job, pods)
        if any(one["type"] in ("Complete", "Failed") for one in status.get("conditions", [])):
            return self.expire("jobs", job, spec.get("ttlSecondsAfterFinished"))
        if spec.get("suspend"):
            [self.store.delete("pods", pod) for pod in pods if "deletionTimestamp" not in pod["metadata"]]
            return self.put("jobs", job, active=0, ready=0, conditions=[condition("Suspended", "JobSuspended")])
        over = [pod for pod in pods if phase(pod) in ("Succeeded", "Failed")]
        if over and self.ignored(spec, over[-1]):
            return self.store.delete("pods", over[-1])
        if over:
            return self.settle(job, over[-1])
        if not pods:
            self.make_pod(job, spec["template"], f"{job['metadata']['name']}-{uuid.uuid4().hex[:5]}")
        running = sum(phase(pod) == "Running" for pod in pods)
        return self.put(
            "jobs", job, active=1, ready=running, conditions=[], startTime=status.get("startTime") or stamp()
        )

    def ignored(self, spec, pod):
        """Whether the policy says that this end does not count."""
        asked = any(rule.get("action") == "Ignore" for rule in spec.get("podFailurePolicy", {}).get("rules", []))
        return asked and any(one["type"] == "DisruptionTarget" for one in pod["status"].get("conditions", []))

    def settle(self, job, pod):
        if phase(pod) == "Succeeded":
            told = {"conditions": [condition("Complete", "")], "completionTime": stamp(), "succeeded": 1}
        else:
            late = pod["status"].get("reason") == "DeadlineExceeded"
            reason = "DeadlineExceeded" if late else "BackoffLimitExceeded"
            told = {"conditions": [condition("Failed", reason)], "failed": 1}
        self.put("jobs", job, active=0, ready=0, **told)

    # -- KubeRay operator -----------------------------------------------------------------------------------------

    def rayjob(self, ray):
        metadata, status = ray["metadata"], ray.setdefault("status", {})
        clusters = self.owned("rayclusters", ray) + self.owned("jobs", ray)
        word = status.get("jobDeploymentStatus", "")
        driver = self.containers.get(metadata["uid"])
        if "deletionTimestamp" in metadata:
            if driver and driver.poll() is None:
                driver.tell(1)
                return
            self.cascade("rayjobs", ray, clusters)
        elif word in ("Complete", "Failed"):
            self.shut_down(ray, clusters)
        elif ray["spec"].get("suspend") and word != "Suspended":
            self.suspend(ray, clusters, driver)
        elif word == "Suspended" and not ray["spec"].get("suspend"):
            self.put("rayjobs", ray, jobDeploymentStatus="", rayClusterName="", jobStatus="")
        elif word == "":
            metadata["finalizers"] = ["ray.io/rayjob-finalizer"]
            name = f"{metadata['name']}-{uuid.uuid4().hex[:5]}"
            self.put("rayjobs", ray, jobDeploymentStatus="Initializing", jobId=name, rayClusterName=name)
            self.make_cluster(ray, name)
        elif word == "Initializing":
            self.submit(ray, clusters)
        elif word == "Running" and driver.poll() is not None and not self.submitting(ray):
            self.conclude(ray, driver.poll())

    def make_cluster(self, ray, name):
        metadata = ray["metadata"]
        more = {"ray.io/originated-from-cr-name": metadata["name"], "ray.io/originated-from-crd": "RayJob"}
        labels = {**metadata.get("labels", {}), **more}
        made = {"metadata": {"name": name, "labels": labels, "ownerReferences": [owner(ray)]}}
        spec = copy.deepcopy(ray["spec"]["rayClusterSpec"])
        self.store.create("rayclusters", metadata["namespace"], {**made, "spec": spec})

    def raycluster(self, cluster):
        pods, spec = self.owned("pods", cluster), cluster["spec"]
        if "deletionTimestamp" in cluster["metadata"]:
            held = cluster["metadata"].get("finalizers")  # somebody still has to let go of it
            return None if held else self.cascade("rayclusters", cluster, pods)
        if not pods:
            name = cluster["metadata"]["name"]
            self.make_pod(cluster, idle(spec["headGroupSpec"]["template"]), f"{name}-head")
            for group in spec.get("workerGroupSpecs", []):
                for number in range(group.get("replicas", 0)):
                    self.make_pod(cluster, idle(group["template"]), f"{name}-{group['groupName']}-{number}")
        ready = pods and all(phase(pod) == "Running" for pod in pods)
        return self.put("rayclusters", cluster, state="ready" if ready else "")

    def submit(self, ray, clusters):
        metadata = ray["metadata"]
        ready = [one for one in clusters if one.get("status", {}).get("state") == "ready"]
        if not ready:
            return
        head = ready[0]["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
        env = self.environment(metadata["namespace"], head) or {}
        log = self.folder / f"{metadata['name']}.{metadata['uid'][:8]}.driver.log"
        argv = ["sh", "-c", ray["spec"]["entrypoint"]]
        self.containers[metadata["uid"]] = Container(argv, env, log)
        if ray["spec"].get("submissionMode", "K8sJobMode") == "K8sJobMode":
            self.make_submitter(ray, head, log)
        self.put("rayjobs", ray, jobDeploymentStatus="Running", jobStatus="RUNNING", startTime=stamp())

    def make_submitter(self, ray, head, log):
        """The pod that prints the driver's log; it ends with the driver."""
        wait = f"tail -n +1 -s 0.1 --pid={self.containers[ray['metadata']['uid']].process.pid} -f {log}"
        container = {"name": "ray-job-submitter", "image": head["image"], "command": ["sh", "-c", wait]}
        template = {"metadata": {"labels": {}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
        metadata = {"name": ray["metadata"]["name"], "labels": dict(ray["metadata"].get("labels", {}))}
        made = {"metadata": {**metadata, "ownerReferences": [owner(ray)]}, "spec": {"template": template}}
        self.store.create("jobs", ray["metadata"]["namespace"], made)

    def submitting(self, ray):
        """Whether the submitter still prints the driver's log."""
        jobs = self.owned("jobs", ray)
        return any(one.get("status", {}).get("active", 1) for one in jobs)

    def conclude(self, ray, code):
        good = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
        told = f"Job entrypoint command failed with exit code {code}"
        bad = {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": "AppFailed", "message": told}
        self.put("rayjobs", ray, **(good if code == 0 else bad), endTime=stamp())

    def suspend(self, ray, clusters, driver):
        if driver and driver.poll() is None:
            driver.tell(1)
        elif clusters:
            [self.store.delete(plural_of(one), one) for one in clusters]
        else:
            self.containers.pop(ray["metadata"]["uid"], None)
            self.put("rayjobs", ray, jobDeploymentStatus="Suspended")

    def shut_down(self, ray, clusters):
        rest = ray["spec"].get("ttlSecondsAfterFinished", 0)
        if ray["spec"].get("shutdownAfterJobFinishes") and time.time() > ray.setdefault("_ended", time.time()) + rest:
            [self.store.delete("rayclusters", one) for one in clusters if one["kind"] == "RayCluster"]

    # -- shared ---------------------------------------------------------------------------------------------------

    def make_pod(self, parent, template, name):
        labels = dict(template.get("metadata", {}).get("labels", {}))
        labels |= {"job-name": parent["metadata"]["name"]} if parent["kind"] == "Job" else {}
        metadata = {"name": name, "labels": labels, "ownerReferences": [owner(parent)]}
        self.store.create("pods", parent["metadata"]["namespace"], {"metadata": metadata, "spec": template["spec"]})

    def owned(self, plural, parent):
        return self.children.get((plural, parent["metadata"]["uid"]), [])

    def cascade(self, plural, parent, dependents):
        """Foreground deletion: first what it owns, then itself."""
        for one in dependents:
            self.store.delete(plural_of(one), one, "Foreground")
        if not dependents:
            self.store.remove(plural, parent)

    def collect(self):
        """What has lost its owner goes."""
        living = {one["metadata"]["uid"] for one in self.store.objects.values()}
        for one in list(self.store.objects.values()):
            if owners(one) and not owners(one) & living and "deletionTimestamp" not in one["metadata"]:
                self.store.delete(plural_of(one), one)

    def expire(self, plural, one, rest):
        if rest is not None and time.time() > one.setdefault("_ended", time.time()) + rest:
            self.store.delete(plural, one)

    def put(self, plural, one, **status: object):
        if any(one.setdefault("status", {}).get(key) != value for key, value in status.items()):
            one["status"].update(status)
            self.store.touch(plural, one)


def idle(template):
    """A Ray node's pod: Ray itself is not started, so it has nothing to run."""
    copied = copy.deepcopy(template)
    copied["spec"]["containers"][0].pop("command", None)
    return copied


def content(secret, key):
    """A value of a secret, as it was written: plain, or in base64."""
    coded = secret.get("data", {}).get(key, "")
    return secret.get("stringData", {}).get(key) or base64.b64decode(coded).decode()


def phase(pod):
    return pod.get("status", {}).get("phase", "Pending")


def plural_of(one):
    return f"{one['kind'].lower()}s"


def owner(one):
    told = {"apiVersion": one["apiVersion"], "kind": one["kind"], "controller": True, "blockOwnerDeletion": True}
    return {**told, "name": one["metadata"]["name"], "uid": one["metadata"]["uid"]}


def owners(one):
    return {reference["uid"] for reference in one["metadata"].get("ownerReferences", [])}


def condition(kind, reason):
    return {"type": kind, "status": "True", "reason": reason, "message": reason}


def stamp(at=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
