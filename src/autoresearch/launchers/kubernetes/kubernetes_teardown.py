"""What the cluster still holds of a run that is over, and for how long it may."""

import time

from autoresearch.launchers.job_files import Record
from autoresearch.launchers.kubernetes.api import JOB, RAY_CLUSTER, RAY_JOB, Cluster, Kind
from autoresearch.launchers.kubernetes.manifest import RUN, Manifest, is_signed
from autoresearch.launchers.kubernetes.status import object_state

_LIVING = {"Pending", "Running", "Unknown"}
_LETTING_GO_S = 10.0
_POLL_S = 3.0


class Teardown:
    """Looks at what is left of runs.

    Args:
        cluster: Whom to ask.
        patience_s: How long the rest of a run that is over may take to go.
    """

    def __init__(self, cluster: Cluster, patience_s: float) -> None:
        self._cluster = cluster
        self._patience_s = patience_s
        self._since: dict[str, float] = {}
        self._over: set[str] = set()

    def pending(self, kind: Kind, record: Record) -> str:
        """What of an ended run is on its way out; empty once nothing is, or it stays, or patience is at its end.

        It is asked with every poll, where other runs are followed meanwhile, so that nobody has to wait for it.
        """
        if record.name in self._over:
            return ""
        waited = time.monotonic() - self._since.setdefault(record.name, time.monotonic())
        held = self.held(kind, record) if waited < self._patience_s and self._going(kind, record) else ()
        if not held:
            self._over.add(record.name)
        return held[0] if held else ""

    def left(self, kind: Kind, record: Record) -> tuple[str, ...]:
        """What is left of a run; what a deletion has just begun with gets some seconds to go."""
        until = time.monotonic() + min(_LETTING_GO_S, self._patience_s)
        pause = 0.1
        while (held := self.held(kind, record)) and self._going(kind, record) and time.monotonic() < until:
            time.sleep(pause)
            pause = min(pause * 1.5, _POLL_S)
        return held

    def held(self, kind: Kind, record: Record) -> tuple[str, ...]:
        """Live object, Ray clusters, jobs and pods of a run."""
        found = self._cluster.get(kind, record.name)
        alive: list[Manifest] = []
        if found and is_signed(found, record.name, record.token) and not object_state(found).ended:
            alive = [found]
        label = f"{RUN}={record.name}"
        if kind == RAY_JOB:
            alive += self._cluster.listed(RAY_CLUSTER, label)
            alive += [one for one in self._cluster.listed(JOB, label) if not object_state(one).ended]
        pods = [pod for pod in self._cluster.pods(label) if pod.get("status", {}).get("phase") in _LIVING]
        named = [f"{one.get('kind', 'Pod')} {one['metadata']['name']}" for one in alive]
        return (*named, *(f"Pod {pod['metadata']['name']} ({pod['status']['phase']})" for pod in pods))

    def _going(self, kind: Kind, record: Record) -> bool:
        """Whether the run is over, so that what is left of it is on its way out."""
        found = self._cluster.get(kind, record.name)
        return found is None or object_state(found).ended or "deletionTimestamp" in found["metadata"]
