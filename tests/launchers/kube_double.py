"""A Kubernetes API server for one machine without Kubernetes: pods are local processes, nothing is isolated.

    python tests/launchers/kube_double.py FOLDER          serves until it is ended, and writes FOLDER/kubeconfig

It speaks as much of the REST interface as the official Python client and kubectl need for Jobs, RayJobs, RayClusters,
pods, secrets, claims and service accounts: create, read, list by label, merge-patch, delete with propagation, logs,
watch. `kube_controllers.py` plays Job controller, KubeRay operator, scheduler and kubelet. There is no admission, no
RBAC, no schema validation, no volumes and no container: what passes here may still be refused by a real cluster.

`POST /double/...` makes things go wrong: `fail` answers with an error so many times, `away` stops listening until there
is a file FOLDER/back, `end` ends a pod as a node would (OOMKilled, Evicted). `GET /double/requests` tells what was asked.
"""

import json
import re
import signal
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kube_controllers import Controllers

KINDS = {
    "pods": ("", "Pod"), "secrets": ("", "Secret"), "persistentvolumeclaims": ("", "PersistentVolumeClaim"),
    "serviceaccounts": ("", "ServiceAccount"), "namespaces": ("", "Namespace"), "events": ("", "Event"),
    "jobs": ("batch", "Job"), "rayjobs": ("ray.io", "RayJob"), "rayclusters": ("ray.io", "RayCluster"),
    "resourceclaimtemplates": ("resource.k8s.io", "ResourceClaimTemplate"),
}  # fmt: skip
SHORT = {"pods": ["po"], "secrets": [], "jobs": [], "rayjobs": ["rj"]}
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v1(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<below>\w+))?"
)


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, code, reason, message) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason

    def body(self):
        told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return {**told, "reason": self.reason, "message": str(self), "code": self.code}


class Store:
    """Every object, by plural, namespace and name, and every change in order."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.objects, self.changes, self.version = {}, [], 1

    def of(self, plural):
        return [one for (kind, *_), one in list(self.objects.items()) if kind == plural]

    def create(self, plural, namespace, manifest):
        group, kind = KINDS[plural]
        metadata = manifest.setdefault("metadata", {})
        if "name" not in metadata:
            metadata["name"] = f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
        if (plural, namespace, metadata["name"]) in self.objects:
            raise RefusedError(409, "AlreadyExists", f'{plural}.{group} "{metadata["name"]}" already exists')
        metadata |= {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": stamp(), "generation": 1}
        manifest |= {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind}
        self.objects[plural, namespace, metadata["name"]] = manifest
        self.touch(plural, manifest, "ADDED")
        return manifest

    def touch(self, plural, one, kind="MODIFIED"):
        """A change of an object: a new version, and news for those who watch."""
        with self.changed:
            self.version += 1
            one["metadata"]["resourceVersion"] = str(self.version)
            self.changes.append((self.version, plural, kind, json.dumps(one)))
            self.changed.notify_all()

    def delete(self, plural, one, how="Background"):
        """Ask for its end; the controllers carry it out. With `Background` an owner goes at once."""
        metadata = one["metadata"]
        if plural == "pods" or how == "Foreground" or metadata.get("finalizers"):
            if "deletionTimestamp" not in metadata:
                metadata["deletionTimestamp"] = stamp()
                self.touch(plural, one)
        else:
            self.remove(plural, one)

    def remove(self, plural, one):
        metadata = one["metadata"]
        self.objects.pop((plural, metadata["namespace"], metadata["name"]), None)
        self.touch(plural, one, "DELETED")


def stamp(at=None):
    """A time as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def merge(into, patch):
    """A JSON merge patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def selected(one, query):
    """Whether an object is meant by a query's label and field selectors; spoken are `key=value` and `key`."""
    metadata = one["metadata"]
    for part in filter(None, query.get("labelSelector", "").split(",")):
        key, equals, value = part.replace("==", "=").partition("=")
        found = metadata.get("labels", {}).get(key)
        if found is None or (equals and found != value):
            return False
    wanted = re.search(r"metadata\.name=([^,]+)", query.get("fieldSelector", ""))
    return wanted is None or metadata["name"] == wanted[1]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    store: Store
    controllers: Controllers
    double: "Double"

    def log_message(self, *_: object):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.double.away:  # a kept connection breaks when its server goes
            self.close_connection = True
            return
        try:
            self.double.meet(self.command, parts.path, query)
            found = self.route(parts.path.rstrip("/"), query, body)
        except RefusedError as refused:
            self.send(refused.body(), refused.code)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        else:
            if found is not None:
                self.send(found, 201 if self.command == "POST" else 200)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names http.server looks for

    def send(self, value, code=200):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def route(self, path, query, data):
        if "protobuf" in self.headers.get("Content-Type", ""):
            raise RefusedError(415, "UnsupportedMediaType", "only JSON is spoken here")
        body = json.loads(data) if data else {}
        if path.startswith("/double/"):
            return self.double.control(path.rpartition("/")[2], body)
        if found := discovery(path):
            return found
        match = PATH.fullmatch(path)
        if not match or match["plural"] not in KINDS or KINDS[match["plural"]][0] != (match["group"] or ""):
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        plural, namespace, name = match["plural"], match["namespace"] or "", match["name"]
        with self.store.lock:
            if self.command == "POST":
                return self.store.create(plural, namespace, body)
            if name is None and query.get("watch") not in ("1", "true"):
                return self.listing(plural, namespace, query)
            if name is not None:
                return self.one(plural, namespace, name, match["below"], query, body)
        return self.watch(plural, namespace, query)

    def one(self, plural, namespace, name, below, query, body):
        found = self.store.objects.get((plural, namespace, name))
        if found is None:
            raise RefusedError(404, "NotFound", f'{plural} "{name}" not found')
        if self.command == "GET" and below == "log":
            return self.controllers.log(found)
        if self.command == "PATCH":
            merge(found, body)
            self.store.touch(plural, found)
        if self.command == "DELETE":
            wanted = (body.get("preconditions") or {}).get("uid")
            if wanted and wanted != found["metadata"]["uid"]:
                raise RefusedError(409, "Conflict", f"Precondition failed: UID in precondition: {wanted}")
            how = body.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
            self.store.delete(plural, found, how)
        if "as=PartialObjectMetadata" in self.headers.get("Accept", ""):
            return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}
        return found

    def listing(self, plural, namespace, query):
        group, kind = KINDS[plural]
        items = [one for one in self.store.of(plural) if one["metadata"]["namespace"] == namespace or not namespace]
        items = [one for one in items if selected(one, query)]
        begin, most = int(query.get("continue") or 0), int(query.get("limit") or len(items) or 1)
        metadata = {"resourceVersion": str(self.store.version)}
        if begin + most < len(items):
            metadata["continue"] = str(begin + most)
        told = {"kind": f"{kind}List", "apiVersion": f"{group}/v1" if group else "v1", "metadata": metadata}
        return {**told, "items": items[begin : begin + most]}

    def watch(self, plural, namespace, query):
        """News since a version, until the asker has gone or has had enough."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        since, until = int(query.get("resourceVersion") or 0), time.monotonic() + float(query.get("timeoutSeconds", 60))
        while time.monotonic() < until:
            with self.store.changed:
                self.store.changed.wait(0.2)
                news = [change for change in self.store.changes if change[0] > since and change[1] == plural]
            for version, _, kind, text in news:
                since, one = version, json.loads(text)
                if selected(one, query) and namespace in ("", one["metadata"]["namespace"]):
                    self.wfile.write(json.dumps({"type": kind, "object": one}).encode() + b"\n")
            self.wfile.flush()


def discovery(path):
    """What kubectl asks before it asks for anything."""
    groups = sorted({group for group, _ in KINDS.values()} - {""})
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0-double"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        version = {name: {"groupVersion": f"{name}/v1", "version": "v1"} for name in groups}
        told = [{"name": name, "versions": [version[name]], "preferredVersion": version[name]} for name in groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": told}
    group = "" if path == "/api/v1" else path.removeprefix("/apis/").removesuffix("/v1")
    if path != "/api/v1" and group not in groups:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "watch"]
    told = [
        {"name": plural, "singularName": kind.lower(), "shortNames": SHORT.get(plural, []), "kind": kind,
         "namespaced": plural != "namespaces", "verbs": verbs}
        for plural, (home, kind) in KINDS.items() if home == group
    ]  # fmt: skip
    return {"kind": "APIResourceList", "groupVersion": f"{group}/v1" if group else "v1", "resources": told}


class Server(ThreadingHTTPServer):
    """A server that shares its port with the socket that holds it."""

    allow_reuse_port = True


def held(port):
    """A socket that is bound and does not listen: while the server is away nobody else gets its port."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place


class Double:
    """The server, and what is to go wrong."""

    def __init__(self, folder, port=0) -> None:
        self.folder = folder
        self.store = Store()
        self.controllers = Controllers(self.store, folder)
        self.failures, self.requests, self.away = [], Counter(), False
        parts = {"store": self.store, "controllers": self.controllers, "double": self}
        self.handler = type("Bound", (Handler,), parts)
        self.ended = threading.Event()
        self.place = held(port)
        self.port = self.place.getsockname()[1]
        self.listen()

    def listen(self):
        self.server = Server(("127.0.0.1", self.port), self.handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def kubeconfig(self):
        """Say where it is, as kubectl reads it."""
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "double", "user": {}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double", "namespace": "lab"}}],
        }  # fmt: skip
        aside = self.folder / ".kubeconfig.new"
        aside.write_text(json.dumps(document, indent=2))
        aside.replace(self.folder / "kubeconfig")

    def meet(self, method, path, query):
        """Count a request, and fail it if it is its turn."""
        if path.startswith("/double/"):
            return
        what = f"{method} {path}"
        self.requests["LIST " + path if method == "GET" and "labelSelector" in query else what] += 1
        for failure in self.failures:
            if failure["times"] > 0 and re.search(failure["match"], what):
                failure["times"] -= 1
                raise RefusedError(failure["status"], failure["reason"], failure["message"])

    def control(self, what, body):
        """Make something go wrong, or tell what happened."""
        if what == "fail":
            self.failures.append({"times": 1, "match": "", "status": 500, "reason": "InternalError",
                                  "message": "made to fail", **body})  # fmt: skip
        elif what == "away":
            threading.Thread(target=self.go_away).start()
        elif what == "end":
            self.controllers.end_pods(body["run"], body["reason"])
        elif what == "requests":
            told = dict(self.requests)
            self.requests.clear()
            return told
        else:
            raise RefusedError(404, "NotFound", f"no such trouble: {what}")
        return {}

    def go_away(self):
        """Refuse connections until there is a file `back`; what runs goes on."""
        back = self.folder / "back"
        back.unlink(missing_ok=True)
        self.away = True
        self.server.shutdown()
        self.server.server_close()
        while not back.exists():
            time.sleep(0.02)
        self.away = False
        self.listen()

    def serve(self):
        self.kubeconfig()
        while not self.ended.wait(0.03):
            with self.store.changed:
                before = self.store.version
                self.controllers.step()
                if self.store.version == before and not self.controllers.at_work():
                    self.store.changed.wait(0.5)
        self.controllers.stop()


def main():
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    double = Double(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: double.ended.set())
    double.serve()


if __name__ == "__main__":
    main()
