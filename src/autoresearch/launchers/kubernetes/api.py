"""The API server, through the official Python client: the one place that knows it.

Objects are plain dictionaries, as the server sends them. An answer that says "there is none" is None. What else goes
wrong is told apart: a refusal in the server's own sentence, a quota or a throttle that passes, and no answer at all.
"""

import json
import os
import re
from collections.abc import Callable
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from autoresearch import extras
from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.launchers.kubernetes.quantity import over_its_limit

_ANSWER_S = 30.0
_PAGE = 500
_LOG_BYTES = 8 * 1024 * 1024
_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Object = dict[str, Any]


class Kind(NamedTuple):
    """A kind of object, as addresses name it."""

    group: str
    version: str
    plural: str


JOB, RAY_JOB = Kind("batch", "v1", "jobs"), Kind("ray.io", "v1", "rayjobs")
RAY_CLUSTER = Kind("ray.io", "v1", "rayclusters")
CLAIM_TEMPLATE = Kind("resource.k8s.io", "v1", "resourceclaimtemplates")


def need_client() -> None:
    """Say at once that the client is missing, not in the middle of the night.

    Raises:
        LauncherError: It is not installed.
    """
    if find_spec("kubernetes") is None:
        raise LauncherError(
            "the launchers kubernetes and nrl-k8s need the package kubernetes, which is not installed; "
            f"{extras.advice('kubernetes')}"
        )


class Cluster:
    """One namespace of one cluster.

    Args:
        context: Context of the kube configuration, None for its current one.
        namespace: Namespace, None for the context's own.
    """

    def __init__(self, context: str | None, namespace: str | None) -> None:
        self._context, self._namespace = context, namespace
        self._made: Any = None

    @cached_property
    def namespace(self) -> str:
        """The namespace that is worked in.

        Raises:
            LauncherError: There is no kube configuration.
        """
        if self._namespace:
            return self._namespace
        from kubernetes import config  # noqa: PLC0415 - an extra, and slow to import

        if not _configured() and _IN_POD.exists():
            return _IN_POD.read_text("utf-8").strip()
        read = partial(config.list_kube_config_contexts, config_file=_configuration())
        contexts, current = _ask("read the kube configuration", read)
        named = {one["name"]: one for one in contexts}
        if self._context and self._context not in named:
            raise RefusedError(f"there is no kube context {self._context!r}; known: {', '.join(named) or 'none'}")
        chosen = named[self._context] if self._context else current
        return str(chosen["context"].get("namespace") or "default")

    # -- objects --------------------------------------------------------------------------------------------------

    def create(self, kind: Kind, manifest: Object) -> Object | None:
        """Make an object; None when there is one of that name.

        Raises:
            RefusedError: The server will not have it, or does not know the kind.
            NotNowError: A quota is used up, or the server is throttling.
            LauncherError: It did not answer.
        """
        call = partial(self._objects.create_namespaced_custom_object, *self._at(kind), manifest, **_ASKED)
        doing = f"create {kind.plural} {manifest['metadata']['name']}"
        made: Object | None = self._ask(doing, call, none=("AlreadyExists",))
        return made

    def get(self, kind: Kind, name: str) -> Object | None:
        """One object, None when there is none of that name."""
        call = partial(self._objects.get_namespaced_custom_object, *self._at(kind), name, **_ASKED)
        found: Object | None = self._ask(f"read {kind.plural} {name}", call, none=(404,))
        return found

    def listed(self, kind: Kind, selector: str) -> list[Object]:
        """Every object that a label selector finds; none where the cluster does not know the kind."""
        call = partial(self._objects.list_namespaced_custom_object, *self._at(kind), label_selector=selector, **_ASKED)
        return self._ask(f"list {kind.plural}", partial(_pages, call), none=(404,)) or []

    def delete(self, kind: Kind, name: str, uid: str) -> None:
        """Delete exactly this object with everything it owns; one that has gone meanwhile is fine."""
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        call = partial(self._objects.delete_namespaced_custom_object, *self._at(kind), name, body=body, **_ASKED)
        self._ask(f"delete {kind.plural} {name}", call, none=(404, 409))

    # -- pods -----------------------------------------------------------------------------------------------------

    def pods(self, selector: str) -> list[Object]:
        """Every pod that a label selector finds."""

        def page(**more: Any) -> Any:
            answer = self._core.list_namespaced_pod(self.namespace, label_selector=selector, **more, **_ASKED_RAW)
            return json.loads(answer.data)

        return self._ask("list pods", partial(_pages, page)) or []

    def warnings(self) -> list[Object]:
        """What the cluster has complained of in the last hour, oldest first; nothing where we may not read it."""

        def page(**more: Any) -> Any:
            return json.loads(self._core.list_namespaced_event(self.namespace, **_COMPLAINTS, **more).data)

        found = self._ask("list events", partial(_pages, page), none=(401, 403, 404)) or []
        return sorted(found, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))

    def log(self, pod: str) -> str | None:
        """The end of what a pod's first container has printed, None when the server has none of it."""
        call = partial(self._core.read_namespaced_pod_log, pod, self.namespace, limit_bytes=_LOG_BYTES, **_ASKED_RAW)
        answer = self._ask(f"read the log of pod {pod}", call, none=(400, 404))
        return None if answer is None else bytes(answer.data).decode("utf-8", "replace")

    def there(self, plural: str, name: str) -> bool:
        """Whether something a pod refers to exists; yes where we may not look. Only names are asked for, no content."""
        if plural == CLAIM_TEMPLATE.plural:
            return self.get(CLAIM_TEMPLATE, name) is not None
        read = {
            "secrets": self._names.read_namespaced_secret,
            "serviceaccounts": self._names.read_namespaced_service_account,
            "persistentvolumeclaims": self._names.read_namespaced_persistent_volume_claim,
        }[plural]

        def look() -> bool:
            try:
                read(name, self.namespace, **_ASKED_RAW)
            except Exception as error:
                if getattr(error, "status", None) not in (401, 403):
                    raise
            return True

        return bool(self._ask(f"look for {plural} {name}", look, none=(404,)))

    # -- connection -----------------------------------------------------------------------------------------------

    def _ask(self, doing: str, call: Callable[[], Any], none: tuple[int | str, ...] = ()) -> Any:
        """Like `_ask` below. A login that has run out is read anew the next time: somebody may have renewed it."""
        try:
            return _ask(doing, call, none)
        except LauncherError as error:
            if getattr(error.__cause__, "status", None) == 401:
                self._made = None
                for known in ("_objects", "_core", "_names"):
                    self.__dict__.pop(known, None)
            raise

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = _connect(self._context)
        return self._made

    @cached_property
    def _objects(self) -> Any:
        from kubernetes import client  # noqa: PLC0415

        return client.CustomObjectsApi(self._client)

    @cached_property
    def _core(self) -> Any:
        from kubernetes import client  # noqa: PLC0415

        return client.CoreV1Api(self._client)

    @cached_property
    def _names(self) -> Any:
        """Like `_core`, but the server leaves out everything but metadata: a secret's content never comes here."""
        from kubernetes import client  # noqa: PLC0415

        reader = _connect(self._context)
        reader.default_headers["Accept"] = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
        return client.CoreV1Api(reader)

    def _at(self, kind: Kind) -> tuple[str, str, str, str]:
        return kind.group, kind.version, self.namespace, kind.plural


_ASKED: dict[str, Any] = {"_request_timeout": _ANSWER_S}
_ASKED_RAW: dict[str, Any] = {**_ASKED, "_preload_content": False}
_COMPLAINTS: dict[str, Any] = {**_ASKED_RAW, "field_selector": "type!=Normal"}


def _connect(context: str | None) -> Any:
    from kubernetes import client, config  # noqa: PLC0415

    settings = client.Configuration()
    settings.retries = False  # we wait out an outage ourselves, with a line about it
    if not _configured() and _IN_POD.exists():
        load = partial(config.load_incluster_config, client_configuration=settings)
    else:
        load = partial(config.load_kube_config, _configuration(), context, client_configuration=settings)
    _ask("read the kube configuration", load)
    return client.ApiClient(settings)


def _configured() -> bool:
    return any(Path(part).is_file() for part in _configuration().split(os.pathsep))


def _configuration() -> str:
    """Where the configuration lies, several files joined by colons; the client looks only when it is imported."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def _pages(ask: Callable[..., Any]) -> list[Object]:
    """All pages of a list. A page that has expired meanwhile (410) begins it again, in one piece."""
    found: list[Object] = []
    token = ""
    while True:
        try:
            answer = ask(limit=_PAGE, **({"_continue": token} if token else {}))
        except Exception as error:
            if getattr(error, "status", None) != 410 or not token:
                raise
            return list(ask()["items"])
        found += answer["items"]
        token = answer["metadata"].get("continue") or ""
        if not token:
            return found


def _ask(doing: str, call: Callable[[], Any], none: tuple[int | str, ...] = ()) -> Any:
    """What a call answers; None when the answer is one of the codes or reasons in `none`.

    Raises:
        RefusedError: The server refuses it, and would again.
        NotNowError: The server refuses it for now.
        LauncherError: It failed in any other way.
    """
    try:
        answer = call()
        if getattr(answer, "status", 200) in none:
            return None
    except Exception as error:
        code, reason, said = _answered(error)
        if code in none or reason in none:
            return None
        raise _failure(code, said)(_advised(doing, code, said)) from error
    return answer


_FINAL = {400, 401, 403, 404, 405, 406, 413, 415, 422}
"""Codes of an answer that would be the same again."""

_QUOTA = re.compile(r"exceeded quota: .*limited: |status unknown for quota")


def _failure(code: int | None, said: str) -> type[LauncherError]:
    """What kind of failure an answer is."""
    if code == 429 or (code == 403 and _QUOTA.search(said) and not over_its_limit(said)):
        return NotNowError
    return RefusedError if code in _FINAL else LauncherError


def _advised(doing: str, code: int | None, said: str) -> str:
    """One line: what could not be done, the server's own sentence, and what to do where that does not say it."""
    told = f"Kubernetes could not {doing}: {said}"
    if code == 401:
        return (
            f"{told}; the login of this kube context has run out or is unknown there: log in again until kubectl works"
        )
    if code == 404 and doing.startswith("create rayjobs") and "namespaces" not in said:
        return (
            f"{told}; this cluster does not know RayJobs: KubeRay is not installed there. Ask for it, or use kind: job"
        )
    return told


def _answered(error: Exception) -> tuple[int | None, str, str]:
    """Code, reason and words of a failure: what the server said, or what happened on the way to it."""
    try:
        body = json.loads(getattr(error, "body", "") or "{}")
        said, reason = str(body["message"]), str(body.get("reason", ""))
    except (ValueError, KeyError, TypeError):
        said, reason = "", ""
    code = getattr(error, "status", None)
    told = f"{code} {said or getattr(error, 'reason', '')}" if code else f"{type(error).__name__}: {error}"
    return code, reason, " ".join(told.split())[:1000]
