"""A real API server on this machine (tools/kube_up.sh), and the part of a kubelet, which tests play themselves."""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from .clusters import TOOLS, until, why_no_kubernetes

CACHE = Path(os.environ.get("AUTORESEARCH_TEST_CACHE", "/tmp/autoresearch-test-cache")) / "kubernetes"


class KubeServer:
    """The servers of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"

    def up(self) -> None:
        """Start them; skips the test where this machine cannot."""
        log = self.folder.with_suffix(".up.log")
        with log.open("w") as sink:  # not a pipe: the servers would keep it open
            argv = (str(TOOLS / "kube_up.sh"), str(self.folder))
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, timeout=2400, check=False)
        if done.returncode == 3:
            pytest.skip(f"no Kubernetes API server: {log.read_text().splitlines()[-1]}")
        assert done.returncode == 0, log.read_text()
        self.join()

    def join(self) -> None:
        """Learn how to reach them."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        self.address = config["clusters"][0]["cluster"]["server"]
        self._trust = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
        self._token = config["users"][0]["user"]["token"]

    def down(self) -> None:
        """Stop them."""
        subprocess.run((str(TOOLS / "kube_down.sh"), str(self.folder)), check=True, timeout=240)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request as the administrator; None where there is no such thing."""
        data = None if body is None else json.dumps(body).encode()
        wanted = urllib.request.Request(self.address + path, data=data, method=method)
        wanted.add_header("Authorization", f"Bearer {self._token}")
        wanted.add_header("Content-Type", f"application/{'merge-patch+json' if method == 'PATCH' else 'json'}")
        try:
            with urllib.request.urlopen(wanted, context=self._trust, timeout=120) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                said = error.read().decode()
            if error.code == 404:
                return None
            raise AssertionError(f"{method} {path}: {error.code} {said}") from error

    def namespace(self, name: str) -> None:
        """Make a namespace in which pods can be made."""
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        until(lambda: (self.call("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default") or {}).get("secrets"))

    def kuberay(self) -> None:
        """Make the kinds of KubeRay known; its operator is not there."""
        place = Path(__file__).parents[1] / "golden" / "kubernetes" / "kuberay.yaml"
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for document in yaml.safe_load_all(place.read_text()):
            self.call("POST", path, document)
            name = document["spec"]["names"]["plural"]
            until(lambda name=name: self.call("GET", f"/apis/ray.io/v1/namespaces/lab/{name}"))


class Kubelet:
    """What scheduler and kubelet would do to the pods of one namespace."""

    def __init__(self, server: KubeServer, namespace: str) -> None:
        self.server, self.pods = server, f"/api/v1/namespaces/{namespace}/pods"
        self.events = f"/api/v1/namespaces/{namespace}/events"

    def pod(self, job_id: str, but: str = "") -> str:
        """The name of a Job's pod, once the Job controller has made it; not one that is known already."""

        def found() -> str:
            listed = self.server.call("GET", f"{self.pods}?labelSelector=job-name={job_id}")["items"]
            return next((one["metadata"]["name"] for one in listed if one["metadata"]["name"] != but), "")

        return str(until(found))

    def tell(self, pod: str, **status: object) -> None:
        """Set a pod's status."""
        self.server.call("PATCH", f"{self.pods}/{pod}/status", {"status": status})

    def run(self, pod: str) -> None:
        """Put a pod on a node and say that it runs."""
        target = {"kind": "Node", "apiVersion": "v1", "name": "node-1"}
        self.server.call("POST", f"{self.pods}/{pod}/binding", {"metadata": {"name": pod}, "target": target})
        self.tell(pod, phase="Running", startTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    def end(self, pod: str, code: int, **status: object) -> None:
        """Say that a pod's container ended."""
        ended = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        phase = "Failed" if code else "Succeeded"
        self.tell(pod, phase=phase, containerStatuses=[{**ended, "state": state}], **status)

    def waits(self, pod: str, reason: str, message: str) -> None:
        """Say that a pod's container cannot start."""
        waiting = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        state = {"waiting": {"reason": reason, "message": message}}
        self.tell(pod, phase="Pending", containerStatuses=[{**waiting, "state": state}])

    def complain(self, pod: str, reason: str, message: str) -> None:
        """Write an event about a pod."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = {"kind": "Pod", "name": pod, "namespace": self.pods.split("/")[4]}
        told = {"reason": reason, "message": message, "type": "Warning", "lastTimestamp": at, "involvedObject": about}
        self.server.call("POST", self.events, {"metadata": {"generateName": "test-"}, **told})

    def drop(self, pod: str) -> None:
        """Collect a pod without waiting for its node."""
        self.server.call("DELETE", f"{self.pods}/{pod}", {"gracePeriodSeconds": 0})


def why_no_server() -> str:
    """Why no API server can be started here; empty when one can, or when it can be tried."""
    if reason := why_no_kubernetes():
        return reason
    if os.environ.get("CI") == "true" or ((CACHE / "bin" / "kube-apiserver").exists() and shutil.which("etcd")):
        return ""
    return "no Kubernetes API server: CI=true tools/kube_up.sh --build makes one from Debian's sources, as root"


@pytest.fixture(scope="session")
def kube_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """One API server for each worker, or the one that tools/kube_up.sh made in AUTORESEARCH_TEST_KUBE."""
    if running := os.environ.get("AUTORESEARCH_TEST_KUBE"):
        server = KubeServer(Path(running))
        server.join()
        yield server
        return
    if reason := why_no_server():
        pytest.skip(reason)
    server = KubeServer(tmp_path_factory.mktemp("kube-server") / "up")
    try:
        server.up()
        yield server
    finally:
        if server.folder.exists():
            server.down()


@pytest.fixture
def kube(kube_session: KubeServer, monkeypatch: pytest.MonkeyPatch) -> KubeServer:
    """The API server, as this test's cluster."""
    monkeypatch.setenv("KUBECONFIG", str(kube_session.kubeconfig))
    return kube_session
